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
