"""Why one account has to bring what it has to: its requirement taken apart, beside `evaluate` and equal to it.

    requirement = model (estimate, sampling error, parameter error) + gross + leg floor
                  + liquidity + concentration + funding + liquidation fee
                  + collateral + cap by ratios + least above maintenance

Every line but the cap is at least 0. Collateral is the cost of selling the tokens that are simulated with the
positions, or the haircut value of those that are not. The cap is what a linear book saves when market ratios ask less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Collateral, Instruments, Positions
from engine.charge import PricedBook, charge_accounts
from engine.collateral import Pledge, pledged_charge, pledged_rows
from engine.computation import assumptions, checked_problem, priced_books, surface_repairs
from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.errors import InvalidInput
from engine.evaluation import BOUND, COMPONENTS, POINT, SAMPLING, AccountRequirements
from engine.explanation import Explanation, Horizon, Leg, UnderlyingPart
from engine.margin import Portfolio, portfolio, sum_of_ratios
from engine.market import MarketState
from engine.rows import BookRows, cut_into_rows, only, unit_notional
from engine.scenario_losses import TailShares, tail_shares, worst_scenarios
from engine.streaming import AccountBlock


@dataclass(frozen=True, slots=True)
class _Charge:
    """An account on one market state: what it is asked, and what each of its positions is asked by itself."""

    book: PricedBook
    rows: BookRows
    collateral: Collateral
    account: AccountRequirements
    each: AccountRequirements


@dataclass(frozen=True, slots=True)
class _Base:
    """The portfolio that a requirement starts from, the rows that were simulated for it, and what comes after it.

    `tokens` are the rows of all tokens, each an account of its own, those that were simulated first, `haircut` their
    haircut values, shape (tokens,); `by_haircut` says that some were charged that.
    """

    portfolio: Portfolio
    simulated: BookRows
    asked: float
    capped: float
    by_haircut: bool
    tokens: BookRows
    haircut: NDArray[np.float64]


def explain(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    market: MarketState,
    instruments: Instruments,
    positions: Positions,
    model: ModelConfiguration | None = None,
    threads: int = 1,
    collateral: Collateral | None = None,
) -> Explanation:
    """Return what the requirements of one account are made of.

    Parameters
    ----------
    calibration, recent, market, instruments, model, threads, collateral
        As in `evaluate`.
    positions : Positions
        Of exactly one account.

    Returns
    -------
    Explanation
        Where the surface allows arbitrage, each horizon is explained on the state (quoted or repaired) that asks more.

    Raises
    ------
    InvalidInput
        If there is not exactly one account, or as in `evaluate`.
    NonFiniteResult
        As in `evaluate`.
    """
    if len(positions) != 1:
        raise InvalidInput(f"{len(positions)} accounts: one is explained at a time")
    problem = checked_problem(calibration, recent, market, instruments, model, threads)
    AccountBlock(positions, collateral).check(instruments)
    tokens = collateral or Collateral(only(positions, np.zeros(positions.instrument.size, dtype=np.bool_)))
    rows = cut_into_rows(instruments, positions)
    each = cut_into_rows(instruments, _apart(rows))
    charges = [
        _Charge(book, rows, tokens, charge_accounts(book, rows, tokens), charge_accounts(book, each))
        for book in priced_books(problem)
    ]
    return Explanation(
        initial=_horizon("initial", charges, 0.0),
        maintenance=_horizon("maintenance", charges, problem.model.liquidation_fee_fraction),
        stress_unweighted_usd=max(float(one.account.stress_unweighted[0]) for one in charges),
        assumptions=(*assumptions(calibration, market, problem.model), *surface_repairs(market)),
    )


def _apart(*rows: BookRows) -> Positions:
    """Each position as an account of its own."""
    instrument = np.concatenate([one.instrument for one in rows])
    quantity = np.concatenate([one.quantity for one in rows])
    return Positions(np.arange(instrument.size + 1, dtype=np.int64), instrument, quantity)


def _horizon(which: str, charges: Sequence[_Charge], fee_fraction: float) -> Horizon:
    charge = max(charges, key=lambda one: float(getattr(one.account, which)[0]))
    base = _base(which, charge, fee_fraction)
    required, priced = float(getattr(charge.account, which)[0]), getattr(charge.book, which)
    model_binding = COMPONENTS[base.portfolio.loss.binding[0]]
    shares = tail_shares(charge.book.problem, priced, base.simulated, model_binding)
    return Horizon(
        hours=priced.hours,
        required_usd=required,
        components=_components(charge.rows, base, required),
        model_binding=model_binding,
        binding=_binding(base, required),
        shared_usd=shares.loss_usd,
        legs=_legs(which, charges, base, shares),
        underlyings=_underlyings(charge, base),
        worst=worst_scenarios(charge.book.problem, priced, base.simulated),
    )


def _base(which: str, charge: _Charge, fee_fraction: float) -> _Base:
    """Return what is simulated; with tokens, as `engine.collateral` chooses at the full bound."""
    book, rows = charge.book, charge.rows
    problem, priced = book.problem, getattr(book, which)
    alone = portfolio(problem, rows, rows, priced, book.curve, fee_fraction)
    required = float(alone.required[BOUND, 0])
    pledged = pledged_rows(problem.instruments, rows, charge.collateral)
    if pledged is None:
        capped = min(required, float(sum_of_ratios(problem, rows, book.markets, which)[BOUND, 0]))
        nothing = cut_into_rows(problem.instruments, only(rows.positions, np.zeros(rows.quantity.size, dtype=np.bool_)))
        return _Base(alone, rows, required, capped, False, nothing, np.zeros(0))
    pledge = Pledge.at(problem, pledged, book.haircuts, which)
    charged = pledged_charge(problem, priced, book.curve, alone, pledge, fee_fraction)
    together, by_haircut = float(charged.together[BOUND, 0]), float(charged.by_haircut[BOUND, 0])
    asked = min(together, by_haircut) + float(charged.apart[BOUND, 0])
    tokens = cut_into_rows(problem.instruments, _apart(pledged.free, pledged.apart))
    size = tokens.sum_positions(unit_notional(problem.instruments, problem.market))
    haircut = pledge.haircut_value(tokens, size)[BOUND]
    if by_haircut < together:
        return _Base(alone, rows, asked, asked, True, tokens, haircut)
    return _Base(charged.joint, pledged.joint, asked, asked, bool(charged.apart[BOUND, 0] > 0.0), tokens, haircut)


def _binding(base: _Base, required: float) -> str:
    if required > base.capped:
        return "maintenance"
    if base.capped < base.asked:
        return "sum_of_ratios"
    return "collateral" if base.by_haircut else COMPONENTS[base.portfolio.binding[0]]


def _components(rows: BookRows, base: _Base, required: float) -> tuple[tuple[str, float], ...]:
    whole = base.portfolio
    own, added = whole.loss.own[:, 0], whole.added
    credited, floor = float(whole.credited[BOUND, 0]), float(whole.leg_floor[0])
    return (
        ("model", float(own[POINT])),
        ("sampling_error", float(own[SAMPLING] - own[POINT])),
        ("parameter_error", float(own[BOUND] - own[SAMPLING])),
        ("gross", credited - float(own[BOUND])),
        ("leg_floor", max(floor - credited, 0.0)),
        ("liquidity", float(rows.sum_parts(added.liquidity)[0])),
        ("concentration", float(rows.sum_parts(added.concentration)[0])),
        ("funding", float(rows.sum_parts(added.funding)[0])),
        ("liquidation_fee", float(whole.fee[0])),
        ("collateral", base.asked - float(whole.required[BOUND, 0])),
        ("sum_of_ratios", base.capped - base.asked),
        ("maintenance", required - base.capped),
    )


def _legs(which: str, charges: Sequence[_Charge], base: _Base, shares: TailShares) -> tuple[Leg, ...]:
    rows, tokens, value = charges[0].rows, base.tokens, charges[0].book.initial.value
    alone = np.max([getattr(one.each, which) for one in charges], axis=0)
    held, pledged = _in_given_order(charges[0], base, shares)
    positions = [
        Leg(instrument, False, float(rows.quantity[p] * value[instrument]), float(alone[p]), float(held[p]))
        for p, instrument in enumerate(rows.instrument.tolist())
    ]
    worth = tokens.quantity * value[tokens.instrument]
    figures = zip(tokens.instrument.tolist(), worth.tolist(), base.haircut.tolist(), pledged.tolist(), strict=True)
    return (
        *sorted(positions, key=lambda leg: leg.instrument),
        *(Leg(instrument, True, usd, haircut, share) for instrument, usd, haircut, share in figures),
    )


def _in_given_order(
    charge: _Charge, base: _Base, shares: TailShares
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the account's positions and of its tokens: simulated rows are both, sorted by underlying."""
    positions, simulated = charge.rows.instrument.size, base.simulated.instrument.size
    every = np.concatenate([charge.rows.instrument, base.tokens.instrument])
    order = np.argsort(charge.book.problem.instruments.underlying[every[:simulated]], kind="stable")
    share = np.zeros(every.size)
    share[order] = shares.of_position
    return share[:positions], share[positions:]


def _underlyings(charge: _Charge, base: _Base) -> tuple[UnderlyingPart, ...]:
    rows, simulated, problem = charge.rows, base.simulated, charge.book.problem
    loss, added = base.portfolio.loss, base.portfolio.added
    net = simulated.sum_positions(unit_notional(problem.instruments, problem.market))
    own = {underlying: part for part, underlying in enumerate(rows.part_underlying.tolist())}

    def paid(figure: str, underlying: int) -> float:
        return float(getattr(added, figure)[own[underlying]]) if underlying in own else 0.0

    return tuple(
        UnderlyingPart(
            underlying=underlying,
            alone_usd=float(loss.of_parts[BOUND, part]),
            charge_factor=float(loss.factor[part]),
            net_usd=float(net[part]),
            size_usd=paid("size_usd", underlying),
            liquidity_usd=paid("liquidity", underlying),
            concentration_usd=paid("concentration", underlying),
            funding_usd=paid("funding", underlying),
        )
        for part, underlying in enumerate(simulated.part_underlying.tolist())
    )
