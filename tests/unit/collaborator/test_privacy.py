"""Clipping holds, noise is as strong as it says, and each release is counted."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fedspoke.api.errors import Refused
from fedspoke.api.training import AdapterPrivacy
from fedspoke.collaborator.privacy import Gaussian, Ledger, hidden, normal

NAMES = ("a", "b")


def gaussian(clip: float, multiplier: float = 1.0) -> AdapterPrivacy:
    return AdapterPrivacy(mechanism="gaussian", clip=clip, noise_multiplier=multiplier)


def nothing(count: int) -> NDArray[np.float64]:
    return np.zeros(count)


def drawn(seed: int, size: float = 1.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(5, 7, generator=generator) * size for name in NAMES}


def update(start: dict[str, torch.Tensor], left: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([(left[name] - start[name].double()).flatten() for name in NAMES])


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 99))
def test_no_update_is_longer_than_clip_and_a_shorter_one_is_left_as_it_is(clip: float, size: float, seed: int) -> None:
    start, trained = drawn(seed), drawn(seed + 100, size)
    before, after = update(start, trained), update(start, hidden(start, trained, gaussian(clip), nothing))
    assert float(after.norm()) == pytest.approx(min(clip, float(before.norm())), rel=1e-9)
    assert torch.allclose(after / after.norm(), before / before.norm(), atol=1e-6)  # over all tensors in one


def test_an_adapter_that_did_not_change_is_noised_all_the_same() -> None:
    start = drawn(1)
    assert float(update(start, hidden(start, start, gaussian(1), normal)).abs().min()) > 0


def test_noise_has_the_deviation_that_was_asked_for_and_no_bias() -> None:
    start = {"a": torch.zeros(500, 400), "b": torch.zeros(300)}
    trained = {name: value + 0.001 for name, value in start.items()}
    privacy = gaussian(clip=2.0, multiplier=0.7)
    noise = torch.cat([(value - trained[name]).flatten() for name, value in hidden(start, trained, privacy, normal).items()])
    count = noise.numel()
    # Of n draws the mean deviates by σ/√n, the deviation by σ/√2n; five times that happens once in two million runs.
    assert abs(float(noise.mean())) < 5 * 1.4 / math.sqrt(count)
    assert float(noise.std()) == pytest.approx(1.4, rel=5 / math.sqrt(2 * count))
    assert float(noise.abs().max()) > 4 * 1.4  # it has tails


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_as_many_numbers_are_drawn_as_were_asked_for_and_never_the_same(count: int) -> None:
    one, other = normal(count), normal(count)
    assert one.shape == (count,)
    assert np.isfinite(one).all()
    assert count == 0 or not np.array_equal(one, other)


def test_noise_is_normal_in_every_tenth() -> None:
    bounds = [NormalDist().inv_cdf(n / 10) for n in range(1, 10)]
    counts = np.bincount(np.digitize(normal(100_000), bounds), minlength=10)
    assert np.abs(counts - 10_000).max() < 5 * math.sqrt(100_000 * 0.1 * 0.9)


def test_each_release_is_counted_for_its_federation_and_outlives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "new" / "releases.json"
    release = Gaussian(gaussian(1), Ledger(file, "social.posts"), nothing)
    assert release.ledger.count() == 0
    for _ in range(3):
        release(drawn(1), drawn(2))
    assert Ledger(file, "social.posts").count() == 3
    assert Ledger(file, "social.other").count() == 0
    Ledger(file, "social.other").add()
    assert Ledger(file, "social.posts").count() == 3


def test_a_release_is_counted_before_its_noise_is_drawn(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "releases.json", "social.posts")

    def killed(count: int) -> NDArray[np.float64]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Gaussian(gaussian(1), ledger, killed)(drawn(1), drawn(2))
    assert ledger.count() == 1


@pytest.mark.parametrize("content", ["", "{", '{"social.posts": -1}', '{"social.posts": "many"}', "[]"])
def test_a_damaged_ledger_is_refused_rather_than_begun_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "releases.json").write_text(content)
    with pytest.raises(Refused, match=r"releases\.json is not what fedspoke wrote"):
        Ledger(tmp_path / "releases.json", "social.posts").add()


def test_a_ledger_that_was_lost_is_told_from_the_next_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "releases.json", "social.posts")
    assert ledger.identity() == ""
    ledger.add()
    first = ledger.identity()
    ledger.add()
    assert ledger.identity() == first
    (tmp_path / "releases.json").unlink()
    ledger.add()
    assert ledger.identity() not in ("", first)
