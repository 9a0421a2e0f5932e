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

    As the weights' sum is 1, Σ w·Bₖ·Aₖ = B̄·Ā + Σ w·(Bₖ − B̄)·(Aₖ − Ā), and what is lost is the second sum. With the factors of a
    sum of products side by side, its squared norm is that of BᵀB ∘ A·Aᵀ summed up. These two know all that is needed of B and A:
    the means are taken from them in fp64, so that what is small beside the whole is known to a millionth of the whole.

    Args:
        inner_b: What `columns` found.
        inner_a: What `rows` found.
        weights: One a cluster, together 1.
    """
    parts = weights / weights.sum(dtype=np.float64)
    pairs = np.outer(parts, parts)

    def norm(of_b: Double, of_a: Double) -> float:
        return max(0.0, float(np.einsum("kl,krls,krls->", pairs, of_b, of_a)))

    blocks = (len(parts), len(inner_a) // len(parts)) * 2
    b, a = inner_b.reshape(blocks), inner_a.reshape(blocks)
    return Gap(norm(_apart(b, parts), _apart(a, parts)), norm(b, a))


def _apart(inner: Double, weights: Double) -> Double:
    """As if each cluster's factor were less the mean of all."""
    rows = inner - np.tensordot(weights, inner, axes=1)
    apart: Double = rows - np.einsum("l,krls->krs", weights, rows)[:, :, None]
    return apart


def rows(a: Single) -> Double:
    """A·Aᵀ for the rows of all Aₖ.

    Args:
        a: clusters × rank × in.
    """
    below = a.reshape(-1, a.shape[-1])
    total = np.zeros(2 * [len(below)])
    for begin in range(0, below.shape[1], _PIECE):
        part = below[:, begin : begin + _PIECE]
        total += part @ part.T
    return total


def columns(b: Single) -> Double:
    """BᵀB for the columns of all Bₖ.

    Args:
        b: clusters × out × rank.
    """
    clusters, outer, rank = b.shape
    total = np.zeros(2 * [clusters * rank])
    for begin in range(0, outer, _PIECE):
        beside = np.ascontiguousarray(b[:, begin : begin + _PIECE].transpose(1, 0, 2)).reshape(-1, len(total))
        total += beside.T @ beside
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
