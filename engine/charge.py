"""What is charged on one market state, and the worse of what is charged on two.

A surface that allows arbitrage is valued twice, as quoted and repaired (`engine.surface.repair`): a repair may make a
book look safer, and an arbitrage may be what makes it look safe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from engine.addons import LiquidityCurve, liquidity_curve
from engine.book import Collateral
from engine.collateral import token_haircuts
from engine.evaluation import AccountRequirements, Haircuts, MarketRatios
from engine.priced import PricedHorizon, Problem, price_horizon
from engine.ratios import instrument_ratios, market_ratios
from engine.requirements import account_requirements
from engine.rows import BookRows
from engine.unmodelled import WorstCases


@dataclass(frozen=True, slots=True)
class PricedBook:
    """One market state, priced once for any number of accounts.

    Attributes
    ----------
    problem : Problem
    initial, maintenance : PricedHorizon
    curve : LiquidityCurve
    markets : MarketRatios
    haircuts : Haircuts
    """

    problem: Problem
    initial: PricedHorizon
    maintenance: PricedHorizon
    curve: LiquidityCurve
    markets: MarketRatios
    haircuts: Haircuts

    @property
    def set_hashes(self) -> tuple[str, ...]:
        """Content hashes of the scenario sets, in order."""
        return tuple(s.content_hash for priced in (self.initial, self.maintenance) for s in priced.sets)


def price_book(problem: Problem) -> PricedBook:
    """Value every instrument in every scenario of one market state, and take market ratios and haircuts from it.

    Raises
    ------
    NonFiniteResult
        If a figure is not finite; the message names the instrument.
    """
    model = problem.model
    initial = price_horizon(problem, model.initial_horizon_hours, every_hour=False)
    maintenance = price_horizon(problem, model.maintenance_horizon_hours, every_hour=True)
    curve = liquidity_curve(problem.calibration, problem.recent, problem.market, model)
    markets = market_ratios(
        problem,
        instrument_ratios(problem, initial, curve, 0.0),
        instrument_ratios(problem, maintenance, curve, model.liquidation_fee_fraction),
        curve,
    )
    haircuts = token_haircuts(problem, initial, maintenance, curve)
    return PricedBook(problem, initial, maintenance, curve, markets, haircuts)


def charge_accounts(
    priced: PricedBook, rows: BookRows, collateral: Collateral | None = None, worst: WorstCases | None = None
) -> AccountRequirements:
    """Return the requirements of some accounts; those of an account do not depend on which others are asked for.

    Parameters
    ----------
    priced : PricedBook
    rows : BookRows
        Positions of the accounts.
    collateral : Collateral, optional
        Tokens of the same accounts.
    worst : WorstCases, optional
        What the same accounts hold of what has no model.

    Raises
    ------
    NonFiniteResult
        If a figure is not finite; the message names the account.
    """
    book = priced.problem, rows, priced.initial, priced.maintenance, priced.curve, priced.markets, priced.haircuts
    return account_requirements(*book, collateral, worst)


def scenario_set_hash(priced: Sequence[PricedBook]) -> str:
    """Return the sha256 (hex) of every scenario that was used, in order."""
    return hashlib.sha256("".join(one for book in priced for one in book.set_hashes).encode()).hexdigest()


def worse_ratios(quoted: MarketRatios, repaired: MarketRatios) -> MarketRatios:
    """Return the larger of each ratio and slope, never below either; what binds is that of the larger initial one."""
    worse = {
        one.name: np.maximum(getattr(quoted, one.name), getattr(repaired, one.name))
        for one in fields(MarketRatios)
        if one.name.startswith(("initial", "maintenance", "slope"))
    }
    for side in ("long", "short"):
        dearer = getattr(repaired, f"initial_{side}") > getattr(quoted, f"initial_{side}")
        for name in (f"binding_{side}", f"worst_{side}"):
            worse[name] = np.where(dearer, getattr(repaired, name), getattr(quoted, name))
    return replace(quoted, **worse)


def worse_requirements(quoted: AccountRequirements, repaired: AccountRequirements) -> AccountRequirements:
    """Return the larger of each requirement, never below either; what binds is that of the larger, the first on a tie.

    Account values stay those of the quoted surface: they are the venue's marks.
    """
    worse = {
        one.name: np.maximum(getattr(quoted, one.name), getattr(repaired, one.name))
        for one in fields(AccountRequirements)
        if one.name not in ("value", "binding")
    }
    dearer = repaired.initial > quoted.initial
    return replace(quoted, **worse, binding=np.where(dearer, repaired.binding, quoted.binding))
