import json
from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.errors import Refused
from fedspoke.data import records

RECORD: dict[str, Any] = {"id": "0" * 16, "image": f"images/{'1' * 16}.jpg", "text": "hi", "timestamp": None}


def written(folder: Path, content: str) -> Path:
    (folder / "cleaned_data.json").write_text(content)
    return folder


def test_a_record_is_written_without_the_keys_that_have_nothing_to_say(tmp_path: Path) -> None:
    [read] = records.load(written(tmp_path, json.dumps([RECORD])))

    assert read.entry() == RECORD


def test_a_record_with_several_photos_and_a_language_says_so(tmp_path: Path) -> None:
    entry = RECORD | {"images": [RECORD["image"], f"images/{'2' * 16}.jpg"], "language": "en"}

    [read] = records.load(written(tmp_path, json.dumps([entry])))

    assert read.entry() == entry


def test_a_record_is_named_by_its_text_and_its_photos() -> None:
    one, same, other = (records.record(text, [RECORD["image"]], time, None).id for text, time in (("a", 1), ("a", 2), ("b", 1)))

    assert one == same != other


def test_records_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cleaned_data.json is missing; clean an export"):
        records.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (json.dumps([RECORD, RECORD | {"image": "../secret.jpg"}]), "1.image"),
        (json.dumps([RECORD | {"images": ["/etc/passwd"]}]), "0.images.0"),
        (json.dumps([RECORD, RECORD])[:-5], "it is no JSON after record 1"),
    ],
    ids=["outside", "elsewhere", "half"],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: str, place: str) -> None:
    with pytest.raises(Refused, match=rf"is not what fedspoke writes \(({place})"):
        records.load(written(tmp_path, content))


def test_each_platform_has_its_own_stages() -> None:
    assert records.stages(Path("/out"), "facebook") != records.stages(Path("/out"), "instagram")
