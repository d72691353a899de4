"""Accounts by the table of profits, and the tail of what comes out, in one pass; no accounts x scenarios matrix.

Tail of a loss, for a mass m = (1 - level) x total weight (Acerbi and Tasche 2002, J. Banking & Finance 26, eq. 12):

    t   = the smallest profit x with  weight{profit <= x} >= m (1 - 1e-9)          VaR = -t
    ES  = -( sum over profit < t of weight x profit  +  (m - weight{profit < t}) t ) / m

so the scenario on the boundary counts with the fraction of its weight that m still needs; ties do not matter. The
1e-9 is for masses that miss a whole number of scenarios by rounding (1 - 0.99 is not 0.01); it lowers t, the
conservative side. Weights are integers (each 1, or the given ones in units of 2^-60 of their total), so that their
sums are exact in any order; the sum of profits runs in scenario order. A scenario of weight 0 does not exist.

Scenarios are vectors, positions and tails are sums one after the other. Of each account only the profits below a
threshold are kept; when the buffer is full the threshold comes down by bisection to what the tail still needs.
Scenarios sorted by severity, worst first, make it tighten early: 1.1 to 1.4 times faster, same rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel, mask64_lt, read_only, trailing_zeros
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable

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


@inlined
def _accumulate(matrix, instrument, quantity, start, stop, y):
    """y = sum of quantity x row of `matrix` over the positions, in stored order; eight rows to a pass over y."""
    for j in range(TILE):
        y[j] = 0.0
    p = start
    while p + 8 <= stop:
        r0, r1, r2, r3 = matrix[instrument[p]], matrix[instrument[p + 1]], matrix[instrument[p + 2]], matrix[instrument[p + 3]]
        r4, r5, r6, r7 = matrix[instrument[p + 4]], matrix[instrument[p + 5]], matrix[instrument[p + 6]], matrix[instrument[p + 7]]
        q0, q1, q2, q3 = quantity[p], quantity[p + 1], quantity[p + 2], quantity[p + 3]
        q4, q5, q6, q7 = quantity[p + 4], quantity[p + 5], quantity[p + 6], quantity[p + 7]
        for j in range(TILE):
            low = fma(q3, r3[j], fma(q2, r2[j], fma(q1, r1[j], fma(q0, r0[j], y[j]))))
            y[j] = fma(q7, r7[j], fma(q6, r6[j], fma(q5, r5[j], fma(q4, r4[j], low))))
        p += 8
    while p + 4 <= stop:
        r0, r1, r2, r3 = matrix[instrument[p]], matrix[instrument[p + 1]], matrix[instrument[p + 2]], matrix[instrument[p + 3]]
        q0, q1, q2, q3 = quantity[p], quantity[p + 1], quantity[p + 2], quantity[p + 3]
        for j in range(TILE):
            y[j] = fma(q3, r3[j], fma(q2, r2[j], fma(q1, r1[j], fma(q0, r0[j], y[j]))))
        p += 4
    while p < stop:
        r0 = matrix[instrument[p]]
        q0 = quantity[p]
        for j in range(TILE):
            y[j] = fma(q0, r0[j], y[j])
        p += 1


@inlined
def _worst_over_steps(tile, instrument, quantity, start, stop, y, other):
    """y = the account's profit in each scenario of the tile, the lowest of its steps."""
    _accumulate(tile[0], instrument, quantity, start, stop, y)
    for step in range(1, tile.shape[0]):
        _accumulate(tile[step], instrument, quantity, start, stop, other)
        for j in range(TILE):
            y[j] = other[j] if other[j] < y[j] else y[j]


@inlined
def _ordered(x):
    """Map a float to an integer of the same order, and back."""
    bits = float_bits(x)
    return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)


@inlined
def _mass_and_count(value, weight, n, x):
    mass = np.int64(0)
    count = np.int64(0)
    for i in range(n):
        kept = value[i] <= x
        mass += weight[i] if kept else 0
        count += 1 if kept else 0
    return mass, count


@kernel
def _boundary(value, weight, n, need, enough):
    """Find an x with mass{value <= x} >= need and count{value <= x} <= enough, else the smallest x with that mass.

    Halves the interval between values first, then between their integer images, which ends in 64 steps whatever
    the values; `enough` = 0 asks for the smallest x, the quantile itself. The mass of all n is at least `need`.
    """
    low = value[0]
    high = value[0]
    for i in range(1, n):
        low = value[i] if value[i] < low else low
        high = value[i] if value[i] > high else high
    mass, count = _mass_and_count(value, weight, n, low)
    if mass >= need:
        return low
    count = n
    step = 0
    while count > enough and _ordered(high) - _ordered(low) != 1:
        if step < 24:
            middle = 0.5 * low + 0.5 * high
        else:
            image = (_ordered(low) >> 1) + (_ordered(high) >> 1) + (_ordered(low) & _ordered(high) & 1)
            middle = bits_float(image ^ ((image >> 63) & 0x7FFFFFFFFFFFFFFF))
        mass, below = _mass_and_count(value, weight, n, middle)
        if mass >= need:
            high = middle
            count = below
        else:
            low = middle
        step += 1
    return high


