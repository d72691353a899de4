"""The kernel behind `revalue`: tiles of scenarios, all steps, all instruments. The formulae are stated there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel
from engine.kernels.black76 import undiscounted_scalar
from engine.kernels.profit import TILE
from engine.kernels.special import exp_normal_scalar

Vector = NDArray[np.float64]

SPOT, PERPETUAL, FUTURE, CALL, PUT = range(5)
"""Kinds, as in `engine.book.Kind`."""
ALIVE = -2
"""In place of a settlement point: not expired at the step."""
SETTLED_NOW = -1
"""In place of a settlement point: expired at or before now, settles at the spot of now."""


class InstrumentArrays(NamedTuple):
    """Columns of the instruments, shape (instruments,)."""

    kind: NDArray[np.int8]
    underlying: NDArray[np.int32]
    slice: NDArray[np.int32]
    strike: Vector
    log_strike: Vector
    multiplier: Vector
    inverse: NDArray[np.bool_]


class SurfaceArrays(NamedTuple):
    """Spots, shape (underlyings,), and slices, shape (slices,), as they are now."""

    spot: Vector
    log_spot: Vector
    underlying: NDArray[np.int32]
    forward: Vector
    atm: Vector
    smile: Vector
    """Coefficients of `_smile`, shape (slices, 7)."""
    up: Vector
    down: Vector
    """d ln atm / d ln spot on rises and on falls."""
    level: Vector
    """d ln atm / d level shock."""


class ScheduleArrays(NamedTuple):
    """What depends on slice and step alone, shape (slices, steps)."""

    settled: NDArray[np.int64]
    """First point of the path at or after the slice's expiry, or `ALIVE` or `SETTLED_NOW`."""
    share: Vector
    """Share of that point in the settlement's log return, the rest being the point before; shape (slices,)."""
    log_carry: Vector
    discount: Vector
    root_time: Vector
    """Root of the years left."""


class MoveArrays(NamedTuple):
    """The scenarios, as in `revalue.FactorPaths`."""

    log_return: Vector
    level_shock: Vector
    steps: NDArray[np.int64]


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
def _spot_at(spot: float, log_return: Vector, out: Vector) -> None:
    for j in range(out.size):
        out[j] = spot * exp_normal_scalar(log_return[j])


@inlined
def _settlement(spot: float, log_return: Vector, point: int, share: float, out: Vector) -> None:
    """Price between two points of the path; before the first one lies now. A share of 1 is the point itself."""
    for j in range(out.size):
        before = log_return[point - 1, j] if point > 0 else 0.0
        out[j] = spot * exp_normal_scalar(share * log_return[point, j] + (1.0 - share) * before)


@inlined
def _live_slice(
    log_spot: float, log_carry: float, atm_now: float, up: float, down: float, level: float,
    log_return: Vector, level_shock: Vector, forward: Vector, log_forward: Vector, atm: Vector,
) -> None:  # fmt: skip
    """Forward and at-the-money volatility of a slice that is alive, in each scenario of the tile."""
    for j in range(forward.size):
        r = log_return[j]
        log_forward[j] = log_spot + (r + log_carry)
        forward[j] = exp_normal_scalar(log_forward[j])
        atm[j] = atm_now * exp_normal_scalar(fma(level, level_shock[j], (up if r > 0.0 else down) * r))


