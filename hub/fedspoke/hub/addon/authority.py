"""The hub's certificate authority, in a Secret of the controller's namespace: made at first, or given."""

from base64 import b64decode, b64encode
from datetime import datetime, timedelta

from fedspoke.api.errors import Failed
from fedspoke.api.names import ADDON
from fedspoke.hub.addon.signer import Authority
from fedspoke.hub.trust import Trust
from fedspoke.kube.client import Kind, Kubernetes
from fedspoke.manifestworks.envoy import CERTIFICATE_FILE, KEY_FILE

NAME = f"{ADDON}-ca"
_LIFETIME = timedelta(days=365)


def trust(kube: Kubernetes, namespace: str, now: datetime) -> Trust:
    """What the Secret holds; a new authority where there is none.

    Raises:
        Failed: the API server does not answer, or does not let us.
        Refused: the Secret holds no authority.
    """
    secret = kube.get(Kind("v1", "Secret"), NAME, namespace)
    if secret is None:
        made = Authority.create("fedspoke", now=now, lifetime=_LIFETIME)
        files = {KEY_FILE: made.key_pem, CERTIFICATE_FILE: made.certificate_pem}
        secret = kube.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": NAME, "namespace": namespace},
                "data": {name: b64encode(content).decode() for name, content in files.items()},
            }
        )
    authority = Authority.load(*(b64decode(secret["data"][name]) for name in (KEY_FILE, CERTIFICATE_FILE)))
    return Trust(authority=authority, bundle=authority.certificate_pem, hub=_hub(kube))


def _hub(kube: Kubernetes) -> str:
    """The cluster's id: the UID of kube-system, which lives as long as the cluster does."""
    found = kube.get(Kind("v1", "Namespace"), "kube-system")
    if found is None:
        raise Failed("the hub has no namespace kube-system, whose UID is the hub's id")
    return str(found["metadata"]["uid"])
