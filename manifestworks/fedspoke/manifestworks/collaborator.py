"""What one cluster runs for one federation: a trainer, a Flower client, and a gateway that dials out. Nothing in it listens
beyond the pod's loopback, and the dataset is mounted read-only.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from fedspoke.api.curation import KEY_VARIABLE
from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.api.names import ADDON, SIGNER, Platform, labels, run_name, server_name
from fedspoke.api.records import CollaboratorSettings, HubGateway
from fedspoke.manifestworks import envoy, sidecar
from fedspoke.manifestworks.report import report

NAMESPACE = "open-cluster-management-agent-addon"
# What PodSecurity `restricted` and OpenShift's restricted-v2 ask of every pod and container, on hub and spokes; no fixed UID.
UNPRIVILEGED: Object = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
HARDENED: Object = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
_GROUP: Object = {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}
CERTIFICATE_SECRET = f"{ADDON}-{SIGNER.replace('/', '-')}-client-cert"  # the klusterlet's name for it
CA_CONFIG_MAP = f"{ADDON}-ca"  # comes with the agent's ManifestWork
DATASETS = f"{ADDON}-datasets"  # the ConfigMap in which an agent writes down what is offered, for the cluster's owner
OUTPUTS = f"{ADDON}-outputs"  # … and whose folders are in which volume for outputs
MODEL_HUB = f"{ADDON}-model-hub"  # the owner's ConfigMap and Secret, either or none
# By name, as whoever writes all of a process's environment has it run code; and each once, as an API server merges by name.
MODEL_SOURCES: list[Object] = [
    {"name": name, "valueFrom": {kind: {"name": MODEL_HUB, "key": name, "optional": True}}}
    for kind, names in (
        ("configMapKeyRef", ("HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_REGION")),
        ("secretKeyRef", ("HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
    )
    for name in names
]
MODEL_CACHE: list[Object] = [{"name": "HF_HOME", "value": "/model/huggingface"}]  # in the claim, where there is one
CURATION = (
    f"{ADDON}-curation"  # the owner's ConfigMap and Secret, either or none: posts to keep or set aside, and the endpoint's key
)
OVERRULES: Object = {"name": CURATION, "optional": True}  # as a volume, whether a federation has posts judged or not
CURATION_KEY: list[Object] = [
    {"name": KEY_VARIABLE, "valueFrom": {"secretKeyRef": {"name": CURATION, "key": "apiKey", "optional": True}}}
]
SETTINGS_FILE = "collaborator.json"  # what the cluster's two processes are told: CollaboratorSettings
HUB_FILE = "hub.json"  # what the cluster's agent reads of a federation: a HubGateway
FILES = (SETTINGS_FILE, HUB_FILE, *sidecar.FILES)  # all of a federation's ConfigMap
COLLABORATOR = f"{ADDON}-collaborator"  # the service account of whatever mounts an owner's volume; the API gives it nothing
AGENT = f"{ADDON}-agent"  # the add-on's own Deployment, and its service account
# Kubernetes counts restarts and evictions over a Job's whole life, and a Job that has given up stays away for the rest of a run
# of days. What cannot run is told meanwhile, and ends with its federation. A podFailurePolicy could leave evictions out of the
# count, but only with restartPolicy Never, where each restart of a container loses the pod's checkpoint.
_NEVER_GIVEN_UP = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The gateway as spokes reach it."""

    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a collaborator's files and ports are. The defaults are a pod's; a laptop has one of its own for each cluster."""

    config: str = "/etc/fedspoke"
    certificate: str = "/var/run/fedspoke/certificate"
    ca: str = "/var/run/fedspoke/ca"
    overrules: str = "/var/run/fedspoke/overrules"
    output: str = "/output"
    sidecar_port: int = 9091
    mcp_port: int = 9092
    supernode_port: int = 9094

    @property
    def gateway(self) -> str:
        """Where the sidecar listens."""
        return f"127.0.0.1:{self.sidecar_port}"

    @property
    def mcp_token(self) -> str:
        """The file of the trainer's token."""
        return f"{self.output}/mcp-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """One chosen cluster: the datasets that it declares, by platform, as paths in the pod."""

    cluster: str
    datasets: Mapping[Platform, str]
    openshift: bool = False


def unprivileged(*, openshift: bool) -> Object:
    """A pod that writes to a volume: a new one is root's alone, unless the pod names a group. OpenShift names one, and no other
    is let in.
    """
    return UNPRIVILEGED if openshift else UNPRIVILEGED | _GROUP


def settings(fl: FederatedLearning, spoke: Spoke, place: Place) -> CollaboratorSettings:
    """What the cluster's two processes are told."""
    return CollaboratorSettings(
        run=run_name(fl.namespace, fl.name),
        cluster=spoke.cluster,
        datasets=dict(spoke.datasets),
        output=place.output,
        training=fl.spec.training.model_copy(update={"lora": fl.spec.training.lora.of(spoke.cluster)}),
        rounds=fl.spec.server.rounds,
        aggregation=fl.spec.server.aggregation,
        privacy=fl.spec.privacy.adapters,
        profiles=fl.spec.profiles,
        curation=fl.spec.client.curation,
        overrules=place.overrules,
        gateway=place.gateway,
        mcp_port=place.mcp_port,
        mcp_token=place.mcp_token,
        supernode_port=place.supernode_port,
    )


