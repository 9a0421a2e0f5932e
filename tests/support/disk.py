"""A spoke's Jobs as a kubelet runs them, as far as a volume for outputs is concerned: who writes a folder, who empties it."""

from collections.abc import Iterator
from typing import Any

from fedspoke.agent.outputs import claim_of
from fedspoke.agent.wiping import LABELS, wipe_of
from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING
from fedspoke.kube.client import Kind
from support.kube import Lists
from support.pods import NAMESPACE

JOB, POD = Kind("batch/v1", "Job"), Kind("v1", "Pod")
LEDGERS, ALL = {"ledgers"}, {"ledgers", "checkpoint"}


class Disk(Lists):
    """An API server whose Jobs write to volumes, and end as they are told to; a collector takes what nobody owns any more."""

    folders: dict[tuple[str, str], set[str]]
    dies: int | None = None
    """The agent that asks is killed at the so-manieth of its next calls."""
    held: str = ""
    """The claim whose volume another node holds: what wipes there does not begin."""

    def __init__(self, *objects: Object, **rest: Any) -> None:
        self.folders = {}
        super().__init__(*objects, **rest)

    def run(self, why_not: str = "") -> None:
        """All Jobs go on; those that wipe do, or fail."""
        uids = {it["metadata"]["uid"] for it in self.objects.values()}
        for key, it in [*self.objects.items()]:
            if any(owner["uid"] not in uids for owner in it["metadata"].get("ownerReferences") or []):
                del self.objects[key]
        for it in self.wiping():
            of = wipe_of(it)
            if it.get("status") or of.claim == self.held:
                continue
            assert of.place not in set(self.writing()), "it is wiped while somebody writes there"
            if not why_not:
                self.folders[of.run, of.claim] = LEDGERS & self.folders[of.run, of.claim] if of.keeps_ledgers else set()
            kind, at = ("Failed" if why_not else "Complete"), "2026-11-21T12:00:00Z"
            self.keep(it | {"status": {"conditions": [{"type": kind, "status": "True", "lastTransitionTime": at}]}})
            state = {"terminated": {"exitCode": 1, "message": f"fedspoke: {why_not}"}}
            metadata = {
                "name": f"{it['metadata']['name']}-x",
                "namespace": NAMESPACE,
                "labels": LABELS | {"batch.kubernetes.io/job-name": it["metadata"]["name"]},
                "ownerReferences": [{"kind": "Job", "uid": it["metadata"]["uid"]}],
            }
            if why_not:
                status = {"phase": "Failed", "containerStatuses": [{"name": "wipe", "state": state}]}
                self.keep({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status})
        for place in self.writing():
            self.folders[place] = set(ALL)

    def writing(self) -> Iterator[tuple[str, str]]:
        """Where collaborators write."""
        for it in self.objects.values():
            labels = it["metadata"].get("labels") or {}
            if it["kind"] == "Job" and FEDERATED_LEARNING in labels and (claim := claim_of(it["spec"]["template"]["spec"])):
                yield labels[FEDERATED_LEARNING], claim

    def wiping(self) -> list[Object]:
        """The Jobs that wipe."""
        return [it for it in self.objects.values() if it["kind"] == "Job" and LABELS.items() <= it["metadata"]["labels"].items()]

    def _asked(self, verb: str, kind: Kind, subresource: str | None = None) -> None:
        super()._asked(verb, kind, subresource)
        if self.dies is not None:
            self.dies -= 1
            if self.dies < 0:
                self.dies = None
                raise Killed


class Killed(BaseException):
    """The agent is no more."""
