"""Every instrument in every scenario at every step, once: the table of profits.

Spot moves along its path, the forward's carry runs down to 0 at expiry in proportion to the time left, and the
volatility surface moves with both (DESIGN of the model, section 3.5; r the spot's log return so far, e the 30-day log
shock of the at-the-money level):

    atm'(T)   = atm(T) exp( ssr(sign r) psi(T)/atm(T) r + max(tau_body(T), tau_tail(T)) e + term(T) e_2 )
    vol'(x,T) = atm'(T) [vol(x,T)/atm(T)] exp( g(T) e_G x + c(T) e_Q x^2 )
    x = ln(K/F')/(atm(T) sqrt(T')) within [-3, 3], T' the time left; r here within three deviations atm(T) sqrt(T) too

A set may also move basis and discount: d ln(F/S) = b0 e_1 + b1(T) e_2', d ln D = -(d0(T) e_3 + d1(T) e_4).

What expires inside the horizon settles on the path, at the point of its expiry. Between two points the log return is
that of the one before plus the root of the share of time gone by times the move to the next: the variance is that of
the time gone by. The next point itself would give an option that ends in a second the worth of an hour, which a hedge
could buy for nothing. A coin amount (inverse contracts) is turned into USD at the spot of the step:

    linear future   m (F' - F)                     linear option   m (D' c(F') - D c(F))
    inverse future  m (1/F - 1/F') S'              inverse option  m (S' D' c(F')/F' - S D c(F)/F)
    spot, perpetual m (S' - S)                     inverse perp    m (S'/S - 1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine._jit import read_only
from engine.kernels.black76 import LOG_ZERO
from engine.kernels.market_tile import ALIVE, SETTLED_NOW, MoveArrays, ScheduleArrays, SurfaceArrays
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable, aligned_zeros
from engine.kernels.revalue_tile import InstrumentArrays, revalue_tiles
from engine.kernels.special import exp_array, log_array

SECONDS_PER_HOUR = 3_600
SECONDS_PER_YEAR = 365 * 24 * SECONDS_PER_HOUR
SHAPE_SHOCKS = 7
REACH_DEVIATIONS = 3.0
SHORTEST_SECONDS = 24 * SECONDS_PER_HOUR
TILES_AT_A_TIME = 16
"""Enough to make the cost of a call vanish, few enough to keep two threads busy to the end."""


class InstrumentColumns(Protocol):
    """What is read of the instruments; `engine.book.Instruments` is one."""

    @property
    def kind(self) -> NDArray[np.int8]: ...

    @property
    def underlying(self) -> NDArray[np.int32]: ...

    @property
    def slice(self) -> NDArray[np.int32]: ...

    @property
    def strike(self) -> NDArray[np.float64]: ...

    @property
    def multiplier(self) -> NDArray[np.float64]: ...

    @property
    def inverse(self) -> NDArray[np.bool_]: ...


class MarketColumns(Protocol):
    """What is read of the market; `engine.market.MarketState` is one."""

    @property
    def spot(self) -> NDArray[np.float64]: ...

    @property
    def slice_underlying(self) -> NDArray[np.int32]: ...

    @property
    def slice_seconds(self) -> NDArray[np.int64]: ...

    @property
    def forward(self) -> NDArray[np.float64]: ...

    @property
    def vol_nodes(self) -> NDArray[np.float64]: ...

    @property
    def discount(self) -> NDArray[np.float64]: ...


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
    shape : float64 array, shape (7, slices)
        Responses to the shape shocks, in their order: of ln atm to term structure; of ln volatility per x to skew and
        per x^2 to curvature; of ln forward to basis level and slope; of -ln discount to rate level and slope. Without
        it shape shocks do nothing.
    """

    skew: NDArray[np.float64]
    level_body: NDArray[np.float64]
    level_tail: NDArray[np.float64]
    stickiness_up: float
    stickiness_down: float
    shape: NDArray[np.float64] | None = None


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
    shape_shock : float64 array, shape (7, underlyings, steps, scenarios), or None
        Shape shocks at those points, in the order of `SurfaceResponse.shape`; None when no shape moves.
    """

    hours: NDArray[np.int64]
    log_return: NDArray[np.float64]
    steps: NDArray[np.int64]
    level_shock: NDArray[np.float64]
    shape_shock: NDArray[np.float64] | None = None


def revalue(
    instruments: InstrumentColumns,
    market: MarketColumns,
    response: SurfaceResponse,
    paths: FactorPaths,
    threads: int = 1,
) -> ProfitTable:
    """Return the profit of one contract of every instrument, in every scenario, at every step.

    Parameters
    ----------
    instruments : InstrumentColumns
        Kinds as in `revalue_tile`; strikes at least 0; `slice` of a dated instrument belongs to its underlying.
    market : MarketColumns
        Positive spots, forwards and discounts; volatilities per root of a year of 365 days, at least 0. A slice with
        0 seconds or fewer settles at the spot of now.
    response : SurfaceResponse
        Dynamics of each slice.
    paths : FactorPaths
        Any number of scenarios, at least 1.
    threads : int
        Tiles of scenarios are shared among them; does not change a bit of the result.

    Returns
    -------
    ProfitTable
        `largest` is NaN or infinite where a profit is; `value` is what a contract is worth now in USD: the mark of
        spot, perpetual, future and option; 0 for an inverse perpetual or future, whose gains sit in its coin cash.
    """
    columns, surface = _instrument_arrays(instruments), _surface_arrays(market, response)
    now, _ = _fill(columns, surface, market, _standstill(len(market.spot)), np.zeros(len(columns.kind)), threads=1)
    value = np.ascontiguousarray(now[0, 0, :, 0])
    tiles, largest = _fill(columns, surface, market, paths, value, threads)
    return ProfitTable(tiles, paths.log_return.shape[2], largest, value)


def _standstill(underlyings: int) -> FactorPaths:
    """Return the one scenario in which nothing moves and no time passes."""
    nothing = np.zeros((underlyings, 1, 1))
    return FactorPaths(np.zeros(1, dtype=np.int64), nothing, np.zeros(1, dtype=np.int64), nothing)


def _fill(
    columns: InstrumentArrays,
    surface: SurfaceArrays,
    market: MarketColumns,
    paths: FactorPaths,
    base: NDArray[np.float64],
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill the tiles of a table with value less `base`; also the largest absolute entry of each instrument."""
    count, instruments = -(-paths.log_return.shape[2] // TILE), len(base)
    tiles = aligned_zeros((count, len(paths.steps), instruments, TILE), np.float64)
    largest = np.zeros((count, instruments))
    schedule, start = _schedule_arrays(market, paths), read_only(base, np.float64)
    moves = MoveArrays(
        log_return=read_only(paths.log_return, np.float64),
        level_shock=read_only(paths.level_shock, np.float64),
        shape_shock=read_only(np.empty((0, 0, 0, 0)) if paths.shape_shock is None else paths.shape_shock, np.float64),
        steps=read_only(paths.steps, np.int64),
    )

    def work(first: int, last: int) -> None:
        revalue_tiles(columns, surface, schedule, moves, start, first, last, tiles, largest)

    over_rows(work, split_rows(count, TILES_AT_A_TIME, threads), threads)
    return tiles, largest.max(axis=0)


def _instrument_arrays(instruments: InstrumentColumns) -> InstrumentArrays:
    """Columns of the instruments as the kernel takes them, with the logarithm of the strikes."""
    return InstrumentArrays(
        kind=read_only(instruments.kind, np.int8),
        underlying=read_only(instruments.underlying, np.int32),
        slice=read_only(instruments.slice, np.int32),
        strike=read_only(instruments.strike, np.float64),
        log_strike=read_only(np.maximum(log_array(instruments.strike), LOG_ZERO), np.float64),
        multiplier=read_only(instruments.multiplier, np.float64),
        inverse=read_only(instruments.inverse, np.bool_),
    )


def _surface_arrays(market: MarketColumns, response: SurfaceResponse) -> SurfaceArrays:
    """Spot, and each slice's volatility at the money, its smile and how it responds."""
    atm = np.asarray(market.vol_nodes)[:, 3]
    safe = np.where(atm > 0.0, atm, 1.0)
    # a slice without volatility has no smile either
    nodes = np.where(atm[:, None] > 0.0, market.vol_nodes / safe[:, None], 1.0)
    slope = np.diff(nodes, axis=1)
    kinks = 0.5 * np.diff(slope, axis=1)
    level = nodes[:, 3] - (2.0 * kinks[:, 0] + kinks[:, 1] + kinks[:, 3] + 2.0 * kinks[:, 4])
    smile = np.column_stack([level, 0.5 * (slope[:, 0] + slope[:, 5]), kinks])
    skew = np.where(atm > 0.0, response.skew / safe, 0.0)
    shape = np.zeros((SHAPE_SHOCKS, len(atm))) if response.shape is None else response.shape
    return SurfaceArrays(
        spot=read_only(market.spot, np.float64),
        log_spot=read_only(log_array(market.spot), np.float64),
        underlying=read_only(market.slice_underlying, np.int32),
        forward=read_only(market.forward, np.float64),
        atm=read_only(atm, np.float64),
        smile=read_only(smile, np.float64),
        up=read_only(response.stickiness_up * skew, np.float64),
        down=read_only(response.stickiness_down * skew, np.float64),
        reach=read_only(spot_reach(atm, np.asarray(market.slice_seconds)), np.float64),
        level=read_only(np.maximum(response.level_body, response.level_tail), np.float64),
        shape=read_only(shape, np.float64),
    )


def spot_reach(atm: NDArray[np.float64], seconds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the log return up to which the volatility at the money answers to spot, in the shape of `atm`.

    Three deviations to expiry, where the smile's nodes end: its slope says nothing of what lies beyond, and carried on
    to a crash it multiplied a week's volatility by five. Expiries below a day count as a day, as for the slope.
    """
    years = np.maximum(seconds, SHORTEST_SECONDS) / SECONDS_PER_YEAR
    reach: NDArray[np.float64] = REACH_DEVIATIONS * atm * np.sqrt(years)
    return reach


def _schedule_arrays(market: MarketColumns, paths: FactorPaths) -> ScheduleArrays:
    """What depends on slice and step alone."""
    seconds = np.asarray(market.slice_seconds, dtype=np.int64)
    point_seconds = np.asarray(paths.hours, dtype=np.int64) * SECONDS_PER_HOUR
    left = np.maximum(seconds[:, None] - point_seconds[paths.steps][None, :], 0)
    fraction = left / np.maximum(seconds, 1)[:, None]
    log_carry = log_array(market.forward) - log_array(market.spot)[market.slice_underlying]
    point = np.searchsorted(point_seconds, seconds, side="left")
    settled = np.where(left > 0, ALIVE, point[:, None])
    settled = np.where((seconds <= 0)[:, None], SETTLED_NOW, settled)
    return ScheduleArrays(
        settled=read_only(settled, np.int64),
        share=read_only(_settlement_share(seconds, point_seconds, point), np.float64),
        log_carry=read_only(log_carry[:, None] * fraction, np.float64),
        discount=read_only(exp_array(log_array(market.discount)[:, None] * fraction), np.float64),
        root_time=read_only(np.sqrt(left / SECONDS_PER_YEAR), np.float64),
    )


def _settlement_share(
    seconds: NDArray[np.int64], point_seconds: NDArray[np.int64], point: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Root of the share of time gone by at expiry between the path's points around it; 1 beyond the path's end."""
    after = np.append(point_seconds, np.iinfo(np.int64).max)[point]
    before = np.where(point > 0, point_seconds[np.maximum(point - 1, 0)], 0)
    inside = (point < point_seconds.size) & (after > before)
    gone = np.divide(seconds - before, after - before, out=np.ones(seconds.size), where=inside)
    share: NDArray[np.float64] = np.sqrt(np.maximum(gone, 0.0))
    return share
