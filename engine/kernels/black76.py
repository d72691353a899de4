"""European options on a forward (Black 1976): one exp and two divisions for both normal distributions.

    price = D c (F N(c d1) - K N(c d2)),  c = +1 for a call and -1 for a put,  d1 = ln(F/K)/w + w/2,  d2 = d1 - w,

w the standard deviation of ln F at expiry. Since F phi(d1) = K phi(d2), the Mills ratio gives both tails from one
exponential. Source: F. Black, The pricing of commodity contracts, J. Financial Economics 3 (1976) 167-179.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import fma, inlined, kernel
from engine.kernels.special import exp_normal_scalar, mills_denominator, mills_numerator

Vector = NDArray[np.float64]

LOG_ZERO = -745.0
"""Stands for ln 0: below the logarithm of the smallest float, and finite, so that 0 times it is 0."""
SMALLEST_DEVIATION = 1e-20
"""Stands for 0: it moves a price by less than half a unit in its last place."""
TAIL_LIMIT = 37.5
"""Standard deviations beyond which the normal tail, below 1e-307, is held constant."""


@inlined
def undiscounted_scalar(
    sign: float, strike: float, log_strike: float, forward: float, log_forward: float, deviation: float
) -> float:
    """Undiscounted price of a European option.

    sign +1.0 call, -1.0 put; strike >= 0 and its logarithm (`LOG_ZERO` at 0); forward > 0 and its logarithm;
    deviation >= 0 is volatility times the root of the time left, 0 gives the payoff. Error below 5e-15 of the larger
    of forward and strike; never negative; NaN in, NaN out.
    """
    w = SMALLEST_DEVIATION if deviation < SMALLEST_DEVIATION else deviation
    d1 = fma(0.5, w, (log_forward - log_strike) / w)
    d2 = d1 - w
    y1 = abs(d1)
    y2 = abs(d2)
    # written so that a NaN stays one
    y1 = TAIL_LIMIT if y1 > TAIL_LIMIT else y1
    y2 = TAIL_LIMIT if y2 > TAIL_LIMIT else y2
    density = forward * exp_normal_scalar(-0.5 * y1 * y1)
    q1 = mills_denominator(y1)
    q2 = mills_denominator(y2)
    scale = density / (q1 * q2)
    forward_tail = mills_numerator(y1) * q2 * scale
    strike_tail = mills_numerator(y2) * q1 * scale
    forward_part = forward - forward_tail if sign * d1 > 0.0 else forward_tail
    strike_part = strike - strike_tail if sign * d2 > 0.0 else strike_tail
    price = sign * (forward_part - strike_part)
    return 0.0 if price < 0.0 else price


@kernel
def price(
    is_call: bool,
    strike: float,
    log_strike: float,
    forward: Vector,
    log_forward: Vector,
    total_variance: Vector,
    discount: float,
    out: Vector,
) -> None:
    """Price one European option in many scenarios.

    Parameters
    ----------
    is_call : bool
    strike : float
        In quote currency per unit of underlying, at least 0.
    log_strike : float
        Its natural logarithm by `special.log_array`; at strike 0 anything below -700.
    forward, log_forward : float64 array, shape (scenarios,)
        Forward above 0 and its logarithm.
    total_variance : float64 array, shape (scenarios,)
        sigma^2 T, without dimension, at least 0; 0 gives the discounted payoff.
    discount : float
        Value now of one unit at expiry. The coin price of an inverse option is the price over the forward.
    out : float64 array, shape (scenarios,)
        Filled with prices in quote currency, at least 0; NaN where an input is.
    """
    sign = 1.0 if is_call else -1.0
    floored = log_strike if log_strike > LOG_ZERO else LOG_ZERO
    for j in range(out.size):
        deviation = np.sqrt(total_variance[j])
        out[j] = discount * undiscounted_scalar(sign, strike, floored, forward[j], log_forward[j], deviation)
