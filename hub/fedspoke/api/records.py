"""What crosses a process boundary: the settings a process starts with, the orders and answers that Flower carries, and
the files that the aggregator leaves behind. All are JSON; all are checked where they enter.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from fedspoke.api.federated_learning import AdapterPrivacy, Aggregation, Lora, Phase, Profiles, Server, Training
from fedspoke.api.names import PLATFORMS, Platform

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256, in hex."""

ClusterName = Annotated[str, Field(max_length=63)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Loss = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
"""NaN would be written as null, and whoever reads the file again would find no number."""

_LONGEST = 1000


def _sentence(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


Sentence = Annotated[str, AfterValidator(_sentence)]
"""One line of at most 1000 characters: cut where it is made, and again where it is read, as the maker may be anyone."""


class Record(BaseModel):
    """A frozen value, camelCase in JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


def cause(error: ValidationError) -> str:
    """Which field of a record is wrong and what it must be, without what it is: that may be anyone's."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")


# Settings: one file a process, without secrets.


class CollaboratorSettings(Record):
    """What the two processes of one collaborator share. Paths are as the processes see them."""

    run: str
    cluster: str
    datasets: dict[Platform, str]
    output: str = Field(
        description="Folder for all that the collaborator makes; its sub-folders are written by one process each."
    )
    training: Training = Field(description="With the rank that this cluster trains.")
    rounds: int = Field(description="Of the federation at most: over all of them the learning rate falls.")
    aggregation: Aggregation = Aggregation()
    privacy: AdapterPrivacy = AdapterPrivacy()
    profiles: Profiles
    gateway: str = Field(description="host:port of the sidecar, on loopback: plaintext in, mutual TLS out.")
    mcp_port: int
    mcp_token: str = Field(
        description="File that mcp-server makes at its start (0600) and flower-client reads: the bearer token."
    )
    supernode_port: int
    checkpoint_seconds: Seconds = Field(
        60, description="Between two checkpoints of a round's training: what a crash costs at most, against seconds of writing."
    )


class AggregatorSettings(Record):
    """What the aggregator of one federation is told."""

    run: str
    clusters: tuple[str, ...] = Field(description="The chosen clusters; no other takes part.")
    server: Server
    lora: Lora
    model: str = Field(description="The base model's name, for adapter_config.json.")
    holdout: bool = Field(description="Whether clusters measure adapters on posts that they hold out.")
    privacy: AdapterPrivacy = AdapterPrivacy()
    profiles: bool
    state: str = Field(description="Folder for checkpoints, rounds.jsonl and progress.json.")
    superlink_port: int
    adapters_port: int
    fusion: str = Field(description="host:port of the fusion service.")
    deadline: datetime
    attempt: str = Field("", description="Which attempt at the federation this is; what it says of itself bears the same.")


class FusionSettings(Record):
    """What the fusion service is told."""

    run: str
    clusters: tuple[str, ...] = Field(description="The chosen clusters; no other leaves a profile.")
    profiles: Profiles
    folder: str
    port: int


# Orders and answers: the `json` entry of a ConfigRecord in a Flower message.


class Tensor(Record):
    """One tensor of an adapter, by PEFT's name for it."""

    name: str
    shape: tuple[int, int]


class Order(Record):
    """What one node is to do, and until when its answer is of use."""

    run: str
    until: AwareDatetime


class PrepareOrder(Order):
    """Be ready to train: model found, data fetched and cleaned.

    First the node presents the ticket under its cluster's certificate; before that, nothing that it says counts for a cluster.
    """

    ticket: str = Field(description="One for each node, known to it and the hub alone.")


class Prepared(Record):
    """Ready: how many posts of which platform, and the adapter that this cluster's model takes."""

    cluster: ClusterName
    posts: dict[Platform, Count]
    layout: tuple[Tensor, ...]


class TrainOrder(Order):
    """Fetch the adapter that this round starts from, train it, upload the result."""

    round: int
    digest: Digest


class HeldOut(Record):
    """Mean loss per supervised token on the posts that a cluster never trains on, before something and after it."""

    posts: Annotated[Count, Field(ge=1)]
    before: Loss
    after: Loss


class Trained(Record):
    """This cluster's adapter is on the hub; a hub that finds other bytes under its name does not use them."""

    cluster: ClusterName
    round: Count
    digest: Digest
    examples: Annotated[Count, Field(ge=1)]
    loss: Loss = Field(description="Mean training loss of the round.")
    seconds: Seconds
    held_out: HeldOut | None = Field(None, description="Of the adapter that the round started from, and of the trained one.")
    releases: Count = Field(0, description="Noised adapters of this federation that have left the cluster, this one included.")


class FinishOrder(Order):
    """Measure the final adapter; make and share the profiles."""

    round: int = Field(description="The round whose result is final; its adapter is served as that of round + 1.")
    digest: Digest


class Finished(Record):
    """What the final adapter is worth here; which platforms' profiles were shared, and why the others were not."""

    cluster: ClusterName
    shared: tuple[Platform, ...] = Field(max_length=len(PLATFORMS))
    refused: dict[Platform, Sentence] = {}
    held_out: HeldOut | None = Field(None, description="Of the base model, and of the final adapter.")


class Failure(Record):
    """A step that failed, in one sentence for a person at the hub; never a post's text or a file's name."""

    cluster: ClusterName
    step: Annotated[str, Field(max_length=63)]
    message: Sentence
    passing: bool = Field(False, description="Whether another attempt may succeed, with nothing changed by a person.")


# Profiles.


class Noise(Record):
    """The Gaussian mechanism that all parts of a profile went through; what it hides is one cleaned record."""

    unit: Literal["one cleaned record"] = Field(
        "one cleaned record",
        description="Two sets of cleaned records that differ in one are hard to tell apart; their number is no secret.",
    )
    epsilon: float = Field(description="Of this release: of all parts of the profile together.")
    delta: float
    sigma: float = Field(description="Standard deviation of the noise on each number of the text embedding.")
    visual_sigma: float | None = Field(None, description="The same, of the visual embedding; None: there is none.")
    topics_sigma: float | None = Field(None, description="The same, of each topic's count; None: there are none.")
    releases: Count = Field(1, description="Of this platform's posts in this federation, this one included.")
    spent_epsilon: float | None = Field(description="Of all of them together, at this delta; None: one of them had no noise.")


class Visual(Record):
    """A platform's photos as the frozen vision tower sees them.

    `embedding` is the sum of the posts' unit-norm vectors, each the mean over its photos, divided by the number of all posts, so
    that it does not tell how many have a photo.
    """

    tower: Digest = Field(description="Digest of the tower's weights: embeddings of other towers cannot be compared.")
    embedding: tuple[float, ...]


class Profile(Record):
    """One platform's data on one cluster, as much of it as is shared.

    `embedding` is the mean of the posts' unit-norm text embeddings, noised as `noise` says (None: not at all), as are the two
    other parts. Not noised: the number of posts, the two dates.
    """

    cluster: str
    platform: Platform
    posts: int
    first: datetime | None
    last: datetime | None
    encoder: Digest = Field(description="Digest of the encoder's weights: embeddings of other encoders cannot be compared.")
    embedding: tuple[float, ...]
    visual: Visual | None = Field(None, description="None: not asked for, or fewer than minPosts posts have a photo.")
    topics: Annotated[dict[str, Count], Field(max_length=100)] | None = Field(
        None, description="Number of posts by topic (fedspoke.api.topics); None: not asked for."
    )
    noise: Noise | None


class ProfilePart(Record):
    """What one profile gave to the general one."""

    cluster: str
    platform: Platform
    posts: int
    weight: float
    noise: Noise | None


class GeneralVisual(Record):
    """The count-weighted mean of all visual embeddings, normalised to length 1."""

    embedding: tuple[float, ...]
    tower: Digest
    parts: tuple[str, ...] = Field(description="Profiles that are in it, as cluster/platform.")
    left_out: dict[str, str] = Field({}, description="Profiles that are not, and why.")


class TopicShares(Record):
    """How many of the posts are of which topic, as shares. Each is noised, so they need not add up to 1."""

    posts: int
    shares: dict[str, float]
    error: float = Field(description="Standard deviation of the noise in each share; 0: exact.")


class Topics(Record):
    """What all posts are about, and those of each platform."""

    total: TopicShares
    platforms: dict[Platform, TopicShares]


class Cosine(Record):
    """Similarity of two means, with the noise's part in it taken out again."""

    value: float
    error: float = Field(description="The standard error that the noise leaves.")


class Difference(Record):
    """A topic of which one platform has more than another, beyond noise and chance."""

    topic: str
    shares: tuple[float, float]
    error: float = Field(description="Standard error of the shares' difference, of noise and of sampling.")


class Comparison(Record):
    """Two platforms beside each other. What the noise hides is None, or is not listed."""

    platforms: tuple[Platform, Platform]
    text: Cosine | None = None
    visual: Cosine | None = None
    shared: tuple[str, ...] = Field((), description="Topics that both platforms have much of.")
    differs: tuple[Difference, ...] = Field((), description="The largest first.")


class GeneralProfile(Record):
    """The count-weighted mean of all profiles, normalised to length 1, with what it is made of."""

    run: str
    embedding: tuple[float, ...]
    encoder: Digest
    posts: int
    parts: tuple[ProfilePart, ...]
    cosines: tuple[tuple[float, ...], ...] = Field(description="Similarity of each pair of parts, in their order.")
    visual: GeneralVisual | None = Field(None, description="None: no part has a visual embedding.")
    topics: Topics | None = Field(None, description="None: no part counts topics.")
    comparisons: tuple[Comparison, ...] = Field((), description="Of each pair of platforms.")
    left_out: dict[str, str] = Field({}, description="Profiles of another encoder, as cluster/platform, and why.")


# Files of the aggregator.


class ClusterRound(Record):
    """One cluster's part in one round."""

    loss: Loss
    examples: Count
    seconds: Seconds
    bytes_in: int
    bytes_out: int
    held_out: HeldOut | None = None


class RoundRecord(Record):
    """A line of rounds.jsonl."""

    round: int
    digest: Digest = Field(description="Of the adapter that the round produced.")
    loss: Loss
    seconds: Seconds
    clusters: dict[str, ClusterRound]
    refused: dict[str, str] = Field({}, description="Clusters whose update was not used, and why.")
    late: int = Field(0, description="Answers and uploads of earlier rounds or tries that came in this one; they were dropped.")
    repeated: int = Field(0, description="Answers and uploads that came once more; they counted once.")
    lora_bias: float | None = Field(
        None,
        description=(
            "Distance of the round's B·A from the mean of the clusters' B·A, relative to it; "
            "None: the strategy is to make something else than that mean, or the mean is zero."
        ),
    )


class ClusterProgress(Record):
    """Where one chosen cluster is."""

    phase: Literal["Waiting", "Preparing", "Ready", "Training", "Trained", "Finished", "Failed"] = "Waiting"
    reason: str = ""
    posts: dict[Platform, Count] = {}
    last_round: int | None = None
    loss: Loss | None = None


class Progress(Record):
    """progress.json: the aggregator's own account of itself, replaced whole at every step."""

    attempt: str = Field("", description="Of which attempt this is told; an earlier one's end says nothing of this one.")
    phase: Phase
    message: str = Field(description="What it does or waits for; for whom, since when and until when.")
    round: int = Field(0, description="The last finished round.")
    clusters: dict[str, ClusterProgress] = {}
    model: Digest | None = None
    profile: Digest | None = None
    fused: str = Field("", description="Why profiles were not fused, or left out of it.")
    held_out: HeldOut | None = Field(None, description="Of the base model and of the final adapter, over all clusters.")
