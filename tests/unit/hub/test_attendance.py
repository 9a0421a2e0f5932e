from fedspoke.api.records import ClusterRound, RoundRecord
from fedspoke.hub.aggregation.attendance import absent

CLUSTERS = ("cluster1", "cluster2", "cluster3")


def record(number: int, *clusters: str, **refused: str) -> RoundRecord:
    part = ClusterRound(loss=1, examples=1, seconds=1, bytes_in=1, bytes_out=1)
    return RoundRecord(round=number, digest="a" * 64, loss=1, seconds=1, clusters=dict.fromkeys(clusters, part), refused=refused)


def test_who_missed_a_round_is_named_with_the_last_reason() -> None:
    records = [record(1, "cluster1", cluster2="train failed: out of memory"), record(2, "cluster1", "cluster2")]
    assert absent(CLUSTERS, records, {"cluster3": "no post is left"}) == (
        "cluster2 took part in 1 of 2 rounds (train failed: out of memory); cluster3 took part in 0 of 2 rounds (no post is left)"
    )


def test_nobody_is_named_when_all_took_part_in_all_rounds() -> None:
    assert absent(CLUSTERS, [record(1, *CLUSTERS), record(2, *CLUSTERS)], {"cluster1": "an old sorrow"}) == ""
