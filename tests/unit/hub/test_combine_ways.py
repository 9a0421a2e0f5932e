"""Whole adapters, from files to a file: each strategy, each way with A and B, and what one round leaves for the next."""

import tracemalloc
from collections.abc import Mapping, Sequence
from itertools import product as product_of
from pathlib import Path

import numpy as np
import pytest
from flwr.server.strategy import aggregate as flower
from numpy.typing import NDArray

from fedspoke.api.aggregation import Aggregation
from fedspoke.api.errors import Failed, Refused
from fedspoke.hub.aggregation import layout as layouts
from fedspoke.hub.aggregation.combine import Combined, Update, combine
from fedspoke.hub.aggregation.layout import Layout
from support import adapters

LAYOUT = adapters.layout(rank=3, layers=2, inner=8, outer=6)
B_ONLY = tuple(tensor for tensor in LAYOUT if layouts.is_b(tensor))
STRATEGIES = ["fedavg", "fedprox", "fedadam", "fedyogi", "fedmedian", "trimmedmean", "krum", "multikrum", "bulyan"]

Arrays = Mapping[str, NDArray[np.float16]]


def how(strategy: str = "fedavg", lora: str = "average", **options: float) -> Aggregation:
    return Aggregation.model_validate({"strategy": strategy, "lora": lora, "options": options})


def leave(folder: Path, arrays: Sequence[Arrays], examples: Sequence[int] = (), layout: Layout = LAYOUT) -> list[Update]:
    """What clusters 0, 1, … left."""
    return [
        Update(f"cluster{number}", adapters.save(each, folder / f"{number}.up"), examples[number] if examples else 1, layout)
        for number, each in enumerate(arrays)
    ]


def start(folder: Path, seed: int = 99, name: str = "0") -> Path:
    return adapters.save(adapters.drawn(LAYOUT, seed), folder / f"{name}.safetensors")


def flat(arrays: Arrays) -> NDArray[np.float64]:
    """All numbers of an adapter, tensors by name."""
    return np.concatenate([arrays[name].ravel().astype(np.float64) for name in sorted(arrays)])


def product(arrays: Arrays, layer: int) -> NDArray[np.float64]:
    """B·A of one layer."""
    a, b = (arrays[adapters.factor(f"layers.{layer}.self_attn.q_proj.lora_{name}")].astype(np.float64) for name in "AB")
    return np.asarray(b @ a)


def run(folder: Path, way: Aggregation, updates: Sequence[Update], begun: Path | None = None) -> tuple[Arrays, Combined]:
    made = combine(way, LAYOUT, begun or start(folder), updates, folder / "1.safetensors")
    return adapters.load(folder / "1.safetensors"), made


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        pytest.param(how("fedmedian"), flower.aggregate_median, id="fedmedian"),
        pytest.param(how("trimmedmean", beta=0.3), lambda votes: flower.aggregate_trimmed_avg(votes, 0.3), id="trimmedmean"),
        pytest.param(how("krum", malicious=2), lambda votes: flower.aggregate_krum(votes, 2, 0), id="krum"),
        pytest.param(how("multikrum"), lambda votes: flower.aggregate_krum(votes, 1, 4), id="multikrum"),
        pytest.param(how("multikrum", select=3), lambda votes: flower.aggregate_krum(votes, 1, 3), id="multikrum of three"),
        pytest.param(
            how("bulyan"), lambda votes: flower.aggregate_bulyan(votes, 1, flower.aggregate_krum, to_keep=0), id="bulyan"
        ),
    ],
)
def test_a_robust_strategy_does_with_files_what_flower_does_with_arrays(way: Aggregation, expected, tmp_path: Path) -> None:
    arrays = [adapters.drawn(LAYOUT, seed) for seed in range(7)]
    result, made = run(tmp_path, way, leave(tmp_path, arrays, examples=[1, 1, 1, 1, 1, 1, 1000]))
    votes = [([flat(each)], 1) for each in arrays]
    np.testing.assert_allclose(flat(result), expected(votes)[0], rtol=2**-10, atol=1e-6)
    assert made.lora_bias is None


