"""The FederatedLearning resource as a real API server admits it: it refuses what Python refuses, and has the same defaults."""

from functools import partial
from pathlib import Path

import pytest
import yaml

from fedspoke.api import parse
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import API_VERSION, PLURAL
from support import build, specs
from support.fleet.kubernetes import Invalid, Kind, Kubernetes
from support.fleet.wait import until
from support.fleet.worlds import Hub

_CRD = Path(__file__).parents[2] / "hub/deploy/crd.yaml"
_KIND = Kind(API_VERSION, PLURAL)


@pytest.fixture(scope="module")
def kubernetes(hub: Hub) -> Kubernetes:
    ask = hub.server.kubernetes
    ask.apply(yaml.safe_load(_CRD.read_text()))
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
