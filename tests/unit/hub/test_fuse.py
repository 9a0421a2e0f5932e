"""The general profile is the mean over all posts, and says what it is made of."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.api.records import GeneralProfile, Noise, Profile
from fedspoke.hub.fusion.fuse import fuse
from support.profiles import profile

unit = st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=4, max_size=4).filter(lambda values: math.hypot(*values) > 0.1)
profiles = st.lists(st.tuples(unit, st.integers(1, 10**6)), min_size=1, max_size=6).map(
    lambda drawn: [
        profile(f"cluster{number}", "facebook" if number % 2 else "instagram", embedding=tuple(embedding), posts=posts)
        for number, (embedding, posts) in enumerate(drawn)
    ]
)


def fused(given_profiles: list[Profile]) -> GeneralProfile:
    total = sum(np.array(each.embedding) * each.posts for each in given_profiles) / sum(each.posts for each in given_profiles)
    assume(np.linalg.norm(total) > 1e-6)  # or they cancel each other out
    return fuse("run", given_profiles)


@given(profiles)
def test_it_points_where_all_posts_together_point(given_profiles: list[Profile]) -> None:
    general = fused(given_profiles)
    total = sum(np.array(each.embedding) * each.posts for each in given_profiles)
    np.testing.assert_allclose(general.embedding, total / np.linalg.norm(total), atol=1e-6)
    assert math.isclose(math.hypot(*general.embedding), 1)
    assert general.posts == sum(each.posts for each in given_profiles)
    assert math.isclose(sum(part.weight for part in general.parts), 1)


@given(profiles, st.randoms(use_true_random=False))
def test_the_order_in_which_profiles_arrive_leaves_no_trace(given_profiles: list[Profile], random: Random) -> None:
    shuffled = random.sample(given_profiles, len(given_profiles))
    assert fused(given_profiles) == fused(shuffled)


@given(profiles)
def test_similarities_are_those_of_directions(given_profiles: list[Profile]) -> None:
    general = fused(given_profiles)
    cosines = np.array(general.cosines)
    assert cosines.shape == (len(given_profiles), len(given_profiles))
    assert (np.diag(cosines) == 1).all()
    np.testing.assert_array_equal(cosines, cosines.T)
    assert (np.abs(cosines) <= 1).all()


def test_a_part_weighs_as_many_posts_as_it_has() -> None:
    general = fuse(
        "default.social",
        [
            profile("cluster2", "instagram", embedding=(0.0, 1.0), posts=30, noise=Noise(epsilon=8, delta=1e-5, sigma=0.1)),
            profile("cluster1", "facebook", embedding=(1.0, 0.0), posts=10),
        ],
    )
    assert [(part.cluster, part.platform, part.weight) for part in general.parts] == [
        ("cluster1", "facebook", 0.25),
        ("cluster2", "instagram", 0.75),
    ]
    assert [part.noise and part.noise.sigma for part in general.parts] == [None, 0.1]
    np.testing.assert_allclose(general.embedding, np.array([1, 3]) / 10**0.5)
    assert general.cosines == ((1, 0), (0, 1))


def test_posts_that_agree_weigh_more_than_posts_that_do_not() -> None:
    general = fuse("run", [profile("agreed", embedding=(0.9, 0.0)), profile("torn", "instagram", embedding=(0.0, 0.3))])
    np.testing.assert_allclose(general.embedding, np.array([3, 1]) / 10**0.5)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        pytest.param(profile("odd", encoder="b" * 64), "facebook profile of odd was made by encoder bbbbbbbbbbbb", id="encoder"),
        pytest.param(profile("odd", embedding=(1.0, 0.0, 0.0)), "of odd has 3 dimensions", id="dimensions"),
        pytest.param(profile("odd", embedding=(math.nan, 0.0)), "of odd has an embedding of length nan", id="NaN"),
        pytest.param(profile("odd", embedding=(1e300, 0.0)), r"embedding of length 1e\+300", id="beyond all noise"),
        pytest.param(profile("odd", loss_after=math.inf), "of odd gives a loss", id="a loss that is infinite"),
        pytest.param(profile("odd", embedding=(0.0, 0.0)), "of odd has an embedding of length 0", id="no direction"),
        pytest.param(profile("odd", posts=0), "of odd is of 0 posts", id="no posts"),
        pytest.param(profile("cluster1"), "facebook profile of cluster1 is there twice", id="twice"),
    ],
)
def test_a_profile_that_does_not_fit_is_named(odd: Profile, says: str) -> None:
    with pytest.raises(Refused, match=says):
        fuse("run", [profile("cluster1"), odd])


def test_profiles_that_cancel_each_other_out_have_no_mean() -> None:
    with pytest.raises(Refused, match="no direction"):
        fuse("run", [profile("cluster1", embedding=(1.0, 0.0)), profile("cluster2", embedding=(-1.0, 0.0))])


def test_nothing_is_not_fused() -> None:
    with pytest.raises(Refused, match="no profile"):
        fuse("run", [])
