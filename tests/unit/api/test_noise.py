import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.noise import exact_delta, sigma

epsilons = st.floats(0.05, 60)
deltas = st.floats(1e-10, 0.1)


@pytest.mark.parametrize(("epsilon", "multiplier"), [(1, 3.731), (4, 1.081), (8, 0.600)])
def test_multipliers_are_those_of_the_privacy_loss_distribution(epsilon: float, multiplier: float) -> None:
    # From Google's dp_accounting, delta 1e-5.
    assert sigma(epsilon, 1e-5, 1) == pytest.approx(multiplier, abs=6e-4)


@given(epsilons, deltas)
def test_the_noise_is_enough_and_no_more_than_needed(epsilon: float, delta: float) -> None:
    scale = sigma(epsilon, delta, 1)
    assert exact_delta(epsilon, 1 / scale) <= delta
    assert exact_delta(epsilon, 1 / (scale * 0.999)) > delta


@given(epsilons, deltas, st.floats(1.01, 10))
def test_a_larger_epsilon_needs_less_noise(epsilon: float, delta: float, factor: float) -> None:
    assert sigma(epsilon * factor, delta, 1) < sigma(epsilon, delta, 1)


@given(epsilons, deltas, st.floats(1e-6, 1e3))
def test_noise_grows_with_the_sensitivity(epsilon: float, delta: float, sensitivity: float) -> None:
    assert sigma(epsilon, delta, sensitivity) == pytest.approx(sensitivity * sigma(epsilon, delta, 1))


def test_an_epsilon_too_large_for_floats_still_gets_an_answer() -> None:
    assert 0 < sigma(1e6, 1e-5, 1) < 0.1
