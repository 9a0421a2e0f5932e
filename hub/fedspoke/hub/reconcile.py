"""Every object that one federation wants, as a pure function: on the hub, and in each chosen cluster's namespace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version

from fedspoke.api.federated_learning import FederatedLearning, Object
from fedspoke.hub.aggregator_workload import Attempt, aggregator
from fedspoke.hub.aggregator_workload import Place as HubPlace
from fedspoke.manifestworks.collaborator import Hub, Spoke, collaborator
from fedspoke.manifestworks.collaborator import Place as SpokePlace
from fedspoke.manifestworks.work import manifest_work
from fedspoke.placement.objects import bindings, placement

_VERSION = version("fedspoke")


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """What hub and spokes run; the last two where a federation names none of its own."""

    agent: str = f"fedspoke-agent:{_VERSION}"
    aggregator: str = f"fedspoke-aggregator:{_VERSION}"
    collaborator: str = f"fedspoke-collaborator:{_VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where the federation runs: which hub, how spokes reach it, until when, what of, and the files and ports if not a pod's."""

    hub_id: str
    gateway: Hub | None
    """None as long as it has no address: nothing is sent to spokes until then."""
    deadline: datetime
    attempt: str = ""
    account: str = ""
    """The aggregator's service account, where that was made anew: the token of a pod that is older is worth nothing."""
    images: Images = field(default_factory=Images)
    hub_place: HubPlace = field(default_factory=HubPlace)
    spoke_places: Mapping[str, SpokePlace] = field(default_factory=dict)


def wanted(fl: FederatedLearning, spokes: Sequence[Spoke], site: Site) -> list[Object]:
    """The Placement with its cluster sets; once it has chosen, also the aggregator and a ManifestWork a spoke."""
    if not spokes:
        return [*bindings(fl), placement(fl)]
    clusters = [spoke.cluster for spoke in spokes]
    works = [
        manifest_work(
            fl, spoke.cluster, collaborator(fl, spoke, gateway, fl.spec.client.image or site.images.collaborator, place)
        )
        for gateway in filter(None, [site.gateway])
        for spoke in spokes
        for place in [site.spoke_places.get(spoke.cluster, SpokePlace())]
    ]
    attempt = Attempt(clusters=clusters, hub=site.hub_id, deadline=site.deadline, name=site.attempt, account=site.account)
    hub = aggregator(fl, attempt, fl.spec.server.image or site.images.aggregator, site.hub_place)
    return [*bindings(fl), placement(fl), *hub, *works]
