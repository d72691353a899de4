"""An ordered set of joint factor moves with a content hash; every account is valued on the same ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

TERM, SKEW, CURVATURE, BASIS_LEVEL, BASIS_SLOPE, RATE_LEVEL, RATE_SLOPE = range(7)
"""Rows of `ScenarioSet.shape_shock`; what each does to a surface or a curve is in `engine.surface.response`."""
SHAPE_FACTORS = 7


def _unmoved() -> NDArray[np.float64]:
    return np.zeros((0, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class ScenarioSet:
    """S scenarios of U underlyings; what was drawn comes worst first by severity, replication by replication.

    Attributes
    ----------
    name : str
    hours : int64 array, shape (points,)
        Hours from now of the path's points.
    log_return : float64 array, shape (U, points, S)
        Log return of spot from now.
    volatility_shock : float64 array, shape (U, points, S)
        Cumulative log shock of thirty-day volatility.
    weight : float64 array, shape (U, S)
        Factor on the profit or loss that an underlying's instruments make in the scenario; 1 for what history drew.
    label : tuple of str
        What each scenario is: a name, or the hour at which its block of history starts.
    probability : float64 array, shape (S,), or None
        How much each counts in a tail, relative to the others, positive; None when all count alike.
    scrambles : int
        The set is that many equal consecutive blocks, each an independent replication of the whole.
    shape_shock : float64 array, shape (7, U, points, S)
        Moves of term structure, skew, curvature, basis and rates in the order of `TERM` ... `RATE_SLOPE`; an empty
        first axis when none of them moves.
    """

    name: str
    hours: NDArray[np.int64]
    log_return: NDArray[np.float64]
    volatility_shock: NDArray[np.float64]
    weight: NDArray[np.float64]
    label: tuple[str, ...]
    probability: NDArray[np.float64] | None = None
    scrambles: int = 1
    shape_shock: NDArray[np.float64] = field(default_factory=_unmoved)

    def __len__(self) -> int:
        return len(self.label)

    @property
    def content_hash(self) -> str:
        """Sha256 (hex) of the name, labels and bytes of every table, each with its shape; defaults are left out."""
        digest = hashlib.sha256(f"{self.name}\n{','.join(self.label)}\n".encode())
        tables = [(self.hours, "<i8"), (self.log_return, "<f8"), (self.volatility_shock, "<f8"), (self.weight, "<f8")]
        if self.scrambles != 1:
            digest.update(f"{self.scrambles} scrambles\n".encode())
        if self.probability is not None:
            tables.append((self.probability, "<f8"))
        if self.shape_shock.size:
            tables.append((self.shape_shock, "<f8"))
        for table, kind in tables:
            digest.update(repr(table.shape).encode())
            digest.update(np.ascontiguousarray(table, dtype=kind).tobytes())
        return digest.hexdigest()


def severity_order(log_return: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the order of scenarios: largest |return| / deviation over the underlyings first, ties as they were.

    Parameters
    ----------
    log_return : float64 array, shape (U, S)
        At the horizon.
    deviation : float64 array, shape (U,)
        Of the horizon's return; positive.
    """
    severity = np.max(np.abs(log_return) / deviation[:, None], axis=0)
    return np.argsort(-severity, kind="stable")
