"""A decision as tables for a person: who is chosen and why, who is not and why not, and what OCM would say of the Placement."""

from collections.abc import Iterator, Sequence

from fedspoke.placement.evaluate import Decision
from fedspoke.placement.prioritizers import Prioritized

Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""The names of the columns, and the rows; the last column is the one with the long texts."""


def tables(decision: Decision) -> Iterator[Table]:
    """The chosen clusters in their order, the others by name, and the conditions; a table without a row is left out."""
    chosen, others = _chosen(decision), _others(decision)
    yield from (table for table in (chosen, others, _conditions(decision)) if table[1])


def _chosen(decision: Decision) -> Table:
    """With the decision groups where there are several, and with the end of a toleration where one will end."""
    groups = {name: f"{group.index} {group.name}".rstrip() for group in decision.groups for name in group.clusters}
    ends = {name: f"{end:%Y-%m-%dT%H:%M:%SZ}" for name, end in decision.tolerated_until.items()}
    columns = ["CHOSEN", *_if(len(decision.groups) > 1, "GROUP"), *_if(ends, "TOLERATED UNTIL"), "SCORE", "MADE OF"]
    rows = [
        [
            name,
            *_if(len(decision.groups) > 1, groups[name]),
            *_if(ends, ends.get(name, "")),
            str(score),
            _parts(decision, name),
        ]
        for name, score in decision.decisions
    ]
    return columns, rows


def _others(decision: Decision) -> Table:
    rows = [[name, reason + _score(decision, name)] for name, reason in decision.rejected]
    return ["NOT CHOSEN", "WHY NOT"], rows


def _conditions(decision: Decision) -> Table:
    columns = ["CONDITION", "STATUS", "REASON", "MESSAGE"]
    return columns, [[it.type, str(it.status), it.reason, it.message] for it in decision.conditions]


def _if(shown: object, text: str) -> list[str]:
    return [text] if shown else []


def _score(decision: Decision, cluster: str) -> str:
    parts = _parts(decision, cluster)
    return f" ({parts})" if parts else ""


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
