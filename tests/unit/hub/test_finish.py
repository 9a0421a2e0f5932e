"""After the last round: the final adapter is measured, profiles are shared, and what of it fails nothing."""

from datetime import timedelta
from pathlib import Path

from fedspoke.api.errors import Failed
from fedspoke.api.records import Failure, Finished, FinishOrder, HeldOut, PrepareOrder, TrainOrder
from fedspoke.hub.aggregation.members import Answer, Order
from support import profiles
from support.federation import Cluster, Site, settings


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


def test_a_federation_whose_adapter_does_harm_is_completed_and_says_so(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, holdout=True))
    for name in ("cluster1", "cluster2"):
        site.join(name, held_out=lambda number: 2.0 + number)
    site.run()
    assert site.account.progress.phase == "Completed"
    assert "on posts held out it is worse than the base model: loss " in site.account.progress.message


def test_a_federation_whose_clusters_all_keep_the_profiles_that_were_asked_for_is_failed_with_its_model_saved(
    tmp_path: Path,
) -> None:
    site = Site(settings(tmp_path, profiles=True))
    site.join("cluster1", shares=False)
    site.join("cluster2", shares=False)
    too_few = "facebook: 5 posts are fewer than 20"
    assert site.failure() == (f"the model is saved, but no cluster shared a profile: cluster1: {too_few}; cluster2: {too_few}")
    assert site.account.progress.model
    assert (tmp_path / "global" / "adapter_config.json").exists()


def test_why_each_cluster_shares_no_profile_is_said_be_it_kept_or_lost(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, profiles=True))
    site.join("cluster1", shares=False)
    site.join("cluster2", stumbles={3: 9})
    assert site.failure().endswith(
        ": cluster1: facebook: 5 posts are fewer than 20; cluster2: finish failed: mcp-server was started anew"
    )


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


def test_a_cluster_that_is_away_at_the_end_is_named(tmp_path: Path) -> None:
    made = profiles.general(["cluster1"]).model_dump_json(by_alias=True).encode()
    site = Site(settings(tmp_path, profiles=True, min_available_clients=2, min_responses=1), general_profile=lambda: made)
    site.join("cluster1")
    site.join("cluster2")
    leaving = site.nodes.connected[2]

    def goes_in_round_2(order: Order) -> Answer | str | None:
        if isinstance(order, TrainOrder) and order.round == 2:
            site.clock.later.append((site.clock.now(), lambda: site.nodes.connected.pop(2)))
            return None
        return leaving(order)

    site.nodes.connected[2] = goes_in_round_2
    site.run()
    assert site.account.progress.message.endswith("not finished: cluster2: it was not there to be asked")


def test_the_final_adapter_is_measured_where_posts_are_held_out(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, holdout=True))
    site.join("cluster1", held_out=lambda number: 4 / number)
    site.join("cluster2", held_out=lambda number: 2 / number)
    site.run()
    assert site.account.progress.held_out == HeldOut(posts=2, before=3, after=1)  # of round 1's start, and of round 3's
    assert {name: cluster.phase for name, cluster in site.account.progress.clusters.items()} == {
        "cluster1": "Finished", "cluster2": "Finished",
    }  # fmt: skip
    assert [record.clusters["cluster1"].held_out for record in site.state.records()] == [
        HeldOut(posts=1, before=4, after=2), HeldOut(posts=1, before=2, after=4 / 3),
    ]  # fmt: skip


def test_a_cluster_that_measures_and_makes_its_profiles_is_said_to_be_finishing(tmp_path: Path) -> None:
    site, said = Site(settings(tmp_path, holdout=True)), set[str]()
    site.join("cluster1")
    node = len(site.nodes.connected) + 1
    cluster = Cluster("cluster2", site.exchange)

    def slow(order: Order) -> Answer | None:
        if not isinstance(order, FinishOrder):
            return cluster(order)
        site.clock.later.append((site.clock.now() + timedelta(seconds=5), lambda: said.add(phase())))
        site.clock.later.append((site.clock.now() + timedelta(seconds=6), lambda: site.nodes.send(node, order, finished)))
        return None

    def phase() -> str:
        return site.account.progress.clusters["cluster2"].phase

    finished = Finished(cluster="cluster2", shared=())
    site.nodes.connected[node] = slow
    site.run()
    assert (said, phase()) == ({"Finishing"}, "Finished")


def test_nothing_is_asked_after_the_last_round_where_nothing_is_wanted(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert not any(isinstance(order, FinishOrder) for _, order in site.nodes.asked)


def test_a_final_adapter_that_nobody_measures_is_still_a_model(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, holdout=True))
    site.join("cluster1", stumbles={3: 9})
    site.join("cluster2", stumbles={3: 9})
    site.run()
    progress = site.account.progress
    assert (progress.phase, progress.held_out) == ("Completed", None)
    assert "; not finished: cluster1: finish failed: mcp-server was started anew; cluster2" in progress.message


def test_a_measurement_of_more_posts_than_a_cluster_has_is_not_believed(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, holdout=True))
    site.join("cluster1", held_out=lambda number: 4 / number)
    honest = Cluster("cluster2", site.exchange, held_out=lambda number: 2 / number)

    def boasting(order: Order) -> Answer | None:
        if isinstance(order, FinishOrder):
            return Finished(cluster="cluster2", shared=(), held_out=HeldOut(posts=10**9, before=0, after=1e9))
        return honest(order)

    site.nodes.connected[2] = boasting
    site.run()
    assert site.account.progress.held_out == HeldOut(posts=1, before=4, after=4 / 3)
    assert "cluster2: it says that it held out 1000000000 posts, but when it was ready it had 5" in site.account.progress.message
