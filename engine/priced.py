"""One horizon's tables of profits: every instrument in every scenario of every set, priced once for all accounts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments
from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.errors import InvalidInput
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.revalue import FactorPaths, revalue
from engine.market import MarketState
from engine.scenarios.drawn import drawn_sets
from engine.scenarios.scenario_set import ScenarioSet
from engine.scenarios.stress import Ranges, alone_indices, horizon_ranges, stress_set, twist_set
from engine.slopes import Slopes, slopes_of
from engine.surface.response import level_shock, parallel_response, thirty_day_answer, twist_response

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
class SampledTable:
    """Profits in scenarios that were drawn, with what they are called when they bind.

    Attributes
    ----------
    component : str
        An entry of `COMPONENTS`.
    replicates : tuple of ProfitTable
        One, or independent replications of the same draw, whose spread tells the sampling error.
    probability : tuple of float64 array or None
        Of each replicate, as in `ScenarioSet`.
    """

    component: str
    replicates: tuple[ProfitTable, ...]
    probability: tuple[NDArray[np.float64] | None, ...]


@dataclass(frozen=True, slots=True)
class PricedHorizon:
    """Every instrument in every scenario of one horizon.

    Attributes
    ----------
    hours : int
    sets : tuple of ScenarioSet
        Those that were drawn first, then the stress lists.
    sampled : tuple of SampledTable
        Those of `engine.scenarios.drawn`.
    stress, stress_weighted : tuple of ProfitTable
        Parallel list and twist, as they are and times their weights.
    rise_profit, fall_profit : float64 arrays, shape (I,)
        Profit of one contract when its underlying alone moves by its range.
    ranges : Ranges
    slopes : Slopes
        Deltas of one contract within the ranges.
    """

    hours: int
    sets: tuple[ScenarioSet, ...]
    sampled: tuple[SampledTable, ...]
    stress: tuple[ProfitTable, ...]
    stress_weighted: tuple[ProfitTable, ...]
    rise_profit: NDArray[np.float64]
    fall_profit: NDArray[np.float64]
    ranges: Ranges
    slopes: Slopes

    @property
    def value(self) -> NDArray[np.float64]:
        """Worth of one contract now in USD, shape (I,)."""
        return self.sampled[0].replicates[0].value


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
    threads, moves = problem.threads, calibration.surface
    drawn = drawn_sets(calibration, problem.recent, hours, every_hour, problem.model)
    ranges = horizon_ranges(drawn[0][1], _least_range(calibration, market, hours))
    depegs = {token.symbol: token.depeg_stress_fraction for token in calibration.tokens}
    stress, twist = stress_set(market.symbols, ranges, depegs), twist_set(market.symbols, ranges)
    parallel, thirty = parallel_response(market, moves), thirty_day_answer(market)
    sampled = []
    for component, scenarios in drawn:
        points = scenarios.hours.size
        steps = np.arange(0 if every_hour else points - 1, points, dtype=np.int64)
        shock = level_shock(scenarios.volatility_shock[:, steps], scenarios.log_return[:, steps], thirty, moves)
        shape = scenarios.shape_shock[:, :, steps] if scenarios.shape_shock.size else None
        factors = FactorPaths(scenarios.hours, scenarios.log_return, steps, shock, shape)
        sampled.append(_replicated(component, scenarios, revalue(instruments, market, parallel, factors, threads)))
    instant = revalue(instruments, market, parallel, _instant(stress), threads)
    twisted = revalue(instruments, market, twist_response(market, moves), _instant(twist), threads)
    weighted = (_weighted(instant, stress, instruments), _weighted(twisted, twist, instruments))
    rise, fall = _alone_profits(market, instruments, stress, instant)
    sets = (*(scenarios for _, scenarios in drawn), stress, twist)
    slopes = slopes_of(instruments, market, parallel, ranges, threads)
    return PricedHorizon(hours, sets, tuple(sampled), (instant, twisted), weighted, rise, fall, ranges, slopes)


def _replicated(component: str, scenarios: ScenarioSet, table: ProfitTable) -> SampledTable:
    """Cut a table into the replications that its set consists of; whole tiles each where there are several."""
    count = scenarios.scrambles
    if count == 1:
        return SampledTable(component, (table,), (scenarios.probability,))
    tiles, size = table.tiles.shape[0] // count, table.scenario_count // count
    if size != tiles * TILE:
        raise InvalidInput(f"{scenarios.name}: a scramble of {size} scenarios does not fill tiles of {TILE}")
    cuts = [slice(i * tiles, (i + 1) * tiles) for i in range(count)]
    tables = tuple(ProfitTable(table.tiles[cut], size, table.largest, table.value) for cut in cuts)
    probability = scenarios.probability
    given = (None,) * count if probability is None else tuple(probability.reshape(count, size))
    return SampledTable(component, tables, given)


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
