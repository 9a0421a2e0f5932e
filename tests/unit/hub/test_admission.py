"""A profile is let in when it is what the CR asks for; a refusal names the field, its value and what would be right."""

import math
import random
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from fedspoke.api import profile_noise
from fedspoke.api.errors import Refused
from fedspoke.api.profiles import Noise, Profile, Visual
from fedspoke.api.training import Profiles
from fedspoke.hub.fusion.admission import check
from support.profiles import counted, profile

ASKED = Profiles(epsilon=8, delta=1e-5, min_posts=20, visual=True)


def right(posts: int = 20, *, visual: bool = False) -> Noise:
    asked = profile_noise.noise(ASKED, posts, visual=visual)
    assert asked is not None
    return asked


RIGHT = right()


def noised(**fields: Any) -> Profile:
    """Twenty posts, noised as the CR asks."""
    usual: dict[str, Any] = {"posts": 20, "noise": RIGHT}
    return profile(**(usual | fields))


def seen(embedding: tuple[float, ...] = (0.5, 0.0), **fields: Any) -> Profile:
    """The same, with a visual embedding."""
    return noised(visual=Visual(tower="b" * 64, embedding=embedding), **({"noise": right(visual=True)} | fields))


@pytest.mark.parametrize("posts", [20, 1000, 10**7])
@pytest.mark.parametrize("visual", [True, False])
def test_what_a_cluster_makes_of_its_posts_is_let_in(posts: int, visual: bool) -> None:
    noise, draw = right(posts, visual=visual), random.Random(posts)
    embedding = tuple(1 / math.sqrt(384) + draw.gauss(0, noise.sigma) for _ in range(384))
    counts = counted(posts, {"food": posts // 3}).items()
    topics = {name: round(count + draw.gauss(0, noise.topics_sigma or 0)) for name, count in counts}
    photos = Visual(tower="b" * 64, embedding=embedding) if visual else None
    check(noised(posts=posts, noise=noise, embedding=embedding, topics=topics, visual=photos), ASKED)


@pytest.mark.parametrize(
    ("releases", "spent"), [(1, 8), (2, 12.5), (30, None)], ids=["one release", "two releases", "one of them without noise"]
)
def test_what_was_spent_earlier_is_let_in(releases: int, spent: float | None) -> None:
    check(noised(noise=RIGHT.model_copy(update={"releases": releases, "spent_epsilon": spent})), ASKED)


def test_a_profile_without_noise_is_let_in_where_none_is_asked_for() -> None:
    embedding = np.ones(384, np.float32) / np.sqrt(np.float32(384))  # its length is 1 but for rounding
    check(profile(posts=20, embedding=tuple(embedding.tolist())), Profiles(epsilon=None))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(noised(posts=19), r"has posts 19; between 20 \(spec.profiles.minPosts\) and", id="too few posts"),
        pytest.param(
            noised(posts=10**18, topics=counted(20)),
            "has posts 1000000000000000000; .* and 10000000 would be right",
            id="too many posts",
        ),
        pytest.param(noised(posts=10**4000, topics=counted(20)), "has posts 1000", id="posts beyond all floats"),
        pytest.param(noised(noise=None), "has noise null; of epsilon 8, delta 1e-05, sigma 0.08", id="no noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"epsilon": 9})), "of epsilon 9.*; of epsilon 8", id="epsilon"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"delta": 0.1})), "delta 0.1.*; .*delta 1e-05", id="delta"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": 1e6})), r"sigma 1e\+06 .*; .*sigma 0.08", id="more noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": 0.0})), "sigma 0 .*; .*sigma 0.08", id="less noise"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"sigma": math.nan})), "sigma nan", id="noise that is no number"),
        pytest.param(noised(posts=21), "sigma 0.08.* with 21 posts", id="noise for fewer posts"),
        pytest.param(noised(embedding=(1e6, 0.0)), r"of length 1e\+06; over 0 and at most 1\.6", id="a giant"),
        pytest.param(noised(embedding=(math.nan, 0.0)), "of length nan; ", id="NaN"),
        pytest.param(noised(embedding=(math.inf, 0.0)), "of length inf; ", id="infinity"),
        pytest.param(noised(embedding=(0.0, 0.0)), "of length 0; over 0", id="no direction"),
        pytest.param(noised(embedding=()), "of 0 dimensions; between 1 and", id="nothing"),
        pytest.param(noised(embedding=(0.0,) * 10_000), "of 10000 dimensions; between 1 and", id="too many dimensions"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"topics_sigma": 0.1})), "topicsSigma 0.1; ", id="less for topics"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"topics_sigma": None})), "; .*topicsSigma", id="none for topics"),
        pytest.param(seen(noise=RIGHT), "; .*visualSigma", id="none for photos"),
        pytest.param(noised(noise=right(visual=True)), "visualSigma .*; ", id="for photos that are not there"),
        pytest.param(seen((1e6, 0.0)), r"a visual embedding of length 1e\+06; ", id="a visual giant"),
        pytest.param(seen((math.nan, 0.0)), "a visual embedding of length nan; ", id="visual NaN"),
        pytest.param(seen(()), "a visual embedding of 0 dimensions; ", id="nothing seen"),
        pytest.param(seen((0.0,) * 10_000), "a visual embedding of 10000 dimensions; ", id="too much seen"),
        pytest.param(noised(topics=None), r"has no topics, and spec\.profiles\.topics is true", id="no topics"),
        pytest.param(noised(topics={}), "has topics without 'animals'; a count each of animals,", id="no counts"),
        pytest.param(noised(topics=counted(20) | {"aa": 0}), "has topics with 'aa'; ", id="a topic of its own"),
        pytest.param(noised(topics=counted(20, {"food": 0}) | {"x" * 10_000: 0}), "with 'xxx[x…]*; ", id="a long one"),
        pytest.param(
            noised(topics=counted(10**9)), r"of 1000000000 posts together; between -.* and \d\d would", id="too many counts"
        ),
        pytest.param(
            noised(posts=1000, noise=right(1000), topics=counted(0)), "of 0 posts together; between 9", id="too few counts"
        ),
        pytest.param(noised(noise=RIGHT.model_copy(update={"releases": 0})), "has releases 0; between 1", id="no release"),
        pytest.param(noised(noise=RIGHT.model_copy(update={"releases": 10**9})), "has releases 10+; ", id="too many releases"),
        pytest.param(
            noised(noise=RIGHT.model_copy(update={"spent_epsilon": 9})), "9.*; 8 would be right for one", id="spent more"
        ),
        pytest.param(
            noised(noise=RIGHT.model_copy(update={"spent_epsilon": None})),
            "None; 8 would be right for one",
            id="spent no one knows",
        ),
        *(
            pytest.param(
                noised(noise=RIGHT.model_copy(update={"releases": 2, "spent_epsilon": spent})),
                f"has spentEpsilon {spent}; at least 8, or null",
                id=f"two spent {spent}",
            )
            for spent in (7.9, math.inf, math.nan)
        ),
    ],
)
def test_what_the_cr_does_not_ask_for_is_named(given: Profile, says: str) -> None:
    with pytest.raises(Refused, match=f"the facebook profile of cluster1 .*{says}"):
        check(given, ASKED)


def test_noise_that_is_not_asked_for_is_refused_since_it_would_allow_a_longer_embedding() -> None:
    with pytest.raises(Refused, match=r"has noise of epsilon 8.*; null is what"):
        check(noised(), Profiles(epsilon=None))


def test_parts_that_are_not_asked_for_are_refused() -> None:
    with pytest.raises(Refused, match=r"visual embedding; none would be right, since spec\.profiles\.visual is false"):
        check(seen(), ASKED.model_copy(update={"visual": False}))
    with pytest.raises(Refused, match=r"has topics, and spec\.profiles\.topics is false"):
        check(noised(), ASKED.model_copy(update={"topics": False}))


@pytest.mark.parametrize("count", ["-10000000000", "1e3000", "NaN", "10000000000", '"many"', "null"])
def test_what_is_no_count_is_no_profile(count: str) -> None:
    body = noised().model_dump_json(by_alias=True)
    with pytest.raises(ValidationError, match=r"topics\.food"):
        Profile.model_validate_json(body.replace('"food":0', f'"food":{count}'))


def test_no_profile_is_let_in_when_none_are_wanted() -> None:
    with pytest.raises(Refused, match=r"profiles\.enabled is false"):
        check(noised(), Profiles(enabled=False))
