"""OCM's ManagedCluster (cluster.open-cluster-management.io/v1), as far as a placement looks at it."""

from typing import Annotated, Literal

from pydantic import Field

from fedspoke.api.base import Reported
from fedspoke.api.units import Quantity, Time


class ClusterMetadata(Reported):
    """What the cluster is called, and how a hub admin labelled it."""

    name: Annotated[str, Field(min_length=1)]
    labels: dict[str, str] = Field(default_factory=dict)


class Taint(Reported):
    """Why clusters like this are not to be chosen."""

    key: str
    value: str = ""
    effect: Literal["NoSelect", "PreferNoSelect", "NoSelectIfNew"]
    time_added: Time | None = None


class ClusterSpec(Reported):
    """What the hub decided about the cluster."""

    hub_accepts_client: bool = True
    taints: list[Taint] = Field(default_factory=list)


class Claim(Reported):
    """One thing that the cluster says of itself."""

    name: str
    value: str


class ClusterState(Reported):
    """What the cluster says of itself."""

    cluster_claims: list[Claim] = Field(default_factory=list)
    allocatable: dict[str, Quantity] = Field(default_factory=dict)
    capacity: dict[str, Quantity] = Field(default_factory=dict)


class ManagedCluster(Reported):
    """One cluster of the fleet; the API server has many more fields, which are passed over."""

    metadata: ClusterMetadata
    spec: ClusterSpec = Field(default_factory=ClusterSpec)
    status: ClusterState = Field(default_factory=ClusterState)
