"""What the hub runs for one federation: the gateway that spokes dial, the aggregator behind it, and the fusion service.

Only the gateway's port is reachable; everything else listens on the pod's loopback.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fedspoke.api.federated_learning import MAY_CHANGE, FederatedLearning, Object
from fedspoke.api.names import ACCOUNT, OURS, SETTINGS, identity, labels, run_name
from fedspoke.api.records import AggregatorSettings, FusionSettings
from fedspoke.hub import gateway
from fedspoke.hub.exposed import exposed, service_port
from fedspoke.manifestworks import envoy
from fedspoke.manifestworks.collaborator import HARDENED, unprivileged


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the aggregator's files and ports are. The defaults are the pod's; a laptop has its own."""

    config: str = "/etc/fedspoke"
    certificate: str = "/var/run/fedspoke/certificate"
    ca: str = "/var/run/fedspoke/ca"
    state: str = "/model"
    access_log: str = "/dev/stdout"
    listen: str = "0.0.0.0"  # noqa: S104  the gateway is what may be reached; it asks for a client certificate
    gateway_port: int = 8443
    superlink_port: int = 9092
    adapters_port: int = 9093
    fusion_port: int = 9094
    reports: bool = True  # to the hub's API server; a laptop has none
    openshift: bool = False
    pull_secrets: Sequence[Object] = ()
    """By which the pod's images are pulled: its service account is the federation's own, and nobody can prepare that."""


def aggregator_name(fl: FederatedLearning) -> str:
    """Of most of its objects on the hub."""
    return f"{fl.name}-aggregator"


def claim_name(fl: FederatedLearning) -> str:
    """The PersistentVolumeClaim of the checkpoints and the model."""
    return fl.spec.server.storage.name or aggregator_name(fl)


def progress_name(name: str) -> str:
    """Of the ConfigMap in which the aggregator of the federation `name` tells the controller how it goes."""
    return f"{name}-progress"


_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  where clients look for it
_TOKEN_SOURCES = [
    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
]

_REQUESTS = {
    "gateway": {"cpu": "50m", "memory": "64Mi"},
    "aggregator": {"cpu": "100m", "memory": "384Mi"},
    "fusion": {"cpu": "10m", "memory": "96Mi"},
    "reporter": {"cpu": "10m", "memory": "96Mi"},
}
"""As four clusters with adapters of 160 MiB take them: a pod that asks for nothing is the first to be evicted."""

