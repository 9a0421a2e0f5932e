import io
import pickle
import random
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.data.exports import zips
from fedspoke.data.exports.files import UnusableError
from fedspoke.data.exports.zips import Zip
from support.zips import Member, crafted, plain

POSTS = "posts/your_posts*.json"
FILES = {"posts/your_posts_10.json": b"ten", "posts/your_posts_2.json": b"two", "media/1.jpg": bytes(range(256)) * 900}


def opened(path: Path) -> Zip:
    return zips.opened(path, [POSTS, "media/*.jpg"])


def content(path: Path, name: str) -> bytes:
    with opened(path).open(name) as file:
        return file.read()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_003])
def test_a_file_is_read_as_it_was_packed_in_pieces_of_any_size(tmp_path: Path, method: int, size: int) -> None:
    expected = random.Random(size).randbytes(size // 2) + b"a" * (size - size // 2)
    with zipfile.ZipFile(tmp_path / "e.zip", "w", method) as made:
        made.writestr("a/1.jpg", expected)

    with opened(tmp_path / "e.zip").open("a/1.jpg") as file:
        pieces = iter(lambda: file.read(70_001), b"")
        assert b"".join(pieces) == expected


def test_a_zip_has_names_and_folders_as_if_it_were_unpacked(tmp_path: Path) -> None:
    found = opened(plain(FILES, tmp_path / "e.zip"))

    assert found.names([POSTS]) == ["posts/your_posts_2.json", "posts/your_posts_10.json"]
    assert found.folders() == ["media", "posts"]
    assert found.below("posts").names(["your_posts*.json"]) == ["your_posts_2.json", "your_posts_10.json"]
    assert found.below("posts").lacking("your_posts_2.json") is None
    assert found.below("posts").lacking("../media/1.jpg") == "unsafe_path"


def test_another_process_reads_what_this_one_found(tmp_path: Path) -> None:
    found = pickle.loads(pickle.dumps(opened(plain(FILES, tmp_path / "e.zip"))))  # noqa: S301  our own bytes

    with found.open("media/1.jpg") as one, found.open("posts/your_posts_2.json") as other:
        assert (other.read(), one.read()) == (b"two", FILES["media/1.jpg"])


def test_a_zip_may_be_larger_than_4_gigabytes_and_stand_behind_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    path.write_bytes(b"#!/bin/sh\n")
    with zipfile.ZipFile(path, "a") as made, made.open("a/1.jpg", "w", force_zip64=True) as file:
        file.write(b"photo")
    _in_zip64(path)

    assert content(path, "a/1.jpg") == b"photo"


def _in_zip64(path: Path) -> None:
    """The end of a zip as it is written for one that is larger than its fields."""
    data = path.read_bytes()
    at = data.rindex(b"PK\5\6")
    size, start = (int.from_bytes(data[place : place + 4], "little") for place in (at + 12, at + 16))
    end = b"PK\6\6" + (44).to_bytes(8, "little") + bytes(12) + b"".join(n.to_bytes(8, "little") for n in (1, 1, size, start))
    locator = b"PK\6\7" + bytes(4) + at.to_bytes(8, "little") + (1).to_bytes(4, "little")
    path.write_bytes(data[:at] + end + locator + b"PK\5\6" + bytes(4) + b"\xff" * 12 + bytes(2))


@pytest.mark.parametrize(
    "name", ["été/☀.jpg".encode(), "été/1.jpg".encode("cp437"), b"a\\1.jpg"], ids=["utf-8", "cp437", "windows"]
)
def test_names_are_read_as_their_tool_wrote_them(tmp_path: Path, name: bytes) -> None:
    expected = {"utf-8": "été/☀.jpg", "cp437": "été/1.jpg", "windows": "a/1.jpg"}
    found = opened(crafted(tmp_path / "e.zip", [Member(name=name)]))

    assert [found.lacking(uri) for uri in expected.values()].count(None) == 1


member_names = st.binary(min_size=1, max_size=30) | st.lists(
    st.sampled_from([b"..", b".", b"", b"a", b"C:", b"etc", b"passwd", b"\0", b"\xff"])
).map(b"/".join)


@given(st.lists(member_names, max_size=5))
def test_no_name_of_a_member_leads_out_or_stops_the_others_from_being_read(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("zips") / "e.zip"
    crafted(path, [*(Member(name=name, content=b"hostile") for name in found), Member(name=b"media/1.jpg", content=b"photo")])

    zipped = opened(path)

    assert content(path, "media/1.jpg") == b"photo"
    for uri in ("../media/1.jpg", "/etc/passwd", "../../etc/passwd"):
        assert zipped.lacking(uri) == "unsafe_path"


def test_names_that_lead_out_or_come_again_are_counted_and_the_last_one_is_read(tmp_path: Path) -> None:
    names = [b"../a.jpg", b"/a.jpg", b"C:/a.jpg", b"x" * 300, b"nul\0.jpg", b"a/1.jpg", b"a/1.jpg", b"a\\1.jpg", b"a/"]
    path = crafted(tmp_path / "e.zip", [Member(name=name, content=str(number).encode()) for number, name in enumerate(names)])

    assert opened(path).index.odd == {"unsafe_path": 5, "repeated_name": 2}
    assert content(path, "a/1.jpg") == b"7"
    assert opened(path).names(["a/*.jpg"]) == []


def test_names_that_differ_in_case_alone_are_two_files(tmp_path: Path) -> None:
    path = plain({"a/1.jpg": b"one", "A/1.JPG": b"two"}, tmp_path / "e.zip")

    assert (content(path, "a/1.jpg"), content(path, "A/1.JPG")) == (b"one", b"two")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (Member(name=b"1.jpg", content=b"/etc/passwd", mode=0o120777), "unsafe_path"),
        (Member(name=b"1.jpg", method=9), "unreadable_media"),
        (Member(name=b"1.jpg/"), "missing_media"),
        (Member(name=b"2.jpg"), "missing_media"),
    ],
    ids=["link", "other compression", "folder", "other name"],
)
def test_what_cannot_be_had_is_told_and_not_opened(tmp_path: Path, member: Member, reason: str) -> None:
    found = opened(crafted(tmp_path / "e.zip", [member]))

    assert found.lacking("1.jpg") == reason
    with pytest.raises(OSError, match=r"."):
        found.open("1.jpg")


