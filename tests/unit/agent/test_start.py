"""What the agent makes of what the hub asks for, on a spoke that keeps lists."""

import json
from typing import Any

import pytest

from fedspoke.agent.asked import Owner, asked_by
from fedspoke.agent.key import FILE
from fedspoke.agent.models import models
from fedspoke.agent.offers import offers
from fedspoke.agent.policy import policy
from fedspoke.agent.start import start
from fedspoke.api import parse
from fedspoke.api.base import Object
from fedspoke.api.names import DOMAIN, OFFERS, VOLUME
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import Hub, Spoke, collaborator
from support import build
from support.kube import Lists
from support.offered import folder, model, volume
from support.pods import NAMESPACE

JOB, CONFIG_MAP = Kind("batch/v1", "Job"), Kind("v1", "ConfigMap")
IMAGE, RUN = "fedspoke-collaborator:0.1.0", "team.social"
MODEL = {"model": {"name": "/model", "claimName": "model"}}


def asks(platforms: tuple[str, ...] = ("facebook",), name: str = "social", **spec: Any) -> list[Object]:
    """The objects of one federation, as its ManifestWork brings them."""
    fl = parse.federated_learning(build.federated_learning(name, "team", **spec))
    datasets: Any = {it: f"/data/{it}" for it in platforms}
    return collaborator(fl, Spoke(cluster="berlin", datasets=datasets), Hub(address="192.0.2.7", port=30443), IMAGE)


def owner(*offered: Object, **allows: str) -> Owner:
    found, _ = offers(offered)
    best: Any = {it.platform: it for it in found}
    return Owner(offers=found, best=best, policy=policy(allows), models=models(offered))


def of_the_owner(variable: str) -> Object:
    """What an owner's ConfigMap has of a name."""
    source = {"name": "federated-learning-model-hub", "key": variable, "optional": True}
    return {"name": variable, "valueFrom": {"configMapKeyRef": source}}


def running(kube: Lists) -> list[Object]:
    return [it for it in kube.all(JOB) if asked_by(it)]


def asked(kube: Lists) -> Object:
    return next(it for it in kube.all(JOB) if not asked_by(it))


CURATED = {"curation": {"endpoint": "http://llm.models.svc:8000/v1", "model": "llama"}}


def changed(**fields: Any) -> list[Object]:
    """What a hub asks for that has changed the pod."""
    objects = asks()
    job = next(it for it in objects if it["kind"] == "Job")
    job["spec"]["template"]["spec"] |= fields
    return objects


def test_what_is_asked_for_runs_with_the_volumes_that_are_offered():
    kube = Lists(*asks(training=MODEL))
    assert start(kube, NAMESPACE, owner(volume("anna-s-holiday"), model())) == {}
    (job,) = running(kube)
    volumes = {it["name"]: it for it in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["data-facebook"]["persistentVolumeClaim"] == {"claimName": "anna-s-holiday", "readOnly": True}
    assert volumes["model"]["persistentVolumeClaim"] == {"claimName": "model"}
    assert not job["spec"].get("suspend")
    assert asked(kube)["spec"]["suspend"]


def test_a_folder_of_the_node_is_mounted_as_well():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(folder("/data/x")))
    (job,) = running(kube)
    (data,) = [it for it in job["spec"]["template"]["spec"]["volumes"] if it["name"] == "data-facebook"]
    assert data == {"name": "data-facebook", "hostPath": {"path": "/data/x", "type": "Directory"}}


def test_a_file_that_is_no_collaborators_does_not_get_into_its_pod():
    objects = asks()
    settings = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)
    settings["data"]["sitecustomize.py"] = "send()"
    kube = Lists(*objects)
    assert start(kube, NAMESPACE, owner(volume())) == {}
    (job,) = running(kube)
    assert "sitecustomize" not in json.dumps(job)


def other_settings() -> tuple[list[Object], Object]:
    """What a hub asks for that shows an owner noise; and a volume by which its processes would read of none."""
    objects = asks()
    files = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)["data"]
    noise = {"mechanism": "gaussian", "clip": 1.0, "noiseMultiplier": 5.0}
    files["collaborator.json"] = json.dumps(json.loads(files["collaborator.json"]) | {"privacy": noise})
    field = {"fieldPath": f"metadata.annotations['{DOMAIN}/hub.json']"}
    return objects, {"name": "config", "downwardAPI": {"items": [{"path": "collaborator.json", "fieldRef": field}]}}


