"""Common jumps of the library: found, fitted, and taken out of what the marginals are fitted to (DESIGN 3.4).

A jump is an hour in which the markets' median residual exceeds a stated number of deviations. Its size is the
median log return J; asset u feels loading_u times it. |J| is a least size plus an exponential excess, its mean another
for each sign: what was found exceeds a threshold, so that sizes near 0 do not occur. Intensity at its upper 95 % bound
from n jumps in T hours,

    chi2(0.95; 2 (n + 1)) / (2 T)

exact for a Poisson count (F. Garwood, 1936, Fiducial limits for the Poisson distribution, Biometrika 28, 437-442).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from engine.dynamics.calibration import rounded
from engine.dynamics.joint import Jumps

Table = NDArray[np.float64]

INTENSITY_CONFIDENCE = 0.95
LARGEST_EXPECTED_JUMPS = 0.25
"""Over a horizon. Three are drawn at most (`engine.scenarios.variates`): at this mean a fourth has 1.3e-4."""


def no_jumps(assets: int, hours: int) -> Jumps:
    """Return the record of a model without jumps."""
    return Jumps(0.0, 0, hours, 0.0, 0.5, 0.0, 0.0, 0.0, (0.0,) * assets, (0.0,) * assets)


def taken_out(
    log_return: Table, level_move: Table, variance: Table, threshold_deviations: float, markets: int
) -> tuple[Jumps, Table, Table]:
    """Return the jumps, and returns and volatility moves without what the jumps explain.

    Parameters
    ----------
    log_return, level_move, variance : float64 arrays, shape (U, n)
        Hourly returns, log moves of volatility, and the variance that the filter used for each return.
    threshold_deviations : float
        At least 0; 0 takes nothing out and models no jump.
    markets : int
        The first so many assets make the cross-section; tokens after them only feel its jumps.

    Notes
    -----
    Loadings are least squares through the origin over the jump hours. The co-jump of volatility is the hour's own,
    never below 0. Of a daily index it holds a 24th; what it does not explain stays in the ordinary move, so that
    nothing is lost and nothing counts twice. Where no jump was seen, every loading is the asset's deviation over the
    assets' median, and sizes are those of `_sizes`.
    """
    assets, hours = log_return.shape
    if threshold_deviations == 0.0:
        return no_jumps(assets, hours), log_return, level_move
    at = np.flatnonzero(
        np.abs(np.median(log_return[:markets] / np.sqrt(variance[:markets]), axis=0)) > threshold_deviations
    )
    size = np.median(log_return[:markets, at], axis=0)
    intensity = stats.chi2.ppf(INTENSITY_CONFIDENCE, 2 * (at.size + 1)) / (2.0 * hours)
    deviation = np.sqrt(np.mean(log_return**2, axis=1))
    if at.size:
        loading = log_return[:, at] @ size / (size @ size)
        co_jump = np.maximum(level_move[:, at] @ np.abs(size) / (size @ size), 0.0)
    else:
        loading, co_jump = deviation / np.median(deviation[:markets]), np.zeros(assets)
    loading, co_jump = _rounded_all(loading), _rounded_all(co_jump)
    ordinary, calm_level = log_return.copy(), level_move.copy()
    ordinary[:, at] -= np.outer(loading, size)
    calm_level[:, at] -= np.outer(co_jump, np.abs(size))
    least, up, down = _sizes(size, threshold_deviations * float(np.median(deviation[:markets])))
    jumps = Jumps(
        threshold_deviations=threshold_deviations,
        count=int(at.size),
        hours=hours,
        intensity_hourly=rounded(intensity),
        # one of each sign added, so that neither is impossible because it was not seen
        up_probability=rounded((np.count_nonzero(size > 0.0) + 1.0) / (at.size + 2.0)),
        least_size=rounded(least),
        excess_up=rounded(up),
        excess_down=rounded(down),
        loading=tuple(loading.tolist()),
        volatility_co_jump=tuple(co_jump.tolist()),
    )
    return jumps, ordinary, calm_level


def _sizes(size: Table, unseen: float) -> tuple[float, float, float]:
    """Least size, and mean excess of rises and of falls; of few jumps neither looks tamer than both together.

    Of one jump, or none (then `unseen` is its size), the size is the mean of an exponential from 0 on.
    """
    absolute = np.abs(size)
    if size.size < 2:
        mean = float(absolute[0]) if size.size else unseen
        return 0.0, mean, mean
    least = float(np.min(absolute))
    pooled = float(np.sum(absolute - least)) / (size.size - 1)
    up, down = (
        max(float(np.mean(side)) - least, pooled) if side.size else pooled
        for side in (absolute[size > 0.0], absolute[size <= 0.0])
    )
    return least, up, down


def _rounded_all(values: Table) -> Table:
    return np.array([rounded(value) for value in values])
