"""The whole loop over lists: who is waited for, what is folded, what ends a run, what a restart goes on with."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.federated_learning import Lora
from fedspoke.api.records import Failure, FinishOrder, PrepareOrder, TrainOrder
from fedspoke.hub.aggregation import layout, tensor_file
from fedspoke.hub.aggregation.members import Answer, Order
from support import adapters, profiles
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
    assert "cluster2: not ready by the deadline, 2026-01-01 13:00:00 UTC" in site.failure()


def test_a_failure_that_puts_the_quorum_out_of_reach_ends_the_run_at_once(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1", unready="the export at facebook has no posts")
    assert "cluster1: prepare failed: the export at facebook has no posts" in site.failure()
    assert site.clock.now() == START
    assert site.account.progress.clusters["cluster1"].phase == "Failed"


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
    assert site.state.records()[0].refused == {
        "cluster2": "no answer by 12:01:00 UTC, the end of spec.server.roundTimeout or spec.deadline"
    }


def test_a_message_without_an_upload_under_the_same_certificate_puts_nothing_into_the_sum(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1", value=2)
    site.join("cluster2", value=9, uploads=False)
    site.run()
    final = adapters.load(tmp_path / "global" / "adapter_model.safetensors")
    assert all(np.all(values == 2) for values in final.values())


def test_a_node_that_goes_away_is_not_waited_for(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1")
    gone = site.join("cluster2", silent={1})
    site.clock.later.append((START + timedelta(seconds=1), lambda: site.nodes.connected.pop(gone)))
    site.run()
    assert site.state.records()[0].refused == {"cluster2": "its Flower node is not connected any more"}
    assert site.clock.now() < START + timedelta(seconds=5)


def test_a_node_that_vanished_before_it_said_who_it_is_is_asked_again_when_it_comes_back(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1))
    node = site.join("cluster1")
    there = site.nodes.connected.pop(node)
    site.nodes.connected[node] = lambda order: None
    site.clock.later.append((START + timedelta(seconds=1), site.nodes.connected.clear))
    site.clock.later.append((START + timedelta(seconds=2), lambda: site.nodes.connected.update({node: there})))
    site.run()
    assert sum(isinstance(order, PrepareOrder) for _, order in site.nodes.asked) == 2


def test_a_round_that_lost_too_many_nodes_ends_at_once(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=1))
    site.join("cluster1", silent={1})
    gone = site.join("cluster2", silent={1})
    site.clock.later.append((START + timedelta(seconds=1), lambda: site.nodes.connected.pop(gone)))
    assert site.failure().endswith("cluster2: its Flower node is not connected any more")
    assert site.clock.now() < START + timedelta(seconds=5)


def test_an_adapter_that_breaks_off_while_it_is_read_fails_the_round_with_its_clusters_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("input/output error")

    site = Site(settings(tmp_path, min_available_clients=1, rounds=1))
    site.join("cluster1")
    monkeypatch.setattr(tensor_file, "blocks", broken)
    monkeypatch.setattr(layout, "verify", lambda path, layout: None)  # what it read was still whole
    assert "1-cluster1.safetensors cannot be read to its end" in site.failure()


def test_an_aggregator_that_is_restarted_after_the_last_round_needs_nobody(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2")
    first.run()
    shutil.rmtree(tmp_path / "global")
    second = Site(settings(tmp_path))
    second.run()
    assert (second.account.progress.phase, second.account.progress.round) == ("Completed", 2)
    assert second.account.progress.model == adapters.digest(tmp_path / "global" / "adapter_model.safetensors")


def test_a_restarted_aggregator_goes_on_after_the_last_finished_round(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2", fails={2: "the power went"})
    first.failure()
    second = Site(settings(tmp_path))
    second.join("cluster1")
    second.join("cluster2")
    second.run()
    assert {order.round for _, order in second.nodes.asked if isinstance(order, TrainOrder)} == {2}
    assert [record.round for record in second.state.records()] == [1, 2]


def test_a_checkpoint_that_was_changed_is_not_gone_on_from(tmp_path: Path) -> None:
    first = Site(settings(tmp_path))
    first.join("cluster1")
    first.join("cluster2", fails={2: "the power went"})
    first.failure()
    adapters.save(adapters.filled(adapters.layout(), 7), first.state.checkpoint(1))
    second = Site(settings(tmp_path))
    second.join("cluster1")
    second.join("cluster2")
    assert "are not those that rounds.jsonl names" in second.failure()


def test_profiles_are_asked_for_with_the_final_adapter_and_the_general_one_is_kept(tmp_path: Path) -> None:
    made = profiles.general(["cluster1"]).model_dump_json(by_alias=True).encode()
    site = Site(settings(tmp_path, profiles=True), general_profile=lambda: made)
    site.join("cluster1")
    site.join("cluster2", shares=False)
    site.run()
    assert (tmp_path / "general_profile.json").read_bytes() == made
    progress = site.account.progress
    assert (progress.phase, progress.fused) == ("Completed", "")
    assert progress.clusters["cluster2"].reason == "facebook: 5 posts are fewer than 20"


def test_a_profile_that_was_left_out_is_named_with_its_reason(tmp_path: Path) -> None:
    made = profiles.general(["cluster1"], left_out={"cluster2/facebook": "its encoder is another"})
    site = Site(settings(tmp_path, profiles=True), general_profile=lambda: made.model_dump_json(by_alias=True).encode())
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert site.account.progress.fused == "left out of the general profile: cluster2/facebook: its encoder is another"


def test_a_federation_whose_clusters_all_keep_their_profiles_is_completed_and_says_so(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, profiles=True))
    site.join("cluster1", shares=False)
    site.join("cluster2", shares=False)
    site.run()
    assert site.account.progress.phase == "Completed"
    assert "cluster1: facebook: 5 posts are fewer than 20" in site.account.progress.fused


def test_a_fusion_service_that_does_not_answer_fails_the_federation_after_the_model_is_saved(tmp_path: Path) -> None:
    def broken() -> bytes:
        raise Failed("the model is saved, but the fusion service does not answer")

    site = Site(settings(tmp_path, profiles=True), general_profile=broken)
    site.join("cluster1")
    site.join("cluster2")
    assert "fusion service does not answer" in site.failure()
    assert (tmp_path / "global" / "adapter_config.json").exists()


def test_a_federation_in_which_every_profile_failed_is_failed(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1, profiles=True))
    trainer = Cluster("cluster1", site.exchange)
    broken = Failure(cluster="cluster1", step="profile", message="the encoder is missing")
    site.nodes.connected[1] = lambda order: trainer(order) if isinstance(order, PrepareOrder | TrainOrder) else broken
    assert (
        site.failure() == "the model is saved, but no cluster shared a profile: cluster1: profile failed: the encoder is missing"
    )


def test_only_the_checkpoints_that_are_still_needed_are_kept(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, rounds=4))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["3.safetensors", "4.safetensors"]