def test_a_hub_does_not_have_other_settings_read_than_those_that_are_judged():
    objects, config = other_settings()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    spec["volumes"] = [config if it["name"] == "config" else it for it in spec["volumes"]]
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume(), minNoiseMultiplier="1")).values()
    assert why.endswith("than a collaborator needs: the volume config")
    assert running(kube) == []


def test_nor_does_a_job_that_says_that_the_agent_made_it():
    objects, config = other_settings()
    kube, noisy = Lists(*objects), owner(volume(), minNoiseMultiplier="1")
    assert start(kube, NAMESPACE, noisy) == {}
    (job,) = running(kube)
    spec = job["spec"]["template"]["spec"]
    spec["volumes"] = [config if it["name"] == "config" else it for it in spec["volumes"]]
    kube.keep(job)
    (why,) = start(kube, NAMESPACE, noisy).values()
    assert why.endswith("than a collaborator needs: the volume config")
    assert running(kube) == []


def test_what_an_api_server_adds_to_what_runs_does_not_end_it():
    kube = Lists(*asks(training=MODEL, client=CURATED))
    curated = owner(volume(), model(), curationEndpoints="http://llm.*")
    assert start(kube, NAMESPACE, curated) == {}
    (job,) = running(kube)
    for it in job["spec"]["template"]["spec"]["containers"]:
        it["terminationMessagePath"] = "/dev/termination-log"
    for it in job["spec"]["template"]["spec"]["volumes"]:
        for source in it.keys() & {"configMap", "secret", "downwardAPI"}:
            it[source]["defaultMode"] = it[source].get("defaultMode", 420)
        for item in it.get("downwardAPI", {}).get("items", []):
            item["fieldRef"]["apiVersion"] = "v1"
    kube.keep(job)
    assert start(kube, NAMESPACE, curated) == {}
    assert running(kube)


def test_its_processes_read_the_settings_that_were_judged_and_no_later_ones():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume()))
    (job,) = running(kube)
    template = job["spec"]["template"]
    (config,) = [it for it in template["spec"]["volumes"] if it["name"] == "config"]
    files = {it["path"]: it["fieldRef"]["fieldPath"] for it in config["downwardAPI"]["items"]}
    told = (kube.get(CONFIG_MAP, RUN, NAMESPACE) or {})["data"]
    assert files.keys() == told.keys()
    for name, path in files.items():
        said = template["metadata"]["annotations"][path.removeprefix("metadata.annotations['").removesuffix("']")]
        if name == "collaborator.json":
            assert json.loads(said) == json.loads(told[name]) | {"key": FILE}
        else:
            assert said == told[name]


def test_it_is_started_once_and_goes_with_what_asked_for_it():
    kube = Lists(*asks())
    for _ in range(3):
        start(kube, NAMESPACE, owner(volume()))
    (job,) = running(kube)
    assert asked_by(job) == asked(kube)["metadata"]["uid"]
    assert job["metadata"]["ownerReferences"][0]["blockOwnerDeletion"]
    assert [it["labels"] for it in (job["metadata"], job["spec"]["template"]["metadata"])] == [
        asked(kube)["metadata"]["labels"]
    ] * 2


def test_its_name_is_a_jobs_whatever_the_federation_is_called():
    kube = Lists(*asks(name="a" * 52))
    start(kube, NAMESPACE, owner(volume()))
    (job,) = running(kube)
    assert len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["name"] != asked(kube)["metadata"]["name"]


def test_what_is_being_taken_away_is_not_started_again():
    objects = asks()
    job = next(it for it in objects if it["kind"] == "Job")
    job["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    kube = Lists(*objects)
    assert start(kube, NAMESPACE, owner(volume())) == {}
    assert running(kube) == []


def test_data_that_nobody_offers_is_not_mounted():
    kube = Lists(*asks(("facebook", "instagram")))
    why = "no data of instagram is offered on this cluster: "
    why += f"its owner labels a volume claim {OFFERS}=instagram"
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: why}
    assert running(kube) == []


