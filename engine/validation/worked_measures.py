"""Textbook measures of market risk, for comparison with published worked examples.

Losses are positive; volatilities are fractions a day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput


def mean_of_worst(losses: Sequence[float], count: int) -> float:
    """Return the mean of the `count` largest losses."""
    if not 1 <= count <= len(losses):
        raise InvalidInput(f"{count} worst of {len(losses)} losses")
    return math.fsum(sorted(losses)[-count:]) / count


def ewma_variances(first: float, returns: Sequence[float], decay: float) -> list[float]:
    """Return the variance after each return: decay v + (1 - decay) r^2 (RiskMetrics)."""
    if not 0.0 < decay < 1.0:
        raise InvalidInput(f"decay {decay} is not between 0 and 1")
    variances = [first]
    for one in returns:
        variances.append(decay * variances[-1] + (1.0 - decay) * one * one)
    return variances[1:]


def normal_value_at_risk(weights: NDArray[np.float64], covariance: NDArray[np.float64], quantile: float) -> float:
    """Return the delta-normal VaR of amounts, shape (n,), under a covariance, shape (n, n)."""
    return quantile * math.sqrt(max(float(weights @ covariance @ weights), 0.0))


def half_spread_cost(position: float, bid: float, ask: float) -> float:
    """Return the cost of closing at half the relative spread (Bangia, Diebold, Schuermann and Stroughair 1999)."""
    if not 0.0 < bid <= ask:
        raise InvalidInput(f"bid {bid} and ask {ask} are no quotes")
    return abs(position) * (ask - bid) / (ask + bid)


def square_root_impact(coefficient: float, daily_volatility: float, size_over_volume: float) -> float:
    """Return the relative impact Y sigma sqrt(Q/V) of a traded size (Donier and Bonart 2015)."""
    if not size_over_volume >= 0.0:
        raise InvalidInput(f"size over volume {size_over_volume} is negative")
    return coefficient * daily_volatility * math.sqrt(size_over_volume)
