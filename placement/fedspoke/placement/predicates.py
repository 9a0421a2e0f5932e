"""One predicate and one cluster: which of its requirements the cluster does not meet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Object
from fedspoke.api.placement_spec import ClusterSelector, Requirement
from fedspoke.placement import counts, declared
from fedspoke.placement.counts import AtLeast


@dataclass(frozen=True, slots=True)
class Unmet:
    """One requirement that a cluster does not meet; `found` is the label's or claim's value, None if it has none."""

    of: Literal["label", "claim"]
    requirement: Requirement | AtLeast
    found: str | None


def unmet(selector: ClusterSelector, cluster: Object) -> list[Unmet]:
    """What keeps a cluster from matching a selector; nothing if it matches.

    Raises:
        Refused: the selector holds what is not evaluated here, or what OCM would not take.
    """
    labels, claims = declared.labels(cluster), declared.claims(cluster)
    return [
        *(Unmet("label", it, labels.get(it.key)) for it in _on_labels(selector) if not holds(it, labels)),
        *(Unmet("claim", it, claims.get(it.key)) for it in selector.claim_selector.match_expressions if not holds(it, claims)),
        *(
            Unmet("claim", it, claims.get(it.claim))
            for it in map(_count, selector.cel_selector.cel_expressions)
            if (declared.count(cluster, it.claim) or 0) < it.least
        ),
    ]


def holds(requirement: Requirement, values: dict[str, str]) -> bool:
    """Kubernetes' label selectors: NotIn and DoesNotExist hold where there is no such label.

    Raises:
        Refused: In or NotIn without values, or Exists or DoesNotExist with some.
    """
    if (requirement.operator in ("In", "NotIn")) != bool(requirement.values):
        wants = "at least one value" if not requirement.values else "no values"
        raise Refused(f"the requirement {requirement.key} {requirement.operator} of a cluster selector takes {wants}")
    value = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None


def _on_labels(selector: ClusterSelector) -> Iterator[Requirement]:
    for key, value in selector.label_selector.match_labels.items():
        yield Requirement(key=key, operator="In", values=[value])
    yield from selector.label_selector.match_expressions


def _count(expression: str) -> AtLeast:
    found = counts.read(expression)
    if found is None:
        raise Refused(f"celSelector is not evaluated here yet, only on a hub: take {expression!r} out of celExpressions")
    return found
