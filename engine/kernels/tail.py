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

from engine._jit import add_rows64, kernel, mask64_lt, read_only, trailing_zeros
from engine.kernels.aggregate import STRIP, row_base
from engine.kernels.narrow import WIDTH, Book, NarrowBook, NarrowTable
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.refine import finish_rows, refine_hot, refine_rows
from engine.kernels.scan import Tails, Target, blocks_of, pack_rows, scan_rows

Vector = NDArray[np.float64]
Rows = NDArray[np.int64]

BLOCK = 4096
"""Accounts that share one reading of a tile."""
BLOCK_BYTES = 1 << 25
"""Memory for the tails of a block; many tiny weights make its rows long, and the block then has fewer accounts."""
BYTES_OF_VALUE = 12
BLOCKS_TOGETHER = 4
"""Blocks whose tails are refined together: the float64 table is read once for all of them."""
MASS_SLACK = 1e-9
LARGEST_FINITE = 1e280
"""A bound of an account's profits above it counts as overflow: weighted sums must stay finite too."""
WEIGHT_UNIT = float(1 << 60)
NARROW_READINGS = 8
"""A table is converted to float32 when its rows are read at least so often."""
NARROW_POSITIONS = 100
"""And when an account has so many positions: with fewer, to refine a tail costs more than a narrow scan saves."""
NARROW_TAIL = 0.0105
"""And when so few of the scenarios are in a tail: each costs as much to refine as a hundred to scan."""


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
def stress_rows(
    tiles: Vector, indptr: Rows, instrument: NDArray[np.int32], quantity: Vector, weight: Vector,
    first_row: int, last_row: int, loss_out: Vector, scenario_out: Rows,
) -> None:  # fmt: skip
    """Largest weight x loss and the first scenario that gives it, for the accounts `first_row` to before `last_row`."""
    y = np.empty(STRIP)
    for row in range(first_row, last_row):
        loss_out[row] = -np.inf
        scenario_out[row] = 0
    for t in range(tiles.shape[0]):
        for row in range(first_row, last_row):
            start, stop = indptr[row], indptr[row + 1]
            for first in range(0, TILE, STRIP):
                for step in range(tiles.shape[1]):
                    base = row_base(tiles.shape, t, step, first)
                    add_rows64(tiles, base, TILE, instrument, quantity, start, stop, y, 0, step > 0)
                begin = t * TILE + first
                for j in range(STRIP):
                    y[j] = weight[begin + j] * y[j] if begin + j < weight.size else np.inf
                mask = mask64_lt(y, 0, -loss_out[row])
                while mask != 0:
                    j = trailing_zeros(mask)
                    if -y[j] > loss_out[row]:
                        loss_out[row] = -y[j]
                        scenario_out[row] = begin + j
                    mask &= mask - 1


@kernel
def bounded_rows(
    largest: Vector, indptr: Rows, instrument: NDArray[np.int32], quantity: Vector,
    first_row: int, last_row: int, out: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Whether the sum of the positions' largest absolute profits is bounded, so that no profit is NaN or overflows."""
    for row in range(first_row, last_row):
        total = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            total += abs(quantity[p]) * largest[instrument[p]]
        out[row] = total < LARGEST_FINITE


def target_of(weights: NDArray[np.float64] | None, scenario_count: int, probability: float) -> Target:
    """Return the tail that is looked for."""
    units = np.zeros(-(-scenario_count // WIDTH) * WIDTH, dtype=np.int64)
    if weights is None:
        units[:scenario_count] = 1
    else:
        # a running sum, since numpy's own adds pairwise in an order of its choosing
        units[:scenario_count] = np.rint(weights * (WEIGHT_UNIT / np.cumsum(weights)[-1]))
    sums = np.cumsum(np.sort(units[units > 0]))
    mass = min(probability, 1.0) * float(sums[-1])
    need = max(int(np.ceil(mass * (1.0 - MASS_SLACK))), 1)
    # so many of the smallest weights stay below that mass
    most = int(np.searchsorted(sums, need, side="left"))
    enough, full = most + 1 + (most >> 3), most + (most >> 1) + STRIP
    return Target(read_only(units, np.int64), mass, need, enough, full)


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
    target = target_of(weights, table.scenario_count, tail_probability)
    book = read_only(indptr, np.int64), read_only(instrument, np.int32), read_only(quantity, np.float64)
    figures = np.empty(accounts), np.empty(accounts), np.empty(accounts)
    finite = np.empty(accounts, dtype=np.bool_)
    tiles, largest = read_only(table.tiles, np.float64), read_only(table.largest, np.float64)
    block = max(1, min(BLOCK, BLOCK_BYTES // ((target.full + STRIP) * BYTES_OF_VALUE)))
    narrow, exact = _narrowed(table, target, largest, book, threads), np.zeros(accounts)

    def work(first: int, last: int) -> None:
        bounded_rows(largest, *book, first, last, finite)
        rest = np.arange(first, last)
        buffers = Tails.of(min(block, rest.size), target)
        if narrow is not None:
            chosen, rest = narrow.choose(target, buffers, rest)
            refine_hot(narrow.table.hot, *book, chosen)
            refine_rows(tiles, narrow.table.hot.lane, *book, chosen)
            finish_rows(target, chosen, *figures)
        for rows in blocks_of(rest, block):
            tails = buffers.started(rows)
            scan_rows(tiles, *book, exact, target, tails)
            finish_rows(target, pack_rows(tails), *figures)

    over_rows(work, split_rows(accounts, BLOCKS_TOGETHER * block, threads), threads)
    for figure in figures:
        figure[~finite] = np.nan
    return Tail(*figures, finite)


def _narrowed(table: ProfitTable, target: Target, largest: Vector, book: Book, threads: int) -> NarrowBook | None:
    """Table and book in float32, or None where that would not pay."""
    accounts, positions = book[0].size - 1, book[1].size
    if positions < max(NARROW_READINGS * largest.size, NARROW_POSITIONS * accounts):
        return None
    converted = NarrowTable.of(table, target, threads)
    if converted.expected > NARROW_TAIL * table.scenario_count:
        return None
    return NarrowBook.of(converted, largest, book, threads)


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
        bounded_rows(read_only(table.largest, np.float64), *book, first, last, finite)
        stress_rows(read_only(table.tiles, np.float64), *book, factors, first, last, loss, scenario)

    over_rows(work, split_rows(accounts, BLOCK, threads), threads)
    loss[~finite] = np.nan
    return Stress(loss, scenario, finite)
