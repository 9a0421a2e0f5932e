"""The whole loop over lists: who is waited for, what is combined, what ends a run."""

import json
import os
from datetime import timedelta
from pathlib import Path

import numpy as np

from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import FinishOrder, PrepareOrder, TrainOrder
from fedspoke.hub.aggregation import layout
from fedspoke.hub.aggregation.members import Answer, Order
from support import adapters
from support.federation import START, Cluster, Site, settings


def test_two_rounds_end_with_the_weighted_mean_in_a_folder_for_peft(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1", value=1, examples=1)
    site.join("cluster2", value=5, examples=3)
    site.run()
    final = adapters.load(tmp_path / "global" / "adapter_model.safetensors")
    assert all(np.all(values == 8) for values in final.values())  # round 2: (1·2·1 + 3·2·5) / 4
    assert json.loads((tmp_path / "global" / "adapter_config.json").read_text())["r"] == 2
    assert [record.round for record in site.state.records()] == [1, 2]
    assert site.account.progress.phase == "Completed"
    assert site.account.progress.model == adapters.digest(tmp_path / "global" / "adapter_model.safetensors")


def test_every_round_starts_from_the_result_of_the_one_before(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    starts = [order.digest for _, order in site.nodes.asked if isinstance(order, TrainOrder) and order.round == 2]
    assert starts == [site.state.records()[0].digest] * 2


def test_clusters_that_come_and_go_while_a_round_is_trained_do_so_from_the_next_one_on(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=3))

    def chosen_anew(_: int) -> float:
        site.told = site.told.model_copy(update={"clusters": ("cluster2", "cluster3")})
        return 1.0

    site.join("cluster1", loss=chosen_anew)
    site.join("cluster2")
    site.join("cluster3")
    site.run()
    took_part = [set(record.clusters) for record in site.state.records()]
    assert took_part == [{"cluster1", "cluster2"}, {"cluster2", "cluster3"}, {"cluster2", "cluster3"}]
    assert set(site.account.progress.clusters) == {"cluster2", "cluster3"}
    assert site.account.progress.phase == "Completed"


def test_clusters_of_different_ranks_each_fetch_and_leave_their_own(tmp_path: Path) -> None:
    lora = Lora(rank=2, ranks={"cluster2": 1})
    site = Site(settings(tmp_path, aggregation={"lora": "svd"}, lora=lora, profiles=True))
    site.join("cluster1")
    site.join("cluster2", layout=adapters.layout(rank=1))
    site.run()
    digests = {
        (node, order.round): order.digest for node, order in site.nodes.asked if isinstance(order, TrainOrder | FinishOrder)
    }
    assert site.state.records()[0].clusters.keys() == {"cluster1", "cluster2"}
    assert digests[1, 2] != digests[2, 2], "the digest is that of what this cluster fetches"
    assert json.loads((tmp_path / "global" / "adapter_config.json").read_text())["r"] == 2


def test_under_ffa_clusters_leave_b_and_a_is_the_first_one_for_ever(tmp_path: Path) -> None:
    b = tuple(tensor for tensor in adapters.layout() if layout.is_b(tensor))
    site = Site(settings(tmp_path, aggregation={"lora": "ffa"}))
    site.join("cluster1", leaves=b)
    site.join("cluster2", leaves=b)
    site.run()
    first, final = (adapters.load(tmp_path / name) for name in ("rounds/1.safetensors", "global/adapter_model.safetensors"))
    for tensor in adapters.layout():
        assert (first[tensor.name] == final[tensor.name]).all() == (not layout.is_b(tensor))
    assert [record.lora_bias for record in site.state.records()] == [0, 0]


def test_only_the_moments_that_are_still_needed_are_kept(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=3, aggregation={"strategy": "fedyogi"}))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert {path.name for path in (tmp_path / "rounds").glob("*.moments")} == {"2.moments", "3.moments"}


def test_it_waits_for_the_clusters_that_are_needed_and_says_for_whom(tmp_path: Path) -> None:
    said: list[str] = []
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.clock.later.append((START + timedelta(minutes=2), lambda: said.append(site.account.progress.message)))
    site.clock.later.append((START + timedelta(minutes=2), lambda: site.join("cluster2")))
    site.run()
    assert said == [
        "waiting for 1 more of the 2 clusters that are needed to be ready: cluster2; since 12:00:00, until 13:00:00 UTC"
    ]


