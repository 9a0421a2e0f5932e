"""A Placement's predicates: a cluster passes if it meets any one of them, and each is label, claim and CEL selectors ANDed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import ClusterSelector, GroupClusterSelector, LabelSelector, Predicate, Requirement
from fedspoke.placement import cel, counts, declared, labels
from fedspoke.placement.counts import AtLeast
from fedspoke.placement.misconfigured import Misconfigured


@dataclass(frozen=True, slots=True)
class Unmet:
    """One requirement that a cluster does not meet; `found` is the label's or claim's value, None if it has none."""

    of: Literal["label", "claim"]
    requirement: Requirement | AtLeast
    found: str | None


@dataclass(frozen=True, slots=True)
class Untrue:
    """One CEL expression that is not true of a cluster; `failed` is why it could not even be evaluated."""

    expression: str
    failed: str | None = None


Lack = Unmet | Untrue


class Selector:
    """One selector, checked and compiled once for all clusters; only that of a predicate may hold CEL.

    Raises:
        labels.Invalid, cel.Uncompilable: OCM would not take it; with Kubernetes' or CEL's own words.
        Refused: an expression uses what is not evaluated here.
    """

    def __init__(self, selector: GroupClusterSelector, environment: cel.Environment | None = None) -> None:
        self._on_labels = labels.requirements(selector.label_selector)
        self._on_claims = labels.requirements(LabelSelector(match_expressions=selector.claim_selector.match_expressions))
        sources = selector.cel_selector.cel_expressions if isinstance(selector, ClusterSelector) else []
        self._expressions = [(environment or cel.Environment()).compile(source) for source in sources]

    def matches(self, cluster: Object) -> bool:
        """Whether a cluster meets all of it. CEL comes last, as it costs most."""
        return (
            _all_hold(self._on_labels, declared.labels(cluster))
            and _all_hold(self._on_claims, declared.claims(cluster))
            and all(expression.of(cluster).holds for expression in self._expressions)
        )

    def lacks(self, cluster: Object) -> list[Lack]:
        """What keeps a cluster from matching; nothing if it matches."""
        has, claims = declared.labels(cluster), declared.claims(cluster)
        return [
            *(Unmet("label", it, has.get(it.key)) for it in self._on_labels if not labels.holds(it, has)),
            *(Unmet("claim", it, claims.get(it.key)) for it in self._on_claims if not labels.holds(it, claims)),
            *(_untrue(expression, cluster) for expression in self._expressions if not expression.of(cluster).holds),
        ]


class Predicates:
    """All predicates of a Placement, compiled once for a fleet.

    Raises:
        Misconfigured: a selector is invalid or an expression does not compile. OCM finds that only if there are clusters.
        Refused: an expression uses what is not evaluated here.
    """

    def __init__(self, predicates: Sequence[Predicate], scores: Sequence[Object] = ()) -> None:
        environment = cel.Environment(scores)
        self._selectors = [_selector(predicate, environment) for predicate in predicates]

    def admit(self, cluster: Object) -> bool:
        """Whether a cluster meets one of them, or there is none."""
        return not self._selectors or any(selector.matches(cluster) for selector in self._selectors)

    def lacks(self, cluster: Object) -> list[list[Lack]]:
        """For each predicate what a cluster that is not admitted lacks, for `reasons.why_not`; none of it is empty."""
        return [selector.lacks(cluster) for selector in self._selectors]


def _selector(predicate: Predicate, environment: cel.Environment) -> Selector:
    try:
        return Selector(predicate.required_cluster_selector, environment)
    except labels.Invalid as invalid:
        raise Misconfigured("Predicate", str(invalid), invalid.right) from None
    except cel.Uncompilable as error:
        raise Misconfigured("Predicate", str(error)) from None


def _all_hold(requirements: Sequence[Requirement], values: dict[str, str]) -> bool:
    return all(labels.holds(requirement, values) for requirement in requirements)


def _untrue(expression: cel.Expression, cluster: Object) -> Lack:
    count = counts.read(expression.source)
    if count is None:
        return Untrue(expression.source, expression.of(cluster).failed)
    return Unmet("claim", count, declared.claims(cluster).get(count.claim))
