"""Collateral that moves is simulated with the positions; what it may lose by itself is its haircut (DESIGN 3.9).

    free   = min( portfolio of positions and tokens together + cost of selling the tokens,
                  portfolio of the positions alone + haircut value of the tokens )
    charge = free + haircut value of the tokens that share an issuer with a position

The requirement is the tail of loss less change of collateral value, over all drawn and stressed scenarios; a token that
rises when the book loses is a hedge, one that falls with it is none. Expected shortfall is subadditive, so the second
line of `free` is an upper bound too: a token never raises a requirement by more than its haircut value, and never
lowers it by more than what being short of the token would ask. Value at risk is not subadditive: by it the first line
alone counts. A token of one issuer with a position hedges nothing and is added, which is the larger of both ways.
Positions are closed and tokens are sold one after the other: their sizes are not netted, since nobody does both at
once. Tokens enter neither leg floor nor funding, nor the sum of ratios, which caps books with cash alone. Haircut value
is at most the value itself, at either horizon; since initial stays above maintenance (1 + d), a token that nobody could
sell may raise the initial requirement by its value times (1 + d).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.addons import USD_PER_SLOPE, LiquidityCurve
from engine.book import Collateral, Instruments, Kind, Positions
from engine.bounds import LONG, charge_factors
from engine.errors import NonFiniteResult
from engine.evaluation import BOUND, COMPONENTS, FIGURES, Haircuts
from engine.losses import losses_of
from engine.margin import Portfolio, portfolio
from engine.priced import PricedHorizon, Problem
from engine.rows import BookRows, cut_into_rows, merged, of_accounts, only, unit_notional


@dataclass(frozen=True, slots=True)
class Pledged:
    """The B of A accounts that have pledged tokens.

    Attributes
    ----------
    holders : bool array, shape (A,)
    alone : BookRows
        Their positions.
    joint : BookRows
        Their positions and the tokens that are simulated with them.
    free, apart : BookRows
        Tokens that are simulated with the positions, and tokens that share an issuer with one.
    """

    holders: NDArray[np.bool_]
    alone: BookRows
    joint: BookRows
    free: BookRows
    apart: BookRows


def pledged_rows(instruments: Instruments, rows: BookRows, collateral: Collateral) -> Pledged | None:
    """Return the accounts that have pledged a token, or None when none has; a quantity of 0 is nothing."""
    held = only(collateral.held, collateral.held.quantity > 0.0)
    holders = np.diff(held.indptr) > 0
    if not np.any(holders):
        return None
    alone, tokens = of_accounts(rows.positions, holders), of_accounts(held, holders)
    apart = _of_one_issuer(instruments, alone, tokens, collateral.same_issuer)
    free = only(tokens, ~apart)
    books = (alone, merged(alone, free), free, only(tokens, apart))
    return Pledged(holders, *(cut_into_rows(instruments, book) for book in books))


def _of_one_issuer(
    instruments: Instruments, alone: Positions, tokens: Positions, same_issuer: tuple[tuple[int, int], ...]
) -> NDArray[np.bool_]:
    """Tell which tokens share an issuer with a position of their account."""
    position_account = np.repeat(np.arange(len(alone)), np.diff(alone.indptr))
    token_account = np.repeat(np.arange(len(tokens)), np.diff(tokens.indptr))
    apart = np.zeros(token_account.size, dtype=np.bool_)
    for token, underlying in same_issuer:
        exposed = np.zeros(len(alone), dtype=np.bool_)
        concerned = (instruments.underlying[alone.instrument] == underlying) & (alone.quantity != 0.0)
        exposed[position_account[concerned]] = True
        apart |= (instruments.underlying[tokens.instrument] == token) & exposed[token_account]
    return apart


def token_haircuts(
    problem: Problem, initial: PricedHorizon, maintenance: PricedHorizon, curve: LiquidityCurve
) -> Haircuts:
    """Return the haircut of each underlying that is listed as spot.

    Raises
    ------
    NonFiniteResult
        If a profit of a token is not finite; the message names the instrument.
    """
    spot = np.flatnonzero(problem.instruments.kind == Kind.SPOT)
    underlying, first = np.unique(problem.instruments.underlying[spot], return_index=True)
    token = spot[first].astype(np.int32)
    start, binding = _unit_haircuts(problem, initial, curve, token)
    keep, _ = _unit_haircuts(problem, maintenance, curve, token)
    asked = np.minimum(np.maximum(start, keep * (1.0 + problem.model.initial_over_maintenance)), 1.0)
    by_maintenance = asked[BOUND] > start[BOUND]
    return Haircuts(
        underlying=underlying.astype(np.int32),
        **{f"initial{suffix}": asked[figure] for figure, suffix in enumerate(FIGURES)},
        **{f"maintenance{suffix}": keep[figure] for figure, suffix in enumerate(FIGURES)},
        slope=curve.slope(problem.model.reference_size_usd)[underlying],
        binding=np.where(by_maintenance, COMPONENTS.index("maintenance"), binding).astype(np.int8),
    )


def _unit_haircuts(
    problem: Problem, priced: PricedHorizon, curve: LiquidityCurve, token: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """What one unit of each token may lose and the constant of its liquidity, shape (3, T), and what binds."""
    loss = losses_of(problem, priced, np.arange(token.size + 1, dtype=np.int64), token, np.ones(token.size))
    if not np.all(loss.finite):
        raise NonFiniteResult(f"instrument {token[np.flatnonzero(~loss.finite)[0]]}: a profit is not finite")
    underlying = problem.instruments.underlying[token]
    bounded = loss.tail_sampling * charge_factors(problem, priced.hours)[underlying, LONG]
    lost = np.maximum(np.stack([loss.tail, loss.tail_sampling, bounded]), loss.stress)
    fraction = lost / unit_notional(problem.instruments, problem.market)[token]
    binding = np.where(loss.stress > bounded, COMPONENTS.index("stress"), loss.tail_component).astype(np.int8)
    return np.minimum(fraction + curve.base(problem.model.reference_size_usd)[underlying], 1.0), binding


@dataclass(frozen=True, slots=True)
class Pledge:
    """What the charge for collateral at one horizon rests on: who pledged what, and the haircuts, shape (3, U)."""

    pledged: Pledged
    fraction: NDArray[np.float64]
    slope: NDArray[np.float64]

    @classmethod
    def at(cls, problem: Problem, pledged: Pledged, haircuts: Haircuts, name: str) -> Pledge:
        """Return it for `initial` or `maintenance`."""
        count = len(problem.market.symbols)
        fraction, slope = np.ones((3, count)), np.zeros(count)
        for figure, suffix in enumerate(FIGURES):
            fraction[figure, haircuts.underlying] = getattr(haircuts, name + suffix)
        slope[haircuts.underlying] = haircuts.slope
        return cls(pledged, fraction, slope)

    def haircut_value(self, rows: BookRows, size_usd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum over tokens of value times haircut, shape (3, accounts); `size_usd` is of the rows' parts."""
        underlying = rows.part_underlying
        haircut = self.fraction[:, underlying] + self.slope[underlying] * (size_usd / USD_PER_SLOPE)
        return np.stack([rows.sum_parts(figure) for figure in size_usd * np.minimum(haircut, 1.0)])


