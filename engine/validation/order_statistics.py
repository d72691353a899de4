"""Distribution-free bounds of a quantile from order statistics of independent draws, and Harrell-Davis.

They hold for independent, unweighted observations only: not for Sobol points, not for overlapping windows.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from engine.errors import InvalidInput


def point_rank(count: int, quantile: float) -> int:
    """Return the ascending rank (from 1) of the empirical quantile, ceil(count x quantile).

    The product is exact in the decimal digits of `quantile`: 0.99 of 500 is rank 495, not 496 by a rounding error.
    """
    _require_count(count)
    _require_probability("quantile", quantile)
    product = Fraction(repr(float(quantile))) * count
    return max(1, -(-product.numerator // product.denominator))


def rank_coverage(count: int, quantile: float, rank: int) -> float:
    """Return the probability that the `rank`-th smallest of `count` draws is not below the true quantile.

    It is P(Binomial(count, quantile) <= rank - 1), exact for a continuous distribution and a lower limit otherwise.
    """
    _require_count(count)
    _require_probability("quantile", quantile)
    if not 1 <= rank <= count:
        raise InvalidInput(f"rank {rank} is outside 1 to {count}")
    return float(binom.cdf(rank - 1, count, quantile))


def upper_bound_rank(count: int, quantile: float, confidence: float) -> int | None:
    """Return the smallest rank whose order statistic is an upper confidence bound of the quantile.

    Parameters
    ----------
    count : int
        Independent observations, at least 1.
    quantile, confidence : float
        Both strictly between 0 and 1.

    Returns
    -------
    int or None
        The ascending rank k = min{k : P(Binomial(count, quantile) <= k - 1) >= confidence}; None when even the
        largest observation does not reach the confidence.

    Raises
    ------
    InvalidInput
        If a probability or the count is out of range.
    """
    _require_count(count)
    _require_probability("quantile", quantile)
    _require_probability("confidence", confidence)
    rank = int(binom.ppf(confidence, count, quantile)) + 1
    return rank if rank <= count else None


def wilks_sample_size(quantile: float, confidence: float, order_from_top: int = 1) -> int:
    """Return the fewest observations whose `order_from_top`-th largest is an upper bound of the quantile.

    Smallest n with P(Binomial(n, quantile) <= n - order_from_top) >= confidence (Wilks 1941). Errors as
    `upper_bound_rank`; an order below 1 raises `InvalidInput`.
    """
    _require_probability("quantile", quantile)
    _require_probability("confidence", confidence)
    if order_from_top < 1:
        raise InvalidInput(f"order from the top {order_from_top} is below 1")

    def suffices(count: int) -> bool:
        return bool(binom.cdf(count - order_from_top, count, quantile) >= confidence)

    above = order_from_top
    while not suffices(above):
        above *= 2
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        below, above = (below, middle) if suffices(middle) else (middle, above)
    return above


def harrell_davis(values: NDArray[np.float64], quantile: float) -> float:
    """Return the Harrell-Davis estimate of a quantile: order statistics weighted by a beta distribution.

    Parameters
    ----------
    values : float64 array, shape (n,)
        Observations in any order, finite, at least one.
    quantile : float
        Strictly between 0 and 1.

    Returns
    -------
    float
        Sum of w_i x_(i), w_i = B(i/n) - B((i-1)/n), B the distribution function of Beta((n+1)q, (n+1)(1-q)).

    Raises
    ------
    InvalidInput
        If `values` is empty or not finite, or `quantile` is out of range.

    Notes
    -----
    Source: Harrell and Davis, A new distribution-free quantile estimator, Biometrika 69 (1982).
    """
    _require_probability("quantile", quantile)
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    _require_count(len(ordered))
    if not np.all(np.isfinite(ordered)):
        raise InvalidInput("observations are not all finite")
    edges = np.arange(len(ordered) + 1) / len(ordered)
    size = len(ordered) + 1
    weights = np.diff(beta.cdf(edges, size * quantile, size * (1.0 - quantile)))
    return float(np.dot(weights, ordered))


def _require_probability(name: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InvalidInput(f"{name} {value} is not strictly between 0 and 1")


def _require_count(count: int) -> None:
    if count < 1:
        raise InvalidInput(f"{count} observations are fewer than 1")
