"""The algebra of LoRA's products B·A, without ever forming one: a layer's product has d×d numbers, its factors 2·d·rank.

What clusters should agree on is the mean of their products, Σ w·B·A. The product of the mean factors is something else; how far
off it is can be told from the factors alone, and so can the best factors that there are.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]
Double = NDArray[np.float64]

_NOTHING = 1e-6
"""Of the largest singular value: a direction that weighs less is rounding, as values travel in fp16."""

_PIECE = 1 << 11
"""Of a factor's long side at a time: a few clusters' pieces together fit into the cache."""


class Gap(NamedTuple):
    """Squared Frobenius norms: of what a layer's new product lacks of the mean of the products, and of that mean."""

    lost: float
    whole: float


def bias(gaps: Iterable[Gap | None]) -> float | None:
    """How far all layers' new products are from the mean products, relative to these.

    None where no gap is measured, or where the mean of the products is zero and what became of it is not.
    """
    measured = [gap for gap in gaps if gap is not None]
    if not measured:
        return None
    lost, whole = sum(gap.lost for gap in measured), sum(gap.whole for gap in measured)
    if whole == 0:
        return None if lost else 0.0
    return float(np.sqrt(lost / whole))


def averaged(inner_b: Double, inner_a: Double, weights: Single) -> Gap:
    """What the product of the weighted mean factors lacks.

    As the weights' sum is 1, Σ w·Bₖ·Aₖ = B̄·Ā + Σ w·(Bₖ − B̄)·(Aₖ − Ā): what is lost is the second sum, and no small difference of
    large numbers is taken. With the factors of a sum of products side by side, its squared norm is that of BᵀB ∘ A·Aᵀ summed up.

    Args:
        inner_b: What `columns` found.
        inner_a: What `rows` found.
        weights: One a cluster, together 1.
    """
    rank = len(inner_a) // (len(weights) + 1)
    weigh = np.repeat(np.append(weights, 1).astype(np.float64), rank)
    terms = inner_b * inner_a * np.outer(weigh, weigh)
    apart = len(weights) * rank
    return Gap(max(0.0, float(terms[:apart, :apart].sum())), max(0.0, float(terms.sum())))


def rows(a: Single, mean: Single) -> Double:
    """A·Aᵀ for the rows of all Aₖ − Ā and, below them, of Ā.

    Args:
        a: clusters × rank × in.
        mean: Ā, the weighted mean.
    """
    clusters, rank, inner = a.shape
    below = np.empty((clusters + 1, rank, min(_PIECE, inner)), np.float32)
    total = np.zeros(2 * [(clusters + 1) * rank])
    for begin in range(0, inner, _PIECE):
        of, part = slice(begin, begin + _PIECE), below[:, :, : inner - begin]
        np.subtract(a[:, :, of], mean[:, of], out=part[:-1])
        part[-1] = mean[:, of]
        beside = part.reshape(len(total), -1)
        total += beside @ beside.T
    return total


def columns(b: Single, mean: Single) -> Double:
    """BᵀB for the columns of all Bₖ − B̄ and, beside them, of B̄.

    Args:
        b: clusters × out × rank.
        mean: B̄, the weighted mean.
    """
    clusters, outer, rank = b.shape
    beside = np.empty((min(_PIECE, outer), clusters + 1, rank), np.float32)
    total = np.zeros(2 * [(clusters + 1) * rank])
    for begin in range(0, outer, _PIECE):
        of, part = slice(begin, begin + _PIECE), beside[: outer - begin]
        np.subtract(b[:, of].transpose(1, 0, 2), mean[of, None], out=part[:, :-1])
        part[:, -1] = mean[of]
        below = part.reshape(-1, len(total))
        total += below.T @ below
    return total


def best(b: Sequence[Single], a: Sequence[Single], weights: Single, rank: int) -> tuple[Double, Double, Gap]:
    """The factors of this rank whose product is nearest to Σ w·Bₖ·Aₖ (Eckart–Young; FlexLoRA, arXiv 2402.11505).

    A direction's weight σ is shared equally: √σ in B and √σ in A. The heaviest come first, so that the first r columns of B and
    rows of A are the best ones of rank r. There may be fewer directions than `rank`.

    Args:
        b: One a cluster: out × its own rank.
        a: One a cluster: its own rank × in.
        weights: One a cluster, together 1.
        rank: Of the result, at most.

    Returns:
        B (out × found), A (found × in), and what the truncation lost.
    """
    beside = np.concatenate([factor * weight for factor, weight in zip(b, weights.astype(np.float64), strict=True)], axis=1)
    below = np.concatenate(a).T.astype(np.float64)
    (left, left_core), (right, right_core) = _orthogonal(beside), _orthogonal(below)
    u, sigma, v = np.linalg.svd(left_core @ right_core.T)
    found = int(np.count_nonzero(sigma[:rank] > _NOTHING * sigma[0])) if sigma.size else 0
    scale = np.sqrt(sigma[:found])
    weights_of_all = np.square(sigma)
    gap = Gap(float(weights_of_all[found:].sum()), float(weights_of_all.sum()))
    return beside @ (left @ u[:, :found] * scale), (below @ (right @ v[:found].T * scale)).T, gap


def _orthogonal(factor: Double) -> tuple[Double, Double]:
    """P and R with factor = (factor·P)·R, where factor·P has orthonormal columns: as QR, ten times as fast for tall factors.

    The eigenvalues of factorᵀ·factor are exact to 1e-16 of the largest, so directions below 1e-7 of the longest are left out:
    fp16, in which the factors came, cannot tell them from nothing.
    """
    values, vectors = np.linalg.eigh(factor.T @ factor)
    kept = values > 1e-13 * values[-1]
    lengths = np.sqrt(values[kept])
    return vectors[:, kept] / lengths, (vectors[:, kept] * lengths).T
