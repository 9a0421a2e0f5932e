"""The FederatedLearning resource: what a user asks for (spec) and what the hub answers (status).

A superset of the community's CRD of the same group and kind: every CR that it accepts is accepted here and means the same.
The CRD in hub/deploy is generated from these models (crd.py).
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fedspoke.api.names import PLATFORMS, Platform
from fedspoke.api.units import Duration, Quantity

Object = dict[str, Any]
"""A Kubernetes object as it is on the wire."""

Phase = Literal["Waiting", "Running", "Completed", "Failed"]


class Api(BaseModel):
    """A frozen value with camelCase names outside; an unknown field is an error, since a typo must not pass in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class S3(Api):
    """An S3 bucket that receives the model."""

    bucket_name: str
    region: str | None = None
    prefix: str | None = None


class Storage(Api):
    """Where the global model is kept."""

    name: str | None = None
    type: Literal["PersistentVolumeClaim", "HostPath", "S3Bucket"] = "PersistentVolumeClaim"
    size: Quantity | None = None
    path: str | None = Field(None, description="Folder of this federation inside the storage.")
    s3: S3 | None = None


class Listener(Api):
    """One address at which spokes reach the hub's gateway."""

    name: str
    type: Literal["NodePort", "LoadBalancer", "Route", "Ingress"] = "NodePort"
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    ip: str | None = Field(None, description="NodePort only: the node's address as spokes see it.")


class Aggregation(Api):
    """How the clusters' adapters become one."""

    strategy: Literal["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "trimmedmean", "krum", "multikrum", "bulyan"] = (
        "fedavg"
    )
    lora: Literal["average", "svd", "ffa"] = Field(
        "average",
        description="average: A and B each by their mean; svd: the best rank-r factors of the mean of B·A; ffa: A stays as it was.",
    )
    options: dict[str, float] = {}


class Convergence(Api):
    """Stop before the last round once the metric no longer improves."""

    metric: Literal["loss"] = "loss"
    min_delta: Annotated[float, Field(ge=0)] = 0.01
    patience: Annotated[int, Field(ge=1)] = 2
    method: Literal["any", "all"] = Field("all", description="Whether any one cluster or all of them must have converged.")


class Server(Api):
    """The aggregator on the hub."""

    image: str | None = None
    rounds: Annotated[int, Field(ge=1)] = 3
    min_available_clients: Annotated[int, Field(ge=1)] = Field(
        1,
        description="Clusters that must be there before the first round; the quorum of a round too, unless minResponses says otherwise.",
    )
    min_responses: Annotated[int, Field(ge=1)] | None = Field(None, description="Clusters whose update a round needs.")
    round_timeout: Duration = timedelta(minutes=30)
    superlink: str = Field(
        "superlink.flower-system:9091", description="Kept for the community's CRs; fedspoke runs its own SuperLink."
    )
    listeners: list[Listener] = []
    storage: Storage = Storage()
    aggregation: Aggregation = Aggregation()
    convergence: Convergence | None = None

    @property
    def quorum(self) -> int:
        """How many clusters' updates make a round."""
        return self.min_responses or self.min_available_clients


class Data(Api):
    """Sugar for Placement: clusters that declare data of these platforms."""

    platforms: list[Platform] = list(PLATFORMS)
    min_posts: Annotated[int, Field(ge=0)] = 0


class Resources(Api):
    """Compute resources of one collaborator."""

    limits: dict[str, Quantity] = {}
    requests: dict[str, Quantity] = {}


