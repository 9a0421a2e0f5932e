"""The agent's look at what is offered, on a spoke that keeps lists: its Jobs end when a test says so."""

import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from fedspoke.agent.datasets import best
from fedspoke.agent.survey import Survey, survey
from fedspoke.api.base import Object
from fedspoke.api.names import OFFERS
from fedspoke.kube.client import Kind
from fedspoke.manifestworks.collaborator import DATASETS
from support.kube import Lists
from support.offered import NOTHING_KNOWN, folder, offer_of, pod, said, volume
from support.pods import NAMESPACE, event

NOW = datetime(2026, 11, 21, 0, tzinfo=UTC)
JOB, POD, CONFIG_MAP = Kind("batch/v1", "Job"), Kind("v1", "Pod"), Kind("v1", "ConfigMap")
IMAGE = "fedspoke-agent:0.1.0"


class OneSpoke:
    """A spoke whose time goes on as a test wants it."""

    def __init__(self, *objects: Object) -> None:
        self.kube = Lists(NOTHING_KNOWN, *objects)
        self.now = NOW

    def look(self, *, after: timedelta = timedelta(seconds=5)) -> Survey:
        self.now += after
        return survey(self.kube, NAMESPACE, IMAGE, self.now)

    def jobs(self) -> list[Object]:
        return self.kube.all(JOB, NAMESPACE)

    def end(self, message: str, code: int = 0) -> None:
        """All inspections that are under way end alike, and are seen to have."""
        ended = [pod(job, message, code) for job in self.jobs()]
        for each in ended:
            self.kube.keep(each)
        self.look()
        for each in ended:
            self.kube.delete(each)

    def told(self) -> dict[str, Object]:
        """What the owner can read."""
        return {key: json.loads(it) for key, it in (self.kube.get(CONFIG_MAP, DATASETS, NAMESPACE) or {}).get("data", {}).items()}


def posts(seen: Survey) -> dict[str, int]:
    return {platform: counts.posts for platform, (_, counts) in best(seen.offers, seen.datasets).items()}


def test_what_is_offered_is_inspected_once_and_then_known():
    spoke = OneSpoke(volume())
    assert posts(spoke.look()) == {}
    (job,) = spoke.jobs()
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    spoke.end(said(posts=12))
    assert posts(spoke.look()) == {"facebook": 12}
    assert spoke.jobs() == []
    assert spoke.told() == {
        "volume.holiday": {
            "version": offer_of(job)[1],
            "at": "2026-11-21T00:00:10Z",
            "counts": {"platform": "facebook", "posts": 12, "images": 3, "from": "2024-01-02", "to": "2025-11-21"},
            "problem": "",
        }
    }


def test_nothing_is_written_while_nothing_changes():
    spoke = OneSpoke(volume(), volume("other", "mastodon"))
    spoke.look()
    spoke.end(said())
    spoke.kube.writes.clear()
    for _ in range(20):
        spoke.look()
    assert spoke.kube.writes == []


def test_an_agent_that_is_started_anew_knows_what_it_knew():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said(posts=12))
    again = survey(spoke.kube, NAMESPACE, IMAGE, spoke.now)
    assert posts(again) == {"facebook": 12}
    assert spoke.jobs() == []


def test_files_that_changed_are_inspected_again_and_count_as_they_were_until_then():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said(posts=12))
    spoke.kube.keep(volume(uploaded="2026-11-21T00:01:00Z"))
    assert posts(spoke.look()) == {"facebook": 12}
    spoke.end(said(posts=34))
    assert posts(spoke.look()) == {"facebook": 34}


def test_files_of_which_nobody_says_anything_are_looked_at_every_six_hours():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said())
    spoke.look(after=timedelta(hours=5))
    assert spoke.jobs() == []
    spoke.look(after=timedelta(hours=1))
    assert len(spoke.jobs()) == 1


@pytest.mark.parametrize("change", ["label", "deleted"])
def test_what_is_offered_no_more_is_forgotten_at_once(change: str):
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said())
    it = (
        volume(platform=None) if change == "label" else volume() | {"metadata": volume()["metadata"] | {"deletionTimestamp": "x"}}
    )
    spoke.kube.keep(it)
    assert posts(spoke.look()) == {}
    assert spoke.told() == {}


def test_an_inspection_of_what_is_offered_no_more_is_ended():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.kube.keep(volume(platform=None))
    spoke.look()
    assert spoke.jobs() == []


def test_what_cannot_be_read_is_said_and_tried_again_later():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end("fedspoke: /data holds no Facebook export\n", 2)
    assert posts(spoke.look()) == {}
    assert spoke.told()["volume.holiday"]["problem"] == "/data holds no Facebook export"
    spoke.look(after=timedelta(minutes=9))
    assert spoke.jobs() == []
    spoke.look(after=timedelta(minutes=1))
    assert len(spoke.jobs()) == 1


