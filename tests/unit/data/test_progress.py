from fedspoke.data.progress import paced


def test_progress_is_shown_now_and_then_with_its_rate() -> None:
    now = 0.0
    lines: list[str] = []
    progress = paced(lines.append, seconds=5, clock=lambda: now)

    for done in range(1, 2001):
        now = done / 100
        progress("photos decoded", done, 2000)
    for done in range(1, 301):
        now = 20 + done / 50
        progress("posts chosen", done, None)

    assert lines == [
        "photos decoded: 500 of 2,000, 100/s",
        "photos decoded: 1,000 of 2,000, 100/s",
        "photos decoded: 1,500 of 2,000, 100/s",
        "photos decoded: 2,000 of 2,000, 100/s",
        "posts chosen: 250, 50/s",
    ]


def test_what_is_done_at_once_shows_nothing() -> None:
    lines: list[str] = []

    paced(lines.append, seconds=5, clock=lambda: 0)("posts chosen", 1, 1)

    assert lines == []