class Toleration(Api):
    """A pod's toleration (core/v1)."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: int | None = None


class Client(Api):
    """The collaborators on the spokes."""

    image: str | None = None
    supernode: str = Field(
        "flower-supernode.flower-addon:9094", description="Kept for the community's CRs; fedspoke runs its own SuperNodes."
    )
    placement: dict[str, Any] = Field({}, description="A PlacementSpec (cluster.open-cluster-management.io/v1beta1).")
    data: Data | None = None
    resources: Resources = Resources()
    node_selector: dict[str, str] = {}
    tolerations: list[Toleration] = []
    hub_lost_grace: Duration = timedelta(minutes=30)


class Model(Api):
    """The LLaVA that is fine-tuned."""

    name: str = Field("llava-hf/llava-1.5-7b-hf", min_length=1, description="A name on a model hub, or a path.")
    claim_name: str | None = Field(None, description="A PVC on the spoke that holds or caches the model.")


class Lora(Api):
    """Low-rank adapters on the language model's linear layers (arXiv 2106.09685)."""

    rank: Annotated[int, Field(ge=1, le=256)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Training(Api):
    """One cluster's training in one round."""

    model: Model = Model()
    lora: Lora = Lora()
    quantization: Literal["none", "int8", "nf4"] = "none"
    epochs: Annotated[int, Field(ge=1)] = 1
    steps: Annotated[int, Field(ge=1)] | None = Field(None, description="Optimizer steps a round, instead of epochs.")
    batch_size: Annotated[int, Field(ge=1)] = 4
    gradient_accumulation: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 2.0e-4
    max_length: Annotated[int, Field(ge=16)] = 2048


class Profiles(Api):
    """One profile a platform and cluster, fused into a general one."""

    enabled: bool = True
    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="The text encoder: a name on a model hub, or a path."
    )
    epsilon: Annotated[float, Field(gt=0)] | None = Field(
        8, description="Privacy loss per post; null means no noise, and the profile says so."
    )
    delta: Annotated[float, Field(gt=0, lt=1)] = 1.0e-5
    min_posts: Annotated[int, Field(ge=1)] = Field(20, description="A platform with fewer posts shares no profile.")


class AdapterPrivacy(Api):
    """Clipping and noise on each adapter before it leaves the cluster."""

    mechanism: Literal["none", "gaussian"] = "none"
    clip: Annotated[float, Field(gt=0)] = 1.0
    noise_multiplier: Annotated[float, Field(ge=0)] = 0.0


class Privacy(Api):
    """What the hub may learn of one cluster's adapter."""

    adapters: AdapterPrivacy = AdapterPrivacy()
    secure_aggregation: bool = False


class FederatedLearningSpec(Api):
    """Desired state of one federation."""

    framework: Literal["flower", "openfl", "other"] = "flower"
    server: Server = Server()
    client: Client = Client()
    training: Training = Training()
    profiles: Profiles = Profiles()
    privacy: Privacy = Privacy()
    deadline: Duration = Field(timedelta(hours=24), description="The federation fails when it has not completed by then.")
    suspend: bool = False
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | None = None


class Condition(Api):
    """metav1.Condition."""

    type: Literal[
        "PlacementSatisfied", "AggregatorReady", "CollaboratorsReady", "Training", "ModelSaved", "ProfilesFused", "Degraded"
    ]
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int = 0


class ListenerStatus(Api):
    """Where a listener is reached."""

    name: str
    type: str
    address: str
    port: int


class Rounds(Api):
    """How far the federation is."""

    completed: int = 0
    total: int


class ClusterStatus(Api):
    """One chosen cluster."""

    name: str
    platform: str = Field("", description="The platforms whose data it trains on, comma-separated.")
    phase: str
    reason: str = ""
    posts: int | None = None
    last_round: int | None = None
    loss: float | None = None


class RoundMetrics(Api):
    """One finished round."""

    round: int
    loss: float = Field(description="The clusters' training loss, weighted by examples.")
    clusters: int
    seconds: float
    bytes_in: int
    bytes_out: int
    lora_bias: float | None = None


class Artifact(Api):
    """A file that the federation produced."""

    uri: str
    digest: str


class FederatedLearningStatus(Api):
    """Observed state of one federation."""

    phase: Phase = "Waiting"
    message: str = ""
    listeners: list[ListenerStatus] = []
    observed_generation: int | None = None
    start_time: datetime | None = None
    completion_time: datetime | None = None
    conditions: list[Condition] = []
    rounds: Rounds | None = None
    clusters: list[ClusterStatus] = []
    metrics: list[RoundMetrics] = []
    model: Artifact | None = None
    profile: Artifact | None = None


class FederatedLearning(Api):
    """One federation."""

    namespace: str
    name: str
    generation: int = 1
    spec: FederatedLearningSpec
