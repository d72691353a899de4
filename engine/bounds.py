"""From a point estimate to what is charged: the bound's ratio that a book takes, and the stressed month's factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.calibration import ARCHETYPES, Calibration
from engine.priced import Problem
from engine.procyclicality import stress_factors

LONG, SHORT, EITHER, OPTION = range(4)


def bound_factors(calibration: Calibration, symbols: tuple[str, ...], hours: int) -> NDArray[np.float64]:
    """Return each underlying's bound factors (DESIGN 3.8), shape (U, 4): long, short, either, and any with options.

    A book with options takes the largest over all archetypes, delta one included.
    """
    table = np.empty((len(symbols), 4))
    for row, symbol in enumerate(symbols):
        ratio = {name: calibration.bound_ratio(symbol, hours, name) for name in ARCHETYPES}
        table[row] = ratio["long"], ratio["short"], max(ratio["long"], ratio["short"]), max(ratio.values())
    return table


def charge_factors(problem: Problem, hours: int) -> NDArray[np.float64]:
    """Return what turns a tail into what is charged, shape (U, 4): the bound's factor times that of the lever."""
    bound = bound_factors(problem.calibration, problem.market.symbols, hours)
    return bound * stress_factors(problem)[:, None]


def factor_of(
    factors: NDArray[np.float64],
    underlying: NDArray[np.int32],
    has_option: NDArray[np.bool_],
    net_notional_usd: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the factor of each row of one underlying, shape (rows,), by its net side when it holds no option."""
    side = np.where(net_notional_usd > 0.0, LONG, np.where(net_notional_usd < 0.0, SHORT, EITHER))
    return factors[underlying, np.where(has_option, OPTION, side)]
