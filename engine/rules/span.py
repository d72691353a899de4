"""Scanning risk of CME SPAN: sixteen scenarios of price and volatility in scan ranges, losses positive.

Source: SPAN table 12.1 in LPU DCOM510 Financial Derivatives, p. 188. `scenarios.matrix` revalues options on the same
points; here is the array itself, for a caller's own values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import InvalidInput
from engine.scenarios.matrix import SPAN_EXTREME_STEPS, SPAN_EXTREME_WEIGHT, SPAN_STEPS


@dataclass(frozen=True, slots=True)
class ScanPoint:
    """Moves in units of the scan ranges, and the share of the loss that counts."""

    price: float
    volatility: float
    share: float


SCAN_POINTS = (
    *(ScanPoint(price, volatility, 1.0) for price in SPAN_STEPS for volatility in (1.0, -1.0)),
    *(ScanPoint(price, 0.0, SPAN_EXTREME_WEIGHT) for price in SPAN_EXTREME_STEPS),
)
"""In the order of the published table."""


def risk_array(loss: Callable[[float, float], float]) -> tuple[float, ...]:
    """Return the sixteen losses that count, from a function of the moves of price and volatility in scan ranges."""
    return tuple(point.share * loss(point.price, point.volatility) for point in SCAN_POINTS)


def scanning_risk(arrays: Sequence[Sequence[float]]) -> float:
    """Return the worst sum over positions of their risk arrays, not below zero."""
    if any(len(array) != len(SCAN_POINTS) for array in arrays):
        raise InvalidInput(f"a risk array must have {len(SCAN_POINTS)} losses")
    totals = [math.fsum(column) for column in zip(*arrays, strict=True)]
    return max([0.0, *totals])
