"""Who the agent is on its cluster, as its own token says: what it makes of its own accord goes with its service account."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed

_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod has it."""


def service_account(token: Path = _TOKEN) -> Object:
    """A reference to the owner of a token that Kubernetes made for a pod; nothing is asked of the API server, nor proved.

    Raises:
        Failed: there is no token.
    """
    try:
        content = token.read_text().split(".")[1]
    except FileNotFoundError:
        raise Failed(f"{token} is not there: the agent runs in a pod, and what it makes goes with the pod's account") from None
    said = json.loads(urlsafe_b64decode(content + "=" * (-len(content) % 4)))["kubernetes.io"]["serviceaccount"]
    return {"apiVersion": "v1", "kind": "ServiceAccount", "name": said["name"], "uid": said["uid"]}
