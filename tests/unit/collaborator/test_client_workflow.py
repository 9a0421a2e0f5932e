"""The CrewAI flow beside a real MCP server that keeps a book of the steps it did."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from fedspoke.api.errors import Failed
from fedspoke.api.records import CollaboratorSettings, HeldOut
from fedspoke.collaborator import orders, workflow
from fedspoke.collaborator.answers import LlavaTrained
from fedspoke.collaborator.orders import FinishTask, Task, TrainTask
from fedspoke.collaborator.workflow import Finishing, Workflow
from support import adapters
from support.envoy import wait_for
from support.flow import flowing
from support.flower import fake_trainer, with_fake_trainer
from support.trainer import Behaviour, done

BEFORE_AN_ORDER = ["download_model", "fetch_data facebook", "fetch_data instagram", "clean_data"]
AT_THE_END = ["evaluate", "generate_profile facebook", "generate_profile instagram"]


@pytest.fixture
def settings(tmp_path: Path) -> CollaboratorSettings:
    told = with_fake_trainer(tmp_path, 1).model_copy(update={"datasets": {"facebook": "unused", "instagram": "unused"}})
    adapters.save(adapters.filled(adapters.layout(), 1), tmp_path / "start")
    workflow.save(told, workflow.begun(told))
    return told


@pytest.fixture
def asking(settings: CollaboratorSettings) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def train(settings: CollaboratorSettings, number: int) -> TrainTask:
    folder = Path(settings.mcp_token).parent
    return TrainTask(round=number, adapter=str(folder / "start"), output=str(folder / f"update-{number}"))


def finish(settings: CollaboratorSettings) -> FinishTask:
    return FinishTask(adapter=str(Path(settings.mcp_token).parent / "start"))


def ask(settings: CollaboratorSettings, task: Task, gone: Event | None = None) -> LlavaTrained | Finishing:
    """As one of Flower's processes does, until it is gone."""

    def look() -> None:
        if gone and gone.is_set():
            raise Failed("I am gone")

    until = time.monotonic() + 60
    if isinstance(task, TrainTask):
        return orders.ask(settings, task, LlavaTrained, until, look)
    return orders.ask(settings, task, Finishing, until, look)


def steps(state: Workflow) -> int:
    """How many of the trainer's steps a flow knows to be done."""
    end = state.finishing
    return max(0, len(state.done) - 1) + len(state.trained) + (end.evaluated + len(end.profiles) if end else 0)


def permit(settings: CollaboratorSettings, steps: int) -> None:
    (Path(settings.mcp_token).parent / "permits").write_text(str(steps))


def test_a_flow_that_is_killed_after_each_step_goes_on_with_the_next_and_does_none_twice(
    settings: CollaboratorSettings, asking: ThreadPoolExecutor, tmp_path: Path
) -> None:
    expected = [*BEFORE_AN_ORDER, "train_llava 1", "train_llava 2", *AT_THE_END]
    tasks: list[Task] = [train(settings, 1), train(settings, 2), finish(settings)]
    answers: list[Future[LlavaTrained | Finishing]] = []
    permit(settings, 0)
    with fake_trainer(settings, tmp_path / "log", Behaviour(gated=True)):
        for number, step in enumerate(expected, 1):
            with flowing(settings):
                if step in ("train_llava 1", "train_llava 2", "evaluate"):
                    answers.append(asking.submit(ask, settings, tasks.pop(0)))
                permit(settings, number)
                wait_for(lambda n=number: steps(workflow.load(settings)) == n, step)  # type: ignore[misc]
        with flowing(settings):  # the last answer may not have been given
            told = [answer.result(60) for answer in answers]
    assert done(tmp_path) == expected
    assert told[:2] == [LlavaTrained(examples=1, loss=loss, seconds=0.1) for loss in (1, 0.5)]
    assert isinstance(told[2], Finishing)
    assert (sorted(told[2].profiles), told[2].held_out) == (["facebook", "instagram"], HeldOut(posts=1, before=2, after=1))


