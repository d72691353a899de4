"""Volume in a bad day, and the counts that say how good a history is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.history import PriceHistory
from engine.errors import InvalidInput

STRESS_QUANTILE = 0.01
LAST_DAYS = 365
HOURS_A_DAY = 24
REVERTED = 0.25
"""A move counts as reverted when less than this share of it is left an hour later."""


@dataclass(frozen=True, slots=True)
class BarCounts:
    """What a history holds besides prices."""

    gap_count: int
    missing_hours: int
    suspicious_bars: int
    zero_volume_bars: int


def stress_volume(history: PriceHistory) -> float:
    """Return the 1 % quantile (lower order statistic) of a full UTC day's volume over the last year, in base units.

    Raises
    ------
    InvalidInput
        If there is no full day or the quantile is 0: a liquidity charge would be infinite.
    """
    # a bar known at hour h was traded in the hour before it
    day = (history.hour - 1) // HOURS_A_DAY
    days, first, bars = np.unique(day, return_index=True, return_counts=True)
    volume = np.add.reduceat(history.volume, first)[bars == HOURS_A_DAY][-LAST_DAYS:]
    if volume.size == 0:
        raise InvalidInput(f"history of {history.symbol} has no day with {HOURS_A_DAY} bars among {days.size}")
    quantile = float(np.sort(volume)[int(STRESS_QUANTILE * volume.size)])
    if quantile <= 0.0:
        raise InvalidInput(f"history of {history.symbol}: volume of a stressed day is 0, liquidity cannot be charged")
    return quantile


def count_bars(history: PriceHistory, deviations: float) -> BarCounts:
    """Count gaps, missing hours, zero-volume bars, and bars that move by many deviations and revert at once."""
    steps = np.diff(history.hour)
    move = np.diff(np.log(history.close_e8.astype(np.float64))) / np.sqrt(steps)
    return BarCounts(
        gap_count=int(np.count_nonzero(steps > 1)),
        missing_hours=int(np.sum(steps - 1)),
        suspicious_bars=_suspicious(move, deviations),
        zero_volume_bars=int(np.count_nonzero(history.volume == 0.0)),
    )


def _suspicious(move: NDArray[np.float64], deviations: float) -> int:
    if move.size < 2:
        return 0
    large = np.abs(move[:-1]) > deviations * np.sqrt(np.mean(move * move))
    return int(np.count_nonzero(large & (np.abs(move[:-1] + move[1:]) < REVERTED * np.abs(move[:-1]))))
