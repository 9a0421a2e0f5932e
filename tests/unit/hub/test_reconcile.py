"""What one federation wants on the hub and on its spokes."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from fedspoke.api import parse
from fedspoke.api.names import run_name
from fedspoke.hub.aggregator_workload import Place
from fedspoke.hub.reconcile import Images, Site, wanted
from fedspoke.manifestworks.collaborator import NAMESPACE, Hub, Spoke
from fedspoke.manifestworks.report import key_name
from support import build
from support.golden import matches

SITE = Site(hub_id="hub-1", gateway=Hub(address="192.0.2.7", port=30443), deadline=datetime(2026, 11, 21, 12, tzinfo=UTC))
BERLIN = Spoke(cluster="berlin", datasets={"facebook": "/data/facebook"})
LYON = Spoke(cluster="lyon", datasets={"instagram": "/data/instagram"})
FL = parse.federated_learning(
    build.federated_learning(
        server={"minAvailableClients": 2, "listeners": [{"name": "public", "type": "NodePort", "port": 30443}]},
        client={"resources": {"limits": {"nvidia.com/gpu": "1"}}, "data": {"platforms": ["facebook", "instagram"]}},
        training={"model": {"name": "/model/llava", "claimName": "model"}},
    )
)


def pods_of(objects, *kinds):
    return [
        item["spec"]["template"]["spec"]
        for outer in objects
        for item in [outer, *outer.get("spec", {}).get("workload", {}).get("manifests", [])]
        if item["kind"] in kinds
    ]


def test_only_the_placement_is_wanted_until_clusters_are_chosen():
    assert [item["kind"] for item in wanted(FL, [], SITE)] == ["Placement"]


def test_the_hub_runs_the_aggregator_and_each_spoke_gets_one_work():
    assert matches("federation", wanted(FL, [BERLIN, LYON], SITE))


def test_a_federation_that_names_no_image_runs_what_the_controller_was_told():
    site = replace(SITE, images=Images(aggregator="registry/aggregator:2", collaborator="registry/collaborator:2"))
    for named, expected in (({}, "registry/{}:2"), ({"image": "own"}, "own")):
        fl = parse.federated_learning(build.federated_learning(server=named, client=named))
        objects = wanted(fl, [BERLIN], site)
        for pods, component in ((pods_of(objects, "Deployment"), "aggregator"), (pods_of(objects, "Job"), "collaborator")):
            found = {it["image"] for pod in pods for it in [*pod.get("initContainers", []), *pod["containers"]]}
            assert found == {expected.format(component)}


def test_a_pod_names_the_group_that_may_write_to_its_volumes_but_on_openshift_which_names_one():
    for openshift, group in ((False, 65532), (True, None)):
        site = replace(SITE, hub_place=Place(openshift=openshift))
        objects = wanted(FL, [replace(BERLIN, openshift=openshift)], site)
        assert [pod["securityContext"].get("fsGroup") for pod in pods_of(objects, "Deployment", "Job")] == [group, group]


def test_whatever_two_federations_of_a_namespace_are_called_none_has_an_object_of_the_others():
    suffixes = ("", *(f"-{it}" for it in ("report", "key", "progress", "ca", "certificate", "aggregator", "aggregator-ca")))
    names = [f"social{it}" for it in suffixes]
    owners: dict[tuple[str, str, str], str] = {}
    for name in names:
        fl = parse.federated_learning(build.federated_learning(name))
        objects = [it for it in wanted(fl, [BERLIN], SITE) if it["kind"] != "ManagedClusterSetBinding"]
        objects += [manifest for it in objects for manifest in it.get("spec", {}).get("workload", {}).get("manifests", [])]
        objects.append({"kind": "Secret", "metadata": {"name": key_name(run_name("default", name)), "namespace": NAMESPACE}})
        for it in objects:
            key = it["kind"], it["metadata"]["namespace"], it["metadata"]["name"]
            assert owners.setdefault(key, name) == name, f"{owners[key]} and {name} both have {key}"


def test_a_node_port_that_is_not_named_is_one_that_kubernetes_chooses():
    for listeners in ([], [{"name": "public", "type": "NodePort"}], [{"name": "public", "type": "NodePort", "port": 8080}]):
        fl = parse.federated_learning(build.federated_learning(server={"listeners": listeners}))
        (service,) = (it for it in wanted(fl, [BERLIN], SITE) if it["kind"] == "Service")
        assert service["spec"]["type"] == "NodePort"
        assert "nodePort" not in service["spec"]["ports"][0]


def test_works_of_equally_named_federations_in_two_namespaces_never_meet():
    names = []
    for namespace in ("team-a", "team-b"):
        fl = parse.federated_learning(build.federated_learning(namespace=namespace))
        names.append(
            {
                (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
                for work in wanted(fl, [BERLIN], SITE)
                if work["kind"] == "ManifestWork"
                for item in [work, *work["spec"]["workload"]["manifests"]]
            }
        )
    assert names[0].isdisjoint(names[1])


def test_no_container_may_write_to_its_root_or_gain_rights():
    pods = pods_of(wanted(FL, [BERLIN], SITE), "Deployment", "Job")
    containers = [container for pod in pods for container in [*pod.get("initContainers", []), *pod["containers"]]]
    assert len(containers) == 7
    for context in (container["securityContext"] for container in containers):
        assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert all(pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"] for pod in pods)


def test_a_spoke_learns_nothing_of_another():
    (work,) = [item for item in wanted(FL, [BERLIN, LYON], SITE) if item["metadata"].get("namespace") == "berlin"]
    assert "lyon" not in json.dumps(work)
