import json
from pathlib import Path

import pytest

from fedspoke.api.errors import Failed, Refused
from fedspoke.data import records
from fedspoke.data.clean import clean
from fedspoke.data.exports.export import Export
from fedspoke.data.extract import Extracted, extract
from fedspoke.data.output import Output
from fedspoke.data.prepare import find_for
from support import exports as build


def nobody(what: str, done: int, total: int | None) -> None:
    pass


def extracted(export: Export, folder: Path) -> Extracted:
    with Output.open(folder) as output:
        return extract(export, output, nobody)


def test_an_export_becomes_records_stage_by_stage(tmp_path: Path) -> None:
    export = build.write(
        tmp_path / "export", {build.FACEBOOK_POSTS: [build.facebook_post("Käthe counts", "1.jpg", at=7)]}, photos=["1.jpg"]
    )

    found = extracted(find_for([export], tmp_path / "out", "facebook"), tmp_path / "out")
    raw, useful = (json.loads((tmp_path / f"out/{name}_data.json").read_bytes()) for name in ("raw_facebook", "dummy"))
    with Output.open(tmp_path / "out") as output:
        cleaned = clean(found, output, nobody)

    [record] = records.load(tmp_path / "out")
    assert raw[0]["media"] == [{"uri": "1.jpg", "text": ""}]
    assert useful == [{"kind": "post", "text": "Käthe counts", "images": ["1.jpg"], "timestamp": 7}]
    assert (found.posts, cleaned.records) == (1, 1)
    assert (record.text, record.timestamp) == ("Käthe counts", 7)
    assert json.loads((tmp_path / "out/cleaned_data.json").read_bytes()) == [
        {"id": record.id, "image": record.image, "text": "Käthe counts", "timestamp": 7, "language": record.language}
    ]


def test_data_of_another_platform_than_declared_is_refused(tmp_path: Path) -> None:
    export = build.write(tmp_path / "export", {build.FACEBOOK_POSTS: []})

    with pytest.raises(Refused, match="is declared as instagram data, but it is a facebook export"):
        find_for([export], tmp_path / "out", "instagram")


def test_an_export_that_went_away_between_the_stages_is_refused_without_its_name(tmp_path: Path) -> None:
    export = build.write(tmp_path / "facebook-anna", {build.FACEBOOK_POSTS: [build.facebook_post("hello")]})
    found = extracted(find_for([export], tmp_path / "out"), tmp_path / "out")
    export.rename(tmp_path / "elsewhere")

    with Output.open(tmp_path / "out") as output, pytest.raises(Refused, match="the facebook export is gone") as refusal:
        clean(found, output, nobody)
    assert "anna" not in str(refusal.value)


def test_until_new_records_are_whole_the_old_ones_stay(tmp_path: Path) -> None:
    for text in ("old", "new"):
        (tmp_path / "export").mkdir(exist_ok=True)
        build.write(tmp_path / "export", {build.FACEBOOK_POSTS: [build.facebook_post(text)]})
        found = extracted(find_for([tmp_path / "export"], tmp_path / "out"), tmp_path / "out")
        if text == "old":
            with Output.open(tmp_path / "out") as output:
                clean(found, output, nobody)

    assert [record.text for record in records.load(tmp_path / "out")] == ["old"]


def test_a_folder_that_takes_no_more_is_named(tmp_path: Path) -> None:
    export = build.write(tmp_path / "export", {build.FACEBOOK_POSTS: [build.facebook_post("hello")]})
    (tmp_path / "out/.prepare/dummy_data.json").mkdir(parents=True)  # in the way of the file

    with pytest.raises(Failed, match=rf"dummy_data.json cannot be written into {tmp_path}/out: "):
        extracted(find_for([export], tmp_path / "out"), tmp_path / "out")
