"""What a cluster says of itself."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.agent.datasets import Counts
from fedspoke.agent.declared import claims, difference, placement_score, placement_status, score
from fedspoke.agent.gpus import Gpus
from fedspoke.agent.offers import offers
from fedspoke.api.names import CLAIMS, OURS
from support.offered import volume

NONE = Gpus(allocatable={}, free={})
OWNER = {"uid": "uid-role"}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def data(**posts: int):
    found = {}
    for platform, count in posts.items():
        (offer,), _ = offers([volume("anna-s-holiday", platform)])
        found[platform] = (offer, Counts(platform=platform, posts=count, images=0))
    return found


def some(allocatable: int = 8, free: int = 8, *models: str) -> Gpus:
    return Gpus(allocatable={"nvidia.com/gpu": allocatable}, free={"nvidia.com/gpu": free}, models=models)


def claimed(name: str, value: str, *, ours: bool = True):
    return {"kind": "ClusterClaim", "metadata": {"name": name, "labels": OURS if ours else {}}, "spec": {"value": value}}


def test_a_cluster_claims_its_data_its_counts_and_its_gpus():
    assert claims(data(facebook=120, instagram=30), some(8, 3, "NVIDIA-H200")) == {
        "facebook.data.federation-ai.open-cluster-management.io": "/data/facebook",
        "facebook.posts.federation-ai.open-cluster-management.io": "120",
        "instagram.data.federation-ai.open-cluster-management.io": "/data/instagram",
        "instagram.posts.federation-ai.open-cluster-management.io": "30",
        "gpus.federation-ai.open-cluster-management.io": "8",
        "gpu-model.federation-ai.open-cluster-management.io": "NVIDIA-H200",
    }


def test_what_it_has_not_it_does_not_claim():
    assert claims({}, NONE) == {}


def test_a_name_that_its_owner_gave_is_in_no_claim():
    assert "anna" not in str(claims(data(facebook=1), NONE))


@given(st.lists(st.text() | st.from_regex(r"[A-Za-z0-9._-]{1,63}", fullmatch=True)))
def test_a_model_is_a_labels_value_and_a_claim_is_no_longer_than_ocm_lets_it_be(models: list[str]):
    value = claims({}, some(1, 1, *models)).get("gpu-model.federation-ai.open-cluster-management.io", "x")
    assert 1 <= len(value) <= 1024
    assert all(each in {*models, "x"} and each.isascii() and "\n" not in each for each in value.split(","))


def test_only_what_differs_is_written_and_what_is_offered_no_more_goes():
    names = list(CLAIMS)
    wanted = {names[0]: "/data/facebook", names[1]: "13"}
    there = [claimed(names[0], "/data/facebook"), claimed(names[1], "12"), claimed(names[2], "/data/instagram")]
    change = difference(wanted, there, OWNER)
    assert [(it["metadata"]["name"], it["spec"]["value"]) for it in change.apply] == [(names[1], "13")]
    assert [it["metadata"]["name"] for it in change.delete] == [names[2]]
    assert change.apply[0]["metadata"]["ownerReferences"] == [OWNER]


def test_a_claim_that_somebody_else_wrote_stays_as_it_is():
    theirs = [claimed(CLAIMS[0], "/mnt/mine", ours=False), claimed("id.k8s.io", "x", ours=False)]
    change = difference({CLAIMS[0]: "/data/facebook"}, theirs, OWNER)
    assert (change.apply, change.delete) == ([], [])
    assert difference({}, theirs, OWNER).delete == []


@pytest.mark.parametrize(
    ("free", "posts", "scores"),
    [
        (0, 0, {"gpusFree": -100, "facebookPosts": -100, "instagramPosts": -100}),
        (1, 9, {"gpusFree": -90, "facebookPosts": -60, "instagramPosts": -100}),
        (20, 10**5, {"gpusFree": 100, "facebookPosts": 100, "instagramPosts": -100}),
        (99, 10**7, {"gpusFree": 100, "facebookPosts": 100, "instagramPosts": -100}),
    ],
)
def test_scores_are_of_free_gpus_and_of_posts(free: int, posts: int, scores: dict[str, int]):
    assert score(data(facebook=posts), some(100, free)) == scores


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_more_is_never_less_and_never_out_of_bounds(one: int, two: int):
    few, many = sorted((one, two))
    less, more = (score(data(facebook=each), some(each, each)) for each in (few, many))
    assert all(-100 <= less[name] <= more[name] <= 100 for name in less)


def test_a_score_counts_for_three_minutes():
    assert placement_status({"gpusFree": -90}, NOW) == {
        "scores": [{"name": "gpusFree", "value": -90}],
        "validUntil": "2026-11-21T12:03:00Z",
    }
    assert placement_score("berlin")["metadata"] == {"name": "federated-learning", "namespace": "berlin"}
