"""What platforms share and where they differ: only what is larger than noise and chance."""

import random
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedspoke.api import profile_noise
from fedspoke.api.names import Platform
from fedspoke.api.profiles import Comparison, GeneralProfile, Noise, Profile, Visual
from fedspoke.api.topics import NAMES, OTHER
from fedspoke.api.training import Profiles
from fedspoke.hub.fusion.fuse import fuse
from support.profiles import counted, noised, profile

TOWER = "b" * 64
BOTH: tuple[Platform, ...] = ("facebook", "instagram")


def of(platform: Platform, posts: int, topics: Mapping[str, int], noise: Noise | None = None) -> Profile:
    return profile(f"{platform}-cluster", platform, posts=posts, topics=counted(posts, topics), noise=noise)


def compared(*profiles: Profile) -> Comparison:
    (comparison,) = fuse("run", profiles).comparisons
    assert comparison.platforms == ("facebook", "instagram")
    return comparison


def seen(cluster: str, platform: Platform, embedding: tuple[float, ...] | None, tower: str = TOWER, posts: int = 10) -> Profile:
    visual = Visual(tower=tower, embedding=embedding) if embedding else None
    return profile(cluster, platform, visual=visual, posts=posts)


def test_shares_are_of_all_posts_and_of_each_platform_s() -> None:
    general = fuse("run", [of("facebook", 100, {"food": 50}), of("instagram", 300, {"food": 60, "travel": 30})])
    assert general.topics is not None
    assert general.topics.total.shares["food"] == pytest.approx(110 / 400)
    assert general.topics.platforms["facebook"].shares["food"] == 0.5
    assert general.topics.platforms["instagram"].shares == dict.fromkeys(NAMES, 0.0) | {
        "food": 0.2,
        "travel": 0.1,
        OTHER: 0.7,
    }
    assert general.topics.total.error == 0


def test_the_noise_in_a_share_is_that_of_all_its_counts() -> None:
    noise = noised(topics_sigma=3)
    clusters = [profile(f"cluster{n}", posts=50, topics=counted(50), noise=noise) for n in range(4)]
    general = fuse("run", clusters)
    assert general.topics is not None
    assert general.topics.platforms["facebook"].error == pytest.approx(3 * 2 / 200)


def test_what_both_platforms_post_much_of_is_shared_and_the_largest_comes_first() -> None:
    both = compared(
        of("facebook", 1000, {"food": 100, "travel": 300, "sport": 400, "work": 20}),
        of("instagram", 1000, {"food": 300, "travel": 200, "work": 400}),
    )
    assert both.shared == ("travel", "food")


def test_what_one_platform_posts_more_of_differs_and_the_largest_comes_first() -> None:
    both = compared(
        of("facebook", 1000, {"food": 300, "travel": 300, "work": 10}),
        of("instagram", 1000, {"food": 300, "travel": 200, "work": 410}),
    )
    assert [difference.topic for difference in both.differs] == ["work", OTHER, "travel"]
    assert both.differs[0].shares == (0.01, 0.41)
    assert both.differs[0].error == pytest.approx((0.01 * 0.99 / 1000 + 0.41 * 0.59 / 1000) ** 0.5, rel=0.02)


def test_a_difference_of_few_posts_is_chance() -> None:
    assert compared(of("facebook", 20, {"food": 2}), of("instagram", 20, {"food": 5})).differs == ()


def test_a_difference_within_the_noise_is_none_and_so_is_what_is_shared() -> None:
    noise = noised(topics_sigma=200)
    facebook, instagram = {"food": 300, "work": 400}, {"food": 300, "work": 100}
    plain = compared(of("facebook", 1000, facebook), of("instagram", 1000, instagram))
    hidden = compared(of("facebook", 1000, facebook, noise), of("instagram", 1000, instagram, noise))
    assert (plain.shared, bool(plain.differs)) == (("food", "work"), True)
    assert (hidden.shared, hidden.differs) == ((), ())


def alike(cluster: str, platform: Platform, posts: int, draw: random.Random) -> Profile:
    """Of posts that are about a third of them one thing, and each other topic as often, whatever the platform."""
    noise = profile_noise.noise(Profiles(), posts, visual=False)
    assert noise is not None
    counts = dict.fromkeys(NAMES, 0)
    for topic in draw.choices(NAMES, [30, *[1] * 8, *[0] * (len(NAMES) - 9)], k=posts):
        counts[topic] += 1
    released = {name: round(count + draw.gauss(0, noise.topics_sigma or 0)) for name, count in counts.items()}
    return profile(cluster, platform, posts=posts, topics=released, noise=noise)


