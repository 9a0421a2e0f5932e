"""A federation's state for a terminal: as tables, and as one line. What came from clusters cannot steer the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from fedspoke.api.federated_learning import FederatedLearningStatus
from fedspoke.api.records import RoundRecord
from fedspoke.api.status import ENDED
from fedspoke.cli.columns import printable
from fedspoke.hub.aggregation.means import held_out_losses

_SHOWN_ROUNDS = 3  # as many columns as fit beside the rest on 80; the report shows all rounds
_STYLE = {"Completed": "bold green", "Failed": "bold red"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a federation at one moment."""

    namespace: str
    name: str
    status: FederatedLearningStatus
    rounds: tuple[RoundRecord, ...]
    """With each cluster's part; none where only the status is left."""

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self.status.phase in ENDED

    @property
    def message(self) -> str:
        """The status' sentence, or that there is none."""
        return printable(self.status.message) or "nothing has been reported yet"


def line(seen: Seen) -> str:
    """The state in one line, for a log."""
    rounds = seen.status.rounds
    done = f", {rounds.completed} of {rounds.total} rounds" if rounds else ""
    losses = [it.loss for it in seen.rounds or seen.status.metrics]
    loss = f", loss {losses[-1]:.4f}" if losses else ""
    return f"{seen.status.phase}{done}{loss}: {seen.message}"


def view(seen: Seen) -> RenderableType:
    """The state as tables."""
    status, shown = seen.status, seen.rounds[-_SHOWN_ROUNDS:]
    head = Text.assemble((f"{seen.namespace}/{seen.name}", "bold"), "  ", (status.phase, _STYLE.get(status.phase, "bold blue")))
    if status.rounds:
        head.append(f"  {status.rounds.completed} of {status.rounds.total} rounds")
    unused = [
        Text(printable(f"In round {record.round} the update of {cluster} was not used: {reason}"))
        for record in shown
        for cluster, reason in record.refused.items()
    ]
    return Group(head, Text(seen.message), "", _clusters(seen, shown), *_worth(status), *unused, "", _conditions(status))


def _worth(status: FederatedLearningStatus) -> list[Text]:
    """What the final adapter is worth, and what the adapters may have told."""
    said = list[Text]()
    if (of := status.evaluation) is not None:
        said.append(Text(f"On {of.posts} posts held out the loss is {of.loss:.4f}; the base model's is {of.base_loss:.4f}"))
    if (spent := status.privacy) is not None:
        epsilon = f"ε {spent.epsilon:.4g} at δ {spent.delta:g} in {spent.releases} releases"
        said.append(Text(printable(f"Noised adapters spent {epsilon}, for {spent.unit}")))
    return said


def _clusters(seen: Seen, shown: Sequence[RoundRecord]) -> RenderableType:
    status = seen.status
    if not status.clusters:
        return Text("No cluster was chosen.")
    columns = [f"loss {record.round}" for record in shown] or ["last loss"]
    table = _table("cluster", "platform", "posts", "phase", *columns, "reason")
    for cluster in status.clusters:
        last = "" if cluster.loss is None else f"{cluster.loss:.4f}"
        losses = [_loss(record, cluster.name) for record in shown] or [last]
        posts = "" if cluster.posts is None else str(cluster.posts)
        _row(table, [cluster.name, cluster.platform, posts, cluster.phase, *losses, cluster.reason])
    if shown and len(status.clusters) > 1:
        _row(table, ["all clusters", "", "", "", *(f"{record.loss:.4f}" for record in shown), ""], style="bold")
    held_out = held_out_losses(seen.rounds, status.evaluation.loss if status.evaluation else None)
    if held_out:
        losses = [f"{held_out[record.round]:.4f}" if record.round in held_out else "" for record in shown]
        _row(table, ["held out", "", "", "", *losses, ""])
    return table


def _loss(record: RoundRecord, cluster: str) -> str:
    if cluster in record.clusters:
        return f"{record.clusters[cluster].loss:.4f}"
    return "not used" if cluster in record.refused else "absent"


def _conditions(status: FederatedLearningStatus) -> RenderableType:
    if not status.conditions:
        return Text("No condition has been reported.")
    table = _table("condition", "status", "reason", "message")
    for condition in status.conditions:
        _row(table, [condition.type, condition.status, condition.reason, condition.message])
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 3, 0, 0))
    for name in columns:
        number = name in ("posts", "last loss") or name.startswith("loss ")
        table.add_column(name.upper(), justify="right" if number else "left", no_wrap=name not in ("reason", "message"))
    return table


def _row(table: Table, cells: Sequence[str], style: str | None = None) -> None:
    # As Text, since a plain string would be read as rich's markup.
    table.add_row(*(Text(printable(cell)) for cell in cells), style=style)