@pytest.mark.parametrize("deflated", [False, True], ids=["stored", "deflated"])
@pytest.mark.parametrize("untrue", [{"size": 10}, {"size": 200_000}, {"crc": 1}], ids=["more than said", "less", "other"])
def test_content_that_is_not_what_the_zip_says_is_an_error_and_never_more_than_it_says(
    tmp_path: Path, untrue: dict[str, int], deflated: bool
) -> None:
    found = opened(crafted(tmp_path / "e.zip", [Member(name=b"1.jpg", content=b"x" * 100_000, deflated=deflated, **untrue)]))

    with found.open("1.jpg") as file, pytest.raises(OSError, match="a file of the zip is"):
        file.read()


def test_one_content_under_many_names_is_not_read_under_another(tmp_path: Path) -> None:
    bomb = [Member(name=b"0.jpg", content=b"photo"), Member(name=b"1.jpg", content=b"photo", content_of=0)]
    path = crafted(tmp_path / "e.zip", bomb)

    assert content(path, "0.jpg") == b"photo"
    with pytest.raises(OSError, match="two names"):
        opened(path).open("1.jpg")


@pytest.mark.parametrize("count", [1, 80])
def test_posts_that_would_unpack_to_more_than_any_platform_packs_are_not_read(tmp_path: Path, count: int) -> None:
    size = (80 << 20) // count
    files = [Member(name=b"posts/your_posts_%d.json" % n, content=b"[]", size=size) for n in range(count)]

    with pytest.raises(UnusableError, match="would unpack to 80 MB of posts"):
        opened(crafted(tmp_path / "e.zip", files)).names([POSTS])


