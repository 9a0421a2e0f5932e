"""What comes from another machine is bounded where it enters."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from fedspoke.api.records import Failure, Finished, Prepared, RoundRecord, Trained, cause

TRAINED = {"cluster": "cluster1", "round": 1, "digest": "0" * 64, "examples": 3, "loss": 1.5, "seconds": 2.0}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("loss", "NaN", id="a loss that is no number"),
        pytest.param("loss", "Infinity", id="a loss without end"),
        pytest.param("loss", "1e308", id="a loss whose sum would be without end"),
        pytest.param("loss", "-1", id="a loss below nothing"),
        pytest.param("seconds", "NaN", id="no time"),
        pytest.param("seconds", "-1", id="a time before it began"),
        pytest.param("examples", "0", id="trained on nothing"),
        pytest.param("examples", "1e30", id="trained on everything"),
        pytest.param("cluster", json.dumps("c" * 64), id="a name longer than a namespace's"),
    ],
)
def test_an_answer_that_would_poison_a_round_is_refused(field: str, value: str) -> None:
    text = json.dumps({**TRAINED, field: "?"}).replace('"?"', value)
    with pytest.raises(ValidationError):
        Trained.model_validate_json(text)


@pytest.mark.parametrize("posts", [-1, 10**10])
def test_posts_are_a_count(posts: int) -> None:
    with pytest.raises(ValidationError):
        Prepared(cluster="cluster1", posts={"facebook": posts}, layout=())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "null"])
def test_a_round_is_never_written_with_a_loss_that_cannot_be_read(value: str) -> None:
    with pytest.raises(ValidationError):
        RoundRecord.model_validate_json(f'{{"round":1,"digest":"{"0" * 64}","loss":{value},"seconds":1,"clusters":{{}}}}')


def test_a_sentence_is_one_line_and_ends() -> None:
    failure = Failure(cluster="cluster1", step="train", message="out of\nmemory " * 1000)
    assert failure.message.startswith("out of memory out of memory ")
    assert (len(failure.message), failure.message[-1]) == (1000, "…")
    assert Failure.model_validate_json(failure.model_dump_json()) == failure
    assert len(Finished(cluster="cluster1", shared=(), refused={"facebook": "x" * 2000}).refused["facebook"]) == 1000


def test_a_cause_names_the_field_and_not_what_is_in_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Trained.model_validate({**TRAINED, "digest": "a post's text"})
    said = cause(caught.value)
    assert said.startswith("digest: ")
    assert "post" not in said


def test_a_cause_without_a_field_is_said_too() -> None:
    bad: Any = "{"
    with pytest.raises(ValidationError) as caught:
        Trained.model_validate_json(bad)
    assert cause(caught.value).startswith("Invalid JSON")
