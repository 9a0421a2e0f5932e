"""Which posts a step sees."""

from collections import Counter
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.training import Training
from fedspoke.collaborator import plan
from fedspoke.collaborator.batches import Example
from support.examples import examples


def training(**changes: Any) -> Training:
    return Training(**{"batch_size": 4, "gradient_accumulation": 2} | changes)


def order(posts: list[Example], how: Training, round_: int = 1) -> list[list[list[str]]]:
    return [[[post.id for post in batch] for batch in step] for step in plan.batches(posts, how, round_)]


@given(st.integers(1, 30), st.integers(0, 10), st.integers(1, 3), st.integers(1, 5), st.integers(1, 4))
def test_each_epoch_shows_every_post_once(pictured: int, plain: int, epochs: int, size: int, accumulation: int) -> None:
    posts = examples(pictured, plain)
    how = training(epochs=epochs, batch_size=size, gradient_accumulation=accumulation)
    steps = order(posts, how)
    seen = Counter(id_ for step in steps for batch in step for id_ in batch)
    assert seen == dict.fromkeys((post.id for post in posts), epochs)
    assert len(steps) == plan.steps(posts, how)


def test_steps_go_on_beyond_an_epoch_and_never_mix_posts_with_and_without_pictures() -> None:
    posts = examples(5, 2)
    steps = order(posts, training(steps=7))
    assert len(steps) == 7
    assert all(len({id_.split("-")[0] for id_ in batch}) == 1 for step in steps for batch in step)


def test_the_order_is_that_of_seed_and_round() -> None:
    posts = examples(20, 3)
    same, again = order(posts, training(), 1), order(posts, training(), 1)
    assert same == again
    assert same != order(posts, training(), 2)
    assert same != order(posts, training(seed=1), 1)


def test_the_rest_of_a_round_is_planned_as_it_was_from_the_beginning() -> None:
    posts, how = examples(20, 3), training(epochs=2)
    assert [[[p.id for p in b] for b in s] for s in islice(plan.batches(posts, how, 1), 3, None)] == order(posts, how)[3:]


@pytest.mark.parametrize("other", [(0, 1, 2), (1, 1, 1), (0, 2, 1), (0, 11), (0, 1)])
def test_each_step_has_a_seed_of_its_own_that_torch_takes(other: tuple[int, ...]) -> None:
    assert plan.seed(0, 1, 1) != plan.seed(*other)
    assert 0 <= plan.seed(*other) < 2**63


def test_seeds_are_the_same_on_every_machine() -> None:
    assert plan.seed(0, 1, 1) == 419307964210836956
