"""A round loses clusters: who is asked again, who takes over, who is waited for, and what is too late."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from fedspoke.api.records import Failure, PrepareOrder, Progress, TrainOrder
from fedspoke.hub.aggregation.asking import SILENT
from fedspoke.hub.aggregation.members import Answer, Order
from support import adapters
from support.federation import START, Cluster, Site, settings, upload


def test_a_trainer_that_fails_in_round_2_ends_the_run_at_once_and_is_named(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1", silent={2})
    site.join("cluster2", fails={2: "the trainer (mcp-server) of cluster2 does not answer: connection refused"})
    assert site.failure() == (
        "round 2 needs 2 of cluster1, cluster2, and cannot have them: "
        "cluster2: train failed: the trainer (mcp-server) of cluster2 does not answer: connection refused"
    )
    assert site.clock.now() == START


def test_a_round_goes_on_without_a_cluster_that_the_quorum_does_not_need(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, min_responses=1, rounds=1))
    site.join("cluster1", value=3)
    site.join("cluster2", fails={1: "out of memory"})
    site.run()
    (record,) = site.state.records()
    assert (set(record.clusters), record.refused) == ({"cluster1"}, {"cluster2": "train failed: out of memory"})
    assert site.account.progress.clusters["cluster2"].reason == "train failed: out of memory"


def test_a_round_ends_at_its_timeout_with_those_who_answered(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1")
    site.join("cluster2", silent={1})
    site.run()
    assert site.state.records()[0].refused == {"cluster2": "no answer by 12:01:00 UTC, the end of spec.server.roundTimeout"}


def test_a_node_that_goes_away_is_not_waited_for(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1")
    gone = site.join("cluster2", silent={1})
    site.clock.later.append((START + timedelta(seconds=1), lambda: site.nodes.connected.pop(gone)))
    site.run()
    assert site.state.records()[0].refused == {"cluster2": "its Flower node is not connected any more"}
    assert site.clock.now() < START + timedelta(seconds=5)


def test_a_cluster_that_fails_in_passing_is_asked_again_in_the_same_round_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    site.join("cluster2", stumbles={1: 2})
    site.clock.later.append(
        (START + timedelta(seconds=1), lambda: said.append(site.account.progress.clusters["cluster2"].reason))
    )
    site.run()
    assert said == ["train failed: mcp-server was started anew; asked again at 12:00:05 UTC, try 2 of 3"]
    assert set(site.state.records()[0].clusters) == {"cluster1", "cluster2"}
    assert site.account.progress.clusters["cluster2"].reason == ""
    assert site.clock.now() < START + timedelta(minutes=1)


def test_a_cluster_that_stumbles_more_often_than_a_round_allows_is_out_of_it_where_the_quorum_holds(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1))
    site.join("cluster1")
    site.join("cluster2", stumbles={1: 3})
    site.run()
    assert [sorted(record.clusters) for record in site.state.records()] == [["cluster1"], ["cluster1", "cluster2"]]


def test_a_round_that_lost_its_quorum_in_passing_is_tried_again_and_asks_only_those_that_it_lacks(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    one, two = site.join("cluster1"), site.join("cluster2", stumbles={1: 5})
    site.run()
    trained = [node for node, order in site.nodes.asked if isinstance(order, TrainOrder)]
    assert (trained.count(one), trained.count(two)) == (1, 6)
    assert site.state.records()[0].refused == {}


def test_a_round_that_is_tried_three_times_in_vain_fails_with_all_reasons(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    site.join("cluster2", silent={1})
    assert site.failure() == (
        "round 1 needs 2 of cluster1, cluster2, and cannot have them: cluster2: no answer by 12:03:00 UTC, "
        "the end of spec.server.roundTimeout; it was tried 3 times"
    )


def test_the_deadline_in_the_middle_of_a_round_is_named_as_what_ended_it(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1, deadline=START + timedelta(seconds=30)))
    site.join("cluster1")
    site.join("cluster2", silent={1})
    assert site.failure().endswith("cluster2: no answer by 12:00:30 UTC, which is spec.deadline")


def test_a_pod_that_is_replaced_in_a_round_takes_its_order_over_before_flower_misses_the_old_one(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    site.join("cluster2", silent={1})
    site.clock.later.append((START + timedelta(seconds=10), lambda: site.join("cluster2", value=3)))
    site.run()
    assert site.clock.now() < START + timedelta(seconds=12)
    assert set(site.state.records()[0].clusters) == {"cluster1", "cluster2"}
    orders = {order for _, order in site.nodes.asked if isinstance(order, TrainOrder)}
    assert len(orders) == 1, "its time is not prolonged"


def test_what_the_old_pod_had_left_does_not_stand_against_the_new_ones_adapter(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1, rounds=1))
    old = Cluster("cluster1", site.exchange, value=7)

    def mute(order: Order) -> Answer | None:
        answer = old(order)
        return answer if isinstance(order, PrepareOrder) else None

    site.nodes.connected[1] = mute
    site.clock.later.append((START + timedelta(seconds=1), lambda: site.join("cluster1", value=3)))
    site.run()
    final = adapters.load(tmp_path / "global" / "adapter_model.safetensors")
    assert all(np.all(values == 3) for values in final.values())


def test_a_cluster_whose_only_node_went_away_is_waited_for_and_takes_part_when_it_is_back(tmp_path: Path) -> None:
    said: list[Progress] = []
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    gone = site.join("cluster2", silent={1})
    site.clock.later.append((START + timedelta(seconds=1), lambda: site.nodes.connected.pop(gone)))
    for moment in (0.5, 90):
        site.clock.later.append((START + timedelta(seconds=moment), lambda: said.append(site.account.progress)))
    site.clock.later.append(
        (START + timedelta(seconds=91), lambda: site.nodes.connected.update({9: Cluster("cluster2", site.exchange)}))
    )
    site.run()
    assert [it.phase for it in said] == ["Running", "Waiting"]
    assert said[1].message.startswith(
        "waiting for 1 more of the 2 clusters that are needed to be ready: cluster2; since 12:00:01"
    )
    (record,) = site.state.records()
    assert (set(record.clusters), record.refused) == ({"cluster1", "cluster2"}, {})


def test_a_cluster_that_leaves_between_rounds_is_not_asked_and_said_to_be_gone(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1))
    site.join("cluster1")
    honest = Cluster("cluster2", site.exchange)

    def last(order: Order) -> Answer | None:
        if isinstance(order, TrainOrder):
            del site.nodes.connected[2]
        return honest(order)

    site.nodes.connected[2] = last
    site.run()
    assert [sorted(record.clusters) for record in site.state.records()] == [["cluster1", "cluster2"], ["cluster1"]]
    progress = site.account.progress
    assert (progress.clusters["cluster2"].phase, progress.phase) == ("Failed", "Completed")
    assert progress.message.endswith("; cluster2 took part in 1 of 2 rounds (its Flower node is not connected any more)")


def test_a_failure_for_good_takes_a_cluster_out_of_its_round_and_not_out_of_the_next(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1))
    site.join("cluster1")
    site.join("cluster2", fails={1: "the loss is NaN"})
    site.run()
    first, second = site.state.records()
    assert first.refused == {"cluster2": "train failed: the loss is NaN"}
    assert set(second.clusters) == {"cluster1", "cluster2"}
    assert site.clock.now() == START, "nobody waited for it"
    assert site.account.progress.message == (
        "2 rounds are done, the model is saved; cluster2 took part in 1 of 2 rounds (train failed: the loss is NaN)"
    )


def test_late_and_repeated_answers_and_uploads_are_dropped_and_counted(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1))
    site.join("cluster1")
    slow = Cluster("cluster2", site.exchange)
    content = adapters.save(adapters.filled(adapters.layout(), 1), tmp_path / "late").read_bytes()

    def dawdling(order: Order) -> Answer | None:
        if not isinstance(order, TrainOrder):
            return slow(order)
        answer = slow(order)
        assert answer is not None
        if order.round == 2:
            assert upload(site.exchange, "cluster2", 1, content, 1) == 410
            assert upload(site.exchange, "cluster2", 2, slow.left, 1) == 200
            site.nodes.send(2, first[0], answer)
            site.nodes.send(2, order, answer)
            return answer
        first.append(order)
        return None

    first: list[TrainOrder] = []
    site.nodes.connected[2] = dawdling
    site.run()
    before, after = site.state.records()
    assert (before.late, before.repeated) == (0, 0)
    assert (after.late, after.repeated) == (2, 2)
    assert after.clusters["cluster2"].examples == 1


def test_a_cluster_that_stays_silent_costs_one_round_its_time_and_the_next_ones_nothing(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=4))
    site.join("cluster1")
    site.join("cluster2", silent={1, 2, 3, 4})
    site.run()
    assert START + timedelta(minutes=1) <= site.clock.now() < START + timedelta(minutes=1, seconds=2)
    refused = [record.refused["cluster2"] for record in site.state.records()]
    assert refused[0] == "no answer by 12:01:00 UTC, the end of spec.server.roundTimeout"
    assert refused[1:] == [f"no answer yet: {SILENT}"] * 3
    asked = [order.round for node, order in site.nodes.asked if node == 2 and isinstance(order, TrainOrder)]
    assert asked == [1, 2, 3, 4], "it is asked all the same"
    assert site.account.progress.clusters["cluster2"].reason == f"no answer yet: {SILENT}"


def test_a_cluster_that_was_silent_is_waited_for_again_once_it_has_answered(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=4))
    site.join("cluster1")
    site.join("cluster2", silent={1, 2, 4})
    site.run()
    assert [sorted(record.clusters) for record in site.state.records()] == [
        ["cluster1"], ["cluster1"], ["cluster1", "cluster2"], ["cluster1"],
    ]  # fmt: skip
    assert START + timedelta(minutes=2) <= site.clock.now() < START + timedelta(minutes=2, seconds=3)


@pytest.mark.parametrize(
    ("seconds", "then"),
    [pytest.param(50, 60, id="in its time: it is waited for again"), pytest.param(70, 40, id="after its time: it is not")],
)
def test_an_answer_to_a_round_that_ended_without_its_cluster_counts_for_the_cluster_if_it_comes_in_time(
    tmp_path: Path, seconds: int, then: int
) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=4))
    steady, mute = Cluster("cluster1", site.exchange), Cluster("cluster2", site.exchange, silent={1, 2, 3, 4})

    def in_40_seconds(order: Order) -> Answer | None:
        answer = steady(order)
        if answer is None or not isinstance(order, TrainOrder):
            return answer
        site.clock.later.append((site.clock.now() + timedelta(seconds=40), lambda: site.nodes.send(1, order, answer)))
        return None

    def late_for_round_2(order: Order) -> Answer | None:
        if isinstance(order, TrainOrder) and order.round == 2:
            closed = Failure(cluster="cluster2", step="train", message="the hub does not take the adapter: round 2 is closed")
            site.clock.later.append((site.clock.now() + timedelta(seconds=seconds), lambda: site.nodes.send(2, order, closed)))
        return mute(order)

    site.nodes.connected.update({1: in_40_seconds, 2: late_for_round_2})
    site.run()
    assert [round(record.seconds, -1) for record in site.state.records()] == [60, 40, 40, then]


def test_a_cluster_that_is_silent_at_the_end_too_is_not_waited_for_alone(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1, holdout=True))
    site.join("cluster1", held_out=lambda number: 4 / number)
    mute = Cluster("cluster2", site.exchange)
    site.nodes.connected[2] = lambda order: mute(order) if isinstance(order, PrepareOrder) else None
    site.run()
    assert site.clock.now() < START + timedelta(minutes=1, seconds=2)
    assert site.account.progress.message.endswith(f"not finished: cluster2: no answer yet: {SILENT}")
