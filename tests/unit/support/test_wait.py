"""Waiting tells a person what did not come about, how long that was waited for, and what was there instead."""

import re

import pytest

from fedspoke.api.errors import Failed
from support.fleet.kubernetes import Rejected
from support.fleet.processes import running
from support.fleet.wait import until


def test_what_does_not_come_about_is_told_with_its_time_and_what_was_seen_last() -> None:
    told = r"the pod runs: not so within 0 s; waited from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d; seen last: 'Pending'"
    with pytest.raises(Failed, match=told):
        until("the pod runs", lambda: "Pending", 0, so="Running".__eq__)


def test_an_api_that_says_no_is_asked_again() -> None:
    answers = iter([Rejected("not yet"), None, "Running"])

    def answer() -> str | None:
        given = next(answers)
        if isinstance(given, Rejected):
            raise given
        return given

    assert until("the pod runs", answer, 60) == "Running"


def test_a_program_that_has_ended_is_waited_for_no_longer(tmp_path) -> None:
    with (
        running("sh", "-c", "echo no room; exit 3", log=tmp_path / "etcd.log") as etcd,
        pytest.raises(Failed, match=re.compile("the store answers: etcd ended with 3.*no room", re.DOTALL)),
    ):
        until("the store answers", lambda: None, 60, [etcd])


def test_the_last_words_of_a_program_may_be_the_answer(tmp_path) -> None:
    with running("sh", "-c", "echo panic", log=tmp_path / "etcd.log") as etcd:
        etcd.handle.wait()

        assert until("etcd panics", lambda: "panic" in etcd.words(), 60, [etcd])
