from pathlib import Path
from typing import Any

import pytest

from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Failure, HeldOut, Prepared, Tensor, Trained
from fedspoke.hub.aggregation.rounds import hopeless, refusal, shortage, standing
from fedspoke.hub.aggregation.slot import Upload
from support import adapters

CLUSTERS = ("cluster1", "cluster2", "cluster3")
LAYOUT = tuple(sorted(adapters.layout(), key=lambda tensor: tensor.name))
DIGEST, OTHER = "a" * 64, "b" * 64


def prepared(cluster: str, layout: tuple[Tensor, ...] = LAYOUT) -> Prepared:
    return Prepared(cluster=cluster, posts={"facebook": 3}, layout=layout)


def failure(cluster: str) -> Failure:
    return Failure(cluster=cluster, step="prepare", message="no post is left")


def trained(**changes: object) -> Trained:
    told = {"cluster": "cluster1", "round": 2, "digest": DIGEST, "examples": 3, "loss": 1.0, "seconds": 1.0}
    return Trained.model_validate(told | changes)


def held(digest: str, examples: int, path: Path) -> Upload:
    return Upload(path=path, digest=digest, examples=examples, size=1)


def test_a_cluster_that_was_not_chosen_is_nobody() -> None:
    now = standing(CLUSTERS, [(1, prepared("cluster1")), (2, prepared("cluster11"))], lora=Lora(rank=2))
    assert now.ready == {"cluster1": 1}


@pytest.mark.parametrize(
    ("first", "last", "ready"),
    [
        pytest.param(prepared("cluster1"), prepared("cluster1"), {"cluster1": 2}, id="a replaced pod takes the old one's place"),
        pytest.param(failure("cluster1"), prepared("cluster1"), {"cluster1": 2}, id="a pod that failed may be replaced"),
        pytest.param(prepared("cluster1"), failure("cluster1"), {}, id="a new pod that fails takes the cluster out"),
    ],
)
def test_the_newest_node_of_a_cluster_counts(first: Prepared | Failure, last: Prepared | Failure, ready: dict[str, int]) -> None:
    assert standing(CLUSTERS, [(1, first), (2, last)], lora=Lora(rank=2)).ready == ready


def test_a_failure_is_told_in_the_clusters_own_words() -> None:
    assert standing(CLUSTERS, [(1, failure("cluster1"))], lora=Lora(rank=2)).failed == {
        "cluster1": "prepare failed: no post is left"
    }


def test_the_order_in_which_a_cluster_names_its_tensors_does_not_matter() -> None:
    answers = [(1, prepared("cluster1")), (2, prepared("cluster2", tuple(reversed(LAYOUT))))]
    assert set(standing(CLUSTERS, answers, lora=Lora(rank=2)).ready) == {"cluster1", "cluster2"}


def test_a_cluster_whose_model_differs_from_the_others_is_named_with_the_first_difference() -> None:
    wider = adapters.layout(inner=16)
    now = standing(
        CLUSTERS, [(1, prepared("cluster1", wider)), (2, prepared("cluster2")), (3, prepared("cluster3"))], lora=Lora(rank=2)
    )
    assert set(now.ready) == {"cluster2", "cluster3"}
    assert now.layout == LAYOUT
    assert "lora_A.weight of shape [2, 16] has the shape [2, 8] there" in now.failed["cluster1"]


def test_the_layout_of_earlier_rounds_stands_against_a_majority() -> None:
    wider = adapters.layout(inner=16)
    now = standing(
        CLUSTERS, [(1, prepared("cluster1", wider)), (2, prepared("cluster2", wider))], lora=Lora(rank=2), agreed=LAYOUT
    )
    assert not now.ready


def test_a_cluster_whose_adapter_has_fewer_layers_is_told_how_many_tensors_it_lacks() -> None:
    now = standing(CLUSTERS, [(1, prepared("cluster1", adapters.layout(layers=1)))], lora=Lora(rank=2), agreed=LAYOUT)
    assert "it lacks 2 of 4 tensors" in now.failed["cluster1"]


