"""From a FederatedLearning that is applied to Completed: OCM places, ManifestWorks carry, pods train, certificates prove."""

import hashlib
from collections.abc import Iterator

import pytest

from support.fleet import federation
from support.fleet.federation import CONTROLLER, USERS
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import SERVICE
from support.fleet.wait import until

_SECONDS = 600
"""For a whole federation, on a machine that has other things to do."""


@pytest.fixture(scope="module")
def ready(own_fleet: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    with federation.ready(own_fleet, tmp_path_factory.mktemp("example")) as fleet:
        yield fleet


def test_a_federation_goes_from_applied_to_completed_and_when_it_is_deleted_nothing_is_left(ready: OwnFleet) -> None:
    with federation.federation(ready, "posts") as name:
        assert _phases(ready, name) == ["Waiting", "Running", "Completed"]

        said, folder = federation.status(ready, name), federation.volume(ready, f"{name}-aggregator")
        assert said["summary"]["rounds"] == "3/3"
        assert [each["phase"] for each in said["clusters"]] == ["Finished", "Finished"]
        assert all(each["posts"] > 5 for each in said["clusters"])
        for part, file in (("model", "global/adapter_model.safetensors"), ("profile", "general_profile.json")):
            assert said[part]["digest"] == f"sha256:{hashlib.sha256((folder / file).read_bytes()).hexdigest()}"
        until("what ran has gone", lambda: not federation.running(ready), _SECONDS)

    assert not federation.nothing_left(ready)


def test_two_federations_of_one_name_in_two_namespaces_run_at_once_and_never_meet(ready: OwnFleet) -> None:
    other, kube = "other-team", ready.hub.kubernetes
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    balanced = federation.SPEC["server"] | {"listeners": [{"name": "public", "type": "LoadBalancer", "port": 8444}]}
    with federation.federation(ready, "same"), federation.federation(ready, "same", other, server=balanced):
        until("an address is waited for", lambda: _message(ready, "same", other), _SECONDS, so=lambda it: "LoadBalancer" in it)
        given = {"status": {"loadBalancer": {"ingress": [{"ip": ready.hub.address}]}}}  # as a provider of load balancers does
        kube.merge(SERVICE, "same-aggregator/status", given, other)
        for namespace in (USERS, other):
            federation.until_phase(ready, "same", "Completed", _SECONDS, namespace)
        ends = [federation.status(ready, "same", namespace) for namespace in (USERS, other)]
        assert [it["listeners"][0]["type"] for it in ends] == ["NodePort", "LoadBalancer"]
        assert ends[1]["listeners"][0]["address"] == ready.hub.address
        assert len({it["model"]["digest"] for it in ends}) == 2


def test_a_controller_that_is_killed_in_each_phase_goes_on_to_the_same_end(ready: OwnFleet) -> None:
    machine = ready.hub.machine
    with federation.federation(ready, "killed") as name:
        for phase in ("Waiting", "Running"):
            federation.until_phase(ready, name, phase, _SECONDS)
            machine.restart(CONTROLLER)
        federation.until_phase(ready, name, "Completed", _SECONDS)
        machine.restart(CONTROLLER)

        assert [each["round"] for each in federation.status(ready, name)["metrics"]] == [1, 2, 3]
    assert not federation.nothing_left(ready)


def test_what_keeps_a_federation_waiting_is_said_with_the_reason_of_each_cluster(ready: OwnFleet) -> None:
    resources = {"limits": {"nvidia.com/gpu": "1"}}
    spec = federation.SPEC["client"] | {"resources": resources}
    with federation.federation(ready, "gpus", client=spec) as name:
        said = until(
            "it says why", lambda: federation.status(ready, name).get("message"), _SECONDS, so=lambda it: "gpu" in str(it)
        )
        assert all(spoke.name in said for spoke in ready.spokes)


def test_the_controller_has_every_right_that_it_needed(ready: OwnFleet) -> None:
    assert "forbidden" not in ready.hub.machine.processes[CONTROLLER].words().lower()


def _phases(fleet: OwnFleet, name: str) -> list[str]:
    """The phases that a federation goes through, to its end."""
    seen: list[str] = []

    def ended() -> bool:
        phase = federation.status(fleet, name).get("phase")
        if phase and phase not in seen[-1:]:
            seen.append(phase)
        return phase in ("Completed", "Failed")

    until(f"{name} has ended", ended, _SECONDS)
    return seen


def _message(fleet: OwnFleet, name: str, namespace: str) -> str:
    return str(federation.status(fleet, name, namespace).get("message", ""))
