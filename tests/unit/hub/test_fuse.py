"""The general profile is the mean over all posts, and says what it is made of."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fedspoke.api.errors import Refused
from fedspoke.api.profiles import GeneralProfile, Profile
from fedspoke.hub.fusion.fuse import fuse
from support.profiles import noised, profile

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
            profile("cluster2", "instagram", embedding=(0.0, 1.0), posts=30, noise=noised(sigma=0.1)),
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


def test_one_cluster_with_an_encoder_of_its_own_keeps_nobody_out() -> None:
    odd = profile("cluster0", encoder="0" * 64, posts=10**7)
    general = fuse("run", [odd, profile("cluster1"), profile("cluster2", "instagram")])
    assert [part.cluster for part in general.parts] == ["cluster1", "cluster2"]
    assert (general.encoder, general.posts) == ("a" * 64, 20)
    assert general.left_out == {
        "cluster0/facebook": "it is by encoder 000000000000 with 2 dimensions, most clusters' are by encoder aaaaaaaaaaaa with 2"
        " dimensions"
    }


def test_embeddings_of_other_dimensions_are_left_out_too() -> None:
    general = fuse("run", [profile("odd", embedding=(1.0, 0.0, 0.0)), profile("cluster1"), profile("cluster2")])
    assert list(general.left_out) == ["odd/facebook"]


def test_a_cluster_with_two_platforms_has_one_voice() -> None:
    other = {"encoder": "0" * 64}
    pair = [profile("cluster0", platform, posts=10**7, **other) for platform in ("facebook", "instagram")]
    general = fuse("run", [*pair, profile("cluster1"), profile("cluster2")])
    assert list(general.left_out) == ["cluster0/facebook", "cluster0/instagram"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3)), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_whichever_encoder_is_taken_the_order_of_arrival_leaves_no_trace(drawn: list[tuple[str, int]], random: Random) -> None:
    given_profiles = [profile(f"cluster{n}", encoder=letter * 64, posts=posts) for n, (letter, posts) in enumerate(drawn)]
    general = fuse("run", given_profiles)
    assert general == fuse("run", random.sample(given_profiles, len(given_profiles)))
    assert len(general.parts) + len(general.left_out) == len(given_profiles)
    assert len(general.parts) == max(sum(letter == other for other, _ in drawn) for letter, _ in drawn)


def test_profiles_that_cancel_each_other_out_have_no_mean() -> None:
    with pytest.raises(Refused, match="no direction"):
        fuse("run", [profile("cluster1", embedding=(1.0, 0.0)), profile("cluster2", embedding=(-1.0, 0.0))])
