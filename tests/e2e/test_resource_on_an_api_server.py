"""The FederatedLearning resource as a real API server admits it: it refuses what Python refuses, and has the same defaults."""

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from fedspoke.api import parse
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import API_VERSION, PLURAL
from fedspoke.kube.client import Kubernetes as Client
from support import build, specs
from support.fleet.kubernetes import Invalid, Kind, Kubernetes
from support.fleet.processes import running
from support.fleet.wait import until
from support.fleet.worlds import Hub

_DEPLOY = Path(__file__).parents[2] / "hub/deploy"
_KIND = Kind(API_VERSION, PLURAL, with_status=True)


@pytest.fixture(scope="module")
def kubernetes(hub: Hub) -> Kubernetes:
    ask = hub.server.kubernetes
    ask.apply(yaml.safe_load((_DEPLOY / "crd.yaml").read_text()))
    until("the CRD is served", partial(ask.all, _KIND), 60, [hub.server.process])
    return ask


@pytest.mark.parametrize(("spec", "field"), specs.CONTRADICTIONS.values(), ids=specs.CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_refused_by_name(kubernetes: Kubernetes, spec: Object, field: str) -> None:
    with pytest.raises(Invalid, match=f"spec.{field}: Invalid value"):
        kubernetes.create(_KIND, build.federated_learning(**spec))


@pytest.mark.parametrize("spec", specs.ACCEPTED.values(), ids=specs.ACCEPTED)
def test_what_goes_together_is_taken_and_means_what_python_reads(kubernetes: Kubernetes, spec: Object) -> None:
    document = build.federated_learning(**spec)
    stored = kubernetes.create(_KIND, document)
    kubernetes.delete(_KIND, document["metadata"]["name"], document["metadata"]["namespace"])
    kept = {key: stored[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": document["metadata"]}
    assert parse.federated_learning(kept).spec == parse.federated_learning(document).spec


RUNNING = {"phase": "Running", "rounds": {"completed": 1, "total": 3}}
TRAINING = {
    "type": "Training",
    "status": "Unknown",
    "lastTransitionTime": "2026-11-21T12:00:00Z",
    "message": "as it is",
    "observedGeneration": 1,
}
UNKNOWN = {"phase": "Waiting", "listeners": [{"name": "public", "type": "NodePort", "address": "192.0.2.7", "port": 30443}]}


@pytest.fixture(scope="module")
def with_policy(kubernetes: Kubernetes) -> Kubernetes:
    """Once what it says of changes is acted on, which takes the API server a moment."""
    for document in yaml.safe_load_all((_DEPLOY / "changes.yaml").read_text()):
        kubernetes.apply(document)
    probe = build.federated_learning("probe")
    kubernetes.create(_KIND, probe | {"status": RUNNING})

    rounds = itertools.count(10)

    def refused() -> bool:
        try:
            kubernetes.merge(_KIND, "probe", {"spec": {"server": {"rounds": next(rounds)}}}, "default")
        except Invalid:
            return True
        return False

    until("the policy is in force", refused, 60)
    kubernetes.delete(_KIND, "probe", "default")
    return kubernetes


@pytest.fixture
def in_phase(with_policy: Kubernetes) -> Iterator[Callable[[Object], partial[Object]]]:
    """Makes a federation with this status; what is returned changes fields of its spec."""
    kubernetes, document = with_policy, build.federated_learning("begun")

    def made(status: Object) -> partial[Object]:
        kubernetes.create(_KIND, document | {"status": status})
        return partial(kubernetes.merge, _KIND, "begun", namespace="default")

    yield made
    kubernetes.delete(_KIND, "begun", "default")


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(RUNNING, id="while it runs"),
        pytest.param(RUNNING | {"phase": "Waiting"}, id="while it is suspended between rounds"),
        pytest.param(RUNNING | {"phase": "Completed"}, id="when it is over"),
        pytest.param(
            {"phase": "Waiting", "trainingStartTime": "2026-11-21T12:00:00Z", "rounds": {"completed": 0, "total": 3}},
            id="while the first round waits",
        ),
        pytest.param(UNKNOWN | {"conditions": [TRAINING | {"reason": "NotHeardOf"}]}, id="while the aggregator is silent"),
        pytest.param(UNKNOWN | {"conditions": [TRAINING | {"reason": "HubAway"}]}, id="while nobody can look"),
    ],
)
@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"training": {"learningRate": 0.1}}, "training", id="how is trained"),
        pytest.param({"server": {"rounds": 9}}, "server.rounds", id="over how many rounds the learning rate falls"),
        pytest.param({"client": {"image": "mine:1"}}, "client.image", id="a field that was not there"),
    ],
)
def test_what_was_trained_cannot_be_changed_afterwards(
    in_phase: Callable[[Object], partial[Object]], status: Object, change: Object, field: str
) -> None:
    with pytest.raises(Invalid, match=f"spec.{field} cannot change once rounds have begun"):
        in_phase(status)({"spec": change})


def test_what_an_operator_needs_in_a_run_may_change(in_phase: Callable[[Object], partial[Object]]) -> None:
    changes = {
        "server": {"minResponses": 1, "roundTimeout": "1h", "convergence": {"patience": 3}},
        "client": {"placement": {"numberOfClusters": 3}, "data": {"platforms": ["facebook"]}},
        "deadline": "48h",
        "suspend": True,
    }
    assert in_phase(RUNNING)({"spec": changes})["spec"]["deadline"] == "48h"


@pytest.mark.parametrize("phase", ["Waiting", "Failed"])
def test_before_the_first_round_and_after_a_failure_anything_may_change(
    in_phase: Callable[[Object], partial[Object]], phase: str
) -> None:
    training = TRAINING | {"reason": "HubAway"}  # before spokes had an address to dial
    begun = {"trainingStartTime": "2026-11-21T12:00:00Z"} if phase == "Failed" else {}
    rounds = {"completed": 1 if begun else 0, "total": 3}
    changed = in_phase({"phase": phase, "rounds": rounds, "conditions": [training]} | begun)
    assert changed({"spec": {"training": {"learningRate": 0.1}}})["spec"]["training"]["learningRate"] == 0.1


def test_it_is_watched_by_the_command_from_a_round_to_its_end(kubernetes: Kubernetes, hub: Hub, tmp_path: Path) -> None:
    kubernetes.create(_KIND, build.federated_learning("watched") | {"status": RUNNING | {"message": "round 2 is being trained"}})
    environment = os.environ | {"KUBECONFIG": str(hub.server.kubeconfig)}
    command = ["-m", "fedspoke.cli", "status", "watched", "-n", "default", "--watch"]
    with running(sys.executable, *command, log=tmp_path / "status.log", environment=environment) as process:
        shown = "Running, 1 of 3 rounds: round 2 is being trained"
        until("a round is shown", lambda: shown in process.words(), 60, [process])
        done = {"phase": "Completed", "message": "the model is saved", "rounds": {"completed": 3, "total": 3}}
        client = Client.of_file(hub.server.kubeconfig)
        client.merge(kubernetes.get(_KIND, "watched", "default"), {"status": done}, "status")
        process.handle.wait(60)
    kubernetes.delete(_KIND, "watched", "default")
    assert process.words().splitlines()[-2:] == [shown, "Completed, 3 of 3 rounds: the model is saved"]
    assert process.handle.returncode == 0
