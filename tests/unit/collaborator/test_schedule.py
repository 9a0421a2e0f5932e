"""The learning rate over a whole federation, with transformers' own schedules as the judge."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from fedspoke.collaborator.schedule import Schedule, share

SCHEDULES: list[Schedule] = ["constant", "linear", "cosine"]


def theirs(schedule: Schedule, rising: int, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=rising, num_training_steps=steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("warmup", "steps"), [(0.0, 1), (0.0, 12), (0.1, 30), (0.5, 7)])
def test_after_the_warmup_it_is_transformers_schedule(schedule: Schedule, warmup: float, steps: int) -> None:
    rising = int(warmup * steps)
    ours = [share(schedule, warmup, step, steps) for step in range(1, steps + 1)]
    assert ours[rising:] == pytest.approx(theirs(schedule, rising, steps)[rising:])


@given(st.sampled_from(SCHEDULES), st.floats(0, 0.99), st.integers(1, 200))
def test_it_rises_in_equal_steps_to_its_peak_and_never_rises_again(schedule: Schedule, warmup: float, steps: int) -> None:
    shares = [share(schedule, warmup, step, steps) for step in range(1, steps + 1)]
    peak = int(warmup * steps)
    assert shares[: peak + 1] == pytest.approx([(n + 1) / (peak + 1) for n in range(peak + 1)])
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


@given(st.sampled_from(SCHEDULES), st.floats(0, 0.99), st.integers(1, 200))
def test_no_step_of_the_federation_teaches_nothing(schedule: Schedule, warmup: float, steps: int) -> None:
    assert all(0 < share(schedule, warmup, step, steps) <= 1 for step in range(1, steps + 1))


def test_a_step_beyond_the_last_is_the_last_again() -> None:
    assert share("linear", 0.1, 25, 20) == share("linear", 0.1, 20, 20)
