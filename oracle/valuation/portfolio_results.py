"""What the engine said of a portfolio, as integers and words; requirements and their shares round up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from engine.explanation import Explanation, Horizon, Leg, UnderlyingPart
from engine.scenario_losses import ScenarioLoss
from oracle.errors import NonFiniteResult
from oracle.portfolio import Portfolio, Position, utc
from oracle.portfolio_margin import (
    HorizonMargin,
    LegMargin,
    Move,
    PortfolioMargin,
    ScenarioMargin,
    UnderlyingMargin,
    VenueMargin,
)
from oracle.units import MICRO_PER_USD, PPM, SECONDS_PER_HOUR, fraction_to_ppm_up, usd_to_micro_down, usd_to_micro_up
from oracle.valuation.artefact import SIMULATED_LABEL
from oracle.valuation.portfolio_past import Past
from oracle.valuation.scenario_words import scenario_words

PPB = 10**9
_WORTH_ITS_VALUE = ("spot", "call", "put")
"""Kinds whose worth is part of equity; the others are entered at their marks."""


def margin_in_integers(
    portfolio: Portfolio,
    past: Past,
    listed: Sequence[Position],
    found: Explanation,
    venues: tuple[VenueMargin, ...],
) -> PortfolioMargin:
    """Return the explanation of a portfolio in micro-USD, ppm and words; legs count in `listed`."""
    owned = sum(_worth(listed[leg.instrument], leg) for leg in found.initial.legs)
    block = "simulated block" if past.label == SIMULATED_LABEL else "block"
    return PortfolioMargin(
        name=portfolio.name,
        time=utc(portfolio.time),
        calibration_label=past.label,
        calibration_hash=past.calibration.content_hash,
        calibration_first=utc(past.calibration.first_hour * SECONDS_PER_HOUR),
        calibration_last=utc(past.calibration.last_hour * SECONDS_PER_HOUR),
        es_level_ppm=portfolio.model.es_level_ppm,
        bound_confidence_ppm=portfolio.model.bound_confidence_ppm,
        equity_micro=math.floor(portfolio.cash_usd * MICRO_PER_USD) + owned,
        stress_unweighted_micro=_up(found.stress_unweighted_usd),
        initial=_horizon(portfolio, listed, found.initial, block),
        maintenance=_horizon(portfolio, listed, found.maintenance, block),
        venues=venues,
        assumptions=found.assumptions,
    )


def _worth(position: Position, leg: Leg) -> int:
    return _down(leg.value_usd) if position.kind in _WORTH_ITS_VALUE else 0


def _horizon(portfolio: Portfolio, listed: Sequence[Position], horizon: Horizon, block: str) -> HorizonMargin:
    shares = _split([leg.share_usd for leg in horizon.legs], horizon.shared_usd)
    amounts = _split([amount for _, amount in horizon.components], horizon.required_usd)
    names = [name for name, _ in horizon.components]
    legs = tuple(
        LegMargin(
            position=_described(listed[leg.instrument], leg.is_token),
            quantity=f"{listed[leg.instrument].quantity:f}",
            value_micro=_worth(listed[leg.instrument], leg),
            alone_micro=_up(leg.alone_usd),
            share_micro=share,
        )
        for leg, share in zip(horizon.legs, shares, strict=True)
    )
    symbols = tuple(portfolio.market)
    moving = [part.underlying for part in horizon.underlyings]
    return HorizonMargin(
        hours=horizon.hours,
        required_micro=int(usd_to_micro_up(np.array([horizon.required_usd]))[0]),
        components=dict(zip(names, amounts, strict=True)),
        model_binding=horizon.model_binding,
        binding=horizon.binding,
        shared_micro=_up(horizon.shared_usd),
        legs=legs,
        underlyings=tuple(_underlying(symbols, part) for part in horizon.underlyings),
        worst=tuple(_scenario(symbols, moving, one, block) for one in horizon.worst),
    )


def _underlying(symbols: Sequence[str], part: UnderlyingPart) -> UnderlyingMargin:
    return UnderlyingMargin(
        symbol=symbols[part.underlying],
        alone_micro=_up(part.alone_usd),
        charge_factor_ppm=int(fraction_to_ppm_up(np.array([part.charge_factor]))[0]),
        net_micro=round(part.net_usd * MICRO_PER_USD),
        size_micro=_up(part.size_usd),
        liquidity_micro=_up(part.liquidity_usd),
        concentration_micro=_up(part.concentration_usd),
        funding_micro=_up(part.funding_usd),
    )


def _scenario(symbols: Sequence[str], moving: Sequence[int], one: ScenarioLoss, block: str) -> ScenarioMargin:
    moves = tuple(
        Move(symbols[u], round(math.expm1(one.log_return[u]) * PPM), round(math.expm1(one.volatility_shock[u]) * PPM))
        for u in moving
    )
    loss, counted = _up(one.loss_usd), _up(one.counted_usd)
    return ScenarioMargin(
        words=scenario_words(one, moves, loss, counted, block),
        component=one.component,
        label=one.label,
        number=one.number,
        hour=one.hour,
        moves=moves,
        loss_micro=loss,
        counted_micro=counted,
        probability_ppb=math.ceil(one.probability * PPB),
    )


def _described(position: Position, is_collateral: bool) -> str:
    words = ["collateral" if is_collateral else position.kind, position.underlying]
    if position.expiry is not None:
        words.append(utc(position.expiry))
    if position.strike is not None:
        words.append(f"{position.strike:f}")
    if position.inverse:
        words.append("inverse")
    return " ".join(words)


def _split(amounts: Sequence[float], total_usd: float) -> list[int]:
    """Round amounts so that they add up to the total, itself rounded up: differences of rounded running totals."""
    running = list(accumulate(amounts))
    last = max((i for i, amount in enumerate(amounts) if amount != 0.0), default=0)
    # from the last amount that is not 0 on, the running total is the total but for its rounding
    running[last:] = [total_usd] * (len(running) - last)
    rounded = [_up(amount) for amount in running]
    return [after - before for before, after in zip([0, *rounded], rounded, strict=False)]


def _up(amount_usd: float) -> int:
    return -_down(-amount_usd)


def _down(amount_usd: float) -> int:
    if not math.isfinite(amount_usd):
        raise NonFiniteResult(f"an amount is {amount_usd}", "check quantities and prices of the portfolio")
    return int(usd_to_micro_down(np.array([amount_usd]))[0])
