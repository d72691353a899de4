"""Accounts by the table of profits, and the tail of what comes out, in one pass; no accounts x scenarios matrix.

Tail of a loss, for a mass m = (1 - level) x total weight (Acerbi and Tasche 2002, J. Banking & Finance 26, eq. 12):

    t   = the smallest profit x with  weight{profit <= x} >= m (1 - 1e-9)          VaR = -t
    ES  = -( sum over profit < t of weight x profit  +  (m - weight{profit < t}) t ) / m

so the scenario on the boundary counts with the fraction of its weight that m still needs; ties do not matter. The
1e-9 is for masses that miss a whole number of scenarios by rounding (1 - 0.99 is not 0.01); it lowers t, the
conservative side. Weights are integers (each 1, or the given ones in units of 2^-60 of their total), so that their
sums are exact in any order; the sum of profits runs in scenario order. A scenario of weight 0 does not exist.

Of each account only the profits below a threshold are kept (`selection`): memory does not grow with the scenarios.
Scenarios sorted by severity, worst first, make it tighten early: 1.1 to 1.4 times faster, same rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine._jit import kernel, mask64_lt, read_only, trailing_zeros
from engine.kernels.aggregate import account_profit
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.selection import boundary, collect, compact, tail_mean

Vector = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK = 1024
"""Accounts that share one reading of a tile."""
BLOCK_BYTES = 1 << 24
"""Memory for the tails of a block; many tiny weights make its rows long, and the block then has fewer accounts."""
MASS_SLACK = 1e-9
LARGEST_FINITE = 1e280
"""A bound of an account's profits above it counts as overflow: weighted sums must stay finite too."""
WEIGHT_UNIT = float(1 << 60)


@dataclass(frozen=True, slots=True)
class Tail:
    """Tail of each account's loss in USD; positive numbers are losses. Rows as in the positions.

    Attributes
    ----------
    expected_shortfall, value_at_risk, worst : float64 array, shape (accounts,)
        ES and VaR by the rule above, and the largest loss; negative where even the tail is a gain.
    finite : bool array, shape (accounts,)
        False where a profit is not a number or could overflow: the figures of that row mean nothing.
    """

    expected_shortfall: NDArray[np.float64]
    value_at_risk: NDArray[np.float64]
    worst: NDArray[np.float64]
    finite: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Stress:
    """Worst weighted outcome of each account over a list of scenarios.

    Attributes
    ----------
    loss : float64 array, shape (accounts,)
        Largest of weight x loss in USD; negative when every scenario gains.
    scenario : int64 array, shape (accounts,)
        The scenario that gave it; of equal ones, the first.
    finite : bool array, shape (accounts,)
        As in `Tail`.
    """

    loss: NDArray[np.float64]
    scenario: NDArray[np.int64]
    finite: NDArray[np.bool_]


@kernel
def tail_rows(
    tiles: Vector, indptr: Rows, instrument: NDArray[np.int32], quantity: Vector, weight: Rows,
    mass: float, need: int, most: int, first_row: int, last_row: int,
    es_out: Vector, var_out: Vector, worst_out: Vector,
) -> None:  # fmt: skip
    """Tail of the accounts `first_row` to before `last_row`; see the module for the rule.

    Shapes: tiles (tiles, steps, instruments, TILE); weight (tiles * TILE,), 0 in pads. `need` is the mass that defines
    t; `most`, how many of the smallest positive weights stay below it. Tiles outside, accounts inside: a tile is read
    into the cache once for all of them.
    """
    rows = last_row - first_row
    enough = most + 1 + (most >> 3)
    full = most + (most >> 1) + 64
    kept_value = np.empty((rows, full + TILE))
    kept_weight = np.empty((rows, full + TILE), np.int64)
    kept = np.zeros(rows, np.int64)
    threshold = np.full(rows, np.inf)
    y, other = np.empty(TILE), np.empty(TILE)
    for t in range(tiles.shape[0]):
        tile_weight = weight[t * TILE : (t + 1) * TILE]
        for row in range(rows):
            account = first_row + row
            account_profit(tiles[t], instrument, quantity, indptr[account], indptr[account + 1], y, other)
            n = collect(y, tile_weight, threshold[row], kept_value[row], kept_weight[row], kept[row])
            if n >= full:
                threshold[row] = boundary(kept_value[row], kept_weight[row], n, need, enough)
                n = compact(kept_value[row], kept_weight[row], n, need, threshold[row])
            kept[row] = n
    for row in range(rows):
        if kept[row] == 0:
            # every profit is NaN or +infinity, so the caller's test of finiteness has the word
            es_out[first_row + row] = var_out[first_row + row] = worst_out[first_row + row] = np.nan
            continue
        quantile, average = tail_mean(kept_value[row], kept_weight[row], kept[row], need, mass)
        es_out[first_row + row] = -average
        var_out[first_row + row] = -quantile
        worst_out[first_row + row] = -kept_value[row, : kept[row]].min()


