"""A decision as tables for a person: of each cluster what decided, and of the Placement what OCM would say of it."""

from collections.abc import Iterator, Sequence

from fedspoke.placement.evaluate import Decision
from fedspoke.placement.prioritizers import Prioritized

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The names of the columns, and the rows."""


def rows(decision: Decision) -> Table:
    """The chosen clusters in their order, then the others; with the decision groups where there are several."""
    grouped = len(decision.groups) > 1
    columns = ["CLUSTER", "CHOSEN", *(["GROUP"] if grouped else []), "SCORE", "MADE OF", "WHY NOT"]
    return columns, list(_rows(decision, grouped=grouped))


def conditions(decision: Decision) -> Table:
    """The conditions of the Placement's status."""
    columns = ["CONDITION", "STATUS", "REASON", "MESSAGE"]
    return columns, [[it.type, str(it.status), it.reason, it.message] for it in decision.conditions]


def _rows(decision: Decision, *, grouped: bool) -> Iterator[Sequence[str]]:
    groups = {name: f"{group.index} {group.name}".rstrip() for group in decision.groups for name in group.clusters}
    for name, score in decision.decisions:
        yield [name, "yes", *([groups[name]] if grouped else []), str(score), _parts(decision, name), ""]
    for name, reason in decision.rejected:
        qualified = any(name in by.scores for by in decision.prioritizers)
        score = sum(by.weight * by.scores.get(name, 0) for by in decision.prioritizers)
        yield [name, "no", *([""] if grouped else []), str(score) if qualified else "", _parts(decision, name), reason]


def _parts(decision: Decision, cluster: str) -> str:
    """`Balance 100×1, gpusFree 40×2`."""
    return ", ".join(_part(by, cluster, decision.prioritizers) for by in decision.prioritizers if cluster in by.scores)


def _part(by: Prioritized, cluster: str, among: Sequence[Prioritized]) -> str:
    remark = f" ({by.remarks[cluster]})" if cluster in by.remarks else ""
    alike = [it for it in among if _short(it) == _short(by)]
    return f"{_short(by) if len(alike) == 1 else by.name} {by.scores[cluster]}×{by.weight}{remark}"


def _short(by: Prioritized) -> str:
    """Of an add-on's score only what the add-on calls it."""
    return by.name.rpartition("/")[2]
