"""The key of what a collaborator writes: there while it may come back, gone with the owner's word, and never the hub's."""

import base64
import json
import logging
from typing import Any

import pytest

from fedspoke.agent.asked import Owner, asked_by
from fedspoke.agent.key import FILE
from fedspoke.agent.offers import offers
from fedspoke.agent.policy import policy
from fedspoke.agent.start import start
from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.names import labels
from fedspoke.api.records import CollaboratorSettings
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import Hub, Spoke, collaborator
from fedspoke.manifestworks.report import key_name
from support import build
from support.kube import Lists
from support.offered import volume
from support.pods import NAMESPACE

JOB, CONFIG_MAP, SECRET = Kind("batch/v1", "Job"), Kind("v1", "ConfigMap"), Kind("v1", "Secret")
RUN = "team.social"


def asks(name: str = "social") -> list[Object]:
    fl = parse.federated_learning(build.federated_learning(name, "team"))
    return collaborator(
        fl, Spoke(cluster="berlin", datasets={"facebook": "/data/facebook"}), Hub(address="192.0.2.7", port=1), "image"
    )


def owner(*offered: Object, **allows: str) -> Owner:
    found, _ = offers(offered)
    return Owner(offers=found, best={it.platform: it for it in found}, policy=policy(allows))


def running(kube: Lists) -> list[Object]:
    return [it for it in kube.all(JOB) if asked_by(it)]


def started(kube: Lists) -> Object:
    """The Secret of a federation that runs."""
    assert start(kube, NAMESPACE, owner(volume())) == {}
    assert running(kube)
    return secret(kube)


def secret(kube: Lists) -> Object:
    (found,) = kube.all(SECRET)
    return found


def another_of_the_name(kube: Lists) -> None:
    """A federation is gone, and there is one of its name: its settings are others by their uid."""
    for it in kube.all(CONFIG_MAP):
        kube.delete(it)
    for it in asks():
        if it["kind"] == "ConfigMap":
            kube.keep(it)


def test_a_federation_that_starts_has_a_key_of_its_own_that_goes_with_its_settings():
    kube = Lists(*asks(), *asks("other"))
    start(kube, NAMESPACE, owner(volume()))
    made = {it["metadata"]["name"]: it for it in kube.all(SECRET)}
    assert made.keys() == {key_name(RUN), key_name("team.other")}
    keys = [base64.b64decode(it["data"]["key"]) for it in made.values()]
    assert [len(key) for key in keys] == [32, 32]
    assert keys[0] != keys[1]
    of = made[key_name(RUN)]
    assert of["metadata"]["labels"] == labels(RUN)
    settings = kube.get(CONFIG_MAP, RUN, NAMESPACE) or {}
    (belongs_to,) = of["metadata"]["ownerReferences"]
    assert (belongs_to["kind"], belongs_to["uid"]) == ("ConfigMap", settings["metadata"]["uid"])
    assert of["immutable"]


def test_its_trainer_alone_has_the_key_and_as_a_file_alone():
    kube = Lists(*asks())
    key = started(kube)["data"]["key"]
    (job,) = running(kube)
    template = job["spec"]["template"]
    (mounted,) = [it for it in template["spec"]["volumes"] if it["name"] == "key"]
    assert mounted["secret"] == {"secretName": key_name(RUN), "defaultMode": 0o400}
    containers = [*template["spec"]["initContainers"], *template["spec"]["containers"]]
    mounts = {it["name"]: [each for each in it["volumeMounts"] if each["name"] == "key"] for it in containers}
    assert mounts == {
        "gateway": [],
        "mcp-server": [{"name": "key", "mountPath": "/var/run/fedspoke/key", "readOnly": True}],
        "flower-client": [],
    }
    told = next(it for name, it in template["metadata"]["annotations"].items() if name.endswith("/collaborator.json"))
    assert CollaboratorSettings.model_validate_json(told).key == FILE
    assert not [it for it in kube.objects.values() if it["kind"] != "Secret" and key in json.dumps(it)]


def test_a_hub_cannot_turn_it_off():
    objects = asks()
    settings = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)
    for name in ("/etc/fedspoke/hub.json", None):
        settings["data"]["collaborator.json"] = json.dumps(json.loads(settings["data"]["collaborator.json"]) | {"key": name})
        kube = Lists(*objects)
        started(kube)
        (job,) = running(kube)
        assert json.dumps(job).count(FILE) == 1


@pytest.mark.parametrize("of", ["initContainers", "containers"])
def test_a_hub_that_would_have_it_mounted_is_refused(of: str):
    objects = asks()
    container = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"][of][-1]
    container["volumeMounts"].append({"name": "key", "mountPath": "/var/run/fedspoke/key", "readOnly": True})
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert why.endswith(f"another mount of the volume key in the container {container['name']}")
    assert kube.all(SECRET) == []


