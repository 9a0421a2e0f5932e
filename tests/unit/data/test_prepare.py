import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from fedspoke.api.errors import Failed, Refused
from fedspoke.data import records
from fedspoke.data.clean import Cleaned, clean
from fedspoke.data.exports.export import Export
from fedspoke.data.extract import extract
from fedspoke.data.output import Output
from fedspoke.data.prepare import find_for
from fedspoke.data.prepare import prepare as prepare_paths
from support import exports as build
from support.workers import Deadly


def facebook(folder: Path, *posts: build.Json, photos: Sequence[str] = ()) -> Path:
    return build.write(folder, {build.FACEBOOK_POSTS: list(posts)}, photos)


def prepare(export: Path, folder: Path, *without: str) -> Cleaned:
    return prepare_paths([export], folder, nobody, without)


def nobody(*_: object) -> None:
    """Hears of no progress."""


def made(folder: Path) -> tuple[records.CleanRecord, ...]:
    return records.load(folder)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def black(side: int) -> bytes:
    """A square PNG of one bit a pixel, whole and valid: so small a file, and so large once it is decoded."""
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def test_the_same_export_makes_the_same_bytes_again(tmp_path: Path) -> None:
    posts = [build.facebook_post("one", "1.jpg", at=2), build.facebook_post("two", "2.jpg", at=1), build.facebook_post("three")]
    export = facebook(tmp_path / "export", *posts, photos=["1.jpg", "2.jpg"])

    prepare(export, tmp_path / "a")
    prepare(export, tmp_path / "b")
    once = content(tmp_path / "a")
    prepare(export, tmp_path / "a")

    assert content(tmp_path / "a") == once == content(tmp_path / "b")


def test_each_record_keeps_its_own_photo(tmp_path: Path) -> None:
    posts = [build.facebook_post(name, f"{name}.png", at=time) for time, name in enumerate(["red", "green", "blue"], start=1)]
    export = facebook(tmp_path / "export", *posts)
    for name, colour in {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}.items():
        build.photo(export / f"{name}.png", colour=colour)

    prepare(export, tmp_path / "out")

    for record, channel in zip(made(tmp_path / "out"), range(3), strict=True):
        pixel = Image.open(tmp_path / "out" / str(record.image)).getpixel((5, 5))
        assert isinstance(pixel, tuple)
        assert max(range(3), key=pixel.__getitem__) == channel


def test_a_photo_is_upright_bounded_and_stripped_to_its_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    exif[0x010F] = "SECRET maker"
    export = facebook(tmp_path / "export", build.facebook_post("tall", "1.jpg"))
    build.photo(export / "1.jpg", size=(1600, 800), exif=exif, comment=b"SECRET comment", icc_profile=b"SECRET profile")

    prepare(export, tmp_path / "out")

    [record] = made(tmp_path / "out")
    cleaned = (tmp_path / "out" / str(record.image)).read_bytes()
    assert Image.open(io.BytesIO(cleaned)).size == (400, 800)
    assert b"SECRET" in (export / "1.jpg").read_bytes()
    assert b"SECRET" not in cleaned


@pytest.mark.parametrize("cut", [0, 40, 300], ids=["empty", "header only", "half"])
def test_a_broken_photo_is_counted_and_its_text_stays(tmp_path: Path, cut: int) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"), photos=["1.jpg"])
    (export / "1.jpg").write_bytes((export / "1.jpg").read_bytes()[:cut])

    cleaned = prepare(export, tmp_path / "out")

    assert [(record.text, record.image) for record in made(tmp_path / "out")] == [("hello", None)]
    assert cleaned.dropped == {"broken_image": 1}


@pytest.mark.parametrize("side", [12_000, 30_000], ids=["where Pillow only warns", "where Pillow gives up"])
def test_a_photo_that_would_fill_the_memory_is_counted_and_never_decoded(tmp_path: Path, side: int) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.png"))
    (export / "1.png").write_bytes(black(side))

    assert prepare(export, tmp_path / "out").dropped == {"broken_image": 1}


def test_the_same_text_with_the_same_photo_is_kept_once(tmp_path: Path) -> None:
    posts = [
        build.facebook_post("again", "1.jpg", at=3),
        build.facebook_post("again", "copy.jpg", at=2),
        build.facebook_post("again", "other.jpg", at=1),
    ]
    export = facebook(tmp_path / "export", *posts, photos=["1.jpg"])
    (export / "copy.jpg").write_bytes((export / "1.jpg").read_bytes())
    Image.radial_gradient("L").save(export / "other.jpg")

    cleaned = prepare(export, tmp_path / "out")

    assert [record.timestamp for record in made(tmp_path / "out")] == [1, 2]
    assert cleaned.dropped == {"duplicate": 1}


def test_no_file_name_of_the_export_is_in_the_records(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "NAME_n.jpg"), photos=["NAME_n.jpg"])

    prepare(export, tmp_path / "out")

    assert b"NAME" not in (tmp_path / "out/cleaned_data.json").read_bytes()
    assert not list((tmp_path / "out/images").glob("*NAME*"))


def test_another_export_in_the_same_folder_replaces_the_first_but_nobody_elses_files(tmp_path: Path) -> None:
    first = facebook(tmp_path / "1", build.facebook_post("old", "1.jpg"), photos=["1.jpg"])
    second = facebook(tmp_path / "2", build.facebook_post("new"))
    prepare(first, tmp_path / "out")
    (tmp_path / "out/images/holiday.jpg").write_bytes(b"mine")

    prepare(second, tmp_path / "out")

    assert [record.text for record in made(tmp_path / "out")] == ["new"]
    assert [path.name for path in (tmp_path / "out/images").iterdir()] == ["holiday.jpg"]


