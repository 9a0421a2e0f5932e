"""The flow's step that has posts judged: real CrewAI, a model that reads from a script, and a trainer that keeps a book."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fedspoke.api.curation import Curation
from fedspoke.api.records import CollaboratorSettings
from fedspoke.collaborator import workflow
from fedspoke.collaborator.curation import Curated
from fedspoke.collaborator.decisions import FILE
from support.envoy import wait_for
from support.flow import flowing
from support.flower import fake_trainer, with_fake_trainer
from support.language_model import LanguageModel, Reply, Request, saying, serving
from support.mcp import free_port
from support.trainer import Behaviour, done, post_id

CLEANED = ["download_model", "fetch_data facebook", "clean_data"]


@pytest.fixture
def asking(tmp_path: Path) -> Callable[[Curation], CollaboratorSettings]:
    told = with_fake_trainer(tmp_path, 1)

    def settings(curation: Curation) -> CollaboratorSettings:
        asked = told.model_copy(update={"curation": curation, "overrules": str(tmp_path / "overrules")})
        workflow.save(asked, workflow.begun(asked))
        return asked

    return settings


def ready(settings: CollaboratorSettings) -> workflow.Workflow:
    def state() -> workflow.Workflow | None:
        found = workflow.load(settings)
        assert found.error is None, found.error
        return found if found.step == workflow.READY else None

    found = wait_for(state, "it waits for an order", 60)
    assert found
    return found


def decided(settings: CollaboratorSettings) -> list[str]:
    """The ids of what was decided, in order."""
    file = Path(settings.output) / FILE
    return [json.loads(line)["id"] for line in file.read_text().splitlines()] if file.exists() else []


def test_posts_are_judged_before_an_order_can_come_and_the_trainer_is_told(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    with serving(saying({"post 1": "health"}, topic="food")) as model:
        settings = asking(model.curation())
        with fake_trainer(settings, tmp_path / "log"), flowing(settings):
            state = ready(settings)
    assert done(tmp_path) == [*CLEANED, "set_aside facebook health 1", "name_topic facebook food 2"]
    assert state.curated == {"facebook": Curated(kept=2, set_aside={"health": 1}, requests=5)}
    assert state.prepared
    assert (state.prepared.posts, state.prepared.remark, len(state.prepared.layout) > 0) == ({"facebook": 2}, "", True)


def test_a_flow_that_is_killed_after_each_post_asks_of_none_twice(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    posts, permits = 4, threading.Semaphore(0)
    ids = {f"facebook post {number}": post_id("facebook", number) for number in range(posts)}
    again: list[str] = []

    def answer(request: Request) -> str | Reply:
        again.extend([request.post] if ids[request.post] in decided(settings) else [])
        if "keep" in request.words:
            permits.acquire()
        return saying({"post 2": "money"})(request)

    with serving(answer) as model:
        settings = asking(model.curation())
        with fake_trainer(settings, tmp_path / "log", Behaviour(listed=posts)):
            for number in range(1, posts + 1):
                with flowing(settings):
                    permits.release(number)  # one for each that was asked by a flow that is gone
                    wait_for(lambda n=number: len(decided(settings)) >= n, f"post {number} is judged", 60)  # type: ignore[misc]
            with flowing(settings):
                permits.release(posts)
                state = ready(settings)
    assert (decided(settings), again) == (list(ids.values()), [])
    assert done(tmp_path) == [*CLEANED, "set_aside facebook money 1", "name_topic facebook other 3"]
    told = state.curated["facebook"]
    assert (told.kept, told.set_aside) == (3, {"money": 1})
    assert 7 <= len(model.requests) <= told.requests  # with those that a flow had sent when it was killed


def test_a_trainer_in_anothers_place_is_told_again_and_no_model_is_asked(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    with serving(saying({"post 1": "health"})) as model:
        settings = asking(model.curation())
        with flowing(settings):
            for _ in range(2):
                with fake_trainer(settings, tmp_path / "log") as process:
                    wait_for(lambda: workflow.load(settings).step == workflow.READY, "it is ready", 60)
                    process.kill()
                    process.wait()
                    wait_for(lambda: workflow.load(settings).step != workflow.READY, "it has seen that", 60)
    assert len(model.requests) == 5
    assert done(tmp_path).count("set_aside facebook health 1") == 2


def test_an_endpoint_that_is_away_is_said_and_nothing_is_trained_on_until_it_is_back(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    port = free_port()
    settings = asking(LanguageModel(port).curation())
    with fake_trainer(settings, tmp_path / "log"), flowing(settings):
        wait_for(lambda: workflow.load(settings).again, "it is repeated", 60)
        away = workflow.load(settings)
        with serving(saying({}), port=port):
            state = ready(settings)
    assert away.again.startswith(f"the endpoint of client.curation, http://127.0.0.1:{port}/v1, does not answer; repeated since ")
    assert (away.step, away.prepared, away.since is not None) == ("curate facebook", None, True)
    assert state.prepared


def test_an_endpoint_that_stays_away_is_an_error_that_may_pass_and_never_a_federation_that_is_not_curated(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    settings = asking(LanguageModel(free_port()).curation())
    with fake_trainer(settings, tmp_path / "log"), flowing(settings, patience=0):
        wait_for(lambda: workflow.load(settings).error, "orders hear of it", 60)
        state = workflow.load(settings)
    assert (state.prepared, state.passing) == (None, True)
    assert done(tmp_path) == CLEANED


def test_when_nothing_is_left_to_train_on_it_is_said(asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path) -> None:
    with serving(saying({}, otherwise="I cannot say")) as model:
        settings = asking(model.curation())
        with fake_trainer(settings, tmp_path / "log"), flowing(settings):
            wait_for(lambda: workflow.load(settings).error, "it has failed", 60)
    state = workflow.load(settings)
    assert state.error == "curation leaves no post to train on; curation.jsonl in the collaborator's output says why"
    assert (state.prepared, state.passing) == (None, False)


def test_a_bound_that_was_reached_is_a_remark_for_the_hub(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    with serving(saying({})) as model:
        settings = asking(model.curation(maxRequests=2))
        with fake_trainer(settings, tmp_path / "log"), flowing(settings):
            state = ready(settings)
    assert state.prepared
    assert (state.prepared.posts, len(model.requests)) == ({"facebook": 1}, 2)
    assert state.prepared.remark.startswith("client.curation.maxRequests, 2, was too few; ")
    assert state.curated["facebook"].set_aside == {"unjudged": 2}


def test_a_post_that_the_owner_keeps_is_trained_on_though_the_crew_had_set_it_aside(
    asking: Callable[[Curation], CollaboratorSettings], tmp_path: Path
) -> None:
    with serving(saying({"post 1": "health"})) as model:
        settings = asking(model.curation())
        with fake_trainer(settings, tmp_path / "log"), flowing(settings):
            assert ready(settings).curated["facebook"].kept == 2
        (tmp_path / "overrules").mkdir()
        (tmp_path / "overrules" / "keep").write_text(post_id("facebook", 1))
        with flowing(settings), fake_trainer(settings, tmp_path / "log"):
            wait_for(lambda: workflow.load(settings).curated.get("facebook", Curated(kept=0)).kept == 3, "it is kept", 60)
