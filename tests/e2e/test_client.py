"""How fedspoke asks an API server, on a real one."""

from fedspoke.kube.client import Kind, Kubernetes
from support.fleet.worlds import Hub

_CONFIG_MAP = Kind("v1", "ConfigMap")


def test_each_of_more_objects_than_a_page_holds_is_read_once(hub: Hub) -> None:
    kube = Kubernetes.of_file(hub.server.kubeconfig)
    names = [f"page-{number:03}" for number in range(250)]
    for name in names:
        kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
    found = [it["metadata"]["name"] for it in kube.each(_CONFIG_MAP)]
    assert [it for it in found if it.startswith("page-")] == names


def test_objects_are_asked_for_by_a_label_of_any_value(hub: Hub) -> None:
    kube = Kubernetes.of_file(hub.server.kubeconfig)
    for name, labels in (("one", {"offers": "x"}), ("two", {"offers": "y"}), ("three", {"other": "x"})):
        kube.create(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", "labels": labels}}
        )
    assert [it["metadata"]["name"] for it in kube.all(_CONFIG_MAP, labels={"offers": None})] == ["one", "two"]
