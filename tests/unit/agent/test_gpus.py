"""GPUs that a cluster has, and those that nothing is at work on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.agent.gpus import asked, gpus
from fedspoke.api.base import Object

NVIDIA, AMD, SLICE = "nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.5gb"


def node(
    name: str = "n1", labels: dict[str, str] | None = None, *, ready: bool = True, cordoned: bool = False, **gpus: Any
) -> Object:
    names = {"nvidia": NVIDIA, "amd": AMD, "slices": SLICE}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "allocatable": {"cpu": "64", "memory": "512Gi"} | {names[of]: amount for of, amount in gpus.items()},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


def container(count: int = 0, resource: str = NVIDIA, **fields: str) -> Object:
    return {"resources": {"limits": {"cpu": "1"} | ({resource: str(count)} if count else {})}} | fields


def pod(*containers: Object, node: str | None = "n1", init: tuple[Object, ...] = (), phase: str = "Running") -> Object:
    spec = {"containers": list(containers), "initContainers": list(init)}
    return {"spec": spec | ({"nodeName": node} if node else {}), "status": {"phase": phase}}


def test_what_nodes_have_and_pods_do_not_ask_for_is_free():
    found = gpus(
        [node(nvidia="8"), node("n2", amd="4"), node("n3", slices=7)], [pod(container(3)), pod(container(1, SLICE), node="n3")]
    )
    assert found.allocatable == {NVIDIA: 8, AMD: 4, SLICE: 7}
    assert found.free == {NVIDIA: 5, AMD: 4, SLICE: 6}
    assert (found.total, found.unused) == (19, 15)


@pytest.mark.parametrize("it", [node(nvidia="8", ready=False), node(nvidia="8", cordoned=True), node()])
def test_a_node_that_takes_no_pods_or_has_no_gpu_counts_for_nothing(it: Object):
    assert (gpus([it], []).total, gpus([it], []).unused) == (0, 0)


def test_pods_that_have_ended_or_are_on_no_node_take_none():
    pods = [pod(container(1), phase="Succeeded"), pod(container(1), phase="Failed"), pod(container(1), node=None)]
    assert gpus([node(nvidia="1")], pods).free == {NVIDIA: 1}


def test_a_node_that_lost_a_gpu_takes_none_from_another():
    assert gpus([node(nvidia="1"), node("n2", nvidia="4")], [pod(container(2))]).free == {NVIDIA: 4}


def test_pods_are_not_read_where_no_node_has_a_gpu():
    def never():
        raise AssertionError("pods were read")
        yield

    assert gpus([node()], never()).total == 0


@pytest.mark.parametrize(
    ("it", "takes"),
    [
        pytest.param(pod(container(1), container(2)), 3, id="containers side by side"),
        pytest.param(pod(container(1), init=(container(4), container(2))), 4, id="init containers one after the other"),
        pytest.param(pod(container(), init=(container(1, restartPolicy="Always"),)), 1, id="a sidecar, as our trainer is one"),
        pytest.param(
            pod(container(1), init=(container(1, restartPolicy="Always"), container(3))),
            4,
            id="an init container beside a sidecar",
        ),
        pytest.param(pod(container()), 0, id="no GPU"),
    ],
)
def test_a_pod_takes_what_the_scheduler_reckons_with(it: Object, takes: int):
    assert asked(it)[NVIDIA] == takes


def test_models_are_those_of_nodes_that_count():
    nodes = [
        node(labels={"nvidia.com/gpu.product": "NVIDIA-H200"}, nvidia="8"),
        node("n2", labels={"amd.com/gpu.product-name": "AMD_Instinct_MI300X"}, amd="8"),
        node("n3", labels={"nvidia.com/gpu.product": "Tesla-T4"}, nvidia="1", ready=False),
    ]
    assert gpus(nodes, []).models == ("AMD_Instinct_MI300X", "NVIDIA-H200")


@given(st.text() | st.integers())
def test_a_number_that_is_none_of_gpus_counts_for_nothing(amount: str | int):
    assert 0 <= gpus([node(nvidia=amount)], []).total <= 100_000


@pytest.mark.parametrize("amount", ["9" * 400, "1e99999999999", "-4", "1Ei", "NaN"])
def test_a_giant_number_of_gpus_counts_for_nothing(amount: str):
    assert gpus([node(nvidia=amount)], []).total == 0
