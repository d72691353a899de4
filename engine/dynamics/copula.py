"""The t copula of one horizon: degrees of freedom, correlation cases and their roots, the mixing variable.

    x = sqrt(nu / W) A n,   n standard normal, W chi-square of nu degrees, R = A A^T

Source: S. Demarta and A. McNeil (2005), The t copula and related copulas, International Statistical Review 73, 111-129.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from engine.dynamics.dependence import joint_correlation
from engine.dynamics.joint import MIXING_LIMIT, MIXING_STEPS

Matrix = NDArray[np.float64]

DEGREES = (3, 4, 5, 6, 8, 12, 20)
STRESS = 0.5
"""k of the two correlation stresses, (1 - k) R + k J and (1 - k) R + k I."""

ROUNDING = 1e-9


class Copula(NamedTuple):
    """Degrees of freedom, their profile of log likelihood, and the correlation with what was done to it."""

    degrees: int
    log_likelihood: tuple[float, ...]
    correlation: Matrix
    shrinkage: float
    clipped_eigenvalues: int


def fit_copula(sample: Matrix) -> Copula:
    """Fit the copula to simultaneous independent observations, shape (n, d).

    A column without any variation (a volatility that was never seen to move) is left out of the fit and independent of
    the others.

    Raises
    ------
    InvalidInput
        If fewer than 3 observations are given, or one is not finite.
    """
    moving = np.flatnonzero(np.ptp(sample, axis=0) > 0.0) if sample.size else np.arange(sample.shape[1])
    correlation = np.eye(sample.shape[1])
    found = joint_correlation(sample[:, moving])
    correlation[np.ix_(moving, moving)] = found.correlation
    profile = tuple(log_likelihoods(sample[:, moving], found.correlation))
    degrees = DEGREES[int(np.argmax(profile))]
    return Copula(degrees, profile, correlation, found.shrinkage, found.clipped_eigenvalues)


def log_likelihoods(sample: Matrix, correlation: Matrix) -> list[float]:
    """Return the log likelihood of the t copula at each of `DEGREES`, given its correlation.

    Ranks stand for the marginals, so that no marginal has to be right.
    """
    size, count = sample.shape
    rank = np.argsort(np.argsort(sample, axis=0, kind="stable"), axis=0, kind="stable")
    probability = np.arange(1, size + 1) / (size + 1.0)
    inverse, (_, log_determinant) = np.linalg.inv(correlation), np.linalg.slogdet(correlation)
    result = []
    for degrees in DEGREES:
        x = stats.t.ppf(probability, degrees)[rank]
        form = np.sum((x @ inverse) * x, axis=1)
        constant = special.gammaln(0.5 * (degrees + count)) + (count - 1) * special.gammaln(0.5 * degrees)
        constant -= count * special.gammaln(0.5 * (degrees + 1)) + 0.5 * log_determinant
        joint = -0.5 * (degrees + count) * np.log1p(form / degrees)
        own = 0.5 * (degrees + 1) * np.sum(np.log1p(x * x / degrees), axis=1)
        result.append(float(size * constant + np.sum(joint + own)))
    return result


def market_signs(correlation: Matrix, markets: int) -> NDArray[np.int64]:
    """Return each coordinate's sign when all move together: the first `markets` up, the others as they correlate."""
    with_markets = np.sum(correlation[markets:, :markets], axis=1)
    return np.concatenate([np.ones(markets), np.where(with_markets < 0.0, -1.0, 1.0)]).astype(np.int64)


def correlation_cases(correlation: Matrix, sign: NDArray[np.int64]) -> tuple[Matrix, Matrix, Matrix]:
    """Return the correlation as it is, pulled toward the market's signs of one, and toward independence."""
    one = np.outer(sign, sign).astype(np.float64)
    zero = np.eye(len(correlation))
    return correlation, (1.0 - STRESS) * correlation + STRESS * one, (1.0 - STRESS) * correlation + STRESS * zero


def root(correlation: Matrix, markets: int) -> Matrix:
    """Return A with R = A A^T, square, whose first column is the market factor.

    The market is the first principal component of the first `markets` returns alone: then its normal variate is nearly
    all of a return, which is what stratification and tail inflation act on. The other columns are the eigenvectors of
    what it leaves, the largest first. Signs: the sum of a column is positive, in the first over the markets; where it
    is 0, the first entry is.
    """
    _, vector = np.linalg.eigh(correlation[:markets, :markets])
    market = correlation[:, :markets] @ vector[:, -1]
    market /= np.sqrt(vector[:, -1] @ market[:markets])
    value, rest = np.linalg.eigh(correlation - np.outer(market, market))
    columns = np.column_stack([market, (rest * np.sqrt(np.maximum(value, 0.0)))[:, :0:-1]])
    total = np.sum(columns, axis=0)
    total[0] = np.sum(market[:markets])
    total = np.where(np.abs(total) < ROUNDING, columns[0], total)
    columns *= np.where(total < 0.0, -1.0, 1.0)
    result: Matrix = columns / np.sqrt(np.sum(columns**2, axis=1))[:, None]
    return result


def mixing_table(degrees: int) -> NDArray[np.float64]:
    """Return sqrt(nu / W) at each of the table's normal scores, ascending: the score's upper tail is W's lower one."""
    score = np.linspace(-MIXING_LIMIT, MIXING_LIMIT, MIXING_STEPS + 1)
    chi_square = np.where(
        score > 0.0,
        stats.chi2.ppf(stats.norm.sf(score), degrees),
        stats.chi2.isf(stats.norm.cdf(score), degrees),
    )
    table: NDArray[np.float64] = np.sqrt(degrees / chi_square)
    return table
