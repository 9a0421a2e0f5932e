"""What the hub answers: the status of a FederatedLearning."""

from datetime import datetime
from typing import Literal

from pydantic import Field, computed_field

from fedspoke.api.base import Reported

Phase = Literal["Waiting", "Running", "Completed", "Failed"]

ENDED: tuple[Phase, ...] = ("Completed", "Failed")
"""The phases after which nothing more comes of an attempt."""


class Condition(Reported):
    """One aspect of the state (metav1.Condition)."""

    type: Literal[
        "PlacementSatisfied",
        "AggregatorReady",
        "CollaboratorsReady",
        "Training",
        "ModelSaved",
        "ProfilesFused",
        "Degraded",
        "Suspended",
    ] = Field(description="The aspect that this condition is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(description="Why, as one CamelCase word for programs.")
    message: str = Field(description="Why, as one sentence for people.")
    last_transition_time: datetime = Field(description="When the status last changed.")
    observed_generation: int = Field(0, description="The generation of the spec that this was seen for.")


class ListenerStatus(Reported):
    """Where a listener is reached."""

    name: str = Field(description="The listener's name in the spec.")
    type: str = Field(description="The listener's type in the spec.")
    address: str = Field(description="Host or ip:port at which spokes reach it.")
    port: int = Field(description="The port of that address.")


class Rounds(Reported):
    """How far the federation is."""

    completed: int = Field(0, description="Rounds whose result is the global adapter now.")
    total: int = Field(description="Rounds that the spec asks for.")


class ClusterStatus(Reported):
    """One chosen cluster."""

    name: str = Field(description="The ManagedCluster's name.")
    platform: str = Field("", description="The platforms whose data it trains on, comma-separated.")
    phase: str = Field(description="Where it is: Waiting, Preparing, Ready, Training, Trained, Finishing, Finished or Failed.")
    reason: str = Field("", description="Why it is there, where that needs a reason.")
    posts: int | None = Field(None, description="Posts that it trains on.")
    last_round: int | None = Field(None, description="The last round that used its update.")
    loss: float | None = Field(None, description="Its training loss in that round.")


class RoundMetrics(Reported):
    """One finished round."""

    round: int = Field(description="Its number, from 1.")
    loss: float = Field(description="The clusters' training loss, weighted by examples.")
    clusters: int = Field(description="Clusters whose update it used.")
    seconds: float = Field(description="How long it took.")
    bytes_in: int = Field(description="Bytes of adapters received from clusters.")
    bytes_out: int = Field(description="Bytes of adapters sent to clusters.")
    held_out_loss: float | None = Field(
        None, description="Loss of its adapter on posts held out; measured in the next round, or at the end."
    )
    lora_bias: float | None = Field(
        None,
        description=(
            "Distance of the B·A of mean A and mean B from the mean of the clusters' B·A, weighted by examples, relative to it; "
            "with svd or ffa, of the round's B·A. Absent for the robust strategies, which are to make something else than a mean."
        ),
    )
    late: int = Field(0, description="Answers and uploads of earlier rounds or tries that came in this one and were dropped.")
    repeated: int = Field(0, description="Answers and uploads that came once more, and counted once.")


class Artifact(Reported):
    """A file that the federation produced."""

    uri: str = Field(description="Where it is kept.")
    digest: str = Field(description="SHA-256 of its content, in hex.")


class Evaluation(Reported):
    """What the final adapter is worth, on posts that no cluster trained on."""

    posts: int = Field(description="Posts held out, of all clusters.")
    base_loss: float = Field(description="The base model's loss on them.")
    loss: float = Field(description="The final adapter's loss on them.")


class SpentPrivacy(Reported):
    """What the clipped and noised adapters of the cluster that sent most of them may tell of its posts, all together."""

    epsilon: float = Field(description="Privacy loss of all releases together, at this delta.")
    delta: float = Field(description="Probability that epsilon does not hold.")
    releases: int = Field(description="Adapters that left the cluster.")
    unit: str = Field(description="What is hidden: two data sets that differ in it alone can hardly be told apart.")


class Summary(Reported):
    """The status in a few words, for `kubectl get`, whose columns can show a field but not count or divide."""

    rounds: str = Field(description="Completed of all rounds, as 2/3.")
    clusters: str = Field(description="Clusters at work of all chosen ones, as 2/2.")
    loss: str = Field(description="The last round's loss.")


_NOT_AT_WORK = {"Waiting", "Preparing", "Failed"}


class FederatedLearningStatus(Reported):
    """Observed state of one federation."""

    phase: Phase = Field("Waiting", description="Where the federation is.")
    message: str = Field("", description="One sentence a person can act on.")
    listeners: list[ListenerStatus] = Field([], description="Where spokes reach the hub's gateway.")
    observed_generation: int | None = Field(None, description="The generation of the spec that this status answers.")
    start_time: datetime | None = Field(
        None, description="When this attempt at the federation began; one that is interrupted goes on with its own."
    )
    training_start_time: datetime | None = Field(
        None, description="When its rounds were first seen at work: from then on what is part of the training cannot change."
    )
    completion_time: datetime | None = Field(None, description="When it completed or failed.")
    conditions: list[Condition] = Field(
        [],
        description="The aspects of the state, one of each type.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    rounds: Rounds | None = Field(None, description="How far it is.")
    clusters: list[ClusterStatus] = Field(
        [],
        description="The chosen clusters.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    metrics: list[RoundMetrics] = Field([], description="The last 20 rounds; all of them are in the stored rounds.jsonl.")
    model: Artifact | None = Field(None, description="The global adapter.")
    profile: Artifact | None = Field(None, description="The general profile.")
    evaluation: Evaluation | None = Field(None, description="What the final adapter is worth.")
    privacy: SpentPrivacy | None = Field(None, description="What the adapters may have told; absent where they are not noised.")

    @computed_field(description="The same in a few words.")  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def summary(self) -> Summary:
        """What the printer columns show."""
        at_work = sum(cluster.phase not in _NOT_AT_WORK for cluster in self.clusters)
        return Summary(
            rounds=f"{self.rounds.completed}/{self.rounds.total}" if self.rounds else "",
            clusters=f"{at_work}/{len(self.clusters)}" if self.clusters else "",
            loss=f"{self.metrics[-1].loss:.4g}" if self.metrics else "",
        )
