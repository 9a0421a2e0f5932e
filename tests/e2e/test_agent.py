"""What an owner offers, as the hub hears of it: counted on the spoke by its agent, carried by OCM, and never a byte of it."""

import logging
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fedspoke.api.names import DOMAIN, OFFERS, data_claim, posts_claim
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import NAMESPACE
from support.fleet import federation, ocm
from support.fleet.addon import conditions, installed, is_well
from support.fleet.cluster import Cluster
from support.fleet.fleet import OwnFleet
from support.fleet.kubernetes import Kind
from support.fleet.wait import until

_MINUTE = 60
_SECONDS = 180
_CONFIG_MAP, _CLAIM = Kind("v1", "configmaps"), Kind("v1", "persistentvolumeclaims")
_DEPLOYMENT = Kind("apps/v1", "deployments")

log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example")
    demo.write(folder)
    return folder


@pytest.fixture(scope="module")
def spokes(own_fleet: OwnFleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnFleet]:
    with installed(own_fleet, tmp_path_factory.mktemp("manager")):
        for spoke in own_fleet.spokes:
            until(f"the add-on on {spoke.name}", partial(conditions, own_fleet, spoke), _SECONDS, so=is_well)
        yield own_fleet


def test_what_is_offered_is_on_the_hub_within_a_minute(spokes: OwnFleet, example: Path) -> None:
    spoke = spokes.spokes[0]
    federation.offer(spoke, "holiday", "offered", example / "exports/facebook")
    began = time.monotonic()
    _label(spoke, "holiday", "facebook")
    found = until("the hub knows", partial(_claims, spokes, spoke), _MINUTE, so=lambda it: posts_claim("facebook") in it)
    log.info("claimed after %.1f s: %s", time.monotonic() - began, found)
    assert found[data_claim("facebook")] == "/data/facebook"
    assert int(found[posts_claim("facebook")]) > 5
    assert "holiday" not in str(found)


def _label(spoke: Cluster, claim: str, platform: str | None) -> None:
    spoke.kubernetes.merge(_CLAIM, claim, {"metadata": {"labels": {OFFERS: platform}}}, NAMESPACE)


def _claims(fleet: OwnFleet, spoke: Cluster) -> dict[str, str]:
    """Ours, of the spoke, as the hub has them."""
    found = fleet.hub.kubernetes.get(ocm.CLUSTER, spoke.name)["status"].get("clusterClaims", [])
    return {it["name"]: it["value"] for it in found if it["name"].endswith(DOMAIN)}
