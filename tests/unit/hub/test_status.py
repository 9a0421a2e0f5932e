"""What a FederatedLearning says of itself at every moment."""

from datetime import UTC, datetime, timedelta

import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.pld import PLDAccountant

from fedspoke.api import parse
from fedspoke.api.federated_learning import Artifact, FederatedLearningStatus
from fedspoke.api.records import ClusterProgress, ClusterRound, HeldOut, Progress, RoundRecord
from fedspoke.api.status import Evaluation
from fedspoke.hub.observed import Observed
from fedspoke.hub.status import begun, status
from fedspoke.placement.evaluate import Decision
from support import build

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FL = parse.federated_learning(build.federated_learning(server={"rounds": 3, "minAvailableClients": 2}))
BOTH = Decision(decisions=(("berlin", 0), ("lyon", 0)), rejected=())
ONE = Decision(decisions=(("berlin", 0),), rejected=(("oslo", "declares no Facebook data"),))
NOTHING = FederatedLearningStatus()


def progress(phase="Running", **kwargs):
    return Progress(phase=phase, message=f"{phase}: as the aggregator says", **kwargs)


def finished_round(number, *, held_out=None, clusters=("berlin", "lyon")):
    measured = held_out and HeldOut(posts=4, before=held_out, after=0)
    part = ClusterRound(loss=2.0, examples=8, seconds=1.0, bytes_in=100, bytes_out=50, held_out=measured)
    return RoundRecord(round=number, digest="0" * 64, loss=2.0, seconds=1.5, clusters=dict.fromkeys(clusters, part))


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


def test_an_attempt_goes_on_with_its_start_until_it_has_ended():
    later = NOW + timedelta(hours=1)
    running = status(FL, Observed(decision=BOTH, progress=progress()), begun(NOTHING, NOW), NOW)
    assert begun(running, later) == running
    ended = status(FL, Observed(decision=BOTH, progress=progress("Failed")), running, later)
    assert begun(ended, later) == FederatedLearningStatus(start_time=later)


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
    answer = status(FL, Observed(decision=BOTH, progress=progress("Failed"), model=saved), NOTHING, NOW)
    assert condition(answer, "ModelSaved").status == "True"
    assert condition(answer, "ProfilesFused").status == "False"
    assert condition(answer, "ProfilesFused").message == "Failed: as the aggregator says"


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


def test_a_rank_for_a_cluster_that_was_not_chosen_is_said():
    server = {"minAvailableClients": 2, "aggregation": {"lora": "svd"}}
    fl = parse.federated_learning(build.federated_learning(server=server, training={"lora": {"ranks": {"lyon": 4, "berln": 4}}}))
    placed = condition(status(fl, Observed(decision=BOTH), NOTHING, NOW), "PlacementSatisfied")
    assert (placed.status, placed.message) == (
        "True",
        "chosen: berlin, lyon; spec.training.lora.ranks names berln, which is not among them",
    )


def test_a_federation_that_waits_says_what_keeps_each_cluster():
    why = "the image fedspoke-collaborator:9 of mcp-server cannot be had (ErrImagePull)"
    seen = Observed(decision=BOTH, progress=progress("Waiting"), restarted={"lyon": why})
    told = status(FL, seen, NOTHING, NOW)
    assert told.message == f"Waiting: as the aggregator says; lyon: {why}"
    assert condition(told, "CollaboratorsReady").message == f"not ready yet: berlin, lyon ({why})"


def test_what_keeps_a_cluster_is_said_while_the_aggregator_starts_or_waits_too():
    for waits, words in (("", "the aggregator is starting"), ("an address", "waiting for an address")):
        seen = Observed(decision=BOTH, waits=waits, restarted={"lyon": "no node has enough nvidia.com/gpu free"})
        said = f"{words}; lyon: no node has enough nvidia.com/gpu free; since 2026-11-21 12:00:00, until 2026-11-22 12:00:00 UTC"
        assert status(FL, seen, NOTHING, NOW).message == said


def test_collaborators_that_were_never_placed_have_not_answered():
    assert condition(status(FL, Observed(decision=ONE), NOTHING, NOW), "CollaboratorsReady").reason == "NotPlaced"


