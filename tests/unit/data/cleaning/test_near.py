import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.data.cleaning.look import ALIKE_SLOPES, alike
from fedspoke.data.cleaning.near import Seen, unlike
from fedspoke.data.cleaning.rules import RULES

SUNSET = "What a lovely sunset we had yesterday evening at the lake, and nobody else was there"
SUNSET_TOO = "What a lovely sunset we had yesterday evening at the lake and nobody else was there!!"
BREAD = "Grandma's recipe for sourdough bread, at last: flour, water, salt and a lot of patience"

FIELDS = int.from_bytes(bytes([40, 200] * 128)) << 64  # of a photo on which there is something to see
LOOK, SAME_LOOK, OTHER_LOOK = (
    FIELDS | slopes for slopes in (0x0F0F_3C3C_5A5A_9999, 0x0F0F_3C3C_5A5A_9998, 0xFFFF_0000_1234_5678)
)

LOOKS = st.integers(0, 2**64 - 1).map(FIELDS.__or__)


def seen() -> Seen:
    return Seen(sqlite3.connect(":memory:"))


def flipped(look: int, bits: set[int]) -> int:
    return look ^ sum(1 << bit for bit in bits)


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        pytest.param((SUNSET, LOOK), (SUNSET_TOO, SAME_LOOK), "near_photos", id="the same photo with the same words repeats"),
        pytest.param((SUNSET, LOOK), (BREAD, LOOK), None, id="the same photo with other words stays"),
        pytest.param((SUNSET, LOOK), (SUNSET, OTHER_LOOK), None, id="the same words with another photo stay"),
        pytest.param((SUNSET, None), (SUNSET, LOOK), None, id="words that get a photo stay"),
        pytest.param((SUNSET, None), (SUNSET_TOO, None), "near_texts", id="words alone repeat"),
        pytest.param((SUNSET, LOOK), (SUNSET_TOO, None), "near_texts", id="words alone that a photo had repeat"),
        pytest.param((SUNSET, None), (BREAD, None), None, id="other words stay"),
        pytest.param(("Good morning!", None), ("GOOD  MORNING", None), "near_texts", id="few words repeat"),
        pytest.param(("Good morning", None), ("Good evening", None), None, id="few other words stay"),
        pytest.param((f"{SUNSET} 2018", None), (f"{SUNSET} 2019", None), None, id="the same words of another year stay"),
        pytest.param((f"{SUNSET} 2018", None), (f"{SUNSET}, 2018!", None), "near_texts", id="the same words of one year repeat"),
        pytest.param(
            ("おはようございます", None), ("おはようございます！", None), "near_texts", id="words without spaces repeat"
        ),
        pytest.param(("😀😀😀", None), ("😭😭😭", None), None, id="signs alone are compared, too"),
    ],
)
def test_what_repeats_is_left_out(first: tuple[str, int | None], second: tuple[str, int | None], rule: str | None) -> None:
    memory = seen()

    assert memory.repeats(*first) is None
    assert memory.repeats(*second) == rule


@pytest.mark.parametrize(("look", "rule"), [(None, "near_texts"), (LOOK, "near_photos")])
def test_each_rule_can_be_switched_off(look: int | None, rule: str) -> None:
    memory = seen()
    memory.repeats(SUNSET, look)

    assert rule in RULES
    assert memory.repeats(SUNSET, look, [rule]) is None
    assert memory.repeats(SUNSET, look) == rule


def test_what_was_left_out_is_not_what_later_ones_are_compared_with() -> None:
    memory = seen()
    drift = [flipped(LOOK, set(range(number))) for number in (0, 3, 6)]

    assert [memory.repeats(SUNSET, look) for look in drift] == [None, "near_photos", None]


@given(LOOKS, st.sets(st.integers(0, 63), max_size=8))
def test_looks_are_alike_up_to_a_number_of_bits_wherever_they_are(look: int, bits: set[int]) -> None:
    memory = seen()
    memory.repeats(SUNSET, look)

    assert memory.repeats(SUNSET, flipped(look, bits)) == ("near_photos" if len(bits) <= ALIKE_SLOPES else None)


@given(st.integers(0, 2**32), st.integers(0, 29))
def test_one_word_of_thirty_makes_no_new_text_and_thirty_others_do(seed: int, changed: int) -> None:
    chance = random.Random(seed)
    words, others = (["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(30)] for _ in range(2))
    memory = seen()
    memory.repeats(" ".join(words), None)

    assert memory.repeats(" ".join([*words[:changed], "xyz", *words[changed + 1 :]]), None) == "near_texts"
    assert memory.repeats(" ".join(others), None) is None


def test_what_was_seen_is_remembered_with_the_database(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "seen") as connection:
        Seen(connection).repeats(SUNSET, LOOK)
    connection = sqlite3.connect(tmp_path / "seen")
    Seen(connection).repeats(BREAD, None)
    connection.rollback()

    assert Seen(connection).repeats(SUNSET, LOOK) == "near_photos"
    assert Seen(connection).repeats(BREAD, None) is None  # it was never committed


def test_of_a_photo_that_comes_again_the_first_stays() -> None:
    assert unlike([LOOK, SAME_LOOK, OTHER_LOOK, LOOK]) == [0, 2]
    assert unlike([]) == []


@given(st.lists(LOOKS | st.sampled_from([LOOK, SAME_LOOK]), max_size=8))
def test_of_photos_that_stay_no_two_look_alike_and_each_that_goes_looks_like_one(looks: list[int]) -> None:
    kept = unlike(looks)

    assert not any(alike(looks[one], looks[other]) for one in kept for other in kept if one != other)
    assert all(
        any(alike(looks[gone], looks[other]) for other in kept if other < gone) for gone in set(range(len(looks))) - set(kept)
    )
