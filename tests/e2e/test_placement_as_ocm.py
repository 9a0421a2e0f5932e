"""Whatever a Placement asks of whatever fleet, fedspoke answers as OCM's own placement controller does on a real API server.

FEDSPOKE_SEED chooses other worlds, FEDSPOKE_WORLDS how many. A difference ends in the smallest world that shows it, as YAML for
`fedspoke place`.
"""

import os
from dataclasses import dataclass, replace

import pytest
import yaml

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.placement.fleet import PLACEMENT_LABEL, Fleet
from support import build, ocm_answers, placements
from support.expressions import (
    ABOUT_CLUSTERS,
    ABOUT_NOTHING,
    OF_AN_OPTIONAL,
    OF_NO_BOOL,
    ONLY_ON_A_HUB,
    SAID_BY_THE_SERVER,
    WRONG,
)
from support.fleet import ocm
from support.fleet.kubernetes import Invalid, Rejected
from support.fleet.worlds import Answer, Controller, Hub
from support.placements import World
from support.shrinking import smallest

SEED = int(os.environ.get("FEDSPOKE_SEED", "1"))
WORLDS = int(os.environ.get("FEDSPOKE_WORLDS", "25"))
PLACEMENTS = 16
_EARLY = 3
"""Answers of a world that may differ until OCM is asked anew: more than were ever seen."""


