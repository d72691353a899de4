"""The kernel behind `revalue`: tiles of scenarios, all steps, all instruments. The formulae are stated there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel
from engine.kernels.black76 import undiscounted_scalar
from engine.kernels.market_tile import (
    ALIVE,
    MoveArrays,
    ScheduleArrays,
    SurfaceArrays,
    TileMarkets,
    markets_at_step,
)
from engine.kernels.profit import TILE
from engine.kernels.special import exp_normal_scalar

Vector = NDArray[np.float64]

SPOT, PERPETUAL, FUTURE, CALL, PUT = range(5)
"""Kinds, as in `engine.book.Kind`."""


class InstrumentArrays(NamedTuple):
    """Columns of the instruments, shape (instruments,)."""

    kind: NDArray[np.int8]
    underlying: NDArray[np.int32]
    slice: NDArray[np.int32]
    strike: Vector
    log_strike: Vector
    multiplier: Vector
    inverse: NDArray[np.bool_]


@inlined
def _smile(
    level: float, slope: float, kink1: float, kink2: float, kink3: float, kink4: float, kink5: float, x: float
) -> float:
    """Volatility over at-the-money volatility at x in [-3, 3]: level + slope x + sum of kink_j |x - j|, j = -2 ... 2.

    Piecewise linear without a table look-up, so that it vectorises.
    """
    left = fma(kink2, abs(x + 1.0), fma(kink1, abs(x + 2.0), fma(slope, x, level)))
    return fma(kink5, abs(x - 2.0), fma(kink4, abs(x - 1.0), fma(kink3, abs(x), left)))


@inlined
def _deviation(
    log_strike: float, smile: Vector, scale: float, root_time: float, log_forward: Vector, atm: Vector, out: Vector
) -> None:
    """Volatility of the strike times the root of time; `scale` is 1/(old atm x root of time), 0 where either is 0."""
    # read once: the compiler cannot know that `out` does not overlap
    level, slope, kink1, kink2 = smile[0], smile[1], smile[2], smile[3]
    kink3, kink4, kink5 = smile[4], smile[5], smile[6]
    for j in range(out.size):
        x = (log_strike - log_forward[j]) * scale
        x = -3.0 if x < -3.0 else x
        x = 3.0 if x > 3.0 else x
        out[j] = atm[j] * _smile(level, slope, kink1, kink2, kink3, kink4, kink5, x) * root_time


@inlined
def _reshape(log_strike: float, scale: float, log_forward: Vector, tilt: Vector, bend: Vector, out: Vector) -> None:
    """Tilt and bend the smile: the deviation times exp(tilt x + bend x^2)."""
    for j in range(out.size):
        x = (log_strike - log_forward[j]) * scale
        x = -3.0 if x < -3.0 else x
        x = 3.0 if x > 3.0 else x
        out[j] *= exp_normal_scalar(x * fma(bend[j], x, tilt[j]))


@inlined
def _option(
    sign: float, strike: float, log_strike: float, factor: float, inverse: bool,
    spot: Vector, forward: Vector, log_forward: Vector, base: float, out: Vector,
) -> None:  # fmt: skip
    """Value less `base` of a live option whose deviation `out` holds."""
    for j in range(out.size):
        price = undiscounted_scalar(sign, strike, log_strike, forward[j], log_forward[j], out[j])
        coin = spot[j] / forward[j] if inverse else 1.0
        # not one fma: what does not move must gain exactly nothing
        out[j] = factor * (price * coin) - base


@inlined
def _payoff(
    sign: float, strike: float, factor: float, inverse: bool, spot: Vector, settlement: Vector, base: float, out: Vector
) -> None:
    """Value less `base` of an option that has settled."""
    for j in range(out.size):
        gain = sign * (settlement[j] - strike)
        gain = 0.0 if gain < 0.0 else gain
        coin = spot[j] / settlement[j] if inverse else 1.0
        out[j] = factor * (gain * coin) - base


@inlined
def _linear(
    multiplier: float, reference: float, inverse: bool, spot: Vector, price: Vector, base: float, out: Vector
) -> None:
    """Value less `base` of what follows a price: multiplier x price, or its coin gain since `reference` at spot."""
    for j in range(out.size):
        gross = spot[j] * (1.0 / reference - 1.0 / price[j]) if inverse else price[j]
        out[j] = multiplier * gross - base


@inlined
def _largest(profit: Vector) -> float:
    """Largest absolute value; NaN when there is one, since its bits are above those of every number."""
    largest = 0
    for j in range(profit.size):
        bits = float_bits(profit[j]) & 0x7FFFFFFFFFFFFFFF
        largest = bits if bits > largest else largest
    return bits_float(largest)


@inlined
def _live_option(
    instruments: InstrumentArrays, surface: SurfaceArrays, schedule: ScheduleArrays, step: int, i: int,
    at: TileMarkets, base: float, row: Vector,
) -> None:  # fmt: skip
    u, e, inverse = instruments.underlying[i], instruments.slice[i], instruments.inverse[i]
    log_strike, root_time = instruments.log_strike[i], schedule.root_time[e, step]
    spread = surface.atm[e] * root_time
    scale = 1.0 / spread if spread > 0.0 else 0.0
    sign = 1.0 if instruments.kind[i] == CALL else -1.0
    factor = instruments.multiplier[i] * schedule.discount[e, step]
    shaped = at.tilt.shape[0] > 0
    _deviation(log_strike, surface.smile[e], scale, root_time, at.log_forward[e], at.atm[e], row)
    if shaped:
        _reshape(log_strike, scale, at.log_forward[e], at.tilt[e], at.bend[e], row)
    # a loop of its own: together the constants do not fit the registers
    _option(
        sign, instruments.strike[i], log_strike, factor, inverse, at.spot[u], at.forward[e], at.log_forward[e],
        0.0 if shaped else base, row,
    )  # fmt: skip
    if shaped:
        for j in range(row.size):
            row[j] = row[j] * at.discounting[e, j] - base


@inlined
def _instruments_at_step(
    instruments: InstrumentArrays, surface: SurfaceArrays, schedule: ScheduleArrays, step: int, at: TileMarkets,
    base: Vector, out: Vector, largest: Vector,
) -> None:  # fmt: skip
    """Value less `base` of each instrument, shape (instruments, TILE), in as many scenarios as the tile has."""
    for i in range(instruments.kind.size):
        kind, u, e = instruments.kind[i], instruments.underlying[i], instruments.slice[i]
        inverse, multiplier, strike = instruments.inverse[i], instruments.multiplier[i], instruments.strike[i]
        spot = at.spot[u]
        row = out[i, : spot.size]
        if kind in (SPOT, PERPETUAL):
            _linear(multiplier, surface.spot[u], inverse and kind == PERPETUAL, spot, spot, base[i], row)
        elif kind == FUTURE:
            _linear(multiplier, surface.forward[e], inverse, spot, at.forward[e], base[i], row)
        elif schedule.settled[e, step] == ALIVE:
            _live_option(instruments, surface, schedule, step, i, at, base[i], row)
        else:
            sign = 1.0 if kind == CALL else -1.0
            _payoff(sign, strike, multiplier, inverse, spot, at.forward[e], base[i], row)
        met = _largest(row)
        # a NaN is taken and never let go
        largest[i] = met if met > largest[i] or met != met else largest[i]


@kernel
def revalue_tiles(
    instruments: InstrumentArrays,
    surface: SurfaceArrays,
    schedule: ScheduleArrays,
    moves: MoveArrays,
    base: Vector,
    first_tile: int,
    last_tile: int,
    out: Vector,
    largest: Vector,
) -> None:
    """Fill the tiles `first_tile` to before `last_tile` of `out` with value less `base`.

    `base` has shape (instruments,), `out` (tiles, steps, instruments, TILE), pads are left alone; `largest`, shape
    (tiles, instruments), is raised to the absolute values met, NaN counting as the largest.
    """
    slices = surface.underlying.size
    shaped = slices if moves.shape_shock.shape[0] > 0 else 0
    for tile in range(first_tile, last_tile):
        count = min(TILE, moves.log_return.shape[2] - tile * TILE)
        at = TileMarkets(
            np.empty((surface.spot.size, count)),
            np.empty((slices, count)),
            np.empty((slices, count)),
            np.empty((slices, count)),
            np.empty((shaped, count)),
            np.empty((shaped, count)),
            np.empty((shaped, count)),
        )
        for step in range(moves.steps.size):
            markets_at_step(surface, schedule, moves, step, tile * TILE, at)
            _instruments_at_step(instruments, surface, schedule, step, at, base, out[tile, step], largest[tile])
