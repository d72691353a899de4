"""How a surface and its curves answer to spot and to the shocks of a scenario (DESIGN 3.5, 3.6).

    atm'(T)   = atm(T) exp( ssr(sign r) psi(T)/atm(T) r + tau(T) (e_L + v2(T) e_2) ),   tau(T) = (30 / max(days, 1))^p
    vol'(x,T) = atm'(T) [vol(x,T)/atm(T)] exp( w(T) (e_G x + e_Q x^2) ),   w(T) = (30 / max(days, 7))^(1/2)
    d ln(F_T/S) = e_1 + T e_2',   d ln D_T = -(T e_3 + T^2 e_4)

v2(T) = (30 - days)/(30 + days) turns the term structure about thirty days. Two exponents p were fitted, in the body and
in the crash tail, on either side of 30 days (`engine.dynamics.surface_moves`); at each tenor the larger shock is taken.
`revalue` applies the formulae; here their coefficients are computed. In the first one r counts up to three deviations
of ln F to the expiry, where the smile ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.surface_moves import SurfaceMoves
from engine.kernels.revalue import SurfaceResponse, spot_reach
from engine.kernels.special import exp_array, log_array
from engine.market import AT_THE_MONEY, MarketState

SECONDS_A_DAY = 86_400.0
DAYS_A_YEAR = 365.0
PIVOT_DAYS = 30.0
SHORTEST_DAYS = 1.0
"""Below a day neither the tenor exponent nor the skew's 1/sqrt(T) is extrapolated."""
SHORTEST_WING_DAYS = 7.0
"""The shortest tenor at which moves of skew and curvature were measured."""


def parallel_response(market: MarketState, moves: SurfaceMoves) -> SurfaceResponse:
    """Return the response of each slice to spot, to a shock that moves all tenors the same way, and to shape shocks."""
    days = _days(market)
    body = _tenor_power(days, moves.exponent_body_short, moves.exponent_body_long)
    tail = _tenor_power(days, moves.exponent_tail_short, moves.exponent_tail_long)
    return SurfaceResponse(
        skew=_skew(market, days),
        level_body=body,
        level_tail=tail,
        stickiness_up=moves.skew_stickiness_rise,
        stickiness_down=moves.skew_stickiness_fall,
        shape=_shape(market, np.maximum(body, tail)),
    )


def _shape(market: MarketState, level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Responses to the shape shocks in the order of `engine.scenarios.scenario_set`, shape (7, slices)."""
    days, years = _days(market), market.slice_seconds / (SECONDS_A_DAY * DAYS_A_YEAR)
    wing = np.sqrt(PIVOT_DAYS / np.maximum(days, SHORTEST_WING_DAYS))
    return np.stack([level * _twist(days), wing, wing, np.ones(days.size), years, years, years * years])


def _twist(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 for the shortest tenors over 0 at thirty days to -1."""
    share: NDArray[np.float64] = (PIVOT_DAYS - days) / (PIVOT_DAYS + days)
    return share


def twist_response(market: MarketState, moves: SurfaceMoves) -> SurfaceResponse:
    """Return a response that turns the term structure about 30 days: short tenors with the shock, long ones against.

    The share is (30 - days) / (30 + days), from 1 to -1.
    """
    days = _days(market)
    parallel = parallel_response(market, moves)
    twist = np.maximum(parallel.level_body, parallel.level_tail) * _twist(days)
    return SurfaceResponse(parallel.skew, twist, twist, parallel.stickiness_up, parallel.stickiness_down)


class ThirtyDays(NamedTuple):
    """How the thirty-day volatility of each underlying answers to spot, shape (U,) each.

    `link` is psi/atm, 0 where there is no slice; `reach` the log return up to which it answers.
    """

    link: NDArray[np.float64]
    reach: NDArray[np.float64]


def thirty_day_answer(market: MarketState) -> ThirtyDays:
    """Return the answer of thirty-day volatility to spot.

    The slice nearest to 30 days gives it, its skew taken to be constant per standard deviation.
    """
    link, reach = np.zeros(len(market.symbols)), np.zeros(len(market.symbols))
    days = _days(market)
    for underlying in range(len(market.symbols)):
        slices = np.flatnonzero(market.slice_underlying == underlying)
        if slices.size:
            nearest = slices[int(np.argmin(np.abs(days[slices] - PIVOT_DAYS)))]
            atm = market.vol_nodes[nearest, AT_THE_MONEY]
            link[underlying] = _slope(market)[nearest] / (atm * atm * np.sqrt(PIVOT_DAYS / DAYS_A_YEAR))
            reach[underlying] = spot_reach(atm, np.array(PIVOT_DAYS * SECONDS_A_DAY))
    return ThirtyDays(link, reach)


def level_shock(
    total_shock: NDArray[np.float64], log_return: NDArray[np.float64], thirty: ThirtyDays, moves: SurfaceMoves
) -> NDArray[np.float64]:
    """Return e such that the thirty-day volatility moves by `total_shock` in all, its answer to spot included.

    Parameters
    ----------
    total_shock, log_return : float64 arrays, shape (U, points, S)
        History shows the whole move of a volatility index; the part due to spot must not be counted twice.
    thirty : ThirtyDays
    moves : SurfaceMoves

    Returns
    -------
    float64 array, shape (U, points, S)
    """
    stickiness = np.where(log_return < 0.0, moves.skew_stickiness_fall, moves.skew_stickiness_rise)
    reach = thirty.reach[:, None, None]
    answered = np.clip(log_return, -reach, reach)
    result: NDArray[np.float64] = total_shock - stickiness * thirty.link[:, None, None] * answered
    return result


def _days(market: MarketState) -> NDArray[np.float64]:
    return np.maximum(market.slice_seconds / SECONDS_A_DAY, SHORTEST_DAYS)


def _slope(market: MarketState) -> NDArray[np.float64]:
    """Volatility per standard deviation of log strike, at the money."""
    slope: NDArray[np.float64] = 0.5 * (market.vol_nodes[:, AT_THE_MONEY + 1] - market.vol_nodes[:, AT_THE_MONEY - 1])
    return slope


def _skew(market: MarketState, days: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = market.vol_nodes[:, AT_THE_MONEY] * np.sqrt(days / DAYS_A_YEAR)
    skew: NDArray[np.float64] = _slope(market) / deviation
    return skew


def _tenor_power(days: NDArray[np.float64], short: float, long: float) -> NDArray[np.float64]:
    exponent = np.where(days < PIVOT_DAYS, short, long)
    return exp_array(exponent * log_array(PIVOT_DAYS / days))
