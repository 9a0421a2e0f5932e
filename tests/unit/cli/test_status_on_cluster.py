"""How a federation on a cluster is shown."""

from itertools import count

import pytest
from rich.console import Console

from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import API_VERSION, KIND
from fedspoke.cli.status_on_cluster import follow, look
from fedspoke.cli.status_view import Seen, line, view
from fedspoke.kube.client import Kind
from support import outcome as build
from support.kube import Lists

METRICS = [{"round": 3, "loss": 3.5555, "clusters": 2, "seconds": 4.5, "bytesIn": 1, "bytesOut": 1}]


def running(done: int) -> Object:
    said = f"round {done + 1} is being trained"
    return build.cr(phase="Running", message=said, rounds={"completed": done, "total": 3}, completionTime=None)


def progress(rounds: int) -> Object:
    lines = "".join(it.model_dump_json(by_alias=True) + "\n" for it in build.rounds()[:rounds])
    metadata = {"name": "photos-progress", "namespace": "social"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"rounds.jsonl": lines}}


def shown(seen: Seen) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(view(seen))
    return capture.get()


def test_while_it_runs_each_clusters_rounds_are_shown():
    seen = look(Lists(running(2), progress(2)), "social", "photos")
    assert "social/photos  Running  2 of 3 rounds" in shown(seen)
    assert all(f"{loss:.4f}" in shown(seen) for number in (1, 2) for loss in build.LOSSES[number].values())


def test_once_it_has_ended_the_status_is_what_is_left():
    seen = look(Lists(build.cr(metrics=METRICS)), "social", "photos")
    assert "LAST LOSS" in shown(seen)
    assert "3.6543" in shown(seen)
    assert line(seen).startswith("Completed, 3 of 3 rounds, loss 3.5555: ")


def test_one_whose_rounds_the_reader_may_not_see_is_shown_without_them():
    kube = Lists(running(2), progress(2), lacks=[Kind("v1", "ConfigMap")])
    assert look(kube, "social", "photos").rounds == ()


def test_following_shows_each_change_to_the_end_and_nothing_twice():
    kube = Lists(running(0))
    coming: list[Object | None] = [None, running(1), None, build.cr()]

    def pause() -> None:
        if (it := coming.pop(0)) is not None:
            kube.keep(it)

    said: list[str] = []
    messages = [seen.status.message for seen in follow(kube, "social", "photos", pause, said.append)]
    assert messages == ["round 1 is being trained", "round 2 is being trained", build.cr()["status"]["message"]]
    assert said == []


def test_a_look_without_an_answer_does_not_end_the_watch_and_is_said_once():
    kube, looks = Lists(running(0)), count(1)

    def pause() -> None:
        kube.lacks = {Kind(API_VERSION, KIND)} if next(looks) < 4 else set()
        if not kube.lacks:
            kube.keep(build.cr())

    said: list[str] = []
    messages = [seen.status.message for seen in follow(kube, "social", "photos", pause, said.append)]
    assert messages == ["round 1 is being trained", build.cr()["status"]["message"]]
    (why,) = said
    assert why.startswith("the API server knows no FederatedLearning of ")
    assert why.endswith("; asked again")


def test_a_cluster_that_gives_no_answer_from_the_start_is_not_watched():
    kube = Lists(lacks=[Kind(API_VERSION, KIND)])
    with pytest.raises(Failed):
        next(follow(kube, "social", "photos", lambda: None, print))


def test_one_that_is_not_there_is_refused_with_how_to_find_others():
    with pytest.raises(Refused, match="there is no FederatedLearning photos in namespace team; kubectl get fl -A lists"):
        look(Lists(running(0)), "team", "photos")


def test_a_status_that_fedspoke_does_not_write_is_refused():
    with pytest.raises(Refused, match="the status of social/photos is of another version: phase"):
        look(Lists(build.cr(phase="Perhaps")), "social", "photos")


def test_a_federation_that_nobody_has_looked_at_waits():
    it = running(0)
    del it["status"]
    assert line(look(Lists(it), "social", "photos")) == "Waiting: nothing has been reported yet"
