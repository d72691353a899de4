"""The engine's kernels called with single numbers, so that a published figure checks the code that values books."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.kernels import black76, special


def black76_price(
    is_call: bool, strike: float, forward: NDArray[np.float64], total_variance: NDArray[np.float64], discount: float
) -> NDArray[np.float64]:
    """Return Black-76 prices of one option at many forwards and total variances, both of shape (n,)."""
    prices = np.empty(len(forward), dtype=np.float64)
    log_strike = float(special.log_array(strike))
    black76.price(is_call, strike, log_strike, forward, special.log_array(forward), total_variance, discount, prices)
    return prices


def normal_cdf(x: float) -> float:
    """Return the standard normal distribution function."""
    return float(special.normal_cdf_array(x))


def normal_quantile(probability: float) -> float:
    """Return the standard normal quantile."""
    return float(special.inverse_normal_cdf_array(probability))


def normal_density(x: float) -> float:
    """Return the standard normal density."""
    return float(special.exp_array(-0.5 * x * x)) / math.sqrt(2.0 * math.pi)


def mills_ratio(y: float) -> float:
    """Return N(-y) exp(y^2/2) for y from 0 to 37.5, by the quotient that the normal distribution rests on."""
    return float(special.mills_numerator(y)) / float(special.mills_denominator(y))
