"""Every cluster starts from one adapter, which changes nothing yet."""

from pathlib import Path

import numpy as np

from fedspoke.hub.aggregation.initial import initial
from support import adapters

LAYOUT = adapters.layout(rank=4, layers=2, inner=4096, outer=16)


def test_the_same_seed_gives_the_same_bytes_in_whatever_order_the_layout_comes(tmp_path: Path) -> None:
    one = initial(LAYOUT, "default.social/0", tmp_path / "one.safetensors")
    two = initial(LAYOUT[::-1], "default.social/0", tmp_path / "two.safetensors")
    assert one == two == adapters.digest(tmp_path / "one.safetensors") == adapters.digest(tmp_path / "two.safetensors")


def test_the_rule_is_the_one_that_clusters_may_repeat(tmp_path: Path) -> None:
    layout = adapters.layout(rank=2, layers=1, inner=4, outer=3)
    initial(layout, "golden", tmp_path / "a0.safetensors")
    a = adapters.load(tmp_path / "a0.safetensors")[layout[0].name]
    golden = [
        [-0.1585693359375, 0.38037109375, -0.43701171875, -0.407470703125],
        [0.273681640625, -0.30322265625, -0.174072265625, 0.1739501953125],
    ]
    # Philox keyed by the first half of sha256("golden/<name>"), big-endian; 53 bits a value.
    np.testing.assert_array_equal(a, np.array(golden, np.float16))


def test_another_seed_and_another_tensor_give_other_values(tmp_path: Path) -> None:
    initial(LAYOUT, "one", tmp_path / "one.safetensors")
    initial(LAYOUT, "two", tmp_path / "two.safetensors")
    first, other = (adapters.load(tmp_path / name) for name in ("one.safetensors", "two.safetensors"))
    a, _, next_a, _ = (tensor.name for tensor in LAYOUT)
    assert np.mean(first[a] == other[a]) < 0.01
    assert np.mean(first[a] == first[next_a]) < 0.01


def test_a_is_uniform_as_peft_draws_it_and_b_is_zero(tmp_path: Path) -> None:
    initial(LAYOUT, "seed", tmp_path / "a0.safetensors")
    arrays = adapters.load(tmp_path / "a0.safetensors")
    for tensor in LAYOUT:
        values = arrays[tensor.name].astype(np.float64)
        assert values.shape == tensor.shape
        if ".lora_B." in tensor.name:
            assert not values.any()
        else:
            bound = 4096**-0.5
            assert 0.99 * bound < np.abs(values).max() <= bound * (1 + 2**-11)
            # 16,384 values: four standard errors of the mean and of the second moment of a uniform distribution.
            assert abs(values.mean()) < 4 * bound / 3**0.5 / 128
            assert abs((values**2).mean() / (bound**2 / 3) - 1) < 4 * 0.9 / 128
