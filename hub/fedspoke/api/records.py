"""What crosses a process boundary: the settings a process starts with, the orders and answers that Flower carries, and
the files that the aggregator leaves behind. All are JSON; all are checked where they enter.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.curation import Curation
from fedspoke.api.federated_learning import AdapterPrivacy, Lora, Phase, Profiles, Server, Training
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


class HubGateway(Record):
    """Where a spoke's agent hears whether a federation's hub is still there."""

    run: str
    address: str
    port: int
    server_name: str
    grace: Annotated[float, Field(ge=0)]
    """Seconds that the hub may be silent (client.hubLostGrace)."""


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
    curation: Curation | None = None
    overrules: str = Field("", description="Folder of what the owner says of single posts: the files `keep` and `set-aside`.")
    gateway: str = Field(description="host:port of the sidecar, on loopback: plaintext in, mutual TLS out.")
    mcp_port: int
    mcp_token: str = Field(
        description="File that mcp-server makes at its start (0600) and flower-client reads: the bearer token."
    )
    supernode_port: int
    key: str | None = Field(
        None,
        description="File of 32 bytes, for mcp-server alone: what it makes of posts is sealed with it; None: nothing is.",
    )
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
    federation: str = Field("", description="The uid of its resource, whose folder is no other's; empty where there is no hub.")


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
    remark: Sentence = Field("", description="What whoever asked for the federation should know; nothing of a post.")


class Preparing(Record):
    """Not ready yet: the step at work, so that the hub can say so; it asks again."""

    cluster: ClusterName
    step: Annotated[str, Field(max_length=63)]
    since: AwareDatetime | None
    again: Sentence = Field("", description="Why steps are repeated, if they are.")


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
    ledger: Annotated[str, Field(max_length=64)] = Field("", description="In which it counts them; another one begins at 0.")


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
            "Distance of the product of the means from the mean of the clusters' B·A, relative to it (Combined.lora_bias); "
            "None: the strategy makes no such mean, or the mean is zero."
        ),
    )


class ClusterProgress(Record):
    """Where one chosen cluster is."""

    phase: Literal["Waiting", "Preparing", "Ready", "Training", "Trained", "Finishing", "Finished", "Failed"] = "Waiting"
    reason: str = ""
    remark: str = ""
    """Of its own, when it was ready last; it holds for all that it does."""
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
    fused: str = Field("", description="Which profiles were left out of the general one, and why.")
    held_out: HeldOut | None = Field(None, description="Of the base model and of the final adapter, over all clusters.")