_ENVIRONMENT = [
    # A layer's matrices are small: on a busy hub OpenBLAS's threads wait for each other, and combining takes seven times the CPU.
    {"name": "OPENBLAS_NUM_THREADS", "value": "1"},
    # Each of glibc's arenas keeps what was freed in it: every cluster that uploads at the same time would cost 30 MB for good.
    {"name": "MALLOC_ARENA_MAX", "value": "1"},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a federation: with whom, and until when."""

    clusters: Sequence[str]
    """The chosen ones; no other certificate passes the gateway."""
    hub: str
    """The hub cluster's id, the trust domain of the clusters' identities."""
    deadline: datetime
    name: str = ""
    """What is told under another name says nothing of this one."""
    account: str = ""
    """Of the service account, where that is younger than the Deployment."""


def aggregator(fl: FederatedLearning, attempt: Attempt, image: str, place: Place | None = None) -> list[Object]:
    """ConfigMap, volume, service account, Deployment and Service of one federation's aggregator.

    Args:
        fl: the federation.
        attempt: with whom, and until when.
        image: the aggregator's image.
        place: files and ports; the pod's by default.
    """
    place = place or Place()
    run = run_name(fl.namespace, fl.name)
    name = aggregator_name(fl)
    metadata = {"name": name, "namespace": fl.namespace, "labels": labels(run)}
    selector = {"app.kubernetes.io/component": "aggregator"} | labels(run)
    settings = _settings(fl, attempt, place)
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": _files(fl, attempt, place, settings)},
        _volume_claim(fl),
        *_account(fl, metadata),  # before the Deployment: without it no pod is made
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},  # two aggregators must never write one checkpoint
                "selector": {"matchLabels": selector},
                "template": {
                    "metadata": {
                        "labels": selector,
                        "annotations": {SETTINGS: _fixed(settings)} | ({ACCOUNT: attempt.account} if attempt.account else {}),
                    },
                    "spec": _pod(fl, image, place),
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"type": exposed(fl).type, "selector": selector, "ports": [service_port(fl, place.gateway_port)]},
        },
    ]


def _settings(fl: FederatedLearning, attempt: Attempt, place: Place) -> AggregatorSettings:
    return AggregatorSettings(
        run=run_name(fl.namespace, fl.name),
        clusters=tuple(attempt.clusters),
        server=fl.spec.server,
        lora=fl.spec.training.lora,
        model=fl.spec.training.model.name,
        holdout=fl.spec.training.holdout > 0,
        privacy=fl.spec.privacy.adapters,
        profiles=fl.spec.profiles.enabled,
        state=place.state,
        superlink_port=place.superlink_port,
        adapters_port=place.adapters_port,
        fusion=f"127.0.0.1:{place.fusion_port}",
        deadline=attempt.deadline,
        attempt=attempt.name,
        federation=fl.uid,
    )


def _fixed(settings: AggregatorSettings) -> str:
    """A digest of what a running aggregator does not look for again: it is started anew where this changes."""
    followed: Any = {"clusters": True, "deadline": True, "server": set(MAY_CHANGE)}
    return hashlib.sha256(settings.model_dump_json(exclude=followed).encode()).hexdigest()


def _files(fl: FederatedLearning, attempt: Attempt, place: Place, settings: AggregatorSettings) -> dict[str, str]:
    fusion = FusionSettings(
        run=settings.run,
        clusters=tuple(attempt.clusters),
        profiles=fl.spec.profiles,
        folder=f"{place.state}/profiles",
        port=place.fusion_port,
    )
    return {
        "aggregator.json": settings.model_dump_json(by_alias=True, indent=1),
        "fusion.json": fusion.model_dump_json(by_alias=True, indent=1),
    } | {name: json.dumps(content, indent=1) for name, content in _gateway(fl, attempt, place).items()}


def _gateway(fl: FederatedLearning, attempt: Attempt, place: Place) -> dict[str, Object]:
    wire = gateway.Gateway(
        folder=place.config,
        certificate=place.certificate,
        authority=place.ca,
        access_log=place.access_log,
        host=place.listen,
        port=place.gateway_port,
    )
    federation = gateway.Federation(
        namespace=fl.namespace,
        name=fl.name,
        identities=tuple(identity(attempt.hub, cluster) for cluster in attempt.clusters),
        superlink=place.superlink_port,
        adapters=place.adapters_port,
        fusion=place.fusion_port,
    )
    return gateway.files(wire, [federation])


def _pod(fl: FederatedLearning, image: str, place: Place) -> Object:
    name = aggregator_name(fl)
    config = {"name": "config", "mountPath": place.config, "readOnly": True}
    state = {"name": "model", "mountPath": place.state}
    if folder := fl.spec.server.storage.folder:  # of a claim that others use too, the pod sees its own folder alone
        state["subPath"] = folder
    scratch = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  a pod's own emptyDir
    containers: list[Object] = [
        {
            "name": "gateway",
            "command": envoy.command(f"{place.config}/{gateway.CONFIG_FILE}"),
            "ports": [{"name": "gateway", "containerPort": place.gateway_port}],
            # The Service sends nobody to a port that is closed. Nothing else is asked: the rest listens on loopback, where no
            # kubelet gets; and who combines for minutes must not be killed for it. What ends is started again all the same.
            "readinessProbe": {"tcpSocket": {"port": "gateway"}, "periodSeconds": 5, "timeoutSeconds": 5},
            "volumeMounts": [
                config,
                {"name": "certificate", "mountPath": place.certificate, "readOnly": True},
                {"name": "ca", "mountPath": place.ca, "readOnly": True},
            ],
        },
        {
            "name": "aggregator",
            "command": ["fedspoke", "aggregator", "--settings", f"{place.config}/aggregator.json"],
            "env": _ENVIRONMENT,
            "volumeMounts": [config, state, scratch],
        },
        {
            "name": "fusion",
            "command": ["fedspoke", "fusion", "--settings", f"{place.config}/fusion.json"],
            "volumeMounts": [config, state, scratch],
        },
    ]
    if place.reports:
        containers.append(
            {
                "name": "reporter",
                "command": [
                    "fedspoke",
                    "reporter",
                    "--state",
                    place.state,
                    "--config-map",
                    f"{fl.namespace}/{progress_name(fl.name)}",
                    "--federation",
                    fl.uid,
                ],
                "volumeMounts": [state | {"readOnly": True}, scratch, {"name": "token", "mountPath": _TOKEN, "readOnly": True}],
            }
        )
    hardened = {
        "image": image,
        "securityContext": HARDENED,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,  # only the reporter gets the token
        "securityContext": unprivileged(openshift=place.openshift),
        **({"imagePullSecrets": [*place.pull_secrets]} if place.pull_secrets else {}),
        "containers": [it | hardened | {"resources": {"requests": _REQUESTS[it["name"]]}} for it in containers],
        "volumes": [
            {"name": "token", "projected": {"sources": _TOKEN_SOURCES}},
            {"name": "config", "configMap": {"name": name}},
            {"name": "certificate", "secret": {"secretName": f"{name}-certificate"}},
            {"name": "ca", "configMap": {"name": f"{name}-ca"}},
            {"name": "model", "persistentVolumeClaim": {"claimName": claim_name(fl)}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _account(fl: FederatedLearning, metadata: Object) -> list[Object]:
    """Whom the aggregator is to the hub's API server: somebody who may change one ConfigMap, and nothing else."""
    progress = progress_name(fl.name)
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [progress], "verbs": ["get", "patch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": metadata["name"]}
    subject = {"kind": "ServiceAccount", "name": metadata["name"], "namespace": fl.namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": role,
            "subjects": [subject],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata | {"name": progress}},  # what is in it is the aggregator's
    ]


def _volume_claim(fl: FederatedLearning) -> Object:
    """One that the user names is the user's, made or found: it bears no federation's label, and outlives all of them."""
    storage, ours = fl.spec.server.storage, labels(run_name(fl.namespace, fl.name))
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim_name(fl), "namespace": fl.namespace, "labels": OURS if storage.name else ours},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage.size or "10Gi"}}},
    }
