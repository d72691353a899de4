"""The whole computation of one cycle, a pure function; each step is a module of this package.

`evaluate` is for a book that is held whole, `price_market` the first part of it, for one that comes block by block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.book import Collateral, Instruments, Positions
from engine.charge import PricedBook, price_book
from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.carry import Carry
from engine.dynamics.history import RecentPrices
from engine.dynamics.ratios import VOLUME_SHARE
from engine.dynamics.today import with_running_hour
from engine.errors import InvalidInput
from engine.evaluation import Evaluation
from engine.market import MarketState, check_market
from engine.priced import Problem
from engine.streaming import AccountBlock, PricedMarket, charge_blocks, cut_into_blocks, join_blocks
from engine.surface.arbitrage import failures
from engine.surface.repair import repaired_market
from engine.unmodelled import Unmodelled, worst_case_lines


def evaluate(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    market: MarketState,
    instruments: Instruments,
    positions: Positions,
    model: ModelConfiguration | None = None,
    threads: int = 1,
    collateral: Collateral | None = None,
    unmodelled: Unmodelled | None = None,
) -> Evaluation:
    """Value every instrument in every scenario and return market ratios and account requirements.

    Parameters
    ----------
    calibration : Calibration
    recent : sequence of RecentPrices
        One for each of the market's symbols, in any order; empty ones are allowed.
    market : MarketState
    instruments : Instruments
        At least one; none expired.
    positions : Positions
        Any number of accounts, empty ones included.
    model : ModelConfiguration, optional
    threads : int
        Does not change a byte of the result.
    collateral : Collateral, optional
        Tokens that the accounts of `positions` have pledged.
    unmodelled : Unmodelled, optional
        What the same accounts hold of instruments that no model covers.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidInput
        If the inputs do not fit each other; the message names the value.
    UnmodelledAccount
        If an account is short of what has neither a model nor a worst case.
    NonFiniteResult
        If a figure is not finite; the message names the instrument or account. Nothing is dropped.
    """
    priced = price_market(calibration, recent, market, instruments, model, threads)
    block = AccountBlock(positions, collateral, unmodelled)
    block.check(instruments)
    accounts = join_blocks(charge_blocks(priced, cut_into_blocks(block)))
    held = np.zeros(0, dtype=np.int64) if unmodelled is None else unmodelled.holders
    lines = (*priced.assumptions, *worst_case_lines(held))
    return Evaluation(priced.markets, accounts, priced.haircuts, held, priced.scenario_set_hash, lines)


def price_market(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    market: MarketState,
    instruments: Instruments,
    model: ModelConfiguration | None = None,
    threads: int = 1,
) -> PricedMarket:
    """Value every instrument in every scenario, ready to charge accounts; parameters and errors as in `evaluate`."""
    problem = checked_problem(calibration, recent, market, instruments, model, threads)
    lines = (*assumptions(calibration, market, problem.model), *surface_repairs(market))
    return PricedMarket(priced_books(problem), lines)


def checked_problem(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    market: MarketState,
    instruments: Instruments,
    model: ModelConfiguration | None,
    threads: int,
) -> Problem:
    """Return the inputs of `price_market` as one record, checked against each other, the running hour counted."""
    model = model or ModelConfiguration()
    _check(calibration, recent, market, instruments, model)
    by_symbol = {prices.symbol: prices for prices in recent}
    in_order = tuple(
        with_running_hour(calibration, by_symbol[symbol], float(spot))
        for symbol, spot in zip(market.symbols, market.spot, strict=True)
    )
    return Problem(calibration, in_order, market, instruments, model, threads)


def priced_books(problem: Problem) -> tuple[PricedBook, ...]:
    """Return the market as quoted, priced, and as repaired too where its surface allows arbitrage; the worse counts."""
    repaired = repaired_market(problem.market)
    states = (problem,) if repaired is None else (problem, replace(problem, market=repaired))
    return tuple(price_book(state) for state in states)


def assumptions(calibration: Calibration, market: MarketState, model: ModelConfiguration) -> tuple[str, ...]:
    """Return what the figures rest on and do not cover, one sentence each."""
    lines = [
        f"Initial covers the loss at the end of {model.initial_horizon_hours} h, maintenance the worst hour within "
        f"{model.maintenance_horizon_hours} h; losses inside the initial horizon exceed it 2.5 to 3 times as often.",
        _what_the_bound_covers(calibration, model),
        _drawn_assumption(model),
        "Term structure, skew, curvature, basis and rates move in Monte Carlo sets alone, each by one draw for all "
        f"underlyings; the surface's dynamics are {_surface_source(calibration)}.",
        "Volatility slices are checked for arbitrage at their nodes as they are quoted, not after a shock.",
        "Liquidity is charged at the deviation of a day now, not below that of the long run, on the largest delta that "
        "an underlying's book has within its 99.5 % range; positions and collateral are closed one after the other.",
        "Cash is the numeraire: the quote token's own de-peg enters as a rise of all prices only. Ratios of inverse "
        "markets are in coin, accounts in USD.",
        f"What is posted lies {model.stress_weight:.0%} of the way from what is needed now to what the most stressed "
        f"month so far needed, at most at {model.stress_cap:g} times and never below what is needed now.",
        f"Spread ({model.spread_fraction:g}) is configured, not measured.",
    ]
    for token in calibration.tokens:
        if token.symbol in market.symbols:
            lines.append(f"{token.symbol}: its volume of a stressed day is assumed, {VOLUME_SHARE:.0%} of its base's.")
    for symbol in market.symbols:
        asset = calibration.assets[calibration.index_of(symbol)]
        lines.extend(_carry_assumptions(calibration.carry[calibration.index_of(symbol)], model))
        hours = calibration.clock_hour.size
        if asset.filled_hours:
            lines.append(
                f"{symbol}: {asset.filled_hours} of {hours} library hours are filled from the reference asset and the "
                f"pool, the idiosyncratic part inflated{'; short history' if asset.fallback else ''}."
            )
        if asset.volatility_hours < hours:
            lines.append(
                f"{symbol}: {hours - asset.volatility_hours} of {hours} library hours have no volatility history; the "
                "filter's own variance ratio stands in."
            )
    return tuple(lines)


def _drawn_assumption(model: ModelConfiguration) -> str:
    if not model.monte_carlo_points:
        return "Scenarios are filtered historical paths and a stress list: Monte Carlo sets are switched off."
    return (
        f"Monte Carlo goes in one step to the horizon, 16 scrambles of {model.monte_carlo_points} points for each of "
        "three correlations; for maintenance its moves are those to the worst point on the way, together."
    )


def _surface_source(calibration: Calibration) -> str:
    days = calibration.surface.days
    return f"fitted to {days} daily changes" if days else "published figures of Deribit's surfaces, not fitted"


def _carry_assumptions(carry: Carry, model: ModelConfiguration) -> list[str]:
    """One sentence on the carry factors of an asset that no history measured."""
    assumed = {
        f"funding change {model.funding_change_hourly:g} an hour": carry.funding_measured,
        f"basis {carry.b0_daily:g} a day": carry.b0_measured,
        f"basis slope {carry.b1_daily:g} a day": carry.b1_measured,
        f"rates {carry.rate_level_daily:g} and {carry.rate_slope_daily:g} a day": carry.rate_measured,
    }
    missing = [what for what, measured in assumed.items() if not measured]
    return [f"{carry.symbol}: assumed, not measured: {', '.join(missing)}."] if missing else []


def _what_the_bound_covers(calibration: Calibration, model: ModelConfiguration) -> str:
    bound = (
        f"The bound is the date bootstrap at {model.bound_confidence:.0%} times kappa = {calibration.kappa:.3g}, that "
        f"of {calibration.kappa_days} days of history"
    )
    if calibration.kappa_coverage is None:
        return f"{bound}: no simulation has measured what it covers at this measure, level or length."
    return (
        f"{bound}: in the worst of the simulated markets {calibration.kappa_coverage:.1%} of such bounds were not "
        "below the truth (delta one, 4 and 24 h)."
    )


def surface_repairs(market: MarketState) -> tuple[str, ...]:
    """Return one sentence for each underlying whose surface allows arbitrage."""
    found = failures(market)
    lines = []
    for underlying, symbol in enumerate(market.symbols):
        kinds = {(one.slice, one.kind) for one in found if market.slice_underlying[one.slice] == underlying}
        if kinds:
            counts = ", ".join(f"{sum(k == kind for _, k in kinds)} by {kind}" for kind in ("butterfly", "calendar"))
            lines.append(
                f"{symbol}: volatility slices that allow arbitrage ({counts}) were repaired; the worse of the quoted "
                "and the repaired surface is charged."
            )
    return tuple(lines)


def _check(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    market: MarketState,
    instruments: Instruments,
    model: ModelConfiguration,
) -> None:
    if len(instruments) == 0:
        raise InvalidInput("no instrument is listed: there is nothing to value")
    given = [prices.symbol for prices in recent]
    if len(set(given)) != len(given) or not set(market.symbols) <= set(given):
        raise InvalidInput(f"recent prices are of {given}; one is needed for each of {list(market.symbols)}")
    for symbol in market.symbols:
        calibration.index_of(symbol)
    for name in ("measure", "es_level", "bound_confidence"):
        asked, held = getattr(model, name), getattr(calibration.settings, name)
        if asked != held:
            raise InvalidInput(f"{name} is {asked} in the model and {held} in the artefact: recalibrate")
    check_market(market, instruments)
