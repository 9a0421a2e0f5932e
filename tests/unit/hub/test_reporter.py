"""What the aggregator leaves in its volume is told to the controller: all of it, and once."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fedspoke.hub import reporter
from fedspoke.hub.aggregation import owner
from support.kube import Lists

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "social-progress", "namespace": "default"}}


_BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)


class _Over(Exception):
    """The test has seen enough."""


def report(kube: Lists, state: Path, *steps: object) -> list[float]:
    """The reporter at work: each step happens while it waits. How long it waited each time."""
    waited, coming = list[float](), list(steps)

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if not coming:
            raise _Over
        step = coming.pop(0)
        if callable(step):
            step()

    with pytest.raises(_Over):
        reporter.report(kube, state, "", CONFIG_MAP, wait, lambda: _BEGIN + timedelta(seconds=sum(waited)))
    return waited


def told(kube: Lists) -> object:
    """All but when."""
    data = kube.objects["v1", "ConfigMap", "default", "social-progress"].get("data") or {}
    return {name: text for name, text in data.items() if name != reporter.HEARD}


def test_what_is_there_is_told_and_then_what_changes(tmp_path: Path):
    kube, progress = Lists(CONFIG_MAP), tmp_path / "progress.json"
    progress.write_text("first")
    report(kube, tmp_path, lambda: progress.write_text("second"), None)
    assert told(kube) == {"progress.json": "second"}
    assert len(kube.writes) == 2


def test_nothing_is_told_twice(tmp_path: Path):
    kube = Lists(CONFIG_MAP)
    (tmp_path / "progress.json").write_text("first")
    report(kube, tmp_path, None, None, None)
    assert len(kube.writes) == 1


def test_a_sign_of_life_is_given_every_minute_where_there_is_something_to_tell(tmp_path: Path):
    kube = Lists(CONFIG_MAP)
    report(kube, tmp_path, *[None] * 130)
    assert kube.writes == []
    (tmp_path / "progress.json").write_text("first")
    report(kube, tmp_path, *[None] * 130)
    assert len(kube.writes) == 3
    data = kube.objects["v1", "ConfigMap", "default", "social-progress"]["data"]
    assert (told(kube), reporter.heard(data)) == ({"progress.json": "first"}, _BEGIN + timedelta(seconds=119))


def test_who_gave_no_sign_of_life_is_of_another_version():
    assert reporter.heard({}) is reporter.heard({reporter.HEARD: "now"}) is None


def test_what_somebody_deleted_is_told_again(tmp_path: Path):
    kube = Lists(CONFIG_MAP)
    (tmp_path / "progress.json").write_text("first")
    report(kube, tmp_path, lambda: kube.keep(CONFIG_MAP), *[None] * 20)
    assert told(kube) == {"progress.json": "first"}
    assert len(kube.writes) == 2


def test_nothing_is_told_while_there_is_nothing(tmp_path: Path):
    kube = Lists(CONFIG_MAP)
    report(kube, tmp_path, None)
    assert kube.writes == []


def test_what_could_not_be_told_is_told_later(tmp_path: Path):
    kube = Lists(CONFIG_MAP, refuses=["ConfigMap"])
    (tmp_path / "progress.json").write_text("first")
    waited = report(kube, tmp_path, kube.refuses.clear, None)
    assert told(kube) == {"progress.json": "first"}
    assert waited[0] > waited[1]


def test_a_round_that_is_still_being_written_is_left_for_later(tmp_path: Path):
    rounds = tmp_path / "rounds.jsonl"
    rounds.write_bytes('{"round":1}\n{"round":2,"refused":"ü'.encode()[:-1])
    assert reporter.read(tmp_path, "") == {"rounds.jsonl": '{"round":1}\n'}
    rounds.write_text('{"round":1}\n{"round":2}\n')
    assert reporter.read(tmp_path, "") == {"rounds.jsonl": '{"round":1}\n{"round":2}\n'}


def test_of_very_many_rounds_the_last_ones_are_told_and_each_is_whole(tmp_path: Path):
    lines = [f'{{"round":{number},"what":"{"x" * 1000}"}}\n' for number in range(1000)]
    (tmp_path / "rounds.jsonl").write_text("".join(lines))
    kept = reporter.read(tmp_path, "")["rounds.jsonl"]
    assert kept.endswith(lines[-1])
    assert set(kept.splitlines(keepends=True)) <= set(lines)
    assert 600_000 < len(kept) < 800_000


def test_of_a_folder_that_is_another_federations_only_the_refusal_is_told(tmp_path: Path):
    owner.take(tmp_path, "uid-1")
    for name in ("progress.json", "rounds.jsonl", "releases.json"):
        (tmp_path / name).write_text("{}\n")
    assert reporter.read(tmp_path, "uid-1").keys() == {"progress.json", "rounds.jsonl", "releases.json"}
    assert reporter.read(tmp_path, "uid-2").keys() == {"progress.json"}
