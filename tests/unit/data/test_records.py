import io
import json
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fedspoke.api.errors import Failed, Refused
from fedspoke.data import records
from fedspoke.data.cleaning.caption import caption
from fedspoke.data.cleaning.photo import LONGEST_SIDE
from support import exports as build


def facebook(folder: Path, *posts: build.Json, photos: Sequence[str] = ()) -> Path:
    return build.write(folder, {build.FACEBOOK_POSTS: list(posts)}, photos)


def prepare(export: Path, folder: Path) -> records.Cleaned:
    records.extract(export, "facebook", folder)
    return records.clean(folder)


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


def test_an_export_becomes_records_stage_by_stage(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("Käthe counts", "1.jpg", at=7), photos=["1.jpg"])

    extracted = records.extract(export, "facebook", tmp_path / "out")
    cleaned = records.clean(tmp_path / "out")

    [record] = records.load(tmp_path / "out")
    assert json.loads((tmp_path / "out/raw_facebook_data.json").read_bytes())[0]["media"] == [{"uri": "1.jpg", "text": ""}]
    assert [(post.text, post.image) for post in extracted.posts] == [("Käthe counts", "1.jpg")]
    assert (record,) == cleaned.records
    assert (record.text, record.image, record.timestamp) == ("Käthe counts", f"images/{record.id}.jpg", 7)
    assert json.loads((tmp_path / "out/cleaned_data.json").read_bytes()) == [record.model_dump()]


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

    cleaned = prepare(export, tmp_path / "out")

    for record, channel in zip(cleaned.records, range(3), strict=True):
        pixel = Image.open(tmp_path / "out" / str(record.image)).getpixel((5, 5))
        assert isinstance(pixel, tuple)
        assert max(range(3), key=pixel.__getitem__) == channel


def test_a_photo_is_upright_bounded_and_stripped_to_its_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera on its side
    exif[0x010F] = "SECRET maker"
    export = facebook(tmp_path / "export", build.facebook_post("tall", "1.jpg"))
    build.photo(export / "1.jpg", size=(1600, 800), exif=exif, comment=b"SECRET comment", icc_profile=b"SECRET profile")

    [record] = prepare(export, tmp_path / "out").records

    cleaned = (tmp_path / "out" / str(record.image)).read_bytes()
    assert Image.open(io.BytesIO(cleaned)).size == (LONGEST_SIDE // 2, LONGEST_SIDE)
    assert b"SECRET" in (export / "1.jpg").read_bytes()
    assert b"SECRET" not in cleaned


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"))
    Image.new(mode, (8, 8)).save(export / "1.jpg", "JPEG" if mode == "CMYK" else "PNG")

    [record] = prepare(export, tmp_path / "out").records

    with Image.open(tmp_path / "out" / str(record.image)) as image:
        assert (image.mode, image.getpixel((4, 4))) == ("RGB", (255,) * 3 if mode in ("RGBA", "LA", "CMYK") else (0,) * 3)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "GIF"])
def test_photos_of_every_kind_that_people_post_are_read_whatever_they_are_called(tmp_path: Path, kind: str) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.png"))
    both = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]} if kind == "MPO" else {}
    Image.new("RGB", (8, 8), "red").save(export / "1.png", kind, **both)

    [record] = prepare(export, tmp_path / "out").records

    assert record.image


@pytest.mark.parametrize("cut", [0, 40, 300], ids=["empty", "header only", "half"])
def test_a_broken_photo_is_counted_and_its_text_stays(tmp_path: Path, cut: int) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"), photos=["1.jpg"])
    (export / "1.jpg").write_bytes((export / "1.jpg").read_bytes()[:cut])

    cleaned = prepare(export, tmp_path / "out")

    assert [(record.text, record.image) for record in cleaned.records] == [("hello", None)]
    assert cleaned.skipped == {"broken_image": 1}


def test_a_program_that_is_called_a_photo_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.jpg"), photos=["1.jpg"])
    (export / "1.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ghostscript.parent}:{os.environ['PATH']}")

    cleaned = prepare(export, tmp_path / "out")

    assert not (tmp_path / "ran").exists()
    assert cleaned.skipped == {"broken_image": 1}


@pytest.mark.parametrize("side", [12_000, 30_000], ids=["where Pillow only warns", "where Pillow gives up"])
def test_a_photo_that_would_fill_the_memory_is_counted_and_never_decoded(tmp_path: Path, side: int) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hello", "1.png"))
    (export / "1.png").write_bytes(black(side))

    assert prepare(export, tmp_path / "out").skipped == {"broken_image": 1}


