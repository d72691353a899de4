"""Market ratios: one unit long and one unit short of each instrument, the worst of each market, and a slope in size.

Linear instruments are counted in USD, inverse ones in coin (`engine.numeraire`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.addons import LiquidityCurve, funding_fraction, is_perpetual
from engine.book import Kind
from engine.bounds import charge_factors, factor_of
from engine.errors import NonFiniteResult
from engine.evaluation import BOUND, COMPONENTS, FIGURES, MarketRatios
from engine.losses import Losses, losses_of
from engine.numeraire import in_coin
from engine.priced import PricedHorizon, Problem
from engine.rows import unit_notional

LONG, SHORT = 0, 1


@dataclass(frozen=True, slots=True)
class InstrumentRatios:
    """Ratios of one unit of each instrument at one horizon: long and short.

    `ratio` has shape (3, 2, I): `POINT`, `SAMPLING`, `BOUND`; `binding` (2, I). Fractions of underlying notional. The
    constant of the liquidity line is in them; its slope is the market's.
    """

    ratio: NDArray[np.float64]
    binding: NDArray[np.int8]


def instrument_ratios(
    problem: Problem, priced: PricedHorizon, curve: LiquidityCurve, fee_fraction: float
) -> InstrumentRatios:
    """Return model loss or leg floor, plus liquidity's constant, funding and the fee given, of one contract.

    Raises
    ------
    NonFiniteResult
        If a profit of an instrument is not finite; the message names it.
    """
    instruments, count = problem.instruments, len(problem.instruments)
    every = np.tile(np.arange(count, dtype=np.int32), 2)
    sign = np.repeat(np.array([1.0, -1.0]), count)
    loss = _unit_losses(problem, priced)
    if not np.all(loss.finite):
        raise NonFiniteResult(f"instrument {every[np.flatnonzero(~loss.finite)[0]]}: a profit is not finite")
    notional = np.tile(unit_notional(instruments, problem.market), 2)
    underlying = instruments.underlying[every]
    option = (instruments.kind >= Kind.CALL)[every]
    factors = charge_factors(problem, priced.hours)
    bounded = loss.tail_sampling * factor_of(factors, underlying, option, sign)
    funding = funding_fraction(problem.calibration, problem.market, problem.model, priced.hours)[underlying]
    funding = funding * is_perpetual(instruments)[every]
    added = curve.base(problem.model.reference_size_usd)[underlying] + funding + fee_fraction
    floor = problem.model.leg_floor_fraction
    charged = np.maximum(np.stack([loss.tail, loss.tail_sampling, bounded]), loss.stress) / notional
    model = np.where(loss.stress > bounded, COMPONENTS.index("stress"), loss.tail_component)
    binding = np.where(charged[BOUND] < floor, COMPONENTS.index("leg_floor"), model)
    return InstrumentRatios(
        (np.maximum(charged, floor) + added).reshape(3, 2, count), binding.astype(np.int8).reshape(2, count)
    )


def _unit_losses(problem: Problem, priced: PricedHorizon) -> Losses:
    """Losses of one contract long of each instrument, then of one short, each in its own numeraire at spot."""
    count, inverse = len(problem.instruments), np.flatnonzero(problem.instruments.inverse)
    loss = _both_sides(problem, priced, count)
    if inverse.size == 0:
        return loss
    coin = _both_sides(problem, in_coin(problem, priced, inverse), inverse.size)
    figures: dict[str, NDArray[Any]] = {}
    for name in Losses.__dataclass_fields__:
        figures[name] = getattr(loss, name).copy()
        figures[name][np.concatenate([inverse, count + inverse])] = getattr(coin, name)
    return Losses(**figures)


def _both_sides(problem: Problem, priced: PricedHorizon, count: int) -> Losses:
    every = np.tile(np.arange(count, dtype=np.int32), 2)
    return losses_of(
        problem, priced, np.arange(2 * count + 1, dtype=np.int64), every, np.repeat(np.array([1.0, -1.0]), count)
    )


def market_ratios(
    problem: Problem, initial: InstrumentRatios, maintenance: InstrumentRatios, curve: LiquidityCurve
) -> MarketRatios:
    """Return the worst of each market's instruments, side by side; initial >= maintenance (1 + d).

    The slope is the steepest of the market's underlyings.
    """
    instruments = problem.instruments
    # a token without a market is held as collateral only
    listed = np.flatnonzero(instruments.market_id >= 0)
    ids, market = np.unique(instruments.market_id[listed], return_inverse=True)
    start, keep = initial.ratio[:, :, listed], maintenance.ratio[:, :, listed]
    above = 1.0 + problem.model.initial_over_maintenance
    steepest = curve.slope(problem.model.reference_size_usd)[instruments.underlying[listed]]
    slope = _largest(steepest, market, ids.size)
    columns: dict[str, NDArray[Any]] = {"slope_long": slope, "slope_short": slope}
    for side, name in ((LONG, "long"), (SHORT, "short")):
        for figure, suffix in enumerate(FIGURES):
            least = _largest(keep[figure, side], market, ids.size)
            columns[f"maintenance_{name}{suffix}"] = least
            largest = _largest(start[figure, side], market, ids.size)
            columns[f"initial_{name}{suffix}"] = np.maximum(largest, least * above)
        own = _largest(start[BOUND, side], market, ids.size)
        worst = listed[_first_of(start[BOUND, side], own, market, ids.size)]
        by_maintenance = columns[f"initial_{name}"] > own
        columns[f"worst_{name}"] = worst.astype(np.int32)
        columns[f"binding_{name}"] = np.where(
            by_maintenance, COMPONENTS.index("maintenance"), initial.binding[side][worst]
        ).astype(np.int8)
    return MarketRatios(market_id=ids.astype(np.int32), **columns)


def _largest(value: NDArray[np.float64], market: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    out = np.zeros(count)
    np.maximum.at(out, market, value)
    return out


def _first_of(
    value: NDArray[np.float64], largest: NDArray[np.float64], market: NDArray[np.int64], count: int
) -> NDArray[np.int32]:
    """Return the first instrument of each market that has the market's largest value."""
    out = np.full(count, value.size, dtype=np.int32)
    hit = np.flatnonzero(value == largest[market])
    np.minimum.at(out, market[hit], hit.astype(np.int32))
    return out
