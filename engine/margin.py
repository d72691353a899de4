"""Portfolio requirement of whole accounts at one horizon, with the component that binds (DESIGN 3.9).

    model     = max( ES_U of each drawn set (history, Monte Carlo, both stretched by the trend); weighted stress )
    portfolio = max( model, 0.2 gross + 0.8 model, leg floor ) + liquidity + concentration + funding

gross is the sum over underlyings of the model loss of that underlying's own book. At the liquidation horizon the worst
hour of each path counts and the liquidation fee is added. `engine.requirements` makes the two into what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.addons import USD_PER_SLOPE, LiquidityCurve, funding_fraction, is_perpetual
from engine.bounds import charge_factors, factor_of
from engine.errors import NonFiniteResult
from engine.evaluation import BOUND, COMPONENTS, FIGURES, MarketRatios
from engine.losses import Losses, effective_size_usd, losses_of
from engine.priced import PricedHorizon, Problem
from engine.rows import BookRows, unit_notional
from engine.scenarios.stress import DEPTH_LEFT
from engine.sums import segment_sums


@dataclass(frozen=True, slots=True)
class ModelLoss:
    """Model loss of accounts in USD: by itself, and the gross of its underlyings.

    `own` and `gross` have shape (3, A): `POINT`, `SAMPLING`, `BOUND`; so has `of_parts`, (3, R), what `gross` sums up.
    `factor` (R,) is what turned the tail of each part into what is charged. The rest has shape (A,).
    """

    own: NDArray[np.float64]
    gross: NDArray[np.float64]
    of_parts: NDArray[np.float64]
    factor: NDArray[np.float64]
    stress_unweighted: NDArray[np.float64]
    binding: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Added:
    """What each part pays on top of the model in USD, and the size that it is charged on, shape (R,) each."""

    size_usd: NDArray[np.float64]
    liquidity: NDArray[np.float64]
    concentration: NDArray[np.float64]
    funding: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """All three."""
        return self.liquidity + self.concentration + self.funding


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Requirement of accounts at one horizon before the rules between horizons, USD, and what it is made of.

    `required` has shape (3, A): `POINT`, `SAMPLING`, `BOUND`; so has `credited`, the model loss with the gross share.
    `leg_floor`, `fee`, `stress_unweighted` and `binding` have shape (A,).
    """

    required: NDArray[np.float64]
    loss: ModelLoss
    credited: NDArray[np.float64]
    leg_floor: NDArray[np.float64]
    added: Added
    fee: NDArray[np.float64]
    stress_unweighted: NDArray[np.float64]
    binding: NDArray[np.int8]


def portfolio(
    problem: Problem,
    simulated: BookRows,
    rows: BookRows,
    priced: PricedHorizon,
    curve: LiquidityCurve,
    fee_fraction: float,
) -> Portfolio:
    """Return the requirements at one horizon, before the sum of ratios caps them.

    Parameters
    ----------
    problem, priced, curve : Problem, PricedHorizon, LiquidityCurve
    simulated, rows : BookRows
        What moves, collateral included, and what leg floor, liquidity, funding and fee are charged on; the same rows
        for accounts without collateral.
    fee_fraction : float
        Of the underlying notional of all legs.
    """
    notional = unit_notional(problem.instruments, problem.market)
    legs = rows.sum_parts(rows.sum_positions(notional, absolute=True))
    loss = _model_loss(problem, simulated, priced, simulated.sum_positions(notional))
    floor = problem.model.leg_floor_fraction * legs
    added = _added(problem, rows, priced, curve, notional)
    fee = fee_fraction * legs
    # written as a step up from the model, so that gross = model leaves it to the bit
    credited = loss.own + problem.model.gross_weight * np.maximum(loss.gross - loss.own, 0.0)
    binding = np.where(credited[BOUND] > loss.own[BOUND], COMPONENTS.index("gross"), loss.binding)
    binding = np.where(floor > credited[BOUND], COMPONENTS.index("leg_floor"), binding)
    moving = simulated.sum_parts(simulated.sum_positions(notional, absolute=True))
    binding = np.where(moving == 0.0, COMPONENTS.index("none"), binding)
    required = np.maximum(credited, floor) + (rows.sum_parts(added.total) + fee)
    stressed = loss.stress_unweighted + _closing_in_a_crash(rows, priced, curve)
    return Portfolio(required, loss, credited, floor, added, fee, stressed, binding.astype(np.int8))


def _added(
    problem: Problem,
    rows: BookRows,
    priced: PricedHorizon,
    curve: LiquidityCurve,
    notional: NDArray[np.float64],
) -> Added:
    """Liquidity, concentration and funding of each part; sizes are netted within an underlying."""
    underlying = rows.part_underlying
    size = effective_size_usd(priced, rows.part_indptr, underlying, rows.instrument, rows.quantity)
    perpetual = np.abs(rows.sum_positions(notional * is_perpetual(problem.instruments)))
    funding = perpetual * funding_fraction(problem.calibration, problem.market, problem.model, priced.hours)[underlying]
    return Added(size, curve.liquidity(size, underlying), curve.concentration(size, underlying), funding)


