import logging

from fedspoke.collaborator.tail import LINES, Tail


def logger(tail: Tail, name: str) -> logging.Logger:
    made = logging.Logger(name)
    made.addHandler(tail)
    return made


def test_the_end_of_the_log_is_bounded_in_lines_and_in_their_length() -> None:
    tail = Tail()
    log = logger(tail, "bounded")
    for number in range(LINES + 5):
        log.info("line %d\n%s", number, "x" * 10_000)
    lines = tail.text().splitlines()
    assert len(lines) == LINES
    assert "INFO line 5 xxx" in lines[0]
    assert max(map(len, lines)) < 600


def test_what_an_error_quotes_is_not_in_it() -> None:
    tail = Tail()
    logger(tail, "quoting").error("fetch_data: ValueError at line 3", exc_info=ValueError("dear diary"))
    assert tail.text().endswith("ERROR fetch_data: ValueError at line 3")


def test_what_is_for_whoever_writes_the_program_is_not_in_it() -> None:
    tail = Tail()
    logger(tail, "detailed").debug("dear diary")
    assert tail.text() == ""
