"""Unit books on which the bound of an expected shortfall is measured: delta one and thirty-day options."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.calibration import ARCHETYPES
from engine.kernels.black76 import price
from engine.kernels.special import exp_array, log_array

HOURS_A_YEAR = 8_760.0
OPTION_DAYS = 30.0
HOURS_A_DAY = 24.0


def archetype_losses(
    log_return: NDArray[np.float64],
    volatility_shock: NDArray[np.float64],
    horizon_hours: int,
    hourly_variance: float,
    names: tuple[str, ...] = ARCHETYPES,
) -> dict[str, NDArray[np.float64]]:
    """Return the loss of each archetype at the horizon, per unit of spot.

    Parameters
    ----------
    log_return, volatility_shock : float64 arrays, shape (S,)
        At the horizon; shock as a log of thirty-day volatility.
    horizon_hours : int
    hourly_variance : float
        Variance at which the options are priced today, with a flat smile; strikes at the money and one deviation out.
    names : tuple of str
        Of `ARCHETYPES`; options are priced only where one of them is asked for.

    Returns
    -------
    dict of float64 array, shape (S,)
        Keys `names`; losses positive.
    """
    move = exp_array(log_return) - 1.0
    losses = {"long": -move, "short": move}
    if not set(names) <= set(losses):
        losses |= _option_losses(log_return, volatility_shock, horizon_hours, hourly_variance)
    return {name: losses[name] for name in names}


def _option_losses(
    log_return: NDArray[np.float64], volatility_shock: NDArray[np.float64], horizon_hours: int, hourly_variance: float
) -> dict[str, NDArray[np.float64]]:
    """Losses of the books that have sold options."""
    volatility = np.sqrt(hourly_variance * HOURS_A_YEAR)
    deviation = float(volatility * np.sqrt(OPTION_DAYS * HOURS_A_DAY / HOURS_A_YEAR))
    left = (OPTION_DAYS * HOURS_A_DAY - horizon_hours) / HOURS_A_YEAR
    moved = volatility * exp_array(volatility_shock)
    variance = moved * moved * left
    call, put, out_call, out_put = (
        _profit(is_call, log_strike, deviation * deviation, log_return, variance)
        for is_call, log_strike in ((True, 0.0), (False, 0.0), (True, deviation), (False, -deviation))
    )
    return {"short_straddle": call + put, "short_put": out_put, "short_call": out_call}


def _profit(
    is_call: bool,
    log_strike: float,
    variance_now: float,
    log_return: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Profit of the long option, undiscounted, at spot 1."""
    strike = float(exp_array(log_strike))
    exact_log = float(log_array(strike))
    before, after = np.empty(1), np.empty(log_return.size)
    price(is_call, strike, exact_log, np.ones(1), np.zeros(1), np.array([variance_now]), 1.0, before)
    price(is_call, strike, exact_log, exp_array(log_return), log_return, variance, 1.0, after)
    profit: NDArray[np.float64] = after - before[0]
    return profit
