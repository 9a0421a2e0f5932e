"""A federation that loses something on its way says so, waits or goes on, and ends as if nothing had been lost."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING, run_name
from fedspoke.api.records import RoundRecord
from fedspoke.hub.aggregation.state import ROUNDS_FILE, records
from fedspoke.manifestworks.collaborator import NAMESPACE
from support.fleet import federation
from support.fleet.cluster import Cluster
from support.fleet.federation import SPEC, USERS
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import POD
from support.fleet.wait import until

_SECONDS = 600
"""For whatever is waited for, on a machine that has other things to do."""
_GONE = "its Flower node is not connected any more"
_LONGER = SPEC["training"] | {"steps": 10}
"""So that a round is seen while it is trained."""


@pytest.fixture(scope="module")
def ready(own_fleet: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    with federation.ready(own_fleet, tmp_path_factory.mktemp("example")) as fleet:
        yield fleet


def test_a_collaborator_whose_pod_is_killed_in_a_round_is_asked_again_and_the_model_has_the_same_bytes(ready: OwnFleet) -> None:
    whole = _twin(ready, "whole", lambda _: None)
    killed = _twin(ready, "killed", partial(_kill_a_pod_in_round_2, ready, ready.spokes[1]))
    assert killed["model"]["digest"] == whole["model"]["digest"]
    assert killed["model"]["uri"] == f"pvc://{USERS}/models/twins/killed/global/adapter_model.safetensors"
    assert _examples(ready, "models", "twins/killed") == _examples(ready, "models", "twins/whole")


def test_a_spoke_that_is_cut_off_for_a_minute_is_done_without_or_waited_for_and_goes_on_with_its_work(ready: OwnFleet) -> None:
    spoke, profiles = ready.spokes[1], {"enabled": False}
    need_one = SPEC["server"] | {"rounds": 20, "minResponses": 1}
    with (
        federation.federation(ready, "goes-on", server=need_one, training=_LONGER, profiles=profiles) as one,
        federation.federation(ready, "waits", training=_LONGER, profiles=profiles) as two,
    ):
        for name in (one, two):
            until(f"a round of {name} is done", partial(_records, ready, name), _SECONDS, so=bool)
        pods = {name: _pods(spoke, name) for name in (one, two)}
        ready.network.cut(spoke.machine)
        try:
            # OCM has taken it out of its decisions by now, and Flower has missed it for a minute.
            said = until("the spoke is lost", partial(_lost, ready, one, spoke.name), _SECONDS, so=lambda it: _GONE in it)
            assert "; OCM calls the cluster unavailable since " in said
            until("a round is done without it", partial(_alone, ready, one), _SECONDS)
            waits = f"waiting for 1 more of the 2 clusters that are needed to be ready: {spoke.name}; since "
            said = until("the other waits", partial(_message, ready, two), _SECONDS, so=lambda it: it.startswith(waits))
            assert ", until " in said
        finally:
            ready.network.restore(spoke.machine)

        until("a later round has the spoke", lambda: len(_records(ready, one)[-1].clusters) == 2, _SECONDS)
        assert {name: _pods(spoke, name) for name in (one, two)} == pods
        for name in (one, two):
            federation.until_phase(ready, name, "Completed", _SECONDS)

    both = _examples(ready, "waits-aggregator")[0]
    assert _examples(ready, "waits-aggregator") == [both] * 3
    rounds = _examples(ready, "goes-on-aggregator")
    assert len(rounds) == 20
    assert all(it in (both, {"spoke1": both["spoke1"]}) for it in rounds)
    assert rounds[-1] == both


def test_a_quota_that_forbids_the_aggregators_pod_is_said(ready: OwnFleet) -> None:
    metadata = {"name": "none", "namespace": USERS}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}
    with ready.hub.kubernetes.temporarily(quota), federation.federation(ready, "forbidden") as name:
        said = until("it says why", partial(_message, ready, name), _SECONDS, so=lambda it: "pods" in it)
        assert said.startswith("waiting for the aggregator's pod: pods ")
        assert "is forbidden: exceeded quota: none" in said


def _twin(fleet: OwnFleet, path: str, harm: Callable[[str], None]) -> Object:
    """One of two federations of one name, that train alike and leave their models side by side: how it ends."""
    server = SPEC["server"] | {"storage": {"name": "models", "path": f"/twins/{path}"}}
    with federation.federation(fleet, "twin", server=server, training=_LONGER) as name:
        harm(name)
        return federation.until_phase(fleet, name, "Completed", _SECONDS)


def _kill_a_pod_in_round_2(fleet: OwnFleet, spoke: Cluster, name: str) -> None:
    """And let OCM's agent apply the cluster's work anew, which must change nothing."""
    trains = "waiting for the training of round 2: "
    until("round 2 is trained", partial(_message, fleet, name), _SECONDS, so=lambda it: it.startswith(trains))
    (pod,) = _pods(spoke, name)
    spoke.machine.restart("work-agent")
    spoke.kubernetes.kill(pod, NAMESPACE)
    until("its cluster is missed", partial(_lost, fleet, name, spoke.name), _SECONDS, so=lambda it: _GONE in it)
    until("its cluster is back", partial(_lost, fleet, name, spoke.name), _SECONDS, so=lambda it: it == "")
    assert pod not in _pods(spoke, name)


def _message(fleet: OwnFleet, name: str) -> str:
    said: str = federation.status(fleet, name).get("message", "")
    return said


def _lost(fleet: OwnFleet, name: str, cluster: str) -> str:
    """Why a cluster is lost; empty as long as it is not."""
    clusters = federation.status(fleet, name).get("clusters", [])
    return next((it.get("reason", "") for it in clusters if (it["name"], it["phase"]) == (cluster, "Failed")), "")


def _pods(spoke: Cluster, name: str) -> list[str]:
    found = spoke.kubernetes.all(POD, NAMESPACE, f"{FEDERATED_LEARNING}={run_name(USERS, name)}")
    return [it["metadata"]["name"] for it in found]


def _records(fleet: OwnFleet, name: str) -> list[RoundRecord]:
    return records(federation.volume(fleet, f"{name}-aggregator") / ROUNDS_FILE)


def _alone(fleet: OwnFleet, name: str) -> bool:
    """Whether the last round was one cluster's."""
    return len(_records(fleet, name)[-1].clusters) == 1


def _examples(fleet: OwnFleet, claim: str, path: str = "") -> list[dict[str, int]]:
    """Of each round, the clusters that are in it and how many examples count for each."""
    rounds = records(federation.volume(fleet, claim) / path / ROUNDS_FILE)
    return [{cluster: part.examples for cluster, part in sorted(it.clusters.items())} for it in rounds]
