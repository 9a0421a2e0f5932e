"""A collaborator with a key: nothing that it leaves tells of a post, and what is changed behind its back is never trained on."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.names import Platform
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator.steps import Steps
from fedspoke.data import records
from support.collaborator import facebook, instagram, settings
from support.exports import FACEBOOK_POSTS, INSTAGRAM_POSTS
from support.steps import prepared
from support.training import silent

KEY = bytes(range(32))
OF_PHOTOS = (b"\x89PNG\r\n", b"JFIF", b"Exif\x00")
JPEG = b"\xff\xd8\xff"  # three bytes that chance has somewhere in a megabyte, but not at a file's beginning


class Stop(Exception):
    """The caller went away."""


@pytest.fixture
def told(tmp_path: Path) -> CollaboratorSettings:
    return told_in(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The adapter after a round without a key, that nobody disturbed."""
    return trained(*prepared(plain(told_in(tmp_path_factory.mktemp("whole")))))


def told_in(folder: Path) -> CollaboratorSettings:
    """Of both platforms, with captions and photos in profiles."""
    (folder / "key").write_bytes(KEY)
    datasets: dict[Platform, Path] = {"facebook": facebook(folder / "f", 6), "instagram": instagram(folder / "i", 4)}
    own = settings(folder, datasets, key=folder / "key")
    training = own.training.model_copy(update={"holdout": 0.3, "captions": 2})
    profiles = own.profiles.model_copy(update={"visual": True})
    return own.model_copy(update={"training": training, "profiles": profiles, "checkpoint_seconds": 0})


def plain(told: CollaboratorSettings) -> CollaboratorSettings:
    return told.model_copy(update={"key": None, "output": f"{told.output}-plain"})


def trained(steps: Steps, start: Path) -> bytes:
    result = start.with_name("update.safetensors")
    steps.train_llava(1, str(start), str(result), silent)
    return result.read_bytes()


def left(told: CollaboratorSettings) -> dict[str, bytes]:
    """Every file below the output, names as well."""
    return {str(path): path.read_bytes() for path in Path(told.output).rglob("*") if path.is_file()}


def words(told: CollaboratorSettings, tmp_path: Path) -> list[bytes]:
    """What somebody wrote: the text of each post, and each three words of it in a row."""
    lists = [tmp_path / "f" / FACEBOOK_POSTS, tmp_path / "i" / INSTAGRAM_POSTS]
    texts = [text for file in lists for text in _strings(json.loads(file.read_bytes())) if " " in text]
    parts = [" ".join(text.split()[at : at + 3]) for text in texts for at in range(len(text.split()) - 2)]
    return [part.encode() for part in (*texts, *parts)]


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _strings(each)]


def all_steps(told: CollaboratorSettings) -> dict[str, bytes]:
    """What lies in the output after all steps, and did in the middle of a round."""
    steps, start = prepared(told)
    seen: dict[str, bytes] = {}
    result = start.with_name("update.safetensors")
    steps.train_llava(1, str(start), str(result), lambda *_: seen.update(left(told)))
    steps.evaluate(str(result))
    for platform in told.datasets:
        assert steps.generate_profile(platform).profile
    return seen | left(told)


def test_after_all_steps_no_file_tells_a_word_of_any_post_or_holds_a_photo(told: CollaboratorSettings, tmp_path: Path) -> None:
    said = words(told, tmp_path)
    assert len(said) > 60
    sealed, clear = all_steps(told), all_steps(plain(told))
    relative = [{name.removeprefix(each.output) for name in files} for each, files in ((told, sealed), (plain(told), clear))]
    assert relative[0] == relative[1] | {"/sealed-by"}
    assert {"/training/checkpoint.safetensors", "/captions.json", "/records/facebook/dummy_data.json"} < relative[0]
    for name, held in sealed.items():
        assert not [part for part in (*said, *OF_PHOTOS, KEY) if part in held], name
        assert not held.startswith(JPEG), name
    told_in_clear = b"".join(clear.values())
    assert [part for part in said if part in told_in_clear]  # the search finds what there is to find
    assert b"JFIF" in told_in_clear


def test_it_learns_the_same_as_without_a_key(told: CollaboratorSettings, whole: bytes) -> None:
    assert trained(*prepared(told)) == whole


