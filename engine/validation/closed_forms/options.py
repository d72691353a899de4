"""Closed-form option prices through our own Black-76 kernel: Black-Scholes with carry, Merton 1976, Margrabe."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import poisson

from engine.errors import InvalidInput
from engine.validation.closed_forms.own_kernels import black76_price, normal_cdf, normal_density


@dataclass(frozen=True, slots=True)
class EuropeanGreeks:
    """Sensitivities of a European option, each per unit of its argument; theta a year, as time passes."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    dividend_rho: float
    """To the carry yield."""
    elasticity: float
    """Relative change of the price per relative change of the spot."""


@dataclass(frozen=True, slots=True)
class ExchangeOption:
    """Value of a Margrabe option and its deltas to both assets."""

    value: float
    delta_received: float
    delta_given: float


def european_price(
    is_call: bool, spot: float, strike: float, rate: float, carry_yield: float, years: float, volatility: float
) -> float:
    """Return the generalised Black-Scholes price of a European option.

    Parameters
    ----------
    is_call : bool
        Call or put.
    spot, strike : float
        In the quote currency, positive.
    rate, carry_yield : float
        Continuous, a year; the forward is spot exp((rate - carry_yield) years).
    years : float
        To expiry, not negative.
    volatility : float
        Per square root of a year, not negative.

    Returns
    -------
    float
        exp(-rate years) times Black-76 on the forward; the discounted intrinsic value when no variance is left.

    Raises
    ------
    InvalidInput
        If an input is not finite or out of range.
    """
    _require(spot, strike, rate, carry_yield, years, volatility)
    forward = np.array([spot * math.exp((rate - carry_yield) * years)])
    variance = np.array([volatility**2 * years])
    return float(black76_price(is_call, strike, forward, variance, math.exp(-rate * years))[0])


def european_greeks(
    is_call: bool, spot: float, strike: float, rate: float, carry_yield: float, years: float, volatility: float
) -> EuropeanGreeks:
    """Return the sensitivities of `european_price`; arguments and errors as there, years and volatility positive.

    Source: Haug, The Complete Guide to Option Pricing Formulas (1998), pages 11 to 16.
    """
    price = european_price(is_call, spot, strike, rate, carry_yield, years, volatility)
    deviation = volatility * math.sqrt(years)
    if deviation == 0.0:
        raise InvalidInput(f"no sensitivities without variance: {years} years, volatility {volatility}")
    d1 = (math.log(spot / strike) + (rate - carry_yield) * years) / deviation + 0.5 * deviation
    side = 1.0 if is_call else -1.0
    asset = side * math.exp(-carry_yield * years) * normal_cdf(side * d1)
    bond = side * strike * math.exp(-rate * years) * normal_cdf(side * (d1 - deviation))
    density = math.exp(-carry_yield * years) * normal_density(d1)
    return EuropeanGreeks(
        delta=asset,
        gamma=density / (spot * deviation),
        vega=spot * density * math.sqrt(years),
        theta=carry_yield * spot * asset - rate * bond - 0.5 * spot * density * volatility / math.sqrt(years),
        rho=years * bond,
        dividend_rho=-years * spot * asset,
        elasticity=asset * spot / price if price > 0.0 else math.inf * side,
    )


