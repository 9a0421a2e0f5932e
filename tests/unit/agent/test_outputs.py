"""Where collaborators write: which volume, whose folder, and that the hub has no say in it."""

from dataclasses import replace
from typing import Any

import pytest

from fedspoke.agent.asked import Owner
from fedspoke.agent.outputs import Outputs, outputs
from fedspoke.agent.start import start
from fedspoke.api.base import Object
from fedspoke.api.names import OFFERS, VOLUME
from support.disk import Disk
from support.kube import Lists
from support.offered import NO_FOLDERS, volume
from support.offered import outputs as claim
from support.pods import NAMESPACE, pod
from unit.agent.test_start import RUN, asked, asks, changed, owner, running

WHY = "it has no place for its output: "


def writes_to(*claims: Object) -> Owner:
    return replace(owner(volume()), outputs=outputs(claims))


def started(*claims: Object) -> Object:
    kube = Lists(NO_FOLDERS, *asks())
    assert start(kube, NAMESPACE, writes_to(*claims)) == {}
    (job,) = running(kube)
    return job


def output(job: Object) -> tuple[Object, list[Object]]:
    """The volume, and how containers mount it."""
    spec = job["spec"]["template"]["spec"]
    (source,) = [it for it in spec["volumes"] if it["name"] == "output"]
    containers = [*spec["initContainers"], *spec["containers"]]
    return source, [mount for it in containers for mount in it["volumeMounts"] if mount["name"] == "output"]


def refusal(*claims: Object, of: list[Object] | None = None) -> str:
    kube = Lists(NO_FOLDERS, *(of or asks()))
    (why,) = start(kube, NAMESPACE, writes_to(*claims)).values()
    assert running(kube) == []
    return why


def test_where_no_claim_is_labelled_the_output_goes_with_the_pod():
    source, mounts = output(started())
    assert source == {"name": "output", "emptyDir": {}}
    assert not any("subPath" in it for it in mounts)


def test_where_one_is_labelled_each_federation_has_a_folder_of_its_name_in_it():
    job = started(claim("room"))
    source, mounts = output(job)
    assert source == {"name": "output", "persistentVolumeClaim": {"claimName": "room"}}
    assert mounts == [{"name": "output", "mountPath": "/output", "subPath": RUN}] * 2
    assert job["spec"]["podReplacementPolicy"] == "Failed"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ([claim("a"), claim("b")], f"2 volume claims have the label {VOLUME}=output, and one must have it"),
        ([claim("a", "outputs")], f"the label {VOLUME} of a volume claim must be output or model"),
        (
            [claim("a", **{OFFERS: "facebook"})],
            f"a volume claim that is offered by {OFFERS} cannot have the label {VOLUME}=output as well",
        ),
    ],
)
def test_where_nobody_can_say_which_volume_is_meant_it_is_not_started_and_says_why(claims: list[Object], why: str):
    assert refusal(*claims) == WHY + why


def test_a_claim_that_is_being_deleted_is_as_if_it_were_not_there():
    room = claim("room")
    room["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert outputs([room]) == Outputs()


@pytest.mark.parametrize(
    "run", ["..", "../x.y", "team", "team.social/x", ".team.social", "team..social", "Team.social", "a" * 62 + ".b"]
)
def test_a_federation_whose_name_is_no_folders_is_not_started(run: str):
    objects = asks()
    for it in objects:
        it["metadata"]["labels"] = it["metadata"]["labels"] | {"federation-ai.open-cluster-management.io/federated-learning": run}
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    spec["volumes"] = [it for it in spec["volumes"] if it["name"] != "config"]
    assert refusal(claim(), of=objects).startswith((WHY, "its settings are not there"))


@pytest.mark.parametrize(
    "fields",
    [
        {"volumes": [{"name": "output", "persistentVolumeClaim": {"claimName": "room"}}]},
        {"volumes": [{"name": "model", "persistentVolumeClaim": {"claimName": "room"}}]},
        {"volumes": [{"name": "room", "persistentVolumeClaim": {"claimName": "room"}}]},
    ],
)
def test_a_hub_that_names_the_volume_itself_does_not_get_it(fields: Object):
    assert refusal(claim("room"), of=changed(**fields)).startswith("the cluster's owner does not allow it: it")


@pytest.mark.parametrize("mount", [{"subPath": "other.social"}, {"subPathExpr": "$(HOME)"}, {"readOnly": True}])
def test_a_hub_that_names_a_folder_does_not_get_it(mount: dict[str, Any]):
    objects = asks()
    spec = next(it for it in objects if it["kind"] == "Job")["spec"]["template"]["spec"]
    mounts = spec["containers"][0]["volumeMounts"]
    spec["containers"][0]["volumeMounts"] = [it | mount if it["name"] == "output" else it for it in mounts]
    for claims in ([claim()], []):
        assert refusal(*claims, of=objects).endswith("another mount of the volume output in the container flower-client")


@pytest.mark.parametrize(
    "forged", [{"mounts": "other.social"}, {"claim": "holiday"}, {"mounts": None}], ids=["folder", "volume", "no folder"]
)
def test_a_job_that_says_that_the_agent_made_it_writes_nowhere_else(forged: dict[str, Any]):
    kube = Lists(NO_FOLDERS, *asks())
    start(kube, NAMESPACE, writes_to(claim()))
    (job,) = running(kube)
    source, mounts = output(job)
    source["persistentVolumeClaim"]["claimName"] = forged.get("claim", "room")
    for it in mounts if "mounts" in forged else ():
        it["subPath"] = forged["mounts"]
    kube.keep(job)
    start(kube, NAMESPACE, writes_to(claim()))
    assert running(kube) == []


def test_what_runs_goes_on_when_another_claim_is_labelled_and_ends_when_its_own_is_not_any_more():
    kube = Lists(NO_FOLDERS, *asks())
    start(kube, NAMESPACE, writes_to(claim("a")))
    assert start(kube, NAMESPACE, writes_to(claim("a"), claim("b"))) == {}
    why = f"the volume that it writes to has not the label {VOLUME}=output any more"
    assert start(kube, NAMESPACE, writes_to(claim("b"))) == {RUN: why}
    assert start(kube, NAMESPACE, writes_to(claim("b"))) == {}
    assert output(running(kube)[0])[0]["persistentVolumeClaim"] == {"claimName": "b"}


def test_it_is_not_started_beside_a_pod_that_still_writes_to_its_folder():
    kube = Lists(NO_FOLDERS, *asks())
    before = pod({"phase": "Running"}, RUN)
    before["spec"]["volumes"].append({"name": "output", "persistentVolumeClaim": {"claimName": "room"}})
    kube.keep(before)
    assert start(kube, NAMESPACE, writes_to(claim())) == {RUN: "its pod before has not ended yet; it starts after that"}
    assert running(kube) == []
    kube.keep(before | {"status": {"phase": "Succeeded"}})
    assert start(kube, NAMESPACE, writes_to(claim())) == {}


def test_it_is_written_down_whose_folder_is_where_before_anything_is_in_it():
    kube = Disk(NO_FOLDERS, *asks())
    start(kube, NAMESPACE, writes_to(claim()))
    assert [(verb, kind) for verb, kind, _ in kube.writes if kind != "Secret"] == [("merge", "ConfigMap"), ("create", "Job")]
    assert asked(kube)["spec"]["suspend"]


def test_without_the_list_it_is_not_started_where_a_claim_is_labelled():
    kube = Lists(*asks())
    (why,) = start(kube, NAMESPACE, writes_to(claim())).values()
    assert why.endswith("there is no ConfigMap federated-learning-outputs, which comes with the agent")
