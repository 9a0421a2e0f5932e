from hypothesis import given
from hypothesis import strategies as st

from fedspoke.placement import counts
from fedspoke.placement.counts import AtLeast

CLAIMS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


@given(CLAIMS, st.integers(0, 10**6))
def test_what_is_written_as_cel_is_read_back(claim: str, least: int) -> None:
    assert counts.read(AtLeast(claim, least).cel()) == AtLeast(claim, least)


def test_the_expression_is_one_that_ocm_evaluates() -> None:
    assert AtLeast("facebook.posts.example.org", 20).cel() == (
        'managedCluster.status.clusterClaims.exists(c, c.name == "facebook.posts.example.org" && int(c.value) >= 20)'
    )


@given(st.text(max_size=60))
def test_any_other_expression_is_not_read(expression: str) -> None:
    assert counts.read(expression) is None


def test_an_expression_with_more_to_it_is_not_read() -> None:
    assert counts.read(AtLeast("a", 1).cel() + " || true") is None
