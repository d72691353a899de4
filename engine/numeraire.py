"""Coin-settled instruments in their own numeraire: what a coin-margined market loses is counted in coin (DESIGN 3.10).

A coin's worth of collateral is worth less in the very scenario in which a long loses. In coin, as a fraction of the
notional, a profit is that in USD divided by S'/S, scenario by scenario and before any tail is taken: a long inverse
perpetual that loses q of its USD notional loses q / (1 - q) of its coins. The expected shortfall of that is not the
same transform of the expected shortfall of q, and lies above it.

Weighted stresses are turned at the weighted move, so that what is delta one is asked for its range and not for more.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.kernels.profit import ProfitTable
from engine.kernels.special import exp_array
from engine.priced import PricedHorizon, Problem, SampledTable
from engine.scenarios.scenario_set import ScenarioSet


def in_coin(problem: Problem, priced: PricedHorizon, inverse: NDArray[np.int64]) -> PricedHorizon:
    """Return the tables of some instruments alone, their profits in coin times the spot of now.

    Parameters
    ----------
    problem : Problem
    priced : PricedHorizon
        In USD.
    inverse : int64 array, shape (n,)
        The instruments that are settled in coin; row k of the new tables is `inverse[k]`.

    Returns
    -------
    PricedHorizon
        Good for `losses_of` and for nothing else: unweighted stresses are left out.
    """
    underlying = problem.instruments.underlying[inverse]
    drawn, lists = priced.sets[: len(priced.sampled)], priced.sets[len(priced.sampled) :]
    sampled = tuple(
        _turned(table, inverse, underlying, scenarios) for table, scenarios in zip(priced.sampled, drawn, strict=True)
    )
    weighted = []
    for table, scenarios in zip(priced.stress_weighted, lists, strict=True):
        move = exp_array(scenarios.log_return) - 1.0
        weighted.append(_divided(table, inverse, (1.0 + scenarios.weight[:, None] * move)[underlying]))
    return replace(priced, sampled=sampled, stress=(), stress_weighted=tuple(weighted))


def _turned(
    sampled: SampledTable, rows: NDArray[np.int64], underlying: NDArray[np.int32], scenarios: ScenarioSet
) -> SampledTable:
    """Divide each replicate by S'/S in its own scenarios, at the points at which the book was valued."""
    steps = sampled.replicates[0].tiles.shape[1]
    ratio = exp_array(scenarios.log_return[:, -steps:])[underlying]
    size = sampled.replicates[0].scenario_count
    tables = tuple(
        _divided(table, rows, ratio[:, :, k * size : (k + 1) * size]) for k, table in enumerate(sampled.replicates)
    )
    return replace(sampled, replicates=tables)


def _divided(table: ProfitTable, rows: NDArray[np.int64], ratio: NDArray[np.float64]) -> ProfitTable:
    some = ProfitTable(table.tiles[:, :, rows], table.scenario_count, table.largest[rows], table.value[rows])
    return ProfitTable.from_dense(some.dense() / ratio, some.value)
