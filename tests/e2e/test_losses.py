"""A federation that loses something on its way says so, waits or goes on, and ends as if nothing had been lost."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from fedspoke.agent.policy import POLICY
from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.names import FEDERATED_LEARNING, run_name
from fedspoke.hub.aggregation import progress
from fedspoke.hub.aggregation.rounds import WITHDRAWN
from fedspoke.hub.aggregation.state import ROUNDS_FILE, records
from fedspoke.hub.reporter import PROGRESS
from fedspoke.manifestworks.collaborator import NAMESPACE
from support.fleet import federation, ocm
from support.fleet.cluster import Cluster
from support.fleet.federation import SPEC, USERS
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import POD
from support.fleet.wait import until

_SECONDS = 600
"""For whatever is waited for, on a machine that has other things to do."""
_GONE = "its Flower node is not connected any more"
_TRAINING = SPEC["training"] | {"steps": 10}
"""So that a round is seen while it is trained."""
_PROFILES = {"enabled": False}


@pytest.fixture(scope="module")
def ready(own_fleet: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    with federation.ready(own_fleet, tmp_path_factory.mktemp("example")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def undisturbed(ready: OwnFleet) -> Object:
    """How a federation ends that loses nothing."""
    with _twin(ready, "undisturbed") as name:
        return federation.until_phase(ready, name, "Completed", _SECONDS)


@pytest.fixture(scope="module")
def killed(ready: OwnFleet) -> Object:
    """How a federation ends of which a collaborator's pod is killed in round 2, while OCM's agent applies its work anew."""
    spoke = ready.spokes[1]
    with _twin(ready, "killed") as name:
        trains = "waiting for the training of round 2: "
        until("round 2 is trained", partial(_message, ready, name), _SECONDS, so=lambda it: it.startswith(trains))
        (pod,) = _pods(spoke, name)
        spoke.machine.restart("work-agent")
        spoke.kubernetes.kill(pod, NAMESPACE)
        until("its cluster is missed", partial(_lost, ready, name, spoke.name), _SECONDS, so=lambda it: _GONE in it)
        until("its cluster is back", partial(_lost, ready, name, spoke.name), _SECONDS, so=lambda it: it == "")
        assert pod not in _pods(spoke, name)
        return federation.until_phase(ready, name, "Completed", _SECONDS)


@pytest.fixture(scope="module")
def without(ready: OwnFleet) -> Iterator[str]:
    """A federation that does without one of its two clusters, and does not end by itself while tests look on."""
    server = SPEC["server"] | {"rounds": 300, "minResponses": 1}
    with federation.federation(ready, "without", server=server, training=_TRAINING, profiles=_PROFILES) as name:
        yield name


# First of all, as it stops every trainer of a spoke, and no other federation is there yet.
def test_of_an_owner_who_withdraws_in_round_2_nothing_is_in_it_or_later_though_its_adapter_was_left_and_it_is_said_who_and_why(
    ready: OwnFleet,
) -> None:
    (other, spoke), metadata = ready.spokes, {"name": POLICY, "namespace": NAMESPACE}
    nobody = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"federations": ""}}
    server = SPEC["server"] | {"minResponses": 1, "roundTimeout": "15m"}
    spec = {"server": server, "training": _TRAINING, "profiles": _PROFILES, "deadline": "40m"}
    with _going_on(other, spoke), federation.federation(ready, "withdrawn", **spec) as name:
        phase, volume = partial(_phase, ready, name), federation.volume(ready, f"{name}-aggregator")
        until("the other's trainer is there", partial(_signal, other, "STOP"), _SECONDS)
        until("it is ready before the other", partial(phase, spoke.name), _SECONDS, so="Ready".__eq__)
        _signal(spoke, "STOP")
        _signal(other, "CONT")
        until("the other has trained in round 1", partial(phase, other.name), _SECONDS, so="Trained".__eq__)
        _signal(other, "STOP")  # so that round 2 stays open
        _signal(spoke, "CONT")
        until("it has left its adapter in round 2", (volume / f"exchange/2-{spoke.name}.safetensors").exists, _SECONDS)
        until("the hub knows", partial(phase, spoke.name), _SECONDS, so="Trained".__eq__)
        assert _rounds(ready, name) == 1
        with spoke.kubernetes.temporarily(nobody):
            until("its collaborator is ended", partial(_pods, spoke, name), _SECONDS, so=[].__eq__)
            why = "the cluster's owner does not allow it: social/withdrawn is none of the federations that it names"
            said = partial(_lost, ready, name, spoke.name)
            until("it says who has left, and why", said, _SECONDS, so=lambda it: WITHDRAWN in it and why in it)
            _signal(other, "CONT")
            ended = federation.until_phase(ready, name, "Completed", _SECONDS)
    rounds = {it.round: it for it in records(volume / ROUNDS_FILE)}
    both = {other.name, spoke.name}
    assert {number: set(it.clusters) for number, it in rounds.items()} == {1: both, 2: {other.name}, 3: {other.name}}
    assert rounds[2].refused == {spoke.name: WITHDRAWN}
    assert f"{spoke.name} took part in 1 of 3 rounds ({WITHDRAWN})" in ended["message"]


def test_an_aggregator_whose_pod_is_killed_in_a_round_and_after_one_goes_on_to_the_same_end_and_counts_no_update_twice(
    ready: OwnFleet, undisturbed: Object
) -> None:
    with _twin(ready, "aggregator") as name:
        trains = "waiting for the training of round 2: "
        until("round 2 is trained", partial(_says, ready, "twins/aggregator"), _SECONDS, so=lambda it: it.startswith(trains))
        _kill_aggregator(ready, name)
        assert len(_examples(ready, "models", "twins/aggregator")) == 1, "it was killed in the round"

        done = until("round 2 is done", partial(_done, ready, "twins/aggregator"), _SECONDS, so=lambda it: it >= 2)
        _kill_aggregator(ready, name)
        assert done == len(_examples(ready, "models", "twins/aggregator")) < 4, "it was killed before another round was over"

        end = federation.until_phase(ready, name, "Completed", _SECONDS)
        assert [it["round"] for it in end["metrics"]] == [1, 2, 3, 4]

    assert end["model"]["digest"] == undisturbed["model"]["digest"]
    assert _examples(ready, "models", "twins/aggregator") == _examples(ready, "models", "twins/undisturbed")


def test_a_collaborator_whose_pod_is_killed_in_a_round_is_asked_again_and_counts_once(
    ready: OwnFleet, undisturbed: Object, killed: Object
) -> None:
    first, *others = _examples(ready, "models", "twins/killed")
    assert first.keys() == {"spoke1", "spoke2"}
    assert others == [first] * 3
    assert killed["model"]["digest"] == undisturbed["model"]["digest"]
    assert killed["model"]["uri"] == f"pvc://{USERS}/models/twins/killed/global/adapter_model.safetensors"


def test_a_spoke_that_is_cut_off_for_a_minute_is_done_without_or_waited_for_and_goes_on_with_its_work(
    ready: OwnFleet, killed: Object, without: str
) -> None:
    spoke, one = ready.spokes[1], without
    with _twin(ready, "cut") as two:
        for name in (one, two):
            until(f"a round of {name} is done", partial(_rounds, ready, name), _SECONDS, so=bool)
        pods = _pods(spoke, one)
        ready.network.cut(spoke.machine)
        try:
            # OCM has taken it out of its decisions by then, and Flower has missed it.
            said = until("the spoke is lost", partial(_lost, ready, one, spoke.name), _SECONDS, so=lambda it: _GONE in it)
            assert "; OCM calls the cluster unavailable since " in said
            until("a round is done without it", partial(_of_last_round, ready, one), _SECONDS, so=lambda of: of == {"spoke1"})
            waits = f"waiting for 1 more of the 2 clusters that are needed to be ready: {spoke.name}; since "
            said = until("the other waits", partial(_message, ready, two), _SECONDS, so=lambda it: it.startswith(waits))
            assert federation.status(ready, two)["phase"] == "Waiting"
            assert ", until " in said
        finally:
            ready.network.restore(spoke.machine)

        until("a round has it again", partial(_of_last_round, ready, one), _SECONDS, so=lambda of: of == {"spoke1", "spoke2"})
        assert _pods(spoke, one) == pods  # of the other, which may be over by now, its model tells
        both, *others = _examples(ready, "without-aggregator")
        assert all(it in (both, {"spoke1": both["spoke1"]}) for it in others)
        cut = federation.until_phase(ready, two, "Completed", _SECONDS)

    assert cut["model"]["digest"] == killed["model"]["digest"]
    assert _examples(ready, "models", "twins/cut") == _examples(ready, "models", "twins/killed")


def test_a_cluster_that_leaves_the_decision_loses_its_work_and_is_back_in_a_round_when_it_joins_again(
    ready: OwnFleet, without: str
) -> None:
    spoke, kube = ready.spokes[1], ready.hub.kubernetes
    work = partial(kube.all, ocm.WORK, spoke.name, f"{FEDERATED_LEARNING}={run_name(USERS, without)}")
    until("a round is done", partial(_rounds, ready, without), _SECONDS, so=bool)
    until("a round has both", partial(_of_last_round, ready, without), _SECONDS, so=lambda of: of == {"spoke1", "spoke2"})
    federation.declare(ready, spoke, data=False)
    try:
        until("it has no work", work, _SECONDS, so=[].__eq__)
        until("nothing of it runs there", partial(_pods, spoke, without), _SECONDS, so=[].__eq__)
        until("a round is done without it", partial(_of_last_round, ready, without), _SECONDS, so=lambda of: of == {"spoke1"})
        assert [it["name"] for it in federation.status(ready, without)["clusters"]] == ["spoke1"]
    finally:
        federation.declare(ready, spoke, data=True)
    until("a round has it again", partial(_of_last_round, ready, without), _SECONDS, so=lambda of: of == {"spoke1", "spoke2"})
    both, *others = _examples(ready, "without-aggregator")
    assert all(it in (both, {"spoke1": both["spoke1"]}) for it in others)


def test_a_quota_that_forbids_the_aggregators_pod_is_said(ready: OwnFleet) -> None:
    metadata = {"name": "none", "namespace": USERS}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}
    with ready.hub.kubernetes.temporarily(quota), federation.federation(ready, "forbidden") as name:
        said = until("it says why", partial(_message, ready, name), _SECONDS, so=lambda it: "pods" in it)
        assert said.startswith("waiting for the aggregator's pod: pods ")
        assert "is forbidden: exceeded quota: none" in said


def _twin(fleet: OwnFleet, path: str) -> AbstractContextManager[str]:
    """Of federations of this name all train alike, each to a folder of one volume: their models are the same."""
    server = SPEC["server"] | {"rounds": 4, "storage": {"name": "models", "path": f"/twins/{path}"}}
    return federation.federation(fleet, "twin", server=server, training=_TRAINING, profiles=_PROFILES)


def _message(fleet: OwnFleet, name: str) -> str:
    said: str = federation.status(fleet, name).get("message", "")
    return said


def _rounds(fleet: OwnFleet, name: str) -> int:
    """How many are done."""
    done: int = federation.status(fleet, name).get("rounds", {}).get("completed", 0)
    return done


def _lost(fleet: OwnFleet, name: str, cluster: str) -> str:
    """Why a cluster is lost; empty as long as it is not."""
    clusters = federation.status(fleet, name).get("clusters", [])
    return next((it.get("reason", "") for it in clusters if (it["name"], it["phase"]) == (cluster, "Failed")), "")


def _phase(fleet: OwnFleet, name: str, cluster: str) -> str:
    clusters = federation.status(fleet, name).get("clusters", [])
    return next((it["phase"] for it in clusters if it["name"] == cluster), "")


def _signal(spoke: Cluster, signal: str) -> bool:
    """To the spoke's trainer, which gets no time by STOP, as where a machine is busy; whether there is one."""
    try:
        spoke.machine.call("pkill", f"-{signal}", "--full", "fedspoke mcp --settings")
    except Failed:
        return False
    return True