def test_a_federation_whose_general_profile_lacks_one_is_degraded():
    done = Observed(decision=BOTH, progress=progress("Completed", fused="left out of the general profile: lyon: another encoder"))
    assert condition(status(FL, done, NOTHING, NOW), "Degraded").reason == "ProfilesMissing"


def test_a_round_is_worth_what_the_next_one_starts_with_and_the_last_one_what_is_measured_at_the_end():
    rounds = (finished_round(1, held_out=3.0), finished_round(2, held_out=2.0), finished_round(3, held_out=1.5))
    running = status(FL, Observed(decision=BOTH, progress=progress(), rounds=rounds), NOTHING, NOW)
    assert [metrics.held_out_loss for metrics in running.metrics] == [2.0, 1.5, None]
    assert running.evaluation is None
    at_the_end = progress("Completed", held_out=HeldOut(posts=8, before=3.0, after=1.25))
    done = status(FL, Observed(decision=BOTH, progress=at_the_end, rounds=rounds), NOTHING, NOW)
    assert [metrics.held_out_loss for metrics in done.metrics] == [2.0, 1.5, 1.25]
    assert done.evaluation == Evaluation(posts=8, base_loss=3.0, loss=1.25)


def test_a_federation_that_has_converged_trains_no_more():
    server = {"rounds": 9, "minAvailableClients": 2, "convergence": {"patience": 1}}
    fl = parse.federated_learning(build.federated_learning(server=server))
    seen = Observed(decision=BOTH, progress=progress(), rounds=(finished_round(1), finished_round(2)))
    training = condition(status(fl, seen, NOTHING, NOW), "Training")
    assert training.status == "False"
    assert training.message.startswith("converged after round 2 of 9: ")


def test_a_completed_federation_that_lacks_a_cluster_in_a_round_is_degraded_although_the_cluster_is_back():
    rounds = (finished_round(1, clusters=("berlin",)), finished_round(2), finished_round(3))
    degraded = condition(
        status(FL, Observed(decision=BOTH, progress=progress("Completed"), rounds=rounds), NOTHING, NOW), "Degraded"
    )
    assert (degraded.status, degraded.reason) == ("True", "RoundsMissed")
    assert degraded.message == "lyon took part in 2 of 3 rounds"


def test_a_cluster_that_is_asked_again_says_why_it_is_waited_for():
    clusters = {
        "berlin": ClusterProgress(phase="Ready"),
        "lyon": ClusterProgress(phase="Preparing", reason="asked again at 12:00:05 UTC"),
    }
    ready = condition(
        status(FL, Observed(decision=BOTH, progress=progress(clusters=clusters)), NOTHING, NOW), "CollaboratorsReady"
    )
    assert ready.message == "not ready yet: lyon (asked again at 12:00:05 UTC)"


def test_what_a_cluster_remarks_follows_what_is_said_of_it():
    clusters = {
        "berlin": ClusterProgress(phase="Trained", remark="maxRequests was too few"),
        "lyon": ClusterProgress(phase="Failed", reason="train failed", remark="maxRequests was too few"),
    }
    told = status(FL, Observed(decision=BOTH, progress=progress(clusters=clusters)), NOTHING, NOW).clusters
    assert [it.reason for it in told] == ["maxRequests was too few", "train failed; maxRequests was too few"]


NOISED = parse.federated_learning(
    build.federated_learning(privacy={"adapters": {"mechanism": "gaussian", "noiseMultiplier": 2.0, "delta": 1e-5}})
)


@pytest.mark.parametrize("releases", [{"berlin": 3, "lyon": 2}, {"berlin": 1, "oslo": 3}], ids=["chosen", "chosen earlier"])
def test_the_account_is_that_of_the_cluster_that_released_most(releases):
    account = status(NOISED, Observed(decision=BOTH, releases=releases), NOTHING, NOW).privacy
    assert account is not None
    assert account.releases == 3
    accountant = PLDAccountant()  # Google's: two data sets of a cluster give updates 2·clip apart, under noise of 2·clip
    accountant.compose(GaussianDpEvent(1.0), 3)
    assert account.epsilon == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-3)
    assert (account.delta, account.unit) == (1e-5, "all posts of one cluster")


