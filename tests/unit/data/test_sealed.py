"""What is sealed comes back as it was, or not at all."""

import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.data import records, sealed, stage
from fedspoke.data.clean import clean
from fedspoke.data.extract import EXTRACTED, extract
from fedspoke.data.output import Output
from fedspoke.data.prepare import find_for, prepare
from fedspoke.data.sealed import PIECE, DamagedError, Store
from fedspoke.data.work import CleanPost, Picture, Work
from support.preparing import content, imagined

KEY, OTHER = bytes(range(32)), bytes(32)
PIECES = st.integers(0, 3 * PIECE) | st.builds(lambda pieces, more: pieces * PIECE + more, st.integers(1, 3), st.integers(-2, 2))
OVERHEAD = 17
HEADER = 24


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Another folder each time."""
    root = tmp_path_factory.mktemp("sealed")
    return (root / str(number) for number in count())


def store(folders: Iterator[Path], key: bytes | None = KEY) -> Store:
    root = next(folders)
    root.mkdir()
    return Store(root, key)


def bytes_of(size: int) -> bytes:
    return (b"what somebody posted. " * (size // 20 + 1))[:size]


@given(size=PIECES, written=st.integers(100, 2 * PIECE), read=st.integers(100, 2 * PIECE), key=st.sampled_from([KEY, None]))
@example(size=0, written=1, read=1, key=KEY)
@example(size=PIECE + 1, written=1, read=1, key=KEY)
def test_what_is_written_in_any_parts_is_read_in_any_parts(
    folders: Iterator[Path], size: int, written: int, read: int, key: bytes | None
) -> None:
    own, held = store(folders, key), bytes_of(size)
    with own.create(own.root / "partial", own.root / "file") as file:
        for start in range(0, size, written):
            file.write(held[start : start + written])
    (own.root / "partial").rename(own.root / "file")
    with own.open(own.root / "file") as file:
        assert b"".join(iter(lambda: file.read(read), b"")) == held
    assert (held in (own.root / "file").read_bytes()) is (key is None or not held)


@given(size=PIECES, at=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_changed_byte_wherever_it_is_shows(folders: Iterator[Path], size: int, at: float, change: int) -> None:
    own = store(folders)
    own.replace(own.root / "file", bytes_of(size))
    changed = bytearray((own.root / "file").read_bytes())
    changed[int(at * len(changed))] ^= change
    (own.root / "file").write_bytes(changed)
    with pytest.raises(DamagedError, match="file is not what was written"):
        own.read(own.root / "file")


@given(size=PIECES, at=st.floats(0, 1, exclude_max=True))
@example(size=2 * PIECE, at=(HEADER + PIECE + OVERHEAD) / (HEADER + 2 * (PIECE + OVERHEAD)))
def test_an_end_that_was_cut_off_shows_wherever_it_is_cut(folders: Iterator[Path], size: int, at: float) -> None:
    own = store(folders)
    own.replace(own.root / "file", bytes_of(size))
    whole = (own.root / "file").read_bytes()
    (own.root / "file").write_bytes(whole[: int(at * len(whole))])
    with pytest.raises(DamagedError):
        own.read(own.root / "file")


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3], [1, 2, 3], [0, 1, 1, 2, 3], [0, 1, 2, 3, 3], [0, 1, 2, 3, 0]], ids=str
)
def test_pieces_in_another_order_show(folders: Iterator[Path], order: list[int]) -> None:
    own = store(folders)
    own.replace(own.root / "file", bytes_of(3 * PIECE + 100))
    whole = (own.root / "file").read_bytes()
    header, rest, size = whole[:HEADER], whole[HEADER:], PIECE + OVERHEAD
    pieces = [rest[start : start + size] for start in range(0, len(rest), size)]
    (own.root / "file").write_bytes(header + b"".join(pieces[number] for number in order))
    with pytest.raises(DamagedError):
        own.read(own.root / "file")


@pytest.mark.parametrize("instead", ["other", "below/file"])
def test_a_file_in_another_ones_place_shows(folders: Iterator[Path], instead: str) -> None:
    own = store(folders)
    (own.root / "below").mkdir()
    own.replace(own.root / instead, b"theirs")
    (own.root / instead).rename(own.root / "file")
    with pytest.raises(DamagedError):
        own.read(own.root / "file")


@pytest.mark.parametrize("held", [b"", b"[]\n", b"[\n{}\n]\n" * 100], ids=len)
def test_what_was_not_sealed_is_not_taken_for_it(folders: Iterator[Path], held: bytes) -> None:
    own = store(folders)
    (own.root / "file").write_bytes(held)
    with pytest.raises(DamagedError):
        own.read(own.root / "file")


def test_without_the_key_nothing_can_be_read(folders: Iterator[Path]) -> None:
    own = store(folders)
    own.replace(own.root / "file", b"held")
    with pytest.raises(DamagedError):
        Store(own.root, OTHER).read(own.root / "file")
    assert "held" not in repr(own)
    assert str(KEY) not in repr(own)


def test_of_a_list_that_is_damaged_no_more_is_read_than_is_whole(folders: Iterator[Path]) -> None:
    own = store(folders)
    with stage.writing(own.root / "list.json", own.root / "partial", own) as add:
        for number in range(4000):
            add(f"{number} {'x' * 50}")
    whole = (own.root / "list.json").read_bytes()
    (own.root / "list.json").write_bytes(whole[:-1])
    read: list[str] = []
    with pytest.raises(DamagedError):
        read.extend(stage.reading(own.root / "list.json", own))
    assert read == [f"{number} {'x' * 50}" for number in range(len(read))]


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "key").write_bytes(bytes(size))
    with pytest.raises(Refused, match=rf"key must have 32 bytes, and has {size}; `head -c 32 /dev/urandom` makes one"):
        sealed.key(tmp_path / "key")
    with pytest.raises(Refused, match="none cannot be read: No such file or directory"):
        sealed.key(tmp_path / "none")


def nobody(*_: object) -> None:
    """Hears of no progress."""


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imagined(tmp_path_factory.mktemp("export"), 30)


def opened(own: Store) -> dict[str, bytes]:
    """All files, as who has the key reads them."""
    return {name: own.read(own.root / name) for name in content(own.root)}


def test_an_export_makes_the_same_records_and_photos_sealed_as_plain(export: Path, folders: Iterator[Path]) -> None:
    own, plain = store(folders), store(folders, None)
    for each in (own, plain):
        prepare([export], each.root, nobody, (), each)
    assert opened(own) == content(plain.root)
    assert records.load(own.root, own) == records.load(plain.root)
    texts = [record.text.encode() for record in records.load(plain.root)]
    held = b"".join(content(own.root).values())
    assert not [text for text in texts if text in held]
    assert b"JFIF" not in held


class Stopped(Exception):
    pass


def stopped(export: Path, own: Store, at: tuple[str, int]) -> None:
    """A run that broke off there."""

    def stop(what: str, done: int, total: int | None) -> None:
        if (what, done) == at:
            raise Stopped

    with pytest.raises(Stopped):
        prepare([export], own.root, stop, (), own)


@pytest.mark.parametrize(
    ("at", "decoded"),
    [(("texts cleaned", 10), [1, 2]), (("photos decoded", 4), [5, 6]), (("posts chosen", 20), [])],
    ids=["cleaning", "decoding", "choosing"],
)
def test_a_sealed_run_that_broke_off_goes_on_and_what_it_left_meanwhile_tells_nothing(
    export: Path, folders: Iterator[Path], at: tuple[str, int], decoded: list[int]
) -> None:
    own, whole = store(folders), store(folders)
    prepare([export], whole.root, nobody, (), whole)
    stopped(export, own, at)
    left = b"".join(content(own.root).values())
    assert left
    for record in records.load(whole.root, whole):
        assert record.text.encode() not in left
    assert b"media" not in left
    told: list[tuple[str, int]] = []
    prepare([export], own.root, lambda what, done, _: told.append((what, done)), (), own)
    assert [done for what, done in told if what == "photos decoded"][:2] == decoded
    assert opened(own) == opened(whole)


def test_a_photo_that_was_changed_meanwhile_is_decoded_again(export: Path, folders: Iterator[Path]) -> None:
    own, whole = store(folders), store(folders)
    prepare([export], whole.root, nobody, (), whole)
    stopped(export, own, ("posts chosen", 20))
    first, second, *_ = sorted((own.root / "images").iterdir())
    first.write_bytes(first.read_bytes()[:-1])
    second.write_bytes((own.root / "images" / sorted((own.root / "images").iterdir())[2].name).read_bytes())
    prepare([export], own.root, nobody, (), own)
    assert opened(own) == opened(whole)


def test_useful_fields_that_were_changed_make_no_records(export: Path, folders: Iterator[Path]) -> None:
    own = store(folders)
    with Output.open(own.root, own) as output:
        extracted = extract(find_for([export], own.root), output, nobody)
        held = bytearray((own.root / EXTRACTED).read_bytes())
        held[-1] ^= 1
        (own.root / EXTRACTED).write_bytes(held)
        with pytest.raises(DamagedError):
            clean(extracted, output, nobody)
    assert not (own.root / records.CLEANED).exists()


POSTS = [CleanPost(kind="post", images=(f"{n}.jpg",), timestamp=n, text=f"text {n}") for n in range(3)]


def work(own: Store, key: str = "rules") -> tuple[list[CleanPost], Picture | None]:
    """What a run finds of an earlier one."""
    with Work.open(own.root / "work.sqlite", key, own) as found:
        return list(found.posts()), found.photo("0.jpg")


@pytest.fixture(params=[KEY, None], ids=["sealed", "plain"])
def noted(folders: Iterator[Path], request: pytest.FixtureRequest) -> Store:
    own = store(folders, request.param)
    with Work.open(own.root / "work.sqlite", "rules", own) as begun:
        for number, post in enumerate(POSTS):
            begun.add_post(number, post)
        begun.add_photo("0.jpg", Picture("a.jpg", 1 << 255))
        begun.add_photo("1.jpg", None)
        assert (begun.photos(), begun.photos_done(), list(begun.photos_missing())) == (3, 2, ["2.jpg"])
        assert list(begun.pictures()) == [("0.jpg", Picture("a.jpg", 1 << 255))]
    return own


def test_what_a_run_noted_the_next_one_finds_under_the_same_rules_and_key_alone(noted: Store) -> None:
    assert work(noted) == (POSTS, Picture("a.jpg", 1 << 255))
    assert work(noted, "others") == ([], None)


def test_notes_of_another_key_are_begun_anew(folders: Iterator[Path]) -> None:
    own = store(folders)
    with Work.open(own.root / "work.sqlite", "rules", own) as begun:
        begun.add_post(0, POSTS[0])
    assert work(Store(own.root, OTHER)) == ([], None)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE posts SET post = (SELECT post FROM posts WHERE number = 0) WHERE number = 1",
        "UPDATE posts SET post = zeroblob(3) WHERE number = 1",
        "UPDATE posts SET post = zeroblob(100) WHERE number = 1",
        "DELETE FROM posts WHERE number = 1",
        "UPDATE photos SET picture = (SELECT max(picture) FROM photos)",
        "UPDATE made_of SET key = (SELECT post FROM posts WHERE number = 0)",
    ],
)
def test_sealed_notes_that_were_changed_are_begun_anew(folders: Iterator[Path], change: str) -> None:
    own = store(folders)
    with Work.open(own.root / "work.sqlite", "rules", own) as begun:
        for number, post in enumerate(POSTS):
            begun.add_post(number, post)
            begun.add_photo(post.images[0], Picture(f"{number}.jpg", number))
    connection = sqlite3.connect(own.root / "work.sqlite", isolation_level=None)
    connection.execute(change)
    connection.close()
    assert work(own) == ([], None)


def test_a_name_that_rows_are_found_by_is_hidden_by_the_key() -> None:
    assert Store().hidden("a.jpg") == "a.jpg"
    hidden = {Store(Path("/"), key).hidden(name) for key in (KEY, OTHER) for name in ("a.jpg", "b.jpg")}
    assert len(hidden) == 4
    assert not [name for name in hidden if "jpg" in name]
