"""Spot, forward, volatility and discount in a tile of scenarios: the part of `revalue_tile` without instruments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import fma, inlined
from engine.kernels.special import exp_normal_scalar

Vector = NDArray[np.float64]

ALIVE = -2
"""In place of a settlement point: not expired at the step."""
SETTLED_NOW = -1
"""In place of a settlement point: expired at or before now, settles at the spot of now."""


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
    reach: Vector
    """Log return beyond which the volatility answers no further."""
    level: Vector
    """d ln atm / d level shock."""
    shape: Vector
    """Response to each shape shock, shape (7, slices); see `revalue.SurfaceResponse`."""


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
    shape_shock: Vector
    steps: NDArray[np.int64]


class TileMarkets(NamedTuple):
    """Room for the markets of one tile at one step: spot (underlyings, count), the others (slices, count).

    `forward` is the settlement price once a slice has expired. The last three have no rows where nothing moves shapes.
    """

    spot: Vector
    forward: Vector
    log_forward: Vector
    atm: Vector
    tilt: Vector
    """ln of the move of volatility per unit of x."""
    bend: Vector
    """The same per unit of x^2."""
    discounting: Vector
    """Factor on the discount."""


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
    log_spot: float, log_carry: float, atm_now: float, up: float, down: float, reach: float, level: float,
    log_return: Vector, level_shock: Vector, forward: Vector, log_forward: Vector, atm: Vector,
) -> None:  # fmt: skip
    """Forward and at-the-money volatility of a slice that is alive, in each scenario of the tile."""
    for j in range(forward.size):
        r = log_return[j]
        log_forward[j] = log_spot + (r + log_carry)
        forward[j] = exp_normal_scalar(log_forward[j])
        gain = up if r > 0.0 else down
        # written so that a NaN stays one
        r = reach if r > reach else r
        r = -reach if r < -reach else r
        atm[j] = atm_now * exp_normal_scalar(fma(level, level_shock[j], gain * r))


@inlined
def _shape_slice(
    term: float, skew: float, curvature: float, basis_level: float, basis_slope: float, rate_level: float,
    rate_slope: float, shock: Vector, forward: Vector, log_forward: Vector, atm: Vector, tilt: Vector, bend: Vector,
    discounting: Vector,
) -> None:  # fmt: skip
    """Move a live slice's term structure, basis and discount, and note how its smile tilts and bends."""
    for j in range(forward.size):
        log_forward[j] += fma(basis_level, shock[3, j], basis_slope * shock[4, j])
        forward[j] = exp_normal_scalar(log_forward[j])
        atm[j] *= exp_normal_scalar(term * shock[0, j])
        tilt[j] = skew * shock[1, j]
        bend[j] = curvature * shock[2, j]
        discounting[j] = exp_normal_scalar(-fma(rate_level, shock[5, j], rate_slope * shock[6, j]))


@inlined
def markets_at_step(
    surface: SurfaceArrays, schedule: ScheduleArrays, moves: MoveArrays, step: int, first: int, at: TileMarkets
) -> None:
    """Fill the markets of a tile at a step."""
    last = first + at.spot.shape[1]
    point = moves.steps[step]
    for u in range(surface.spot.size):
        _spot_at(surface.spot[u], moves.log_return[u, point, first:last], at.spot[u])
    for e in range(surface.underlying.size):
        u, settled = surface.underlying[e], schedule.settled[e, step]
        if settled == ALIVE:
            _live_slice(
                surface.log_spot[u], schedule.log_carry[e, step], surface.atm[e], surface.up[e], surface.down[e],
                surface.reach[e], surface.level[e],
                moves.log_return[u, point, first:last], moves.level_shock[u, step, first:last],
                at.forward[e], at.log_forward[e], at.atm[e],
            )  # fmt: skip
            if at.tilt.shape[0] > 0:
                gain = surface.shape[:, e]
                _shape_slice(
                    gain[0], gain[1], gain[2], gain[3], gain[4], gain[5], gain[6],
                    moves.shape_shock[:, u, step, first:last], at.forward[e], at.log_forward[e], at.atm[e],
                    at.tilt[e], at.bend[e], at.discounting[e],
                )  # fmt: skip
        elif settled == SETTLED_NOW:
            at.forward[e, :] = surface.spot[u]
        else:
            _settlement(surface.spot[u], moves.log_return[u, :, first:last], settled, schedule.share[e], at.forward[e])
