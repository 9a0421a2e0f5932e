"""The mean of adapters obeys the laws of a weighted mean, whatever the clusters send."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PosixPath
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Failed
from fedspoke.hub.aggregation.combine import Update, combine
from fedspoke.hub.aggregation.layout import Layout
from support import adapters

LAYOUT = adapters.layout()
HALF_ULP = 2.0**-11
SMALLEST = 2.0**-25  # half of the smallest fp16

Votes = list[tuple[int, int]]

votes = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 10**6)), min_size=1, max_size=6)


def combined(folder: Path, clusters: Sequence[tuple[Mapping[str, np.ndarray], int]], layout: Layout = LAYOUT) -> Path:
    """The mean of these (adapter, weight)."""
    start = adapters.save(adapters.filled(layout, 0), folder / "start.safetensors")
    updates = [
        Update(f"cluster{number}", adapters.save(arrays, folder / f"{number}.safetensors"), weight, layout)
        for number, (arrays, weight) in enumerate(clusters)
    ]
    result = folder / "result.safetensors"
    made = combine(Aggregation(), layout, start, updates, result)
    assert made.digest == adapters.digest(result)
    return result


def folded(clusters: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
    """The mean of adapters drawn from these (seed, weight)."""
    with tempfile.TemporaryDirectory() as folder:
        return adapters.load(combined(Path(folder), [(adapters.drawn(LAYOUT, seed), weight) for seed, weight in clusters]))


def exact(clusters: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
    """The same in fp64, all of it in memory."""
    arrays = [adapters.drawn(LAYOUT, seed) for seed, _ in clusters]
    weights = [weight for _, weight in clusters]
    return {
        tensor.name: np.average([array[tensor.name].astype(np.float64) for array in arrays], axis=0, weights=weights)
        for tensor in LAYOUT
    }


def scale(clusters: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Of what the sum is made: fp32 rounding is relative to this, not to a mean that may be near zero."""
    arrays = [adapters.drawn(LAYOUT, seed) for seed, _ in clusters]
    return {tensor.name: np.max([np.abs(array[tensor.name].astype(np.float64)) for array in arrays], axis=0) for tensor in LAYOUT}


def assert_within_rounding(mean: dict[str, np.ndarray], clusters: Sequence[tuple[int, int]]) -> None:
    wanted, largest = exact(clusters), scale(clusters)
    for name, value in wanted.items():
        bound = HALF_ULP * np.abs(value) + SMALLEST + 2.0**-20 * largest[name]
        assert (np.abs(mean[name].astype(np.float64) - value) <= bound).all(), name


@given(votes)
def test_the_mean_is_that_of_fp64_but_for_rounding_to_fp16(clusters: Votes) -> None:
    assert_within_rounding(folded(clusters), clusters)


@given(votes, st.randoms(use_true_random=False))
def test_the_order_in_which_clusters_answer_does_not_matter(clusters: Votes, random: Random) -> None:
    shuffled = random.sample(clusters, len(clusters))
    assert_within_rounding(folded(shuffled), clusters)


@given(votes, st.integers(2, 1000))
def test_only_the_proportion_of_the_weights_matters(clusters: Votes, times: int) -> None:
    assert_within_rounding(folded([(seed, weight * times) for seed, weight in clusters]), clusters)


@given(st.integers(0, 2**32 - 1), st.integers(1, 10**9))
def test_one_cluster_alone_keeps_its_adapter_to_the_bit(seed: int, weight: int) -> None:
    mean = folded([(seed, weight)])
    for name, values in adapters.drawn(LAYOUT, seed).items():
        np.testing.assert_array_equal(mean[name], values)


@given(st.integers(0, 2**32 - 1), st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_cluster_with_the_examples_of_two_counts_as_two(seed: int, one: int, two: int) -> None:
    apart, together = folded([(seed, one), (seed, two), (7, 3)]), folded([(seed, one + two), (7, 3)])
    assert_within_rounding(apart, [(seed, one + two), (7, 3)])
    assert_within_rounding(together, [(seed, one), (seed, two), (7, 3)])


def test_the_largest_values_do_not_overflow_on_their_way(tmp_path: Path) -> None:
    largest = adapters.filled(LAYOUT, 65504)
    for name, values in adapters.load(combined(tmp_path, [(largest, weight) for weight in (10**9, 1, 3)])).items():
        np.testing.assert_array_equal(values, largest[name])


def test_a_small_cluster_is_not_lost_beside_a_large_one(tmp_path: Path) -> None:
    path = combined(tmp_path, [(adapters.filled(LAYOUT, 0), 9_999), (adapters.filled(LAYOUT, 1), 1)])
    for values in adapters.load(path).values():
        np.testing.assert_allclose(values, 1e-4, rtol=HALF_ULP)


def test_tensors_larger_than_a_block_are_combined_whole(tmp_path: Path) -> None:
    layout = adapters.layout(rank=3, layers=1, inner=400_001, outer=5)
    arrays = [adapters.drawn(layout, seed) for seed in (1, 2)]
    for name, values in adapters.load(combined(tmp_path, [(array, 1) for array in arrays], layout)).items():
        wanted = (arrays[0][name].astype(np.float32) + arrays[1][name]) / np.float32(2)
        np.testing.assert_array_equal(values, wanted.astype(np.float16))


class Cutting(PosixPath):
    """A file that is opened after the updates: then their last values are gone, though their headers were read."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        for update in self.parent.glob("?.safetensors"):
            os.truncate(update, update.stat().st_size - 2)
        return super().open(*args, **kwargs)


def test_a_file_that_breaks_off_is_named_and_nothing_is_made_of_the_others(tmp_path: Path) -> None:
    update = Update("cluster1", adapters.save(adapters.drawn(LAYOUT, 1), tmp_path / "0.safetensors"), 5, LAYOUT)
    start = Cutting(adapters.save(adapters.filled(LAYOUT, 0), tmp_path / "start.safetensors"))
    with pytest.raises(Failed, match=r"0.safetensors cannot be read to its end: the adapter's file is shorter than it was"):
        combine(Aggregation(), LAYOUT, start, [update], tmp_path / "result.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"start.safetensors", "0.safetensors"}


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    update = Update("cluster1", tmp_path / "1-cluster1.safetensors", 1, LAYOUT)
    start = adapters.save(adapters.filled(LAYOUT, 0), tmp_path / "start.safetensors")
    with pytest.raises(Failed, match=r"1-cluster1.safetensors cannot be opened: No such file"):
        combine(Aggregation(), LAYOUT, start, [update], tmp_path / "result.safetensors")
