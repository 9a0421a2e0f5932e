"""The agent has every right that it needs on its spoke, and no other."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from fedspoke.agent.lease import lease
from fedspoke.agent.policy import POLICY
from fedspoke.agent.publish import Scores
from fedspoke.agent.spoke import Spoke
from fedspoke.agent.watchdog import Watchdog
from fedspoke.agent.withdrawals import Withdrawals
from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.hub.addon.agent_work import agent_work
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import AGENT, Hub, collaborator
from fedspoke.manifestworks.collaborator import Spoke as Chosen
from fedspoke.manifestworks.report import key_name, report
from support import build
from support.kube import Lists
from support.offered import NO_FOLDERS, NOTHING_KNOWN, outputs, pod, said, volume
from support.pods import NAMESPACE

NOW = datetime(2026, 11, 21, tzinfo=UTC)
JOB = Kind("batch/v1", "Job")
ROLE: Object = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": AGENT}}


def needed() -> set[tuple[str, str]]:
    """By an agent that does all that it ever does: a dataset is offered, inspected, trained on and withdrawn, an output wiped."""
    fl = parse.federated_learning(build.federated_learning("social", "team"))
    asked = collaborator(fl, Chosen(cluster="berlin", datasets={"facebook": "/data/facebook"}), Hub(address="h", port=1), "image")
    kube = Lists(
        NOTHING_KNOWN,
        NO_FOLDERS,
        ROLE,
        volume(),
        outputs(),
        *(it for it in asked if it["kind"] != "Role" and it["kind"] != "RoleBinding"),
    )
    next(it for it in kube.objects.values() if it["kind"] == "Job")["spec"]["suspend"] = False
    spoke = Spoke(kube, NAMESPACE, "image", Scores("berlin", Path("none")), Watchdog(lambda *_: 204), Withdrawals(lambda *_: 204))
    sign, count, declare, tidy, tell = (task.does for task in spoke.tasks(partial(lease, NAMESPACE, "pod-1", {"uid": "uid-a"})))
    for step in range(4):
        for does in (sign, count, declare, tidy, tell, spoke.listen):
            does(NOW + timedelta(seconds=5 * step))
        for job in kube.all(JOB):
            if "inspect" in job["metadata"]["name"]:
                kube.keep(pod(job, said()))
    policy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POLICY, "namespace": NAMESPACE}}
    kube.keep(policy | {"data": {"platforms": ""}})
    for minute in (1, 2):
        declare(NOW + timedelta(minutes=minute))
        tidy(NOW + timedelta(minutes=minute))
    assert [it for it in kube.all(JOB) if "wipe" in it["metadata"]["name"]]
    return {(verb, f"{kind.kind.lower()}s{f'/{sub}' if sub else ''}") for verb, kind, sub in kube.rights}


def given() -> set[tuple[str, str]]:
    """By its own work, and by each federation's."""
    work, of_one = agent_work("berlin", {}, b"", "image"), report("team.social", NAMESPACE, AGENT)
    roles = [it for it in [*work["spec"]["workload"]["manifests"], *of_one] if it["kind"] in ("Role", "ClusterRole")]
    return {(verb, it) for role in roles for rule in role["rules"] for it in rule["resources"] for verb in rule["verbs"]}


def test_an_agent_has_every_right_that_it_needs_and_no_other():
    asked_of_the_api_server_itself = {("update", "jobs/finalizers")}
    assert needed() == given() - asked_of_the_api_server_itself


def test_of_secrets_it_may_read_and_remove_a_federations_key_alone():
    roles = [it for it in report("team.social", NAMESPACE, AGENT) if it["kind"] == "Role"]
    roles += [it for it in agent_work("berlin", {}, b"", "image")["spec"]["workload"]["manifests"] if it["kind"] == "Role"]
    rules = [rule for role in roles for rule in role["rules"] if "secrets" in rule["resources"]]
    named = [(rule.get("resourceNames"), rule["verbs"]) for rule in rules]
    assert named == [([key_name("team.social")], ["get", "delete"]), (None, ["create"])]
