"""What a cluster that a federation does not choose hears of it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fedspoke.api import parse
from fedspoke.api.federated_learning import Object
from fedspoke.api.names import DOMAIN, GPUS_CLAIM
from fedspoke.placement.evaluate import evaluate
from fedspoke.placement.objects import placement
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def why(cluster: Object, **client: Any) -> str:
    asked = placement(parse.federated_learning(build.federated_learning(client=client)))
    ((_, reason),) = evaluate(asked, build.fleet(cluster), NOW).rejected
    return reason


def test_a_cluster_without_data_is_told_each_way_of_declaring_it() -> None:
    assert why(build.cluster(), data={"platforms": ["facebook", "instagram"]}) == (
        f"declares no Facebook or Instagram data (no claim facebook.data.{DOMAIN} or instagram.data.{DOMAIN}, "
        f"no label {DOMAIN}/facebook=true or {DOMAIN}/instagram=true)"
    )


def test_a_cluster_that_lacks_data_and_gpu_is_told_both() -> None:
    said = why(build.cluster(), data={"platforms": ["facebook"]}, resources={"limits": {"nvidia.com/gpu": 1}})

    assert said.startswith("declares no Facebook data (")
    assert f" and declares no GPU (no claim {GPUS_CLAIM}, no label gpu=true)" in said


def test_a_cluster_that_has_data_hears_of_its_missing_gpu_alone() -> None:
    said = why(build.cluster(claims=build.declares("facebook")), data={}, resources={"limits": {"nvidia.com/gpu": 1}})

    assert said == f"declares no GPU (no claim {GPUS_CLAIM}, no label gpu=true)"


def test_a_cluster_with_fewer_gpus_hears_how_many_it_has() -> None:
    said = why(build.cluster(claims={GPUS_CLAIM: "1"}), resources={"limits": {"nvidia.com/gpu": 2}})

    assert said == f"declares too few GPUs (claim {GPUS_CLAIM} is 1, no label gpu=true)"


def test_a_cluster_with_fewer_posts_hears_how_many_it_has() -> None:
    said = why(build.cluster(claims=build.declares("facebook", posts=5)), data={"minPosts": 20})

    assert said == f"declares too few posts (claim facebook.posts.{DOMAIN} is 5, not 20 or more)"


@pytest.mark.parametrize("posts", ["many", "-3", "", "²"])
def test_a_count_that_is_no_number_counts_for_nothing(posts: str) -> None:
    claims = build.declares("facebook") | {f"facebook.posts.{DOMAIN}": posts}

    assert "declares too few posts" in why(build.cluster(claims=claims), data={"minPosts": 1})


def test_a_label_that_the_user_asks_for_is_named_with_what_is_there() -> None:
    asked = {"predicates": [{"requiredClusterSelector": build.with_label(region="eu")}]}

    assert why(build.cluster(labels={"region": "us"}), placement=asked) == "label region is us, not eu"
    assert why(build.cluster(), placement=asked) == "no label region=eu"


def test_a_label_that_must_not_be_there_is_not_called_missing() -> None:
    asked = {"predicates": [{"requiredClusterSelector": build.with_label(build.has("gpu", "DoesNotExist"))}]}

    assert why(build.cluster(labels={"gpu": "true"}), placement=asked) == "label gpu is true, but must not be there"
