"""A round's seconds, told apart by the gateway's log."""

import json

import pytest

from benchmarks import phases


def line(cluster: str, method: str, at: float, milliseconds: int, number: int = 2, size: int = 1 << 20, code: int = 200) -> str:
    return json.dumps(
        {
            "time": f"1970-01-01T00:00:{at:06.3f}Z",
            "identity": cluster,
            "method": method,
            "path": f"/v1/runs/default.bench/rounds/{number}/adapter",
            "code": code,
            "bytesIn": size if method == "PUT" else 0,
            "bytesOut": size if method == "GET" else 20,
            "milliseconds": milliseconds,
        }
    )


LOG = [
    line("one", "GET", 11, 1000),
    line("one", "PUT", 14, 2000, code=201),
    line("two", "GET", 12, 2000),
    line("two", "PUT", 17, 1000, code=201),
]


def test_the_phases_of_a_round_add_up_to_it() -> None:
    found = phases.split(LOG, 2, 10, 18.5, 20)
    assert found == pytest.approx(
        {"order": 1.5, "download": 1.5, "training": 2.5, "upload": 1.5, "wait": 1, "answer": 0.5, "combine": 1.5}
    )
    assert sum(found.values()) == pytest.approx(10)
    assert found.keys() == phases.WORDS.keys()


def test_other_rounds_tickets_refusals_and_attempts_that_were_cut_are_no_part_of_it() -> None:
    others = [
        line("one", "GET", 1, 1, number=1),
        line("one", "GET", 19, 5, size=30),
        line("one", "PUT", 13, 9, code=503),
        line("two", "HEAD", 13, 9, code=204),
    ]
    assert phases.split([*others, *LOG, *others], 2, 10, 18.5, 20) == phases.split(LOG, 2, 10, 18.5, 20)
