"""What a FederatedLearning says of itself at every moment."""

from datetime import UTC, datetime, timedelta

import pytest

from fedspoke.api import parse
from fedspoke.api.federated_learning import Artifact, FederatedLearningStatus
from fedspoke.api.records import ClusterProgress, ClusterRound, Progress, RoundRecord
from fedspoke.hub.observed import Observed
from fedspoke.hub.status import status
from fedspoke.placement.evaluate import Decision
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FL = parse.federated_learning(build.federated_learning(server={"rounds": 3, "minAvailableClients": 2}))
BOTH = Decision(decisions=(("berlin", 0), ("lyon", 0)), rejected=())
ONE = Decision(decisions=(("berlin", 0),), rejected=(("oslo", "declares no Facebook data"),))
NOTHING = FederatedLearningStatus()


def progress(phase="Running", **kwargs):
    return Progress(phase=phase, message=f"{phase}: as the aggregator says", **kwargs)


def finished_round(number):
    part = ClusterRound(loss=2.0, examples=8, seconds=1.0, bytes_in=100, bytes_out=50)
    return RoundRecord(round=number, digest="0" * 64, loss=2.0, seconds=1.5, clusters={"berlin": part, "lyon": part})


def condition(of, kind):
    (found,) = [item for item in of.conditions if item.type == kind]
    return found


@pytest.mark.parametrize(
    ("seen", "phase", "says"),
    [
        pytest.param(
            Observed(decision=ONE), "Waiting", "oslo: declares no Facebook data", id="too few clusters: who was left out and why"
        ),
        pytest.param(Observed(decision=BOTH), "Waiting", "aggregator is starting", id="placed, and the aggregator not heard of"),
        pytest.param(Observed(decision=BOTH, progress=progress()), "Running", "as the aggregator says", id="running"),
        pytest.param(Observed(decision=BOTH, progress=progress("Failed")), "Failed", "as the aggregator says", id="failed"),
        pytest.param(
            Observed(decision=BOTH, progress=progress("Completed")), "Completed", "as the aggregator says", id="completed"
        ),
        pytest.param(
            Observed(decision=BOTH, progress=progress(), failure="the gateway ended"), "Failed", "gateway ended", id="a lost part"
        ),
        pytest.param(
            Observed(decision=ONE, progress=progress("Completed")), "Completed", "as", id="a cluster that left after the end"
        ),
    ],
)
def test_the_phase_and_the_sentence_are_those_of_what_is_seen(seen, phase, says):
    answer = status(FL, seen, NOTHING, NOW)
    assert answer.phase == phase
    assert says in answer.message


def test_a_condition_keeps_the_time_of_its_last_change():
    first = status(FL, Observed(decision=BOTH), NOTHING, NOW)
    later = status(FL, Observed(decision=BOTH, progress=progress()), first, NOW + timedelta(minutes=5))
    assert condition(later, "PlacementSatisfied").last_transition_time == NOW
    assert condition(later, "AggregatorReady").last_transition_time == NOW + timedelta(minutes=5)


def test_nothing_changes_when_nothing_changed():
    seen = Observed(decision=BOTH, progress=progress(), rounds=(finished_round(1),))
    first = status(FL, seen, NOTHING, NOW)
    assert status(FL, seen, first, NOW + timedelta(hours=1)) == first


def test_times_of_start_and_end_stay():
    done = Observed(decision=BOTH, progress=progress("Completed"))
    first = status(FL, done, status(FL, Observed(decision=BOTH), NOTHING, NOW), NOW + timedelta(minutes=1))
    again = status(FL, done, first, NOW + timedelta(minutes=9))
    assert (again.start_time, again.completion_time) == (NOW, NOW + timedelta(minutes=1))


