"""What an owner has on a spoke beside the add-on: a language model and an S3, each a pod and a Service with a name in the DNS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from fedspoke.api.base import Object
from fedspoke.manifestworks.collaborator import HARDENED, UNPRIVILEGED
from support import s3
from support.fleet import dns, images
from support.fleet.cluster import Cluster
from support.fleet.kubernetes import NAMESPACE, SERVICE
from support.fleet.wait import until
from support.neighbour import HELD, KEY, LANGUAGE_MODEL, S3, SHOWN

MODELS = "models"
"""Their namespace."""
LANGUAGE_MODEL_URL, S3_URL = f"http://{LANGUAGE_MODEL}.{MODELS}.svc:8000", f"http://{S3}.{MODELS}.svc:9000"

_TESTS = Path(__file__).parents[2]
_SECRET, _SECONDS = "key", 120


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One of them."""

    folder: Path
    url: str
    """Where this machine finds it."""

    def hold(self, *, up: bool) -> None:
        """Have it answer nothing, or all that was asked meanwhile and whatever comes."""
        if up:
            (self.folder / HELD).touch()
        else:
            (self.folder / HELD).unlink()

    @property
    def shown(self) -> str:
        """What it wrote down of the posts that it was shown."""
        return (self.folder / SHOWN).read_text()


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Both."""

    language_model: Neighbour
    s3: Neighbour


@contextmanager
def at_work(spoke: Cluster, key: str) -> Iterator[Neighbours]:
    """They listen as long as the block lasts: a language model that wants this key, and an S3 with an empty bucket."""
    kube, both = spoke.kubernetes, {LANGUAGE_MODEL: 8000, S3: 9000}
    kube.apply({"apiVersion": NAMESPACE.api_version, "kind": "Namespace", "metadata": {"name": MODELS}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": _named(_SECRET), "stringData": {KEY: key}}
    documents = [each for name, port in both.items() for each in (_service(name, port), _pod(spoke, name, port))]
    with dns.of(spoke), kube.temporarily(secret, *documents):
        found = [Neighbour(_folder(spoke, name), _url(spoke, name)) for name in both]
        for it in found:
            until(f"{it.url} answers", partial(_answers, it.url), _SECONDS)
        s3.asking(found[1].url, "s3").create_bucket(Bucket=s3.BUCKET)
        yield Neighbours(*found)


def _named(name: str) -> Object:
    return {"name": name, "namespace": MODELS, "labels": {"app": name}}


def _service(name: str, port: int) -> Object:
    spec = {"type": "NodePort", "selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _named(name), "spec": spec}


def _pod(spoke: Cluster, name: str, port: int) -> Object:
    shared, scratch = "/shared", "/tmp"  # noqa: S108  the pod's own
    told = {"PYTHONPATH": str(_TESTS), "HOME": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
    container = {
        "name": "main",
        "image": images.TESTS,
        "command": ["python", "-m", "support.neighbour", name, shared, str(port)],
        "env": [{"name": key, "value": value} for key, value in told.items()],
        "envFrom": [{"secretRef": {"name": _SECRET}}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
        "securityContext": HARDENED,
        "volumeMounts": [{"name": "shared", "mountPath": shared}, {"name": "scratch", "mountPath": scratch}],
    }
    folder = _folder(spoke, name)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)  # it writes there as whoever it is
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": UNPRIVILEGED | {"runAsUser": 1_000_660_000},
        "containers": [container],
        "volumes": [{"name": "shared", "hostPath": {"path": str(folder)}}, {"name": "scratch", "emptyDir": {}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _named(name), "spec": spec}


def _folder(spoke: Cluster, name: str) -> Path:
    return spoke.folder / "neighbours" / name


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:  # neither the pod nor the node's rules may be there yet
        return False


def _url(spoke: Cluster, name: str) -> str:
    (port,) = spoke.kubernetes.get(SERVICE, name, MODELS)["spec"]["ports"]
    return f"http://{spoke.address}:{port['nodePort']}"