@pytest.mark.parametrize(
    ("allows", "why"),
    [
        ({"federations": "other/*"}, "team/social is none of the federations that it names"),
        ({"platforms": "instagram"}, "data of facebook is not shared"),
        ({"images": "registry.example.com/"}, f"{IMAGE} is none of the images that it names"),
        ({"minNoiseMultiplier": "1"}, "noise on adapters must be 1 or more, and privacy.adapters has 0"),
        ({"maxProfileEpsilon": "2"}, "the epsilon of a profile must be 2 or less, and profiles has an epsilon of 8"),
    ],
)
def test_what_the_owner_forbids_is_not_started_and_ended_if_it_runs(allows: dict[str, str], why: str):
    kube = Lists(*asks())
    said = {RUN: f"the cluster's owner does not allow it: {why}"}
    assert start(kube, NAMESPACE, owner(volume(), **allows)) == said
    assert running(kube) == []
    start(kube, NAMESPACE, owner(volume()))
    assert len(running(kube)) == 1
    assert start(kube, NAMESPACE, owner(volume(), **allows)) == said
    assert running(kube) == []


def test_posts_are_judged_where_the_owner_allows_it_with_the_key_in_the_one_container_that_asks():
    kube = Lists(*asks(client=CURATED))
    assert start(kube, NAMESPACE, owner(volume(), curationEndpoints="http://llm.models.svc:8000/v1")) == {}
    (job,) = running(kube)
    spec = job["spec"]["template"]["spec"]
    key = {"name": "federated-learning-curation", "key": "apiKey", "optional": True}
    holders = [it["name"] for it in [*spec["initContainers"], *spec["containers"]] if str(key) in str(it)]
    assert holders == ["flower-client"]


def test_where_the_owner_does_not_it_is_not_started_and_is_ended_when_the_owner_takes_that_back():
    kube = Lists(*asks(client=CURATED))
    why = "the cluster's owner does not allow it: client.curation would hand its posts to http://llm.models.svc:8000/v1: "
    why += "to allow it, add that address to curationEndpoints in the ConfigMap federated-learning-policy"
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: why}
    assert running(kube) == []
    start(kube, NAMESPACE, owner(volume(), curationEndpoints="http://llm.*"))
    assert len(running(kube)) == 1
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: why}
    assert running(kube) == []


@pytest.mark.parametrize(
    "endpoint", ["http://evil.example.com/v1", "http://127.0.0.1:9091/v1", "http://llm.models.svc.example.com:8000/v1"]
)
def test_a_hub_that_names_an_endpoint_elsewhere_gets_nothing_whatever_the_owner_allows(endpoint: str):
    objects = asks(client=CURATED)
    files = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)["data"]
    told = json.loads(files["collaborator.json"])
    files["collaborator.json"] = json.dumps(told | {"curation": told["curation"] | {"endpoint": endpoint}})
    kube = Lists(*objects)
    assert RUN in start(kube, NAMESPACE, owner(volume(), curationEndpoints="*"))
    assert running(kube) == []


def test_it_is_ended_when_its_volume_is_offered_no_more_and_goes_on_with_another():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume("one")))
    assert RUN in start(kube, NAMESPACE, owner(volume("two")))
    assert running(kube) == []
    assert start(kube, NAMESPACE, owner(volume("two"))) == {}
    assert "'claimName': 'two'" in str(running(kube))


def test_a_better_offer_does_not_end_what_runs():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume("one")))
    start(kube, NAMESPACE, owner(volume("one"), volume("two")))
    assert "'claimName': 'one'" in str(running(kube))


def test_a_policy_that_cannot_be_understood_allows_nothing():
    kube = Lists(*asks())
    said = start(kube, NAMESPACE, Owner(policy=None, problem="it has the key 'x'"))
    why = "the cluster's owner allows nothing, as the ConfigMap federated-learning-policy cannot be understood: "
    assert said == {RUN: f"{why}it has the key 'x'"}


@pytest.mark.parametrize("named", ["holiday", "facebook-data", "instagram-data"])
def test_a_hub_that_names_a_dataset_as_its_model_does_not_get_it(named: str):
    kube = Lists(*asks(training={"model": {"name": "/model", "claimName": named}}))
    (why,) = start(kube, NAMESPACE, owner(volume("holiday"))).values()
    assert why == "the cluster's owner does not allow it: its volume model asks for data in another way than by its platform"


UNLABELLED = f"the volume claim model is no model's, or is not there: its owner labels one {VOLUME}=model"


def test_where_neither_data_nor_a_model_is_offered_it_is_the_data_that_is_missed_first():
    (why,) = start(Lists(*asks(training=MODEL)), NAMESPACE, owner()).values()
    assert why.startswith("no data of facebook is offered on this cluster")


