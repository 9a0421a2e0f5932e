import pytest

from fedspoke.placement.conditions import Condition, misconfigured, satisfied
from fedspoke.placement.misconfigured import Misconfigured
from fedspoke.placement.sets import Unsatisfied

MATCHED = "No ManagedCluster matches any of the cluster predicate"


@pytest.mark.parametrize(
    ("chosen", "wanted", "expected"),
    [
        pytest.param(2, None, (True, "AllDecisionsScheduled", "All cluster decisions scheduled"), id="all that qualify"),
        pytest.param(2, 2, (True, "AllDecisionsScheduled", "All cluster decisions scheduled"), id="as many as wanted"),
        pytest.param(2, 5, (False, "NotAllDecisionsScheduled", "3 cluster decisions unscheduled"), id="too few"),
        pytest.param(0, 5, (False, "NoManagedClusterMatched", MATCHED), id="none"),
        pytest.param(0, 0, (False, "NoManagedClusterMatched", MATCHED), id="none wanted"),
    ],
)
def test_a_placement_is_satisfied_with_as_many_clusters_as_it_wants(
    chosen: int, wanted: int | None, expected: tuple[bool, str, str]
) -> None:
    assert satisfied(None, chosen, wanted) == Condition("PlacementSatisfied", *expected)


def test_what_the_sets_lack_is_said_first() -> None:
    assert satisfied(Unsatisfied("NoIntersection", "None is bound"), 0, 2).reason == "NoIntersection"


def test_a_condition_is_written_as_kubernetes_writes_one() -> None:
    assert misconfigured(None).as_json() == {
        "type": "PlacementMisconfigured",
        "status": "False",
        "reason": "Succeedconfigured",
        "message": "Placement configurations check pass",
    }
    assert misconfigured(Misconfigured("Predicate", "bad")).as_json() == {
        "type": "PlacementMisconfigured",
        "status": "True",
        "reason": "Misconfigured",
        "message": "Predicate:bad",
    }
