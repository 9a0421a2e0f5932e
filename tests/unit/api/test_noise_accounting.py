"""Our noise beside that of Google's dp-accounting, and what several releases spend."""

import math

import pytest
from dp_accounting import get_epsilon_gaussian, get_sigma_gaussian
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.noise import composed, epsilon, exact_delta, sigma
from fedspoke.api.profile_noise import noise
from fedspoke.api.training import Profiles

EPSILONS = (0.1, 0.5, 1, 2, 4, 8, 16, 32)
DELTAS = (1e-10, 1e-7, 1e-5, 1e-3, 0.05)

epsilons = st.floats(0.05, 60)
deltas = st.floats(1e-10, 0.1)


@pytest.mark.parametrize("asked", EPSILONS)
@pytest.mark.parametrize("delta", DELTAS)
def test_noise_is_that_of_dp_accounting_and_never_less(asked: float, delta: float) -> None:
    ours, theirs = sigma(asked, delta, 1), get_sigma_gaussian(asked, delta, tol=1e-12)
    assert ours == pytest.approx(theirs, rel=1e-8)
    assert get_epsilon_gaussian(ours, delta, tol=1e-12) <= asked * (1 + 1e-8)


@pytest.mark.parametrize("scale", [0.1, 0.5, 1, 3, 20])
@pytest.mark.parametrize("delta", DELTAS)
def test_spent_epsilon_is_that_of_dp_accounting(scale: float, delta: float) -> None:
    assert epsilon(delta, 1 / scale) == pytest.approx(get_epsilon_gaussian(scale, delta, tol=1e-12), rel=1e-8, abs=1e-9)


@given(epsilons, deltas)
def test_a_release_spends_what_was_asked(asked: float, delta: float) -> None:
    assert epsilon(delta, 1 / sigma(asked, delta, 1)) == pytest.approx(asked, rel=1e-9)


@given(deltas, st.floats(0.01, 25))
def test_spent_epsilon_is_enough(delta: float, mu: float) -> None:
    assert exact_delta(epsilon(delta, mu), mu) <= delta


@pytest.mark.parametrize("mu", [30, 60, 200])
def test_an_epsilon_beyond_all_use_is_still_told_and_not_too_low(mu: float) -> None:
    true = get_epsilon_gaussian(1 / mu, 1e-5)
    assert true <= epsilon(1e-5, mu) <= true * 1.01


def test_what_shows_nothing_spends_nothing() -> None:
    assert epsilon(1e-5, 0) == 0
    assert composed([]) == 0


@given(st.floats(0.1, 30), st.integers(20, 10**6), deltas, st.booleans(), st.booleans())
def test_all_parts_of_a_profile_together_spend_what_was_asked(
    asked: float, posts: int, delta: float, topics: bool, visual: bool
) -> None:
    given_noise = noise(Profiles(epsilon=asked, delta=delta, topics=topics), posts, visual=visual)
    assert given_noise is not None
    parts = [
        (2 / posts, given_noise.sigma),
        (2 / posts, given_noise.visual_sigma),
        (math.sqrt(2), given_noise.topics_sigma),
    ]
    assert sum(scale is not None for _, scale in parts) == 1 + topics + visual
    together = composed(sensitivity / scale for sensitivity, scale in parts if scale is not None)
    assert epsilon(delta, together) == pytest.approx(asked, rel=1e-9)


def test_without_an_epsilon_there_is_no_noise() -> None:
    assert noise(Profiles(epsilon=None), 20, visual=True) is None
