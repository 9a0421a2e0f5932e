"""Which posts are held out."""

from hypothesis import given
from hypothesis import strategies as st

from fedspoke.collaborator.heldout import split
from fedspoke.data.records import CleanRecord
from support.tiny import record

SHARES = st.floats(0, 0.5)


def posts(count: int) -> list[CleanRecord]:
    return [record(f"post {n}") for n in range(count)]


def held(of: list[CleanRecord], share: float) -> set[str]:
    return {post.id for post in split(of, share).held}


@given(st.integers(0, 60), SHARES)
def test_every_post_is_either_trained_on_or_held_out_in_its_order(count: int, share: float) -> None:
    given_, found = posts(count), split(posts(count), share)
    assert sorted(found.trained + found.held, key=given_.index) == given_
    assert list(found.trained) == [post for post in given_ if post in found.trained]
    assert not set(found.trained) & set(found.held)


@given(st.integers(5, 60), st.floats(0.001, 0.5))
def test_the_share_is_kept_with_at_least_one_post_on_each_side(count: int, share: float) -> None:
    found = split(posts(count), share)
    assert len(found.held) == max(1, round(share * count))
    assert len(found.trained) >= 1


@given(st.integers(0, 4), SHARES)
def test_of_fewer_than_five_posts_none_is_held_out(count: int, share: float) -> None:
    assert split(posts(count), share).held == ()


def test_a_share_of_0_holds_nothing_out() -> None:
    assert split(posts(30), 0).held == ()


@given(st.permutations(posts(20)), SHARES)
def test_the_order_of_the_posts_plays_no_part(shuffled: list[CleanRecord], share: float) -> None:
    assert held(shuffled, share) == held(posts(20), share)


@given(SHARES, SHARES)
def test_a_larger_share_holds_out_what_a_smaller_one_did(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert held(posts(30), small) <= held(posts(30), large)


def test_when_posts_are_added_most_stay_where_they_were() -> None:
    before, after = held(posts(100), 0.2), held(posts(105), 0.2)
    assert len(before & after) >= 18


def test_posts_of_one_id_stay_together() -> None:
    twice = [*posts(10), *posts(10)]
    found = split(twice, 0.5)
    assert not {post.id for post in found.trained} & {post.id for post in found.held}


def test_the_choice_is_the_same_on_every_machine() -> None:
    assert [post.text for post in split(posts(10), 0.2).held] == ["post 6", "post 9"]


def test_a_thing_that_was_posted_on_both_platforms_is_trained_on_or_held_out_as_one() -> None:
    both = [record(f"Sunset  at the pier, day {n} {spaced}") for n in range(40) for spaced in ("today", "TODAY ")]
    found = split(both, 0.2)
    said = [{" ".join(post.text.casefold().split()) for post in side} for side in (found.trained, found.held)]
    assert not said[0] & said[1]
    assert len(found.held) == 16


def test_posts_that_show_one_photo_are_not_on_both_sides() -> None:
    photo = "facebook/images/0123456789abcdef.jpg"
    chain = [record(f"post {n}").model_copy(update={"image": photo if n % 4 == 0 else None}) for n in range(40)]
    found = split(chain, 0.2)
    assert len({post.image for post in found.held if post.image} & {post.image for post in found.trained if post.image}) == 0


def test_posts_that_are_all_one_thing_leave_nothing_to_hold_out() -> None:
    assert split([record(f"the same{' ' * n}") for n in range(8)], 0.2).held == ()
