"""The sign of life that OCM's registration agent reads on the spoke: five minutes without one, and the add-on is unavailable."""

from datetime import datetime, timedelta

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON

RENEWED = timedelta(seconds=60)
"""What OCM takes for a Lease's duration; it allows for five of them."""


def lease(namespace: str, holder: str, owner: Object, now: datetime) -> Object:
    """It bears the add-on's name, in the namespace that the add-on is installed in, and goes with its owner.

    One that stayed would have OCM call the add-on available for five minutes more, or as soon as it is installed again.
    """
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": ADDON, "namespace": namespace, "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(RENEWED.total_seconds()),
            "renewTime": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
        },
    }
