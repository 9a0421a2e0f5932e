"""What a federation's settings say that a cluster's owner has a say in, and whether they lead elsewhere than a collaborator's do.

A hub may lie: a folder that it names as a dataset's would be read as one, whatever volume that is of.
"""

from collections.abc import Iterable, Mapping

from pydantic.alias_generators import to_camel

from fedspoke.api.curation import Curation
from fedspoke.api.names import Platform
from fedspoke.api.records import HubGateway, Record
from fedspoke.api.training import AdapterPrivacy, Profiles
from fedspoke.manifestworks.collaborator import Place, wire

_PLACE = Place()


class Told(Record):
    """Of a collaborator's settings, as far as they are judged."""

    model_config = {"extra": "ignore"}

    run: str
    datasets: dict[Platform, str]
    output: str
    privacy: AdapterPrivacy = AdapterPrivacy()
    profiles: Profiles
    curation: Curation | None = None
    overrules: str = ""
    gateway: str
    mcp_port: int
    mcp_token: str
    supernode_port: int


def elsewhere(told: Told, run: str, platforms: Iterable[str]) -> str:
    """Which setting is not that of a collaborator of this federation, whose pod has data of these platforms; empty if none."""
    right = {
        "run": run,
        "datasets": {it: f"/data/{it}" for it in platforms},
        "output": _PLACE.output,
        "overrules": _PLACE.overrules,
        "gateway": _PLACE.gateway,
        "mcp_port": _PLACE.mcp_port,
        "mcp_token": _PLACE.mcp_token,
        "supernode_port": _PLACE.supernode_port,
    }
    other = (to_camel(name) for name, value in right.items() if getattr(told, name) != value)
    return next((f"its settings have another {name} than a collaborator's" for name in other), "")


def another_wire(files: Mapping[str, str], gateway: HubGateway, run: str) -> str:
    """Which file by which bytes leave the pod is not that of a collaborator of this federation and hub; empty if none."""
    if gateway.run != run:
        return "its settings name the gateway of another federation"
    other = (name for name, right in wire(gateway, _PLACE).items() if files.get(name) != right)
    return next((f"its settings have another {name} than a collaborator's" for name in other), "")
