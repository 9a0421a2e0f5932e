"""What an owner's policy allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.agent.policy import Policy, policy
from fedspoke.api.curation import Curation
from fedspoke.api.errors import Refused
from fedspoke.api.training import AdapterPrivacy, Profiles

PINNED = "registry.example.com/team/fedspoke-collaborator@sha256:12ab"
MOST = "the epsilon of a profile must be 8 or less, and profiles has"


@pytest.mark.parametrize("data", [None, {}])
def test_an_owner_who_says_nothing_allows_what_is_offered(data: dict[str, str] | None):
    assert policy(data) == Policy()
    assert Policy().forbids("team.social", ["facebook"], [PINNED]) == ""
    assert Policy().too_little_noise(AdapterPrivacy(), Profiles(epsilon=None)) == ""


@pytest.mark.parametrize(
    ("said", "run", "allowed"),
    [
        ("research/*", "research.social", True),
        ("research/*", "research-evil.social", False),
        ("research/*", "evil.research", False),
        ("research/social\nother/*", "other.x", True),
        ("*", "any.thing", True),
        ("", "research.social", False),
        ("research.social", "research.social", False),
    ],
)
def test_federations_are_named_by_patterns(said: str, run: str, allowed: bool):
    assert (policy({"federations": said}).forbids(run, [], []) == "") is allowed


@pytest.mark.parametrize(
    ("said", "image", "allowed"),
    [
        (PINNED, PINNED, True),
        (PINNED, f"{PINNED}34", False),
        ("registry.example.com/team/", PINNED, True),
        ("registry.example.com/team/fedspoke-collaborator@", PINNED, True),
        ("registry.example.com", "registry.example.com.evil.org/x", False),
        ("registry.example.com/team", "registry.example.com/team-evil/x", False),
        ("", PINNED, False),
    ],
)
def test_images_are_named_whole_or_by_a_beginning_that_ends_with_a_part(said: str, image: str, allowed: bool):
    assert (policy({"images": said}).forbids("a.b", [], [image]) == "") is allowed


def test_every_image_and_every_platform_has_to_be_allowed():
    it = policy({"images": PINNED, "platforms": "facebook"})
    assert it.forbids("a.b", [], [PINNED, "evil"]) == "evil is none of the images that it names"
    assert it.forbids("a.b", ["facebook", "instagram"], []) == "data of instagram is not shared"
    assert it.shares("facebook")
    assert not it.shares("instagram")


@pytest.mark.parametrize(
    ("said", "adapters", "profiles", "why"),
    [
        ({"minNoiseMultiplier": "1"}, {}, {}, "noise on adapters must be 1 or more, and privacy.adapters has 0"),
        (
            {"minNoiseMultiplier": "1"},
            {"mechanism": "gaussian", "noise_multiplier": 0.5},
            {},
            "noise on adapters must be 1 or more, and privacy.adapters has 0.5",
        ),
        ({"minNoiseMultiplier": "1"}, {"mechanism": "gaussian", "noise_multiplier": 1}, {}, ""),
        (
            {"maxProfileEpsilon": "8"},
            {},
            {"epsilon": 8.5},
            f"{MOST} an epsilon of 8.5",
        ),
        (
            {"maxProfileEpsilon": "8"},
            {},
            {"epsilon": None},
            f"{MOST} no noise",
        ),
        ({"maxProfileEpsilon": "8"}, {}, {"epsilon": None, "enabled": False}, ""),
        ({"maxProfileEpsilon": "8"}, {}, {"epsilon": 8}, ""),
        ({"maxProfileEpsilon": "8"}, {}, {"epsilon": 8, "delta": 1e-3}, ""),
        (
            {"maxProfileEpsilon": "8"},
            {},
            {"epsilon": 8, "delta": 0.99},
            "the delta of a profile must be 0.001 or less, and profiles has 0.99",
        ),
        ({"maxProfileEpsilon": "8"}, {}, {"delta": 0.99, "enabled": False}, ""),
        ({}, {}, {"delta": 0.99}, ""),
    ],
)
def test_noise_has_a_least(said, adapters, profiles, why: str):
    assert policy(said).too_little_noise(AdapterPrivacy(**adapters), Profiles(**profiles)) == why


SERVICE = "http://llm.models.svc:8000/v1"


@pytest.mark.parametrize(
    ("said", "endpoint", "allowed"),
    [
        ({}, SERVICE, False),
        ({"curationEndpoints": ""}, SERVICE, False),
        ({"curationEndpoints": SERVICE}, SERVICE, True),
        ({"curationEndpoints": f"http://other.svc {SERVICE}"}, SERVICE, True),
        ({"curationEndpoints": "http://*.models.svc:*"}, SERVICE, True),
        ({"curationEndpoints": "http://*.models.svc/*"}, SERVICE, False),
        ({"curationEndpoints": SERVICE}, "http://llm.evil.svc:8000/v1", False),
    ],
)
def test_posts_are_handed_to_no_endpoint_that_the_owner_has_not_named(said: dict[str, str], endpoint: str, allowed: bool):
    why = policy(said).hands_out(Curation(endpoint=endpoint, model="llama"))
    assert (why == "") is allowed
    if why:
        assert why == (
            f"client.curation would hand its posts to {endpoint}: "
            "to allow it, add that address to curationEndpoints in the ConfigMap federated-learning-policy"
        )


def test_loopback_is_no_service_whatever_the_owner_has_named():
    why = policy({"curationEndpoints": "*"}).hands_out(Curation(endpoint="http://127.0.0.1:9091/v1", model="llama"))
    assert why.endswith("http://127.0.0.1:9091/v1, which is no Service of this cluster")


def test_without_curation_nothing_is_handed_out():
    assert policy(None).hands_out(None) == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"federation": "*"}, "it has the key 'federation', which must be one of federations, "),
        ({"platforms": "facebok"}, "platforms must be of facebook, instagram, and there is 'facebok'"),
        ({"minNoiseMultiplier": "much"}, "minNoiseMultiplier must be a number like 1.0, and is 'much'"),
        ({"maxProfileEpsilon": "nan"}, "maxProfileEpsilon must be a number like 1.0, and is 'nan'"),
        ({"maxProfileEpsilon": "-1"}, "maxProfileEpsilon must be a number like 1.0, and is '-1'"),
    ],
)
def test_what_is_not_understood_is_refused(said: dict[str, str], why: str):
    with pytest.raises(Refused) as refused:
        policy(said)
    assert str(refused.value).startswith(why)


@given(st.lists(st.text(alphabet="ab*?/.", max_size=6)), st.text(alphabet="ab", min_size=1), st.text(alphabet="ab", min_size=1))
def test_more_patterns_never_allow_less(patterns: list[str], namespace: str, name: str):
    run = f"{namespace}.{name}"
    fewer, more = (Policy(federations=tuple(it)).forbids(run, [], []) for it in (patterns[:1], patterns))
    assert not more or fewer
