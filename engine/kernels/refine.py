"""From the scenarios chosen to the figures: their profits in float64, where a scan in float32 chose, and their tail.

The profits are computed with the operations of a scan in float64 in the same order, and so have the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import add_rows64, fma, inlined, kernel, prefetch
from engine.kernels.aggregate import STRIP, row_base
from engine.kernels.narrow import Hot
from engine.kernels.profit import TILE
from engine.kernels.scan import Chosen, Target
from engine.kernels.selection import CHUNK, Vector, tail_mean

LINE = 8
"""Entries of a cache line."""


@inlined
def _profit(
    tiles: Vector, t: int, lane: int, instrument: NDArray[np.int32], quantity: Vector, start: int, stop: int
) -> float:
    """Profit of an account in one scenario: of several steps, the lowest."""
    lowest = 0.0
    for step in range(tiles.shape[1]):
        total = 0.0
        for p in range(start, stop):
            total = fma(quantity[p], tiles[t, step, instrument[p], lane], total)
        lowest = total if step == 0 or total < lowest else lowest
    return lowest


@kernel
def refine_hot(
    hot: Hot, indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: Vector, chosen: Chosen
) -> None:
    """Replace the profits in hot scenarios by those in float64."""
    tiles, lane = hot
    y = np.empty(TILE)
    for t in range(tiles.shape[0]):
        for r in range(chosen.row.size):
            start, stop = indptr[chosen.row[r]], indptr[chosen.row[r] + 1]
            for step in range(tiles.shape[1]):
                for first in range(0, TILE, STRIP):
                    base = row_base(tiles.shape, t, step, first)
                    add_rows64(tiles, base, TILE, instrument, quantity, start, stop, y, first, step > 0)
            for i in range(chosen.start[r], chosen.start[r + 1]):
                j = lane[chosen.scenario[i]] - t * TILE
                if 0 <= j < TILE:
                    chosen.value[i] = y[j]


@inlined
def _by_tile(
    chosen: Chosen, lane: NDArray[np.int32], tiles: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return where each tile's entries end, and all that are not hot by tile: their row and their place."""
    end = np.zeros(tiles, np.int64)
    for i in range(chosen.scenario.size):
        end[chosen.scenario[i] // TILE] += 1 if lane[chosen.scenario[i]] < 0 else 0
    total = 0
    for t in range(tiles):
        total, end[t] = total + end[t], total
    row, place = np.empty(total, np.int32), np.empty(total, np.int32)
    for r in range(chosen.row.size):
        for i in range(chosen.start[r], chosen.start[r + 1]):
            if lane[chosen.scenario[i]] < 0:
                t = chosen.scenario[i] // TILE
                row[end[t]], place[end[t]] = r, i
                end[t] += 1
    return end, row, place


@kernel
def refine_rows(
    tiles: Vector, lane: NDArray[np.int32], indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: Vector,
    chosen: Chosen,
) -> None:  # fmt: skip
    """Replace the profits where `lane` is negative by those in float64; tile by tile, each read into the cache once."""
    end, rows, places = _by_tile(chosen, lane, tiles.shape[0])
    size = tiles.shape[1] * tiles.shape[2] * TILE
    c = 0
    for t in range(tiles.shape[0]):
        # where most of a tile will be needed, in the order in which memory is fastest
        if (end[t] - c) * LINE > tiles.shape[2]:
            for at in range(t * size, (t + 1) * size, LINE):
                prefetch(tiles, at)
        while c < end[t]:
            account, place = chosen.row[rows[c]], places[c]
            among = chosen.scenario[place] - t * TILE
            chosen.value[place] = _profit(tiles, t, among, instrument, quantity, indptr[account], indptr[account + 1])
            c += 1


@kernel
def finish_rows(target: Target, chosen: Chosen, es_out: Vector, var_out: Vector, worst_out: Vector) -> None:
    """Write the figures of each account to its place; NaN where nothing is chosen: no profit is finite."""
    weight, mass, need, _, _ = target
    room = 0
    for r in range(chosen.row.size):
        room = max(room, chosen.start[r + 1] - chosen.start[r])
    room = -(-room // CHUNK) * CHUNK
    value, scratch = np.empty(room), np.empty(room, np.int64)
    for r in range(chosen.row.size):
        account, first, n = chosen.row[r], chosen.start[r], chosen.start[r + 1] - chosen.start[r]
        if n == 0:
            es_out[account] = var_out[account] = worst_out[account] = np.nan
            continue
        worst = np.inf
        for i in range(n):
            value[i] = chosen.value[first + i]
            scratch[i] = weight[chosen.scenario[first + i]]
            worst = value[i] if value[i] < worst else worst
        quantile, average = tail_mean(value, scratch, n, need, mass)
        es_out[account] = -average
        var_out[account] = -quantile
        # as for the quantile, a zero is positive
        worst_out[account] = -(worst + 0.0)