def test_the_same_content_under_many_names_does_not_make_a_zip_larger(tmp_path: Path) -> None:
    kernel = random.Random(0).randbytes(1 << 20)
    files = [Member(name=b"posts/your_posts_0.json", content=kernel)]
    files += [Member(name=b"posts/your_posts_%d.json" % n, content=kernel, content_of=0) for n in range(1, 200)]

    with pytest.raises(UnusableError, match="more than any platform packs"):
        opened(crafted(tmp_path / "e.zip", files)).names([POSTS])


@pytest.mark.parametrize("place", [0, 1 << 40, (1 << 64) - 1])
def test_a_file_that_is_not_where_the_zip_says_is_told(tmp_path: Path, place: int) -> None:
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("0.jpg", "other")
        made.writestr("1.jpg", "photo")
        made.infolist()[1].header_offset = place
    with pytest.raises(OSError, match=r"not where it should be|two names|Invalid argument"):
        opened(path).open("1.jpg")


def test_an_encrypted_zip_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match="is encrypted; unpack it with its password"):
        opened(crafted(tmp_path / "e.zip", [Member(name=b"1.jpg"), Member(name=b"2.jpg", flags=1)]))


@given(st.data())
def test_a_zip_that_is_cut_off_anywhere_is_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = plain(FILES, tmp_path_factory.mktemp("zips") / "e.zip").read_bytes()
    path = tmp_path_factory.mktemp("zips") / "cut.zip"
    path.write_bytes(whole[: data.draw(st.integers(4, len(whole) - 1))])

    with pytest.raises(UnusableError, match="is not whole: its end is missing"):
        opened(path)


def test_a_zip_without_its_beginning_is_told(tmp_path: Path) -> None:
    path = plain(FILES, tmp_path / "e.zip")
    path.write_bytes(path.read_bytes()[100:])

    with pytest.raises(UnusableError, match="its beginning is missing"):
        opened(path)


def test_a_volume_of_a_split_zip_is_told(tmp_path: Path) -> None:
    path = plain(FILES, tmp_path / "e.zip")
    data = bytearray(path.read_bytes())
    data[-18] = 3
    path.write_bytes(data)

    with pytest.raises(UnusableError, match="one volume of a split zip"):
        opened(path)


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_are_a_zip_or_say_why_not(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("zips") / "e.zip"
    whole = bytearray(plain(FILES, path).read_bytes())
    whole[-1 - place % len(whole)] = byte
    for content in (noise, bytes(whole), noise + bytes(whole)):
        path.write_bytes(content)
        with suppress(OSError):
            found = opened(path)
            for name in found.names([POSTS, "media/*.jpg"]):
                with found.open(name) as file:
                    assert len(file.read()) <= len(FILES["media/1.jpg"])


def test_a_comment_or_a_zip_inside_does_not_hide_the_end(tmp_path: Path) -> None:
    inner = plain({"other/1.jpg": b"inner"}, tmp_path / "inner.zip").read_bytes()
    path = crafted(
        tmp_path / "e.zip", [Member(name=b"inner.zip", content=inner), Member(name=b"1.jpg", content=b"outer")], after=b"bye"
    )

    assert content(path, "1.jpg") == b"outer"
    assert opened(path).folders() == []


def test_what_zipfile_writes_zip_reads(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the second one's name
        made.writestr("a/1.json", "first")
        made.writestr("a/1.json", "second")
        made.mkdir("b")
    (tmp_path / "e.zip").write_bytes(buffer.getvalue())

    assert content(tmp_path / "e.zip", "a/1.json") == b"second"
    assert opened(tmp_path / "e.zip").folders() == ["a", "b"]


def test_the_fingerprint_is_that_of_the_zip_as_it_lies_there(tmp_path: Path) -> None:
    path = plain(FILES, tmp_path / "e.zip")
    first = opened(path).fingerprint()
    assert opened(path).fingerprint() == first

    path.write_bytes(path.read_bytes() + b"x")

    assert opened(path).fingerprint() != first
