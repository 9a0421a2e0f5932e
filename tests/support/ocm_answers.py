"""fedspoke's own answer in the form of OCM's, so that the two can be compared."""

from dataclasses import replace
from datetime import UTC, datetime

from fedspoke.api.base import Object
from fedspoke.placement.evaluate import evaluate
from fedspoke.placement.fleet import PLACEMENT_LABEL, Fleet
from support.fleet.worlds import Answer

_ROUNDS = 6


class Restless(Exception):
    """A choice that undoes itself again and again."""


def at_rest(placement: Object, fleet: Fleet) -> Answer:
    """What comes of a Placement: its decision is made again with itself as an earlier one, until nothing changes.

    Raises:
        Refused: the Placement cannot be used.
        Restless: something changes for ever.
    """
    answer = once(placement, fleet)
    for _ in range(_ROUNDS):
        fleet = after(placement, fleet, answer)
        before, answer = answer, once(placement, fleet)
        if answer == before:
            return answer
    raise Restless(f"Placement {placement['metadata']['name']} does not come to rest in {_ROUNDS} rounds")


def once(placement: Object, fleet: Fleet) -> Answer:
    """One decision.

    Raises:
        Refused: the Placement cannot be used.
    """
    decision = evaluate(placement, fleet, datetime.now(UTC))
    scores: dict[str, int] = {}
    for it in decision.prioritizers:
        for cluster, score in it.scores.items():
            scores[cluster] = scores.get(cluster, 0) + it.weight * score
    return Answer(
        conditions={it.type: (str(it.status), it.reason, it.message) for it in decision.conditions},
        objects={name: (group.index, group.name, clusters) for group in decision.groups for name, clusters in group.objects},
        scores=scores,
    )


def after(placement: Object, fleet: Fleet, answer: Answer) -> Fleet:
    """The fleet when a decision of the Placement has been written."""
    metadata = placement["metadata"]
    labels = {PLACEMENT_LABEL: metadata["name"]}
    written = tuple(
        {
            "metadata": {"name": name, "namespace": metadata["namespace"], "labels": labels},
            "status": {"decisions": [{"clusterName": cluster} for cluster in clusters]},
        }
        for name, (_, _, clusters) in answer.objects.items()
    )
    return replace(fleet, decisions=tuple(each for each in fleet.decisions if not _of(placement, each)) + written)


def _of(placement: Object, decision: Object) -> bool:
    metadata, whose = decision["metadata"], placement["metadata"]
    found = metadata["namespace"], metadata.get("labels", {}).get(PLACEMENT_LABEL)
    return found == (whose["namespace"], whose["name"])
