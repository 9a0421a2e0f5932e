import os
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import psutil
import pytest

from fedspoke.api.errors import Failed
from fedspoke.data import workers
from fedspoke.data.worker import MEMORY
from support import workers as give


def test_answers_come_in_the_order_of_the_items() -> None:
    assert list(workers.each(give.slow_if_even, range(20), -1, processes=3)) == [(number, number) for number in range(20)]


def test_an_item_that_kills_its_process_is_lost_and_no_other() -> None:
    answers = list(workers.each(give.die_of_three, [1, 3, 2, 3, 4], None, processes=2))

    assert answers == [(1, 1), (3, None), (2, 2), (3, None), (4, 4)]


def test_of_many_that_go_together_only_the_one_that_kills_its_process_is_lost() -> None:
    answers = list(workers.each_of_many(give.die_of_three, range(120), -1))

    assert answers == [(number, -1 if number == 3 else number) for number in range(120)]


def test_items_are_not_read_far_ahead() -> None:
    taken = count()

    def items() -> Iterator[int]:
        for number in range(10_000):
            next(taken)
            yield number

    list(islice(workers.each(give.square, items(), -1, processes=2), 5))

    assert next(taken) < 100


def test_no_process_is_left_when_nobody_wants_more_answers() -> None:
    answers = workers.each(give.answer_from_the_process, count(), -1, processes=1)
    process = psutil.Process(next(answers)[1])
    answers.close()  # type: ignore[attr-defined]  # it is a generator

    assert not psutil.wait_procs([process], timeout=30)[1]


def test_an_item_cannot_take_all_the_memory() -> None:
    assert list(workers.each(give.fill_the_memory, [1], "", processes=1)) == [(1, "no more")]


def test_an_item_cannot_make_a_file(tmp_path: Path) -> None:
    [(path, answer)] = workers.each(give.write_a_file, [str(tmp_path / "file")], "", processes=1)

    assert answer == "refused"
    assert not Path(path).exists() or not Path(path).read_bytes()


def test_an_item_without_an_end_is_lost() -> None:
    assert list(workers.each(give.turn_if_three, [1, 3, 2], None, processes=1, seconds=0.2)) == [(1, 1), (3, None), (2, 2)]


def test_an_item_that_raises_is_lost_and_its_process_goes_on() -> None:
    answers = workers.each(give.inverse, [0, 2, 4], None, processes=1)

    assert list(answers) == [(0, None), (2, 0.5), (4, 0.25)]


def test_processes_that_cannot_be_started_are_one_sentence() -> None:
    with pytest.raises(Failed, match="no process can be started"):
        list(workers.each(give.Unknown(), [1], None, processes=1))


def test_no_items_need_no_process() -> None:
    assert list(workers.each(give.square, [], -1)) == []


def test_an_item_whose_process_is_killed_for_anothers_sake_is_done_by_the_next(tmp_path: Path) -> None:
    """Who dies first is told by a folder that is there but once, as no file can be made."""
    (tmp_path / "first").mkdir()

    [(_, answer)] = workers.each(give.die_while_it_is_there, [str(tmp_path / "first")], "lost", processes=1)

    assert answer == "done"


def test_an_answer_of_another_class_is_none_of_ours() -> None:
    assert list(workers.each(Path, ["a"], None, processes=1)) == [("a", None)]


def test_processes_are_as_many_as_the_container_has_cores_and_memory_for(tmp_path: Path) -> None:
    all_of_them = workers.cores(tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("0\n")
    assert workers.cores(tmp_path) == all_of_them == len(os.sched_getaffinity(0))

    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert workers.cores(tmp_path) == 1

    (tmp_path / "cpu.max").unlink()
    (tmp_path / "memory.max").write_text(str(MEMORY // 2))
    assert workers.cores(tmp_path) == 1