@pytest.mark.parametrize(
    ("strategy", "lora"), [*product_of(STRATEGIES, ["average", "ffa"]), *product_of(["fedavg", "fedprox"], ["svd"])]
)
def test_the_order_in_which_updates_came_does_not_change_a_byte(strategy: str, lora: str, tmp_path: Path) -> None:
    layout = B_ONLY if lora == "ffa" else LAYOUT
    updates = leave(tmp_path, [adapters.drawn(layout, seed) for seed in range(7)], range(1, 8), layout)
    _, one = run(tmp_path, how(strategy, lora), updates)
    _, two = run(tmp_path, how(strategy, lora), updates[3:] + updates[:3])
    assert one == two
    assert one.digest == adapters.digest(tmp_path / "1.safetensors")


@pytest.mark.parametrize("strategy", ["fedadam", "fedyogi"])
def test_the_bias_of_where_an_optimizer_steps_to_is_that_of_the_mean(strategy: str, tmp_path: Path) -> None:
    updates = leave(tmp_path, [adapters.drawn(LAYOUT, seed) for seed in range(3)], [1, 2, 5])
    _, made = run(tmp_path, how(strategy), updates)
    _, mean = run(tmp_path, how("fedavg"), updates)
    assert made.lora_bias == mean.lora_bias is not None


def test_the_bias_of_average_is_that_of_all_dense_products_together(tmp_path: Path) -> None:
    arrays, examples = [adapters.drawn(LAYOUT, seed) for seed in range(3)], [1, 2, 5]
    result, made = run(tmp_path, how(), leave(tmp_path, arrays, examples))
    exact = [np.average([product(each, layer) for each in arrays], axis=0, weights=examples) for layer in (0, 1)]
    lost = [np.linalg.norm(product(result, layer) - exact[layer]) for layer in (0, 1)]
    assert made.lora_bias == pytest.approx(np.linalg.norm(lost) / np.linalg.norm(exact), rel=2e-3)


def test_under_ffa_only_b_is_left_and_a_stays_as_it_was(tmp_path: Path) -> None:
    arrays = [adapters.drawn(B_ONLY, seed) for seed in range(2)]
    result, made = run(tmp_path, how(lora="ffa"), leave(tmp_path, arrays, [1, 3], B_ONLY))
    begun = adapters.load(tmp_path / "0.safetensors")
    for tensor in LAYOUT:
        if layouts.is_b(tensor):
            expected = np.average([each[tensor.name].astype(np.float32) for each in arrays], axis=0, weights=[1, 3])
            np.testing.assert_allclose(result[tensor.name], expected, rtol=2**-10)
        else:
            np.testing.assert_array_equal(result[tensor.name], begun[tensor.name])
    assert made.lora_bias == 0


def test_svd_takes_different_ranks_and_gives_the_best_of_the_global_one(tmp_path: Path) -> None:
    ranks, examples = [1, 3, 2], [5, 1, 2]
    own = [layouts.with_rank(LAYOUT, rank) for rank in ranks]
    arrays = [adapters.drawn(layout, seed) for seed, layout in enumerate(own)]
    updates = [
        Update(f"cluster{number}", adapters.save(arrays[number], tmp_path / f"{number}.up"), examples[number], own[number])
        for number in range(3)
    ]
    result, made = run(tmp_path, how(lora="svd"), updates)
    lost, whole = [], []
    for layer in (0, 1):
        exact = np.average([product(each, layer) for each in arrays], axis=0, weights=examples)
        u, sigma, v = np.linalg.svd(exact)
        best = (u[:, :3] * sigma[:3]) @ v[:3]
        np.testing.assert_allclose(product(result, layer), best, atol=4e-3 * sigma[0])
        lost.append(np.linalg.norm(exact - best))
        whole.append(np.linalg.norm(exact))
    assert made.lora_bias == pytest.approx(np.linalg.norm(lost) / np.linalg.norm(whole), rel=1e-4)


def test_directions_that_no_cluster_used_can_learn_and_change_nothing_yet(tmp_path: Path) -> None:
    own = layouts.with_rank(LAYOUT, 1)
    arrays = [adapters.drawn(own, 1)]
    result, made = run(tmp_path, how(lora="svd"), leave(tmp_path, arrays, layout=own))
    for tensor in LAYOUT:
        values = result[tensor.name]
        if layouts.is_b(tensor):
            assert not values[:, 1:].any()
        else:
            assert (np.abs(values[1:]).max(axis=1) > 0.1).all()  # uniform in ±1/√8
    for layer in (0, 1):
        np.testing.assert_allclose(product(result, layer), product(arrays[0], layer), atol=5e-3)
    assert made.lora_bias == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("lora", ["average", "ffa"])
