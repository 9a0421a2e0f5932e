"""Placements that the API server takes and that OCM then fails on, or never settles; fedspoke says so instead of guessing.

These are OCM's, seen in 1.2.0. When one of these tests fails, OCM has mended it: follow it.
"""

from functools import partial

import pytest

from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from support import build, ocm_answers, placements
from support.fleet import ocm
from support.fleet.kubernetes import Kubernetes
from support.fleet.wait import says, until
from support.fleet.worlds import Hub
from support.placements import World

FOUR = placements.crowd(4)
SPREAD = {"topologyKey": "region", "topologyKeyType": "Label"}
_SECONDS = 30


def chosen(kubernetes: Kubernetes, cluster: str) -> bool | None:
    """Whether that cluster is the one that is chosen now."""
    decisions = [each.get("status", {}).get("decisions", []) for each in kubernetes.all(ocm.DECISION)]
    return decisions == [[{"clusterName": cluster, "reason": ""}]] or None


def test_a_negative_number_of_clusters_makes_the_controller_panic_and_is_refused(hub: Hub) -> None:
    placement = build.placement(name="p", numberOfClusters=-1)
    with hub.holding(FOUR) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, placement)
        says(controller.process, "slice bounds out of range [:-1]", _SECONDS)

    with pytest.raises(Refused, match="numberOfClusters"):
        ocm_answers.once(placement, FOUR.fleet)


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("numberOfClusters", {"numberOfClusters": 2**31}),
        ("clustersPerDecisionGroup", {"decisionStrategy": {"groupStrategy": {"clustersPerDecisionGroup": 2**31}}}),
        ("maxSkew", {"spreadPolicy": {"spreadConstraints": [SPREAD | {"maxSkew": 2**31}]}}),
    ],
)
def test_a_number_beyond_32_bits_blinds_the_controller_to_every_placement_and_is_refused(
    hub: Hub, field: str, spec: Object
) -> None:
    placement = build.placement(name="p", **spec)
    with hub.holding(FOUR) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, placement)
        says(controller.process, "failed to list *v1beta1.Placement: ", _SECONDS)
        says(controller.process, "2147483648", _SECONDS)

    with pytest.raises(Refused, match=field):
        ocm_answers.once(placement, FOUR.fleet)


def test_a_name_that_is_no_label_is_never_decided_and_is_refused(hub: Hub) -> None:
    placement = build.placement(name="p" * 64)
    with hub.holding(FOUR) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, placement)
        says(controller.process, "must be no more than 63 characters", _SECONDS)
        assert "status" not in controller.kubernetes.get(ocm.PLACEMENT, "p" * 64, placements.NAMESPACE)

    with pytest.raises(Refused, match="63"):
        ocm_answers.once(placement, FOUR.fleet)


def test_a_set_whose_selector_is_wrong_leaves_a_placement_without_any_answer(hub: Hub) -> None:
    placement = build.placement(name="p")
    odd = build.cluster_set("odd", matchExpressions=[build.has("tier", "Near")])
    world = World(build.fleet(*FOUR.fleet.clusters, sets=(odd,), bindings=(build.binding("odd"),)), (placement,))
    with hub.holding(world) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, placement)
        says(controller.process, "is not a valid label selector operator", _SECONDS)
        assert "status" not in controller.kubernetes.get(ocm.PLACEMENT, "p", placements.NAMESPACE)

    with pytest.raises(Refused, match="Near"):
        ocm_answers.once(placement, world.fleet)


def test_a_placement_that_is_left_to_another_scheduler_is_passed_over_and_refused(hub: Hub) -> None:
    left, other = build.placement(name="left"), build.placement(name="other")
    left["metadata"]["annotations"] = {"cluster.open-cluster-management.io/experimental-scheduling-disable": "true"}
    with hub.holding(FOUR) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, left)
        controller.decide(other)
        assert "status" not in controller.kubernetes.get(ocm.PLACEMENT, "left", placements.NAMESPACE)

    with pytest.raises(Refused, match="another scheduler"):
        ocm_answers.once(left, FOUR.fleet)


def test_a_negative_weight_of_steady_undoes_each_choice_for_ever_in_both(hub: Hub) -> None:
    policy = {"mode": "Exact", "configurations": [build.prioritizer("Steady", -1)]}
    placement = build.placement(name="p", numberOfClusters=1, prioritizerPolicy=policy)
    with hub.holding(FOUR) as controller:
        controller.kubernetes.create(ocm.PLACEMENT, placement)
        for cluster in ("n000", "n001", "n000", "n001"):
            until(f"OCM chooses {cluster}", partial(chosen, controller.kubernetes, cluster), _SECONDS, [controller.process])

    with pytest.raises(ocm_answers.Restless):
        ocm_answers.at_rest(placement, FOUR.fleet)
