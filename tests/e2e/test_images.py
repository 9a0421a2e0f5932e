"""The images that `make images` builds, on a hub and a spoke that show them nothing of this machine.

Every pod there gets a user that no image knows, and PodSecurity's strictest profile, as on OpenShift. What is installed, and what
the controller then makes, is as it is for anybody.
"""

import json
import os
import re
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fedspoke.api.base import Object
from fedspoke.api.names import ADDON, API_VERSION, platform_label, posts_claim, server_name
from fedspoke.local import demo
from fedspoke.manifestworks.collaborator import NAMESPACE
from support import build
from support.fleet import federation, ocm, openshift, requirements, workloads
from support.fleet.binaries import Say
from support.fleet.fleet import OwnFleet, own
from support.fleet.kubectl import kubectl
from support.fleet.kubernetes import POD, Kind, Kubernetes, Rejected
from support.fleet.processes import call
from support.fleet.wait import until
from support.locked import closure

ROOT = Path(__file__).parents[2]
DEPLOY, OUT = ROOT / "hub/deploy", ROOT / "images/out"
SMALL = ("operator", "aggregator", "agent")
IMAGES = (*SMALL, "collaborator") if os.environ.get("FEDSPOKE_IMAGES") == "all" else SMALL
HOME, USERS, NAME = "fedspoke", "team", "social"
_SECONDS = 180
_DEPLOYMENT, _FEDERATION = Kind("apps/v1", "deployments"), Kind(API_VERSION, "federatedlearnings")

_TRACES = {"events", "events.events.k8s.io", "certificatesigningrequests.certificates.k8s.io"}
"""What happened, and who asked for what: Kubernetes forgets it by itself, within a day."""

_SAYS = "import getpass, os, sys; print(sys.prefix, os.getuid(), os.getgid(), os.path.expanduser('~'), getpass.getuser())"
_WRITES = 'python -c \'open("/opt/fedspoke/new", "w")\' 2>&1 | tail -n 1'


@pytest.fixture(scope="module")
def built(say: Say) -> Path:
    """The archives of the images, and what they hold, by README's command."""
    requirements.provide(say, {"buildah": "buildah", "mmdebstrap": "mmdebstrap"})
    say("building the images")
    began = time.monotonic()
    told = call("make", "--no-print-directory", "--directory", ROOT, "images", f"IMAGES={' '.join(IMAGES)}")
    say(f"{told}built in {time.monotonic() - began:.0f} s")
    return OUT


@pytest.fixture(scope="module")
def fleet(built: Path, say: Say) -> Iterator[OwnFleet]:
    """A hub with the controller of hub/deploy, and a spoke."""
    with own(1, say, ROOT / "out/e2e/images", shown=()) as fleet:
        for cluster, images in ((fleet.hub, SMALL), (fleet.spokes[0], IMAGES[2:])):
            openshift.resemble(cluster.kubernetes)
            for image in images:
                cluster.import_image(built / f"{image}.tar")
        fleet.spokes[0].kubernetes.apply(openshift.restricted(NAMESPACE))
        fleet.hub.kubernetes.apply(openshift.restricted(USERS))
        kubectl(fleet.hub.kubeconfig, "apply", "-k", DEPLOY)
        yield fleet


@pytest.mark.parametrize("image", SMALL)
def test_an_image_runs_as_any_user_who_has_a_name_and_a_home_and_cannot_change_it(fleet: OwnFleet, image: str) -> None:
    kube, pod = fleet.hub.kubernetes, workloads.pod(image, "sh", "-c", f'fedspoke --version; python -c "{_SAYS}"; {_WRITES}')
    (container,) = pod["spec"]["containers"]
    container["image"] = f"fedspoke-{image}:0.1.0"
    del container["securityContext"]["runAsUser"]
    kube.create(POD, pod)
    version, who, written = workloads.succeeds(kube, image, _SECONDS).splitlines()
    assert version == "fedspoke, version 0.1.0"
    assert who == f"/opt/fedspoke {openshift.USER} 0 /tmp fedspoke"
    assert written == "OSError: [Errno 30] Read-only file system: '/opt/fedspoke/new'"


def test_the_controller_is_ready(fleet: OwnFleet) -> None:
    until("the controller is ready", partial(_available, fleet.hub.kubernetes, "fedspoke-operator", HOME), _SECONDS)


def test_the_agent_of_a_spoke_says_on_the_hub_that_it_is_there(fleet: OwnFleet) -> None:
    (spoke,) = fleet.spokes
    addon = partial(fleet.hub.kubernetes.get, ocm.ADDON, ADDON, spoke.name)
    until("the add-on is available", lambda: ocm.condition(addon(), "Available"), _SECONDS, so=lambda it: it == "True")


