"""The filter's memories and the trend at the last full hour: the artefact carried on by the prices since."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.calibration import Calibration
from engine.dynamics.clock import gap_scaled_returns
from engine.dynamics.history import RecentPrices
from engine.dynamics.recursions import Memory
from engine.dynamics.variance import rule_of, run_filter, variance_now
from engine.errors import InvalidInput
from engine.kernels.special import exp_array, log_array

TREND_DAYS = (3, 7, 14, 30)
HOURS_A_DAY = 24
PRICE_SCALE_E8 = 100_000_000


def memory_today(calibration: Calibration, recent: RecentPrices) -> Memory:
    """Return the asset's memories after the recent prices; `largest` includes the variance used next."""
    return filter_today(calibration, recent)[1]


def filter_today(calibration: Calibration, recent: RecentPrices) -> tuple[NDArray[np.float64], Memory]:
    """Return the variance used for each recent return, and the asset's memories after the last.

    Raises
    ------
    InvalidInput
        If the asset is not in the artefact or a recent price is not after its last hour.
    """
    row = calibration.index_of(recent.symbol)
    asset = calibration.assets[row]
    if recent.hour.size and recent.hour[0] <= calibration.last_hour:
        raise InvalidInput(
            f"recent prices of {recent.symbol} start at hour {recent.hour[0]}, which is not after the artefact's last, "
            f"{calibration.last_hour}"
        )
    hour = np.append(calibration.last_hour, recent.hour)
    close = np.append(calibration.recent_close_e8[row, -1], recent.close_e8)
    before = Memory(asset.long_run_variance, asset.slow_variance, asset.fast_variance, asset.largest_variance)
    return run_filter(gap_scaled_returns(hour, close), rule_of(calibration.settings), before)


def last_hour_of(calibration: Calibration, recent: RecentPrices) -> int:
    """Return the last hour at which the asset's price is known: that of the recent prices, else the artefact's."""
    return int(recent.hour[-1]) if recent.hour.size else calibration.last_hour


def with_running_hour(calibration: Calibration, recent: RecentPrices, spot: float) -> RecentPrices:
    """Return the recent prices with the hour that is running, where that raises the variance.

    Parameters
    ----------
    calibration : Calibration
    recent : RecentPrices
    spot : float
        Price now, positive, counted as the close of the hour after the last full one.

    Notes
    -----
    Conservative side: without this a crash would wait up to an hour before it counts. The move of a part of an hour is
    taken as that of a whole one, and a calm part never lowers what the full hours say.
    """
    last_hour = last_hour_of(calibration, recent)
    running = RecentPrices(
        recent.symbol, np.append(recent.hour, last_hour + 1), np.append(recent.close_e8, round(spot * PRICE_SCALE_E8))
    )
    rule = rule_of(calibration.settings)
    before = variance_now(rule, memory_today(calibration, recent))
    after = variance_now(rule, memory_today(calibration, running))
    return running if after > before else recent


def trend_today(calibration: Calibration, recent: RecentPrices) -> float:
    """Return the trend t in (-1, 1): mean over 3, 7, 14, 30 days of tanh(move / its long-run deviation).

    A look-back before the asset's first close counts as 0.

    Notes
    -----
    t = mean over d of tanh( ln(P / P d days ago) / (long-run hourly sd sqrt(24 d)) ), DESIGN 3.3.
    """
    row = calibration.index_of(recent.symbol)
    kept = calibration.recent_close_e8.shape[1]
    hour = np.append(calibration.clock_hour[-kept:], recent.hour)
    close = np.append(calibration.recent_close_e8[row], recent.close_e8)
    deviation = np.sqrt(calibration.assets[row].long_run_variance)
    total = 0.0
    for days in TREND_DAYS:
        at = int(np.searchsorted(hour, hour[-1] - HOURS_A_DAY * days, side="right")) - 1
        if at >= 0 and close[at] > 0:
            scale = deviation * np.sqrt(float(HOURS_A_DAY * days))
            total += _tanh(float(log_array(close[-1] / close[at])) / scale)
    return total / len(TREND_DAYS)


def trend_stretch(trend: float, strength: float) -> tuple[float, float]:
    """Return the factors on falls and on rises, exp(strength max(-t, 0)) and exp(strength max(t, 0)); at least 1."""
    factors: NDArray[np.float64] = exp_array(np.array([strength * max(-trend, 0.0), strength * max(trend, 0.0)]))
    return float(factors[0]), float(factors[1])


def _tanh(x: float) -> float:
    return 1.0 - 2.0 / (float(exp_array(2.0 * x)) + 1.0)
