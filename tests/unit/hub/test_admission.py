"""A profile is let in when it is what the CR asks for; a refusal names the field, its value and what would be right."""

import math
import random
from typing import Any

import numpy as np
import pytest

from fedspoke.api.errors import Refused
from fedspoke.api.noise import sigma
from fedspoke.api.records import Noise, Profile
from fedspoke.api.training import Profiles
from fedspoke.hub.fusion.admission import check
from support.profiles import profile

ASKED = Profiles(epsilon=8, delta=1e-5, min_posts=20)
RIGHT = Noise(epsilon=8, delta=1e-5, sigma=sigma(8, 1e-5, 2 / 20))


def noised(**fields: Any) -> Profile:
    """Twenty posts, noised as the CR asks."""
    usual: dict[str, Any] = {"posts": 20, "noise": RIGHT}
    return profile(**(usual | fields))


@pytest.mark.parametrize("posts", [20, 1000, 10**7])
def test_what_a_cluster_makes_of_its_posts_is_let_in(posts: int) -> None:
    scale, draw = sigma(8, 1e-5, 2 / posts), random.Random(posts)
    embedding = tuple(1 / math.sqrt(384) + draw.gauss(0, scale) for _ in range(384))
    check(noised(posts=posts, noise=RIGHT.model_copy(update={"sigma": scale}), embedding=embedding), ASKED)


def test_a_profile_without_noise_is_let_in_where_none_is_asked_for() -> None:
    embedding = np.ones(384, np.float32) / np.sqrt(np.float32(384))  # its length is 1 but for rounding
    check(profile(posts=20, embedding=tuple(embedding.tolist())), Profiles(epsilon=None))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(noised(posts=19), r"has posts 19; between 20 \(spec.profiles.minPosts\) and", id="too few posts"),
        pytest.param(noised(posts=10**18), "has posts 1000000000000000000; .* and 10000000 would be right", id="too many posts"),
        pytest.param(noised(posts=10**4000), "has posts 1000", id="posts beyond all floats"),
        pytest.param(noised(noise=None), "has noise null; of epsilon 8, delta 1e-05 and sigma 0.06", id="no noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"epsilon": 9})), "of epsilon 9.*; of epsilon 8", id="epsilon"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"delta": 0.1})), "delta 0.1.*; .*delta 1e-05", id="delta"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": 1e6})), r"sigma 1e\+06; .*sigma 0.06", id="more noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": 0.0})), "sigma 0; .*sigma 0.06", id="less noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": math.nan})), "sigma nan", id="noise that is no number"),
        pytest.param(noised(posts=21), "sigma 0.06.* with 21 posts", id="noise for fewer posts"),
        pytest.param(noised(embedding=(1e6, 0.0)), r"of length 1e\+06; over 0 and at most 1\.4", id="a giant"),
        pytest.param(noised(embedding=(math.nan, 0.0)), "of length nan; ", id="NaN"),
        pytest.param(noised(embedding=(math.inf, 0.0)), "of length inf; ", id="infinity"),
        pytest.param(noised(embedding=(0.0, 0.0)), "of length 0; over 0", id="no direction"),
        pytest.param(noised(embedding=()), "of 0 dimensions; between 1 and", id="nothing"),
        pytest.param(noised(embedding=(0.0,) * 10_000), "of 10000 dimensions; between 1 and", id="too many dimensions"),
        pytest.param(noised(loss_before=math.nan), "has lossBefore nan; a finite number", id="a loss that is no number"),
        pytest.param(noised(loss_after=math.inf), "has lossAfter inf; a finite number", id="a loss that is infinite"),
    ],
)
def test_what_the_cr_does_not_ask_for_is_named(given: Profile, says: str) -> None:
    with pytest.raises(Refused, match=f"the facebook profile of cluster1 .*{says}"):
        check(given, ASKED)


def test_noise_that_is_not_asked_for_is_refused_since_it_would_allow_a_longer_embedding() -> None:
    with pytest.raises(Refused, match=r"has noise of epsilon 8.*; null is what"):
        check(noised(), Profiles(epsilon=None))


def test_no_profile_is_let_in_when_none_are_wanted() -> None:
    with pytest.raises(Refused, match=r"profiles\.enabled is false"):
        check(noised(), Profiles(enabled=False))
