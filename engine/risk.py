"""Measures of a loss distribution and their upper bounds, on plain arrays; `engine.kernels.tail` has the fused ones."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.configuration import EXPECTED_SHORTFALL
from engine.errors import InvalidInput

REPLICATIONS = 16
"""Independent scrambles of a Monte Carlo set."""
STUDENT_QUANTILE = 2.60248029502
"""99 % quantile of Student's t with `REPLICATIONS` - 1 degrees of freedom, rounded up."""


def expected_shortfall(loss: NDArray[np.float64], level: float) -> float:
    """Return the mean of the worst (1 - level) share of equally likely losses, the boundary counted in part.

    Parameters
    ----------
    loss : float64 array, shape (n,)
        Losses positive; finite.
    level : float
        For example 0.99.

    Returns
    -------
    float

    Notes
    -----
    C. Acerbi and D. Tasche (2002), On the coherence of expected shortfall, J. Banking & Finance 26, equation 12.
    """
    _check(loss, level)
    mass = _mass(loss.size, level)
    whole = int(mass)
    descending = _largest(loss, whole + 1)
    part = (mass - whole) * descending[whole] if whole < loss.size else 0.0
    return float((descending[:whole].sum() + part) / mass)


def value_at_risk(loss: NDArray[np.float64], level: float) -> float:
    """Return the largest x that at least the share (1 - level) of equally likely losses reach or exceed."""
    _check(loss, level)
    rank = int(np.ceil(_mass(loss.size, level)))
    return float(_largest(loss, rank)[rank - 1])


def tail_measure(loss: NDArray[np.float64], measure: str, level: float) -> float:
    """Return the measure of that name, one of `engine.configuration.MEASURES`."""
    return expected_shortfall(loss, level) if measure == EXPECTED_SHORTFALL else value_at_risk(loss, level)


def value_at_risk_upper(loss: NDArray[np.float64], level: float, confidence: float) -> float:
    """Return an upper bound of the VaR of n independent losses, free of any distribution.

    Parameters
    ----------
    loss : float64 array, shape (n,)
        Independent draws, unweighted; overlapping paths are not.
    level, confidence : float

    Returns
    -------
    float
        The order statistic k = min{k : P(Bin(n, level) <= k - 1) >= confidence}.

    Raises
    ------
    InvalidInput
        If n is too small for any order statistic to give the confidence.
    """
    _check(loss, level)
    # P(Bin(n, level) <= n - 1 - j) = 1 - P(at most j of n exceed); logs, since level^n is below the smallest float soon
    log_term, exceeding, allowed = loss.size * math.log(level), 0.0, -1
    while exceeding + math.exp(log_term) <= 1.0 - confidence:
        exceeding += math.exp(log_term)
        allowed += 1
        log_term += math.log((loss.size - allowed) / (allowed + 1) * (1.0 - level) / level)
    if allowed < 0:
        raise InvalidInput(f"{loss.size} losses are too few for a bound of the {level} quantile at {confidence}")
    return float(np.sort(loss)[loss.size - 1 - allowed])


def sampling_bound(replicates: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of independent replications of a figure, and its upper bound at 99 % for their spread.

    Parameters
    ----------
    replicates : float64 array, shape (R, n)
        R replications of n figures: 1, whose bound is itself, or `REPLICATIONS`.

    Returns
    -------
    mean, bound : float64 arrays, shape (n,)
        bound = mean + t sqrt( sum (x - mean)^2 / (R (R - 1)) ), t the 99 % quantile of Student's t with R - 1 degrees.

    Notes
    -----
    Replications, since formulae for independent draws are wrong by a factor for scrambled Sobol points (DESIGN 3.8).
    Sums run in the order of the replications.
    """
    count = len(replicates)
    if count == 1:
        return replicates[0], replicates[0]
    if count != REPLICATIONS:
        raise InvalidInput(f"{count} replications: the bound's quantile is known for {REPLICATIONS}")
    total, squares = np.zeros_like(replicates[0]), np.zeros_like(replicates[0])
    for figure in replicates:
        total = total + figure
    mean = total / count
    for figure in replicates:
        squares = squares + (figure - mean) * (figure - mean)
    error: NDArray[np.float64] = np.sqrt(squares / (count * (count - 1)))
    return mean, mean + STUDENT_QUANTILE * error


def pivotal_ratio(point: float, replicates: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return the factor that makes an estimate an upper bound, and the bootstrap quantile that it rests on.

    ratio = point / q(1 - confidence) of the replicates, at least 1: the bootstrap's error is turned round, since the
    ES of few data is biased low and percentile intervals under-cover. q is the largest order statistic at or below
    which no more than the share 1 - confidence lies; of too few replicates the smallest.

    Raises
    ------
    InvalidInput
        If the point or the quantile is not positive: the ratio would mean nothing.
    """
    ascending = np.sort(replicates)
    quantile = float(ascending[max(int(_mass(ascending.size, confidence)) - 1, 0)])
    if not (point > 0.0 and quantile > 0.0):
        raise InvalidInput(f"no bound: expected shortfall {point}, bootstrap quantile {quantile} must both be positive")
    return max(point / quantile, 1.0), quantile


def _largest(loss: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the `count` largest losses, largest first; all of them where there are fewer."""
    first = max(loss.size - count, 0)
    # the rest is never put in order: it is 99 of 100 losses
    largest: NDArray[np.float64] = -np.sort(-np.partition(loss, first)[first:])
    return largest


def _mass(count: int, level: float) -> float:
    mass = (1.0 - level) * count
    # 1 - 0.99 is not 0.01: a mass that misses a whole number by rounding is that number
    return float(round(mass)) if abs(mass - round(mass)) <= 1e-9 * mass else mass


def _check(loss: NDArray[np.float64], level: float) -> None:
    if loss.size == 0 or not np.all(np.isfinite(loss)):
        raise InvalidInput(f"{loss.size} losses, {np.count_nonzero(~np.isfinite(loss))} of them not finite")
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"level {level} must lie between 0 and 1")