def test_a_round_is_counted_with_its_bytes():
    answer = status(FL, Observed(decision=BOTH, progress=progress(), rounds=(finished_round(1), finished_round(2))), NOTHING, NOW)
    assert answer.rounds is not None
    assert (answer.rounds.completed, answer.rounds.total) == (2, 3)
    assert [(m.round, m.clusters, m.bytes_in, m.bytes_out) for m in answer.metrics] == [(1, 2, 200, 100), (2, 2, 200, 100)]


def test_the_status_holds_the_last_twenty_rounds():
    rounds = tuple(finished_round(number) for number in range(1, 31))
    shown = status(FL, Observed(decision=BOTH, progress=progress(), rounds=rounds), NOTHING, NOW).metrics
    assert [metrics.round for metrics in shown] == list(range(11, 31))


def test_a_lost_cluster_degrades_the_federation_and_says_why():
    clusters = {
        "berlin": ClusterProgress(phase="Trained"),
        "lyon": ClusterProgress(phase="Failed", reason="clean_data: no post is left"),
    }
    answer = status(FL, Observed(decision=BOTH, progress=progress(clusters=clusters)), NOTHING, NOW)
    assert condition(answer, "Degraded").status == "True"
    assert "lyon: clean_data: no post is left" in condition(answer, "Degraded").message


def test_model_and_profile_are_true_only_when_they_are_there():
    saved = Artifact(uri="/out/global", digest="sha256:0")
    answer = status(
        FL, Observed(decision=BOTH, progress=progress("Completed", fused="lyon shares none"), model=saved), NOTHING, NOW
    )
    assert condition(answer, "ModelSaved").status == "True"
    assert condition(answer, "ProfilesFused").status == "False"
    assert condition(answer, "ProfilesFused").message == "lyon shares none"


def test_a_cluster_that_failed_or_stopped_is_not_called_ready():
    clusters = {"berlin": ClusterProgress(phase="Failed", reason="prepare failed"), "lyon": ClusterProgress(phase="Ready")}
    seen = Observed(decision=BOTH, progress=progress(clusters=clusters), stopped={"lyon": "mcp-server was killed by signal 9"})
    ready = condition(status(FL, seen, NOTHING, NOW), "CollaboratorsReady")
    assert (ready.status, ready.reason) == ("False", "ClusterLost")
    assert ready.message == "berlin: prepare failed; lyon: mcp-server was killed by signal 9"


def test_an_aggregator_that_is_gone_is_not_called_ready():
    gone = Observed(decision=BOTH, progress=progress(), failure="the hub's aggregator was killed by signal 9")
    ready = condition(status(FL, gone, NOTHING, NOW), "AggregatorReady")
    assert ready.status == "False"
    assert "killed by signal 9" in ready.message


def test_collaborators_that_were_never_placed_have_not_answered():
    assert condition(status(FL, Observed(decision=ONE), NOTHING, NOW), "CollaboratorsReady").reason == "NotPlaced"


def test_a_federation_without_the_profiles_that_were_asked_for_is_degraded():
    done = Observed(decision=BOTH, progress=progress("Completed", fused="no cluster shared a profile: lyon: too few posts"))
    assert condition(status(FL, done, NOTHING, NOW), "Degraded").reason == "ProfilesMissing"


def test_what_is_started_again_is_said_of_its_cluster_and_of_the_hub():
    again = "mcp-server was killed by signal 9; started again, 2nd time"
    failed = ClusterProgress(phase="Training", reason="train failed: it broke off")
    restarted = {"berlin": again, "lyon": again, "hub": "gateway was killed by signal 9; starts again, 1st time"}
    found = status(FL, Observed(decision=BOTH, progress=progress(clusters={"lyon": failed}), restarted=restarted), NOTHING, NOW)
    assert {cluster.name: cluster.reason for cluster in found.clusters} == {
        "berlin": again,
        "lyon": f"train failed: it broke off; {again}",
    }
    assert found.message == "Running: as the aggregator says; the hub's gateway was killed by signal 9; starts again, 1st time"
