"""Each strategy against a plain answer in fp64, Flower's own where it has one, and against clusters that lie."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from flwr.server.strategy import aggregate as flower
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedspoke.api.aggregation import Aggregation
from fedspoke.hub.aggregation.strategies import bulyan, fedadam, fedavg, fedmedian, fedyogi, krum, multikrum, order, trimmedmean
from fedspoke.hub.aggregation.strategies.adaptive import Optimizer
from fedspoke.hub.aggregation.strategies.rule import rule

Single = NDArray[np.float32]

NUMBERS = 40
seeds = st.integers(0, 2**32 - 1)
liars = st.integers(1, 2)


def drawn(seed: int, clusters: int) -> Single:
    """Updates that travelled as fp16; a quarter of the numbers is the same for some clusters, as happens in fp16."""
    generator = np.random.default_rng(seed)
    values: Single = generator.standard_normal((clusters, NUMBERS)).astype(np.float16).astype(np.float32)
    values[: clusters // 2, : NUMBERS // 4] = values[0, : NUMBERS // 4]
    return values


def for_flower(values: Single) -> list[tuple[list[NDArray[np.float64]], int]]:
    """One array of each cluster, all with one example."""
    return [([row.astype(np.float64)], 1) for row in values]


def median(values: Single) -> Single:
    return fedmedian.median(values)


def trimmed(values: Single, f: int) -> Single:
    return trimmedmean.trimmed_mean(values, (f + 0.5) / len(values))


def krummed(values: Single, f: int) -> Single:
    return np.asarray(values[krum.krum(krum.distances([values]), f)])


def multikrummed(values: Single, f: int) -> Single:
    taken = multikrum.multikrum(krum.distances([values]), f, multikrum.most(len(values), f))
    return np.asarray(values[taken].mean(axis=0))


def bulyaned(values: Single, f: int) -> Single:
    return bulyan.around_median(values[bulyan.chosen(krum.distances([values]), f)], f)


Robust = Callable[[Single, int], Single]
ROBUST: dict[str, tuple[Robust, Callable[[int], int]]] = {  # how, and how many clusters it needs with f liars
    "fedmedian": (lambda values, f: median(values), lambda f: 2 * f + 1),
    "trimmedmean": (trimmed, lambda f: 2 * f + 1),
    "krum": (krummed, lambda f: 2 * f + 3),
    "multikrum": (multikrummed, lambda f: 2 * f + 3),
    "bulyan": (bulyaned, lambda f: 4 * f + 3),
}
few = settings(max_examples=15)  # whole blocks take their time
every_robust = pytest.mark.parametrize(("strategy", "need"), ROBUST.values(), ids=ROBUST)


@few
@given(seeds, st.integers(1, 9))
def test_a_block_is_sorted_as_numpy_sorts_it(seed: int, clusters: int) -> None:
    values = np.random.default_rng(seed).standard_normal((clusters, order._BLOCK + 3)).astype(np.float32)
    np.testing.assert_array_equal(order.ordered(values), np.sort(values, axis=0))


@given(seeds, st.lists(st.integers(1, 10**9), min_size=1, max_size=8))
def test_fedavg_is_the_weighted_mean(seed: int, examples: list[int]) -> None:
    values = drawn(seed, len(examples))
    expected = np.average(values.astype(np.float64), axis=0, weights=examples)
    np.testing.assert_allclose(fedavg.mean(values, fedavg.shares(examples)), expected, atol=1e-5)


@given(seeds, st.integers(1, 9))
def test_fedmedian_is_flowers(seed: int, clusters: int) -> None:
    values = drawn(seed, clusters)
    np.testing.assert_allclose(median(values), flower.aggregate_median(for_flower(values))[0], atol=1e-6)


@given(seeds, st.integers(1, 9), st.floats(0, 0.49))
def test_trimmedmean_is_flowers(seed: int, clusters: int, beta: float) -> None:
    values = drawn(seed, clusters)
    expected = flower.aggregate_trimmed_avg(for_flower(values), beta)[0]
    np.testing.assert_allclose(trimmedmean.trimmed_mean(values, beta), expected, atol=1e-6)


@few
@given(seeds, st.integers(1, 7))
def test_distances_are_those_of_whole_updates(seed: int, clusters: int) -> None:
    generator = np.random.default_rng(seed)
    tensors = [generator.standard_normal((clusters, size)).astype(np.float32) for size in (5, krum._BLOCK + 7)]
    whole = np.concatenate(tensors, axis=1).astype(np.float64)
    expected = np.square(whole[:, None] - whole[None]).sum(axis=2)
    np.testing.assert_allclose(krum.distances(tensors), expected, rtol=1e-5)


@given(seeds, liars, st.integers(0, 3))
def test_krum_is_flowers(seed: int, f: int, more: int) -> None:
    values = drawn(seed, 2 * f + 3 + more)
    np.testing.assert_array_equal(krummed(values, f), flower.aggregate_krum(for_flower(values), f, 0)[0])


@given(seeds, liars, st.integers(0, 3), st.integers(1, 5))
def test_multikrum_is_flowers(seed: int, f: int, more: int, select: int) -> None:
    values = drawn(seed, 2 * f + 3 + more)
    taken = multikrum.multikrum(krum.distances([values]), f, select)
    expected = flower.aggregate_krum(for_flower(values), f, select)[0]
    np.testing.assert_allclose(values[taken].mean(axis=0), expected, atol=1e-6)


@given(st.integers(0, 5), st.integers(1, 12), st.integers(1, 30))
def test_multikrum_takes_no_more_than_it_can_vouch_for(f: int, select: int, clusters: int) -> None:
    how = Aggregation.model_validate({"strategy": "multikrum", "options": {"malicious": f, "select": select}})
    assert (clusters >= how.responses) == (clusters >= 2 * f + 3 and select <= multikrum.most(clusters, f))


@given(seeds, liars, st.integers(0, 3))
def test_multikrum_leaves_out_liars_and_who_agrees_with_nobody(seed: int, f: int, more: int) -> None:
    generator = np.random.default_rng(seed)
    clusters = 2 * f + 3 + more
    values: Single = generator.standard_normal((clusters, NUMBERS)).astype(np.float32)
    agreed = values[: clusters - f - 2].copy()
    values[-2, 0] = values[-1, 1] = 1000  # two honest clusters, each on its own
    values[clusters - f - 2 : -2] = 1000 * np.eye(NUMBERS, dtype=np.float32)[2]  # and all liars together
    how = Aggregation.model_validate({"strategy": "multikrum", "options": {"malicious": f}})
    result = rule(how, fedavg.shares([1] * clusters), [values], None)(values, lambda: values[0])
    np.testing.assert_allclose(result, agreed.mean(axis=0), atol=1e-5)


@given(seeds, liars, st.integers(0, 3))
def test_bulyan_is_flowers(seed: int, f: int, more: int) -> None:
    # Continuous values: with equal ones, which of two that are as far from the median counts is anyone's choice.
    values = np.random.default_rng(seed).standard_normal((4 * f + 3 + more, NUMBERS)).astype(np.float32)
    expected = flower.aggregate_bulyan(for_flower(values), f, flower.aggregate_krum, to_keep=0)[0]
    np.testing.assert_allclose(bulyaned(values, f), expected, atol=1e-6)


@every_robust
def test_updates_that_are_equal_give_themselves(strategy: Robust, need: Callable[[int], int]) -> None:
    values = np.tile(drawn(1, 1), (need(1), 1))
    np.testing.assert_allclose(strategy(values, 1), values[0], rtol=1e-6)


@every_robust
@given(seeds, liars)
def test_no_large_lie_moves_a_number_beyond_what_honest_clusters_say(
    strategy: Robust, need: Callable[[int], int], seed: int, f: int
) -> None:
    generator = np.random.default_rng(seed)
    honest = generator.standard_normal((need(f) - f, NUMBERS)).astype(np.float32)
    lies = generator.choice(np.array([-65504, -10, 0, 10, 65504], np.float32), size=(f, NUMBERS))
    values = generator.permutation(np.concatenate([honest, lies]))
    result = strategy(values, f)
    assert (result >= honest.min(axis=0) - 1e-5).all()
    assert (result <= honest.max(axis=0) + 1e-5).all()


@every_robust
@pytest.mark.parametrize("lie", ["minus ten times", "as large as fp16 goes", "one large number among honest ones"])
def test_a_poisoned_cluster_spoils_fedavg_and_no_robust_strategy(strategy: Robust, need: Callable[[int], int], lie: str) -> None:
    generator = np.random.default_rng(7)
    clusters = max(5, need(1))
    agreed = generator.standard_normal(1000)
    values = (agreed + 0.3 * generator.standard_normal((clusters, 1000))).astype(np.float32)
    honest = values[:-1].mean(axis=0)
    match lie:
        case "minus ten times":
            values[-1] *= -10
        case "as large as fp16 goes":
            values[-1] = 65504
        case _:
            values[-1, 3] = 65504
    away = np.linalg.norm(strategy(values, 1) - honest) / np.linalg.norm(honest)
    spoiled = fedavg.mean(values, fedavg.shares([100] * clusters))
    assert np.linalg.norm(spoiled - honest) / np.linalg.norm(honest) > 1.2
    assert away < 0.35  # one honest cluster alone is 0.3 from what they agree on


def reference(seconds: str, options: Optimizer, starts: list[Single], means: list[Single]) -> NDArray[np.floating]:
    """Algorithm 2 of arXiv 2003.00295 in fp64, over some rounds."""
    m, v = np.zeros(NUMBERS), np.full(NUMBERS, options.tau**2)
    for start, mean in zip(starts, means, strict=True):
        delta = mean.astype(np.float64) - start
        m = options.beta1 * m + (1 - options.beta1) * delta
        if seconds == "fedadam":
            v = options.beta2 * v + (1 - options.beta2) * delta**2
        else:
            v = v - (1 - options.beta2) * delta**2 * np.sign(v - delta**2)
        result = start + options.learning_rate * m / (np.sqrt(v) + options.tau)
    return result


@pytest.mark.parametrize("name", ["fedadam", "fedyogi"])
@given(seeds, st.integers(1, 5), st.sampled_from([{}, {"learningRate": 0.1, "beta1": 0.5}, {"beta2": 0.999, "tau": 0.1}]))
def test_an_optimizer_steps_as_the_paper_says(name: str, seed: int, rounds: int, options: dict[str, float]) -> None:
    optimizer, second = Optimizer.of(options), {"fedadam": fedadam.second, "fedyogi": fedyogi.second}[name]
    generator = np.random.default_rng(seed)
    starts, means = list(generator.standard_normal((2, rounds, NUMBERS)).astype(np.float32))
    m, v = optimizer.first((NUMBERS,))
    for start, mean in zip(starts, means, strict=True):
        result, m, v = optimizer.step(start, mean, m, v, second)
    assert result.dtype == m.dtype == v.dtype == np.float32
    np.testing.assert_allclose(result, reference(name, optimizer, list(starts), list(means)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("second", [fedadam.second, fedyogi.second])
def test_clusters_that_moved_nothing_leave_everything_where_it_was(second: Callable[..., Single]) -> None:
    start = drawn(1, 1)[0]
    optimizer = Optimizer()
    result, m, v = optimizer.step(start, start, *optimizer.first(start.shape), second)
    np.testing.assert_array_equal(result, start)
    assert not m.any()
    assert math.isfinite(v.sum())
