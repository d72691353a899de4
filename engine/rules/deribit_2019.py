"""Deribit's older portfolio margin: deribit.com/docs/category/uncategorized (archived), for regression of a matrix.

Moves and shares are fractions; contingencies are in units of the underlying.
"""

from __future__ import annotations

from engine.rules.deribit import volatility_shock

PRICE_RANGE = 0.125
VOLATILITY_RANGE = 0.4
TENOR_POWER = 0.5
OPTION_CONTINGENCY = 0.01
OFFSETTING_FUTURES_CONTINGENCY = 0.02
OFFSETTING_VEGA_CONTINGENCY = 0.25


def largest_volatility_move(days: float) -> float:
    """Return the relative move of volatility at a tenor: sqrt(30/days) x 40 %."""
    return volatility_shock(VOLATILITY_RANGE, days, TENOR_POWER)


def contingency(options: float, long_futures: float, short_futures: float) -> float:
    """Return what is added for options held, long or short, and for futures that offset each other.

    Parameters
    ----------
    options : float
        The sum of their magnitudes.
    long_futures, short_futures : float
        Magnitudes on either side.
    """
    offset = min(long_futures, short_futures)
    return OPTION_CONTINGENCY * options + OFFSETTING_FUTURES_CONTINGENCY * offset
