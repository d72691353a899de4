"""Evaluations of published correlation repairs and covariance shrinkages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.dependence import clipped
from engine.validation.covariance import nearest_correlation, scaled_identity_shrinkage
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

Matrix = NDArray[np.float64]

ROUNDING = 1e-12
"""Of a covariance, relative to its largest entry: published zeros are rounding errors of one or the other sign."""

REPAIRS: Mapping[str, Callable[[Matrix], Matrix]] = {
    "spectral: clip eigenvalues at 0, renormalise rows to unit diagonal": clipped,
    "nearest correlation matrix, Frobenius norm": nearest_correlation,
}

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"


def matrix_case(case: Case) -> dict[str, Tree]:
    """Evaluate a repair of the matrix `input` by the `method` named, or Ledoit-Wolf's shrinkage of `data`."""
    if "data" not in case:
        repaired = REPAIRS[case.word("method", *REPAIRS)](np.array(case.matrix("input")))
        return {"expected": _tree(repaired), "computed": _tree(repaired)}
    covariance, intensity = scaled_identity_shrinkage(_sample(case.word("data")))
    small = ROUNDING * float(np.max(np.abs(covariance)))
    return {"expected_cov": _tree(np.where(np.abs(covariance) < small, 0.0, covariance)),
            "expected_shrinkage": Computed(intensity)}  # fmt: skip


def _tree(matrix: Matrix) -> list[list[Computed]]:
    return [[Computed(float(value)) for value in row] for row in matrix]


def _sample(text: str) -> Matrix:
    """Read "numpy RandomState(S).multivariate_normal(mean=M,cov=C,size=N)" or "X[i,k]=sin(i*k/A)+Bk, i=1..N,k=1..K"."""
    compact = text.replace(" ", "")
    drawn = re.fullmatch(
        r"numpyRandomState\((\d+)\)\.multivariate_normal\(mean=(\[.*\]),cov=(\[\[.*\]\]),size=(\d+)\)", compact
    )
    if drawn:
        mean, covariance = _list(drawn[2]), _list(drawn[3])
        if len(covariance) != len(mean) ** 2:
            raise NotUnderstood(f"data {text!r}: mean and covariance do not fit each other")
        square = np.reshape(covariance, (len(mean), len(mean)))
        sample: Matrix = np.random.RandomState(int(drawn[1])).multivariate_normal(mean, square, int(drawn[4]))
        return sample
    wave = re.fullmatch(rf"X\[i,k\]=sin\(i\*k/({_NUMBER})\)\+({_NUMBER})k,i=1\.\.(\d+),k=1\.\.(\d+)", compact)
    if wave is None:
        raise NotUnderstood(f"data {text!r} is not of a known form")
    row, column = np.arange(1.0, int(wave[3]) + 1.0)[:, None], np.arange(1.0, int(wave[4]) + 1.0)[None, :]
    waves: Matrix = np.sin(row * column / float(wave[1])) + float(wave[2]) * column
    return waves


def _list(text: str) -> list[float]:
    return [float(number) for number in re.findall(_NUMBER, text)]
