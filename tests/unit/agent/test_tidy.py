"""What federations leave in a volume for outputs: when it stays, when it goes, and how."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fedspoke.agent.asked import Owner
from fedspoke.agent.chores import LONGEST
from fedspoke.agent.outputs import outputs
from fedspoke.agent.start import start
from fedspoke.agent.tidy import tidy
from fedspoke.agent.wiping import wipe_of
from fedspoke.api.base import Object
from fedspoke.api.names import FEDERATED_LEARNING
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import OUTPUTS
from support.disk import ALL, JOB, LEDGERS, Disk, Killed
from support.offered import NO_FOLDERS, volume
from support.offered import outputs as claim
from support.pods import NAMESPACE
from unit.agent.test_start import RUN, asks, owner, running

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GONE: dict[str, str] = {}
LOST = {RUN: "the hub has not answered"}
ROOM = (RUN, "room")


def allows(*claims: Object, **policy: str) -> Owner:
    return replace(owner(volume(), **policy), outputs=outputs(claims or (claim(),)))


def spoke(*objects: Object) -> Disk:
    return Disk(NO_FOLDERS, volume(), claim(), *(objects or asks()))


def look(kube: Disk, of: Owner, lost: dict[str, str] = GONE, after: timedelta = timedelta(0)) -> dict[str, str]:
    """One look of the agent."""
    said = start(kube, NAMESPACE, of, lost)
    tidy(kube, NAMESPACE, "fedspoke-agent:0.1.0", of, NOW + after)
    return said


def looks(kube: Disk, of: Owner, lost: dict[str, str] = GONE) -> None:
    for _ in range(6):
        look(kube, of, lost)
        kube.run()


def removed(kube: Disk, run: str = RUN) -> None:
    """The ManifestWork, and what it brought."""
    for key, it in [*kube.objects.items()]:
        if (it["metadata"].get("labels") or {}).get(FEDERATED_LEARNING) == run and not it["metadata"].get("ownerReferences"):
            del kube.objects[key]
    kube.run()


def known(kube: Disk) -> dict[str, object]:
    data = (kube.get(Kind("v1", "ConfigMap"), OUTPUTS, NAMESPACE) or {}).get("data") or {}
    return {run: json.loads(text) for run, text in data.items()}


def test_a_collaborator_whose_hub_is_gone_leaves_all_of_it_for_the_one_that_comes_after():
    kube = spoke()
    looks(kube, allows())
    looks(kube, allows(), LOST)
    assert running(kube) == []
    assert kube.folders == {ROOM: ALL}
    looks(kube, allows())
    assert len(running(kube)) == 1
    assert known(kube) == {RUN: {"room": {}}}


@pytest.mark.parametrize("lost", [GONE, LOST], ids=["it runs", "its hub is gone"])
def test_a_federation_that_is_over_leaves_nothing(lost: dict[str, str]):
    kube = spoke()
    looks(kube, allows())
    looks(kube, allows(), lost)
    removed(kube)
    looks(kube, allows())
    assert kube.folders == {ROOM: set()}
    assert known(kube) == {}
    assert kube.wiping() == []


def test_a_job_that_gives_way_to_another_of_its_federation_is_not_its_end():
    kube = spoke()
    looks(kube, allows())
    for it in kube.all(JOB):
        kube.delete(it)
    looks(kube, allows())
    assert kube.folders == {ROOM: ALL}


@pytest.mark.parametrize("lost", [GONE, LOST], ids=["its hub is there", "its hub is gone"])
def test_of_one_that_the_owner_does_not_allow_any_more_its_ledgers_stay_until_its_end(lost: dict[str, str]):
    kube = spoke()
    looks(kube, allows())
    looks(kube, allows(federations="none/*"), lost)
    assert kube.folders == {ROOM: LEDGERS}
    assert known(kube) == {RUN: {"room": {"onlyLedgers": True}}}
    assert kube.wiping() == []
    removed(kube)
    looks(kube, allows(federations="none/*"))
    assert kube.folders == {ROOM: set()}


def test_one_that_is_allowed_again_starts_with_its_ledgers_and_is_wiped_again_when_it_is_not():
    kube = spoke()
    for forbidden in ("none/*", "*/*", "none/*"):
        looks(kube, allows(federations=forbidden))
    assert kube.folders == {ROOM: LEDGERS}


def test_a_policy_that_cannot_be_understood_wipes_nothing():
    kube = spoke()
    looks(kube, allows())
    looks(kube, Owner(policy=None, problem="it has the key 'x'", outputs=outputs([claim()])))
    assert running(kube) == []
    assert kube.folders == {ROOM: ALL}


def test_two_claims_that_are_labelled_stop_no_wiping():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    looks(kube, allows(claim(), claim("b")))
    assert kube.folders == {ROOM: set()}


def test_nothing_is_removed_from_a_volume_that_has_not_the_label_any_more():
    kube = spoke()
    kube.keep(claim("hall"))
    looks(kube, allows())
    looks(kube, allows(claim("hall")))
    removed(kube)
    looks(kube, allows(claim("hall")))
    assert kube.folders == {ROOM: ALL, (RUN, "hall"): set()}
    looks(kube, allows(claim("hall"), claim()))
    assert kube.folders == {ROOM: set(), (RUN, "hall"): set()}
    assert known(kube) == {}


@pytest.mark.parametrize(
    ("run", "of"), [("team.gone", "holiday"), ("photos", "room"), ("..", "room"), ("", "room"), ("a/b.c", "room")]
)
def test_a_hub_that_writes_to_the_list_has_nothing_removed_but_what_is_a_federations(run: str, of: str):
    kube = spoke()
    kube.merge(NO_FOLDERS, {"data": {run: json.dumps({of: {}})}})
    looks(kube, allows())
    assert ("create", "Job") not in [(verb, kind) for verb, kind, name in kube.writes if "wipe" in name]


def test_a_folder_whose_claim_is_gone_is_forgotten():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    kube.delete(claim())
    looks(kube, owner(volume()))
    assert known(kube) == {}


def test_one_that_comes_back_while_its_folder_is_wiped_waits_for_it():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    look(kube, allows())
    for it in asks():
        kube.keep(it)
    assert look(kube, allows()) == {RUN: "what it had left in its output is being wiped; it starts after that"}
    looks(kube, allows())
    assert kube.folders == {ROOM: ALL}
    assert known(kube) == {RUN: {"room": {}}}


def test_one_folder_of_a_volume_at_a_time_is_wiped():
    kube = spoke(*asks(name="one"), *asks(name="two"), *asks(name="three"))
    looks(kube, allows())
    for name in ("one", "two", "three"):
        removed(kube, f"team.{name}")
    most = 0
    for _ in range(12):
        look(kube, allows())
        most = max(most, len([it for it in kube.wiping() if not it.get("status")]))
        kube.run()
    assert most == 1
    assert set(map(frozenset, kube.folders.values())) == {frozenset()}


def test_a_volume_that_another_node_holds_keeps_no_other_ones_folders_waiting():
    left = [("team.a", "held"), ("team.b", "held"), ("team.c", "room"), ("team.d", "room"), ("team.e", "hall")]
    kube = Disk(NO_FOLDERS, claim(), claim("held"), claim("hall"))
    kube.merge(NO_FOLDERS, {"data": {run: json.dumps({of: {}}) for run, of in left}})
    kube.folders, kube.held = dict.fromkeys(left, ALL), "held"
    most = 0
    for _ in range(8):
        look(kube, allows(claim(), claim("held"), claim("hall")))
        most = max(most, len([it for it in kube.wiping() if not it.get("status")]))
        kube.run()
    assert {place for place, there in kube.folders.items() if there} == {("team.a", "held"), ("team.b", "held")}
    assert most == 2
    assert [wipe_of(it).place for it in kube.wiping()] == [("team.a", "held")]


def test_what_cannot_be_wiped_is_tried_again_after_a_minute_and_the_owner_can_read_why():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    look(kube, allows())
    kube.run("not all of the output can be removed")
    look(kube, allows(), after=timedelta(seconds=50))
    assert known(kube) == {RUN: {"room": {"problem": "not all of the output can be removed"}}}
    assert len(kube.wiping()) == 1
    look(kube, allows(), after=timedelta(seconds=70))
    assert kube.wiping() == []
    looks(kube, allows())
    assert kube.folders == {ROOM: set()}
    assert known(kube) == {}


def test_one_that_cannot_be_wiped_holds_up_no_other():
    kube = spoke(*asks(name="one"), *asks(name="two"))
    looks(kube, allows())
    removed(kube, "team.one")
    look(kube, allows())
    kube.run("not all of the output can be removed")
    removed(kube, "team.two")
    looks(kube, allows())
    assert kube.folders == {("team.one", "room"): ALL, ("team.two", "room"): set()}


def test_a_federation_that_comes_back_where_wiping_failed_starts_all_the_same():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    look(kube, allows())
    kube.run("not all of the output can be removed")
    for it in asks():
        kube.keep(it)
    looks(kube, allows())
    assert len(running(kube)) == 1


@pytest.mark.parametrize("call", range(0, 300, 5))
def test_whenever_the_agent_is_killed_the_next_one_comes_to_the_same(call: int):
    kube = spoke(*asks(name="one"), *asks(name="two"))
    scenes = [(allows(), ""), (allows(federations="team/two"), ""), (allows(federations="team/two"), "team.two"), (allows(), "")]
    kube.dies = call
    for of, ends in scenes:
        if ends:
            removed(kube, ends)
        for _ in range(7):
            with suppress(Killed):
                look(kube, of)
            kube.run()
    assert kube.folders == {("team.one", "room"): ALL, ("team.two", "room"): set()}
    assert known(kube) == {"team.one": {"room": {}}}
    assert kube.wiping() == []


def test_what_wipes_sees_this_folder_and_nothing_else():
    kube = spoke()
    looks(kube, allows())
    removed(kube)
    look(kube, allows())
    (job,) = kube.wiping()
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["volumeMounts"] == [{"name": "output", "mountPath": "/output", "subPath": RUN}]
    assert spec["volumes"] == [{"name": "output", "persistentVolumeClaim": {"claimName": "room"}}]
    assert job["spec"]["activeDeadlineSeconds"] == LONGEST
    assert wipe_of(job).place == ROOM
    assert FEDERATED_LEARNING not in job["metadata"]["labels"] | job["spec"]["template"]["metadata"]["labels"]