def _closing_in_a_crash(rows: BookRows, priced: PricedHorizon, curve: LiquidityCurve) -> NDArray[np.float64]:
    """Cost of closing each account at the depth that a crash leaves; reported with the unweighted stress."""
    underlying = rows.part_underlying
    size = effective_size_usd(priced, rows.part_indptr, underlying, rows.instrument, rows.quantity)
    return rows.sum_parts(curve.at_depth(DEPTH_LEFT).liquidity(size, underlying))


def _model_loss(
    problem: Problem, rows: BookRows, priced: PricedHorizon, net_notional: NDArray[np.float64]
) -> ModelLoss:
    """Model loss of each account; the bound takes the gross-weighted mean of its underlyings' factors.

    Where no underlying alone loses anything there is nothing to weigh by: then it takes the largest of them.
    """
    parts = losses_of(problem, priced, rows.part_indptr, rows.instrument, rows.quantity)
    require_finite(rows.sum_parts(np.where(parts.finite, 0.0, 1.0)) == 0.0, "profit")
    factors = charge_factors(problem, priced.hours)
    factor = factor_of(factors, rows.part_underlying, rows.part_has_option, net_notional)
    bounded = parts.tail_sampling * factor
    gross_tail, gross_bounded = rows.sum_parts(parts.tail_sampling), rows.sum_parts(bounded)
    whole = _whole_accounts(problem, rows, priced, parts)
    require_finite(whole.finite, "profit")
    mean = np.divide(gross_bounded, gross_tail, out=_largest_of_parts(rows, factor), where=gross_tail > 0.0)
    one = np.diff(rows.account_parts) == 1
    tail_bound = np.where(one, gross_bounded, whole.tail_sampling * mean)
    by_stress = whole.stress > tail_bound
    of_parts = np.maximum(np.stack([parts.tail, parts.tail_sampling, bounded]), parts.stress)
    return ModelLoss(
        own=np.maximum(np.stack([whole.tail, whole.tail_sampling, tail_bound]), whole.stress),
        gross=np.stack([rows.sum_parts(figure) for figure in of_parts]),
        of_parts=of_parts,
        factor=factor,
        stress_unweighted=whole.stress_unweighted,
        binding=np.where(by_stress, COMPONENTS.index("stress"), whole.tail_component).astype(np.int8),
    )


def _largest_of_parts(rows: BookRows, factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest factor of each account, at least 1."""
    largest = np.ones(rows.account_parts.size - 1)
    np.maximum.at(largest, np.repeat(np.arange(largest.size), np.diff(rows.account_parts)), factor)
    return largest


def _whole_accounts(problem: Problem, rows: BookRows, priced: PricedHorizon, parts: Losses) -> Losses:
    """Losses of whole accounts: those of the only part where there is one, computed where there are several."""
    count = np.diff(rows.account_parts)
    several, one = count > 1, count == 1
    held = np.diff(rows.account_indptr)
    take = np.repeat(several, held)
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(held[several])])
    joint = losses_of(problem, priced, indptr, rows.instrument[take], rows.quantity[take])
    figures: dict[str, NDArray[Any]] = {}
    for name in Losses.__dataclass_fields__:
        single = getattr(parts, name)
        figure = np.full(count.size, name == "finite").astype(single.dtype)
        figure[one] = single[rows.account_parts[:-1][one]]
        figure[several] = getattr(joint, name)
        figures[name] = figure
    return Losses(**figures)


def sum_of_ratios(problem: Problem, rows: BookRows, markets: MarketRatios, name: str) -> NDArray[np.float64]:
    """What the market ratios ask of each account, position by position, shape (3, A).

    Infinite with an option, with an inverse instrument (its ratio is in coin, the account in USD), and by a measure
    whose sum over parts is no bound.
    """
    if not problem.model.parts_bound_the_whole:
        return np.full((len(FIGURES), rows.account_parts.size - 1), np.inf)
    notional = unit_notional(problem.instruments, problem.market)
    row = np.searchsorted(markets.market_id, problem.instruments.market_id)[rows.instrument]
    size = np.abs(rows.quantity) * notional[rows.instrument]
    long = rows.quantity > 0.0
    slope = np.where(long, markets.slope_long[row], markets.slope_short[row]) * (size / USD_PER_SLOPE)
    options = rows.sum_parts(np.where(rows.part_has_option, 1.0, 0.0)) > 0.0
    inverse = rows.sum_parts(rows.sum_positions(np.where(problem.instruments.inverse, 1.0, 0.0), absolute=True)) > 0.0
    asked = []
    for suffix in FIGURES:
        sides = getattr(markets, f"{name}_long{suffix}"), getattr(markets, f"{name}_short{suffix}")
        base = np.where(long, sides[0][row], sides[1][row])
        asked.append(np.where(options | inverse, np.inf, segment_sums(rows.account_indptr, size * (base + slope))))
    return np.stack(asked)


def require_finite(finite: NDArray[np.bool_], what: str) -> None:
    """Raise `NonFiniteResult`, naming the first account whose figure is not finite."""
    bad = np.flatnonzero(~finite)
    if bad.size:
        raise NonFiniteResult(f"account {bad[0]}: its {what} is not finite; check its quantities and the prices")
