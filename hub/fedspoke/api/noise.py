"""How much Gaussian noise hides one post: the analytic Gaussian mechanism (Balle & Wang 2018, arXiv 1805.06530, theorem 8).

Releases compose exactly: several of mu_1 … mu_n are together one of mu = √(mu_1² + … + mu_n²), where a release's mu is its
sensitivity / sigma (Gaussian differential privacy: Dong, Roth & Su 2019, arXiv 1905.02383, corollary 3.3).
"""

import math
from collections.abc import Iterable
from statistics import NormalDist

_LARGEST = 500.0
"""Of epsilon: exp(710) overflows, what is safe at 500 is safe above it, and there the noise is next to nothing."""


def sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """The least standard deviation of noise on each coordinate that makes a release (epsilon, delta)-private.

    Exact, where the textbook's `sqrt(2 ln(1.25 / delta)) / epsilon` is loose and does not hold above epsilon 1.

    Args:
        epsilon: privacy loss, over 0.
        delta: the probability that is left out, between 0 and 1.
        sensitivity: the largest L2 distance between the results of two data sets that differ in one post.
    """
    # The exact delta grows with mu = sensitivity / sigma, so bisect for the largest mu that is safe; `safe` always is.
    safe, unsafe = 1e-12, 1e3
    while unsafe / safe > 1 + 1e-12:
        mu = math.sqrt(safe * unsafe)
        safe, unsafe = (mu, unsafe) if exact_delta(epsilon, mu) <= delta else (safe, mu)
    return sensitivity / safe


def epsilon(delta: float, mu: float) -> float:
    """The epsilon that noise of this mu spends, of one release or of several composed ones; never below the true one."""
    # What theorem 8 subtracts is left out, so this is enough. Where floats allow it, bisect for the least that is enough.
    spent, less = max(0.0, mu * (mu / 2 - NormalDist().inv_cdf(delta))), 0.0
    while spent <= _LARGEST and spent - less > 1e-12 * spent:
        middle = (spent + less) / 2
        spent, less = (middle, less) if exact_delta(middle, mu) <= delta else (spent, middle)
    return spent


def composed(mus: Iterable[float]) -> float:
    """The mu of several releases of the same posts together."""
    return math.hypot(*mus)


def exact_delta(epsilon: float, mu: float) -> float:
    """The smallest delta that Gaussian noise gives at this epsilon, for mu = sensitivity / sigma."""
    epsilon = min(epsilon, _LARGEST)
    return _normal(mu / 2 - epsilon / mu) - math.exp(epsilon) * _normal(-mu / 2 - epsilon / mu)


def _normal(x: float) -> float:
    """The standard normal distribution's CDF; erfc keeps its digits in the lower tail, where the answer lies."""
    return math.erfc(-x / math.sqrt(2)) / 2
