"""One number for all clusters, weighted by their posts or examples; what adapters are worth on posts that nobody trains on."""

from collections.abc import Iterable

from fedspoke.api.records import HeldOut

_MOST = 10**9  # posts that a record counts


def mean(told: Iterable[tuple[float, int]]) -> float:
    """Of values with their weights, of which there is at least one."""
    pairs = list(told)
    values = [value for value, _ in pairs]
    exact = sum(value * weight for value, weight in pairs) / sum(weight for _, weight in pairs)
    return min(max(exact, min(values)), max(values))  # rounding must not carry it out of the range that a record checks


def overall(told: Iterable[HeldOut | None]) -> HeldOut | None:
    """Over the clusters that measured; None if none did."""
    measured = [one for one in told if one]
    if not measured:
        return None
    return HeldOut(
        posts=min(sum(one.posts for one in measured), _MOST),
        before=mean((one.before, one.posts) for one in measured),
        after=mean((one.after, one.posts) for one in measured),
    )
