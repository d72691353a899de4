"""The kernel behind `revalue`: one tile of scenarios, all instruments, all steps. The formulae are stated there."""

from __future__ import annotations

import numpy as np

from engine._jit import bits_float, float_bits, fma, inlined, kernel
from engine.kernels.black76 import undiscounted_scalar
from engine.kernels.profit import TILE
from engine.kernels.special import exp_normal_scalar

SPOT, PERPETUAL, FUTURE, CALL, PUT = range(5)
"""Kinds, as in `engine.book.Kind`."""
ALIVE = -2
"""In place of a settlement point: not expired at the step."""
SETTLED_NOW = -1
"""In place of a settlement point: expired at or before now, settles at the spot of now."""


@inlined
def _smile(smile, x):
    """Volatility over at-the-money volatility at x in [-3, 3]: level + slope x + sum of kink_j |x - j|, j = -2 ... 2.

    Piecewise linear without a table look-up, so that it vectorises.
    """
    low = fma(smile[2], abs(x + 2.0), fma(smile[1], x, smile[0]))
    return fma(smile[6], abs(x - 2.0), fma(smile[5], abs(x - 1.0), fma(smile[4], abs(x), fma(smile[3], abs(x + 1.0), low))))


@inlined
def _spot_at(spot, log_return, first, out):
    for j in range(out.size):
        out[j] = spot * exp_normal_scalar(log_return[first + j])


@inlined
def _live_slice(log_spot, log_carry, atm, up, down, level, log_return, level_shock, first, forward, log_forward, deviation):
    """Forward and at-the-money volatility of a slice that is alive, in each scenario of the tile."""
    for j in range(forward.size):
        r = log_return[first + j]
        log_forward[j] = log_spot + (r + log_carry)
        forward[j] = exp_normal_scalar(log_forward[j])
        deviation[j] = atm * exp_normal_scalar(fma(level, level_shock[first + j], (up if r > 0.0 else down) * r))


@inlined
def _option(sign, strike, log_strike, smile, scale, root_time, factor, inverse, spot, forward, log_forward, atm, base, out):
    """Value less `base` of a live option; `scale` is 1/(old atm x root of time), 0 where either is 0."""
    for j in range(out.size):
        x = (log_strike - log_forward[j]) * scale
        x = -3.0 if x < -3.0 else x
        x = 3.0 if x > 3.0 else x
        deviation = atm[j] * _smile(smile, x) * root_time
        price = undiscounted_scalar(sign, strike, log_strike, forward[j], log_forward[j], deviation)
        coin = spot[j] / forward[j] if inverse else 1.0
        out[j] = fma(factor, price * coin, -base)


@inlined
def _payoff(sign, strike, factor, inverse, spot, settlement, base, out):
    """Value less `base` of an option that has settled."""
    for j in range(out.size):
        gain = sign * (settlement[j] - strike)
        gain = 0.0 if gain < 0.0 else gain
        coin = spot[j] / settlement[j] if inverse else 1.0
        out[j] = fma(factor, gain * coin, -base)


@inlined
def _linear(multiplier, reference, inverse, spot, price, base, out):
    """Value less `base` of what follows a price: multiplier x price, or its coin gain since `reference` at spot."""
    for j in range(out.size):
        gross = spot[j] * (1.0 / reference - 1.0 / price[j]) if inverse else price[j]
        out[j] = fma(multiplier, gross, -base)


@inlined
def _largest(profit):
    """Largest absolute value; NaN when there is one, since its bits are above those of every number."""
    largest = np.int64(0)
    for j in range(profit.size):
        bits = float_bits(profit[j]) & 0x7FFFFFFFFFFFFFFF
        largest = bits if bits > largest else largest
    return bits_float(largest)


@kernel
def revalue_tile(
    kind, underlying, slice_of, strike, log_strike, multiplier, inverse,
    spot, log_spot, slice_underlying, forward_now, atm_now, smile, up, down, level,
    settled, log_carry, discount, root_time,
    log_return, level_shock, steps, first,
    base, out, largest,
):  # fmt: skip
    """Fill ``out[step, instrument, :]`` for the scenarios from `first` on, and raise `largest` to what is met.

    Shapes: instruments I in the first line and `base`, `largest`; underlyings and slices in the second (smile (E, 7));
    (slices, steps) in the third; log_return (U, points, S), level_shock (U, steps, S), steps (steps,). Pads stay 0.
    """
    count = min(TILE, log_return.shape[2] - first)
    slices = len(slice_underlying)
    spot_now = np.empty((len(spot), count))
    forward, log_forward, atm = np.empty((slices, count)), np.empty((slices, count)), np.empty((slices, count))
    for step in range(len(steps)):
        for u in range(len(spot)):
            _spot_at(spot[u], log_return[u, steps[step]], first, spot_now[u])
        for e in range(slices):
            u = slice_underlying[e]
            if settled[e, step] == ALIVE:
                _live_slice(
                    log_spot[u], log_carry[e, step], atm_now[e], up[e], down[e], level[e],
                    log_return[u, steps[step]], level_shock[u, step], first, forward[e], log_forward[e], atm[e],
                )  # fmt: skip
            elif settled[e, step] == SETTLED_NOW:
                forward[e, :] = spot[u]
            else:
                _spot_at(spot[u], log_return[u, settled[e, step]], first, forward[e])
        for i in range(len(kind)):
            u, e = underlying[i], slice_of[i]
            row = out[step, i, :count]
            sign = 1.0 if kind[i] == CALL else -1.0
            if kind[i] == SPOT or kind[i] == PERPETUAL:
                coin = inverse[i] and kind[i] == PERPETUAL
                _linear(multiplier[i], spot[u], coin, spot_now[u], spot_now[u], base[i], row)
            elif kind[i] == FUTURE:
                _linear(multiplier[i], forward_now[e], inverse[i], spot_now[u], forward[e], base[i], row)
            elif settled[e, step] == ALIVE:
                spread = atm_now[e] * root_time[e, step]
                _option(
                    sign, strike[i], log_strike[i], smile[e], 1.0 / spread if spread > 0.0 else 0.0, root_time[e, step],
                    multiplier[i] * discount[e, step], inverse[i], spot_now[u], forward[e], log_forward[e], atm[e],
                    base[i], row,
                )  # fmt: skip
            else:
                _payoff(sign, strike[i], multiplier[i], inverse[i], spot_now[u], forward[e], base[i], row)
            met = _largest(row)
            largest[i] = largest[i] if largest[i] > met else met
