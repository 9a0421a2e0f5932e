"""How much Gaussian noise hides something, and how much of it many releases tell together.

One release: the analytic Gaussian mechanism (Balle & Wang 2018, arXiv 1805.06530, theorem 8). All that matters of it is
mu = sensitivity / sigma. Several releases of the same data are exactly as private as one whose mu is the root of the sum of
their squares (Dong, Roth & Su 2019, arXiv 1905.02383), even where each depends on those before it.

Google's dp-accounting has the same formulas, and judges these in tests (`test_noise_accounting`). It does not ship, as it needs
SciPy: 117 MB more in the aggregator's image and the collaborator's, and with NumPy 176 MB more in the operator's, which has 283
and tells the spent epsilon in the status.
"""

import math
from collections.abc import Iterable


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


def composed(mus: Iterable[float]) -> float:
    """The mu of all releases together."""
    return math.hypot(*mus)


def epsilon(delta: float, mu: float) -> float:
    """The least privacy loss that holds but for a probability of delta; 0 where nothing was released (mu is 0).

    Args:
        delta: Between 0 and 1.
        mu: sensitivity / sigma of the release, or of all of them `composed`.
    """
    if mu == 0 or exact_delta(0, mu) <= delta:
        return 0.0
    low, high = 0.0, 1.0
    while exact_delta(high, mu) > delta:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:  # the exact delta falls with epsilon; `high` is always enough
        middle = (low + high) / 2
        low, high = (middle, high) if exact_delta(middle, mu) > delta else (low, middle)
    return high


def exact_delta(epsilon: float, mu: float) -> float:
    """The smallest delta that Gaussian noise gives at this epsilon, for mu = sensitivity / sigma."""
    near, far = epsilon / mu - mu / 2, epsilon / mu + mu / 2
    # Φ(−near) − exp(epsilon)·Φ(−far), where exp(epsilon)·exp(−far²/2) = exp(−near²/2): the product, and no factor, fits a float.
    return _normal(-near) - math.exp(-near * near / 2) * _scaled(far / math.sqrt(2)) / 2


def _normal(x: float) -> float:
    """The standard normal distribution's CDF; erfc keeps its digits in the lower tail, where the answer lies."""
    return math.erfc(-x / math.sqrt(2)) / 2


def _scaled(x: float) -> float:
    """exp(x²)·erfc(x) for x ≥ 0; beyond 20 by its asymptotic series, whose next term is 1e-10 there."""
    if x < 20:
        return math.exp(x * x) * math.erfc(x)
    square = 1 / (2 * x * x)
    return (1 - square + 3 * square**2 - 15 * square**3) / (x * math.sqrt(math.pi))
