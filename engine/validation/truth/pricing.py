"""Evaluations of published option and perpetual prices by `closed_forms`."""

from __future__ import annotations

import math

from engine.validation.closed_forms import options, perpetuals
from engine.validation.truth.case import Case, Computed, NotUnderstood

DAYS_PER_YEAR = 365


def european(case: Case) -> dict[str, Computed]:
    """Evaluate a price, or the sensitivity that `greek` names, of a European option with continuous carry."""
    is_call = case.word("type", "call", "put") == "call"
    rate, carry_yield = case.number("rate_r"), case.number("carry_yield_q")
    inputs = (case.number("spot"), case.number("strike"), rate, carry_yield, case.number("T_years"), case.number("vol"))
    if "greek" not in case:
        price = options.european_price(is_call, *inputs)
        return {"expected": Computed(price), "is_black76": Computed(rate == carry_yield)}
    greeks = options.european_greeks(is_call, *inputs)
    by_name = {
        "delta": greeks.delta,
        "gamma": greeks.gamma,
        "vega": greeks.vega,
        "theta": greeks.theta,
        "theta_per_day": greeks.theta / DAYS_PER_YEAR,
        "thetaPerDay": greeks.theta / DAYS_PER_YEAR,
        "rho": greeks.rho,
        "dividend_rho": greeks.dividend_rho,
        "dividendRho": greeks.dividend_rho,
        "divRho": greeks.dividend_rho,
        "elasticity": greeks.elasticity,
    }
    return {"expected": Computed(by_name[case.word("greek", *by_name)])}


def merton_jumps(case: Case) -> dict[str, Computed]:
    """Evaluate a Merton 1976 price whose variance is split between diffusion and jumps by a share."""
    is_call = case.word("type", "call", "put") == "call"
    volatility, intensity = case.number("total_vol"), case.number("jump_intensity")
    share = case.number("gamma_share_of_variance_from_jumps")
    if not 0.0 <= share <= 1.0 or (intensity <= 0.0 and share > 0.0):
        raise NotUnderstood(f"share {share} of variance from {intensity} jumps a year")
    price = options.merton_jump_price(
        is_call,
        case.number("spot"),
        case.number("strike"),
        case.number("r"),
        case.number("q"),
        case.number("T_years"),
        diffusion_volatility=volatility * math.sqrt(1.0 - share),
        jump_intensity=intensity,
        mean_jump=case.number_or("mean_jump", 0.0),
        jump_volatility=volatility * math.sqrt(share / intensity) if share > 0.0 else 0.0,
    )
    return {"expected": Computed(price)}


def exchange(case: Case) -> dict[str, Computed]:
    """Evaluate a Margrabe option and its two deltas."""
    case.number("r")  # stated by the source; an exchange of two assets does not depend on it
    option = options.exchange_option(
        case.number("s1"),
        case.number("s2"),
        case.number("q1"),
        case.number("q2"),
        case.number("T_years"),
        case.number("vol1"),
        case.number("vol2"),
        case.number("rho"),
        case.number_or("qty1", 1.0),
        case.number_or("qty2", 1.0),
    )
    return {
        "expected": Computed(option.value),
        "delta1": Computed(option.delta_received),
        "delta2": Computed(option.delta_given),
    }


def perpetual(case: Case) -> dict[str, Computed]:
    """Evaluate the fair price of a perpetual future under funding."""
    payoff = case.word("payoff", *(kind.value for kind in perpetuals.PerpetualPayoff))
    funding_spot = case.word("funding_spot", *(kind.value for kind in perpetuals.FundingSpot))
    price = perpetuals.fair_perpetual(
        perpetuals.PerpetualPayoff(payoff),
        perpetuals.FundingSpot(funding_spot),
        case.number("spot"),
        case.number("r"),
        case.number("q_asset_yield"),
        case.number("funding_rate_k"),
        case.number("interest_diff"),
        case.number("funding_period_years"),
    )
    return {"expected": Computed(price)}