def test_whoever_waits_is_helped_by_a_smaller_quorum(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")

    def fewer_are_enough() -> None:
        server = site.told.server.model_copy(update={"min_available_clients": 1})
        site.told = site.told.model_copy(update={"server": server, "profiles": True})

    site.clock.later.append((START + timedelta(minutes=2), fewer_are_enough))
    site.run()
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1"}]
    assert not [order for _, order in site.nodes.asked if isinstance(order, FinishOrder)], "profiles cannot change in a run"


def test_whoever_waits_is_helped_by_another_cluster(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    site.join("cluster3")
    chosen = site.told.model_copy(update={"clusters": ("cluster1", "cluster3")})
    site.clock.later.append((START + timedelta(minutes=2), lambda: setattr(site, "told", chosen)))
    site.run()
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1", "cluster3"}]


def test_a_cluster_that_is_chosen_while_a_round_lacks_one_takes_part_in_it(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1", "cluster2"), rounds=1))
    site.join("cluster1")

    def leaves(order: Order) -> Answer | None:
        if isinstance(order, TrainOrder):
            del site.nodes.connected[2]
            chosen = site.told.model_copy(update={"clusters": ("cluster1", "cluster3")})
            site.clock.later.append((site.clock.time + timedelta(minutes=5), lambda: setattr(site, "told", chosen)))
            site.nodes.connected[7] = Cluster("cluster3", site.exchange, value=3)
            return None
        return Cluster("cluster2", site.exchange)(order)

    site.nodes.connected[2] = leaves
    site.run()
    assert [set(record.clusters) for record in site.state.records()] == [{"cluster1", "cluster3"}]
    final = adapters.load(tmp_path / "global" / "adapter_model.safetensors")
    assert all(np.all(values == 2) for values in final.values()), "the update of cluster1 was kept"


def test_a_deadline_that_is_put_off_holds_while_a_cluster_is_waited_for(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1")
    later = site.told.model_copy(update={"deadline": START + timedelta(hours=3)})
    site.clock.later.append((START + timedelta(minutes=59), lambda: setattr(site, "told", later)))
    site.clock.later.append((START + timedelta(hours=2), lambda: site.join("cluster2")))
    site.run()
    assert site.account.progress.phase == "Completed"


def test_a_cluster_beyond_the_quorum_may_join_in_a_later_round(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1", "cluster2"), min_available_clients=1))
    late = Cluster("cluster2", site.exchange)

    def first(order: Order) -> Answer | None:
        if isinstance(order, TrainOrder) and order.round == 1:
            site.nodes.connected[7] = late
        return Cluster("cluster1", site.exchange)(order)

    site.nodes.connected[1] = first
    site.run()
    assert [sorted(record.clusters) for record in site.state.records()] == [["cluster1"], ["cluster1", "cluster2"]]


def test_the_deadline_ends_the_wait_with_the_names_of_those_who_did_not_come(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1")
    assert "cluster2: not ready by 2026-01-01 13:00:00 UTC, which is spec.deadline" in site.failure()


def test_a_failure_that_puts_the_quorum_out_of_reach_ends_the_run_at_once(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1", unready="the export at facebook has no posts")
    assert "cluster1: prepare failed: the export at facebook has no posts" in site.failure()
    assert site.clock.now() == START
    assert site.account.progress.clusters["cluster1"].phase == "Failed"


def test_a_message_without_an_upload_under_the_same_certificate_puts_nothing_into_the_sum(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1", value=2)
    site.join("cluster2", value=9, uploads=False)
    site.run()
    final = adapters.load(tmp_path / "global" / "adapter_model.safetensors")
    assert all(np.all(values == 2) for values in final.values())


def test_a_node_that_vanished_before_it_said_who_it_is_is_asked_again_when_it_comes_back(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1")
    there = site.nodes.connected.pop(node)
    site.nodes.connected[node] = lambda order: None
    site.clock.later.append((START + timedelta(seconds=1), site.nodes.connected.clear))
    site.clock.later.append((START + timedelta(seconds=2), lambda: site.nodes.connected.update({node: there})))
    site.run()
    assert sum(isinstance(order, PrepareOrder) for _, order in site.nodes.asked) == 2


def test_an_adapter_whose_file_lost_its_end_fails_the_round_with_its_clusters_name(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    honest = Cluster("cluster1", site.exchange)

    def unlucky(order: Order) -> Answer | None:
        answer = honest(order)
        if isinstance(order, TrainOrder):
            upload = site.exchange.uploads.left(1, "cluster1")
            assert upload is not None
            os.truncate(upload.path, upload.size - 2)
        return answer

    site.nodes.connected[1] = unlucky
    assert "1-cluster1.safetensors cannot be used: the file holds" in site.failure()


def test_only_the_checkpoints_that_are_still_needed_are_kept(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=4))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["3.safetensors", "4.safetensors"]


def test_it_ends_early_when_nothing_improves_and_says_so(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=10, convergence={"patience": 2}))
    site.join("cluster1", loss=lambda number: 1 / min(number, 2))
    site.join("cluster2", loss=lambda number: 1 / min(number, 2))
    site.run()
    assert len(site.state.records()) == 4
    assert site.account.progress.message == (
        "converged after round 4 of 10: the loss of cluster1, cluster2 has not improved by 0.01 in the last 2 rounds, "
        "the model is saved"
    )
    assert (site.account.progress.phase, site.account.progress.round) == ("Completed", 4)