def test_a_round_that_broke_off_goes_on_from_its_sealed_checkpoint(told: CollaboratorSettings, whole: bytes) -> None:
    steps, start = prepared(told)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 2:
            raise Stop

    with pytest.raises(Stop):
        steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), stop)
    again, heard = prepared(told)[0], list[int]()
    again.train_llava(1, str(start), str(start.with_name("update.safetensors")), lambda step, *_: heard.append(step))
    assert heard[0] == 3
    assert start.with_name("update.safetensors").read_bytes() == whole


def photos(told: CollaboratorSettings) -> list[Path]:
    return sorted(Path(told.output).glob("records/*/images/*.jpg"))


def flip(files: list[Path]) -> None:
    for file in files:
        held = bytearray(file.read_bytes())
        held[len(held) // 2] ^= 1
        file.write_bytes(held)


def cut(files: list[Path]) -> None:
    for file in files:
        file.write_bytes(file.read_bytes()[:-20])


def swap(files: list[Path]) -> None:
    held = [file.read_bytes() for file in files]
    for file, other in zip(files, held[1:] + held[:1], strict=True):
        file.write_bytes(other)


def drop(files: list[Path]) -> None:
    for file in files:
        file.unlink()


@pytest.mark.parametrize("change", [flip, cut, swap, drop])
def test_photos_that_were_changed_are_made_again_and_never_trained_on(
    change: Callable[[list[Path]], None], told: CollaboratorSettings, whole: bytes
) -> None:
    steps, start = prepared(told)
    change(photos(told))
    assert trained(steps, start) == whole


@pytest.mark.parametrize("change", [flip, cut])
def test_useful_fields_that_were_changed_are_read_again_from_the_export(
    change: Callable[[list[Path]], None], told: CollaboratorSettings, caplog: pytest.LogCaptureFixture
) -> None:
    steps = Steps(told)
    for platform in told.datasets:
        steps.fetch_data(platform)
    change([Path(told.output) / "records/facebook/dummy_data.json"])
    assert steps.clean_data().records == {"facebook": 6, "instagram": 4}
    why = "dummy_data.json is not what was written, or was written with another key; it is to be made again"
    assert caplog.messages == [f"facebook export: {why}"]


def test_a_checkpoint_that_was_changed_is_none(told: CollaboratorSettings, whole: bytes) -> None:
    steps, start = prepared(told)
    checkpoint = Path(told.output) / "training/checkpoint.safetensors"
    with pytest.raises(Stop):
        steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), lambda *_: (_ for _ in ()).throw(Stop))
    flip([checkpoint])
    heard = list[int]()
    steps.train_llava(1, str(start), str(start.with_name("update.safetensors")), lambda step, *_: heard.append(step))
    assert heard[0] == 1
    assert start.with_name("update.safetensors").read_bytes() == whole


SENTENCE = "what lies in {} was written with another key, or with none; it is removed and made anew"


@pytest.mark.parametrize(
    ("before", "after"),
    [(KEY, bytes(32)), (KEY, None), (None, KEY)],
    ids=["another key", "no key any more", "a key since"],
)
def test_what_was_written_with_another_key_is_made_anew_and_the_log_says_so(
    before: bytes | None, after: bytes | None, told: CollaboratorSettings, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def keyed(key: bytes | None) -> CollaboratorSettings:
        (tmp_path / "key").write_bytes(key or b"")
        return told.model_copy(update={"key": str(tmp_path / "key") if key else None})

    prepared(keyed(before))
    (Path(told.output) / "training").mkdir()
    for half in ("captions.json", ".captions.json.partial", "training/.checkpoint.safetensors.partial"):
        (Path(told.output) / half).write_bytes(b"of before")
    caplog.clear()
    Steps(keyed(after))
    assert caplog.messages == [SENTENCE.format(told.output)]
    assert not [name for name, held in left(told).items() if "/records/" in name or held == b"of before"]
    caplog.clear()
    prepared(keyed(after))
    assert not [it for it in caplog.records if it.levelno >= logging.WARNING]


def test_a_key_that_is_not_there_is_refused_and_nothing_is_written_in_clear(told: CollaboratorSettings, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    with pytest.raises(Refused, match="key cannot be read: No such file"):
        Steps(told)
    assert left(told) == {}


def test_its_own_process_still_reads_the_records(told: CollaboratorSettings) -> None:
    steps, _ = prepared(told)
    assert {platform: numbers.records for platform, numbers in steps.records().items()} == {"facebook": 6, "instagram": 4}
    with pytest.raises(Refused, match="is not what fedspoke writes"):
        records.load(Path(told.output) / "records/facebook")
