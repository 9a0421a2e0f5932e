"""What the objects on a hub mean for one federation."""

from datetime import UTC, datetime

import pytest

from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.federated_learning import ListenerStatus
from fedspoke.api.names import run_name
from fedspoke.api.records import ClusterProgress, Progress
from fedspoke.hub.controller import seen
from fedspoke.hub.controller.world import World
from fedspoke.placement.evaluate import Decision
from fedspoke.placement.fleet import Fleet
from support import build
from support.hub import FL, NAMESPACE, NOW, node

RUN = run_name(NAMESPACE, FL)
ANYWHERE = "0.0.0.0"  # noqa: S104  over IPv4 alone


def federation(**spec: object):
    return parse.federated_learning(build.federated_learning(FL, NAMESPACE, **spec))


def listening(**listener: object):
    return federation(server={"listeners": [{"name": "public"} | listener]})


def world(*owned: Object, nodes=(), pods=(), events=(), works=(), fleet=None) -> World:
    there = {"pods": pods, "events": events, "works": works, "nodes": nodes}
    return World(fleet=fleet or Fleet(), owned=owned, claims=(), **{name: tuple(it) for name, it in there.items()})


def service(*ingress: Object, **port: int) -> Object:
    status = {"loadBalancer": {"ingress": list(ingress)}} if ingress else {"loadBalancer": {}}
    metadata = {"name": f"{FL}-aggregator", "namespace": NAMESPACE}
    return {"kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 8443} | port]}, "status": status}


def deployment(*conditions: Object) -> Object:
    metadata = {"name": f"{FL}-aggregator", "namespace": NAMESPACE}
    return {"kind": "Deployment", "metadata": metadata, "status": {"conditions": list(conditions)}}


def progress(**data: str) -> Object:
    return {"kind": "ConfigMap", "metadata": {"name": f"{FL}-progress", "namespace": NAMESPACE}, "data": data}


def pod(status: Object, made: str) -> Object:
    return {"metadata": {"name": made, "creationTimestamp": made}, "spec": {}, "status": status}


def at(address: str, port: int, kind: str = "NodePort") -> ListenerStatus:
    return ListenerStatus(name="public", type=kind, address=address, port=port)


@pytest.mark.parametrize(
    ("addresses", "where"),
    [((), ANYWHERE), (("192.0.2.7",), ANYWHERE), (("192.0.2.7", "2001:db8::7"), "::"), (("2001:db8::7",), "::")],
)
def test_the_gateway_listens_over_ipv6_where_a_node_has_it(addresses: tuple[str, ...], where: str):
    nodes = [node(str(number), InternalIP=address) for number, address in enumerate(addresses)]
    assert seen.listens(world(nodes=nodes)).listen == where


class TestTheListener:
    def test_of_a_node_port_is_at_the_address_that_is_named(self):
        given = world(service(nodePort=30443), nodes=[node()])
        assert seen.listener(listening(type="NodePort", port=30443, ip="198.51.100.1"), given) == at("198.51.100.1", 30443)

    def test_of_a_node_port_is_at_a_ready_nodes_outer_address_if_it_has_one(self):
        nodes = [
            node("gone", ready=False, ExternalIP="198.51.100.9"),
            node("inner", InternalIP="10.0.0.1"),
            node("outer", InternalIP="10.0.0.2", ExternalIP="198.51.100.2"),
        ]
        found = seen.listener(listening(type="NodePort", port=30443), world(service(nodePort=30443), nodes=nodes))
        assert found == at("198.51.100.2", 30443)

    def test_of_a_node_port_stays_where_it_is_as_long_as_that_node_is_ready(self):
        nodes = [node("a", InternalIP="192.0.2.1"), node("b", InternalIP="192.0.2.2")]
        asked, there = listening(type="NodePort", port=30443), service(nodePort=30443)
        assert seen.listener(asked, world(there, nodes=nodes), {"192.0.2.2"}) == at("192.0.2.2", 30443)
        nodes[1] = node("b", ready=False, InternalIP="192.0.2.2")
        assert seen.listener(asked, world(there, nodes=nodes), {"192.0.2.2"}) == at("192.0.2.1", 30443)

    def test_of_a_node_port_waits_for_a_node(self):
        said = seen.listener(listening(type="NodePort", port=30443), world(service(nodePort=30443)))
        assert said == "a node of the hub that is ready and has an address; or name one in spec.server.listeners[0].ip"

    @pytest.mark.parametrize("ingress", [{"ip": "203.0.113.5"}, {"hostname": "203.0.113.5"}])
    def test_of_a_load_balancer_is_where_its_provider_says(self, ingress):
        found = seen.listener(listening(type="LoadBalancer", port=443), world(service(ingress, port=443)))
        assert found == at("203.0.113.5", 443, "LoadBalancer")

    def test_of_a_load_balancer_without_a_provider_waits_for_one(self):
        said = seen.listener(listening(type="LoadBalancer", port=443), world(service(port=443), nodes=[node()]))
        assert said == ("an address of the LoadBalancer Service social-aggregator; the hub needs a provider of load balancers")

    def test_waits_for_its_service(self):
        assert seen.listener(federation(), world(nodes=[node()])) == "the aggregator's Service"


class TestTheAggregatorsPod:
    def waits(self, *pods: Object, conditions: tuple[Object, ...] = ()) -> str:
        given = world(service(nodePort=30443), deployment(*conditions), nodes=[node()], pods=pods)
        return seen.observed(federation(), given, (), "", NOW).waits

    def test_that_runs_keeps_nothing_waiting(self):
        assert self.waits(pod({"phase": "Running"}, "2026-11-21T12:00:00Z")) == ""
        starts = self.waits(pod({"phase": "Pending"}, "2026-11-21T12:00:00Z"))
        assert starts == "the aggregator's pod, which is being started"

    def test_whose_gateway_does_not_listen_yet_says_so(self):
        unready = {"type": "Ready", "status": "False", "message": "containers with unready status: [gateway]"}
        said = self.waits(pod({"phase": "Running", "conditions": [unready]}, "2026-11-21T12:00:00Z"))
        assert said == "the aggregator's pod: containers with unready status: [gateway]"

    def test_that_no_node_takes_says_why(self):
        unbound = {"type": "PodScheduled", "status": "False", "message": "pod has unbound immediate PersistentVolumeClaims."}
        said = self.waits(pod({"phase": "Pending", "conditions": [unbound]}, "2026-11-21T12:00:00Z"))
        assert said.startswith("the aggregator's pod: a volume claim is not bound")

    def test_that_was_evicted_is_forgotten_once_another_runs(self):
        evicted = pod({"phase": "Failed", "reason": "Evicted"}, "2026-11-21T12:00:00Z")
        assert self.waits(evicted) == "the aggregator's pod: Evicted"
        assert self.waits(evicted, pod({"phase": "Running"}, "2026-11-21T12:05:00Z")) == ""

    def test_whose_container_was_started_again_says_so(self):
        ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": f"{NOW:%FT%TZ}"}
        again = {"name": "aggregator", "state": {"running": {}}, "lastState": {"terminated": ended}, "restartCount": 1}
        given = world(pods=[pod({"phase": "Running", "containerStatuses": [again]}, "2026-11-21T12:00:00Z")])
        assert "OOMKilled" in seen.observed(federation(), given, (), "", NOW).hub_restarted

    def test_that_is_not_made_says_what_the_deployment_says(self):
        quota = {"type": "ReplicaFailure", "status": "True", "message": 'pods "x" is forbidden: exceeded quota: compute'}
        assert self.waits() == "the aggregator's pod"
        assert self.waits(conditions=(quota,)) == 'the aggregator\'s pod: pods "x" is forbidden: exceeded quota: compute'


class TestWhatTheAggregatorTells:
    def test_of_another_attempt_is_not_believed(self):
        given = world(progress(**{"progress.json": '{"attempt":"one","phase":"Failed","message":"no"}'}))
        assert seen.observed(federation(), given, (), "two", NOW).progress is None
        told = seen.observed(federation(), given, (), "one", NOW).progress
        assert told is not None
        assert told.phase == "Failed"

    @pytest.mark.parametrize("said", ["{", '{"of": "another version"}', ""])
    def test_and_cannot_be_read_counts_as_nothing(self, said):
        given = world(progress(**{"progress.json": said, "rounds.jsonl": said}))
        found = seen.observed(federation(), given, (), "", NOW)
        assert (found.progress, found.rounds) == (None, ())


class TestADecision:
    FLEET = Fleet(
        clusters=(build.cluster("berlin"), build.cluster("lyon"), build.cluster("oslo", hubAcceptsClient=True)),
        sets=(build.cluster_set(),),
        bindings=(build.binding(),),
        decisions=(build.decided(FL, "lyon"),),
    )

    def test_is_ocms_and_the_reasons_are_ours(self):
        found = seen.decided(federation(), world(fleet=self.FLEET), NOW)
        assert [name for name, _ in found.decisions] == ["lyon"]
        assert {name: reason for name, reason in found.rejected if name != "lyon"} == dict.fromkeys(
            ("berlin", "oslo"), "OCM's placement controller has not chosen it yet"
        )

    def test_that_we_cannot_judge_is_ocms_all_the_same(self):
        broken = build.cluster_set(matchExpressions=[{"key": "region", "operator": "Near"}])
        fleet = Fleet(clusters=self.FLEET.clusters, sets=(broken,), bindings=(build.binding(),), decisions=self.FLEET.decisions)
        found = seen.decided(federation(), world(fleet=fleet), NOW)
        assert [name for name, _ in found.decisions] == ["lyon"]
        assert "ManagedClusterSet global has a bad labelSelector" in found.problem

    def test_of_several_groups_has_their_order(self):
        def group(index: int, *clusters: str) -> Object:
            it = build.decided(FL, *clusters)
            labels = it["metadata"]["labels"] | {"cluster.open-cluster-management.io/decision-group-index": str(index)}
            return it | {"metadata": it["metadata"] | {"name": f"{FL}-decision-{index}", "labels": labels}}

        fleet = Fleet(clusters=self.FLEET.clusters, decisions=(group(10, "oslo"), group(2, "berlin")))
        found = seen.decided(federation(), world(fleet=fleet), NOW)
        assert [name for name, _ in found.decisions] == ["berlin", "oslo"]


def test_a_cluster_that_claims_to_be_openshift_is_one():
    clusters = (build.cluster("berlin", claims={"product.open-cluster-management.io": "OpenShift"}), build.cluster("lyon"))
    chosen = Decision(decisions=(("berlin", 0), ("lyon", 0)), rejected=())
    found = seen.spokes(federation(), world(fleet=Fleet(clusters=clusters)), chosen)
    assert [(it.cluster, it.openshift) for it in found] == [("berlin", True), ("lyon", False)]


class TestAClustersWork:
    def restarted(self, status: Object, *clusters: Object) -> str:
        made = {"creationTimestamp": "2026-11-21T11:00:00Z"}
        work = {"metadata": {"name": RUN, "namespace": "berlin"} | made, "status": status}
        given = world(works=[work], fleet=Fleet(clusters=clusters))
        return seen.observed(federation(), given, (), "", NOW).restarted.get("berlin", "")

    def test_that_no_agent_has_taken_says_so(self):
        assert self.restarted({}) == (
            "the cluster's work agent has not taken the collaborator yet, which was sent at 2026-11-21 11:00:00 UTC"
        )

    def test_that_the_cluster_refuses_says_why(self):
        refused = {"type": "Applied", "status": "False", "message": 'namespaces "x" not found'}
        said = {"conditions": [refused], "resourceStatus": {"manifests": [{"conditions": [refused]}]}}
        assert self.restarted(said) == 'namespaces "x" not found'

    def test_whose_pod_is_stuck_says_what_the_clusters_agent_reports(self):
        feedback = {"statusFeedback": {"values": [{"name": "reason", "fieldValue": {"type": "String", "string": "no GPU"}}]}}
        said = {"conditions": [{"type": "Applied", "status": "True"}], "resourceStatus": {"manifests": [feedback]}}
        assert self.restarted(said) == "no GPU"

    @pytest.mark.parametrize(
        ("pod", "agent", "words"),
        [
            ("", None, "the add-on federated-learning is not enabled on this cluster: its ManagedClusterAddOn is missing"),
            ("", "unhealthy", "the add-on's agent is unhealthy: see the ManagedClusterAddOn federated-learning in the cluster's"),
            ("", "available", "the add-on's agent has not answered yet: see the ManagedClusterAddOn federated-learning in"),
            ("Pending", "available", "its pod is being started: volumes are mounted and images pulled"),
            ("Running", "available", "its pod runs; what it does the aggregator has yet to say"),
        ],
    )
    def test_that_nothing_is_known_to_stop_says_how_far_it_is(self, pod: str, agent: str | None, words: str):
        feedback = {"statusFeedback": {"values": [{"name": "phase", "fieldValue": {"type": "String", "string": pod}}]}}
        taken = {"type": "Applied", "status": "True", "lastTransitionTime": "2026-11-21T11:30:00Z"}
        said = {"conditions": [taken], "resourceStatus": {"manifests": [feedback]}}
        labels = {"feature.open-cluster-management.io/addon-federated-learning": agent} if agent else {}
        found = self.restarted(said, build.cluster("berlin", labels=labels))
        assert found.startswith(words)
        assert found.endswith("; the cluster took the collaborator at 2026-11-21 11:30:00 UTC")

    def test_of_which_the_aggregator_has_heard_says_what_that_says(self):
        told = Progress(attempt="a", phase="Waiting", message="", clusters={"berlin": ClusterProgress(phase="Preparing")})
        work = {
            "metadata": {"name": RUN, "namespace": "berlin"},
            "status": {"conditions": [{"type": "Applied", "status": "True"}]},
        }
        given = world(progress(**{"progress.json": told.model_dump_json(by_alias=True)}), works=[work])
        assert seen.observed(federation(), given, (), "a", NOW).restarted == {}

    def test_of_which_the_hub_does_not_hear_says_since_when_and_nothing_older(self):
        cluster = build.away(build.cluster("berlin"), datetime(2026, 11, 21, 11, 58, tzinfo=UTC))
        assert self.restarted({}, cluster) == (
            "OCM calls the cluster unavailable since 2026-11-21 11:58:00 UTC: Registration agent stopped updating its lease."
        )
