"""A subtle attack that no strategy keeps out: "A Little Is Enough" (Baruch et al. 2019, arXiv 1902.06156).

Liars that know the honest updates all send their mean less z standard deviations, number by number, with z so small that most
votes lie around it. A round is moved by less than honest clusters differ; but all rounds are moved into the same direction, where
honest differences cancel out.
"""

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from fedspoke.api.aggregation import Aggregation
from fedspoke.hub.aggregation.strategies import fedavg
from fedspoke.hub.aggregation.strategies.rule import rule

Single = NDArray[np.float32]

CLUSTERS, NUMBERS = 11, 2000
ROBUST: dict[str, tuple[dict[str, float], int]] = {  # as in tests/integration/test_poisoned.py: options, and as many liars
    "fedmedian": ({}, 5),
    "trimmedmean": ({"beta": 0.2}, 2),
    "krum": ({"malicious": 4}, 4),
    "multikrum": ({"malicious": 4}, 4),
    "bulyan": ({"malicious": 2}, 2),
}
every_robust = pytest.mark.parametrize(("strategy", "options", "liars"), [(name, *ROBUST[name]) for name in ROBUST], ids=ROBUST)


def z_max(liars: int) -> float:
    """Algorithm 3 of the paper: so many honest updates lie further out that with them the liars are most."""
    honest, supporters = CLUSTERS - liars, CLUSTERS // 2 + 1 - liars
    return NormalDist().inv_cdf((honest - supporters) / honest)


def attacked(honest: Single, liars: int) -> Single:
    """All updates, where the last few clusters lie."""
    known = honest[: CLUSTERS - liars]
    lie = known.mean(axis=0) - z_max(liars) * known.std(axis=0)
    return np.concatenate([known, np.tile(lie, (liars, 1))]).astype(np.float32)


def combined(strategy: str, options: dict[str, float], values: Single) -> Single:
    how = Aggregation.model_validate({"strategy": strategy, "options": options})
    return rule(how, fedavg.shares([1] * CLUSTERS), [values], None)(values, lambda: values[0])


def pull(strategy: str, options: dict[str, float], liars: int) -> float:
    """How far one round is moved where the liars want it, in standard deviations of the honest clusters."""
    values = attacked(np.random.default_rng(1).standard_normal((CLUSTERS, NUMBERS)).astype(np.float32), liars)
    honest = values[: CLUSTERS - liars]
    return float(((honest.mean(axis=0) - combined(strategy, options, values)) / honest.std(axis=0)).mean())


def left(strategy: str, options: dict[str, float], liars: int) -> float:
    """What 60 rounds of gradient descent leave of a quadratic loss that all clusters share, each with gradient noise of 1."""
    generator, at = np.random.default_rng(1), np.ones(NUMBERS, np.float32)
    for _ in range(60):
        gradients = at + generator.standard_normal((CLUSTERS, NUMBERS)).astype(np.float32)
        at = at - np.float32(0.1) * combined(strategy, options, attacked(gradients, liars) if liars else gradients)
    return float(np.square(at).mean())


@every_robust
def test_a_robust_strategy_is_moved_further_than_fedavg_but_no_further_than_the_lie(
    strategy: str, options: dict[str, float], liars: int
) -> None:
    assert 1.3 * pull("fedavg", {}, liars) < pull(strategy, options, liars) < 1.01 * z_max(liars)


def test_krum_takes_the_lie_itself_as_it_lies_nearest_to_all() -> None:
    values = attacked(np.random.default_rng(1).standard_normal((CLUSTERS, NUMBERS)).astype(np.float32), 4)
    np.testing.assert_array_equal(combined("krum", {"malicious": 4}, values), values[-1])


@every_robust
def test_rounds_add_up_and_end_worse_than_without_liars_and_than_fedavg_with_them(
    strategy: str, options: dict[str, float], liars: int
) -> None:
    spoiled = left(strategy, options, liars)
    assert spoiled > 1.2 * left(strategy, options, 0)
    assert spoiled > 1.1 * left("fedavg", {}, liars)


@pytest.mark.parametrize("strategy", ["fedmedian", "krum", "multikrum"])
def test_nearly_half_of_liars_spoil_by_several_times_what_a_few_do_not(strategy: str) -> None:
    options, many = ROBUST[strategy]
    assert left(strategy, options, many) > 4 * left(strategy, options, 0)
    assert left(strategy, options, 2) < 3 * left(strategy, options, 0)
