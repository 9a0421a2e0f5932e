"""A federation on a cluster, as its API server tells of it."""

from collections.abc import Callable, Iterator

from pydantic import ValidationError

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed, Refused
from fedspoke.api.federated_learning import FederatedLearningStatus
from fedspoke.api.names import API_VERSION, KIND
from fedspoke.api.records import RoundRecord, cause
from fedspoke.cli.status_view import Seen
from fedspoke.hub import reporter
from fedspoke.hub.aggregator_workload import progress_name
from fedspoke.kube.client import Kind, Kubernetes

_FEDERATION = Kind(API_VERSION, KIND)
_CONFIG_MAP = Kind("v1", "ConfigMap")


def look(kube: Kubernetes, namespace: str, name: str) -> Seen:
    """The federation as it is now.

    Raises:
        Refused: there is none of the name, or another version wrote its status.
        Failed: the API server does not answer, or does not let us.
    """
    return _seen(kube, _live(kube, namespace, name))


def follow(kube: Kubernetes, namespace: str, name: str, pause: Callable[[], None], say: Callable[[str], None]) -> Iterator[Seen]:
    """The federation as it is, and again whenever it has changed, to its end.

    Args:
        kube: its cluster.
        namespace: where it is.
        name: what it is called.
        pause: between two looks.
        say: is told why a look had no answer, once for as long as that is so; another one may have.

    Raises:
        Refused: as `look`.
        Failed: as `look`, if it is so from the first look on.
    """
    live, version, told = _live(kube, namespace, name), None, ""
    while True:
        if live["metadata"]["resourceVersion"] != version:
            version, seen = live["metadata"]["resourceVersion"], _seen(kube, live)
            yield seen
            if seen.ended:
                return
        pause()
        try:
            live, told = _live(kube, namespace, name), ""
        except Failed as error:
            if str(error) != told:
                told = str(error)
                say(f"{told}; asked again")


def _live(kube: Kubernetes, namespace: str, name: str) -> Object:
    live = kube.get(_FEDERATION, name, namespace)
    if live is None:
        raise Refused(f"there is no FederatedLearning {name} in namespace {namespace}; kubectl get fl -A lists all there are")
    return live


def _seen(kube: Kubernetes, live: Object) -> Seen:
    namespace, name = live["metadata"]["namespace"], live["metadata"]["name"]
    try:
        status = FederatedLearningStatus.model_validate(live.get("status") or {})
    except ValidationError as error:
        raise Refused(f"the status of {namespace}/{name} is of another version: {cause(error)}") from None
    return Seen(namespace, name, status, _rounds(kube, namespace, name))


def _rounds(kube: Kubernetes, namespace: str, name: str) -> tuple[RoundRecord, ...]:
    """With each cluster's loss: what the aggregator tells as long as it is there, to those who may read it."""
    try:
        told = kube.get(_CONFIG_MAP, progress_name(name), namespace)
    except Failed:
        return ()
    return reporter.rounds((told or {}).get("data") or {})
