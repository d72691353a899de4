"""The hour-of-week factor on variance, for horizons of up to four hours (DESIGN 3.3).

    factor of an hour of the week = mean of the squared residuals there, each capped at 16, over the mean of all,
    shrunk toward 1 by James and Stein, mean 1

Squares are of residuals, returns standardised by the filter: raw squares would be ruled by a few crash hours. Within a
day the hours even out: longer horizons take no factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.recursions import MICRO

HOURS_A_WEEK = 168
LONGEST_HORIZON_HOURS = 4
LARGEST_SQUARE = 16.0
LARGEST_FACTOR = 4.0
"""Beyond it, or below its inverse, bins of an asset that hardly moves are noise."""
PPM = 1_000_000
_MONDAY = 72
"""Hours from Thursday, 1 January 1970, back to its Monday."""


def hour_of_week(hour: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the hour of the week that ends at each hour since the epoch; 0 is Monday from 00:00 to 01:00 UTC."""
    return (hour - 1 + _MONDAY) % HOURS_A_WEEK


def hour_factors_ppm(clock: NDArray[np.int64], residual_micro: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the factor of each hour of the week, parts per million.

    Parameters
    ----------
    clock : int64 array, shape (n + 1,)
        Return j leads from clock[j] to clock[j + 1]; one across a gap says nothing about an hour and is left out.
    residual_micro : int64 array, shape (n,)
        The asset's own residuals, millionths of a deviation.

    Returns
    -------
    int64 array, shape (168,)
        Positive, mean 1,000,000 but for rounding; all 1,000,000 where the data cannot tell hours apart.

    Notes
    -----
    W. James and C. Stein (1961), Estimation with quadratic loss, positive part, toward a known point: with bins b of
    standard error e_b, the share kept of each distance from 1 is max(0, 1 - (B - 2) mean(e^2) / sum (f_b - 1)^2).
    """
    one_hour = np.diff(clock) == 1
    square = np.minimum((residual_micro[one_hour] / MICRO) ** 2, LARGEST_SQUARE)
    which = hour_of_week(clock[1:][one_hour])
    count = np.bincount(which, minlength=HOURS_A_WEEK)
    if count.min() < 2 or not np.any(square > 0.0):
        return np.full(HOURS_A_WEEK, PPM, dtype=np.int64)
    mean = np.bincount(which, square, HOURS_A_WEEK) / count
    spread = np.bincount(which, (square - mean[which]) ** 2, HOURS_A_WEEK) / (count - 1)
    level = float(mean.mean())
    distance = mean / level - 1.0
    noise = float(np.mean(spread / count)) / level**2
    total = float(np.sum(distance**2))
    kept = max(0.0, 1.0 - (HOURS_A_WEEK - 2) * noise / total) if total > 0.0 else 0.0
    factor = np.clip(1.0 + kept * distance, 1.0 / LARGEST_FACTOR, LARGEST_FACTOR)
    factor_ppm: NDArray[np.int64] = np.rint(PPM * factor / factor.mean()).astype(np.int64)
    return factor_ppm


def season_roots(
    factor_ppm: NDArray[np.int64], clock_hour: NDArray[np.int64], last_hour: int, hours: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the roots of the factors of the hours ahead and of the library's own hours.

    A residual drawn from library hour j for the h-th hour ahead is worth ahead[h] / own[j] residuals.

    Parameters
    ----------
    factor_ppm : int64 array, shape (168,)
    clock_hour : int64 array, shape (n,)
        Hours at which the library's returns end.
    last_hour : int
        The last full hour before now.
    hours : int
        Length of a path; beyond `LONGEST_HORIZON_HOURS` every factor is 1.

    Returns
    -------
    ahead : float64 array, shape (hours,)
    own : float64 array, shape (n,)
    """
    if hours > LONGEST_HORIZON_HOURS:
        return np.ones(hours), np.ones(clock_hour.size)
    root = np.sqrt(factor_ppm / PPM)
    ahead = hour_of_week(last_hour + 1 + np.arange(hours, dtype=np.int64))
    return root[ahead], root[hour_of_week(clock_hour)]
