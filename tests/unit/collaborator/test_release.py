"""The ledger of releases: the same posts are released once, and what several releases spend is told."""

import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dp_accounting import get_epsilon_gaussian

from fedspoke.api.errors import Refused
from fedspoke.api.noise import sigma
from fedspoke.api.training import Profiles
from fedspoke.collaborator.encoder import TextEncoder
from fedspoke.collaborator.model import load
from fedspoke.collaborator.release import Ledger, Release, once
from fedspoke.collaborator.visual import Tower
from fedspoke.data.records import CleanRecord
from support.text_encoder import minilm
from support.tiny import coloured_shapes, tiny_llava

ASKED = Profiles(epsilon=4)


@cache
def encoder() -> TextEncoder:
    return TextEncoder(str(minilm()))


@cache
def tower() -> Tower:
    processor, model = load(str(tiny_llava()))
    return Tower(processor.image_processor, model.model.vision_tower.requires_grad_(requires_grad=False))


@pytest.fixture
def posts(tmp_path: Path) -> list[CleanRecord]:
    return coloured_shapes(tmp_path)


def released(folder: Path, posts: list[CleanRecord], spec: Profiles = ASKED, *, visual: bool = False) -> Release:
    return once(folder / "ledger" / "facebook.json", posts, folder, encoder(), tower() if visual else None, spec)


def spent(release: Release) -> tuple[int, Any]:
    assert release.noise is not None
    return release.noise.releases, release.noise.spent_epsilon


def test_a_first_release_spends_what_was_asked(tmp_path: Path, posts: list[CleanRecord]) -> None:
    assert spent(released(tmp_path, posts)) == (1, 4)


def test_the_same_posts_are_released_once_in_whatever_order(tmp_path: Path, posts: list[CleanRecord]) -> None:
    first = released(tmp_path, posts, visual=True)
    assert released(tmp_path, posts[::-1], visual=True) == first


def test_releases_of_changed_posts_add_up_as_dp_accounting_says(tmp_path: Path, posts: list[CleanRecord]) -> None:
    for number in range(1, 5):
        release = released(tmp_path, posts[: 3 + number])
        together = get_epsilon_gaussian(sigma(4, 1e-5, 1) / math.sqrt(number), 1e-5)
        assert spent(release) == (number, pytest.approx(together, rel=1e-6))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Profiles(epsilon=5), id="epsilon"),
        pytest.param(Profiles(epsilon=4, delta=1e-6), id="delta"),
        pytest.param(Profiles(epsilon=4, topics=False), id="topics"),
    ],
)
def test_other_settings_make_another_release(tmp_path: Path, posts: list[CleanRecord], other: Profiles) -> None:
    first, second = released(tmp_path, posts), released(tmp_path, posts, other)
    assert second.embedding != first.embedding
    assert spent(second)[0] == 2
    assert spent(second)[1] > 4


def test_what_was_released_earlier_costs_nothing_again(tmp_path: Path, posts: list[CleanRecord]) -> None:
    first = released(tmp_path, posts)
    second = released(tmp_path, posts[1:])
    again = released(tmp_path, posts)
    assert again.embedding == first.embedding
    assert spent(again) == spent(second)


def test_after_a_release_without_noise_no_bound_is_claimed(tmp_path: Path, posts: list[CleanRecord]) -> None:
    assert released(tmp_path, posts, Profiles(epsilon=None)).noise is None
    assert spent(released(tmp_path, posts)) == (2, None)


def test_photos_are_released_beside_texts_and_both_have_more_noise_for_it(tmp_path: Path, posts: list[CleanRecord]) -> None:
    alone, both = released(tmp_path, posts), released(tmp_path, posts, visual=True)
    assert alone.visual is None
    assert both.visual is not None
    assert (both.visual.tower, len(both.visual.embedding)) == (tower().digest, 32)
    assert alone.noise is not None
    assert both.noise is not None
    assert both.noise.sigma == both.noise.visual_sigma == pytest.approx(alone.noise.sigma * math.sqrt(3 / 2))


def test_posts_without_photos_draw_the_visual_mean_to_zero(tmp_path: Path, posts: list[CleanRecord]) -> None:
    exact = Profiles(epsilon=None)
    whole = released(tmp_path, posts, exact, visual=True)
    half = released(tmp_path, [*posts, *(post.model_copy(update={"image": None}) for post in posts)], exact, visual=True)
    assert whole.visual is not None
    assert half.visual is not None
    assert half.visual.embedding == pytest.approx([value / 2 for value in whole.visual.embedding], abs=1e-6)


def test_topics_are_counted_where_they_are_asked_for(tmp_path: Path, posts: list[CleanRecord]) -> None:
    counts = released(tmp_path, posts, Profiles(epsilon=None)).topics
    assert counts is not None
    assert sum(counts.values()) == len(posts)
    assert released(tmp_path, posts, Profiles(epsilon=None, topics=False)).topics is None


def test_a_release_is_in_the_ledger_before_anyone_has_it(tmp_path: Path, posts: list[CleanRecord]) -> None:
    release = released(tmp_path, posts)
    kept = Ledger.model_validate_json((tmp_path / "ledger" / "facebook.json").read_bytes())
    assert kept.releases == (release,)


def test_a_damaged_ledger_is_refused_and_kept(tmp_path: Path, posts: list[CleanRecord]) -> None:
    released(tmp_path, posts)
    file = tmp_path / "ledger" / "facebook.json"
    damaged = file.read_bytes()[:-5]
    file.write_bytes(damaged)
    with pytest.raises(Refused, match="no ledger of profiles"):
        released(tmp_path, posts)
    assert file.read_bytes() == damaged
