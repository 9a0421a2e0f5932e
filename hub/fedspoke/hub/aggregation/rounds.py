"""Who takes part, whose update counts, and whether there are still enough: decided from plain values, nothing read or sent.

A cluster is known by its certificate: under it its Flower node presented the hub's ticket, so that what the node says is the
cluster's, and under it its uploads come, one for each cluster and round.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Protocol

from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Digest, Failure, Finished, HeldOut, Prepared, Preparing, Trained
from fedspoke.hub.aggregation import layout as layouts

Layout = layouts.Layout

GONE = "its Flower node is not connected any more"
WITHDRAWN = "its owner has withdrawn what it shared, and nothing of it is in this round"


class Upload(Protocol):
    """What is decided upon of a file that came under a cluster's certificate."""

    @property
    def digest(self) -> Digest: ...  # noqa: D102  SHA-256 of the file
    @property
    def examples(self) -> int: ...  # noqa: D102  how many examples it was trained on: its weight


@dataclass(frozen=True, slots=True)
class Standing:
    """The chosen clusters at one moment; those in none of the maps have not answered, or have gone."""

    layout: Layout
    """Of the global adapter."""
    ready: Mapping[str, int]
    """Cluster → its Flower node."""
    failed: Mapping[str, str]
    """Cluster → why it cannot take part, in one sentence."""
    again: Mapping[str, str]
    """Cluster → what it does before it is ready, or why it is not, where it is asked again."""


def standing(
    clusters: Collection[str], answers: Iterable[tuple[int, Prepared | Preparing | Failure]], lora: Lora, agreed: Layout = ()
) -> Standing:
    """Who is ready. One adapter for all: that of the federation so far, or else the one that most clusters' models take.

    Args:
        clusters: The chosen ones; an answer from another is nobody's.
        answers: What each node answered to `prepare`, the newest node last: a cluster's last word counts.
        lora: What was asked for; a cluster that may have a lower rank has the same layers.
        agreed: The layout of the rounds before, if there were any.
    """
    last = {record.cluster: (node, record) for node, record in answers if record.cluster in clusters}
    failed: dict[str, str] = {}
    again: dict[str, str] = {}
    prepared: dict[str, tuple[int, Layout]] = {}
    for cluster, (node, record) in last.items():
        if isinstance(record, Preparing):
            again[cluster] = at_work(record)
        elif isinstance(record, Failure):
            (again if record.passing else failed)[cluster] = said(record)
        elif reason := _unfit(record.layout, lora.of(cluster)):
            failed[cluster] = f"{cluster}'s model takes no adapter that can be averaged: {reason}"
        else:
            layout = layouts.with_rank(record.layout, lora.rank)
            prepared[cluster] = (node, tuple(sorted(layout, key=lambda tensor: tensor.name)))
    common = agreed or _most_common(layout for _, layout in prepared.values())
    for cluster, (_, layout) in prepared.items():
        if layout != common:
            failed[cluster] = f"{cluster}'s model takes another adapter than the other clusters': {_difference(layout, common)}"
    ready = {cluster: prepared[cluster][0] for cluster in clusters if cluster in prepared and cluster not in failed}
    return Standing(common, ready, failed, again)


def hopeless(clusters: Collection[str], failed: Collection[str], need: int) -> bool:
    """Whether so many have failed for good that the others, all of them, are too few. Who is not chosen any more takes nobody."""
    return len(set(clusters) - set(failed)) < need


def refusal(  # noqa: PLR0911  a list of reasons
    round: int,  # noqa: A002  the field's word
    posts: int,
    answer: Prepared | Trained | Finished,
    upload: Upload | None,
) -> str | None:
    """Why a cluster's answer puts nothing into the sum; None when its update counts.

    Args:
        round: The one at work.
        posts: How many the cluster said it has, when it was ready.
        answer: What its node said.
        upload: What came under its certificate.
    """
    if not isinstance(answer, Trained):
        return f"it answered an order to train with {type(answer).__name__}"
    if answer.round != round:
        return f"it answered for round {answer.round} in round {round}"
    if upload is None:
        return "it says that it uploaded an adapter, but none came under its certificate"
    if upload.digest != answer.digest:
        return f"it says that it uploaded {answer.digest:.12}…, but {upload.digest:.12}… came under its certificate"
    if upload.examples != answer.examples:
        return f"it says that it trained on {answer.examples} posts, but its upload says {upload.examples}"
    if upload.examples > posts:
        return f"it says that it trained on {upload.examples} posts, but when it was ready it had {posts}"
    return unlikely(posts, answer.held_out)


def unlikely(posts: int, measured: HeldOut | None) -> str | None:
    """Why a cluster cannot have measured this: it would weigh more than all of its posts."""
    if measured and measured.posts > posts:
        return f"it says that it held out {measured.posts} posts, but when it was ready it had {posts}"
    return None


def shortage(what: str, need: int, clusters: Collection[str], lost: Mapping[str, str]) -> str:
    """`round 2 needs 2 of cluster1, cluster2, and cannot have them: cluster2: train failed: …`"""
    why = reasons(lost) or f"there are only {len(clusters)}"
    return f"{what} needs {need} of {', '.join(clusters)}, and cannot have them: {why}"


def reasons(clusters: Mapping[str, str]) -> str:
    """`cluster1: …; cluster2: …`"""
    return "; ".join(f"{cluster}: {reason}" for cluster, reason in clusters.items())


def said(failure: Failure) -> str:
    """A cluster's own words about a step that failed."""
    return f"{failure.step} failed: {failure.message}"


def at_work(preparing: Preparing) -> str:
    """A cluster's step before it is ready, in one sentence."""
    since = f" since {preparing.since.astimezone(UTC):%H:%M:%S} UTC" if preparing.since else ""
    return f"at the step {preparing.step}{since}{f': {preparing.again}' if preparing.again else ''}"


def _unfit(layout: Layout, lora: Lora) -> str | None:
    try:
        layouts.check(layout, lora)
    except Refused as error:
        return str(error)
    return None


def _most_common(candidates: Iterable[Layout]) -> Layout:
    ranking = Counter(candidates).most_common(1)
    return ranking[0][0] if ranking else ()


def _difference(layout: Layout, common: Layout) -> str:
    shapes = {tensor.name: tensor.shape for tensor in common}
    for name, shape in ((tensor.name, tensor.shape) for tensor in layout):
        if shapes.get(name) != shape:
            theirs = f"has the shape {list(shapes[name])}" if name in shapes else "is unknown"
            return f"{name} of shape {list(shape)} {theirs} there"
    return f"it lacks {len(common) - len(layout)} of {len(common)} tensors"