def test_an_export_that_leaves_nothing_fails_with_the_reasons_and_leaves_no_records(tmp_path: Path) -> None:
    prepare(facebook(tmp_path / "1", build.facebook_post("once")), tmp_path / "out")
    export = facebook(tmp_path / "2", build.facebook_post("", "clip.mp4"), build.facebook_post("<image>"))

    with pytest.raises(Failed, match=r"the facebook export holds no post to learn from \(no_text 1, video 1\)"):
        prepare(export, tmp_path / "out")
    with pytest.raises(Refused, match=r"cleaned_data.json is missing"):
        made(tmp_path / "out")
    assert not list((tmp_path / "out/images").iterdir())


def test_records_are_never_written_into_the_export(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello"))

    with pytest.raises(Refused, match=f"lies inside the export {tmp_path}; name one outside of it"):
        prepare(tmp_path, export / "out")
    assert not (export / "out").exists()


def test_a_post_with_several_photos_keeps_all_of_them_in_order(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("both", "1.jpg", "2.jpg"), photos=["1.jpg"])
    Image.radial_gradient("L").save(export / "2.jpg")

    cleaned = prepare(export, tmp_path / "out")

    [record] = made(tmp_path / "out")
    assert (record.image, len(set(record.images))) == (record.images[0], 2)
    assert [Image.open(tmp_path / "out" / image).size for image in record.images] == [(32, 24), (256, 256)]
    assert {path.name for path in (tmp_path / "out/images").iterdir()} == {Path(image).name for image in record.images}
    assert (cleaned.records, cleaned.with_photo, cleaned.images) == (1, 1, 2)


def test_a_post_whose_first_photo_is_broken_begins_with_the_next(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("both", "1.jpg", "2.jpg"), photos=["1.jpg", "2.jpg"])
    (export / "1.jpg").write_bytes(b"no photo")

    cleaned = prepare(export, tmp_path / "out")

    [record] = made(tmp_path / "out")
    assert (bool(record.image), record.images, cleaned.dropped) == (True, (), {"broken_image": 1})


def test_a_folder_that_another_run_works_in_is_refused(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello"))

    with Output.open(tmp_path / "out"), pytest.raises(Refused, match="is in use by another run; wait for its end"):
        prepare(export, tmp_path / "out")


@pytest.mark.parametrize("name", ["images", ".prepare"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"), photos=["1.jpg"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Refused, match=f"{name} is a link, and nothing is written through one"):
        prepare(export, tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_link_in_the_place_of_a_result_is_replaced_and_not_followed(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello"))
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "out").mkdir()
    for name in ("cleaned_data.json", "dummy_data.json", "raw_facebook_data.json"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "mine")

    prepare(export, tmp_path / "out")

    assert (tmp_path / "mine").read_text() == "mine"
    assert len(made(tmp_path / "out")) == 1


def test_only_the_results_are_left(tmp_path: Path) -> None:
    prepare(facebook(tmp_path / "export", build.facebook_post("hello")), tmp_path / "out")

    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"raw_facebook_data.json", "dummy_data.json", "cleaned_data.json", "images"}


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"), photos=["1.jpg"])

    prepare(export, tmp_path / "out")

    made_here = [tmp_path / "out", *(tmp_path / "out").rglob("*")]
    assert {path.stat().st_mode & 0o777 for path in made_here if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in made_here if path.is_dir()} == {0o700}


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 400], ids=["cut off", "damaged"])
def test_notes_of_an_earlier_run_that_cannot_be_read_are_made_anew(tmp_path: Path, damage: bytes) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello"))
    (tmp_path / "out/.prepare").mkdir(parents=True)
    (tmp_path / "out/.prepare/work.sqlite").write_bytes(damage)

    assert prepare(export, tmp_path / "out").records == 1


def test_a_rule_that_is_switched_off_changes_nothing(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("read this today https://example.org/a"))

    on, with_rule = prepare(export, tmp_path / "out"), made(tmp_path / "out")
    off, without = prepare(export, tmp_path / "out", "urls"), made(tmp_path / "out")

    assert (on.changed, off.changed) == ({"urls": 1}, {})
    assert ("example.org" in with_rule[0].text, "example.org" in without[0].text) == (False, True)


def test_a_photo_that_kills_its_decoder_is_counted_and_the_others_stay(tmp_path: Path) -> None:
    names = ["1.jpg", "deadly.jpg", "2.jpg"]
    texts = ["a harbour at night", "my violin lesson", "bread from the bakery"]
    posts = [build.facebook_post(text, name) for text, name in zip(texts, names, strict=True)]
    found = find_for([facebook(tmp_path / "export", *posts, photos=names)], tmp_path / "out")
    deadly = Export(platform=found.platform, files=Deadly(found.files, "deadly.jpg"))

    with Output.open(tmp_path / "out") as output:
        cleaned = clean(extract(deadly, output, nobody), output, nobody)

    assert (cleaned.records, cleaned.with_photo, cleaned.dropped) == (3, 2, {"broken_image": 1})


def test_of_a_burst_only_the_first_photo_stays(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("seagulls", "1.jpg", "2.jpg", "3.jpg"))
    for name, quality in {"1.jpg": 95, "2.jpg": 60}.items():
        Image.radial_gradient("L").save(export / name, quality=quality)
    Image.linear_gradient("L").save(export / "3.jpg")

    on, kept = prepare(export, tmp_path / "out"), made(tmp_path / "out")
    off, all_three = prepare(export, tmp_path / "out", "near_photos"), made(tmp_path / "out")

    assert (len(kept[0].images), on.dropped) == (2, {"near_photos": 1})
    assert (len(all_three[0].images), off.dropped) == (3, {})
