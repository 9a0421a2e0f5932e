"""The FederatedLearning resource: what a user asks for (spec) and what the hub answers (status, in status.py).

A superset of the community's CRD of the same group and kind: every CR that its controller can run is accepted here and means
the same. The CRD in hub/deploy is generated from these models (crd.py); a CR is read by parse.py.
"""

import math
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Api, Object, Rule
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
from fedspoke.api.training import AdapterPrivacy, Lora, Model, Privacy, Profiles, Training
from fedspoke.api.units import Duration, Quantity

# They are one resource: all its parts can be had from here.
__all__ = [
    "AdapterPrivacy",
    "Artifact",
    "ClusterStatus",
    "Condition",
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

SUMS: tuple[str, ...] = ("fedavg", "fedprox", "fedadam", "fedyogi")
"""Strategies that need only the sum of the updates, so that no single one is ever seen."""

_ADAPTIVE = ["learningRate", "beta1", "beta2", "tau"]
OPTIONS: dict[str, list[str]] = {
    "fedavg": [],
    "fedprox": ["mu"],
    "fedadam": _ADAPTIVE,
    "fedyogi": _ADAPTIVE,
    "fedmedian": [],
    "trimmedmean": ["beta"],
    "krum": ["malicious"],
    "multikrum": ["malicious", "select"],
    "bulyan": ["malicious"],
}
"""Strategy → the numbers that it takes."""


MALICIOUS, BETA = 1, 0.2
"""How many clusters may lie, and what share a trimmed mean cuts off at each end, where the options do not say."""


class S3(Api):
    """An S3 bucket that receives the model."""

    bucket_name: Annotated[str, Field(min_length=1)] = Field(description="Name of an existing bucket.")
    region: str | None = Field(None, description="The bucket's AWS region.")
    prefix: str | None = Field(None, description="Folder inside the bucket; its root if not given.")


class Storage(Api):
    """Where the global model is kept."""

    name: str | None = Field(None, description="Name of the PersistentVolumeClaim that is used, or made.")
    type: Literal["PersistentVolumeClaim", "HostPath", "S3Bucket"] = Field(
        "PersistentVolumeClaim", description="What kind of storage it is."
    )
    size: Quantity | None = Field(None, description="Size of a claim that is made.")
    path: str | None = Field(None, description="Folder of this federation inside the storage.")
    s3: S3 | None = Field(None, description="The bucket, for type S3Bucket.")

    rules = (
        Rule(
            field="s3",
            message="must be given when type is S3Bucket",
            cel="self.type != 'S3Bucket' || has(self.s3)",
            holds=lambda it: it.type != "S3Bucket" or it.s3 is not None,
        ),
        Rule(
            field="path",
            message="must be an absolute path on the node when type is HostPath",
            cel="self.type != 'HostPath' || (has(self.path) && self.path.startsWith('/'))",
            holds=lambda it: it.type != "HostPath" or (it.path or "").startswith("/"),
        ),
    )


class Listener(Api):
    """One address at which spokes reach the hub's gateway."""

    name: str = Field("", description="What the status calls it.")
    type: Literal["NodePort", "LoadBalancer", "Route", "Ingress"] = Field("NodePort", description="How it is exposed.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(8080, description="The port that spokes connect to.")
    ip: str | None = Field(None, description="NodePort only: the node's address as spokes see it.")

    rules = (
        Rule(  # LoadBalancer and Route pass it over, as the community's controller does
            field="ip",
            message="belongs to a NodePort and cannot be given when type is Ingress",
            cel="self.type != 'Ingress' || !has(self.ip)",
            holds=lambda it: it.type != "Ingress" or it.ip is None,
        ),
    )


class Aggregation(Api):
    """How the clusters' adapters become one."""

    strategy: Literal["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "trimmedmean", "krum", "multikrum", "bulyan"] = (
        Field("fedavg", description="How the updates are weighed and combined.")
    )
    lora: Literal["average", "svd", "ffa"] = Field(
        "average",
        description="average: A and B each by their mean; svd: the best rank-r factors of the mean of B·A; ffa: A never changes.",
    )
    options: dict[str, float] = Field(
        default_factory=dict,
        max_length=8,
        description="The strategy's own numbers. fedprox: mu; fedadam, fedyogi: learningRate, beta1, beta2, tau; trimmedmean: "
        "beta, the share cut off at each end; krum, multikrum, bulyan: malicious, how many clusters may lie; multikrum: select.",
    )

    rules = (
        Rule(
            field="options",
            message="must be the strategy's own: "
            + "; ".join(f"{name}: {', '.join(takes) or 'none'}" for name, takes in OPTIONS.items()),
            cel=f"!has(self.options) || self.options.all(name, name in {OPTIONS}[self.strategy])",
            holds=lambda it: it.options.keys() <= set(OPTIONS[it.strategy]),
        ),
        Rule(
            field="options",
            message="must be in range: mu 0 or more, learningRate and tau greater than 0, beta1 and beta2 at least 0 and less "
            "than 1, beta at least 0 and less than 0.5, malicious a whole number from 0, select a whole number from 1",
            cel="!has(self.options) || self.options.all(name, name in ['learningRate', 'tau'] ? self.options[name] > 0.0 : "
            "name in ['beta1', 'beta2'] ? self.options[name] >= 0.0 && self.options[name] < 1.0 : "
            "name == 'beta' ? self.options[name] >= 0.0 && self.options[name] < 0.5 : "
            "name == 'malicious' ? self.options[name] >= 0.0 && double(int(self.options[name])) == self.options[name] : "
            "name == 'select' ? self.options[name] >= 1.0 && double(int(self.options[name])) == self.options[name] : "
            "self.options[name] >= 0.0)",
            holds=lambda it: all(_in_range(name, value) for name, value in it.options.items()),
        ),
        Rule(
            field="lora",
            message="can be svd only with the strategies fedavg and fedprox: the others work on each number of A and B, "
            "of which svd makes new ones",
            cel="self.lora != 'svd' || self.strategy in ['fedavg', 'fedprox']",
            holds=lambda it: it.lora != "svd" or it.strategy in ("fedavg", "fedprox"),
        ),
    )

    @property
    def malicious(self) -> int:
        """How many clusters may lie."""
        return int(self.options.get("malicious", MALICIOUS))

    @property
    def responses(self) -> int:
        """How many clusters' updates the strategy needs at least, so that liars cannot decide.

        A median of two is their mean; a trimmed mean must cut off one at each end; Krum: arXiv 1703.02757; Bulyan: 1802.07927.
        """
        match self.strategy:
            case "fedmedian":
                return 3
            case "trimmedmean":
                beta = self.options.get("beta", BETA)
                return math.ceil(1 / beta) if beta else 1
            case "krum":
                return 2 * self.malicious + 3
            case "multikrum":
                return max(2 * self.malicious + 3, int(self.options.get("select", 1)) + self.malicious)
            case "bulyan":
                return 4 * self.malicious + 3
            case _:
                return 1


def _in_range(name: str, value: float) -> bool:
    match name:
        case "learningRate" | "tau":
            return value > 0
        case "beta1" | "beta2":
            return 0 <= value < 1
        case "beta":
            return 0 <= value < 0.5
        case "malicious":
            return value >= 0 and value == int(value)
        case "select":
            return value >= 1 and value == int(value)
        case _:
            return value >= 0


class Convergence(Api):
    """Stop before the last round once the metric no longer improves."""

    metric: Literal["loss"] = Field("loss", description="What is watched.")
    min_delta: Annotated[float, Field(ge=0)] = Field(0.01, description="An improvement smaller than this counts as none.")
    patience: Annotated[int, Field(ge=1)] = Field(2, description="Rounds without improvement before it stops.")
    method: Literal["any", "all"] = Field("all", description="Whether any one cluster or all of them must have converged.")


def _option(name: str, default: float) -> str:
    """CEL for one of the strategy's numbers, at the server."""
    options = "self.aggregation.options"
    return f"(has({options}) && '{name}' in {options} ? {options}['{name}'] : {float(default)})"


_QUORUM = "double(has(self.minResponses) ? self.minResponses : self.minAvailableClients)"
_BETA, _MALICIOUS, _SELECT = _option("beta", BETA), _option("malicious", MALICIOUS), _option("select", 1)


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
        Rule(
            field="aggregation.strategy",
            message="needs more clusters a round than minResponses (or minAvailableClients) makes sure of: fedmedian 3, trimmed"
            "mean 1 / beta, krum and multikrum 2·malicious + 3, bulyan 4·malicious + 3, multikrum also select + malicious, "
            f"where options.beta is {BETA} and options.malicious {MALICIOUS} unless they are given",
            cel=f"self.aggregation.strategy == 'fedmedian' ? {_QUORUM} >= 3.0 : "
            f"self.aggregation.strategy == 'trimmedmean' ? {_BETA} == 0.0 || {_QUORUM} >= 1.0 / {_BETA} : "
            f"self.aggregation.strategy == 'krum' ? {_QUORUM} >= 2.0 * {_MALICIOUS} + 3.0 : "
            f"self.aggregation.strategy == 'multikrum' ? {_QUORUM} >= 2.0 * {_MALICIOUS} + 3.0 && "
            f"{_QUORUM} >= {_SELECT} + {_MALICIOUS} : "
            f"self.aggregation.strategy != 'bulyan' || {_QUORUM} >= 4.0 * {_MALICIOUS} + 3.0",
            holds=lambda it: it.quorum >= it.aggregation.responses,
        ),
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
    generation: int = 1
    spec: FederatedLearningSpec
