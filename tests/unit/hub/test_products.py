"""Products of LoRA's factors, against the products themselves: small ones are formed here, and only here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedspoke.hub.aggregation import products
from fedspoke.hub.aggregation.strategies import fedavg

Factors = list[NDArray[np.float32]]

OUT, IN = 9, 12
seeds = st.integers(0, 2**32 - 1)
examples = st.lists(st.integers(1, 1000), min_size=1, max_size=5)


def drawn(seed: int, ranks: list[int]) -> tuple[Factors, Factors]:
    """Factors as they travel: fp16, here in fp32."""
    generator = np.random.default_rng(seed)
    b = [generator.standard_normal((OUT, rank)).astype(np.float16).astype(np.float32) for rank in ranks]
    a = [generator.standard_normal((rank, IN)).astype(np.float16).astype(np.float32) for rank in ranks]
    return b, a


def gap(b: NDArray[np.float32], a: NDArray[np.float32], shares: NDArray[np.float32]) -> products.Gap:
    """Between the product of the means and the mean of the products."""
    return products.averaged(products.columns(b), products.rows(a), shares)


def dense(b: Factors, a: Factors, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Σ w·B·A in fp64."""
    total = np.zeros((len(b[0]), a[0].shape[1]))
    for left, right, weight in zip(b, a, weights, strict=True):
        total += np.float64(weight) * (left.astype(np.float64) @ right)
    return total


@given(seeds, examples, st.integers(1, 3))
def test_the_bias_of_averaging_is_that_of_the_dense_products(seed: int, weights: list[int], rank: int) -> None:
    shares = fedavg.shares(weights)
    b, a = drawn(seed, [rank] * len(weights))
    mean_b, mean_a = (fedavg.mean(np.stack(each), shares) for each in (b, a))
    exact = dense(b, a, shares)
    measured = products.bias([gap(np.stack(b), np.stack(a), shares)])
    expected = np.linalg.norm(mean_b.astype(np.float64) @ mean_a - exact) / np.linalg.norm(exact)
    assert measured == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_a_bias_as_small_as_late_rounds_have_is_still_measured() -> None:
    (b,), (a,) = drawn(1, [3])
    generator = np.random.default_rng(2)
    bs, as_ = (
        np.stack([each + np.float32(1e-3) * generator.standard_normal(each.shape).astype(np.float32) for _ in range(4)])
        for each in (b, a)
    )
    shares = fedavg.shares([1, 2, 3, 4])
    mean_b, mean_a = fedavg.mean(bs, shares), fedavg.mean(as_, shares)
    exact = dense(list(bs), list(as_), shares)
    expected = np.linalg.norm(mean_b.astype(np.float64) @ mean_a - exact) / np.linalg.norm(exact)
    assert expected < 1e-5
    assert products.bias([gap(bs, as_, shares)]) == pytest.approx(expected, rel=0.05)


def test_factors_that_are_taken_piece_by_piece_lose_nothing() -> None:
    generator, shares = np.random.default_rng(3), fedavg.shares([1, 2, 3])
    b, a = (generator.standard_normal(shape).astype(np.float32) for shape in ((3, 5000, 2), (3, 2, 4500)))
    exact = dense(list(b), list(a), shares)
    expected = np.linalg.norm(fedavg.mean(b, shares).astype(np.float64) @ fedavg.mean(a, shares) - exact) / np.linalg.norm(exact)
    assert products.bias([gap(b, a, shares)]) == pytest.approx(expected, rel=1e-5)


def test_clusters_that_agree_have_no_bias() -> None:
    (b,), (a,) = drawn(1, [3])
    shares = fedavg.shares([1, 5])
    assert products.bias([gap(np.stack([b, b]), np.stack([a, a]), shares)]) == pytest.approx(0, abs=1e-6)


def test_the_bias_is_one_of_all_layers_together_and_not_their_mean() -> None:
    assert products.bias([products.Gap(9, 100), products.Gap(0, 125), products.Gap(0, 0)]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("gaps", "bias"),
    [
        pytest.param([products.Gap(0, 0)], 0.0, id="nothing became nothing"),
        pytest.param([products.Gap(1, 0)], None, id="nothing became something: there is no relation"),
        pytest.param([None, None], None, id="the strategy is no mean"),
    ],
)
def test_a_bias_without_a_measure_is_none(gaps: list[products.Gap | None], bias: float | None) -> None:
    assert products.bias(gaps) == bias


@given(seeds, st.lists(st.tuples(st.integers(1, 4), st.integers(1, 1000)), min_size=1, max_size=4), st.integers(1, 6))
def test_the_best_factors_are_those_of_the_dense_svd(seed: int, clusters: list[tuple[int, int]], rank: int) -> None:
    b, a = drawn(seed, [own for own, _ in clusters])
    shares = fedavg.shares([weight for _, weight in clusters])
    exact = dense(b, a, shares)
    u, sigma, v = np.linalg.svd(exact)
    best_b, best_a, gap = products.best(b, a, shares, rank)
    np.testing.assert_allclose(best_b @ best_a, (u[:, :rank] * sigma[:rank]) @ v[:rank], atol=1e-5 * sigma[0])
    assert products.bias([gap]) == pytest.approx(np.linalg.norm(sigma[rank:]) / np.linalg.norm(sigma), abs=2e-6)
    for first in range(1, best_a.shape[0] + 1):  # what a cluster of a lower rank is given is the best of that rank
        np.testing.assert_allclose(
            best_b[:, :first] @ best_a[:first], (u[:, :first] * sigma[:first]) @ v[:first], atol=1e-5 * sigma[0]
        )


@given(seeds, st.integers(1, 4))
def test_a_direction_is_shared_equally_between_both_factors(seed: int, rank: int) -> None:
    b, a = drawn(seed, [4, 4])
    best_b, best_a, _ = products.best(b, a, fedavg.shares([1, 1]), rank)
    np.testing.assert_allclose(np.linalg.norm(best_b, axis=0), np.linalg.norm(best_a, axis=1), rtol=1e-6)


@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_only_directions_that_are_used_are_found(seed: int, clusters: int, used: int) -> None:
    (b,), (a,) = drawn(seed, [used])
    padded_b = np.concatenate([b, np.zeros((OUT, 4), np.float32)], axis=1)
    padded_a = np.concatenate([a, np.ones((4, IN), np.float32)])
    best_b, best_a, gap = products.best([padded_b] * clusters, [padded_a] * clusters, fedavg.shares([1] * clusters), 8)
    assert best_b.shape == (OUT, used)
    assert best_a.shape == (used, IN)
    assert products.bias([gap]) == pytest.approx(0, abs=1e-6)


def test_where_nobody_has_learned_anything_there_is_no_direction() -> None:
    _, a = drawn(1, [2, 3])
    b = [np.zeros((OUT, 2), np.float32), np.zeros((OUT, 3), np.float32)]
    best_b, best_a, gap = products.best(b, a, fedavg.shares([1, 1]), 2)
    assert (best_b.shape, best_a.shape, gap) == ((OUT, 0), (0, IN), products.Gap(0, 0))