@kernel
def _compact(value, weight, n, need, x):
    """Keep, in their order, what lies below x and as many of those equal to x as reach the mass; return how many."""
    below = np.int64(0)
    for i in range(n):
        below += weight[i] if value[i] < x else 0
    kept = 0
    for i in range(n):
        tie = value[i] == x and below < need
        below += weight[i] if tie else 0
        keep = value[i] < x or tie
        value[kept] = value[i]
        weight[kept] = weight[i]
        kept += 1 if keep else 0
    return kept


@kernel
def _collect(y, weight, first, threshold, kept_value, kept_weight, n):
    """Append to the buffer the scenarios of a tile below the threshold, with their weights; return its new length."""
    for half in range(0, TILE, 64):
        mask = mask64_lt(y, half, threshold)
        while mask != 0:
            j = half + trailing_zeros(mask)
            kept_value[n] = y[j]
            kept_weight[n] = weight[first + j]
            n += 1
            mask &= mask - 1
    return n


@kernel
def _finish(value, weight, n, need, mass):
    """Expected shortfall and value at risk from what was kept."""
    t = _boundary(value, weight, n, need, 0)
    below = np.int64(0)
    total = 0.0
    for i in range(n):
        if value[i] < t:
            below += weight[i]
            total = fma(np.float64(weight[i]), value[i], total)
    return -(total + (mass - np.float64(below)) * t) / mass, -t


@kernel
def tail(
    tiles, indptr, instrument, quantity, weight, mass, need, most, first_row, last_row, es_out, var_out, worst_out
):
    """Tail of the accounts `first_row` to `last_row`; see the module for the rule.

    tiles f8[tiles, steps, I, TILE]; indptr i8[A + 1]; instrument i4[nnz]; quantity f8[nnz]; weight i8[tiles * TILE], 0 in
    pads; mass f8 and need i8 (the mass that defines t) at most the sum of weights; most: how many of the smallest
    positive weights stay below `need`. Memory for each row of the range as `_Mass.block` reckons it.
    """
    rows = last_row - first_row
    enough = most + 1 + (most >> 3)
    full = 2 * most + 64 + TILE
    kept_value = np.empty((rows, full + TILE))
    kept_weight = np.empty((rows, full + TILE), np.int64)
    kept = np.zeros(rows, np.int64)
    threshold = np.full(rows, np.inf)
    lowest = np.full(rows, np.inf)
    y = np.empty(TILE)
    other = np.empty(TILE)
    for t in range(tiles.shape[0]):
        tile = tiles[t]
        for row in range(rows):
            start, stop = indptr[first_row + row], indptr[first_row + row + 1]
            _worst_over_steps(tile, instrument, quantity, start, stop, y, other)
            for j in range(TILE):
                y[j] = y[j] if weight[t * TILE + j] > 0 else np.inf
            n = _collect(y, weight, t * TILE, threshold[row], kept_value[row], kept_weight[row], kept[row])
            if n >= full:
                x = _boundary(kept_value[row], kept_weight[row], n, need, enough)
                n = _compact(kept_value[row], kept_weight[row], n, need, x)
                threshold[row] = x
            kept[row] = n
    for row in range(rows):
        for i in range(kept[row]):
            lowest[row] = kept_value[row, i] if kept_value[row, i] < lowest[row] else lowest[row]
        es, var = _finish(kept_value[row], kept_weight[row], kept[row], need, mass)
        es_out[first_row + row] = es
        var_out[first_row + row] = var
        worst_out[first_row + row] = -lowest[row]


@kernel
def stress(tiles, indptr, instrument, quantity, weight, first_row, last_row, loss_out, scenario_out):
    """Largest weight x loss and the first scenario that gives it, for the accounts `first_row` to `last_row`."""
    y = np.empty(TILE)
    other = np.empty(TILE)
    for row in range(first_row, last_row):
        loss_out[row] = -np.inf
        scenario_out[row] = 0
    for t in range(tiles.shape[0]):
        count = min(TILE, weight.size - t * TILE)
        for row in range(first_row, last_row):
            _worst_over_steps(tiles[t], instrument, quantity, indptr[row], indptr[row + 1], y, other)
            for j in range(count):
                loss = -weight[t * TILE + j] * y[j]
                if loss > loss_out[row]:
                    loss_out[row] = loss
                    scenario_out[row] = t * TILE + j


@kernel
def _bounded(largest, indptr, instrument, quantity, first_row, last_row, out):
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
        row_bytes = 16 * (2 * self.most + 64 + 2 * TILE)
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
        tail(*sources, target.mass, target.need, target.most, first, last, es, var, worst)

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
        stress(read_only(table.tiles, np.float64), *book, factors, first, last, loss, scenario)

    over_rows(work, split_rows(accounts, BLOCK, threads), threads)
    loss[~finite] = np.nan
    return Stress(loss, scenario, finite)