@inlined
def _option(
    sign: float, strike: float, log_strike: float, smile: Vector, scale: float, root_time: float, factor: float,
    inverse: bool, spot: Vector, forward: Vector, log_forward: Vector, atm: Vector, base: float, out: Vector,
) -> None:  # fmt: skip
    """Value less `base` of a live option; `scale` is 1/(old atm x root of time), 0 where either is 0."""
    # read once: the compiler cannot know that `out` does not overlap
    level, slope, kink1, kink2 = smile[0], smile[1], smile[2], smile[3]
    kink3, kink4, kink5 = smile[4], smile[5], smile[6]
    for j in range(out.size):
        x = (log_strike - log_forward[j]) * scale
        x = -3.0 if x < -3.0 else x
        x = 3.0 if x > 3.0 else x
        out[j] = atm[j] * _smile(level, slope, kink1, kink2, kink3, kink4, kink5, x) * root_time
    # a loop of its own: together the constants do not fit the registers
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
def _markets_at_step(
    surface: SurfaceArrays, schedule: ScheduleArrays, moves: MoveArrays, step: int, first: int,
    spot: Vector, forward: Vector, log_forward: Vector, atm: Vector,
) -> None:  # fmt: skip
    """Spot of each underlying; forward (settlement price once expired) and at-the-money volatility of each slice."""
    last = first + spot.shape[1]
    point = moves.steps[step]
    for u in range(surface.spot.size):
        _spot_at(surface.spot[u], moves.log_return[u, point, first:last], spot[u])
    for e in range(surface.underlying.size):
        u, settled = surface.underlying[e], schedule.settled[e, step]
        if settled == ALIVE:
            _live_slice(
                surface.log_spot[u], schedule.log_carry[e, step], surface.atm[e], surface.up[e], surface.down[e],
                surface.level[e], moves.log_return[u, point, first:last], moves.level_shock[u, step, first:last],
                forward[e], log_forward[e], atm[e],
            )  # fmt: skip
        elif settled == SETTLED_NOW:
            forward[e, :] = surface.spot[u]
        else:
            _settlement(surface.spot[u], moves.log_return[u, :, first:last], settled, schedule.share[e], forward[e])


@inlined
def _instruments_at_step(
    instruments: InstrumentArrays, surface: SurfaceArrays, schedule: ScheduleArrays, step: int,
    spot: Vector, forward: Vector, log_forward: Vector, atm: Vector, base: Vector, out: Vector, largest: Vector,
) -> None:  # fmt: skip
    """Value less `base` of each instrument, shape (instruments, TILE), in as many scenarios as `spot` has."""
    for i in range(instruments.kind.size):
        kind, u, e = instruments.kind[i], instruments.underlying[i], instruments.slice[i]
        inverse, multiplier, strike = instruments.inverse[i], instruments.multiplier[i], instruments.strike[i]
        sign = 1.0 if kind == CALL else -1.0
        row = out[i, : spot.shape[1]]
        if kind in (SPOT, PERPETUAL):
            _linear(multiplier, surface.spot[u], inverse and kind == PERPETUAL, spot[u], spot[u], base[i], row)
        elif kind == FUTURE:
            _linear(multiplier, surface.forward[e], inverse, spot[u], forward[e], base[i], row)
        elif schedule.settled[e, step] == ALIVE:
            root_time = schedule.root_time[e, step]
            spread = surface.atm[e] * root_time
            _option(
                sign, strike, instruments.log_strike[i], surface.smile[e], 1.0 / spread if spread > 0.0 else 0.0,
                root_time, multiplier * schedule.discount[e, step], inverse,
                spot[u], forward[e], log_forward[e], atm[e], base[i], row,
            )  # fmt: skip
        else:
            _payoff(sign, strike, multiplier, inverse, spot[u], forward[e], base[i], row)
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
    for tile in range(first_tile, last_tile):
        count = min(TILE, moves.log_return.shape[2] - tile * TILE)
        spot = np.empty((surface.spot.size, count))
        forward, log_forward, atm = np.empty((slices, count)), np.empty((slices, count)), np.empty((slices, count))
        for step in range(moves.steps.size):
            _markets_at_step(surface, schedule, moves, step, tile * TILE, spot, forward, log_forward, atm)
            _instruments_at_step(
                instruments,
                surface,
                schedule,
                step,
                spot,
                forward,
                log_forward,
                atm,
                base,
                out[tile, step],
                largest[tile],
            )