def test_an_optimizer_remembers_its_moments_from_round_to_round(lora: str, tmp_path: Path) -> None:
    way = how("fedadam", lora, learningRate=0.5, beta1=0.5, beta2=0.75, tau=0.125)
    layout = B_ONLY if lora == "ffa" else LAYOUT
    begun, m, v = start(tmp_path), np.zeros(1), np.full(1, 0.125**2)
    for number in (1, 2, 3):
        mean = adapters.drawn(layout, number)
        before = {tensor.name: adapters.load(begun)[tensor.name] for tensor in layout}
        delta = flat(mean) - flat(before)
        m, v = 0.5 * m + 0.5 * delta, 0.75 * v + 0.25 * delta**2
        result = tmp_path / f"{number}.safetensors"
        combine(way, LAYOUT, begun, leave(tmp_path, [mean], layout=layout), result)
        after = adapters.load(result)
        expected = flat(before) + 0.5 * m / (np.sqrt(v) + 0.125)
        np.testing.assert_allclose(flat({name: after[name] for name in before}), expected, rtol=2**-10, atol=1e-5)
        begun = result
    assert {path.suffix for path in tmp_path.glob("3.*")} == {".safetensors", ".moments"}


@pytest.mark.parametrize(("spoil", "said"), [(lambda all_: all_[:-1], "shorter"), (lambda all_: all_ + b"x", "longer")])
def test_moments_that_are_not_of_this_adapter_are_named(spoil, said: str, tmp_path: Path) -> None:
    way = how("fedyogi")
    combine(way, LAYOUT, start(tmp_path), leave(tmp_path, [adapters.drawn(LAYOUT, 1)]), tmp_path / "1.safetensors")
    kept = tmp_path / "1.moments"
    kept.write_bytes(spoil(kept.read_bytes()))
    with pytest.raises(Failed, match=rf"1\.moments is {said} than the adapter's moments"):
        combine(way, LAYOUT, tmp_path / "1.safetensors", leave(tmp_path, [adapters.drawn(LAYOUT, 2)]), tmp_path / "2.safetensors")
    assert not (tmp_path / "2.moments").exists()
    assert not list(tmp_path.glob("*.partial"))


def test_moments_that_are_gone_are_not_begun_anew_in_silence(tmp_path: Path) -> None:
    updates = leave(tmp_path, [adapters.drawn(LAYOUT, 1)])
    with pytest.raises(Failed, match=r"1\.moments is gone, and with it what 1 rounds taught"):
        combine(how("fedadam"), LAYOUT, start(tmp_path, name="1"), updates, tmp_path / "2.safetensors")
    assert not (tmp_path / "2.safetensors").exists()


def test_a_step_beyond_what_fp16_holds_gives_the_largest_number_that_it_holds(tmp_path: Path) -> None:
    result, _ = run(tmp_path, how("fedadam", learningRate=1e9), leave(tmp_path, [adapters.drawn(LAYOUT, 1)]))
    assert np.isfinite(flat(result)).all()
    assert np.abs(flat(result)).max() == 65504


@pytest.mark.parametrize(
    ("way", "need"),
    [
        (how("fedmedian"), 3),
        (how("trimmedmean"), 5),
        (how("krum", malicious=2), 7),
        (how("multikrum", select=4), 7),
        (how("bulyan"), 7),
    ],
)
def test_with_too_few_updates_for_a_strategy_nothing_is_made(way: Aggregation, need: int, tmp_path: Path) -> None:
    updates = leave(tmp_path, [adapters.drawn(LAYOUT, seed) for seed in range(need)])
    with pytest.raises(Refused, match=f"{way.strategy} needs the updates of {need} clusters, and there are {need - 1}"):
        run(tmp_path, way, updates[1:])
    assert not (tmp_path / "1.safetensors").exists()
    run(tmp_path, way, updates)


@pytest.mark.parametrize("strategy", ["fedavg", "fedmedian", "krum", "fedadam"])
def test_memory_does_not_grow_with_the_adapter(strategy: str, tmp_path: Path) -> None:
    peaks = []
    for layers in (8, 64):  # beyond the few that are worked on at once
        layout = adapters.layout(rank=4, layers=layers, inner=1 << 15, outer=1 << 15)
        update = adapters.save(adapters.drawn(layout, 1), tmp_path / "0.up")
        updates = [Update(f"cluster{number}", update, 1, layout) for number in range(5)]
        tracemalloc.start()
        combine(how(strategy), layout, update, updates, tmp_path / "1.safetensors")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]  # eight times the layers; how many are at work at once varies with the threads
