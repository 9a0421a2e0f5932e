"""A node speaks for the cluster whose certificate presented its ticket; it is asked a few times, not for ever."""

from datetime import timedelta
from pathlib import Path

import pytest

from fedspoke.api.records import ClusterProgress, Failure, Prepared, PrepareOrder, Preparing
from fedspoke.hub.aggregation.members import Answer, Order
from support.federation import START, Cluster, Site, settings


def test_an_answer_of_no_cluster_is_asked_for_again_and_its_reason_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1")
    there = site.nodes.connected[node]

    def ill(order: Order) -> Answer | str | None:
        site.nodes.connected[node] = there
        site.clock.later.append((START + timedelta(seconds=0.3), lambda: said.append(site.account.progress.message)))
        return "Flower says: the ClientApp was killed"

    site.nodes.connected[node] = ill
    site.run()
    assert said[0].endswith("; an answer counts for no cluster: Flower says: the ClientApp was killed")
    assert site.account.progress.phase == "Completed"


def test_a_node_that_keeps_failing_fails_its_cluster_once_that_is_known(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))

    def killed(order: Order) -> str:
        assert isinstance(order, PrepareOrder)
        site.exchange.tickets.present(order.ticket, "cluster1")
        return "Flower says: the ClientApp was killed"

    site.nodes.connected[1] = killed
    assert "cluster1: prepare failed: Flower says: the ClientApp was killed; it was tried 5 times" in site.failure()
    assert len(site.nodes.asked) == 5
    assert site.clock.now() < site.told.deadline


def test_a_node_that_keeps_failing_without_a_name_is_told_at_the_deadline(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    site.nodes.connected[1] = lambda order: "Flower says: the ClientApp was killed"
    assert site.failure().endswith("; an answer counts for no cluster: Flower says: the ClientApp was killed")
    assert len(site.nodes.asked) == 5


@pytest.mark.parametrize(
    ("certificate", "says"),
    [
        pytest.param("cluster3", "a node of cluster3 calls itself cluster2", id="under another's certificate"),
        pytest.param(None, "a node that calls itself cluster2 (I give up) has not presented its ticket", id="under none"),
    ],
)
def test_a_failure_in_another_clusters_name_is_nobodys(tmp_path: Path, certificate: str | None, says: str) -> None:
    said: list[str] = []
    site = Site(settings(tmp_path, clusters=("cluster1", "cluster2", "cluster3"), min_available_clients=2, rounds=1))
    site.join("cluster1")
    site.join("cluster2", certificate=certificate, unready="I give up")
    site.clock.later.append((START + timedelta(seconds=2), lambda: said.append(site.account.progress.message)))
    site.clock.later.append((START + timedelta(seconds=2), lambda: site.join("cluster2")))
    site.run()
    assert says in said[0] + site.account.progress.clusters["cluster3"].reason
    assert site.account.progress.clusters["cluster2"].phase == "Trained"


def test_an_answer_to_train_in_another_clusters_name_fails_only_its_own(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1", value=2)
    honest = Cluster("cluster2", site.exchange)

    def lying(order: Order) -> Answer | None:
        return honest(order) if isinstance(order, PrepareOrder) else Failure(cluster="cluster1", step="train", message="…")

    site.nodes.connected[2] = lying
    site.run()
    (record,) = site.state.records()
    assert (set(record.clusters), record.refused) == (
        {"cluster1"},
        {"cluster2": "train failed: a node of cluster2 calls itself cluster1 (…)"},
    )


def test_a_crowd_of_nodes_is_not_asked_beyond_what_the_clusters_can_need(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1, deadline=START + timedelta(seconds=1)))
    site.nodes.connected = dict.fromkeys(range(1000), lambda order: None)
    site.failure()
    assert len(site.nodes.asked) == 16
    assert [record.message for record in caplog.records] == [
        "984 Flower nodes are not asked: there are 16 already, and 1 chosen clusters need no more"
    ]


def test_a_pod_that_is_replaced_again_and_again_is_not_remembered_for_ever(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=2))
    for pod in range(40):

        def replace(pod: int = pod) -> None:
            site.nodes.connected = {100 + pod: Cluster("cluster1", site.exchange)}

        site.clock.later.append((START + timedelta(seconds=pod), replace))
    site.clock.later.append((START + timedelta(seconds=41), lambda: site.join("cluster2")))
    site.run()
    assert site.account.progress.phase == "Completed"


