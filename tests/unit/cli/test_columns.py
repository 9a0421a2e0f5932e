import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedspoke.cli.columns import lines

WORDS = st.text("abc-./=×", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)


def test_columns_are_as_wide_as_their_widest_cell_and_the_last_as_wide_as_it_likes() -> None:
    found = list(lines(["NAME", "WHY"], [["berlin", "x " * 60], ["oslo", ""]], None))

    assert found == ["NAME    WHY", "berlin  " + ("x " * 60).rstrip(), "oslo"]


def test_in_a_terminal_the_last_column_is_wrapped_at_spaces_beside_the_others() -> None:
    reason = "has the taint cluster.open-cluster-management.io/unreachable (NoSelect)"

    assert list(lines(["NAME", "WHY"], [["a", reason]], 40)) == [
        "NAME  WHY",
        "a     has the taint",
        "      cluster.open-cluster-management.io/unreachable",
        "      (NoSelect)",
    ]


def test_a_name_that_leaves_no_room_has_its_reason_below() -> None:
    name = "a-name-of-forty-letters-or-a-few-more.eu"

    assert list(lines(["NAME", "WHY"], [[name, "declares no data"]], 50)) == ["NAME", "    WHY", name, "    declares no data"]


@pytest.mark.parametrize("steering", ["\x1b[2J", "\r", "\n", "\u202e"])
def test_what_would_steer_the_terminal_is_replaced(steering: str) -> None:
    assert list(lines(["A"], [[f"x{steering[0]}y"]], None)) == ["A", "x\N{REPLACEMENT CHARACTER}y"]


@given(st.lists(st.tuples(WORDS, TEXTS), max_size=4), st.integers(10, 100))
def test_no_word_is_lost_or_cut_however_narrow_the_terminal_is(rows: list[tuple[str, str]], width: int) -> None:
    shown = " ".join(lines(["NAME", "WHY"], rows, width)).split()

    assert shown == ["NAME", "WHY", *(word for row in rows for cell in row for word in cell.split())]
