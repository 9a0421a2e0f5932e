"""The FederatedLearning resource: what a user asks for (spec) and what the hub answers (status, in status.py).

A superset of the community's CRD of the same group and kind: every CR that its controller can run is accepted here and means
the same. The CRD in hub/deploy is generated from these models (crd.py); a CR is read by parse.py.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.aggregation import BETA, MALICIOUS, SUMS, Aggregation, Convergence
from fedspoke.api.base import Api, Object, Rule
from fedspoke.api.curation import Curation
from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.api.placement_spec import PlacementSpec
from fedspoke.api.status import (
    Artifact,
    ClusterStatus,
    Condition,
    FederatedLearningStatus,
    ListenerStatus,
    Phase,
    RoundMetrics,
    Rounds,
)
from fedspoke.api.storage import Storage
from fedspoke.api.training import AdapterPrivacy, Lora, Model, Privacy, Profiles, Training
from fedspoke.api.units import Duration, Quantity

# They are one resource: all its parts can be had from here.
__all__ = [
    "AdapterPrivacy",
    "Aggregation",
    "Artifact",
    "ClusterStatus",
    "Condition",
    "Convergence",
    "Curation",
    "FederatedLearningStatus",
    "ListenerStatus",
    "Lora",
    "Model",
    "Object",
    "Phase",
    "Privacy",
    "Profiles",
    "RoundMetrics",
    "Rounds",
    "Training",
]


ANY_PORT = 8080
"""The community's default. No node's port is that low: a NodePort that names no other gets one that Kubernetes chooses."""


class Listener(Api):
    """One address at which spokes reach the hub's gateway."""

    name: str = Field("", description="What the status calls it.")
    type: Literal["NodePort", "LoadBalancer", "Route", "Ingress"] = Field("NodePort", description="How it is exposed.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        ANY_PORT, description=f"The port that spokes connect to. For a NodePort {ANY_PORT} is any that Kubernetes chooses."
    )
    ip: str | None = Field(None, description="NodePort only: the node's address as spokes see it.")

    rules = (
        Rule(  # LoadBalancer and Route pass it over, as the community's controller does
            field="ip",
            message="belongs to a NodePort and cannot be given when type is Ingress",
            cel="self.type != 'Ingress' || !has(self.ip)",
            holds=lambda it: it.type != "Ingress" or it.ip is None,
        ),
    )


def _option(name: str, default: float) -> str:
    """CEL for one of the strategy's numbers, at the server."""
    options = "self.aggregation.options"
    return f"(has({options}) && '{name}' in {options} ? {options}['{name}'] : {float(default)})"


def _enough(strategy: str, server: "Server") -> bool:
    return server.aggregation.strategy != strategy or server.quorum >= server.aggregation.responses


def _enough_responses() -> Iterator[Rule]:
    """For each strategy with a least number of updates: a round's quorum makes sure of them (Aggregation.responses)."""
    quorum = "double(has(self.minResponses) ? self.minResponses : self.minAvailableClients)"
    beta, malicious, select = _option("beta", BETA), _option("malicious", MALICIOUS), _option("select", 1)
    krum, least = f"{quorum} >= 2.0 * {malicious} + 3.0", "2·malicious + 3"
    unless = f"where options.malicious is {MALICIOUS} if not given"
    needs = {
        "fedmedian": ("3", f"{quorum} >= 3.0"),
        "trimmedmean": (f"1 / beta, where options.beta is {BETA} if not given", f"{beta} == 0.0 || {quorum} >= 1.0 / {beta}"),
        "krum": (f"{least}, {unless}", krum),
        "multikrum": (f"{least} and select + malicious + 2, {unless}", f"{krum} && {quorum} >= {select} + {malicious} + 2.0"),
        "bulyan": (f"4·malicious + 3, {unless}", f"{quorum} >= 4.0 * {malicious} + 3.0"),
    }
    for strategy, (words, cel) in needs.items():
        yield Rule(
            field="aggregation.strategy",
            message=f"needs more clusters a round than minResponses (or minAvailableClients) makes sure of: {words}",
            cel=f"self.aggregation.strategy != '{strategy}' || {cel}",
            holds=partial(_enough, strategy),
        )


MAY_CHANGE = ("min_available_clients", "min_responses", "round_timeout", "convergence")
"""Of the server's fields, once rounds have begun (hub/deploy/changes.yaml); the rest is part of what was trained."""


class Server(Api):
    """The aggregator on the hub."""

    image: str | None = Field(None, description="The aggregator's image; the operator's own if not given.")
    rounds: Annotated[int, Field(ge=1)] = Field(3, description="Rounds of training.")
    min_available_clients: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Clusters that must be there before the first round; a round's quorum too, unless minResponses is given.",
    )
    min_responses: Annotated[int, Field(ge=1)] | None = Field(None, description="Clusters whose update a round needs.")
    round_timeout: Duration = Field(
        timedelta(minutes=30), description="How long one of at most three attempts at a round may take."
    )
    superlink: str = Field(
        "superlink.flower-system:9091", description="Kept for the community's CRs; fedspoke runs its own SuperLink."
    )
    listeners: list[Listener] = Field(default_factory=list, description="Where spokes reach the hub's gateway.")
    storage: Storage = Field(Storage(), description="Where the global model is kept.")
    aggregation: Aggregation = Field(Aggregation(), description="How the clusters' adapters become one.")
    convergence: Convergence | None = Field(None, description="When to stop early; never if not given.")

    rules = (
        Rule(
            field="minResponses",
            message="must not be greater than minAvailableClients: a round could wait for clusters that need not be there",
            cel="!has(self.minResponses) || self.minResponses <= self.minAvailableClients",
            holds=lambda it: it.min_responses is None or it.min_responses <= it.min_available_clients,
        ),
        Rule(
            field="roundTimeout",
            message="must be longer than 0s",
            cel="duration(self.roundTimeout) > duration('0s')",
            holds=lambda it: it.round_timeout > timedelta(0),
        ),
        *_enough_responses(),
    )

    @property
    def quorum(self) -> int:
        """How many clusters' updates make a round."""
        return self.min_responses or self.min_available_clients


