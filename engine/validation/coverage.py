"""How often a bound is not below the truth: the calibration's own bootstrap on simulated histories (DESIGN 3.8)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings
from engine.dynamics.bootstrap import bootstrap_bounds
from engine.dynamics.calibration import Bound, rounded
from engine.dynamics.recursions import Memory
from engine.dynamics.variance import rule_of, run_filter, start_memory
from engine.errors import InvalidInput
from engine.validation.true_tails import Truth
from engine.validation.worlds import HOURS_A_DAY, SIDES, World, stream


@dataclass(frozen=True, slots=True)
class Outcome:
    """One bound of one simulated history beside the truth, in fractions of the price.

    Attributes
    ----------
    side : str
    horizon_hours : int
    truth, truth_error : float
        The true measure given the history's last state, and its standard error as a fraction of it.
    point : float
        The estimate.
    bootstrap : float
        Point times the ratio that the bootstrap gives.
    """

    side: str
    horizon_hours: int
    truth: float
    truth_error: float
    point: float
    bootstrap: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of outcomes whose figure is not below the truth.

    Attributes
    ----------
    outcomes : int
    point, bootstrap, full : float
        Shares; `full` is the bootstrap bound times the factor.
    standard_error : float
        Binomial, of `full`.
    median_excess : float
        Median of the full bound over the truth, less 1.
    needed_factor : float
        The least factor that would have covered the confidence asked for.
    truth_error : float
        Largest relative standard error of a truth.
    """

    outcomes: int
    point: float
    bootstrap: float
    full: float
    standard_error: float
    median_excess: float
    needed_factor: float
    truth_error: float


def bounds_of_history(log_return: NDArray[np.float64], settings: CalibrationSettings) -> tuple[Bound, ...]:
    """Return the bounds of a unit long and short as a calibration on exactly these hourly returns has them.

    Parameters
    ----------
    log_return : float64 array, shape (n,)
        The whole library; the filter starts at the long-run variance.
    settings : CalibrationSettings
    """
    start = start_memory(rounded(float(np.mean(log_return**2))))
    _, memory = run_filter(log_return, rule_of(settings), start)
    memories = (Memory(*(rounded(value) for value in memory)),)
    no_moves = np.zeros((1, log_return.size), dtype=np.int64)
    return bootstrap_bounds(("simulated",), log_return[None, :], no_moves, memories, settings, SIDES)


def simulate_outcomes(
    world: World, truth: Truth, days: int, purpose: int, repetition: int, settings: CalibrationSettings
) -> tuple[Outcome, ...]:
    """Return what the bound of one simulated history comes to, for both sides and every horizon.

    Parameters
    ----------
    world : World
    truth : Truth
        Of the same world, at the settings' measure and level.
    days : int
        Length of the history, hourly bars.
    purpose, repetition : int
        Which random numbers: a factor that was fitted for one purpose is checked for another.
    settings : CalibrationSettings
    """
    log_return, state = world.history(days * HOURS_A_DAY, stream(world, purpose, repetition))
    return tuple(
        Outcome(
            bound.archetype,
            bound.horizon_hours,
            *truth.of(state, bound.horizon_hours, bound.archetype),
            bound.point,
            bound.point * bound.ratio,
        )
        for bound in bounds_of_history(log_return, settings)
    )


def coverage_of(outcomes: Sequence[Outcome], factor: float, confidence: float) -> Coverage:
    """Count how often point, bootstrap bound and the bound times `factor` are not below the truth."""
    if not outcomes:
        raise InvalidInput("no outcome to count")
    truth, point, bootstrap = (
        np.array([getattr(outcome, name) for outcome in outcomes]) for name in ("truth", "point", "bootstrap")
    )
    needed = np.sort(truth / bootstrap)
    full = float(np.mean(factor >= needed))
    return Coverage(
        outcomes=truth.size,
        point=float(np.mean(point >= truth)),
        bootstrap=float(np.mean(bootstrap >= truth)),
        full=full,
        standard_error=math.sqrt(full * (1.0 - full) / truth.size),
        median_excess=float(np.median(factor / needed)) - 1.0,
        needed_factor=float(needed[math.ceil(confidence * truth.size - 1e-9) - 1]),
        truth_error=max(outcome.truth_error for outcome in outcomes),
    )
