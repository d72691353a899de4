"""What is charged on one market state, and the worse of what is charged on two.

A surface that allows arbitrage is valued twice, as quoted and repaired (`engine.surface.repair`): a repair may make a
book look safer, and an arbitrage may be what makes it look safe.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace

import numpy as np

from engine.addons import liquidity_curve
from engine.evaluation import AccountRequirements, MarketRatios
from engine.losses import Problem, price_horizon
from engine.margin import account_requirements
from engine.ratios import instrument_ratios, market_ratios
from engine.rows import BookRows


@dataclass(frozen=True, slots=True)
class Charge:
    """Ratios and requirements, with the content hashes of the scenario sets that they rest on, in order."""

    markets: MarketRatios
    accounts: AccountRequirements
    set_hashes: tuple[str, ...]

    @property
    def scenario_set_hash(self) -> str:
        """Sha256 (hex) of every scenario that was used, in order."""
        return hashlib.sha256("".join(self.set_hashes).encode()).hexdigest()


def charge_of(problem: Problem, rows: BookRows) -> Charge:
    """Value every instrument in every scenario of one market state.

    Raises
    ------
    NonFiniteResult
        If a figure is not finite; the message names the instrument or account.
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
    accounts = account_requirements(problem, rows, initial, maintenance, curve, markets)
    hashes = tuple(scenarios.content_hash for priced in (initial, maintenance) for scenarios in priced.sets)
    return Charge(markets, accounts, hashes)


def worse_of(quoted: Charge, repaired: Charge) -> Charge:
    """Return the larger of each ratio, slope and requirement; never below either.

    What binds is that of the larger initial figure, the quoted one's on a tie. Account values stay those of the quoted
    surface: they are the venue's marks.
    """
    return Charge(
        _worse_ratios(quoted.markets, repaired.markets),
        _worse_requirements(quoted.accounts, repaired.accounts),
        quoted.set_hashes + repaired.set_hashes,
    )


def _worse_ratios(quoted: MarketRatios, repaired: MarketRatios) -> MarketRatios:
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


def _worse_requirements(quoted: AccountRequirements, repaired: AccountRequirements) -> AccountRequirements:
    worse = {
        one.name: np.maximum(getattr(quoted, one.name), getattr(repaired, one.name))
        for one in fields(AccountRequirements)
        if one.name not in ("value", "binding")
    }
    dearer = repaired.initial > quoted.initial
    return replace(quoted, **worse, binding=np.where(dearer, repaired.binding, quoted.binding))
