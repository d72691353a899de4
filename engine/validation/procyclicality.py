"""How much a margin swings: peak to trough, largest rises, and its answer to a step of volatility (DESIGN 3.11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings, ModelConfiguration
from engine.dynamics.stress_level import MONTH_HOURS
from engine.dynamics.variance import rule_of, run_filter, start_memory
from engine.errors import InvalidInput
from engine.procyclicality import stress_factor

HOURS_A_DAY = 24
RISE_DAYS = (1, 5, 30)
IMPULSE_HOURS = (1, 24, 120, 720)
"""After how many hours of the new level the answer to a step is read."""
CALM_HOURS = 12 * MONTH_HOURS


@dataclass(frozen=True, slots=True)
class Swings:
    """Figures of one series of margins; each 1 when the margin never moves.

    Attributes
    ----------
    peak_to_trough : float
        Largest over smallest margin.
    largest_rise : dict of int to float
        Days (`RISE_DAYS`) to the largest ratio of a margin to the one so many days before.
    mean : float
        What the series costs, in its own unit.
    """

    peak_to_trough: float
    largest_rise: dict[int, float]
    mean: float


def swings(margin: NDArray[np.float64], steps_a_day: int = HOURS_A_DAY) -> Swings:
    """Return the figures of a series.

    Parameters
    ----------
    margin : float64 array, shape (n,)
        Evenly spaced, positive; more than thirty days.
    steps_a_day : int

    Raises
    ------
    InvalidInput
        If the series is shorter, or a margin is not positive and finite.
    """
    if margin.size <= max(RISE_DAYS) * steps_a_day:
        raise InvalidInput(f"{margin.size} margins are no more than {max(RISE_DAYS)} days of {steps_a_day} a day")
    if not np.all(np.isfinite(margin) & (margin > 0.0)):
        raise InvalidInput("a margin of the series is not positive and finite")
    rise = {days: float(np.max(margin[days * steps_a_day :] / margin[: -days * steps_a_day])) for days in RISE_DAYS}
    return Swings(float(np.max(margin) / np.min(margin)), rise, float(np.mean(margin)))


def margin_series(
    log_return: NDArray[np.float64], long_run_variance: float, settings: CalibrationSettings, model: ModelConfiguration
) -> NDArray[np.float64]:
    """Return, before each hour, the deviation that a delta-one margin is a multiple of, with the lever applied.

    Parameters
    ----------
    log_return : float64 array, shape (n,)
        Hourly.
    long_run_variance : float
        Also the stress level until a month has gone by.
    settings, model : CalibrationSettings, ModelConfiguration
        The filter, and weight and cap of the lever.
    """
    variance, _ = run_filter(log_return, rule_of(settings), start_memory(long_run_variance))
    total = np.cumsum(np.append(0.0, variance))
    stress = np.full(variance.size, long_run_variance)
    months = (total[MONTH_HOURS:] - total[:-MONTH_HOURS]) / MONTH_HOURS
    stress[MONTH_HOURS - 1 :] = np.maximum(months, long_run_variance)
    highest = np.maximum.accumulate(stress)
    pairs = zip(highest.tolist(), variance.tolist(), strict=True)
    factor = np.array([stress_factor(high, now, model) for high, now in pairs])
    series: NDArray[np.float64] = np.sqrt(variance) * factor
    return series


def impulse_response(
    step: float, settings: CalibrationSettings, model: ModelConfiguration, past_stress: float = 1.0
) -> dict[int, float]:
    """Return how many times the margin before it a margin is, `IMPULSE_HOURS` after volatility rose to `step` times.

    Parameters
    ----------
    step : float
        Positive; every hourly move is plus or minus one deviation, so nothing is random.
    settings, model : CalibrationSettings, ModelConfiguration
    past_stress : float
        Volatility of a month that lies `CALM_HOURS` back, in multiples of the long-run level; the lever remembers it.
    """
    begins = MONTH_HOURS + CALM_HOURS
    hours = np.arange(begins + max(IMPULSE_HOURS) + 1)
    deviation = np.where(hours < MONTH_HOURS, past_stress, np.where(hours < begins, 1.0, step))
    series = margin_series(np.where(hours % 2 == 0, deviation, -deviation), 1.0, settings, model)
    return {after: float(series[begins + after] / series[begins]) for after in IMPULSE_HOURS}
