"""Every set that is drawn at a horizon, with the component that it is called when it binds; the dearest one counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.scenarios.historical import historical_paths, stretched_by_trend
from engine.scenarios.montecarlo import monte_carlo_sets
from engine.scenarios.scenario_set import (
    BASIS_LEVEL,
    BASIS_SLOPE,
    CURVATURE,
    RATE_LEVEL,
    RATE_SLOPE,
    SHAPE_FACTORS,
    SKEW,
    TERM,
    ScenarioSet,
)

HOURS_A_DAY = 24.0
CASE_COMPONENTS = ("monte_carlo", "monte_carlo_correlated", "monte_carlo_independent")
"""In the order of `engine.dynamics.joint.CASES`."""
SEED_DIGITS = 15
"""Of the hash of the settings, in hexadecimal: sixty bits."""

Drawn = tuple[tuple[str, ScenarioSet], ...]


def drawn_sets(
    calibration: Calibration, recent: Sequence[RecentPrices], hours: int, worst_point: bool, model: ModelConfiguration
) -> Drawn:
    """Return the sets of one horizon: historical paths first, then Monte Carlo, each plain and stretched by the trend.

    Parameters
    ----------
    calibration : Calibration
    recent : sequence of RecentPrices
        One an underlying, in the market's order.
    hours : int
    worst_point : bool
        Monte Carlo moves to the worst point on the way instead of to the end; historical paths hold every hour anyway.
    model : ModelConfiguration
        The hash of its Monte Carlo settings is the seed: successive reports share their random numbers and differ by
        the market alone, and a switch of the model changes what it switches and nothing else.

    Returns
    -------
    tuple of (component, ScenarioSet)
        The first is the plain historical set.
    """
    paths = historical_paths(calibration, recent, hours)
    drawn = [("historical", paths)]
    sets: list[tuple[str, ScenarioSet]] = []
    if model.monte_carlo_points:
        shape = shape_deviations(calibration, recent, hours)
        cases = monte_carlo_sets(
            calibration, recent, hours, worst_point, seed_of(model), model.monte_carlo_points, shape
        )
        sets = list(zip(CASE_COMPONENTS, cases, strict=True))
    if model.trend_addon:
        strength = model.trend_strength
        drawn.append(("historical_trend", stretched_by_trend(paths, calibration, recent, strength)))
        if sets:
            sets.append(("monte_carlo_trend", stretched_by_trend(sets[0][1], calibration, recent, strength)))
    return (*drawn, *sets)


def seed_of(model: ModelConfiguration) -> int:
    """Return the seed of the model's Monte Carlo sets."""
    text = f"monte carlo, {model.monte_carlo_points} points"
    return int(hashlib.sha256(text.encode()).hexdigest()[:SEED_DIGITS], 16)


def shape_deviations(calibration: Calibration, recent: Sequence[RecentPrices], hours: int) -> NDArray[np.float64]:
    """Return the deviations of the shape factors over the horizon, a day's times the root of days, shape (7, U)."""
    surface = calibration.surface
    table = np.empty((SHAPE_FACTORS, len(recent)))
    table[TERM], table[SKEW] = surface.term_deviation, surface.skew_deviation
    table[CURVATURE] = surface.curvature_deviation
    for underlying, prices in enumerate(recent):
        carry = calibration.carry[calibration.index_of(prices.symbol)]
        table[BASIS_LEVEL, underlying], table[BASIS_SLOPE, underlying] = carry.b0_daily, carry.b1_daily
        table[RATE_LEVEL, underlying], table[RATE_SLOPE, underlying] = carry.rate_level_daily, carry.rate_slope_daily
    deviations: NDArray[np.float64] = table * np.sqrt(hours / HOURS_A_DAY)
    return deviations
