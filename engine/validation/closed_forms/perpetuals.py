"""Fair price of a perpetual future under funding, after Ackerer, Hugonnier and Jermann (2024)."""

from __future__ import annotations

import math
from enum import Enum

from engine.errors import InvalidInput


class PerpetualPayoff(Enum):
    """Currency of margin and settlement: the quote (linear) or the underlying coin (inverse)."""

    LINEAR = "linear"
    INVERSE = "inverse"


class FundingSpot(Enum):
    """Which spot price a funding payment is measured at: that at the start of its period, or at its end."""

    PREVIOUS = "previous"
    CURRENT = "current"


def fair_perpetual(
    payoff: PerpetualPayoff,
    funding_spot: FundingSpot,
    spot: float,
    rate: float,
    asset_yield: float,
    funding_rate: float,
    interest_difference: float,
    funding_period_years: float,
) -> float:
    """Return the arbitrage-free price of a perpetual future with constant parameters.

    Parameters
    ----------
    payoff, funding_spot
        See `PerpetualPayoff`, `FundingSpot`; the latter makes no difference when funding is continuous.
    spot : float
        Price of the underlying, positive.
    rate, asset_yield : float
        Continuous, a year: of the quote currency, and of holding the underlying.
    funding_rate, interest_difference : float
        kappa and iota: a long pays kappa (f - x) + iota x, a period when discrete, a year when continuous.
    funding_period_years : float
        0 for continuous funding.

    Returns
    -------
    float
        In the quote currency.

    Raises
    ------
    InvalidInput
        If an input is not finite or out of range, or no finite positive price exists (funding too weak for the
        carry).

    Notes
    -----
    With g = exp((rate - yield) period), the growth of the forward over a period, the price that makes the expected
    cash flow of each period zero is f = x (kappa - iota) / (1 - g + kappa) (paper's equation 12), and for the
    inverse contract, whose numeraire is the coin and g therefore 1/g, f = x (1 - 1/g + kappa) / (kappa - iota)
    (proposition 2). Payments at the current spot multiply kappa and iota by that growth. Continuous funding is the
    limit (propositions 3 and 4).
    """
    _require_finite(spot, rate, asset_yield, funding_rate, interest_difference, funding_period_years)
    if spot <= 0.0 or funding_period_years < 0.0:
        raise InvalidInput(f"spot {spot} must be positive and funding period {funding_period_years} not negative")
    carry = rate - asset_yield if payoff is PerpetualPayoff.LINEAR else asset_yield - rate
    if funding_period_years == 0.0:
        growth_less_one, scale = carry, 1.0
    else:
        growth_less_one = math.expm1(carry * funding_period_years)
        scale = 1.0 + growth_less_one if funding_spot is FundingSpot.CURRENT else 1.0
    pull = scale * funding_rate - growth_less_one
    drift = scale * (funding_rate - interest_difference)
    if pull <= 0.0 or drift <= 0.0:
        raise InvalidInput(
            f"no finite positive price: funding rate {funding_rate} must exceed the carry a period "
            f"({growth_less_one / scale}) and the interest difference ({interest_difference})"
        )
    return spot * drift / pull if payoff is PerpetualPayoff.LINEAR else spot * pull / drift


def _require_finite(*values: float) -> None:
    for value in values:
        if not math.isfinite(value):
            raise InvalidInput(f"input {value} is not finite")