@kernel
def stress_rows(
    tiles: Vector, indptr: Rows, instrument: NDArray[np.int32], quantity: Vector, weight: Vector,
    first_row: int, last_row: int, loss_out: Vector, scenario_out: Rows,
) -> None:  # fmt: skip
    """Largest weight x loss and the first scenario that gives it, for the accounts `first_row` to before `last_row`."""
    y, other = np.empty(TILE), np.empty(TILE)
    for row in range(first_row, last_row):
        loss_out[row] = -np.inf
        scenario_out[row] = 0
    for t in range(tiles.shape[0]):
        tile_weight = weight[t * TILE : (t + 1) * TILE]
        for row in range(first_row, last_row):
            account_profit(tiles[t], instrument, quantity, indptr[row], indptr[row + 1], y, other)
            for j in range(TILE):
                y[j] = tile_weight[j] * y[j] if j < tile_weight.size else np.inf
            for half in range(0, TILE, 64):
                mask = mask64_lt(y, half, -loss_out[row])
                while mask != 0:
                    j = half + trailing_zeros(mask)
                    if -y[j] > loss_out[row]:
                        loss_out[row] = -y[j]
                        scenario_out[row] = t * TILE + j
                    mask &= mask - 1


@kernel
def _bounded(
    largest: Vector, indptr: Rows, instrument: NDArray[np.int32], quantity: Vector,
    first_row: int, last_row: int, out: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Whether the sum of the positions' largest absolute profits is bounded, so that no profit is NaN or overflows."""
    for row in range(first_row, last_row):
        total = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            total += abs(quantity[p]) * largest[instrument[p]]
        out[row] = total < LARGEST_FINITE


@dataclass(frozen=True, slots=True)
class _Mass:
    """Weights as integers with pads of 0, the tail's mass, and what the kernel needs to know of both."""

    units: NDArray[np.int64]
    mass: float
    need: int
    most: int

    @classmethod
    def of(cls, weights: NDArray[np.float64] | None, scenario_count: int, padded: int, probability: float) -> _Mass:
        units = np.zeros(padded, dtype=np.int64)
        if weights is None:
            units[:scenario_count] = 1
        else:
            # a running sum, since numpy's own adds pairwise in an order of its choosing
            units[:scenario_count] = np.rint(weights * (WEIGHT_UNIT / np.cumsum(weights)[-1]))
        sums = np.cumsum(np.sort(units[units > 0]))
        mass = min(probability, 1.0) * float(sums[-1])
        need = max(int(np.ceil(mass * (1.0 - MASS_SLACK))), 1)
        return cls(units, mass, need, int(np.searchsorted(sums, need, side="left")))

    def block(self) -> int:
        """Return how many accounts to take at a time."""
        row_bytes = 16 * (self.most + (self.most >> 1) + 64 + TILE)
        return max(1, min(BLOCK, BLOCK_BYTES // row_bytes))


def expected_shortfall(
    table: ProfitTable,
    indptr: NDArray[np.int64],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
    tail_probability: float,
    weights: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> Tail:
    """Return the tail of every account's loss; with several steps, of its worst loss over them.

    Parameters
    ----------
    table : ProfitTable
        Profits of one contract in USD.
    indptr, instrument, quantity : arrays, shapes (accounts + 1,), (positions,), (positions,)
        Compressed rows: account a holds ``quantity[p]`` contracts of ``instrument[p]``, p from ``indptr[a]`` to before
        ``indptr[a + 1]``. An empty row gives 0.
    tail_probability : float
        1 - level, in (0, 1].
    weights : float64 array, shape (scenarios,), optional
        At least 0, finite, with a positive sum, which need not be 1. None: all equal.
    threads : int
        Does not change a bit of the result.

    Returns
    -------
    Tail
        Losses positive. Check `finite` before use, no kernel raises: rows that are not have NaN.
    """
    accounts = len(indptr) - 1
    target = _Mass.of(weights, table.scenario_count, table.tiles.shape[0] * TILE, tail_probability)
    book = read_only(indptr, np.int64), read_only(instrument, np.int32), read_only(quantity, np.float64)
    sources = read_only(table.tiles, np.float64), *book, read_only(target.units, np.int64)
    es, var, worst = np.empty(accounts), np.empty(accounts), np.empty(accounts)
    finite = np.empty(accounts, dtype=np.bool_)

    def work(first: int, last: int) -> None:
        _bounded(read_only(table.largest, np.float64), *book, first, last, finite)
        tail_rows(*sources, target.mass, target.need, target.most, first, last, es, var, worst)

    over_rows(work, split_rows(accounts, target.block(), threads), threads)
    for figure in (es, var, worst):
        figure[~finite] = np.nan
    return Tail(es, var, worst, finite)


def worst_stress(
    table: ProfitTable,
    indptr: NDArray[np.int64],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> Stress:
    """Return the worst weighted loss of every account over the table's scenarios, and which one it is.

    Parameters as in `expected_shortfall`; `weights` multiply the profits (1 when None).
    """
    accounts = len(indptr) - 1
    factors = read_only(np.ones(table.scenario_count) if weights is None else weights, np.float64)
    book = read_only(indptr, np.int64), read_only(instrument, np.int32), read_only(quantity, np.float64)
    loss, scenario = np.empty(accounts), np.empty(accounts, dtype=np.int64)
    finite = np.empty(accounts, dtype=np.bool_)

    def work(first: int, last: int) -> None:
        _bounded(read_only(table.largest, np.float64), *book, first, last, finite)
        stress_rows(read_only(table.tiles, np.float64), *book, factors, first, last, loss, scenario)

    over_rows(work, split_rows(accounts, BLOCK, threads), threads)
    loss[~finite] = np.nan
    return Stress(loss, scenario, finite)