def test_a_dataset_of_another_platform_than_its_label_says_is_not_declared():
    spoke = OneSpoke(volume(platform="instagram"))
    spoke.look()
    spoke.end(said(platform="facebook"))
    assert posts(spoke.look()) == {}
    assert spoke.told()["volume.holiday"]["problem"] == "it holds an export of facebook, and is offered as instagram's"


def test_a_wrong_label_is_said_where_the_owner_looks():
    spoke = OneSpoke(volume(platform="mastodon"), folder("/etc", "node"))
    spoke.look()
    assert {key: it["problem"] for key, it in spoke.told().items()} == {
        "volume.holiday": f"its label {OFFERS} must be one of facebook, instagram",
        "folder.node": "its key path names a folder of the node's system; use one like /data/facebook or "
        "/var/lib/federated-learning/facebook",
    }
    assert spoke.jobs() == []


def test_a_volume_that_nobody_can_mount_gives_its_place_away_and_keeps_what_was_known():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said(posts=12))
    spoke.look(after=timedelta(hours=6))
    (job,) = spoke.jobs()
    job["metadata"]["creationTimestamp"] = f"{spoke.now:%Y-%m-%dT%H:%M:%SZ}"
    spoke.kube.objects[(*JOB, NAMESPACE, job["metadata"]["name"])] = job
    waiting = pod(job, code=None) | {"status": {"phase": "Pending", "containerStatuses": [_waiting()]}}
    spoke.kube.keep(waiting)
    spoke.kube.keep(event(waiting, 'MountVolume.SetUp failed for volume "data" : it is on another node'))
    assert posts(spoke.look(after=timedelta(seconds=125))) == {"facebook": 12}
    assert spoke.jobs() == []
    assert spoke.told()["volume.holiday"]["problem"] == "the volume data cannot be mounted: it is on another node"


def test_of_a_hundred_offers_no_more_than_two_are_inspected_at_once_and_all_in_the_end():
    spoke = OneSpoke(*(volume(f"v{each}") for each in range(100)))
    most, turns = 0, 0
    while len(spoke.told()) < 100:
        spoke.look()
        most, turns = max(most, len(spoke.jobs())), turns + 1
        assert turns <= 100
        spoke.end(said(posts=12))
    assert most == 2


def test_those_that_have_a_volume_come_before_those_that_wait_for_one():
    spoke = OneSpoke(volume("a", bound=False), volume("b", bound=False), volume("z"))
    spoke.look()
    assert next(offer_of(it)[0] for it in spoke.jobs()) == "volume.z"


def test_of_several_datasets_of_a_platform_the_largest_is_declared():
    spoke = OneSpoke(volume("a"), volume("b"))
    spoke.look()
    for job, count in zip(spoke.jobs(), (12, 34), strict=True):
        spoke.kube.keep(pod(job, said(posts=count)))
    assert posts(spoke.look()) == {"facebook": 34}


def test_one_without_a_post_is_not_declared():
    spoke = OneSpoke(volume())
    spoke.look()
    spoke.end(said(posts=0))
    assert posts(spoke.look()) == {}


def test_what_somebody_else_wrote_into_the_owners_list_is_not_believed():
    spoke = OneSpoke(volume())
    there = spoke.kube.get(CONFIG_MAP, DATASETS, NAMESPACE) or {}
    spoke.kube.merge(there, {"data": {"volume.holiday": '{"posts": 9}', "volume.ghost": said()}})
    assert posts(spoke.look()) == {}
    assert len(spoke.jobs()) == 1


def test_a_job_that_only_looks_like_an_inspection_is_ended():
    spoke = OneSpoke(volume())
    spoke.look()
    (job,) = spoke.jobs()
    spoke.kube.keep(job | {"metadata": {"name": "false", "namespace": NAMESPACE, "labels": job["metadata"]["labels"]}})
    spoke.look()
    assert [it["metadata"]["name"] for it in spoke.jobs()] == [job["metadata"]["name"]]


def test_the_agents_memory_does_not_grow_with_its_looks_at_a_hundred_offers():
    spoke = OneSpoke(*(volume(f"v{each}") for each in range(100)))
    while len(spoke.told()) < 100:
        spoke.look()
        spoke.end(said())
    tracemalloc.start()
    spoke.look()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(50):
        spoke.look()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 100_000


def _waiting() -> Object:
    return {"name": "inspect", "state": {"waiting": {"reason": "ContainerCreating"}}}


def test_an_inspection_that_may_not_be_made_holds_up_nothing_else():
    spoke = OneSpoke(volume())
    spoke.kube.refuses.add("Job")
    assert [it.key for it in spoke.look().offers] == ["volume.holiday"]