@pytest.mark.parametrize(
    ("labelled", "why"),
    [
        ({}, UNLABELLED),
        ({VOLUME: "output"}, UNLABELLED),
        (
            {VOLUME: "model", OFFERS: "instagram"},
            "the cluster's owner does not allow it: its volume model asks for data in another way than by its platform",
        ),
    ],
)
def test_a_volume_is_a_models_by_its_owners_label_alone_and_no_longer_than_that(labelled: dict[str, str], why: str):
    kube, other = Lists(*asks(training=MODEL)), volume("model", None)
    other["metadata"]["labels"] = labelled
    for _ in range(2):
        assert start(kube, NAMESPACE, owner(volume(), other)) == {RUN: why}
        assert running(kube) == []
        assert start(kube, NAMESPACE, owner(volume(), model())) == {}
        assert len(running(kube)) == 1


@pytest.mark.parametrize(
    "setting",
    [
        {"run": "team.another"},
        {"datasets": {"facebook": "/model"}},
        {"datasets": {"facebook": "/data/facebook", "instagram": "/model"}},
        {"output": "/output/x"},
        {"overrules": ""},
        {"gateway": "203.0.113.9:80"},
        {"mcpPort": 9999},
        {"mcpToken": "/output/lora_weights/token"},
        {"supernodePort": 9999},
    ],
)
def test_settings_that_lead_elsewhere_than_a_collaborators_are_refused_and_end_what_has_them(setting: Object):
    objects, curated = asks(client=CURATED), owner(volume(), curationEndpoints="*")
    files = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)["data"]
    honest, told = Lists(*objects), json.loads(files["collaborator.json"]) | setting
    assert start(honest, NAMESPACE, curated) == {}
    (job,) = running(honest)
    files["collaborator.json"] = json.dumps(told)
    kube, why = Lists(*objects), f"its settings have another {next(iter(setting))} than a collaborator's"
    assert start(kube, NAMESPACE, curated) == {RUN: why}
    assert running(kube) == []
    job["spec"]["template"]["metadata"]["annotations"][f"{DOMAIN}/collaborator.json"] = json.dumps(told | {"key": FILE})
    honest.keep(job)
    assert start(honest, NAMESPACE, curated) == {RUN: why}
    assert running(honest) == []


@pytest.mark.parametrize("file", ["envoy.json", "certificate.json", "authority.json"])
def test_a_hub_that_has_another_gateway_listen_or_dial_is_refused_and_what_has_it_is_ended(file: str):
    objects = asks()
    honest = Lists(*objects)
    assert start(honest, NAMESPACE, owner(volume())) == {}
    (job,) = running(honest)
    files = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)["data"]
    files[file] = files[file].replace("127.0.0.1", "0.0.0.0") + " "  # noqa: S104  as a hub that lies would have it
    kube, why = Lists(*objects), f"its settings have another {file} than a collaborator's"
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: why}
    assert running(kube) == []
    job["spec"]["template"]["metadata"]["annotations"][f"{DOMAIN}/{file}"] = files[file]
    honest.keep(job)
    assert start(honest, NAMESPACE, owner(volume())) == {RUN: why}
    assert running(honest) == []


def test_a_hub_that_names_the_gateway_of_another_federation_is_refused():
    objects, others = asks(), asks(name="other")
    files = [
        it["data"] for each in (objects, others) for it in each if it["kind"] == "ConfigMap" and "hub.json" in it.get("data", {})
    ]
    files[0]["hub.json"] = files[1]["hub.json"]
    kube = Lists(*objects)
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: "its settings name the gateway of another federation"}