def test_a_cluster_may_have_the_same_layers_at_the_lower_rank_that_it_was_given() -> None:
    lora = Lora(rank=2, ranks={"cluster2": 1})
    answers = [(1, prepared("cluster1")), (2, prepared("cluster2", adapters.layout(rank=1))), (3, prepared("cluster3"))]
    now = standing(CLUSTERS, answers, lora)
    assert set(now.ready) == set(CLUSTERS)
    assert now.layout == LAYOUT


def test_a_lower_rank_that_a_cluster_was_not_given_keeps_it_out() -> None:
    lora = Lora(rank=2, ranks={"cluster2": 1})
    now = standing(CLUSTERS, [(1, prepared("cluster1", adapters.layout(rank=1))), (2, prepared("cluster2"))], lora)
    assert not now.ready
    assert "which rank 2 does not give" in now.failed["cluster1"]
    assert "which rank 1 does not give" in now.failed["cluster2"]


def test_a_layout_of_another_rank_is_no_candidate() -> None:
    now = standing(CLUSTERS, [(1, prepared("cluster1", adapters.layout(rank=4)))], lora=Lora(rank=2))
    assert "rank 2" in now.failed["cluster1"]
    assert now.layout == ()


@pytest.mark.parametrize(
    ("failed", "answer"), [((), False), (("cluster1", "gone1", "gone2"), False), (("cluster1", "cluster2"), True)]
)
def test_two_of_three_are_out_of_reach_once_two_have_failed(failed: tuple[str, ...], answer: Any) -> None:
    assert hopeless(CLUSTERS, failed, need=2) is answer


def test_an_update_counts_when_the_certificate_brought_what_the_message_says(tmp_path: Path) -> None:
    assert refusal(2, 3, trained(), held(DIGEST, 3, tmp_path)) is None


@pytest.mark.parametrize(
    ("answer", "upload", "reason"),
    [
        pytest.param(trained(), None, "none came under its certificate", id="no upload"),
        pytest.param(trained(examples=4), DIGEST, "trained on 4 posts, but its upload says 3", id="another weight"),
        pytest.param(trained(), OTHER, "but bbbbbbbbbbbb… came under its certificate", id="another file"),
        pytest.param(trained(round=1), DIGEST, "it answered for round 1 in round 2", id="an old answer"),
        pytest.param(
            trained(held_out=HeldOut(posts=6, before=1, after=1)),
            DIGEST,
            "held out 6 posts, but when it was ready it had 5",
            id="more posts held out than it has",
        ),
        pytest.param(prepared("cluster1"), DIGEST, "it answered an order to train with Prepared", id="another answer"),
    ],
)
def test_an_update_that_does_not_count_is_refused(answer: Any, upload: str | None, reason: str, tmp_path: Path) -> None:
    came = held(upload, 3, tmp_path) if upload else None
    assert reason in (refusal(2, 5, answer, came) or "")


def test_a_weight_beyond_the_posts_that_a_cluster_has_is_refused(tmp_path: Path) -> None:
    said = refusal(2, 5, trained(examples=6), held(DIGEST, 6, tmp_path))
    assert said == "it says that it trained on 6 posts, but when it was ready it had 5"


def test_a_shortage_names_who_is_missing_and_why() -> None:
    said = shortage("round 2", 2, ("cluster1", "cluster2"), {"cluster2": "train failed: out of memory"})
    assert said == "round 2 needs 2 of cluster1, cluster2, and cannot have them: cluster2: train failed: out of memory"


def test_a_quorum_larger_than_the_choice_is_said_as_such() -> None:
    assert shortage("the federation", 2, ("cluster1",), {}).endswith(
        "needs 2 of cluster1, and cannot have them: there are only 1"
    )


def test_a_failure_that_may_pass_is_none_for_good() -> None:
    now = standing(CLUSTERS, [(1, failure("cluster1").model_copy(update={"passing": True}))], lora=Lora(rank=2))
    assert (now.failed, now.again) == ({}, {"cluster1": "prepare failed: no post is left"})
