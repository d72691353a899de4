"""How assets move together: rank correlation, shrunk and repaired into a correlation matrix (DESIGN 3.4).

    Kendall's tau -> sin(pi tau / 2) -> shrinkage to constant correlation -> eigenvalues clipped -> rows renormalised

Calibration only: SciPy and LAPACK may differ in the last digits from machine to machine, so what comes out is rounded
into the artefact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.errors import InvalidInput

Matrix = NDArray[np.float64]

LEAST_EIGENVALUE = 1e-8
"""Of a repaired matrix before its rows are renormalised, so that a Cholesky factor exists."""


class JointCorrelation(NamedTuple):
    """A correlation, the shrinkage intensity it was given, and how many eigenvalues were raised to the least."""

    correlation: Matrix
    shrinkage: float
    clipped_eigenvalues: int


def rank_correlation(sample: Matrix) -> Matrix:
    """Return the correlation that Kendall's tau implies for elliptical factors, sin(pi tau / 2).

    Parameters
    ----------
    sample : float64 array, shape (n, U)
        Simultaneous observations, finite; n at least 3.

    Returns
    -------
    float64 array, shape (U, U)
        Symmetric, ones on the diagonal, within [-1, 1]; not always positive semidefinite: see `clipped`.

    Raises
    ------
    InvalidInput
        If a series is constant or not finite, or there are fewer than 3 observations.

    Notes
    -----
    Lindskog, McNeil and Schmock (2003), Kendall's tau for elliptical distributions; tau-b, so ties are allowed.
    """
    _check_sample(sample)
    count = sample.shape[1]
    correlation = np.eye(count)
    for i in range(count):
        for j in range(i):
            tau = float(stats.kendalltau(sample[:, i], sample[:, j]).statistic)
            correlation[i, j] = correlation[j, i] = np.sin(0.5 * np.pi * tau)
    return correlation


def normal_scores(sample: Matrix) -> Matrix:
    """Return each column's ranks as standard normal quantiles, shape (n, U); tails cannot dominate what rests on it."""
    ranks = stats.rankdata(sample, axis=0) / (len(sample) + 1.0)
    scores: Matrix = stats.norm.ppf(ranks)
    return scores


def constant_correlation_intensity(sample: Matrix) -> float:
    """Return how far the sample's correlation is best pulled toward their mean, between 0 and 1.

    Parameters
    ----------
    sample : float64 array, shape (n, U)
        Fourth moments must exist; `normal_scores` sees to it.

    Notes
    -----
    O. Ledoit and M. Wolf (2004), Honey, I shrunk the sample covariance matrix, J. Portfolio Management 30, appendix B.
    """
    _check_sample(sample)
    size, count = sample.shape
    if count < 2:
        return 0.0
    x = sample - sample.mean(axis=0)
    covariance = x.T @ x / size
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    mean = _mean_off_diagonal(correlation)
    target = mean * np.outer(deviation, deviation)
    np.fill_diagonal(target, np.diag(covariance))
    distance = float(np.sum((target - covariance) ** 2))
    if distance == 0.0:
        return 1.0
    variance = (x**2).T @ x**2 / size - covariance**2
    # asymptotic covariance of s_ii with s_ij, the pieces of rho in the paper
    with_own = (x**3).T @ x / size - np.diag(covariance)[:, None] * covariance
    scaled = with_own * np.outer(1.0 / deviation, deviation)
    np.fill_diagonal(scaled, 0.0)
    common = float(np.trace(variance)) + mean * float(scaled.sum())
    return float(np.clip((variance.sum() - common) / distance / size, 0.0, 1.0))


def shrunk(correlation: Matrix, intensity: float) -> Matrix:
    """Return (1 - intensity) times the correlation plus intensity times the one whose every entry is their mean."""
    if not 0.0 <= intensity <= 1.0:
        raise InvalidInput(f"shrinkage intensity {intensity} must lie between 0 and 1")
    target = np.full_like(correlation, _mean_off_diagonal(correlation))
    np.fill_diagonal(target, 1.0)
    result: Matrix = (1.0 - intensity) * correlation + intensity * target
    return result


def clipped(correlation: Matrix, least: float = 0.0) -> Matrix:
    """Return a positive semidefinite correlation: eigenvalues not below `least`, rows of the root renormalised.

    Notes
    -----
    P. Jaeckel (2002), Monte Carlo methods in finance, section 6.3 (spectral decomposition).
    """
    value, vector = np.linalg.eigh(_symmetric(correlation))
    root = vector * np.sqrt(np.maximum(value, least))
    root /= np.sqrt(np.sum(root**2, axis=1))[:, None]
    result: Matrix = root @ root.T
    np.fill_diagonal(result, 1.0)
    return result


def joint_correlation(sample: Matrix) -> JointCorrelation:
    """Return the correlation to draw from, shape (U, U), with what was done to it.

    The intensity is estimated on normal scores, whose fourth moments exist whatever the tails of the sample.
    """
    intensity = constant_correlation_intensity(normal_scores(sample))
    raw = shrunk(rank_correlation(sample), intensity)
    below = int(np.count_nonzero(np.linalg.eigvalsh(raw) < LEAST_EIGENVALUE))
    return JointCorrelation(clipped(raw, LEAST_EIGENVALUE), intensity, below)


def _mean_off_diagonal(correlation: Matrix) -> float:
    count = len(correlation)
    return float((correlation.sum() - np.trace(correlation)) / (count * (count - 1))) if count > 1 else 0.0


def _symmetric(correlation: Matrix) -> Matrix:
    if correlation.ndim != 2 or correlation.shape[0] != correlation.shape[1]:
        raise InvalidInput(f"correlation of shape {correlation.shape}: a square matrix is needed")
    if not np.all(np.isfinite(correlation)) or not np.allclose(correlation, correlation.T, rtol=0.0, atol=1e-12):
        raise InvalidInput("correlation is not finite and symmetric")
    return correlation


def _check_sample(sample: Matrix) -> None:
    if sample.ndim != 2 or len(sample) < 3 or not np.all(np.isfinite(sample)):
        raise InvalidInput(f"sample of shape {sample.shape}: at least 3 rows of finite observations are needed")
    still = np.flatnonzero(np.ptp(sample, axis=0) == 0.0)
    if still.size:
        raise InvalidInput(f"series {still[0]} is constant: it has no correlation with anything")
