"""The most stressed month so far: the highest thirty-day mean of the variance that the filter used (DESIGN 3.11)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.calibration import AssetState

MONTH_HOURS = 30 * 24


def month_means(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each run of thirty days; of the whole where there are fewer hours.

    Parameters
    ----------
    variance : float64 array, shape (n,)
        Variance used for each hour of a library, n at least 1.

    Returns
    -------
    float64 array, shape (max(n - 719, 1),)
        In time order; the last is the month that ends now.
    """
    hours = min(MONTH_HOURS, variance.size)
    total = np.cumsum(np.append(0.0, variance))
    means: NDArray[np.float64] = (total[hours:] - total[:-hours]) / hours
    return means


def stress_variance_today(asset: AssetState, since: NDArray[np.float64]) -> float:
    """Return the highest thirty-day mean up to now: the artefact's, carried on hour by hour.

    Parameters
    ----------
    asset : AssetState
    since : float64 array, shape (n,)
        Variance used for each hour after the artefact.

    Notes
    -----
    What leaves the month counts with that month's own mean until the month lies wholly after the artefact, so that one
    number of the artefact stands for its last 720. Added in time order.
    """
    month, highest = asset.month_variance, asset.stress_variance
    used = since.tolist()
    for hour, variance in enumerate(used):
        leaving = used[hour - MONTH_HOURS] if hour >= MONTH_HOURS else asset.month_variance
        month += (variance - leaving) / MONTH_HOURS
        highest = max(highest, month)
    return float(highest)
