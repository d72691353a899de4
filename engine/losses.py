"""One horizon's tables of profits, and the loss of books on them: tail of history, weighted stress, effective size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments
from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.kernels.profit import ProfitTable
from engine.kernels.revalue import FactorPaths, revalue
from engine.kernels.tail import expected_shortfall, worst_stress
from engine.market import MarketState
from engine.scenarios.historical import historical_paths, stretched_by_trend
from engine.scenarios.scenario_set import ScenarioSet
from engine.scenarios.stress import Ranges, alone_indices, horizon_ranges, stress_set, twist_set
from engine.sums import segment_products
from engine.surface.response import level_shock, parallel_response, thirty_day_link, twist_response

LEAST_RANGE_DEVIATIONS = 1.0
"""A 99.5 % range is never taken below one deviation of the floored long-run variance."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What every step of an evaluation needs, bundled; one `recent` an underlying, in the market's order."""

    calibration: Calibration
    recent: tuple[RecentPrices, ...]
    market: MarketState
    instruments: Instruments
    model: ModelConfiguration
    threads: int


@dataclass(frozen=True, slots=True)
class PricedHorizon:
    """Every instrument in every scenario of one horizon.

    Attributes
    ----------
    hours : int
    sets : tuple of ScenarioSet
        Historical ones first, then the stress lists.
    historical : tuple of ProfitTable
        Plain, and stretched by the trend where that is on.
    stress, stress_weighted : tuple of ProfitTable
        Parallel list and twist, as they are and times their weights.
    rise_profit, fall_profit : float64 arrays, shape (I,)
        Profit of one contract when its underlying alone moves by its range.
    ranges : Ranges
    """

    hours: int
    sets: tuple[ScenarioSet, ...]
    historical: tuple[ProfitTable, ...]
    stress: tuple[ProfitTable, ...]
    stress_weighted: tuple[ProfitTable, ...]
    rise_profit: NDArray[np.float64]
    fall_profit: NDArray[np.float64]
    ranges: Ranges

    @property
    def value(self) -> NDArray[np.float64]:
        """Worth of one contract now in USD, shape (I,)."""
        return self.historical[0].value


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of rows of positions in USD, shape (rows,) each, at least 0.

    Attributes
    ----------
    tail : float64 array
        Largest ES over the historical sets.
    tail_set : int8 array
        Index of the historical set that gave it.
    stress, stress_unweighted : float64 arrays
    finite : bool array
        False where a profit of the row is not a number or overflows: its figures mean nothing.
    """

    tail: NDArray[np.float64]
    tail_set: NDArray[np.int8]
    stress: NDArray[np.float64]
    stress_unweighted: NDArray[np.float64]
    finite: NDArray[np.bool_]


def price_horizon(problem: Problem, hours: int, every_hour: bool) -> PricedHorizon:
    """Price all instruments in all scenarios of one horizon.

    Parameters
    ----------
    problem : Problem
    hours : int
    every_hour : bool
        Value the book after each hour, so that the worst point of a path counts (maintenance); else at the end only.
    """
    calibration, market, instruments = problem.calibration, problem.market, problem.instruments
    threads, model = problem.threads, problem.model
    settings = calibration.settings
    paths = historical_paths(calibration, problem.recent, hours)
    historical = [paths]
    if model.trend_addon:
        historical.append(stretched_by_trend(paths, calibration, problem.recent, model.trend_strength))
    ranges = horizon_ranges(paths, _least_range(calibration, market, hours))
    stress, twist = stress_set(market.symbols, ranges), twist_set(market.symbols, ranges)
    parallel, link = parallel_response(market, settings), thirty_day_link(market)
    steps = np.arange(hours, dtype=np.int64) if every_hour else np.array([hours - 1], dtype=np.int64)
    tables = []
    for scenarios in historical:
        shock = level_shock(scenarios.volatility_shock[:, steps], scenarios.log_return[:, steps], link, settings)
        factors = FactorPaths(scenarios.hours, scenarios.log_return, steps, shock)
        tables.append(revalue(instruments, market, parallel, factors, threads))
    instant = revalue(instruments, market, parallel, _instant(stress), threads)
    twisted = revalue(instruments, market, twist_response(market, settings), _instant(twist), threads)
    weighted = (_weighted(instant, stress, instruments), _weighted(twisted, twist, instruments))
    rise, fall = _alone_profits(market, instruments, stress, instant)
    sets = (*historical, stress, twist)
    return PricedHorizon(hours, sets, tuple(tables), (instant, twisted), weighted, rise, fall, ranges)


def losses_of(
    problem: Problem,
    priced: PricedHorizon,
    indptr: NDArray[np.int64],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
) -> Losses:
    """Return the losses of rows of positions; a gain counts as 0. Check `finite` before use."""
    rows, threads = indptr.size - 1, problem.threads
    tail, tail_set, finite = np.zeros(rows), np.zeros(rows, dtype=np.int8), np.ones(rows, dtype=np.bool_)
    for code, table in enumerate(priced.historical):
        result = expected_shortfall(table, indptr, instrument, quantity, 1.0 - problem.model.es_level, None, threads)
        tail_set = np.where(result.expected_shortfall > tail, np.int8(code), tail_set)
        tail = np.maximum(tail, result.expected_shortfall)
        finite &= result.finite
    weighted, unweighted = np.zeros(rows), np.zeros(rows)
    for tables, worst in ((priced.stress_weighted, weighted), (priced.stress, unweighted)):
        for table in tables:
            stressed = worst_stress(table, indptr, instrument, quantity, None, threads)
            np.maximum(worst, stressed.loss, out=worst)
            finite &= stressed.finite
    return Losses(tail, tail_set, weighted, unweighted, finite)


def effective_size_usd(
    priced: PricedHorizon,
    indptr: NDArray[np.int64],
    underlying: NDArray[np.int32],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what has to be traded to close each row of one underlying, in USD of spot.

    The mean delta over a move by the 99.5 % range, the larger of up and down: the net size of a linear book, about 0
    for a box, and not 0 for a straddle, whose delta is 0 only while nothing moves.
    """
    rise = np.abs(segment_products(indptr, instrument, quantity, priced.rise_profit))
    fall = np.abs(segment_products(indptr, instrument, quantity, priced.fall_profit))
    return np.maximum(rise / priced.ranges.rise[underlying], fall / priced.ranges.fall[underlying])


def _least_range(calibration: Calibration, market: MarketState, hours: int) -> NDArray[np.float64]:
    long_run = np.array([calibration.assets[calibration.index_of(s)].long_run_variance for s in market.symbols])
    floor = calibration.settings.variance_floor * long_run
    result: NDArray[np.float64] = LEAST_RANGE_DEVIATIONS * np.sqrt(hours * floor)
    return result


def _instant(scenarios: ScenarioSet) -> FactorPaths:
    first = np.zeros(1, dtype=np.int64)
    return FactorPaths(scenarios.hours, scenarios.log_return, first, scenarios.volatility_shock)


def _weighted(table: ProfitTable, scenarios: ScenarioSet, instruments: Instruments) -> ProfitTable:
    """Scale what each instrument makes by the weight of its underlying's move."""
    weight = scenarios.weight[instruments.underlying]
    return ProfitTable.from_dense(table.dense() * weight[:, None, :], table.value)


def _alone_profits(
    market: MarketState, instruments: Instruments, stress: ScenarioSet, table: ProfitTable
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rise, fall = alone_indices(market.symbols, stress)
    profit, every = table.dense()[:, 0], np.arange(len(instruments))
    return profit[every, rise[instruments.underlying]], profit[every, fall[instruments.underlying]]