@contextmanager
def _going_on(*spokes: Cluster) -> Iterator[None]:
    """Whatever was stopped goes on at the end of the block, or what follows would wait for it in vain."""
    try:
        yield
    finally:
        for spoke in spokes:
            _signal(spoke, "CONT")


def _kill_aggregator(fleet: OwnFleet, name: str) -> None:
    """Its one pod is gone at once, and another runs."""
    kube, ours = fleet.hub.kubernetes, f"{FEDERATED_LEARNING}={run_name(USERS, name)}"
    (pod,) = [it["metadata"]["name"] for it in kube.all(POD, USERS, ours)]
    kube.kill(pod, USERS)

    def running() -> list[str]:
        return [it["metadata"]["name"] for it in kube.all(POD, USERS, ours) if it["status"].get("phase") == "Running"]

    until("another pod runs", running, _SECONDS, so=lambda it: it and pod not in it)


def _says(fleet: OwnFleet, path: str) -> str:
    """What the aggregator says, where it says it first."""
    said = progress.read(federation.volume(fleet, "models") / path / PROGRESS)
    return said.message if said else ""


def _done(fleet: OwnFleet, path: str) -> int:
    """How many rounds are in the volume, where they are as soon as they count."""
    return len(_examples(fleet, "models", path))


def _pods(spoke: Cluster, name: str) -> list[str]:
    found = spoke.kubernetes.all(POD, NAMESPACE, f"{FEDERATED_LEARNING}={run_name(USERS, name)}")
    return [it["metadata"]["name"] for it in found]


def _of_last_round(fleet: OwnFleet, name: str) -> set[str]:
    """The clusters whose updates are in it."""
    return set(_examples(fleet, f"{name}-aggregator")[-1])


def _examples(fleet: OwnFleet, claim: str, path: str = "") -> list[dict[str, int]]:
    """Of each round, the clusters that are in it and how many examples count for each."""
    rounds = records(federation.volume(fleet, claim) / path / ROUNDS_FILE)
    return [{cluster: part.examples for cluster, part in sorted(it.clusters.items())} for it in rounds]