@pytest.mark.parametrize("of", ["initContainers", "containers"])
def test_a_job_that_says_that_the_agent_made_it_has_it_mounted_nowhere_else(of: str):
    kube = Lists(*asks())
    started(kube)
    (job,) = running(kube)
    job["spec"]["template"]["spec"][of][-1]["volumeMounts"].append({"name": "key", "mountPath": "/output/key"})
    kube.keep(job)
    assert RUN in start(kube, NAMESPACE, owner(volume()))
    assert running(kube) == []


def of_the_trainer(job: Object) -> Object:
    found: Object = next(it for it in job["spec"]["template"]["spec"]["initContainers"] if it["name"] == "mcp-server")
    return found


def untold(job: Object) -> None:
    annotations = job["spec"]["template"]["metadata"]["annotations"]
    (name,) = [it for it in annotations if it.endswith("/collaborator.json")]
    annotations[name] = json.dumps(json.loads(annotations[name]) | {"key": None})


def unmounted(job: Object) -> None:
    of_the_trainer(job)["volumeMounts"] = [it for it in of_the_trainer(job)["volumeMounts"] if it["name"] != "key"]


def emptied(job: Object) -> None:
    (found,) = [it for it in job["spec"]["template"]["spec"]["volumes"] if it["name"] == "key"]
    found["secret"]["optional"] = True


@pytest.mark.parametrize("forged", [untold, unmounted, emptied])
def test_a_job_that_says_that_the_agent_made_it_and_has_no_key_is_replaced_by_one_that_has(forged: Any):
    kube = Lists(*asks())
    started(kube)
    (honest,) = running(kube)
    hubs = json.loads(json.dumps(honest))
    forged(hubs)
    kube.keep(hubs)
    assert start(kube, NAMESPACE, owner(volume())) == {}
    (now,) = running(kube)
    assert now["spec"] == honest["spec"]


def test_a_hub_that_asks_for_the_key_itself_is_refused():
    objects = asks()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "key", "secret": {"secretName": key_name(RUN)}})
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert why.endswith("it asks for more of the cluster than a collaborator needs: the volume key")
    assert kube.all(SECRET) == []


def test_it_stays_while_the_hub_is_away_and_the_collaborator_comes_back_to_it():
    kube = Lists(*asks())
    before = started(kube)
    assert start(kube, NAMESPACE, owner(volume()), {RUN: "the hub is gone"}) == {RUN: "the hub is gone"}
    assert running(kube) == []
    assert secret(kube) == before
    assert started(kube) == before


def test_it_stays_whatever_is_looked_at_and_whatever_a_policy_says_that_nobody_understands():
    kube = Lists(*asks())
    before = started(kube)
    assert started(kube) == before
    start(kube, NAMESPACE, Owner(offers=owner(volume()).offers, policy=None, problem="it has the key 'x'"))
    assert running(kube) == []
    assert secret(kube) == before


def test_it_outlives_a_job_that_the_hub_asks_for_in_another_way():
    kube = Lists(*asks())
    before = started(kube)
    for job in kube.all(JOB):
        kube.delete(job)
    later = next(it for it in asks() if it["kind"] == "Job")
    kube.keep(later | {"metadata": later["metadata"] | {"name": f"{RUN}-another"}})
    assert started(kube) == before


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(owner, id="the data is offered no more"),
        pytest.param(lambda: owner(volume(), federations="other/*"), id="the federation is forbidden"),
        pytest.param(lambda: owner(volume("another")), id="other data is offered instead"),
    ],
)
def test_with_the_owners_word_it_is_gone_and_the_next_one_is_another(now: Any):
    kube = Lists(*asks())
    before = started(kube)["data"]["key"]
    assert RUN in start(kube, NAMESPACE, now())
    assert (running(kube), kube.all(SECRET)) == ([], [])
    assert RUN in start(kube, NAMESPACE, owner())
    assert started(kube)["data"]["key"] != before


def test_a_key_of_an_earlier_federation_of_the_name_is_not_taken_over():
    kube = Lists(*asks())
    before = started(kube)
    another_of_the_name(kube)
    assert started(kube)["data"]["key"] != before["data"]["key"]


def test_while_the_key_of_an_earlier_federation_of_the_name_goes_that_is_what_is_waited_for():
    kube = Lists(*asks())
    before = started(kube)
    another_of_the_name(kube)
    kube.keep(before | {"metadata": before["metadata"] | {"finalizers": ["foregroundDeletion"]}})
    refused = start(kube, NAMESPACE, owner(volume()))
    assert [*refused.values()] == [
        "its Job cannot be started: the key of an earlier federation of this name is being taken away; it starts after that"
    ]


def test_one_that_somebody_took_away_is_replaced_so_that_a_new_pod_can_start():
    kube = Lists(*asks())
    before = started(kube)
    kube.delete(before)
    assert started(kube)["data"]["key"] != before["data"]["key"]


def test_nothing_starts_without_a_key_and_no_log_tells_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    kube = Lists(*asks(), refuses=["Secret"])
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert "refuses to create Secret team.social.key: forbidden" in why
    assert running(kube) == []
    kube.refuses.clear()
    key = started(kube)["data"]["key"]
    assert key not in why + caplog.text