@pytest.mark.parametrize(("facebook", "instagram"), [((1, 150), (1, 150)), ((100, 20), (4, 500))])
def test_platforms_that_are_alike_seldom_differ_however_many_clusters_have_them(
    facebook: tuple[int, int], instagram: tuple[int, int]
) -> None:
    draw, found = random.Random(0), 0
    for _ in range(50):
        of_both: dict[Platform, tuple[int, int]] = {"facebook": facebook, "instagram": instagram}
        parts = [
            alike(f"{platform}-{number}", platform, posts, draw)
            for platform, (clusters, posts) in of_both.items()
            for number in range(clusters)
        ]
        found += bool(compared(*parts).differs)
    assert found <= 5  # of 5 % that are to be expected at most


@settings(max_examples=20)
@given(st.floats(-1, 1), st.integers(0, 10**6))
def test_a_cosine_is_that_of_the_means_without_noise_within_its_error(cosine: float, seed: int) -> None:
    draw, sigma, width = np.random.default_rng(seed), 0.01, 384
    clean = np.zeros((2, width))
    clean[0, 0] = 0.4
    clean[1, :2] = 0.4 * cosine, 0.4 * (1 - cosine**2) ** 0.5
    noisy = clean + draw.normal(0, sigma, clean.shape)
    one, other = (
        profile(platform, platform, embedding=tuple(row), noise=noised(sigma=sigma))
        for platform, row in zip(BOTH, noisy.tolist(), strict=True)
    )
    text = compared(one, other).text
    assert text is not None
    assert text.error < 0.1
    assert abs(text.value - cosine) < 5 * text.error


def test_a_mean_that_noise_could_be_alone_has_no_cosine() -> None:
    draw = random.Random(0)
    one, other = (
        profile(platform, platform, embedding=tuple(draw.gauss(0, 0.1) for _ in range(384)), noise=noised(sigma=0.1))
        for platform in BOTH
    )
    assert compared(one, other).text is None


def test_without_noise_cosines_are_exact() -> None:
    one, other = profile("one", "facebook", embedding=(0.5, 0.0)), profile("other", "instagram", embedding=(0.3, 0.4))
    text = compared(one, other).text
    assert text is not None
    assert text.value == pytest.approx(0.6)
    assert text.error == 0


def test_one_platform_is_compared_with_none() -> None:
    assert fuse("run", [profile("cluster1"), profile("cluster2")]).comparisons == ()


def test_photos_become_one_mean_of_those_that_one_tower_saw() -> None:
    general = fuse(
        "run",
        [
            seen("cluster1", "facebook", (1.0, 0.0)),
            seen("cluster2", "instagram", (0.0, 1.0), posts=30),
            seen("cluster3", "instagram", (1.0, 0.0), tower="c" * 64),
            seen("cluster4", "facebook", None),
        ],
    )
    assert general.visual is not None
    np.testing.assert_allclose(general.visual.embedding, np.array([1, 3]) / 10**0.5)
    assert (general.visual.tower, general.visual.parts) == (TOWER, ("cluster1/facebook", "cluster2/instagram"))
    assert general.visual.left_out == {
        "cluster3/instagram": "it is by vision tower cccccccccccc with 2 dimensions, "
        "most clusters' are by vision tower bbbbbbbbbbbb with 2 dimensions",
        "cluster4/facebook": "too few of its posts have a photo",
    }
    assert general.comparisons[0].visual is not None
    assert general.comparisons[0].visual.value == 0


def test_photos_that_cancel_each_other_out_leave_the_texts() -> None:
    general = fuse("run", [seen("cluster1", "facebook", (1.0, 0.0)), seen("cluster2", "facebook", (-1.0, 0.0))])
    assert general.visual is None


def test_without_photos_there_is_no_visual_part() -> None:
    general = fuse("run", [profile("cluster1"), profile("cluster2", "instagram")])
    assert (general.visual, general.comparisons[0].visual) == (None, None)


def test_without_topics_there_is_nothing_to_share() -> None:
    general = fuse("run", [profile("cluster1", topics=None), profile("cluster2", "instagram", topics=None)])
    assert general.topics is None
    assert (general.comparisons[0].shared, general.comparisons[0].differs) == ((), ())


def test_a_general_profile_survives_its_file() -> None:
    general = fuse("run", [of("facebook", 100, {"food": 50}), seen("cluster2", "instagram", (0.0, 1.0), posts=100)])
    assert GeneralProfile.model_validate_json(general.model_dump_json(by_alias=True)) == general