def test_a_flow_that_was_killed_before_it_answered_says_what_the_trainer_said(
    settings: CollaboratorSettings, asking: ThreadPoolExecutor, tmp_path: Path
) -> None:
    with fake_trainer(settings, tmp_path / "log"):
        with flowing(settings):
            wait_for(lambda: workflow.load(settings).prepared, "it is ready")
        answer = asking.submit(ask, settings, train(settings, 1))
        order = wait_for(lambda: orders.handed(settings), "the order is there")
        outcome = LlavaTrained(examples=7, loss=0.7, seconds=7)
        trained = workflow.TrainedRound(order=order.id, round=1, outcome=outcome)
        workflow.save(settings, workflow.load(settings).model_copy(update={"trained": (trained,)}))
        with flowing(settings):
            assert answer.result(60) == outcome
    assert "train_llava 1" not in done(tmp_path)


def test_an_order_that_nobody_waits_for_any_more_is_not_taken_up(
    settings: CollaboratorSettings, asking: ThreadPoolExecutor, tmp_path: Path
) -> None:
    gone = Event()
    gone.set()
    with pytest.raises(Failed, match="I am gone"):
        ask(settings, train(settings, 1), gone)
    with fake_trainer(settings, tmp_path / "log"), flowing(settings):
        asking.submit(ask, settings, train(settings, 2)).result(60)
    assert done(tmp_path) == [*BEFORE_AN_ORDER, "train_llava 2"]


def test_an_order_that_comes_again_joins_the_work_at_the_one_before_it(settings: CollaboratorSettings, tmp_path: Path) -> None:
    """As when Flower's process was killed, and another one hands in the same."""
    permit(settings, len(BEFORE_AN_ORDER))
    with fake_trainer(settings, tmp_path / "log", Behaviour(gated=True)), flowing(settings), ThreadPoolExecutor(2) as both:
        first = both.submit(ask, settings, train(settings, 1), gone := Event())
        wait_for(lambda: workflow.load(settings).step == "train_llava round 1", "it is at work")
        before = orders.handed(settings)
        again = both.submit(ask, settings, train(settings, 1))
        wait_for(lambda: orders.handed(settings) != before, "the same order is there anew")
        gone.set()
        assert str(first.exception(60)) == "I am gone"
        permit(settings, 99)
        assert again.result(60) == LlavaTrained(examples=1, loss=1, seconds=0.1)
    assert done(tmp_path) == [*BEFORE_AN_ORDER, "train_llava 1"]


def test_what_fails_under_an_order_is_its_answer_and_the_flow_waits_for_the_next(
    settings: CollaboratorSettings, asking: ThreadPoolExecutor, tmp_path: Path
) -> None:
    behaviour = Behaviour(fail={"train_llava 1": "training diverged"})
    with fake_trainer(settings, tmp_path / "log", behaviour), flowing(settings):
        with pytest.raises(Failed, match="training diverged"):
            asking.submit(ask, settings, train(settings, 1)).result(60)
        asking.submit(ask, settings, train(settings, 2)).result(60)
        wait_for(lambda: workflow.load(settings).step == workflow.READY, "it waits again")
    state = workflow.load(settings)
    assert (state.error, [each.round for each in state.trained]) == (None, [2])
    assert done(tmp_path) == [*BEFORE_AN_ORDER, "train_llava 2"]


def test_a_round_says_until_when_it_is_wanted(settings: CollaboratorSettings, asking: ThreadPoolExecutor, tmp_path: Path) -> None:
    permit(settings, len(BEFORE_AN_ORDER))
    with fake_trainer(settings, tmp_path / "log", Behaviour(gated=True)), flowing(settings):
        answer = asking.submit(ask, settings, train(settings, 1))
        wait_for(lambda: workflow.load(settings).step == "train_llava round 1", "it is at work")
        state, order = workflow.load(settings), orders.handed(settings)
        permit(settings, 99)
        answer.result(60)
    assert order
    assert (state.until, state.since is not None) == (order.until, True)


def test_what_another_federation_left_is_not_gone_on_from(settings: CollaboratorSettings) -> None:
    other = settings.model_copy(update={"run": "another"})
    workflow.save(settings, Workflow(id=settings.run, step="clean_data", trainer="one", error="no record is left"))
    assert workflow.begun(other) == Workflow(id="another")
    assert workflow.begun(settings) == Workflow(id=settings.run, step="clean_data", trainer="one")
