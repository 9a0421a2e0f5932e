"""The account of what clusters have released: it never says less than it did, and outlives whatever kept it."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.errors import Failed
from fedspoke.api.records import TrainOrder
from fedspoke.hub.aggregation.members import Answer, Order
from fedspoke.hub.aggregation.releases import FILE, Releases, counts
from support.federation import NOISED, Cluster, Site, settings

CLUSTERS = ("cluster1", "cluster2")


def unheard(cluster: Cluster) -> Callable[[Order], Answer | None]:
    """It trains and uploads, and its answers are lost."""

    def answer(order: Order) -> Answer | None:
        said = cluster(order)
        return None if isinstance(order, TrainOrder) else said

    return answer


def test_an_adapter_whose_answer_was_lost_is_on_the_account_even_if_its_round_never_ends(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, clusters=("cluster1",), min_available_clients=1, privacy=NOISED))
    site.nodes.connected[1] = unheard(Cluster("cluster1", site.exchange))
    site.failure()
    assert site.state.records() == []
    assert site.released() == {"cluster1": 1}


def test_another_attempt_at_the_federation_goes_on_counting(tmp_path: Path) -> None:
    told = settings(tmp_path, rounds=1, privacy=NOISED)
    for value, total in ((1, 1), (1, 1), (2, 2)):
        site = Site(told)
        site.join("cluster1", value=value)
        site.join("cluster2", fails={1: "the power went"})
        site.failure()
        (tmp_path / "progress.json").unlink()  # as whoever starts the next one does
        assert site.released()["cluster1"] == total, "the same bytes again are no other release"


def test_a_cluster_that_says_that_more_has_left_it_is_believed(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, privacy=NOISED))
    site.join("cluster1", says=lambda number: 10 - number)
    site.join("cluster2", says=lambda number: 0)
    site.run()
    assert site.released() == {"cluster1": 9, "cluster2": 2}, "nor can it take its word back, or say less than was seen"


def test_an_adapter_that_is_refused_has_left_its_cluster_all_the_same(tmp_path: Path) -> None:
    site = Site(settings(tmp_path, min_available_clients=1, privacy=NOISED))
    site.join("cluster1")
    site.join("cluster2", uploads=False)
    site.run()
    assert all("cluster2" not in record.clusters for record in site.state.records())
    assert site.released()["cluster2"] == 2


def test_where_nothing_is_noised_there_is_no_account(tmp_path: Path) -> None:
    site = Site(settings(tmp_path))
    site.join("cluster1")
    site.join("cluster2")
    site.run()
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("content", ["", "[]", '{"cluster1":{"said":-1}}'])
def test_an_account_that_cannot_be_read_is_not_begun_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(Failed, match=r"releases\.json is no account of releases .*; restore it"):
        Releases(tmp_path / FILE, NOISED)


def test_a_release_that_could_not_be_counted_is_not_taken_for_counted(tmp_path: Path) -> None:
    releases = Releases(tmp_path / "gone" / FILE, NOISED)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            releases.uploaded("cluster1", 1, "a" * 64)
    (tmp_path / "gone").mkdir()
    releases.uploaded("cluster1", 1, "a" * 64)
    assert counts(tmp_path / "gone" / FILE) == {"cluster1": 1}


def test_the_file_says_which_adapter_of_which_round(tmp_path: Path) -> None:
    releases = Releases(tmp_path / FILE, NOISED)
    releases.uploaded("cluster1", 1, "a" * 64)
    releases.said("cluster1", "first", 2, "a" * 64)
    assert json.loads((tmp_path / FILE).read_text()) == {
        "cluster1": {"ledger": "first", "said": 2, "uploads": {"1": ["a" * 64]}, "before": {}}
    }


def test_a_ledger_that_begins_anew_comes_on_top_of_the_one_that_was_lost(tmp_path: Path) -> None:
    releases = Releases(tmp_path / FILE, NOISED)
    for number in (1, 2, 3):
        releases.uploaded("cluster1", number, f"{number}" * 64)
    releases.said("cluster1", "lost", 5, "3" * 64)  # two more have left it, and did not come
    releases.uploaded("cluster1", 4, "4" * 64)
    releases.said("cluster1", "new", 1, "4" * 64)
    assert counts(tmp_path / FILE) == {"cluster1": 6}
    releases.said("cluster1", "lost", 5, "3" * 64)  # an answer that was long on its way
    releases.said("cluster1", "new", 2, "4" * 64)
    assert counts(tmp_path / FILE) == {"cluster1": 7}


_UPLOADS = st.tuples(st.sampled_from(CLUSTERS), st.integers(1, 3), st.sampled_from("abc"))
_WORDS = st.tuples(st.sampled_from(CLUSTERS), st.integers(0, 9))


@given(st.lists(st.one_of(_UPLOADS, _WORDS, st.none()), max_size=15))
def test_the_account_is_the_larger_of_what_was_seen_and_what_was_said(
    events: list[tuple[str, int, str] | tuple[str, int] | None],
) -> None:
    with TemporaryDirectory() as name:
        file = Path(name, FILE)
        releases, seen, said = Releases(file, NOISED), set[tuple[str, int, str]](), dict.fromkeys(CLUSTERS, 0)
        for event in events:
            match event:
                case None:  # killed, and another one goes on
                    releases = Releases(file, NOISED)
                case (cluster, number, digest):
                    releases.uploaded(cluster, number, digest * 64)
                    seen.add((cluster, number, digest))
                case (cluster, count):
                    releases.said(cluster, "one", count, "z" * 64)
                    said[cluster] = max(said[cluster], count)
            expected = {cluster: max(said[cluster], sum(each[0] == cluster for each in seen)) for cluster in CLUSTERS}
            assert dict.fromkeys(CLUSTERS, 0) | counts(file) == expected


_LIVES = st.lists(st.lists(st.sampled_from(("heard", "unheard", "cut")), max_size=4), max_size=4)


@given(_LIVES)
def test_whatever_is_lost_the_account_never_says_less_than_was_released_once_a_ledger_was_heard(lives: list[list[str]]) -> None:
    with TemporaryDirectory() as name:
        file, released = Path(name, FILE), 0
        releases = Releases(file, NOISED)
        for ledger, rounds in enumerate(lives):
            for drawn, fate in enumerate([*rounds, "heard"], 1):
                released += 1
                digest = f"{released:064}"
                if fate != "cut":
                    releases.uploaded("cluster1", released, digest)
                if fate == "heard":
                    releases.said("cluster1", f"ledger {ledger}", drawn, digest)
        assert released <= counts(file).get("cluster1", 0) <= released + len(lives) * 4
