"""Filtered historical paths of all underlyings over the same dates, as they are and stretched by the trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.dynamics.paths import block_starts, filtered_paths
from engine.dynamics.seasonality import season_roots
from engine.dynamics.today import last_hour_of, memory_today, trend_stretch, trend_today
from engine.dynamics.variance import rule_of, variance_now
from engine.errors import InvalidInput
from engine.scenarios.scenario_set import ScenarioSet, severity_order


def historical_paths(calibration: Calibration, recent: Sequence[RecentPrices], hours: int) -> ScenarioSet:
    """Return every block of the library, walked from today's variance; worst first.

    Parameters
    ----------
    calibration : Calibration
    recent : sequence of RecentPrices
        One an underlying, in the market's order.
    hours : int
        Length of the paths; those of up to four hours take the hour-of-week factor, from each asset's last full hour.

    Returns
    -------
    ScenarioSet
        Points at 1 ... `hours`; labels are the hours (since the Unix epoch) at which the blocks begin.

    Raises
    ------
    InvalidInput
        If the library is shorter than a path.
    """
    settings = calibration.settings
    rule = rule_of(settings)
    starts = block_starts(calibration.clock_hour.size, hours, settings.path_step_hours)
    if starts.size == 0:
        raise InvalidInput(f"a path of {hours} h does not fit a library of {calibration.clock_hour.size} h")
    log_return = np.empty((len(recent), hours, starts.size))
    shock = np.empty_like(log_return)
    deviation = np.empty(len(recent))
    for underlying, prices in enumerate(recent):
        row = calibration.index_of(prices.symbol)
        memory = memory_today(calibration, prices)
        last_hour = last_hour_of(calibration, prices)
        season = season_roots(calibration.hour_factor_ppm[row], calibration.clock_hour, last_hour, hours)
        library = calibration.residual_micro[row], calibration.volatility_move_micro[row]
        log_return[underlying], shock[underlying] = filtered_paths(*library, starts, hours, rule, memory, season)
        deviation[underlying] = np.sqrt(hours * variance_now(rule, memory))
    order = severity_order(log_return[:, -1], deviation)
    return ScenarioSet(
        name=f"historical {hours} h",
        hours=np.arange(1, hours + 1, dtype=np.int64),
        log_return=np.ascontiguousarray(log_return[:, :, order]),
        volatility_shock=np.ascontiguousarray(shock[:, :, order]),
        weight=np.ones((len(recent), starts.size)),
        label=tuple(str(hour) for hour in calibration.clock_hour[starts[order]]),
    )


def stretched_by_trend(
    paths: ScenarioSet, calibration: Calibration, recent: Sequence[RecentPrices], strength: float
) -> ScenarioSet:
    """Return the paths with falls stretched after falls and rises after rises, each underlying by its own trend.

    It is used beside the plain paths, never instead of them: stretching a move can help a book that loses when nothing
    moves, and the add-on never lowers.
    """
    log_return = paths.log_return.copy()
    for underlying, prices in enumerate(recent):
        fall, rise = trend_stretch(trend_today(calibration, prices), strength)
        moves = log_return[underlying]
        log_return[underlying] = np.where(moves < 0.0, fall * moves, rise * moves)
    return replace(paths, name=f"{paths.name}, trend", log_return=log_return)
