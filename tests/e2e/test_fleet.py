"""The fleet that the other tests stand on: clusters whose pods really run, joined by OCM, that can be hurt and recover."""

import shutil
import socket
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from fedspoke.placement.fleet import PLACEMENT_LABEL
from support import build
from support.fleet import images, ocm, ocm_hub, workloads
from support.fleet.fleet import Fleet, OwnFleet
from support.fleet.kubernetes import JOB, POD, Kubernetes, Rejected
from support.fleet.wait import until
from support.fleet.workloads import NAMESPACE

_SECONDS = 180
"""For anything: OCM's agent tries again only after a minute when the API server of its cluster was away."""


def test_a_pod_runs_the_code_of_this_repository_to_its_end(fleet: Fleet) -> None:
    hub = fleet.hub.kubernetes
    with hub.temporarily(workloads.pod("hello", "python", "-c", "import fedspoke.api; print('hello')")):
        assert workloads.succeeds(hub, "hello", _SECONDS) == "hello\n"


def test_a_job_in_a_manifest_work_runs_on_its_spoke_and_the_hub_hears_that_it_is_complete(fleet: Fleet) -> None:
    spoke = fleet.spokes[0]
    with fleet.hub.kubernetes.temporarily(workloads.work(spoke.name, workloads.job("from-the-hub", "true"))):
        _hub_hears_of(fleet, spoke.name, "from-the-hub")

        assert spoke.kubernetes.get(JOB, "from-the-hub", NAMESPACE)["status"]["succeeded"] == 1


def test_a_placement_chooses_the_cluster_that_has_the_label(fleet: Fleet) -> None:
    hub, chosen = fleet.hub.kubernetes, fleet.spokes[1].name
    wanted = build.placement(build.with_label(build.has("fleet-test")), name="labelled")

    def decided() -> list[str]:
        decisions = hub.all(ocm.DECISION, NAMESPACE, f"{PLACEMENT_LABEL}=labelled")
        return [each["clusterName"] for it in decisions for each in it.get("status", {}).get("decisions", [])]

    hub.merge(ocm.CLUSTER, chosen, {"metadata": {"labels": {"fleet-test": "chosen"}}})
    with hub.temporarily(build.binding("global"), wanted):
        until("the Placement is decided", decided, _SECONDS, so=[chosen].__eq__)
    hub.merge(ocm.CLUSTER, chosen, {"metadata": {"labels": {"fleet-test": None}}})


def test_a_pod_of_a_spoke_reaches_a_node_port_of_the_hub(fleet: Fleet) -> None:
    hub, spoke = fleet.hub, fleet.spokes[0].kubernetes
    port = 30080
    fetch = f"import urllib.request; urllib.request.urlopen('http://{hub.address}:{port}', timeout=30)"
    server = workloads.pod("server", "python", "-m", "http.server", "8080")
    with hub.kubernetes.temporarily(server, workloads.node_port("server", 8080, port)):
        until("the port leads to the server", partial(_connected, hub.address, port), _SECONDS)

        with spoke.temporarily(workloads.pod("client", "python", "-c", fetch)):
            workloads.succeeds(spoke, "client", _SECONDS)

        assert "GET /" in hub.kubernetes.log("server", NAMESPACE)


def test_a_service_account_may_do_what_its_role_says_and_no_more(own_fleet: OwnFleet) -> None:
    with closing(Kubernetes(ocm_hub.bootstrap(own_fleet.hub))) as who_asks_to_join:
        assert len(who_asks_to_join.all(ocm.CLUSTER)) == 2

        with pytest.raises(Rejected, match=r"agent-registration-bootstrap.* cannot list resource"):
            who_asks_to_join.all(POD)


def test_a_claim_gets_a_volume_that_any_user_may_write_to(own_fleet: OwnFleet) -> None:
    spoke = own_fleet.spokes[0]
    folder = spoke.volume("kept")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "kept", "namespace": NAMESPACE},
        "spec": spec,
    }
    writer = workloads.pod("writer", "sh", "-c", "echo written > /kept/file")
    writer["spec"]["volumes"] = [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}]
    writer["spec"]["containers"][0]["volumeMounts"] = [{"name": "kept", "mountPath": "/kept"}]
    with spoke.kubernetes.temporarily(claim, writer):
        workloads.succeeds(spoke.kubernetes, "writer", _SECONDS)

    assert (folder / "file").read_text() == "written\n"