def collaborator(fl: FederatedLearning, spoke: Spoke, hub: Hub, image: str, place: Place | None = None) -> list[Object]:
    """The ConfigMap and the Job of one cluster, and where its agent reports how the Job is doing.

    The Job asks, and never runs: the cluster's agent makes one of it if the owner allows it, with the volumes that are offered.
    The gateway and the mcp-server are native sidecars (init containers that keep running): the Job ends when flower-client does.
    """
    place = place or Place()
    run = run_name(fl.namespace, fl.name)
    metadata = {"name": run, "namespace": NAMESPACE, "labels": labels(run)}
    gateway = HubGateway(
        run=run,
        address=hub.address,
        port=hub.port,
        server_name=server_name(fl.namespace, fl.name),
        grace=fl.spec.client.hub_lost_grace.total_seconds(),
    )
    files = {
        SETTINGS_FILE: settings(fl, spoke, place).model_dump_json(by_alias=True, indent=1),
        HUB_FILE: gateway.model_dump_json(by_alias=True, indent=1),
        **wire(gateway, place),
    }
    template = {"metadata": {"labels": labels(run)}, "spec": _pod(fl, spoke, image, place, run)}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        *report(run, NAMESPACE, AGENT),  # before what the agent has these rights for
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata | {"name": _job_name(run, template, files)},
            "spec": {"suspend": True, "backoffLimit": _NEVER_GIVEN_UP, "template": template},
        },
    ]


def wire(gateway: HubGateway, place: Place) -> dict[str, str]:
    """The files of the collaborator's own gateway, by name: it goes to this hub, and listens on loopback alone."""
    told = sidecar.Sidecar(
        folder=place.config,
        certificate=place.certificate,
        authority=place.ca,
        port=place.sidecar_port,
        hub=(gateway.address, gateway.port),
        server_name=gateway.server_name,
    )
    return {name: json.dumps(content, indent=1) for name, content in sidecar.files(told).items()}


def _job_name(run: str, *content: Object) -> str:
    """Another one for another content: nobody may change a Job's template, nor do its processes read their settings again.

    It is the value of a label, too, so that it has 63 characters at the most.
    """
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    return f"{run[:54].rstrip('.-')}-{digest}"


def mounts(place: Place, datasets: Mapping[Platform, str]) -> dict[str, list[Object]]:
    """What each container sees of the pod's volumes, as far as the pod has them: the datasets are the trainer's alone."""
    config = {"name": "config", "mountPath": place.config, "readOnly": True}
    output = {"name": "output", "mountPath": place.output}
    scratch = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  a pod's own emptyDir
    overrules = {"name": "overrules", "mountPath": place.overrules, "readOnly": True}
    data = [{"name": f"data-{platform}", "mountPath": path, "readOnly": True} for platform, path in datasets.items()]
    return {
        "gateway": [
            config,
            {"name": "certificate", "mountPath": place.certificate, "readOnly": True},
            {"name": "ca", "mountPath": place.ca, "readOnly": True},
        ],
        "mcp-server": [config, output, scratch, overrules, *data, {"name": "model", "mountPath": "/model"}],
        "flower-client": [config, output, scratch, overrules],
    }


def _pod(fl: FederatedLearning, spoke: Spoke, image: str, place: Place, run: str) -> Object:
    client, training = fl.spec.client, fl.spec.training
    claim = training.model.claim_name
    mounted = {
        name: [it for it in all_of if claim or it["name"] != "model"] for name, all_of in mounts(place, spoke.datasets).items()
    }
    run_settings = ["--settings", f"{place.config}/{SETTINGS_FILE}"]

    gateway = {
        "name": "gateway",
        "command": envoy.command(f"{place.config}/{sidecar.CONFIG_FILE}"),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "volumeMounts": mounted["gateway"],
    }
    mcp_server = {
        "name": "mcp-server",
        "command": ["fedspoke", "mcp", *run_settings],
        "resources": client.resources.model_dump(exclude_defaults=True),
        "volumeMounts": mounted["mcp-server"],
        "env": [*(MODEL_CACHE if claim else []), *MODEL_SOURCES],
    }
    flower_client = {
        "name": "flower-client",
        "command": ["fedspoke", "collaborator", *run_settings],
        # The flow with CrewAI takes 183 MB; Flower's SuperNode and an app are beside it.
        "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}},
        "volumeMounts": mounted["flower-client"],
        **({"env": CURATION_KEY} if client.curation else {}),
    }
    pod: Object = {
        "serviceAccountName": COLLABORATOR,
        "automountServiceAccountToken": False,
        "restartPolicy": "OnFailure",
        "securityContext": unprivileged(openshift=spoke.openshift),
        "initContainers": [_contained(image, gateway, always=True), _contained(image, mcp_server, always=True)],
        "containers": [_contained(image, flower_client)],
        "volumes": [
            {"name": "config", "configMap": {"name": run}},
            {"name": "certificate", "secret": {"secretName": CERTIFICATE_SECRET}},
            {"name": "ca", "configMap": {"name": CA_CONFIG_MAP}},
            {"name": "overrules", "configMap": OVERRULES},
            {"name": "output", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            *(
                {"name": f"data-{platform}", "persistentVolumeClaim": {"claimName": f"{platform}-data", "readOnly": True}}
                for platform in spoke.datasets
            ),
            *([{"name": "model", "persistentVolumeClaim": {"claimName": claim}}] if claim else []),
        ],
    }
    if client.node_selector:
        pod["nodeSelector"] = client.node_selector
    if client.tolerations:
        pod["tolerations"] = [t.model_dump(by_alias=True, exclude_none=True) for t in client.tolerations]
    return pod


def _contained(image: str, container: Object, *, always: bool = False) -> Object:
    restart = {"restartPolicy": "Always"} if always else {}
    return (
        container
        | restart
        | {
            "image": image,
            "securityContext": HARDENED,
            "terminationMessagePolicy": "FallbackToLogsOnError",
        }
    )
