"""What a run on this machine sees: the aggregator's files, and which pods were started again or have ended for good."""

from collections.abc import Mapping
from dataclasses import replace

from fedspoke.api.adapter import WEIGHTS_FILE
from fedspoke.api.federated_learning import Artifact, FederatedLearning
from fedspoke.api.records import RoundRecord
from fedspoke.api.status import ENDED
from fedspoke.hub.aggregation import releases
from fedspoke.hub.aggregation.progress import read
from fedspoke.hub.aggregation.state import ROUNDS_FILE, records
from fedspoke.hub.observed import Observed
from fedspoke.local.folder import Folder, write
from fedspoke.local.kubelet import HUB, Pods


def kept(folder: Folder, before: Observed) -> Observed:
    """What attempts so far have done: it stands, whatever becomes of the next one.

    Raises:
        Failed: a file of it cannot be read.
    """
    return replace(before, rounds=_rounds(folder), releases=releases.counts(folder.state / releases.FILE))


def observe(fl: FederatedLearning, folder: Folder, pods: Pods, before: Observed, *, overdue: bool) -> Observed:
    """The federation as it is now; finished parts are brought to the top of the folder as soon as they are there.

    Args:
        fl: the federation.
        folder: where its files are, read after `pods` was: what an aggregator wrote before it ended is not missed.
        pods: what became of them.
        before: what was seen the last time.
        overdue: whether the deadline has passed without a word of the aggregator's.

    Raises:
        Failed: a file of the aggregator's cannot be read.
    """
    progress = read(folder.state / "progress.json") or before.progress
    finished = progress is not None and progress.phase in ENDED
    seen = replace(kept(folder, before), progress=progress, restarted={}, hub_restarted="")
    if not finished:
        seen = replace(
            seen,
            restarted=_clusters(pods.restarted),
            hub_restarted=pods.restarted.get(HUB, ""),
            stopped=_clusters(pods.stopped),
        )
    if progress and progress.model and not before.model:
        uri = str(folder.publish(folder.state / "global") / WEIGHTS_FILE)
        seen = replace(seen, model=Artifact(uri=uri, digest=f"sha256:{progress.model}"))
    if progress and progress.profile and not before.profile:
        uri = str(folder.publish(folder.state / "general_profile.json"))
        seen = replace(seen, profile=Artifact(uri=uri, digest=f"sha256:{progress.profile}"))
    if finished:
        return seen
    failure = _gone(fl, pods.stopped.get(HUB), seen.stopped, left=len(before.chosen) - len(seen.stopped), begun=bool(seen.rounds))
    if overdue and not failure:
        failure = f"not completed within spec.deadline; the last word was: {progress.message if progress else 'none'}"
    return replace(seen, failure=failure)


def _clusters(pods: Mapping[str, str]) -> dict[str, str]:
    return {pod: why for pod, why in pods.items() if pod != HUB}


def _gone(fl: FederatedLearning, hub: str | None, stopped: Mapping[str, str], *, left: int, begun: bool) -> str | None:
    """The first cause, where something that the federation cannot do without is gone."""
    if hub:
        return f"the hub's {hub}"
    server = fl.spec.server
    needed = server.quorum if begun else max(server.quorum, server.min_available_clients)
    if stopped and left < needed:
        causes = "; ".join(f"{cluster}'s {why}" for cluster, why in stopped.items())
        return f"{causes}; of the clusters {left} are left, and {needed} are needed"
    return None


def _rounds(folder: Folder) -> tuple[RoundRecord, ...]:
    source = folder.state / ROUNDS_FILE
    finished = tuple(records(source))
    if finished:
        lines, shown = source.read_text(), folder.path / source.name
        if not shown.exists() or shown.read_text() != lines:
            write(shown, lines)
    return finished
