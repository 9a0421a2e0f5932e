import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.pld import PLDAccountant
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.noise import epsilon, exact_delta, sigma, together

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


@given(epsilons, deltas)
def test_the_privacy_loss_of_the_noise_for_an_epsilon_is_that_epsilon(asked: float, delta: float) -> None:
    assert epsilon(delta, 1 / sigma(asked, delta, 1)) == pytest.approx(asked, rel=1e-6)


@pytest.mark.parametrize(("multiplier", "releases"), [(0.5, 1), (1.0, 3), (3.0, 10), (10.0, 20)])
def test_many_releases_cost_what_googles_accountant_says(multiplier: float, releases: int) -> None:
    accountant = PLDAccountant()
    accountant.compose(GaussianDpEvent(multiplier), releases)
    ours = epsilon(1e-5, together([1 / multiplier] * releases))
    assert ours == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-3)


def test_releases_of_different_noise_are_added_up_by_googles_accountant_the_same_way() -> None:
    accountant = PLDAccountant()
    for multiplier in (1.0, 2.5, 4.0):
        accountant.compose(GaussianDpEvent(multiplier))
    assert epsilon(1e-6, together([1.0, 0.4, 0.25])) == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-3)


def test_nothing_released_costs_nothing() -> None:
    assert epsilon(1e-5, together([])) == 0


def test_so_little_released_that_delta_covers_it_costs_nothing() -> None:
    assert epsilon(0.01, 0.02) == 0  # the two results are 0.8 % apart in total variation


@given(st.floats(0.01, 100), deltas)
def test_a_privacy_loss_is_enough_and_no_more_than_needed(mu: float, delta: float) -> None:
    loss = epsilon(delta, mu)
    assert exact_delta(loss, mu) <= delta
    assert loss == 0 or exact_delta(0.999 * loss, mu) > delta


def test_next_to_no_noise_costs_a_number_that_can_be_written_down() -> None:
    assert epsilon(1e-5, 1000.0) == pytest.approx(1000**2 / 2 + 4.265 * 1000, rel=1e-3)  # mu²/2 + mu·Φ⁻¹(1 − delta)
