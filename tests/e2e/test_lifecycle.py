"""What a user does to a federation on its way, and what it lacks: it says so and ends as it should, whoever is killed.

Two federations and three that cannot start tell all of it: each fixture is a scene that goes on from the one before.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, GPU_LABEL, MODEL, RETRY, VOLUME, run_name
from fedspoke.hub.aggregation import owner
from fedspoke.hub.aggregation.state import ROUNDS_FILE, records
from fedspoke.manifestworks.collaborator import NAMESPACE
from support.fleet import federation, kubectl, ocm
from support.fleet.binaries import Say
from support.fleet.cluster import Cluster
from support.fleet.deployed import FEDERATION
from support.fleet.federation import CONTROLLER, SPEC, USERS
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import JOB, POD
from support.fleet.processes import Process, running
from support.fleet.wait import until

_SECONDS = 600
"""For whatever is waited for, on a machine that has other things to do."""
_TOLD = 30
"""Seconds within which the status says why a pod is pending: that is promised."""

_TTL = 10
_HELD = "gpu"
"""The one of the federations that lack something whose deletion is held up later."""

_LACKS = {
    "gpu": "no node has enough nvidia.com/gpu free: ",
    "image": "the image localhost/none:1 of gateway cannot be had (",
    "volume": "a volume claim is not bound, of facebook-data, unbound: ",
}
_TRAINING = SPEC["training"] | {"steps": 10}
"""So that a round is seen while it is trained."""
_NO_PROFILES = {"enabled": False}


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What three federations said before their controller was killed, and once the next one was at work."""

    before: Mapping[str, Object]
    after: Mapping[str, Object]
    running: list[str]
    """What of the suspended one runs anywhere."""
    rounds: list[dict[str, int]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How both federations ended."""

    paused: Object
    rounds: list[dict[str, int]]
    late: Object
    deleted: datetime
    """When the late one was gone, without anybody's asking."""
    watched: str
    """What `kubectl get fl -w` has shown from the beginning."""


@pytest.fixture(scope="module")
def ready(own_fleet: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    with federation.ready(own_fleet, tmp_path_factory.mktemp("example")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def watched(ready: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`kubectl get fl -w`, at work."""
    env, *arguments = kubectl.command(ready.hub.kubeconfig, "get", "fl", "--namespace", USERS, "--watch")
    with running(str(env), *map(str, arguments), log=tmp_path_factory.mktemp("kubectl") / "watch.log") as process:
        yield process


@pytest.fixture(scope="module")
def pending(ready: OwnFleet, watched: Process) -> Iterator[Mapping[str, float]]:
    """Three federations of the first spoke, each of which lacks one thing there; → seconds from its pod until it says which."""
    spoke, hub = ready.spokes[0], ready.hub.kubernetes
    client = SPEC["client"] | {"data": {"platforms": ["facebook"]}}
    lacking: dict[str, dict[str, Any]] = {
        "gpu": {"client": client | {"resources": {"limits": {"nvidia.com/gpu": "1"}}}},
        "image": {"client": client | {"image": "localhost/none:1"}},
        "volume": {"client": client, "training": SPEC["training"] | {"model": {"name": "/model", "claimName": "unbound"}}},
    }
    server = SPEC["server"] | {"minAvailableClients": 1}
    with ExitStack() as stack:
        hub.merge(ocm.CLUSTER, spoke.name, {"metadata": {"labels": {GPU_LABEL: "true"}}})
        stack.callback(hub.merge, ocm.CLUSTER, spoke.name, {"metadata": {"labels": {GPU_LABEL: None}}})
        stack.enter_context(spoke.kubernetes.temporarily(_unbound("unbound")))
        for name, spec in lacking.items():
            stack.enter_context(federation.federation(ready, name, server=server, **spec))
        told = _seconds_until_told(ready)
        for name in lacking.keys() - {_HELD}:
            hub.delete(FEDERATION, name, USERS)
        yield told


@pytest.fixture(scope="module")
def failed(ready: OwnFleet, pending: Mapping[str, float]) -> Iterator[Object]:
    """What a federation says that found a stranger's folder, while one beside it has a second's time."""
    volume = ready.hub.volume(federation.volume(ready, "paused-aggregator").name, "10Gi", (USERS, "paused-aggregator"))
    folder = volume / "paused"
    folder.mkdir()
    folder.chmod(0o777)
    owner.take(folder, "a stranger's uid")
    server = SPEC["server"] | {"rounds": 3, "storage": {"path": "/paused"}}
    late = SPEC["server"] | {"rounds": 1}
    with (
        federation.federation(ready, "paused", server=server, training=_TRAINING, profiles=_NO_PROFILES),
        federation.federation(ready, "late", server=late, profiles=_NO_PROFILES, deadline="1s"),
    ):
        yield _until(ready, "paused", "it has failed", _has_failed)


@pytest.fixture(scope="module")
def interrupted(ready: OwnFleet, failed: Object) -> Interrupted:
    """The controller is killed while one federation is suspended, one has failed, and one cannot be deleted yet."""
    hub, spoke = ready.hub, ready.spokes[0]
    (federation.volume(ready, "paused-aggregator") / "paused/federation").unlink()
    hub.kubernetes.merge(FEDERATION, "paused", {"metadata": {"annotations": {RETRY: "true"}}}, USERS)
    _until(ready, "paused", "a round is done", lambda it: it.get("rounds", {}).get("completed"))
    _ask(ready, "paused", suspend=True)
    _until(ready, "paused", "it is suspended", lambda it: it["message"].startswith("suspended by "))
    until("nothing of it runs", partial(_parts, ready, "paused"), _SECONDS, so=[].__eq__)
    _until(ready, "paused", "it waits for no cluster any more", lambda it: "waiting for" not in it["message"])

    _until(ready, "late", "it has failed", _has_failed)
    spoke.machine.kill("work-agent")
    try:
        hub.kubernetes.delete(FEDERATION, _HELD, USERS)
        _until(ready, _HELD, "it says what its deletion waits for", lambda it: it["message"].startswith("being deleted since "))
        before = {name: federation.status(ready, name) for name in ("paused", "late", _HELD)}
        hub.machine.restart(CONTROLLER)
        generation = _ask(ready, "paused", deadline="25m")
        _until(ready, "paused", "the next controller looks at it", lambda it: it["observedGeneration"] == generation)
        after = {name: federation.status(ready, name) for name in before}
    finally:
        spoke.machine.restart("work-agent")
    return Interrupted(before, after, _parts(ready, "paused"), _rounds(ready, "paused"))


@pytest.fixture(scope="module")
def ended(ready: OwnFleet, watched: Process, interrupted: Interrupted) -> Ended:
    """The suspended one goes on, and the one that was late gets another deadline."""
    _ask(ready, "paused", suspend=False)
    _ask(ready, "late", deadline="20m", ttlSecondsAfterFinished=_TTL)
    _until(ready, "late", "it begins anew", lambda it: not _has_failed(it))
    late = federation.until_phase(ready, "late", "Completed", _SECONDS)
    paused = federation.until_phase(ready, "paused", "Completed", _SECONDS)
    until("the late one has gone", partial(federation.gone, ready, "late"), _SECONDS)
    return Ended(paused, _rounds(ready, "paused"), late, datetime.now(UTC), watched.words())


def test_a_gpu_an_image_and_a_volume_that_a_cluster_lacks_are_told_apart_within_half_a_minute_of_the_pod(
    pending: Mapping[str, float], say: Say
) -> None:
    say("; ".join(f"{name}: told {seconds:.1f} s after its pod was made" for name, seconds in pending.items()))
    assert pending.keys() == _LACKS.keys()


def test_a_deadline_that_passes_fails_a_federation_with_its_time_and_what_was_waited_for(interrupted: Interrupted) -> None:
    late = interrupted.before["late"]
    passed = datetime.fromisoformat(late["startTime"]) + timedelta(seconds=1)
    assert "spec.deadline" in late["message"]
    assert f"{passed:%Y-%m-%d %H:%M:%S} UTC" in late["message"]


def test_a_federation_that_failed_for_something_else_names_that_and_begins_by_an_annotation_once_it_is_mended(
    failed: Object, interrupted: Interrupted
) -> None:
    assert failed["message"].startswith("spec.server.storage leads to the rounds and the model of another federation")
    assert interrupted.rounds


def test_a_suspended_federation_says_since_when_and_nothing_of_it_runs(interrupted: Interrupted) -> None:
    said = interrupted.before["paused"]
    (since,) = [it["lastTransitionTime"] for it in said["conditions"] if it["type"] == "Suspended"]
    words = f"suspended by spec.suspend since {datetime.fromisoformat(since):%Y-%m-%d %H:%M:%S} UTC, after "
    assert said["message"].startswith(f"{words}{said['rounds']['completed']} of 3 rounds; ")
    assert said["rounds"]["completed"] <= len(interrupted.rounds)  # one that ends just then is in the volume, and told by nobody
    assert said["phase"] == "Waiting"


def test_a_controller_that_is_killed_leaves_what_is_suspended_as_it_was(interrupted: Interrupted) -> None:
    before, after = (_said(it["paused"]) for it in (interrupted.before, interrupted.after))
    assert after == before
    assert interrupted.running == []


def test_a_controller_that_is_killed_leaves_what_has_failed_as_it_was(interrupted: Interrupted) -> None:
    assert interrupted.after["late"] == interrupted.before["late"]


def test_a_deletion_that_waits_for_a_cluster_says_so_and_is_done_by_the_controller_that_comes_after(
    ready: OwnFleet, interrupted: Interrupted, ended: Ended
) -> None:
    waits = f": waiting for {ready.spokes[0].name} to take away what ran there"
    for said in (interrupted.before[_HELD], interrupted.after[_HELD]):
        assert said["message"].endswith(waits)
    until("it has gone", partial(federation.gone, ready, _HELD), _SECONDS)


def test_a_federation_that_was_suspended_goes_on_after_its_last_round_and_counts_no_update_twice(
    interrupted: Interrupted, ended: Ended
) -> None:
    assert ended.rounds[: len(interrupted.rounds)] == interrupted.rounds
    assert [it["round"] for it in ended.paused["metrics"]] == [1, 2, 3]
    assert ended.rounds == ended.rounds[:1] * 3
    assert ended.rounds[0].keys() == {"spoke1", "spoke2"}
    assert "Suspended" not in [it["type"] for it in ended.paused["conditions"]]


def test_a_federation_that_was_late_completes_with_a_longer_deadline_and_is_deleted_at_its_time(ended: Ended) -> None:
    assert ended.late["summary"]["rounds"] == "1/1"
    assert ended.deleted >= datetime.fromisoformat(ended.late["completionTime"]) + timedelta(seconds=_TTL)


def test_kubectl_shows_how_each_goes(ended: Ended) -> None:
    head, *lines = ended.watched.splitlines()
    assert head.split() == ["NAME", "PHASE", "ROUND", "CLUSTERS", "LOSS", "AGE"]
    shown = [line.split() for line in lines]
    phases = [each[1] for each in shown if each[0] == "paused" and len(each) > 3]
    assert [phase for phase, _ in groupby(phases)][-3:] == ["Waiting", "Running", "Completed"]
    last = [each for each in shown if each[0] == "paused"][-1]
    assert last[1:4] == ["Completed", "3/3", "2/2"]
    assert float(last[4]) == pytest.approx(ended.paused["metrics"][-1]["loss"], abs=0.01)


def test_when_all_of_them_have_gone_nothing_is_left(ready: OwnFleet, ended: Ended) -> None:
    ready.hub.kubernetes.delete(FEDERATION, "paused", USERS)
    assert not federation.nothing_left(ready)


def _seconds_until_told(fleet: OwnFleet) -> Mapping[str, float]:
    """From each pod's creation until the federation's own status says why it is pending."""
    spoke, made, told = fleet.spokes[0], dict[str, datetime](), dict[str, float]()

    def look() -> bool:
        for name in _LACKS.keys() - told.keys():
            for pod in _pods(spoke, name):
                made[name] = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
            said = federation.status(fleet, name)
            reasons = [it.get("reason", "") for it in said.get("clusters", [])]
            so_far = (datetime.now(UTC) - made.get(name, datetime.now(UTC))).total_seconds()
            if any(it.startswith(_LACKS[name]) for it in reasons) and f"; {spoke.name}: {_LACKS[name]}" in said["message"]:
                told[name] = so_far
            assert so_far < _TOLD, f"{name} does not say so {_TOLD} s after its pod was made: {said}"
        return told.keys() == _LACKS.keys()

    until("each says what it lacks", look, _SECONDS)
    return told


def _until(fleet: OwnFleet, name: str, what: str, so: Callable[[Object], object]) -> Object:
    return until(f"{name}: {what}", partial(federation.status, fleet, name), _SECONDS, so=lambda it: it and so(it))


def _has_failed(status: Object) -> bool:
    return bool(status.get("phase") == "Failed")


def _ask(fleet: OwnFleet, name: str, **spec: object) -> int:
    """Change some of a federation's spec; its generation then."""
    changed = fleet.hub.kubernetes.merge(FEDERATION, name, {"spec": spec}, USERS)
    return int(changed["metadata"]["generation"])


def _said(status: Object) -> Object:
    """What a person reads of it."""
    return {key: status.get(key) for key in ("phase", "message", "rounds", "metrics", "startTime")}


def _parts(fleet: OwnFleet, name: str) -> list[str]:
    """What of a federation is at work anywhere: its works, its Jobs and its pods."""
    ours = f"{FEDERATED_LEARNING}={run_name(USERS, name)}"
    found = [it for kind in (ocm.WORK, POD) for it in fleet.hub.kubernetes.all(kind, labels=ours)]
    found += [it for spoke in fleet.spokes for kind in (JOB, POD) for it in spoke.kubernetes.all(kind, NAMESPACE, ours)]
    return [it["metadata"]["name"] for it in found]


def _pods(spoke: Cluster, name: str) -> list[Object]:
    return spoke.kubernetes.all(POD, NAMESPACE, f"{FEDERATED_LEARNING}={run_name(USERS, name)}")


def _rounds(fleet: OwnFleet, name: str) -> list[dict[str, int]]:
    """Of each round, the clusters that are in it and how many examples count for each."""
    kept = records(federation.volume(fleet, f"{name}-aggregator") / name / ROUNDS_FILE)
    return [{cluster: part.examples for cluster, part in sorted(it.clusters.items())} for it in kept]


def _unbound(name: str) -> Object:
    """A claim that no volume is there for."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "900Gi"}}, "storageClassName": ""}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {VOLUME: MODEL}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