def test_an_image_made_of_a_folder_runs_on_the_node_that_has_it(own_fleet: OwnFleet, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(shutil.which("busybox") or "", root / "busybox")
    (root / "made").write_text("of a folder")
    own_fleet.hub.import_image(images.archive(root, "localhost/made:1", tmp_path / "made.tar"))
    document = workloads.pod("made", "/busybox", "cat", "/made")
    document["spec"]["containers"][0]["image"] = "localhost/made:1"
    with own_fleet.hub.kubernetes.temporarily(document):
        assert workloads.succeeds(own_fleet.hub.kubernetes, "made", _SECONDS) == "of a folder"


def test_a_spoke_that_is_cut_off_becomes_unknown_to_the_hub_and_comes_back(own_fleet: OwnFleet) -> None:
    hub, spoke = own_fleet.hub.kubernetes, own_fleet.spokes[1]

    def available() -> str | None:
        return ocm.condition(hub.get(ocm.CLUSTER, spoke.name), ocm.AVAILABLE)

    own_fleet.network.cut(spoke.machine)
    until(f"the hub misses {spoke.name}", available, _SECONDS, so="Unknown".__eq__)
    own_fleet.network.restore(spoke.machine)

    until(f"{spoke.name} is back", available, _SECONDS, so="True".__eq__)


@pytest.mark.parametrize("agent", ["registration-agent", "work-agent"])
def test_a_killed_agent_of_ocm_comes_back(own_fleet: OwnFleet, agent: str) -> None:
    hub, spoke = own_fleet.hub.kubernetes, own_fleet.spokes[0]
    spoke.machine.restart(agent)

    with hub.temporarily(workloads.work(spoke.name, workloads.job(f"after-{agent}", "true"))):
        _hub_hears_of(own_fleet, spoke.name, f"after-{agent}")
    until(f"{spoke.name} is available", partial(ocm.is_available, hub, spoke.name), _SECONDS)


def test_a_killed_kubelet_comes_back_and_its_pods_have_noticed_nothing(own_fleet: OwnFleet) -> None:
    machine, spoke = own_fleet.spokes[0].machine, own_fleet.spokes[0].kubernetes
    with spoke.temporarily(workloads.pod("lasting", "python", "-c", "import signal; signal.pause()")):
        until("the pod runs", partial(workloads.phase, spoke, "lasting"), _SECONDS, so="Running".__eq__)
        before = _container(spoke, "lasting")

        machine.restart("kubelet")
        with spoke.temporarily(workloads.pod("later", "true")):
            workloads.succeeds(spoke, "later", _SECONDS)

        assert _container(spoke, "lasting") == before


@pytest.mark.parametrize("program", ["containerd", "kube-controller-manager", "kube-scheduler", "kube-apiserver", "etcd"])
def test_a_killed_program_of_a_cluster_comes_back(own_fleet: OwnFleet, program: str) -> None:
    machine, spoke = own_fleet.spokes[1].machine, own_fleet.spokes[1].kubernetes
    machine.kill(program)
    assert machine.processes[program].ended
    machine.restart(program)

    until("the API server is ready", spoke.ready, _SECONDS)
    with spoke.temporarily(workloads.job("after", "true")):
        until("a Job succeeds", lambda: spoke.get(JOB, "after", NAMESPACE)["status"].get("succeeded"), _SECONDS)


def _hub_hears_of(fleet: Fleet, cluster: str, name: str) -> None:
    hub = fleet.hub.kubernetes
    complete = {"JobComplete": "True", "JobSucceeded": 1}
    until(f"the hub hears of {name}", lambda: workloads.feedback(hub.get(ocm.WORK, name, cluster)), _SECONDS, so=complete.__eq__)


def _container(kubernetes: Kubernetes, pod: str) -> tuple[str, int]:
    (status,) = kubernetes.get(POD, pod, NAMESPACE)["status"]["containerStatuses"]
    return status["containerID"], status["restartCount"]


def _connected(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
