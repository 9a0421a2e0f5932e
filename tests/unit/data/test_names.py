import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.data.exports.names import arranged, inside, matcher, natural, possible

names = st.text(st.sampled_from("ab_/0123456789٣"), max_size=12)


@given(st.lists(st.integers(min_value=0), unique=True, min_size=1), st.integers(0, 3))
def test_numbered_files_come_in_the_order_of_their_numbers(numbers: list[int], zeros: int) -> None:
    files = [f"posts/your_posts_{'0' * zeros}{number}.json" for number in numbers]
    random.Random(0).shuffle(files)

    assert sorted(files, key=natural) == [f"posts/your_posts_{'0' * zeros}{number}.json" for number in sorted(numbers)]


@given(names, names)
def test_two_names_never_tie(one: str, other: str) -> None:
    assert (natural(one) == natural(other)) == (one == other)


def test_a_number_of_any_length_can_be_compared() -> None:
    assert natural("9" * 5000) < natural("1" + "0" * 5000)


@given(st.text() | st.lists(st.sampled_from(["..", ".", "", "a", "C:", "b\\c", "\0"])).map("/".join))
def test_no_name_leads_out_of_the_export(uri: str) -> None:
    parts = inside(uri)

    assert parts is None or not {"", ".", ".."}.intersection(parts)
    assert parts is None or not any("/" in part or "\\" in part for part in parts)


@pytest.mark.parametrize("uri", ["..", "a/../../b", "/etc/hostname", "\\\\server\\share", "..\\b", "C:\\b", "c:b"])
def test_a_name_that_leads_out_is_told(uri: str) -> None:
    assert inside(uri) is None


@pytest.mark.parametrize("uri", ["a/b.jpg", "./a//b.jpg", "a\\b.jpg", "a/./b.jpg"])
def test_the_same_file_may_be_written_in_several_ways(uri: str) -> None:
    assert inside(uri) == ("a", "b.jpg")


@pytest.mark.parametrize("parts", [(), ("a\0b",), ("x" * 256,), ("ü" * 128,), ("\ud83d",)])
def test_what_no_file_can_be_called_is_known_without_asking_the_disk(parts: tuple[str, ...]) -> None:
    assert not possible(parts)


def test_names_come_in_the_order_of_the_patterns_and_each_once() -> None:
    found = ["b/10.json", "a.json", "b/2.json", "b/c/1.json", "b/.hidden.json"]

    assert arranged(found, ["b/*.json", "b/2.json", "a*.json"]) == ["b/2.json", "b/10.json", "a.json"]


def test_no_pattern_fits_nothing() -> None:
    assert matcher([]).fullmatch("") is None