@dataclass(frozen=True, slots=True)
class PledgedCharge:
    """What the B accounts of a pledge are asked at one horizon, both ways, shape (3, B) each.

    Attributes
    ----------
    joint : Portfolio
        Positions and tokens simulated together.
    together, by_haircut : float64 arrays
        The two lines of `free`; the second is infinite by a measure whose sum over parts is no bound.
    apart : float64 array
        Haircut value of the tokens that share an issuer with a position.
    """

    joint: Portfolio
    together: NDArray[np.float64]
    by_haircut: NDArray[np.float64]
    apart: NDArray[np.float64]


def pledged_charge(
    problem: Problem, priced: PricedHorizon, curve: LiquidityCurve, alone: Portfolio, pledge: Pledge, fee: float
) -> PledgedCharge:
    """Return what the accounts with tokens are asked at one horizon; parameters as in `with_collateral`."""
    pledged, notional = pledge.pledged, unit_notional(problem.instruments, problem.market)
    joint = portfolio(problem, pledged.joint, pledged.alone, priced, curve, fee)
    free_size, apart_size = (rows.sum_positions(notional) for rows in (pledged.free, pledged.apart))
    underlying = pledged.free.part_underlying
    selling = curve.liquidity(free_size, underlying) + curve.concentration(free_size, underlying)
    by_haircut = alone.required[:, pledged.holders] + pledge.haircut_value(pledged.free, free_size)
    return PledgedCharge(
        joint,
        together=joint.required + pledged.free.sum_parts(selling),
        by_haircut=by_haircut if problem.model.parts_bound_the_whole else np.full_like(by_haircut, np.inf),
        apart=pledge.haircut_value(pledged.apart, apart_size),
    )


def with_collateral(
    problem: Problem, priced: PricedHorizon, curve: LiquidityCurve, alone: Portfolio, pledge: Pledge, fee: float
) -> Portfolio:
    """Return the requirements at one horizon, those of accounts that have pledged tokens replaced.

    Parameters
    ----------
    problem, priced, curve : Problem, PricedHorizon, LiquidityCurve
    alone : Portfolio
        Of all accounts, positions alone.
    pledge : Pledge
    fee : float
        As in `portfolio`.
    """
    charge = pledged_charge(problem, priced, curve, alone, pledge, fee)
    rests_on_haircut = (charge.by_haircut[BOUND] < charge.together[BOUND]) | (charge.apart[BOUND] > 0.0)
    binding = np.where(rests_on_haircut, COMPONENTS.index("collateral"), charge.joint.binding)
    replaced = ("required", "stress_unweighted", "binding")
    result = replace(alone, **{name: getattr(alone, name).copy() for name in replaced})
    holders = pledge.pledged.holders
    result.required[:, holders] = np.minimum(charge.together, charge.by_haircut) + charge.apart
    result.stress_unweighted[holders] = charge.joint.stress_unweighted
    result.binding[holders] = binding.astype(np.int8)
    return result