def test_before_the_first_release_nothing_is_spent():
    account = status(NOISED, Observed(decision=BOTH, progress=progress()), NOTHING, NOW).privacy
    assert account is not None
    assert (account.epsilon, account.releases) == (0, 0)


def test_a_cluster_that_claims_a_billion_releases_is_answered_too():
    account = status(NOISED, Observed(decision=BOTH, releases={"berlin": 10**9}), NOTHING, NOW).privacy
    assert account is not None
    assert 4e8 < account.epsilon < 1e9


def test_adapters_without_noise_have_no_account():
    assert status(FL, Observed(decision=BOTH, rounds=(finished_round(1),)), NOTHING, NOW).privacy is None


def test_what_is_started_again_is_said_of_its_cluster_and_of_the_hub():
    again = "mcp-server was killed by signal 9; started again, 2nd time"
    failed = ClusterProgress(phase="Training", reason="train failed: it broke off")
    seen = Observed(
        decision=BOTH,
        progress=progress(clusters={"lyon": failed}),
        restarted={"berlin": again, "lyon": again, "hub": "of a cluster that is called so and is not chosen"},
        hub_restarted="gateway was killed by signal 9; starts again, 1st time",
    )
    found = status(FL, seen, NOTHING, NOW)
    assert {cluster.name: cluster.reason for cluster in found.clusters} == {
        "berlin": again,
        "lyon": f"train failed: it broke off; {again}",
    }
    assert found.message == "Running: as the aggregator says; the hub's gateway was killed by signal 9; starts again, 1st time"


class TestAnAggregatorThatDoesNotRunInARun:
    WHY = "the aggregator's pod: no node has enough cpu free"
    SEEN = Observed(decision=BOTH, progress=progress(), rounds=(finished_round(1),), waits=WHY)

    def test_trains_nothing_and_is_what_is_missing(self):
        running = status(FL, Observed(decision=BOTH, progress=progress(), rounds=(finished_round(1),)), NOTHING, NOW)
        assert [condition(running, it).status for it in ("AggregatorReady", "Training", "Degraded")] == ["True", "True", "False"]
        stopped = status(FL, self.SEEN, running, NOW + timedelta(minutes=5))
        assert [condition(stopped, it).status for it in ("AggregatorReady", "Training", "Degraded")] == ["False", "False", "True"]
        assert condition(stopped, "Training").message == f"1 of 3 rounds are done; the hub's part waits for {self.WHY}"
        assert condition(stopped, "Degraded").message == f"the hub's part waits for {self.WHY}"

    def test_is_said_since_when_and_until_when(self):
        running = status(FL, Observed(decision=BOTH, progress=progress()), NOTHING, NOW)
        stopped = status(FL, self.SEEN, running, NOW + timedelta(minutes=5))
        later = status(FL, self.SEEN, stopped, NOW + timedelta(hours=3))
        until = "since 2026-11-21 12:05:00, until 2026-11-22 12:00:00 UTC"
        assert later.message == f"Running: as the aggregator says; but it waits for {self.WHY}; {until}"

    def test_is_not_missing_before_it_has_begun_or_while_it_is_suspended(self):
        begins = status(FL, Observed(decision=BOTH, waits=self.WHY), NOTHING, NOW)
        assert condition(begins, "Degraded").reason == "Starting"
        suspended = parse.federated_learning(build.federated_learning(suspend=True))
        seen = Observed(decision=BOTH, rounds=(finished_round(1),), waits="spec.suspend to become false")
        assert condition(status(suspended, seen, NOTHING, NOW), "Degraded").status == "False"


def test_what_the_api_server_refuses_degrades_the_federation_and_is_why_the_aggregator_waits():
    refused = "the Kubernetes API refuses to apply Service social-aggregator: forbidden"
    told = status(FL, Observed(decision=BOTH, waits="the aggregator's Service", trouble=refused), NOTHING, NOW)
    assert (condition(told, "Degraded").status, condition(told, "Degraded").message) == ("True", refused)
    assert condition(told, "AggregatorReady").message == f"it waits for the aggregator's Service; {refused}"
