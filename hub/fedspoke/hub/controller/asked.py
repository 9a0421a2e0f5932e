"""What a live FederatedLearning asks for, and what was said of it last."""

from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.errors import Refused
from fedspoke.api.federated_learning import FederatedLearning, FederatedLearningStatus
from fedspoke.api.names import RETRY
from fedspoke.hub import conditions
from fedspoke.hub.conditions import moment
from fedspoke.hub.unsupported import unsupported


def last_status(live: Object) -> FederatedLearningStatus:
    """The status that was written last; none where another version wrote one that means nothing here."""
    said = {key: value for key, value in (live.get("status") or {}).items() if key != "summary"}
    try:
        return FederatedLearningStatus.model_validate(said)
    except ValidationError:
        return FederatedLearningStatus()


def supported(live: Object) -> FederatedLearning:
    """The federation that is asked for.

    Raises:
        Refused: it is none that this version can run.
    """
    fl = parse.federated_learning(_bare(live))
    wishes, curation = unsupported(fl.spec), fl.spec.client.curation
    if curation and not curation.in_cluster:
        wishes.append(
            f"spec.client.curation.endpoint is {curation.endpoint}, which only `fedspoke run` can reach: "
            "use a Service of the spokes' clusters, like http://llm.models.svc:8000/v1"
        )
    if wishes:
        raise Refused("; ".join(wishes))
    return fl


def _bare(live: Object) -> Object:
    """The object as a user would have written it."""
    metadata = {key: live["metadata"][key] for key in ("name", "namespace", "uid", "generation") if key in live["metadata"]}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, "spec": live.get("spec") or {}}


def again(live: Object, before: FederatedLearningStatus) -> str:
    """Why a federation that has failed begins anew; empty if it does not."""
    if before.phase != "Failed":
        return ""
    if RETRY in (live["metadata"].get("annotations") or {}):
        return f"tried again, as the annotation {RETRY} asks"
    if before.observed_generation != live["metadata"].get("generation"):
        return "tried again, as its spec was changed"
    return ""


def refused(before: FederatedLearningStatus, why: str, live: Object, now: datetime) -> FederatedLearningStatus:
    """Failed before it began, or in the middle of a run whose spec was changed to what cannot be done; what is done is kept."""
    generation, start = live["metadata"].get("generation"), before.start_time or now
    said = {"conditions": conditions.refused(why, before.conditions, generation, now)}
    changes = {"phase": "Failed", "message": why, "observed_generation": generation, "start_time": start, "completion_time": now}
    return before.model_copy(update=changes | said)


def unseen(before: FederatedLearningStatus, why: str, live: Object, now: datetime) -> FederatedLearningStatus:
    """While the hub cannot be looked at, for which the clock does not wait; the generation stays that of the last look."""
    conditions_now = conditions.unseen(why, before.conditions, before.observed_generation, now)
    since = next(it.last_transition_time for it in conditions_now if it.type == "Degraded")
    start, until, over = before.start_time, "", ""
    with suppress(Refused):
        spec = parse.federated_learning(_bare(live)).spec
        start = start or (None if spec.suspend else now.replace(microsecond=0))
        if start and now < start + spec.deadline:  # that of one that is suspended begins anew
            until = f", until {moment(start + spec.deadline)}"
        elif start:
            over = (
                f"; spec.deadline passed at {moment(start + spec.deadline)} UTC: how it ended is looked at once the hub answers"
            )
    words = f"waiting for the hub: {why}; since {moment(since)}{until} UTC{over}"
    return before.model_copy(update={"message": words, "start_time": start, "conditions": conditions_now})