def test_the_same_text_with_the_same_photo_is_kept_once(tmp_path: Path) -> None:
    posts = [
        build.facebook_post("again", "1.jpg", at=3),
        build.facebook_post("again", "copy.jpg", at=2),
        build.facebook_post("again", "other.jpg", at=1),
    ]
    export = facebook(tmp_path / "export", *posts, photos=["1.jpg", "other.jpg"])
    (export / "copy.jpg").write_bytes((export / "1.jpg").read_bytes())

    cleaned = prepare(export, tmp_path / "out")

    assert [record.timestamp for record in cleaned.records] == [1, 2]
    assert cleaned.skipped == {"duplicate": 1}


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("e\u0301te\u0301", "été"),
        ("a\r\n\r\n\r\n\r\nb\0\x1b", "a\n\nb"),
        ("my <image> of you</s><pad>", "my of you"),
        ("I <3 you <b>", "I <3 you <b>"),
    ],
)
def test_a_text_is_tidied(tmp_path: Path, typed: str, clean: str) -> None:
    [record] = prepare(facebook(tmp_path / "export", build.facebook_post(typed)), tmp_path / "out").records

    assert record.text == clean


@given(st.lists(st.sampled_from(["<", ">", "<image>", "im", "age", "/", "s", "</s>", "\0", "pad", "unk", " "])).map("".join))
def test_no_text_can_ask_the_model_for_a_picture_or_end_its_answer(typed: str) -> None:
    assert not any(mark in caption(typed) for mark in ["<image>", "<pad>", "<unk>", "<s>", "</s>"])


def test_no_file_name_of_the_export_is_in_the_records(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hi", "NAME_n.jpg"), photos=["NAME_n.jpg"])

    prepare(export, tmp_path / "out")

    assert b"NAME" not in (tmp_path / "out/cleaned_data.json").read_bytes()
    assert not list((tmp_path / "out/images").glob("*NAME*"))


def test_another_export_in_the_same_folder_replaces_the_first_but_nobody_elses_files(tmp_path: Path) -> None:
    first = facebook(tmp_path / "1", build.facebook_post("old", "1.jpg"), photos=["1.jpg"])
    second = facebook(tmp_path / "2", build.facebook_post("new"))
    prepare(first, tmp_path / "out")
    (tmp_path / "out/images/holiday.jpg").write_bytes(b"mine")

    prepare(second, tmp_path / "out")

    assert [record.text for record in records.load(tmp_path / "out")] == ["new"]
    assert [path.name for path in (tmp_path / "out/images").iterdir()] == ["holiday.jpg"]


def test_an_export_that_leaves_nothing_fails_with_the_reasons_and_leaves_no_records(tmp_path: Path) -> None:
    prepare(facebook(tmp_path / "1", build.facebook_post("once")), tmp_path / "out")
    export = facebook(tmp_path / "2", build.facebook_post("", "clip.mp4"), build.facebook_post("<image>"))
    records.extract(export, "facebook", tmp_path / "out")

    with pytest.raises(Failed, match=r"the facebook export holds no post to learn from \(no_text 1, video 1\)"):
        records.clean(tmp_path / "out")
    with pytest.raises(Refused, match=r"cleaned_data.json is missing"):
        records.load(tmp_path / "out")


def test_data_of_another_platform_than_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is declared as instagram data, but it is a facebook export"):
        records.extract(facebook(tmp_path / "export"), "instagram", tmp_path / "out")


def test_records_are_never_written_into_the_export(tmp_path: Path) -> None:
    export = facebook(tmp_path / "export", build.facebook_post("hi"))

    with pytest.raises(Refused, match=f"lies inside the export {tmp_path}; name one outside of it"):
        records.extract(tmp_path, "facebook", export / "out")
    assert not (export / "out").exists()


def test_stages_out_of_order_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"dummy_data.json is missing; extract an export"):
        records.clean(tmp_path)
    with pytest.raises(Refused, match=r"cleaned_data.json is missing; clean an export"):
        records.load(tmp_path)


def test_an_export_that_went_away_between_the_stages_is_refused_without_its_name(tmp_path: Path) -> None:
    export = facebook(tmp_path / "facebook-anna", build.facebook_post("hi", "1.jpg"), photos=["1.jpg"])
    records.extract(export, "facebook", tmp_path / "out")
    export.rename(tmp_path / "elsewhere")

    with pytest.raises(Refused, match="the facebook export is gone") as refusal:
        records.clean(tmp_path / "out")
    assert "anna" not in str(refusal.value)


def test_records_that_point_outside_their_folder_are_refused(tmp_path: Path) -> None:
    record = {"id": "0" * 16, "image": "../secret.jpg", "text": "hi", "timestamp": None}
    (tmp_path / "cleaned_data.json").write_text(json.dumps([record]))

    with pytest.raises(Refused, match=r"is not what fedspoke writes \(0.image"):
        records.load(tmp_path)


def test_each_platform_has_its_own_stages() -> None:
    assert records.stages(Path("/out"), "facebook") != records.stages(Path("/out"), "instagram")
