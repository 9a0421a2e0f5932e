"""The fleet that the other tests stand on: clusters whose pods really run."""

from support.fleet import workloads
from support.fleet.fleet import Fleet
from support.fleet.kubernetes import POD
from support.fleet.wait import until


def test_a_pod_runs_the_code_of_this_repository_to_its_end(fleet: Fleet) -> None:
    kubernetes = fleet.hub.kubernetes
    kubernetes.create(POD, workloads.pod("hello", "python", "-c", "import fedspoke.api; print('hello')"))

    until("the pod is done", lambda: kubernetes.get(POD, "hello", "default")["status"].get("phase") == "Succeeded", 60)

    assert kubernetes.log("hello", "default") == "hello\n"
