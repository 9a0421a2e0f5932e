"""Why a federation has too few clusters, in one sentence, be the fleet as large as it may."""

from fedspoke.api import parse
from fedspoke.hub.observed import unplaced
from fedspoke.placement.evaluate import Decision
from support import build

FL = parse.federated_learning(build.federated_learning(server={"minAvailableClients": 2}))


def said(*rejected: tuple[str, str]) -> str:
    return unplaced(FL, Decision(decisions=(), rejected=rejected)) or ""


def test_clusters_that_one_thing_keeps_out_are_named_together_and_the_largest_group_first():
    assert said(("oslo", "no GPU"), ("berlin", "no data"), ("lyon", "no data")) == (
        "no cluster qualifies, but spec.server.minAvailableClients is 2 — berlin, lyon: no data; oslo: no GPU"
    )


def test_of_a_thousand_clusters_three_are_named_and_the_others_counted():
    assert said(*((f"edge{number:04}", "no data") for number in range(1000))).endswith(
        " — edge0000, edge0001, edge0002 and 997 more: no data"
    )


def test_a_thousand_reasons_are_not_all_said():
    sentence = said(*((f"edge{number:04}", f"reason {number}") for number in range(1000)))
    assert sentence.endswith("; edge0009: reason 9; 990 more clusters for other reasons")
