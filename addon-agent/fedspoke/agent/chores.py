"""A short Job of the agent's own image on an owner's volume: it may mount that, and nothing else."""

from collections.abc import Mapping

from fedspoke.api.base import Object
from fedspoke.manifestworks.collaborator import COLLABORATOR, HARDENED, UNPRIVILEGED

LONGEST = 600
"""Seconds, after which it is ended."""

_GROUP = 65532  # whose volumes are written so that their group can read them, and write to them


def chore(metadata: Mapping[str, object], container: Object, volumes: list[Object]) -> Object:
    """The Job, which is tried once.

    Args:
        metadata: its own; the pod has its labels.
        container: its only one, without what all of them have.
        volumes: what it mounts.
    """
    contained = container | {"securityContext": HARDENED, "terminationMessagePolicy": "FallbackToLogsOnError"}
    pod = {
        "serviceAccountName": COLLABORATOR,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": UNPRIVILEGED | {"supplementalGroups": [_GROUP]},
        "containers": [contained],
        "volumes": volumes,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": LONGEST,
            "ttlSecondsAfterFinished": LONGEST,  # should the agent not be there to take it away
            "template": {"metadata": {"labels": metadata["labels"]}, "spec": pod},
        },
    }