def test_a_volume_that_is_withdrawn_is_not_read_as_a_models():
    objects = asks(training={"model": {"name": "/model", "claimName": "holiday"}})
    files = next(it for it in objects if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)["data"]
    files["collaborator.json"] = json.dumps(json.loads(files["collaborator.json"]) | {"datasets": {"facebook": "/model"}})
    kube = Lists(*objects)
    assert RUN in start(kube, NAMESPACE, owner(volume("another"), volume("holiday", None)))
    assert running(kube) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"serviceAccountName": "federated-learning-agent"},
        {"hostUsers": True},
        {"automountServiceAccountToken": True},
        {"securityContext": {"runAsUser": 0}},
        {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
        {"volumes": [{"name": "tmp", "hostPath": {"path": "/"}}]},
        {"volumes": [{"name": "certificate", "secret": {"secretName": "federated-learning-hub-kubeconfig"}}]},
        {"volumes": [{"name": "config", "configMap": {"name": "another"}}]},
        {"volumes": [{"name": "config", "downwardAPI": {"items": []}}]},
    ],
)
def test_a_hub_that_asks_for_more_of_the_cluster_does_not_get_it(fields: Object):
    kube = Lists(*changed(**fields))
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert why.startswith("the cluster's owner does not allow it: it")
    assert running(kube) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"command": ["python", "-c", "send()"]},
        {"args": ["--all"]},
        {"securityContext": {"privileged": True}},
        {"env": [{"name": "LD_PRELOAD", "value": "/output/theirs.so"}]},
        {"envFrom": [{"secretRef": {"name": "federated-learning-hub-kubeconfig"}}]},
        {"envFrom": [{"configMapRef": {"name": "federated-learning-model-hub"}}]},
        {"env": [of_the_owner("PYTHONPATH")]},
        {"env": [of_the_owner("HF_ENDPOINT") | {"name": "HF_HOME"}]},
        {"lifecycle": {"postStart": {"exec": {"command": ["sh"]}}}},
        {"livenessProbe": {"exec": {"command": ["sh"]}}},
        {"terminationMessagePath": "/output/releases.json"},
        {"name": "another"},
        {"name": "another", "command": None},
        {"name": "gateway"},
    ],
)
@pytest.mark.parametrize("of", ["initContainers", "containers"])
def test_a_container_that_does_more_than_a_collaborators_is_not_started(fields: Object, of: str):
    objects = asks()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    spec[of][-1] |= fields
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume(), images=IMAGE)).values()
    assert why.startswith("the cluster's owner does not allow it: it asks for more of the cluster than a collaborator needs: ")
    assert running(kube) == []


@pytest.mark.parametrize("curated", [{}, CURATED], ids=["as it is", "curated"])
@pytest.mark.parametrize("container", ["mcp-server", "flower-client"])
def test_what_the_owner_says_of_single_posts_is_mounted_whatever_the_hub_asks_for(curated: Object, container: str):
    kube = Lists(*asks(client=curated))
    assert start(kube, NAMESPACE, owner(volume(), curationEndpoints="*")) == {}
    (job,) = running(kube)
    spec = job["spec"]["template"]["spec"]
    (found,) = [it for it in spec["volumes"] if it["name"] == "overrules"]
    assert found["configMap"] == {"name": "federated-learning-curation", "optional": True}
    containers = {it["name"]: it for it in [*spec["initContainers"], *spec["containers"]]}
    told = json.loads(job["spec"]["template"]["metadata"]["annotations"][f"{DOMAIN}/collaborator.json"])
    mount = {"name": "overrules", "mountPath": told["overrules"], "readOnly": True}
    assert mount in containers[container]["volumeMounts"]
    containers[container]["volumeMounts"].remove(mount)
    kube.keep(job)
    (why,) = start(kube, NAMESPACE, owner(volume(), curationEndpoints="*")).values()
    assert f"the container {container} without the volume overrules" in why
    assert running(kube) == []


@pytest.mark.parametrize(
    "source",
    [
        {"emptyDir": {}},
        {"configMap": {"name": RUN, "optional": True}},
        {"configMap": {"name": "federated-learning-curation", "optional": True, "items": [{"key": "keep", "path": "set-aside"}]}},
    ],
)
def test_a_hub_that_has_other_words_mounted_than_the_owners_is_refused(source: Object):
    objects = asks()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    spec["volumes"] = [{"name": "overrules"} | source if it["name"] == "overrules" else it for it in spec["volumes"]]
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert why.endswith("than a collaborator needs: the volume overrules")
    assert running(kube) == []


THEIRS = "/opt/fedspoke/lib/python3.12/site-packages/sitecustomize.py"


@pytest.mark.parametrize(
    ("name", "mount"),
    [
        ("gateway", {"name": "data-facebook", "mountPath": "/data/facebook", "readOnly": True}),
        ("gateway", {"name": "config", "mountPath": "/etc/fedspoke", "readOnly": True}),
        ("flower-client", {"name": "data-facebook", "mountPath": "/data/facebook", "readOnly": True}),
        ("flower-client", {"name": "certificate", "mountPath": "/var/run/fedspoke/certificate", "readOnly": True}),
        ("mcp-server", {"name": "config", "mountPath": THEIRS, "subPath": "sitecustomize.py"}),
        ("mcp-server", {"name": "model", "mountPath": "/usr"}),
        ("mcp-server", {"name": "model", "mountPath": "/model", "subPath": "theirs"}),
        ("mcp-server", {"name": "data-instagram", "mountPath": "/data/instagram"}),
    ],
)
def test_a_container_sees_no_volume_but_as_a_collaborators_does(name: str, mount: Object):
    objects = asks()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    next(it for it in [*spec["initContainers"], *spec["containers"]] if it["name"] == name)["volumeMounts"].append(mount)
    kube = Lists(*objects)
    (why,) = start(kube, NAMESPACE, owner(volume())).values()
    assert why.endswith(f"than a collaborator needs: another mount of the volume {mount['name']} in the container {name}")
    assert running(kube) == []


