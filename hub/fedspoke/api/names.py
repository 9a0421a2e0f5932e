"""The names that objects, labels, claims and certificates carry, so that hub, spokes and console mean the same thing."""

from typing import Literal

DOMAIN = "federation-ai.open-cluster-management.io"
VERSION = "v1alpha1"
API_VERSION = f"{DOMAIN}/{VERSION}"
KIND = "FederatedLearning"
PLURAL = "federatedlearnings"

ADDON = "federated-learning"
SIGNER = f"{DOMAIN}/collaborator"
FINALIZER = f"{DOMAIN}/cleanup"
APPLIED = f"{DOMAIN}/applied"  # annotation: a digest of what the controller applied last
ACCOUNT = f"{DOMAIN}/account"  # annotation of the aggregator's pod: its service account, where that was made anew
SETTINGS = f"{DOMAIN}/settings"  # annotation of the aggregator's pod: a digest of what it is told once
CERTIFICATE = f"{DOMAIN}/certificate"  # annotation of what an aggregator believes: who signed its certificate, when, until when
RETRY = f"{DOMAIN}/retry"  # annotation: try a federation that failed once more; the controller takes it away
FEDERATED_LEARNING = f"{DOMAIN}/federated-learning"  # label: <namespace>.<name> of the owning CR
OFFERS = f"{DOMAIN}/platform"
"""Label by which a spoke's owner offers a dataset; its value is the platform's name."""
UPLOADED = f"{DOMAIN}/uploaded"
"""Annotation of an offer that is given another value whenever its files have changed: when that was, for instance."""
VOLUME = f"{DOMAIN}/volume"
"""Label by which a spoke's owner says what a volume claim is for: `output`, which collaborators write to, or `model`."""
MODEL = "model"
PHASE_LABEL = f"{DOMAIN}/phase"
ROUND_LABEL = f"{DOMAIN}/round"

Platform = Literal["facebook", "instagram"]
PLATFORMS: tuple[Platform, ...] = ("facebook", "instagram")

PLACEMENT = ("cluster.open-cluster-management.io/v1beta1", "Placement")
MANAGED_CLUSTER = ("cluster.open-cluster-management.io/v1", "ManagedCluster")

LONGEST_LABEL = 63  # a value, as Kubernetes has it
LONGEST_NAME = 52  # of a FederatedLearning: `<name>-aggregator` is a Service's name, which has at most 63 characters


def run_name(namespace: str, name: str) -> str:
    """`<namespace>.<name>`: the ManifestWork's name, the run in URLs, the label's value. Neither part holds a dot."""
    return f"{namespace}.{name}"


OURS = {"app.kubernetes.io/name": "fedspoke", "app.kubernetes.io/managed-by": ADDON}
"""Labels of what is made by fedspoke for no single federation."""


def labels(run: str) -> dict[str, str]:
    """What every object of one federation carries, on hub and spokes."""
    return {
        "app.kubernetes.io/name": "fedspoke",
        "app.kubernetes.io/part-of": run,
        "app.kubernetes.io/managed-by": ADDON,
        FEDERATED_LEARNING: run,
    }


def server_name(namespace: str, name: str) -> str:
    """The TLS server name (SNI) under which one federation's gateway answers."""
    return f"{name}.{namespace}.{DOMAIN}"


def data_claim(platform: Platform) -> str:
    """The ClusterClaim by which a cluster declares a dataset; its value is the dataset's path."""
    return f"{platform}.data.{DOMAIN}"


def posts_claim(platform: Platform) -> str:
    """The ClusterClaim that counts a dataset's posts."""
    return f"{platform}.posts.{DOMAIN}"


GPUS_CLAIM = f"gpus.{DOMAIN}"
"""How many GPUs a cluster has, at work or not."""
GPU_MODEL_CLAIM = f"gpu-model.{DOMAIN}"
GPU_LABEL = "gpu"
CLAIMS = (*(claim(it) for it in PLATFORMS for claim in (data_claim, posts_claim)), GPUS_CLAIM, GPU_MODEL_CLAIM)
"""All that an agent ever makes."""


def is_gpu(resource: str) -> bool:
    """Whether a resource of a node or container is a GPU, of whatever make, or a part of one."""
    return resource.endswith("/gpu") or "/mig-" in resource


def platform_label(platform: Platform) -> str:
    """The ManagedCluster label by which a hub admin declares a dataset instead."""
    return f"{DOMAIN}/{platform}"


def identity(hub: str, cluster: str) -> str:
    """The URI SAN of a cluster's certificate (SPIFFE ID)."""
    return f"spiffe://{hub}/cluster/{cluster}"
