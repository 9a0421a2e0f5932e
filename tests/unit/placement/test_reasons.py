import pytest

from fedspoke.api.names import DOMAIN, GPUS_CLAIM
from fedspoke.api.placement_spec import Requirement
from fedspoke.placement import reasons
from fedspoke.placement.counts import AtLeast
from fedspoke.placement.predicates import Lack, Unmet, Untrue


def why(*lacks: Lack) -> str:
    return reasons.why_not([list(lacks)])


def test_an_expression_that_is_not_true_is_quoted() -> None:
    assert why(Untrue("managedCluster.spec.hubAcceptsClient")) == "`managedCluster.spec.hubAcceptsClient` is false"


def test_one_that_could_not_be_evaluated_says_what_happened() -> None:
    assert why(Untrue("managedCluster.x == 1", "no such key: x")) == "`managedCluster.x == 1` failed: no such key: x"


def test_too_few_posts_are_said_in_words_and_not_in_cel() -> None:
    posts = Unmet("claim", AtLeast("facebook.posts.example.org", 20), "7")

    assert why(posts) == "declares too few posts (claim facebook.posts.example.org is 7, not 20 or more)"


def test_several_expressions_are_all_named() -> None:
    assert why(Untrue("a"), Untrue("b", "no such key: c")) == "`a` is false and `b` failed: no such key: c"


def test_one_of_two_predicates_would_be_enough() -> None:
    assert reasons.why_not([[Untrue("a")], [Untrue("b")]]) == "`a` is false or `b` is false"


def test_what_all_predicates_want_is_said_once() -> None:
    both = [[Untrue("a"), Untrue("c")], [Untrue("b"), Untrue("c")]]

    assert reasons.why_not(both) == "`c` is false"


def label(key: str, operator: str, *values: str, found: str | None) -> Unmet:
    return Unmet("label", Requirement(key=key, operator=operator, values=list(values)), found)


def claim(key: str, operator: str, *values: str, found: str | None) -> Unmet:
    return Unmet("claim", Requirement(key=key, operator=operator, values=list(values)), found)


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        (label("gpu", "In", "false", found="true"), "label gpu is true, not false"),
        (label("gpu", "In", "true", found="false"), "declares no GPU (label gpu is false, not true)"),
        (claim(GPUS_CLAIM, "NotIn", "8", found="8"), f"claim {GPUS_CLAIM} is 8, which it must not be"),
        (claim(GPUS_CLAIM, "NotIn", "0", "1", found="1"), f"declares too few GPUs (claim {GPUS_CLAIM} is 1)"),
        (claim(GPUS_CLAIM, "In", "8", found="4"), f"claim {GPUS_CLAIM} is 4, not 8"),
        (label(f"{DOMAIN}/facebook", "In", "false", found="true"), f"label {DOMAIN}/facebook is true, not false"),
        (label(f"{DOMAIN}/facebook", "In", "false", found=None), f"no label {DOMAIN}/facebook=false"),
    ],
)
def test_a_users_own_requirement_is_not_taken_for_a_wish_for_data_or_gpus(lack: Unmet, said: str) -> None:
    assert why(lack) == said


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        (label("region", "In", "eu", "", found="us"), 'label region is us, not eu or ""'),
        (label("region", "In", "eu", found=""), 'label region is "", not eu'),
        (label("region", "In", "", found=None), 'no label region=""'),
        (label("region", "NotIn", "eu", "us", found="eu"), "label region is eu, which it must not be"),
        (label("region", "DoesNotExist", found=""), 'label region is "", but must not be there'),
    ],
)
def test_values_are_named_also_where_they_are_empty_and_also_where_they_must_not_be(lack: Unmet, said: str) -> None:
    assert why(lack) == said
