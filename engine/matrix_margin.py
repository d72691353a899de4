"""What a venue's matrix asks of accounts, on our instruments and market: their margin beside ours from one engine.

Options keep the volatility of their strike, times the matrix's factor for their tenor; nothing decays. The loss of an
underlying's part of an account is its worst weighted cell; parts are added up without offset.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments, Kind, Positions, check_book
from engine.errors import InvalidInput, NonFiniteResult
from engine.kernels.black76 import price
from engine.kernels.profit import ProfitTable
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.special import exp_array, log_array
from engine.kernels.tail import worst_stress
from engine.market import MarketState, check_market
from engine.rows import cut_into_rows
from engine.scenarios.matrix import VenueMatrix
from engine.surface.arbitrage import node_slice
from engine.surface.response import SECONDS_A_DAY

Vector = NDArray[np.float64]


def matrix_margin(
    matrix: VenueMatrix, instruments: Instruments, market: MarketState, positions: Positions, threads: int = 1
) -> Vector:
    """Return the loss in the worst cell, added up over underlyings, in USD, shape (A,); 0 where no cell loses.

    Raises
    ------
    InvalidInput
        If instruments, market, positions and matrix do not fit each other; the message names the value.
    NonFiniteResult
        If a profit is not finite; the message names the account.
    """
    check_book(instruments, positions)
    table = matrix_profits(matrix, instruments, market, threads)
    weighted = table.dense() * matrix.scenarios.weight[instruments.underlying][:, None, :]
    rows = cut_into_rows(instruments, positions)
    counted = ProfitTable.from_dense(weighted, table.value)
    worst = worst_stress(counted, rows.part_indptr, rows.instrument, rows.quantity, None, threads)
    bad = np.flatnonzero(rows.sum_parts(np.where(worst.finite, 0.0, 1.0)))
    if bad.size:
        raise NonFiniteResult(f"account {bad[0]}: its profit in a cell is not finite; check its quantities")
    return rows.sum_parts(np.maximum(worst.loss, 0.0))


def matrix_profits(matrix: VenueMatrix, instruments: Instruments, market: MarketState, threads: int = 1) -> ProfitTable:
    """Return the profit in USD of one contract of every instrument in every cell, unweighted."""
    scenarios = matrix.scenarios
    check_market(market, instruments)
    if len(scenarios.log_return) != len(market.symbols):
        raise InvalidInput(
            f"the matrix {scenarios.name} is of {len(scenarios.log_return)} underlyings, the market of "
            f"{len(market.symbols)}"
        )
    still = np.zeros(market.slice_seconds.size)
    paths = FactorPaths(
        scenarios.hours, scenarios.log_return, np.zeros(1, np.int64), np.zeros_like(scenarios.log_return)
    )
    table = revalue(instruments, market, SurfaceResponse(still, still, still, 1.0, 1.0), paths, threads)
    profit, value = table.dense(), table.value.copy()
    for row in np.flatnonzero(instruments.kind >= Kind.CALL):
        profit[row, 0], value[row] = _option(matrix, instruments, market, int(row))
    return ProfitTable.from_dense(profit, value)


def _option(matrix: VenueMatrix, instruments: Instruments, market: MarketState, row: int) -> tuple[Vector, float]:
    """Profit of one contract in each cell, and its value now; the last of the priced moves is none at all."""
    slice_, underlying = int(instruments.slice[row]), int(instruments.underlying[row])
    nodes, forward = node_slice(market, slice_), market.forward[slice_]
    k = log_array(instruments.strike[row]) - log_array(forward)
    volatility = np.sqrt(nodes.total_variance_at(np.atleast_1d(k)) / nodes.years)[0]
    factor = matrix.volatility_factor(underlying, float(market.slice_seconds[slice_]) / SECONDS_A_DAY)
    raised = matrix.scenarios.volatility_shock[underlying, 0] > 0.0
    shocked = np.where(raised, np.maximum(volatility * factor, matrix.least_raised_volatility), volatility * factor)
    every = np.append(shocked, volatility)
    moved = np.append(matrix.scenarios.log_return[underlying, 0], 0.0)
    log_forward = log_array(forward) + moved
    out = np.empty(every.size)
    price(
        bool(instruments.kind[row] == Kind.CALL), float(instruments.strike[row]),
        float(log_array(instruments.strike[row])), exp_array(log_forward), log_forward,
        every * every * nodes.years, float(market.discount[slice_]), out,
    )  # fmt: skip
    if instruments.inverse[row]:
        # the coin price, turned into USD at the spot of the cell
        out *= market.spot[underlying] / forward
    out *= instruments.multiplier[row]
    return out[:-1] - out[-1], float(out[-1])