class Data(Api):
    """Sugar for Placement: clusters that declare data of these platforms."""

    platforms: Annotated[list[Platform], Field(min_length=1)] = Field(
        list(PLATFORMS), description="Any one of them suffices; a cluster trains on all of them that it has."
    )
    min_posts: Annotated[int, Field(ge=0)] = Field(0, description="Posts of a platform that a cluster must claim at least.")


class Resources(Api):
    """Compute resources of one collaborator; a GPU among them is required of a cluster, too."""

    limits: dict[str, Quantity] = Field(default_factory=dict, description="By resource name, as nvidia.com/gpu.")
    requests: dict[str, Quantity] = Field(default_factory=dict, description="By resource name, as memory.")


class Toleration(Api):
    """A pod's toleration (core/v1)."""

    key: str | None = Field(None, description="The taint's key; every key if not given.")
    operator: Literal["Exists", "Equal"] = Field("Equal", description="Exists matches every value.")
    value: str | None = Field(None, description="The taint's value, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect; every effect if not given."
    )
    toleration_seconds: int | None = Field(None, description="NoExecute only: for how long.")


class Client(Api):
    """The collaborators on the spokes."""

    image: str | None = Field(None, description="The collaborator's image; the operator's own if not given.")
    supernode: str = Field(
        "flower-supernode.flower-addon:9094", description="Kept for the community's CRs; fedspoke runs its own SuperNodes."
    )
    placement: PlacementSpec = Field(
        default_factory=PlacementSpec,
        description="Which managed clusters take part; data and GPU requests are required in addition.",
    )
    data: Data | None = Field(None, description="Only clusters that declare such data.")
    resources: Resources = Field(default_factory=Resources, description="Compute resources of one collaborator.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels of the spoke's nodes that it may run on.")
    tolerations: list[Toleration] = Field(
        default_factory=list, description="Taints of the spoke's nodes that do not keep it out."
    )
    hub_lost_grace: Duration = Field(
        timedelta(minutes=30), description="How long a collaborator waits for a hub that is gone before it frees its GPU."
    )
    curation: Curation | None = Field(
        None,
        description="A model of the spoke that judges each post before it is trained on, where its owner allows it.",
    )


class FederatedLearningSpec(Api):
    """Desired state of one federation."""

    framework: Literal["flower", "openfl", "other"] = Field(
        "other", description="What runs the rounds; other is the community's default, for images of one's own."
    )
    server: Server = Field(Server(), description="The aggregator on the hub.")
    client: Client = Field(Client(), description="The collaborators on the spokes.")
    training: Training = Field(Training(), description="One cluster's training in one round.")
    profiles: Profiles = Field(Profiles(), description="One profile a platform and cluster, fused into a general one.")
    privacy: Privacy = Field(Privacy(), description="What the hub may learn of one cluster's adapter.")
    deadline: Duration = Field(
        timedelta(hours=24), description="The federation fails when it has not completed so long after status.startTime."
    )
    suspend: bool = Field(False, description="No new round begins while this is true.")
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = Field(
        None, description="How long a finished federation is kept; for ever if not given."
    )

    rules = (
        Rule(
            field="deadline",
            message="must be longer than 0s",
            cel="duration(self.deadline) > duration('0s')",
            holds=lambda it: it.deadline > timedelta(0),
        ),
        Rule(
            field="privacy.secureAggregation",
            message="shows the hub only sums, so server.aggregation must have a strategy of sums (fedavg, fedprox, fedadam or "
            "fedyogi) and lora average or ffa",
            cel="!self.privacy.secureAggregation || (self.server.aggregation.lora != 'svd' && "
            f"self.server.aggregation.strategy in {list(SUMS)})",
            holds=lambda it: (
                not it.privacy.secure_aggregation
                or (it.server.aggregation.lora != "svd" and it.server.aggregation.strategy in SUMS)
            ),
        ),
        Rule(
            field="training.lora.ranks",
            message="needs server.aggregation.lora svd: factors of different ranks cannot be averaged",
            cel="!has(self.training.lora.ranks) || size(self.training.lora.ranks) == 0 || self.server.aggregation.lora == 'svd'",
            holds=lambda it: not it.training.lora.ranks or it.server.aggregation.lora == "svd",
        ),
    )


class FederatedLearning(Api):
    """One federation."""

    namespace: str
    name: str
    uid: str = ""
    generation: int = 1
    spec: FederatedLearningSpec