def test_the_owners_sources_of_models_are_told_to_the_trainer_alone_and_by_name():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume()))
    (job,) = running(kube)
    spec = job["spec"]["template"]["spec"]
    told = {it["name"]: [each["name"] for each in it.get("env", [])] for it in [*spec["initContainers"], *spec["containers"]]}
    sources = ["HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_REGION", "HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert told == {"gateway": [], "mcp-server": sources, "flower-client": []}
    assert "envFrom" not in json.dumps(job)


def test_what_runs_is_judged_by_what_it_was_told_and_not_by_what_the_hub_says_since():
    noise = {"adapters": {"mechanism": "gaussian", "noiseMultiplier": 2.0}}
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume()))
    later = next(it for it in asks(privacy=noise) if it["kind"] == "ConfigMap" and it["metadata"]["name"] == RUN)
    kube.merge(kube.get(CONFIG_MAP, RUN, NAMESPACE) or {}, {"data": later["data"]})
    (why,) = start(kube, NAMESPACE, owner(volume(), minNoiseMultiplier="1")).values()
    assert why.endswith("noise on adapters must be 1 or more, and privacy.adapters has 0")
    assert running(kube) == []


def test_what_runs_goes_on_while_its_config_map_is_away():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume()))
    kube.delete(kube.get(CONFIG_MAP, RUN, NAMESPACE) or {})
    assert start(kube, NAMESPACE, owner(volume())) == {}
    assert running(kube)


def test_a_job_that_says_that_the_agent_made_it_of_something_else_is_ended():
    kube = Lists(*asks())
    (job,) = kube.all(JOB)
    other = {"apiVersion": "batch/v1", "kind": "Job", "name": "inspection", "uid": "another's"}
    kube.keep(job | {"metadata": job["metadata"] | {"name": "false", "uid": "x", "ownerReferences": [other]}, "spec": {}})
    start(kube, NAMESPACE, owner(volume(), federations="none/*"))
    assert running(kube) == []


def test_a_job_of_the_hub_that_does_not_ask_is_suspended():
    objects = asks()
    next(it for it in objects if it["kind"] == "Job")["spec"]["suspend"] = False
    kube = Lists(*objects)
    start(kube, NAMESPACE, owner(volume(), federations=""))
    assert asked(kube)["spec"]["suspend"] is True
    assert running(kube) == []


def test_a_job_of_the_hub_that_says_that_the_agent_made_it_is_ended():
    kube = Lists(*asks())
    start(kube, NAMESPACE, owner(volume()))
    (job,) = running(kube)
    kube.keep(job | {"metadata": job["metadata"] | {"name": "false"}})
    start(kube, NAMESPACE, owner(volume()))
    assert running(kube) == [job]


@pytest.mark.parametrize("settings", ["", "{", json.dumps({"profiles": {"epsilon": "none"}}), "[]", "\x00"])
def test_settings_that_cannot_be_read_are_not_trusted(settings: str):
    kube = Lists(*asks())
    there = kube.get(CONFIG_MAP, RUN, NAMESPACE) or {}
    kube.merge(there, {"data": {"collaborator.json": settings}})
    assert start(kube, NAMESPACE, owner(volume())) == {RUN: "its settings are not there, or cannot be read"}


def test_one_that_cannot_be_started_stops_no_other():
    both = [*asks(), *asks(name="other")]
    start(kube := Lists(*both), NAMESPACE, owner(volume()))
    refused = next(it["metadata"]["name"] for it in running(kube) if it["metadata"]["name"].startswith(f"{RUN}-"))
    kube = Lists(*both, refuses=[refused])
    said = start(kube, NAMESPACE, owner(volume()))
    assert said == {RUN: f"its Job cannot be started: the Kubernetes API refuses to create Job {refused}: forbidden"}
    assert len(running(kube)) == 1
