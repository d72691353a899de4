"""Every instrument in every scenario at every step, once: the table of profits.

Spot moves along its path, the forward's carry runs down to 0 at expiry in proportion to the time left, and the
volatility surface moves with both (DESIGN of the model, section 3.5; r the spot's log return so far, e the 30-day log
shock of the at-the-money level):

    atm'(T)   = atm(T) exp( ssr(sign r) psi(T)/atm(T) r + max(tau_body(T), tau_tail(T)) e )
    vol'(x,T) = atm'(T) [vol(x,T)/atm(T)],   x = ln(K/F')/(atm(T) sqrt(T')) within [-3, 3], T' the time left

What expires inside the horizon settles at the first point of the path at or after its expiry. A coin amount (inverse
contracts) is turned into USD at the spot of the step:

    linear future   m (F' - F)                     linear option   m (D' c(F') - D c(F))
    inverse future  m (1/F - 1/F') S'              inverse option  m (S' D' c(F')/F' - S D c(F)/F)
    spot, perpetual m (S' - S)                     inverse perp    m (S'/S - 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine._jit import inlined, kernel
from engine.kernels.black76 import LOG_ZERO, undiscounted_scalar
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.special import exp_array, exp_normal_scalar, log_array

SPOT, PERPETUAL, FUTURE, CALL, PUT = range(5)
SECONDS_PER_HOUR = 3_600
SECONDS_PER_YEAR = 365 * 24 * SECONDS_PER_HOUR
NOT_SETTLED = -2
"""Still alive at the step."""
SETTLED_NOW = -1
"""Expired at or before the reference time: settles at the spot of now."""


class InstrumentColumns(Protocol):
    """What is read of the instruments; `engine.book.Instruments` is one."""

    kind: NDArray[np.int8]
    underlying: NDArray[np.int32]
    slice: NDArray[np.int32]
    strike: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    inverse: NDArray[np.bool_]


class MarketColumns(Protocol):
    """What is read of the market; `engine.market.MarketState` is one."""

    spot: NDArray[np.float64]
    slice_underlying: NDArray[np.int32]
    slice_seconds: NDArray[np.int64]
    forward: NDArray[np.float64]
    vol_nodes: NDArray[np.float64]
    discount: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SurfaceResponse:
    """How the at-the-money volatility of each (underlying, expiry) slice follows spot and the level shock.

    Attributes
    ----------
    skew : float64 array, shape (slices,)
        psi, d sigma / d ln K at the money, annual volatility per unit of log strike.
    level_body, level_tail : float64 array, shape (slices,)
        Response of ln atm to a 30-day log shock of 1, fitted in the body and in the crash tail; the larger is taken.
    stickiness_up, stickiness_down : float
        Skew-stickiness ratio on rises and on falls.
    """

    skew: NDArray[np.float64]
    level_body: NDArray[np.float64]
    level_tail: NDArray[np.float64]
    stickiness_up: float
    stickiness_down: float


@dataclass(frozen=True, slots=True)
class FactorPaths:
    """Joint moves of all factors.

    Attributes
    ----------
    hours : int64 array, shape (points,)
        Hours from now of the path's points, ascending, 0 or more. An instant move has one point at 0.
    log_return : float64 array, shape (underlyings, points, scenarios)
        Log return of spot from now to the point.
    steps : int64 array, shape (steps,)
        Indices of the points at which the book is valued, ascending.
    level_shock : float64 array, shape (underlyings, steps, scenarios)
        30-day log shock of the at-the-money level since now, at those points.
    """

    hours: NDArray[np.int64]
    log_return: NDArray[np.float64]
    steps: NDArray[np.int64]
    level_shock: NDArray[np.float64]
