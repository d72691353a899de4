"""Repairs and shrinkages that others publish, next to which `engine.dynamics.dependence` can be judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput, NonFiniteResult

Matrix = NDArray[np.float64]

ITERATIONS = 100_000
STILL = 1e-15


def nearest_correlation(matrix: Matrix) -> Matrix:
    """Return the correlation matrix nearest in the Frobenius norm, shape (n, n).

    Raises
    ------
    NonFiniteResult
        If the projections do not settle.

    Notes
    -----
    N. Higham (2002), Computing the nearest correlation matrix, IMA J. Numerical Analysis 22, algorithm 3.3: alternating
    projections on the positive semidefinite matrices and on unit diagonals, with Dykstra's correction.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T):
        raise InvalidInput(f"matrix of shape {matrix.shape} is not symmetric")
    nearest: Matrix = matrix.astype(np.float64)
    correction = np.zeros(matrix.shape)
    for _ in range(ITERATIONS):
        value, vector = np.linalg.eigh(nearest - correction)
        semidefinite = (vector * np.maximum(value, 0.0)) @ vector.T
        correction = semidefinite - (nearest - correction)
        before = nearest
        nearest = semidefinite.copy()
        np.fill_diagonal(nearest, 1.0)
        if np.max(np.abs(nearest - before)) <= STILL:
            return nearest
    raise NonFiniteResult(f"projections have not settled after {ITERATIONS} rounds: is the matrix finite?")


def scaled_identity_shrinkage(sample: Matrix) -> tuple[Matrix, float]:
    """Return the covariance shrunk toward a multiple of the identity, and the intensity.

    Parameters
    ----------
    sample : float64 array, shape (n, variables)

    Notes
    -----
    O. Ledoit and M. Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices, Journal of
    Multivariate Analysis 88, lemmas 3.2 to 3.4; divisor n.
    """
    size, count = sample.shape
    x = sample - sample.mean(axis=0)
    covariance = x.T @ x / size
    target = np.trace(covariance) / count * np.eye(count)
    distance = float(np.sum((covariance - target) ** 2))
    error = float(np.sum((x**2).T @ x**2 / size - covariance**2)) / size
    intensity = 0.0 if distance == 0.0 else min(error, distance) / distance
    result: Matrix = (1.0 - intensity) * covariance + intensity * target
    return result, intensity