def test_a_federation_starts_its_aggregator_and_each_pod_of_it_is_let_in(fleet: OwnFleet) -> None:
    hub, (spoke,) = fleet.hub.kubernetes, fleet.spokes
    hub.merge(ocm.CLUSTER, spoke.name, {"metadata": {"labels": {platform_label("facebook"): "true"}}})
    fleet.hub.volume("models", "1Gi")
    client = {"data": {"platforms": ["facebook"]}, "placement": {"clusterSets": ["global"]}}
    server = {"rounds": 2, "minAvailableClients": 1, "storage": {"size": "1Gi"}}
    own = {"training": federation.SPEC["training"], "profiles": {"encoder": "/model/encoder", "minPosts": 5}}
    hub.apply(build.federated_learning(NAME, USERS, client=client, server=server, **own))

    until("the aggregator runs", partial(_available, hub, f"{NAME}-aggregator", USERS), _SECONDS)
    said = until("the hub hears why", partial(_reason, hub), _SECONDS, so=lambda it: "data of" in it)
    assert said.startswith("no data of facebook is offered on this cluster")
    waits = until("the aggregator waits", partial(_message, hub), _SECONDS, so=lambda it: "waiting for" in it)
    assert spoke.name in waits
    (listener,) = _status(hub)["listeners"]
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        _knock(listener["address"], listener["port"], server_name(USERS, NAME))


def test_the_agents_image_reads_what_is_offered(fleet: OwnFleet, tmp_path: Path) -> None:
    hub, (spoke,) = fleet.hub.kubernetes, fleet.spokes
    demo.write(tmp_path)
    federation.offer(spoke, "facebook-data", "facebook-data", tmp_path / "exports/facebook", "facebook")
    claims = partial(_claims, hub, spoke.name)
    until("its posts are on the hub", claims, _SECONDS, so=lambda it: int(it.get(posts_claim("facebook"), 0)) > 5)


@pytest.mark.skipif(IMAGES == SMALL, reason="FEDSPOKE_IMAGES=all builds the collaborator's image too: 6 GB, some minutes")
def test_the_federation_completes_once_the_spoke_has_data_and_a_model(fleet: OwnFleet, tmp_path: Path) -> None:
    demo.write(tmp_path)
    shutil.copytree(demo.encoder(), tmp_path / "model/encoder")
    federation.offer(fleet.spokes[0], "model", "model", tmp_path / "model", model=True)
    asked = partial(_status, fleet.hub.kubernetes)
    ended = until("it is completed", asked, 5 * _SECONDS, so=lambda it: it["phase"] == "Completed")
    assert ended["summary"]["rounds"] == "2/2"
    assert ended["profile"]["digest"]


def test_a_pod_that_could_be_more_is_refused_where_ours_run(fleet: OwnFleet) -> None:
    pod = workloads.pod("more", "true")
    pod["metadata"]["namespace"] = NAMESPACE
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(Rejected, match='violates PodSecurity "restricted'):
        fleet.spokes[0].kubernetes.create(POD, pod)


def test_what_the_readme_says_takes_all_of_it_away_from_hub_and_spoke(fleet: OwnFleet) -> None:
    hub, (spoke,) = fleet.hub, fleet.spokes
    assert _ours(hub.kubeconfig)
    assert _ours(spoke.kubeconfig)
    kubectl(hub.kubeconfig, "delete", "fl", "-A", "--all")
    kubectl(hub.kubeconfig, "delete", "-k", DEPLOY)
    for cluster in (hub, spoke):
        until(f"nothing is left on {cluster.name}", partial(_ours, cluster.kubeconfig), _SECONDS, so=[].__eq__)


@pytest.mark.parametrize("image", SMALL)
def test_the_bill_names_what_is_locked_for_an_image_and_what_its_base_has(built: Path, image: str) -> None:
    bill = json.loads((built / f"{image}.cdx.json").read_text())
    assert bill["metadata"]["component"]["name"] == f"fedspoke-{image}"
    found = {_name(it["name"]): it["version"] for it in bill["components"] if it["purl"].startswith("pkg:pypi/")}
    locked = closure(image)
    assert found.keys() == locked.keys() - {"uv", "triton"}
    assert all(version in locked[name] for name, version in found.items())
    assert "libc6" in {it["name"] for it in bill["components"] if it["purl"].startswith("pkg:deb/debian/")}


def _knock(address: str, port: int, name: str) -> None:
    """At the gateway's door, without a certificate."""
    whoever = ssl.create_default_context()
    whoever.check_hostname, whoever.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((address, port), 30) as plain, whoever.wrap_socket(plain, server_hostname=name) as secured:
        secured.recv(1)


def _ours(kubeconfig: Path) -> list[str]:
    """All that a cluster has of us, of whatever kind, by its name."""
    kinds = set(kubectl(kubeconfig, "api-resources", "--verbs=list", "--output=name").split()) - _TRACES
    found = kubectl(kubeconfig, "get", ",".join(sorted(kinds)), "--all-namespaces", "--output=name", "--ignore-not-found")
    return [it for it in found.splitlines() if any(word in it for word in ("fedspoke", "federat", NAME))]


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _claims(hub: Kubernetes, cluster: str) -> dict[str, str]:
    return {it["name"]: it["value"] for it in hub.get(ocm.CLUSTER, cluster)["status"].get("clusterClaims", [])}


def _available(kube: Kubernetes, name: str, namespace: str) -> bool:
    return ocm.condition(kube.get(_DEPLOYMENT, name, namespace), "Available") == "True"


def _status(kube: Kubernetes) -> Object:
    found: Object = kube.get(_FEDERATION, NAME, USERS).get("status", {})
    assert found.get("phase") != "Failed", found["message"]
    return found


def _reason(kube: Kubernetes) -> str:
    (cluster,) = _status(kube).get("clusters") or [{}]
    reason: str = cluster.get("reason", "")
    return reason


def _message(kube: Kubernetes) -> str:
    message: str = _status(kube).get("message", "")
    return message
