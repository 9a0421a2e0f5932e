"""Starting something again that has ended: at once at first, then after pauses that grow, and not for ever."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How often, and how soon. What ran well for a while begins its count anew."""

    most: int
    """Starts after failures in a row; one more failure is the end."""
    well: float
    """Seconds: what ran so long has not failed in a row with what was before."""
    first: float = 1.0
    longest: float = 30.0

    def failures(self, before: int, ran: float) -> int:
        """Failures in a row, the newest included, which came after so many seconds."""
        return 1 if ran >= self.well else before + 1

    def pause(self, failures: int) -> float | None:
        """Seconds until the next start, after so many failures in a row; None: it is given up."""
        if failures > self.most:
            return None
        return min(self.first * 2.0 ** min(failures - 1, 32), self.longest)  # else, after days, no float is large enough


def times(count: int) -> str:
    """`1st time`, `2nd time`."""
    ending = "th" if count % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending} time"
