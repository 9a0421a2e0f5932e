"""The story of one federation on one page that needs nothing but itself: no script, no font, no file, no network.

Everything in it that came from a cluster or a user (names, reasons, messages, the CR) is text to be escaped, never markup.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jinja2

from fedspoke.api import documents, parse
from fedspoke.api.federated_learning import ClusterStatus, FederatedLearningStatus, Object
from fedspoke.api.profiles import GeneralProfile, Noise, Profile
from fedspoke.api.records import ClusterRound, RoundRecord
from fedspoke.hub.aggregation.means import held_out_losses
from fedspoke.local import folder, outcome
from fedspoke.local.chart import line_chart

MEAN = "all clusters"
HELD_OUT = "held out"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One cluster that placement chose, and how it did."""

    name: str
    score: float | None
    status: ClusterStatus | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a round took; bytes as the hub sees them."""

    round: int
    seconds: float
    bytes_in: int
    bytes_out: int
    clusters: Mapping[str, ClusterRound]


def write(out: Path) -> None:
    """Makes OUT/report.html from the other files of OUT, whole or not at all.

    Raises:
        Refused: OUT is no such folder, or a file in it cannot be understood.
    """
    found = outcome.read(out)
    page = render(found.cr, found.rounds, found.placement, found.general, found.profiles)
    folder.write(out / "report.html", page)


def render(
    cr: Object, rounds: Sequence[RoundRecord], placement: Object, general: GeneralProfile | None, profiles: Sequence[Profile]
) -> str:
    """The page. What a run did not come to is said in a sentence.

    Raises:
        Refused: the CR or its status cannot be understood.
    """
    status = outcome.status(cr)
    losses = _losses(rounds)
    held_out = held_out_losses(rounds, status.evaluation.loss if status.evaluation else None)
    unseen = {HELD_OUT: [(number, loss) for number, loss in held_out.items() if number]}
    return _page().render(
        fl=parse.federated_learning(cr),
        status=status,
        rounds=rounds,
        clusters=[name for name in losses if name != MEAN],
        mean=MEAN,
        held_out=held_out,
        chart=line_chart(losses | (unseen if unseen[HELD_OUT] else {})) if rounds else None,
        traffic=[_traffic(record) for record in rounds],
        chosen=_chosen(placement, status),
        rejected=placement.get("rejected", []),
        general=general,
        profiles={(profile.cluster, profile.platform): profile for profile in profiles},
        unfused=next((condition.message for condition in status.conditions if condition.type == "ProfilesFused"), ""),
        yaml=documents.dump(cr),
    )


def _losses(rounds: Sequence[RoundRecord]) -> dict[str, list[tuple[int, float]]]:
    """(round, loss) by cluster, and of their weighted mean where that says more than the one cluster does."""
    names = sorted({name for record in rounds for name in record.clusters})
    losses = {
        name: [(record.round, record.clusters[name].loss) for record in rounds if name in record.clusters] for name in names
    }
    return losses | ({MEAN: [(record.round, record.loss) for record in rounds]} if len(names) > 1 else {})


def _traffic(record: RoundRecord) -> Traffic:
    parts = record.clusters.values()
    return Traffic(
        record.round, record.seconds, sum(part.bytes_in for part in parts), sum(part.bytes_out for part in parts), record.clusters
    )


def _chosen(placement: Object, status: FederatedLearningStatus) -> list[Chosen]:
    """Placement's decisions in their order; then clusters that only the status knows, as where no decision was kept."""
    scores = {decision["clusterName"]: decision.get("score") for decision in placement.get("decisions", [])}
    reported = {cluster.name: cluster for cluster in status.clusters}
    return [Chosen(name, scores.get(name), reported.get(name)) for name in [*scores, *(reported.keys() - scores.keys())]]


def _noise_length(noise: Noise, dimensions: int) -> float:
    """The expected length of the noise vector, to be held against the embedding's mean, which is at most 1 long."""
    return noise.sigma * math.sqrt(dimensions)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _duration(value: float | timedelta) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _page() -> jinja2.Template:
    # StrictUndefined: a name that the template and this module no longer share must fail a test, not leave a blank.
    page = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters |= {
        "bytes": _bytes,
        "duration": _duration,
        "moment": _moment,
        "noise_length": _noise_length,
        "percent": _percent,
    }
    return page.get_template("report.html.j2")