def merton_jump_price(
    is_call: bool,
    spot: float,
    strike: float,
    rate: float,
    carry_yield: float,
    years: float,
    diffusion_volatility: float,
    jump_intensity: float,
    mean_jump: float,
    jump_volatility: float,
) -> float:
    """Return the price of a European option under Merton's jump diffusion (1976).

    Parameters
    ----------
    is_call, spot, strike, rate, carry_yield, years
        As in `european_price`.
    diffusion_volatility : float
        Of the continuous part, per square root of a year.
    jump_intensity : float
        Expected jumps a year, not negative.
    mean_jump : float
        E[S after / S before] - 1, above -1.
    jump_volatility : float
        Standard deviation of the logarithm of one jump's ratio.

    Returns
    -------
    float
        Sum over the number of jumps n of its Poisson probability times Black-76 at forward
        F exp(-intensity mean_jump years) (1 + mean_jump)^n and total variance
        diffusion^2 years + n jump_volatility^2. Terms ten standard deviations and fifty above the mean, together
        below 1e-18, are left out.

    Raises
    ------
    InvalidInput
        If an input is not finite or out of range.
    """
    _require(spot, strike, rate, carry_yield, years, diffusion_volatility)
    _require(1.0, 1.0, mean_jump, 0.0, jump_intensity, jump_volatility)
    if mean_jump <= -1.0:
        raise InvalidInput(f"mean jump {mean_jump} is not above -1")
    expected = jump_intensity * years
    weighted = expected * max(1.0, 1.0 + mean_jump)  # the mean under the measure that the jumps' size weights
    jumps = np.arange(math.ceil(weighted + 10.0 * math.sqrt(weighted)) + 50, dtype=np.float64)
    growth = (rate - carry_yield - jump_intensity * mean_jump) * years
    forward = spot * np.exp(growth + jumps * math.log1p(mean_jump))
    variance = diffusion_volatility**2 * years + jumps * jump_volatility**2
    prices = black76_price(is_call, strike, forward, variance, math.exp(-rate * years))
    return float(np.dot(poisson.pmf(jumps, expected), prices))


def exchange_option(
    received: float,
    given: float,
    yield_received: float,
    yield_given: float,
    years: float,
    volatility_received: float,
    volatility_given: float,
    correlation: float,
    quantity_received: float = 1.0,
    quantity_given: float = 1.0,
) -> ExchangeOption:
    """Return Margrabe's value of the right to give one asset for another at expiry.

    Parameters
    ----------
    received, given : float
        Spot prices of the asset received and of the asset given, positive.
    yield_received, yield_given : float
        Continuous carry yields, a year.
    years : float
        To expiry, not negative.
    volatility_received, volatility_given, correlation : float
        Per square root of a year; correlation of the log returns within [-1, 1].
    quantity_received, quantity_given : float
        Units exchanged, positive. The deltas are per unit of spot price, so they carry the quantity.

    Returns
    -------
    ExchangeOption
        Black-76 with forward and strike the two discounted legs and the variance of their ratio. Haug (1998),
        page 52. No interest rate enters.

    Raises
    ------
    InvalidInput
        If an input is not finite or out of range.
    """
    _require(received * quantity_received, given * quantity_given, yield_received, yield_given, years, 0.0)
    _require(1.0, 1.0, correlation, 0.0, volatility_received, volatility_given)
    if abs(correlation) > 1.0:
        raise InvalidInput(f"correlation {correlation} is outside -1 to 1")
    carry_received = quantity_received * math.exp(-yield_received * years)
    carry_given = quantity_given * math.exp(-yield_given * years)
    forward, strike = received * carry_received, given * carry_given
    cross = 2.0 * correlation * volatility_received * volatility_given
    variance = max(0.0, volatility_received**2 + volatility_given**2 - cross) * years
    value = float(black76_price(True, strike, np.array([forward]), np.array([variance]), 1.0)[0])
    if variance == 0.0:
        exercised = 1.0 if forward > strike else 0.0
        return ExchangeOption(value, exercised * carry_received, -exercised * carry_given)
    deviation = math.sqrt(variance)
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    return ExchangeOption(value, carry_received * normal_cdf(d1), -carry_given * normal_cdf(d1 - deviation))


def _require(spot: float, strike: float, rate: float, carry_yield: float, years: float, volatility: float) -> None:
    values = (spot, strike, rate, carry_yield, years, volatility)
    if not all(map(math.isfinite, values)):
        raise InvalidInput(f"option inputs {values} are not all finite")
    if spot <= 0.0 or strike <= 0.0 or years < 0.0 or volatility < 0.0:
        raise InvalidInput(
            f"spot {spot} and strike {strike} must be positive, years {years} and volatility {volatility} not negative"
        )
