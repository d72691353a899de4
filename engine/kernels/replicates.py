"""The tails of the same accounts over many small draws of equal size: every profit of a draw, one search an account.

The rule is that of `tail`, to the bit. With a few hundred scenarios, importance weights put much of a draw into the
tail, and a buffer that tightens as it fills would tighten again and again. Here all profits of an account stay in the
cache, and only those below a guess, a little above the boundary of the draw before, are searched; where they weigh too
little for a tail, all are. A guess decides what is looked at and never what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine._jit import add_rows64, inlined, kernel, mask64_lt, read_only, trailing_zeros
from engine.kernels.aggregate import STRIP, row_base
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.scan import Target
from engine.kernels.selection import CHUNK, Vector, Weights, tail_mean
from engine.kernels.tail import BLOCK, bounded_rows, target_of

GROUP_BYTES = 1 << 20
"""Profits of the accounts that share one reading of a tile; of more they would be fetched back from memory."""
GUESS_ABOVE = 0.125
"""A guess lies so much of the boundary's size above it."""


@dataclass(frozen=True, slots=True)
class ReplicatedTail:
    """Tails of each account's loss in R draws, USD; losses positive.

    Attributes
    ----------
    expected_shortfall, value_at_risk : float64 arrays, shape (R, accounts)
    finite : bool array, shape (accounts,)
        As in `tail.Tail`; the figures of other accounts are NaN.
    """

    expected_shortfall: NDArray[np.float64]
    value_at_risk: NDArray[np.float64]
    finite: NDArray[np.bool_]


@inlined
def _below(
    y: Vector, at: int, size: int, weight: Weights, threshold: float, value: Vector, scratch: Weights
) -> tuple[int, int]:
    """Copy those of `size` profits from `at` on that are below the threshold; return how many, and their weight."""
    place, mass = np.uint64(0), np.int64(0)
    for first in range(0, size, STRIP):
        mask = mask64_lt(y, at + first, threshold)
        while mask != 0:
            j = np.uint64(first) + np.uint64(trailing_zeros(mask))
            given = weight[j]
            value[place] = y[np.uint64(at) + j]
            scratch[place] = given
            mass += given
            # a scenario of weight 0 does not exist
            place += np.uint64(given > 0)
            mask &= mask - 1
    return int(np.int64(place)), int(mass)


@kernel
def replicate_rows(
    tiles: Vector, indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: Vector,
    first_row: int, last_row: int, finite: NDArray[np.bool_], target: Target, guess: Vector,
    es_out: Vector, var_out: Vector,
) -> None:  # fmt: skip
    """Write the figures of one draw for the accounts `first_row` to before `last_row`, and their next guesses."""
    weight, mass, need, _, _ = target
    size = tiles.shape[0] * TILE
    group = max(GROUP_BYTES // (8 * size), 1)
    y = np.empty(group * size)
    # room for a whole chunk of pads behind all of them
    value, scratch = np.empty(size + CHUNK), np.empty(size + CHUNK, np.int64)
    for begin in range(first_row, last_row, group):
        end = min(begin + group, last_row)
        for t in range(tiles.shape[0]):
            for row in range(begin, end):
                start, stop, place = indptr[row], indptr[row + 1], (row - begin) * size + t * TILE
                for step in range(tiles.shape[1]):
                    for first in range(0, TILE, STRIP):
                        base, at = row_base(tiles.shape, t, step, first), place + first
                        add_rows64(tiles, base, TILE, instrument, quantity, start, stop, y, at, step > 0)
        for row in range(begin, end):
            if not finite[row]:
                es_out[row] = var_out[row] = np.nan
                continue
            n, found = _below(y, (row - begin) * size, size, weight, guess[row], value, scratch)
            if found < need:
                n, found = _below(y, (row - begin) * size, size, weight, np.inf, value, scratch)
            quantile, average = tail_mean(value, scratch, n, need, mass)
            es_out[row], var_out[row] = -average, -quantile
            guess[row] = quantile + GUESS_ABOVE * abs(quantile)


def replicated_shortfall(
    tables: Sequence[ProfitTable],
    indptr: NDArray[np.int64],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
    tail_probability: float,
    weights: Sequence[NDArray[np.float64] | None],
    threads: int = 1,
) -> ReplicatedTail:
    """Return what `tail.expected_shortfall` returns for each of several draws, to the bit.

    Parameters
    ----------
    tables : sequence of ProfitTable
        One a draw, over the same instruments.
    indptr, instrument, quantity, tail_probability, threads
        As in `tail.expected_shortfall`.
    weights : sequence of float64 array or None
        One a draw, as in `tail.expected_shortfall`.

    Returns
    -------
    ReplicatedTail
        Check `finite` before use, no kernel raises.
    """
    accounts = len(indptr) - 1
    book = read_only(indptr, np.int64), read_only(instrument, np.int32), read_only(quantity, np.float64)
    targets = [target_of(w, t.scenario_count, tail_probability) for t, w in zip(tables, weights, strict=True)]
    tiles = [read_only(table.tiles, np.float64) for table in tables]
    largest = read_only(np.maximum.reduce([table.largest for table in tables]), np.float64)
    shortfall, at_risk = np.empty((len(tables), accounts)), np.empty((len(tables), accounts))
    finite, guess = np.empty(accounts, dtype=np.bool_), np.full(accounts, np.inf)

    def work(first: int, last: int) -> None:
        bounded_rows(largest, *book, first, last, finite)
        for draw, target in enumerate(targets):
            out = shortfall[draw], at_risk[draw]
            replicate_rows(tiles[draw], *book, first, last, finite, target, guess, *out)

    over_rows(work, split_rows(accounts, BLOCK, threads), threads)
    return ReplicatedTail(shortfall, at_risk, finite)
