"""One federation, from its creation to its end, as the controller brings it about on a hub that keeps lists."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from fedspoke.api.base import Object
from fedspoke.api.errors import Failed
from fedspoke.api.names import ACCOUNT, FINALIZER, PHASE_LABEL, RETRY, ROUND_LABEL
from fedspoke.hub.controller import kinds
from support import build
from support.hub import CLIENT, FL, NAMESPACE, Hub, node
from support.kube import Lists

_MINUTE = timedelta(minutes=1)


def test_a_new_federation_gets_its_placement_and_says_why_it_waits():
    hub = Hub.with_federation()
    hub.converge()
    assert hub.federation()["metadata"]["finalizers"] == [FINALIZER]
    assert hub.names(kinds.PLACEMENT) == [FL]
    assert hub.names(kinds.BINDING) == ["global"]
    assert hub.status()["phase"] == "Waiting"
    assert hub.message() == (
        "waiting for OCM's placement controller, which has not decided yet; "
        "since 2026-11-21 12:00:00, until 2026-11-22 12:00:00 UTC"
    )
    hub.choose()
    hub.settle()
    assert "berlin, lyon: OCM's placement controller has not chosen it yet" in hub.message()
    assert "oslo: declares no Facebook data" in hub.message()
    assert hub.condition("AggregatorReady") == ("False", "it starts once there are enough clusters")


def test_nothing_runs_before_enough_clusters_are_chosen():
    hub = Hub.with_federation()
    hub.choose("berlin")
    hub.settle()
    assert hub.works() == hub.names(kinds.DEPLOYMENT) == hub.names(kinds.SECRET) == []
    assert "1 cluster qualifies (berlin), but spec.server.minAvailableClients is 2" in hub.message()


def test_chosen_clusters_get_an_aggregator_first_and_one_work_each_once_it_has_an_address():
    hub = Hub.with_federation()
    hub.choose("berlin", "lyon")
    hub.converge()
    assert hub.names(kinds.DEPLOYMENT) == [f"{FL}-aggregator"]
    assert hub.names(kinds.SECRET) == [f"{FL}-aggregator-certificate"]
    assert hub.works() == []
    hub.converge()
    assert hub.works() == ["berlin", "lyon"]
    assert hub.status()["listeners"] == [{"name": "gateway", "type": "NodePort", "address": "192.0.2.7", "port": 31234}]


def test_a_hub_without_a_ready_node_says_that_it_waits_for_one():
    hub = Hub.with_federation()
    hub.put(node(ready=False))
    hub.choose("berlin", "lyon")
    hub.settle()
    assert hub.works() == []
    assert hub.message().startswith(
        "waiting for a node of the hub that is ready and has an address; or name one in spec.server.listeners[0].ip; since "
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(kinds.DEPLOYMENT, f"{FL}-aggregator", id="the aggregator"),
        pytest.param(kinds.SERVICE, f"{FL}-aggregator", id="its Service"),
        pytest.param(kinds.CONFIG_MAP, f"{FL}-aggregator-ca", id="what its gateway believes"),
        pytest.param(kinds.PLACEMENT, FL, id="the Placement"),
        pytest.param(kinds.BINDING, "global", id="the cluster set's binding"),
    ],
)
def test_what_somebody_deletes_comes_back(kind, name):
    hub = Hub.running()
    hub.kube.delete(hub.kube.objects[*kind, NAMESPACE, name])
    hub.settle()
    assert hub.has(kind, name)


def test_what_somebody_changes_is_put_right():
    hub = Hub.running()
    hub.change(kinds.ROLE, f"{FL}-aggregator", rules=[{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}])
    hub.settle()
    (role,) = hub.kube.all(kinds.ROLE)
    assert [it["resources"] for it in role["rules"]] == [["configmaps"]]


def test_a_rule_that_the_user_takes_away_is_taken_from_the_placement():
    hub = Hub.with_federation()
    hub.settle()
    (placement,) = hub.kube.all(kinds.PLACEMENT)
    assert placement["spec"]["predicates"]
    hub.asks(client={"placement": {"clusterSets": ["global"]}})
    hub.settle()
    (placement,) = hub.kube.all(kinds.PLACEMENT)
    assert placement["spec"] == {"clusterSets": ["global"]}


class TestAnUnchangedWorld:
    def test_is_only_read(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.settle()
        hub.writes()
        for _ in range(5):
            hub.converge(_MINUTE)
            hub.heard()
        assert hub.writes() == []

    def test_is_only_read_where_the_api_server_writes_a_quantity_in_its_own_way(self):
        hub = Hub.running(server={"minAvailableClients": 2, "storage": {"size": "1024Mi"}})
        hub.writes()
        hub.converge(timedelta(seconds=30))
        assert hub.writes() == []

    def test_of_fifty_completed_federations_is_only_read(self):
        names = [f"social-{number}" for number in range(50)]
        status = {"phase": "Completed", "message": "done", "observedGeneration": 1, "completionTime": "2026-11-21T11:00:00Z"}
        done = [build.federated_learning(name, NAMESPACE, client=CLIENT) | {"status": status} for name in names]
        hub = Hub.with_federation(*done)
        for name in names:
            hub.settle(name)
        hub.writes()
        for name in names:
            assert hub.converge(_MINUTE, name) == timedelta(hours=1)
        assert hub.writes() == []

    def test_of_a_refused_federation_is_only_read_and_not_every_second(self):
        hub = Hub.with_federation(framework="openfl")
        hub.settle()
        hub.writes()
        assert hub.converge(_MINUTE) == timedelta(hours=1)
        assert hub.writes() == []


class TestAClusterThatLeavesTheDecision:
    def test_loses_its_work_and_the_others_go_on(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.choose("lyon")
        hub.settle()
        assert hub.works() == ["lyon"]
        assert hub.names(kinds.DEPLOYMENT) == [f"{FL}-aggregator"]
        assert hub.status()["phase"] == "Running"

    def test_leaves_an_aggregator_that_waits_even_if_it_was_the_last_one(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.choose()
        hub.settle()
        assert hub.works() == []
        assert hub.names(kinds.DEPLOYMENT) == [f"{FL}-aggregator"]
        assert hub.status()["rounds"] == {"completed": 1, "total": 3}
        hub.choose("berlin", "lyon")
        hub.settle()
        assert hub.works() == ["berlin", "lyon"]


class TestAnAggregatorThatIsNotHeardOf:
    def test_in_a_run_is_said_to_be_silent_since_its_last_sign_of_life(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.converge(3 * _MINUTE)
        assert hub.condition("AggregatorReady") == ("True", "it answers")
        since = "2026-11-21 12:00:03"
        hub.converge(_MINUTE)
        assert hub.message() == (
            "Running: it says; but the aggregator is not heard of, though its pod runs: the log of its container reporter "
            f"says why; since {since}, until 2026-11-22 12:00:00 UTC"
        )
        unheard = f"not heard of since {since} UTC"
        assert hub.condition("AggregatorReady") == ("Unknown", f"its pod runs, but it is {unheard}")
        so_far = f"1 of 3 rounds are done, as far as is known; the aggregator is {unheard}"
        assert hub.condition("Training") == ("Unknown", so_far)
        assert hub.condition("CollaboratorsReady")[0] == "Unknown"
        assert hub.condition("Degraded") == ("True", f"the aggregator is {unheard}")
        hub.writes()
        hub.converge(timedelta(hours=10))
        assert hub.writes() == []
        hub.heard()
        hub.converge()
        assert hub.message() == "Running: it says"
        assert hub.condition("Degraded") == ("False", "nothing is missing")

    def test_whose_new_pod_has_just_begun_may_yet_speak(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.now += 9 * _MINUTE
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": f"{hub.now:%Y-%m-%dT%H:%M:%SZ}"}
        hub.pod({"phase": "Running", "conditions": [ready]}, "pod2", made="2026-11-21T12:09:00Z")
        hub.converge()
        assert hub.message() == "Running: it says"
        hub.converge(4 * _MINUTE)
        assert "; but the aggregator is not heard of, " in hub.message()

    def test_from_the_beginning_may_have_trained_and_that_is_said_at_the_deadline(self):
        hub = Hub.running(deadline="1h")
        hub.converge(2 * _MINUTE)
        assert hub.status()["phase"] == "Waiting"
        silent = hub.message()
        assert silent.startswith(
            "the aggregator is not heard of, though its pod runs: the log of its container reporter says why; "
        )
        assert silent.endswith("; since 2026-11-21 12:00:00, until 2026-11-21 13:00:00 UTC")
        nobody_knows = ("AggregatorReady", "CollaboratorsReady", "Training", "ModelSaved", "ProfilesFused")
        assert {hub.condition(it)[0] for it in nobody_knows} == {"Unknown"}
        assert hub.condition("Degraded")[0] == "True"
        hub.converge(timedelta(hours=1))
        assert hub.status()["phase"] == "Failed"
        assert hub.message().endswith(
            f"; the last word was: {silent}; what it has trained, perhaps the whole model, is in the volume claim {FL}-aggregator"
        )
        assert hub.condition("ModelSaved")[0] == "Unknown"
        assert hub.condition("Training")[1].startswith("0 of 3 rounds are done, as far as is known; ")

    def test_has_done_the_rounds_that_it_told_of_and_is_said_to_be_silent(self):
        hub = Hub.running()
        hub.tells(rounds=2)
        hub.settle()
        hub.change(kinds.CONFIG_MAP, f"{FL}-progress", data={})
        hub.settle()
        assert (hub.status()["phase"], hub.status()["rounds"]["completed"]) == ("Running", 2)
        assert [it["round"] for it in hub.status()["metrics"]] == [1, 2]
        assert hub.message() == (
            "the aggregator is not heard of, though its pod runs: the log of its container reporter says why; "
            "since 2026-11-21 12:00:06, until 2026-11-22 12:00:00 UTC"
        )

    def test_gets_a_new_pod_where_its_service_account_was_made_anew(self):
        hub = Hub.running()
        template = hub.kube.objects[*kinds.DEPLOYMENT, NAMESPACE, f"{FL}-aggregator"]["spec"]["template"]
        assert ACCOUNT not in template["metadata"]["annotations"]
        hub.kube.delete(hub.kube.objects[*kinds.SERVICE_ACCOUNT, NAMESPACE, f"{FL}-aggregator"])
        hub.settle()
        template = hub.kube.objects[*kinds.DEPLOYMENT, NAMESPACE, f"{FL}-aggregator"]["spec"]["template"]
        account = hub.kube.objects[*kinds.SERVICE_ACCOUNT, NAMESPACE, f"{FL}-aggregator"]
        assert template["metadata"]["annotations"][ACCOUNT] == account["metadata"]["uid"]


class TestAPlacementThatSomebodyDeletes:
    def test_ends_nothing_and_is_made_again_and_then_ocms_word_counts(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        for kind in (kinds.PLACEMENT, kinds.DECISION):
            for name in hub.names(kind):
                del hub.kube.objects[*kind, NAMESPACE, name]
        hub.settle()
        assert (hub.works(), hub.names(kinds.PLACEMENT)) == (["berlin", "lyon"], [FL])
        hub.choose("lyon")
        hub.settle()
        assert hub.works() == ["lyon"]

    def test_ends_nothing_if_its_decisions_alone_are_deleted(self):
        hub = Hub.running()
        hub.change(kinds.PLACEMENT, FL, status={"numberOfSelectedClusters": 2, "conditions": [{"type": "PlacementSatisfied"}]})
        for name in hub.names(kinds.DECISION):
            del hub.kube.objects[*kinds.DECISION, NAMESPACE, name]
        hub.settle()
        assert hub.works() == ["berlin", "lyon"]
        hub.change(kinds.PLACEMENT, FL, status={"numberOfSelectedClusters": 0, "conditions": [{"type": "PlacementSatisfied"}]})
        hub.settle()
        assert hub.works() == []


def test_a_binding_that_somebody_deletes_ends_nothing_and_is_made_again_and_then_ocms_word_counts():
    hub = Hub.running()
    for kind in (kinds.BINDING, kinds.DECISION):
        for name in hub.names(kind):
            del hub.kube.objects[*kind, NAMESPACE, name]
    hub.change(kinds.PLACEMENT, FL, status={"numberOfSelectedClusters": 0, "conditions": [{"type": "PlacementSatisfied"}]})
    hub.converge(timedelta(seconds=1))
    assert (hub.works(), hub.names(kinds.BINDING)) == (["berlin", "lyon"], ["global"])
    hub.kube.objects[*kinds.BINDING, NAMESPACE, "global"]["metadata"]["creationTimestamp"] = f"{hub.now:%Y-%m-%dT%H:%M:%SZ}"
    hub.converge(timedelta(seconds=15))  # OCM has not looked at it yet
    assert hub.works() == ["berlin", "lyon"]
    hub.converge(timedelta(seconds=16))
    assert hub.works() == []


class TestAClusterThatIsNotHeardOf:
    """OCM has taken it out of the decision."""

    def test_keeps_its_work_and_the_status_says_since_when(self):
        hub = _cut_off("berlin")
        assert hub.works() == ["berlin", "lyon"]
        assert hub.status()["phase"] == "Running"
        reasons = {it["name"]: it.get("reason", "") for it in hub.status()["clusters"]}
        assert reasons["berlin"].startswith("OCM calls the cluster unavailable since 2026-11-21 12:")
        hub.writes()
        hub.converge()
        assert hub.writes() == []

    def test_is_one_of_those_that_the_aggregator_waits_for(self):
        hub = Hub.running()
        asked = _asked(hub)
        _cut_off("berlin", hub)
        assert _asked(hub) == asked

    def test_loses_its_work_if_it_would_not_be_chosen_now(self):
        hub = Hub.running()
        hub.change(kinds.CLUSTER, "berlin", "", metadata={"name": "berlin", "labels": {}})
        assert _cut_off("berlin", hub).works() == ["lyon"]

    def test_loses_its_work_to_one_that_is_chosen_in_its_place(self):
        hub = Hub.running(client=CLIENT | {"placement": CLIENT["placement"] | {"numberOfClusters": 2}})
        hub.put(build.cluster("turin", labels=build.labelled("facebook")))
        assert _cut_off("berlin", hub, left=["lyon", "turin"]).works() == ["lyon", "turin"]

    def test_is_not_chosen_by_a_federation_that_begins(self):
        hub = Hub.with_federation()
        _cut_off("berlin", hub)
        assert hub.works() == []
        assert hub.message().startswith("1 cluster qualifies (lyon), but spec.server.minAvailableClients is 2 — berlin: ")


def _cut_off(cluster: str, hub: Hub | None = None, left: Sequence[str] = ("lyon",)) -> Hub:
    hub = hub or Hub.running()
    if hub.works():
        hub.tells(rounds=1)
    hub.put(build.away(hub.kube.objects[*kinds.CLUSTER, "", cluster], hub.now))
    hub.choose(*left)
    hub.settle()
    return hub


def _asked(hub: Hub) -> Object:
    """What the aggregator is told."""
    found: Object = hub.kube.objects[*kinds.CONFIG_MAP, NAMESPACE, f"{FL}-aggregator"]["data"]
    return found


def test_works_stay_while_the_hubs_node_is_not_ready():
    hub = Hub.running()
    hub.put(node(ready=False))
    hub.settle()
    assert hub.works() == ["berlin", "lyon"]


def test_one_cluster_whose_namespace_refuses_its_work_does_not_stop_the_other():
    hub = Hub.with_federation()
    hub.choose("berlin", "lyon")
    hub.converge()
    hub.kube.refuses = {"berlin"}
    with pytest.raises(Failed, match="forbidden"):
        hub.converge()
    assert hub.works() == ["lyon"]


def test_an_error_that_nobody_has_foreseen_is_told_as_well():
    hub = Hub.running()
    broken = hub.kube.objects[*kinds.SERVICE, NAMESPACE, f"{FL}-aggregator"]
    hub.put(broken | {"spec": {"ports": []}})
    with pytest.raises(IndexError):
        hub.converge(_MINUTE)
    assert hub.message() == (
        "waiting for the hub: the controller met an error of its own (IndexError: list index out of range); its log says more; "
        "since 2026-11-21 12:01:03, until 2026-11-22 12:00:00 UTC"
    )


class TestAnErrorOfTheApiServer:
    @pytest.mark.parametrize("end", [Hub.completes, Hub.fails])
    def test_after_the_end_leaves_the_last_word(self, end):
        hub = Hub.running()
        end(hub)
        before = hub.status()
        hub.kube.lacks.add(kinds.CONFIG_MAP)
        with pytest.raises(Failed):
            hub.converge()
        assert hub.status() == before

    def test_after_a_failure_does_not_swallow_that_the_spec_was_changed(self):
        hub = Hub.running()
        hub.fails()
        hub.asks(deadline="2h")
        hub.kube.lacks.add(kinds.CONFIG_MAP)
        with pytest.raises(Failed):
            hub.converge()
        hub.kube.lacks.clear()
        hub.converge()
        assert hub.message() == "tried again, as its spec was changed"

    def test_that_refuses_an_event_keeps_the_status(self):
        hub = Hub.running()
        hub.kube.refuses = {"Event"}
        hub.tells("Completed", rounds=3, model="a" * 64, profile="b" * 64)
        hub.converge()
        assert hub.status()["phase"] == "Completed"

    @pytest.mark.parametrize("kind", ["Placement", "Deployment", "Secret", "ManifestWork"])
    def test_is_told_in_the_status_until_it_has_passed(self, kind):
        hub = Hub.with_federation()
        hub.choose("berlin", "lyon")
        hub.kube.refuses = {kind}
        with pytest.raises(Failed):
            hub.settle()
        assert f"the Kubernetes API refuses to apply {kind}" in hub.message()
        assert hub.message().count("refuses to apply") == (2 if kind == "ManifestWork" else 1)
        hub.kube.refuses = set()
        hub.settle()
        assert "refuses" not in hub.message()

    def test_is_told_beside_the_progress(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.kube.refuses = {"ManifestWork"}
        hub.put(node(InternalIP="192.0.2.8"))
        with pytest.raises(Failed):
            hub.converge()
        assert hub.message().startswith("Running: it says; ")
        assert "refuses to apply ManifestWork" in hub.message()

    def test_does_not_hide_that_the_federation_has_completed(self):
        hub = Hub.running()
        hub.kube.refuses = {"ConfigMap"}
        hub.tells("Completed", rounds=3, model="a" * 64)
        hub.converge()
        assert hub.status()["phase"] == "Completed"

    def test_of_a_hub_without_ocm_is_told(self):
        hub = Hub.with_federation(lacks=[kinds.CLUSTER])
        with pytest.raises(Failed):
            hub.converge()
        assert hub.status()["phase"] == "Waiting"
        assert hub.message() == (
            "waiting for the hub: the API server knows no ManagedCluster of cluster.open-cluster-management.io/v1; "
            "install what defines it; since 2026-11-21 12:00:00, until 2026-11-22 12:00:00 UTC"
        )
        assert hub.events() == ["Normal Waiting"]
        hub.kube.lacks = set()
        hub.settle()
        assert hub.message().startswith(
            "waiting for OCM's placement controller, which has not decided yet; since 2026-11-21 12:00:"
        )
        assert hub.status()["observedGeneration"] == 1

    def test_that_lasts_is_written_once(self):
        hub = Hub.with_federation(lacks=[kinds.CLUSTER])
        for _ in range(2):
            hub.writes()
            with pytest.raises(Failed):
                hub.converge(_MINUTE)
        assert hub.writes() == []

    def test_in_a_run_leaves_nothing_that_nobody_sees_said_as_if_it_were_seen(self):
        hub = Hub.running(deadline="2h")
        hub.tells(rounds=1, model="a" * 64)
        hub.settle()
        hub.kube.lacks.add(kinds.CLUSTER)
        hub.asks(deadline="3h")
        with pytest.raises(Failed):
            hub.converge()
        answers = {it["type"]: (it["status"], it["reason"]) for it in hub.status()["conditions"]}
        assert answers.pop("ModelSaved") == ("True", "Saved")
        assert set(answers.values()) == {("Unknown", "HubAway")}
        seen = {it["observedGeneration"] for it in hub.status()["conditions"]}
        assert (hub.status()["observedGeneration"], seen, hub.federation()["metadata"]["generation"]) == (1, {1}, 2)
        since = f"; since 2026-11-21 12:00:0{hub.now.second}"
        assert hub.message().endswith(f"{since}, until 2026-11-21 15:00:00 UTC")
        with pytest.raises(Failed):
            hub.converge(timedelta(hours=4))
        passed = "spec.deadline passed at 2026-11-21 15:00:00 UTC: how it ended is looked at once the hub answers"
        assert hub.message().endswith(f"{since} UTC; {passed}")
        hub.kube.lacks.clear()
        hub.tells("Completed", rounds=3, model="a" * 64)
        hub.converge()
        assert (hub.status()["phase"], hub.status()["observedGeneration"]) == ("Completed", 2)

    def test_while_it_is_suspended_names_no_deadline_and_keeps_since_when_it_is(self):
        hub = Hub.with_federation(suspend=True)
        hub.settle()
        before = [it for it in hub.status()["conditions"] if it["type"] == "Suspended"]
        hub.kube.lacks.add(kinds.CLUSTER)
        with pytest.raises(Failed):
            hub.converge(_MINUTE)
        assert [it for it in hub.status()["conditions"] if it["type"] == "Suspended"] == before
        assert "startTime" not in hub.status()
        assert hub.message().endswith(f"; since {hub.now:%Y-%m-%d %H:%M:%S} UTC")


class TestTheEnd:
    def test_is_when_the_aggregator_says_so_and_takes_all_but_the_volume(self):
        hub = Hub.running()
        hub.completes()
        assert hub.status()["phase"] == "Completed"
        assert hub.status()["model"] == {
            "uri": f"pvc://{NAMESPACE}/{FL}-aggregator/global/adapter_model.safetensors",
            "digest": f"sha256:{'a' * 64}",
        }
        assert hub.names(kinds.CLAIM) == [f"{FL}-aggregator"]
        assert hub.works() == []
        for kind in (kinds.DEPLOYMENT, kinds.CONFIG_MAP, kinds.SERVICE, kinds.ROLE, kinds.PLACEMENT):
            assert hub.names(kind) == []

    def test_is_failed_at_the_deadline_with_the_last_word(self):
        hub = Hub.running(deadline="1h")
        hub.tells(rounds=1)
        hub.now += timedelta(minutes=59)
        hub.heard()
        hub.converge()
        assert hub.status()["phase"] == "Running"
        hub.converge(2 * _MINUTE)
        assert hub.status()["phase"] == "Failed"
        passed = "not completed within spec.deadline, which passed at 2026-11-21 13:00:00 UTC"
        assert hub.message() == f"{passed}; the last word was: Running: it says"
        hub.settle()
        assert hub.works() == []

    def test_is_completed_if_the_aggregator_was_done_before_the_deadline(self):
        hub = Hub.running(deadline="1h")
        hub.tells("Completed", rounds=3)
        hub.converge(timedelta(hours=2))
        assert hub.status()["phase"] == "Completed"

    def test_makes_nothing_of_which_nothing_was_there_at_the_deadline(self):
        hub = Hub.with_federation(deadline="1h")
        hub.converge()
        hub.choose("berlin", "lyon")
        hub.converge(timedelta(hours=2))
        assert hub.names(kinds.DEPLOYMENT) == []

    def test_stays_whatever_becomes_of_the_spec_after_completion(self):
        hub = Hub.running()
        hub.completes()
        hub.asks(framework="openfl")
        hub.settle()
        assert hub.status()["phase"] == "Completed"
        assert hub.status()["model"]

    def test_is_followed_by_the_resources_own_after_its_time(self):
        hub = Hub.running(ttlSecondsAfterFinished=600)
        hub.completes()
        hub.converge(5 * _MINUTE)
        assert "deletionTimestamp" not in hub.federation()["metadata"]
        hub.converge(6 * _MINUTE)
        hub.converge()
        assert not hub.has(kinds.FEDERATED_LEARNING, FL)


class TestAFailedFederation:
    @pytest.mark.parametrize("retry", [lambda hub: hub.annotate(**{RETRY: "true"}), lambda hub: hub.asks(deadline="2h")])
    def test_begins_anew_on_request_or_with_another_spec(self, retry):
        hub = Hub.running()
        begun = hub.status()["startTime"]
        hub.fails()
        retry(hub)
        hub.converge(_MINUTE)
        assert hub.status()["phase"] == "Waiting"
        assert hub.message().startswith("tried again, as ")
        hub.settle()
        assert hub.works() == ["berlin", "lyon"]
        assert hub.status()["startTime"] > begun
        assert "completionTime" not in hub.status()
        assert RETRY not in hub.federation()["metadata"].get("annotations", {})

    def test_does_not_believe_what_the_attempt_before_says(self):
        hub = Hub.running()
        before = hub.status()["startTime"].replace("Z", "+00:00")
        hub.fails()
        hub.annotate(**{RETRY: "true"})
        hub.settle()
        hub.tells("Failed", attempt=before)
        hub.settle()
        assert hub.status()["phase"] == "Waiting"
        hub.tells("Running")
        hub.converge()
        assert hub.status()["phase"] == "Running"

    def test_stays_so_without_either(self):
        hub = Hub.running()
        hub.fails()
        hub.converge(_MINUTE)
        assert (hub.status()["phase"], hub.message()) == ("Failed", "Failed: it says")

    def test_is_tried_again_although_the_first_time_was_cut_off(self):
        hub = Hub.running()
        hub.fails()
        hub.annotate(**{RETRY: "true"})
        hub.kube.refuses = {FL}  # the controller cannot write the status any more
        with pytest.raises(Failed):
            hub.converge(_MINUTE)
        hub.kube.refuses = set()
        hub.settle()
        assert hub.status()["phase"] == "Waiting"


def test_a_request_to_try_again_what_has_not_failed_is_taken_away():
    hub = Hub.running()
    hub.annotate(**{RETRY: "true"})
    hub.settle()
    assert RETRY not in hub.federation()["metadata"].get("annotations", {})
    hub.fails()
    assert hub.status()["phase"] == "Failed"


class TestARefusedFederation:
    def test_fails_at_once_with_what_would_be_right_and_begins_when_that_is_so(self):
        hub = Hub.with_federation(framework="openfl")
        hub.settle()
        assert (hub.status()["phase"], hub.message()) == (
            "Failed",
            "spec.framework is openfl, which this version cannot do yet: use flower",
        )
        hub.asks(framework="flower")
        hub.settle()
        assert hub.status()["phase"] == "Waiting"

    def test_says_so_in_every_condition(self):
        hub = Hub.with_federation(framework="openfl")
        hub.settle()
        assert hub.condition("Degraded") == ("True", hub.message())
        others = {it["status"] for it in hub.status()["conditions"] if it["type"] != "Degraded"}
        assert (len(hub.status()["conditions"]), others) == (7, {"False"})

    def test_that_ran_before_keeps_what_it_made_and_nothing_of_it_is_said_to_run(self):
        hub = Hub.running()
        hub.tells(rounds=3, model="a" * 64)
        hub.settle()
        assert (hub.condition("ModelSaved")[0], hub.condition("AggregatorReady")[0]) == ("True", "True")
        hub.asks(framework="openfl")
        hub.settle()
        assert (hub.condition("ModelSaved")[0], hub.condition("AggregatorReady")[0]) == ("True", "False")

    def test_that_is_asked_to_try_again_is_refused_again_and_the_request_is_gone(self):
        hub = Hub.with_federation(framework="openfl")
        hub.settle()
        hub.annotate(**{RETRY: "true"})
        hub.settle()
        assert hub.status()["phase"] == "Failed"
        assert RETRY not in hub.federation()["metadata"].get("annotations", {})

    def test_runs_no_longer_and_keeps_what_was_done(self):
        hub = Hub.running()
        hub.tells(rounds=1)
        hub.settle()
        hub.asks(framework="openfl")
        hub.settle()
        assert hub.status()["phase"] == "Failed"
        assert hub.status()["rounds"]["completed"] == 1
        assert hub.works() == hub.names(kinds.DEPLOYMENT) == []


class TestWhenTrainingBegan:
    """By which the API server knows what may no longer change (changes.yaml)."""

    def test_is_said_before_the_first_round_is_over_and_while_that_waits_or_is_suspended(self):
        hub = Hub.running()
        hub.tells("Waiting")
        hub.settle()
        assert "trainingStartTime" not in hub.status()
        hub.tells("Running")
        hub.converge()
        began = hub.status()["trainingStartTime"]
        hub.tells("Waiting")
        hub.settle()
        hub.asks(suspend=True)
        hub.settle()
        assert (hub.status()["phase"], hub.status()["rounds"]["completed"]) == ("Waiting", 0)
        assert hub.status()["trainingStartTime"] == began

    def test_is_another_one_in_another_attempt(self):
        hub = Hub.running()
        hub.tells("Running")
        hub.settle()
        hub.fails()
        hub.annotate(**{RETRY: "true"})
        hub.settle()
        assert "trainingStartTime" not in hub.status()


class TestASuspendedFederation:
    def test_runs_nothing_keeps_the_volume_and_says_so(self):
        hub = Hub.running()
        hub.tells(rounds=2)
        hub.settle()
        since = hub.now + timedelta(seconds=1)
        hub.asks(suspend=True)
        hub.settle()
        hub.collect()
        assert hub.works() == hub.names(kinds.DEPLOYMENT) == hub.names(kinds.SECRET) == []
        assert hub.names(kinds.CLAIM) == [f"{FL}-aggregator"]
        assert hub.status()["phase"] == "Waiting"
        words = (
            f"suspended by spec.suspend since {since:%Y-%m-%d %H:%M:%S} UTC, after 2 of 3 rounds; it goes on once that is false"
        )
        assert hub.message() == words
        assert hub.condition("Suspended") == ("True", "spec.suspend is true")
        assert hub.condition("AggregatorReady") == ("False", "it waits for spec.suspend to become false")
        assert hub.condition("Training") == ("False", "2 of 3 rounds are done")
        hub.writes()
        hub.converge(_MINUTE)
        assert hub.writes() == []

    def test_says_which_clusters_have_not_ended_what_ran_there(self):
        hub = Hub.running()
        hub.kube.objects[*kinds.WORK, "lyon", f"{NAMESPACE}.{FL}"]["metadata"]["finalizers"] = ["held"]
        hub.asks(suspend=True)
        hub.settle()
        assert hub.message().endswith("; it goes on once that is false; waiting for lyon to take away what ran there")

    def test_goes_on_with_its_rounds_and_a_new_deadline(self):
        hub = Hub.running(deadline="1h")
        hub.tells(rounds=2)
        hub.settle()
        hub.asks(suspend=True)
        hub.settle()
        hub.now += timedelta(days=1)
        hub.asks(suspend=False)
        hub.settle()
        assert "Suspended" not in [it["type"] for it in hub.status()["conditions"]]
        assert hub.works() == ["berlin", "lyon"]
        assert hub.status()["phase"] == "Waiting"
        assert hub.status()["rounds"]["completed"] == 2


class TestDeletion:
    def test_says_whose_finalizer_it_waits_for_when_ours_is_gone(self):
        hub = Hub.running()
        metadata = hub.federation()["metadata"]
        hub.change(kinds.FEDERATED_LEARNING, FL, metadata=metadata | {"finalizers": [FINALIZER, "example.com/theirs"]})
        hub.kube.delete(hub.federation())
        for _ in range(3):
            hub.converge(_MINUTE)
        assert hub.federation()["metadata"]["finalizers"] == ["example.com/theirs"]
        assert hub.message() == "what ran is taken away; deleted once whoever set example.com/theirs takes that finalizer away"

    @pytest.mark.parametrize("collectors", ["foregroundDeletion", "orphan"])
    def test_names_no_finalizer_of_kubernetes_own_which_goes_by_itself(self, collectors):
        hub = Hub.running()
        metadata = hub.federation()["metadata"]
        hub.change(kinds.FEDERATED_LEARNING, FL, metadata=metadata | {"finalizers": [FINALIZER, collectors]})
        hub.kube.delete(hub.federation())
        for _ in range(2):
            hub.converge(_MINUTE)
        assert hub.federation()["metadata"]["finalizers"] == [collectors]
        assert "takes that finalizer away" not in hub.message()

    def test_waits_for_the_works_and_says_for_whose(self):
        hub = Hub.running()
        for cluster in ("berlin", "lyon"):
            work = hub.kube.objects[*kinds.WORK, cluster, f"{NAMESPACE}.{FL}"]
            work["metadata"]["finalizers"] = ["cluster.open-cluster-management.io/manifest-work-cleanup"]
        hub.kube.delete(hub.federation())
        hub.writes()
        hub.converge()
        gone = {it.removeprefix("delete ") for it in hub.writes() if it.startswith("delete")}
        assert {f"ManifestWork {NAMESPACE}.{FL}", f"Deployment {FL}-aggregator", f"Service {FL}-aggregator"} < gone
        assert f"PersistentVolumeClaim {FL}-aggregator" not in gone, (
            "the claim goes with the federation, by the garbage collector"
        )
        assert hub.message() == "being deleted since 2026-11-21T12:00:00Z: waiting for berlin, lyon to take away what ran there"
        hub.converge()
        assert hub.writes() == []
        for cluster in ("berlin", "lyon"):
            del hub.kube.objects[*kinds.WORK, cluster, f"{NAMESPACE}.{FL}"]
        hub.converge()
        assert not hub.has(kinds.FEDERATED_LEARNING, FL)

    def test_of_one_that_never_ran_is_done_at_once(self):
        hub = Hub.with_federation()
        hub.settle()
        hub.kube.delete(hub.federation())
        assert hub.converge() is None
        assert not hub.has(kinds.FEDERATED_LEARNING, FL)

    def test_does_not_wait_for_an_ocm_that_was_removed_before(self):
        hub = Hub.with_federation()
        hub.settle()
        hub.kube.lacks = {kinds.WORK}
        hub.kube.delete(hub.federation())
        hub.converge()
        assert not hub.has(kinds.FEDERATED_LEARNING, FL)

    def test_leaves_the_finalizers_of_others(self):
        hub = Hub.with_federation()
        hub.settle()
        it = hub.federation()
        it["metadata"]["finalizers"].append("somebody/else")
        hub.put(it)
        hub.kube.delete(hub.federation())
        hub.converge()
        assert hub.federation()["metadata"]["finalizers"] == ["somebody/else"]


class TestTwoFederationsOfOneClusterSet:
    def test_share_its_binding_and_both_own_it(self):
        hub = Hub.with_federation(build.federated_learning("other", NAMESPACE, client=CLIENT))
        for _ in range(3):
            hub.settle()
            hub.settle("other")
        (binding,) = hub.kube.all(kinds.BINDING)
        uids = {hub.federation(name)["metadata"]["uid"] for name in (FL, "other")}
        assert {it["uid"] for it in binding["metadata"]["ownerReferences"]} == uids
        assert not any(it.get("controller") for it in binding["metadata"]["ownerReferences"])

    def test_keep_it_when_one_of_them_ends(self):
        hub = Hub.with_federation(build.federated_learning("other", NAMESPACE, client=CLIENT))
        hub.settle("other")
        hub.choose("berlin", "lyon")
        hub.settle()
        hub.completes()
        assert hub.names(kinds.BINDING) == ["global"]


def test_a_binding_that_somebody_else_made_is_left_as_it_is():
    theirs = build.binding("global", NAMESPACE)
    hub = Hub.with_federation(theirs)
    hub.settle()
    (binding,) = hub.kube.all(kinds.BINDING)
    assert "labels" not in binding["metadata"]
    assert "ownerReferences" not in binding["metadata"]


def test_a_federation_whose_name_no_object_can_bear_is_refused_and_can_be_deleted():
    hub = Hub(Lists(build.federated_learning("f" * 34, "n" * 33)))
    where = "n" * 33, "f" * 34
    hub.controller.converge(*where, hub.now)
    said = hub.kube.objects[*kinds.FEDERATED_LEARNING, *where]["status"]
    assert said["phase"] == "Failed"
    assert said["message"].endswith("have 68 characters; a label's value has at most 63")
    hub.kube.delete(hub.kube.objects[*kinds.FEDERATED_LEARNING, *where])
    hub.controller.converge(*where, hub.now)
    assert (*kinds.FEDERATED_LEARNING, *where) not in hub.kube.objects


def test_what_is_told_once_starts_what_runs_anew_and_what_is_followed_does_not():
    hub = Hub.running()
    hub.writes()
    hub.asks(server={"minAvailableClients": 2, "minResponses": 1})
    hub.settle()
    assert "apply Deployment social-aggregator" not in hub.writes()
    hub.asks(training={"learningRate": 0.1}, server={"minAvailableClients": 2, "rounds": 9})
    hub.settle()
    assert "apply Deployment social-aggregator" in hub.writes()


def test_an_object_of_somebody_elses_is_left_as_it_is_and_named():
    hub = Hub.with_federation(build.placement(name=FL, namespace=NAMESPACE))
    with pytest.raises(Failed):
        hub.converge()
    said = "Placement social in default is not this federation's: remove it, or give the federation another name"
    assert hub.message().endswith(f"; but {said}")
    assert ("apply", "Placement", FL) not in hub.kube.writes


def test_an_aggregators_images_are_pulled_with_what_the_namespaces_pods_are():
    hub = Hub.with_federation()
    default = {"name": "default", "namespace": NAMESPACE}
    hub.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": default, "imagePullSecrets": [{"name": "registry"}]})
    hub.choose("berlin", "lyon")
    hub.settle()
    (deployment,) = hub.kube.all(kinds.DEPLOYMENT)
    assert deployment["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    hub.change(kinds.SERVICE_ACCOUNT, "default", imagePullSecrets=None)
    hub.settle()
    (deployment,) = hub.kube.all(kinds.DEPLOYMENT)
    assert "imagePullSecrets" not in deployment["spec"]["template"]["spec"]


def test_a_federation_of_the_clusters_own_namespace_keeps_its_work_there():
    hub = Hub.running()
    for it in hub.kube.all(kinds.WORK):
        assert "ownerReferences" not in it["metadata"]


def test_each_change_of_phase_is_an_event():
    hub = Hub.running()
    hub.tells(rounds=1)
    hub.settle()
    hub.fails()
    hub.annotate(**{RETRY: "true"})
    hub.settle()
    hub.tells()
    hub.settle()
    hub.completes()
    assert hub.events() == [
        "Normal Waiting",
        "Normal Running",
        "Warning Failed",
        "Normal Waiting",
        "Normal Running",
        "Normal Completed",
    ]


def test_phase_and_round_are_labels_too():
    hub = Hub.running()
    hub.tells(rounds=2)
    hub.settle()
    labels = hub.federation()["metadata"]["labels"]
    assert (labels[PHASE_LABEL], labels[ROUND_LABEL]) == ("Running", "2")


def test_a_status_that_somebody_changed_meanwhile_is_told_at_the_next_look():
    hub = Hub.with_federation()
    hub.settle()
    hub.choose("berlin", "lyon")
    hub.kube.conflicts = 1
    assert hub.converge() == timedelta(seconds=1)
    hub.settle()
    assert hub.condition("PlacementSatisfied")[0] == "True"


def test_a_federation_that_is_not_there_is_let_go():
    assert Hub.with_federation().converge(name="nobody") is None
