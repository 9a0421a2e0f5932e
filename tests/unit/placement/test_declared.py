from typing import Any

from fedspoke.api import parse
from fedspoke.api.federated_learning import FederatedLearning
from fedspoke.placement.declared import dataset_paths, platforms_of
from support import build


def federation(**client: Any) -> FederatedLearning:
    return parse.federated_learning(build.federated_learning(client=client))


def test_a_cluster_trains_on_all_that_is_asked_for_and_declared() -> None:
    cluster = build.cluster(claims=build.declares("instagram"), labels=build.labelled("facebook"))

    assert platforms_of(cluster, federation(data={})) == ("facebook", "instagram")
    assert platforms_of(cluster, federation(data={"platforms": ["instagram"]})) == ("instagram",)


def test_without_sugar_a_cluster_trains_on_all_that_it_declares() -> None:
    assert platforms_of(build.cluster(claims=build.declares("facebook")), federation()) == ("facebook",)


def test_a_label_says_no_with_any_value_but_true() -> None:
    cluster = build.cluster(labels=dict.fromkeys(build.labelled("facebook"), "false"))

    assert platforms_of(cluster, federation(data={})) == ()


def test_a_platform_with_too_few_posts_is_left_out() -> None:
    cluster = build.cluster(claims=build.declares("facebook", posts=3) | build.declares("instagram", posts=30))

    assert platforms_of(cluster, federation(data={"minPosts": 20})) == ("instagram",)


def test_a_claim_holds_the_path_and_a_label_none() -> None:
    cluster = build.cluster(claims=build.declares("instagram", path="/data/ig"), labels=build.labelled("facebook"))

    assert dataset_paths(cluster, federation(data={})) == {"instagram": "/data/ig"}
