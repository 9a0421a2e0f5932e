"""What the predicates said of each cluster, kept from one decision of a Placement to the next.

Selectors are most of a decision's work, and of thousands of clusters few change between two decisions. All that depends on the
clock or on other clusters (taints, scores, ranks) is cheap and always decided anew.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fedspoke.api.base import Object
from fedspoke.api.placement_spec import Predicate
from fedspoke.placement import declared
from fedspoke.placement.cel import code_of

_OF_OTHERS = re.compile(r"(?<!(?<![\w.])managedCluster\.)\bscores\b|\bmanagedCluster\s*,")
"""In a CEL expression: scores that may be those of another cluster than the one that it is asked of."""


@dataclass(frozen=True, slots=True)
class _Kept:
    facts: tuple[Object, ...]
    reason: str | None


@dataclass(slots=True)
class Memory:
    """What one Placement's predicates said when they were last asked.

    A fact is known again by its identity, as an informer's cache gives it: who holds a Memory replaces a changed object and
    never edits one. Answers are the same with a Memory and without.
    """

    _predicates: Sequence[Predicate] = ()
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def reasons(
        self,
        predicates: Sequence[Predicate],
        clusters: Sequence[Object],
        scores: Sequence[Object],
        ask: Callable[[Object], str | None],
    ) -> dict[str, str | None]:
        """Of each cluster by name, why no predicate holds, None if one does; `ask` is asked only of what is new or changed."""
        known = self._kept if predicates == self._predicates and not _looks_around(predicates) else {}
        own = defaultdict(list)
        for score in scores:
            own[declared.namespace(score)].append(score)
        kept: dict[str, _Kept] = {}
        for cluster in clusters:
            name = declared.name(cluster)
            facts = (cluster, *own.get(name, ()))
            before = known.get(name)
            kept[name] = before if before and _same(before.facts, facts) else _Kept(facts, ask(cluster))
        self._predicates, self._kept = predicates, kept
        return {name: found.reason for name, found in kept.items()}


def _same(before: Sequence[Object], now: Sequence[Object]) -> bool:
    return len(before) == len(now) and all(one is other for one, other in zip(before, now, strict=True))


def _looks_around(predicates: Sequence[Predicate]) -> bool:
    expressions = (each for it in predicates for each in it.required_cluster_selector.cel_selector.cel_expressions)
    return any(_OF_OTHERS.search(code_of(expression)) for expression in expressions)