@dataclass(frozen=True, slots=True)
class No:
    """A Placement that is not taken, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Crash:
    """What never is an answer."""

    what: str


@dataclass(frozen=True, slots=True)
class Case:
    """A Placement, the fleet before it, and what both say."""

    placement: Object
    fleet: Fleet
    ours: Answer | No | Crash
    theirs: Answer | No

    @property
    def differs(self) -> bool:
        if not (isinstance(self.ours, Answer) and isinstance(self.theirs, Answer)):
            return type(self.ours) is not type(self.theirs)
        return _compared(self.ours, self.theirs) != _compared(self.theirs, self.theirs)

    @property
    def surely_differs(self) -> bool:
        """Whether the answers differ in more than scores that may be those of an earlier decision."""
        if isinstance(self.theirs, Answer) and self.theirs.merged:
            return replace(self, theirs=replace(self.theirs, scores=None)).differs
        return self.differs


@pytest.mark.parametrize("number", range(WORLDS))
def test_every_placement_of_a_world_is_decided_as_ocm_decides_it(hub: Hub, number: int) -> None:
    cases = _cases(hub, placements.world(SEED, number, PLACEMENTS))
    differing = [_alone(case) for case in cases if case.differs]
    confirmed = next((alone for alone in differing if _differs(hub, alone)), None)

    assert confirmed is None, _report(hub, confirmed)
    assert len(differing) <= _EARLY, (
        f"OCM agreed when asked anew about {[it.placements[0]['metadata']['name'] for it in differing]}"
    )


def test_the_worlds_meet_every_reason_that_ocm_has() -> None:
    worlds = [placements.world(SEED, number, PLACEMENTS) for number in range(max(WORLDS, 25))]
    answers = [_ours(placement, world.fleet) for world in worlds for placement in world.placements]

    assert {reason for it in answers if isinstance(it, Answer) for _, reason, _ in it.conditions.values()} == {
        "NoManagedClusterSetBindings",
        "NoIntersection",
        "AllManagedClusterSetsEmpty",
        "NoManagedClusterMatched",
        "NotAllDecisionsScheduled",
        "AllDecisionsScheduled",
        "Misconfigured",
        "Succeedconfigured",
    }
    assert any(isinstance(it, No) for it in answers)


def test_every_expression_selects_what_it_selects_in_ocm(hub: Hub) -> None:
    all_of_them = [*ABOUT_CLUSTERS, *SAID_BY_THE_SERVER, *ABOUT_NOTHING, *OF_NO_BOOL, *OF_AN_OPTIONAL, *WRONG]
    wanted = [_selects(f"p{number}", expression) for number, expression in enumerate(all_of_them)]
    world = placements.everything(SEED)
    with hub.holding(world) as controller:
        fleet = replace(world.fleet, clusters=tuple(controller.kubernetes.all(ocm.CLUSTER)))
        cases = [_case(controller, replace(fleet, decisions=controller.decisions()), placement) for placement in wanted]

    differing = {it: case for it, case in zip(all_of_them, cases, strict=True) if case.differs}
    assert {it: (case.ours, case.theirs) for it, case in differing.items() if _differs(hub, _alone(case))} == {}


@pytest.mark.parametrize("expression", ONLY_ON_A_HUB)
def test_an_expression_that_only_ocm_evaluates_is_refused_by_name(hub: Hub, expression: str) -> None:
    (case,) = _cases(hub, placements.everything(SEED, _selects("p", expression)))

    assert isinstance(case.theirs, Answer)
    assert isinstance(case.ours, No)
    assert "only on a hub" in case.ours.why


def test_more_clusters_than_one_decision_holds_are_written_as_ocm_writes_them(hub: Hub) -> None:
    by_tier = {"groupName": "gold", "groupClusterSelector": {"labelSelector": {"matchLabels": {"tier": "gold"}}}}
    strategies = [{}, {"decisionGroups": [by_tier]}, {"decisionGroups": [by_tier], "clustersPerDecisionGroup": "45%"}]
    wanted = [build.placement(name=f"p{n}", decisionStrategy={"groupStrategy": it}) for n, it in enumerate(strategies)]

    for case in _cases(hub, placements.crowd(330, *wanted)):
        assert not case.differs, _report(hub, _alone(case))


def _selects(name: str, expression: str) -> Object:
    """A Placement of all clusters of which a CEL expression holds, whatever their taints."""
    return build.placement({"celSelector": {"celExpressions": [expression]}}, name=name, tolerations=[{"operator": "Exists"}])


def _cases(hub: Hub, world: World) -> list[Case]:
    """Every Placement of a world, one after another; the earlier decisions are those that OCM had written by then."""
    with hub.holding(world) as controller:
        return [_case(controller, replace(world.fleet, decisions=controller.decisions()), it) for it in world.placements]


def _case(controller: Controller, fleet: Fleet, placement: Object) -> Case:
    theirs: Answer | No
    try:
        theirs = controller.decide(placement)
    except Invalid as invalid:
        theirs = No(str(invalid))
    return Case(placement, fleet, _ours(placement, fleet), theirs)


def _ours(placement: Object, fleet: Fleet) -> Answer | No | Crash:
    try:
        return ocm_answers.at_rest(placement, fleet)
    except Refused as refused:
        return No(str(refused))
    except Exception as crash:  # noqa: BLE001  whatever it is, it is shown with its case
        return Crash(repr(crash))


def _compared(answer: Answer, theirs: Answer) -> tuple[object, ...]:
    """Of what is misconfigured only the plugin that says so: of two wrong prioritizers OCM names either, at random.

    Scores are left out where OCM's are not known, and 0 is as good as none.
    """
    satisfied = answer.conditions["PlacementSatisfied"]
    misconfigured, reason, message = answer.conditions["PlacementMisconfigured"]
    known = (answer.scores or {}) if theirs.scores is not None else {}
    scores = {cluster: score for cluster, score in known.items() if score}
    return satisfied, (misconfigured, reason, message.partition(":")[0]), answer.objects, scores


def _alone(case: Case) -> World:
    """A world of that Placement only, over the fleet that it was decided in."""
    return World(replace(case.fleet, decisions=tuple(map(_as_written, case.fleet.decisions))), (case.placement,))


def _differs(hub: Hub, alone: World) -> bool:
    """Whether the two answers differ when OCM is asked anew: twice, as it may once be asked too early."""
    return all(_cases(hub, alone)[0].surely_differs for _ in range(2))


def _report(hub: Hub, alone: World) -> str:
    """The smallest world that still differs, ready to be written to files."""

    def differs(world: World) -> bool:
        try:
            return _differs(hub, world)
        except (Rejected, Failed):  # what is left is no world any more, or none that OCM decides in
            return False

    least = smallest(alone, differs)
    (case,) = _cases(hub, least)
    return f"fedspoke: {case.ours}\nOCM:      {case.theirs}\n{_documents(least)}"


def _documents(world: World) -> str:
    fleet = world.fleet
    documents = [*fleet.clusters, *fleet.sets, *fleet.bindings, *fleet.scores, *fleet.decisions, *world.placements]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _as_written(decision: Object) -> Object:
    metadata = decision["metadata"]
    label = {PLACEMENT_LABEL: metadata["labels"][PLACEMENT_LABEL]}
    kept = {"name": metadata["name"], "namespace": metadata["namespace"], "labels": label}
    return {key: decision[key] for key in ("apiVersion", "kind", "status") if key in decision} | {"metadata": kept}