def test_a_preparation_that_failed_in_passing_is_asked_again_with_growing_pauses_and_says_so(tmp_path: Path) -> None:
    said: list[ClusterProgress] = []
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1", stumbles={0: 3})
    site.clock.later.append((START + timedelta(seconds=6), lambda: said.append(site.account.progress.clusters["cluster1"])))
    site.run()
    assert [(one.phase, one.reason) for one in said] == [
        ("Preparing", "prepare failed: mcp-server was started anew; asked again at 12:00:35 UTC, try 3 of 5")
    ]
    assert [asked for asked, order in site.nodes.asked if isinstance(order, PrepareOrder)] == [node] * 4
    assert START + timedelta(seconds=155) < site.clock.now() < START + timedelta(seconds=160)


def test_a_cluster_that_is_being_made_ready_says_which_step_is_at_work_as_often_as_it_takes(tmp_path: Path) -> None:
    said: list[ClusterProgress] = []
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1")
    ready, steps = site.nodes.connected[node], ["clean_data"] * 4 + ["download_model"] * 4

    def prepares(order: Order) -> Answer | str | None:
        if isinstance(order, PrepareOrder) and steps:
            site.exchange.tickets.present(order.ticket, "cluster1")
            return Preparing(cluster="cluster1", step=steps.pop(), since=START)
        return ready(order)

    site.nodes.connected[node] = prepares
    for second in (12, 65):
        later = START + timedelta(seconds=second)
        site.clock.later.append((later, lambda: said.append(site.account.progress.clusters["cluster1"])))
    site.run()
    assert [(it.phase, it.reason) for it in said] == [
        ("Preparing", "at the step download_model since 12:00:00 UTC"),
        ("Preparing", "at the step clean_data since 12:00:00 UTC"),
    ]
    assert site.account.progress.phase == "Completed"


def test_what_a_cluster_remarks_when_it_is_ready_stands_beside_it_to_the_end(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1")
    cluster = site.nodes.connected[node]

    def remarks(order: Order) -> Answer | str | None:
        answer = cluster(order)
        bound = {"remark": "client.curation.maxRequests, 2, was too few"}
        return answer.model_copy(update=bound) if isinstance(answer, Prepared) else answer

    site.nodes.connected[node] = remarks
    site.run()
    told = site.account.progress.clusters["cluster1"]
    assert (told.phase, told.remark) == ("Trained", "client.curation.maxRequests, 2, was too few")


def test_a_preparation_that_keeps_failing_in_passing_is_final_after_the_last_pause(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    site.join("cluster1", stumbles={0: 99})
    assert site.failure().endswith("cluster1: prepare failed: mcp-server was started anew; it was tried 5 times")
    assert len(site.nodes.asked) == 5


def test_a_cluster_that_is_asked_again_is_not_given_up_for_the_quorum(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.join("cluster2", stumbles={0: 1})
    site.run()
    assert site.account.progress.phase == "Completed"


def test_a_failed_node_that_went_away_leaves_room_for_another_to_be_waited_for(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    gone = site.join("cluster1", stumbles={0: 99})
    site.clock.later.append((START + timedelta(seconds=2), lambda: site.nodes.connected.pop(gone)))
    site.clock.later.append((START + timedelta(seconds=600), lambda: site.join("cluster1")))
    site.run()
    assert site.account.progress.phase == "Completed"
