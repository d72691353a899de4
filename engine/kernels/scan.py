"""One pass over the table: of each account, the scenarios whose profits can be in its tail, in their order.

Tiles outside, accounts inside: a tile is read into the cache once for a block of accounts. With several steps the
accounts are taken in small groups, so that a step's rows are read into the cache once a group and not once an account.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import add_rows64, kernel, mask64_lt
from engine.kernels.aggregate import STRIP, row_base
from engine.kernels.selection import CHUNK, Scenarios, Vector, Weights, collect, tighten

GROUP = 64
"""Accounts of a group: their profits fill a small part of the cache, their reading of a step's rows is shared."""


class Target(NamedTuple):
    """The tail that is looked for.

    Attributes
    ----------
    weight : int64 array, shape (scenarios and pads,)
        0 in pads.
    mass : float
        Weight of the tail.
    need : int
        Weight that defines its boundary.
    enough : int
        Values that a tightened buffer may hold; more than any choice of them can need.
    full : int
        Values at which a buffer is tightened.
    """

    weight: Weights
    mass: float
    need: int
    enough: int
    full: int


class Tails(NamedTuple):
    """Buffers of a block of accounts, shapes (rows, capacity) and (rows,).

    `kept` counts what is in a row; -1 where it was given up, since too much lies within the slack of the boundary.
    """

    row: NDArray[np.int64]
    value: Vector
    scenario: Scenarios
    kept: NDArray[np.int64]
    threshold: Vector

    @classmethod
    def of(cls, rows: int, target: Target) -> Tails:
        """Return buffers for so many accounts, to be filled again and again; see `started`."""
        shape = rows, -(-(target.full + STRIP) // CHUNK) * CHUNK
        kept, threshold = np.empty(rows, np.int64), np.empty(rows)
        return cls(np.empty(rows, np.int64), np.empty(shape), np.empty(shape, np.int32), kept, threshold)

    def started(self, row: NDArray[np.int64]) -> Tails:
        """Return the buffers emptied for the accounts of the given numbers, of which there may be fewer."""
        n = row.size
        tails = Tails(self.row[:n], self.value[:n], self.scenario[:n], self.kept[:n], self.threshold[:n])
        tails.row[:], tails.kept[:], tails.threshold[:] = row, 0, np.inf
        return tails


def blocks_of(rows: NDArray[np.int64], block: int) -> list[NDArray[np.int64]]:
    """Cut numbers of accounts into blocks of at most so many."""
    return [rows[first : first + block] for first in range(0, rows.size, block)]


class Chosen(NamedTuple):
    """Scenarios of accounts in compressed rows: those of account ``row[r]`` lie from ``start[r]`` to ``start[r + 1]``.

    In the order of scenarios, with the account's profit in each.
    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    value: Vector
    scenario: Scenarios

    @classmethod
    def joined(cls, parts: list[Chosen]) -> Chosen:
        """Return several one behind the other."""
        row, _, value, scenario = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        counts = np.concatenate([np.diff(part.start) for part in parts])
        return cls(row, np.append(0, np.cumsum(counts)), value, scenario)


@kernel
def scan_rows(
    tiles: NDArray[Any], indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: NDArray[Any],
    slack: Vector, target: Target, tails: Tails,
) -> None:  # fmt: skip
    """Fill the buffers with what can be in the tails, in the order of scenarios.

    tiles has shape (tiles, steps, instruments, width), in float32 or float64 as `quantity` is; a profit is off by at
    most half the `slack` of its account, shape (accounts,). Rows given up are left alone.
    """
    weight, _, need, enough, full = target
    row, value, scenario, kept, threshold = tails
    steps, width = tiles.shape[1], tiles.shape[3]
    group = 1 if steps == 1 else GROUP
    y = np.empty(group * width, tiles.dtype)
    scratch = np.empty(value.shape[1], np.int64)
    for t in range(tiles.shape[0]):
        for begin in range(0, row.size, group):
            end = min(begin + group, row.size)
            for step in range(steps):
                for k in range(begin, end):
                    start, stop = indptr[row[k]], indptr[row[k] + 1] if kept[k] >= 0 else indptr[row[k]]
                    for first in range(0, width, STRIP):
                        base, at = row_base(tiles.shape, t, step, first), (k - begin) * width + first
                        add_rows64(tiles, base, width, instrument, quantity, start, stop, y, at, step > 0)
            for k in range(begin, end):
                n = kept[k]
                for first in range(0, width if n >= 0 else 0, STRIP):
                    at = (k - begin) * width + first
                    mask = mask64_lt(y, at, y.dtype.type(threshold[k]))
                    if mask != 0:
                        n = collect(mask, y, at, t * width + first, weight, k, value, scenario, n)
                    if n >= full:
                        threshold[k], n = tighten(
                            value[k], scenario[k], n, weight, need, enough, slack[row[k]], scratch
                        )
                        # with so little room it would be tightened again and again
                        if n > (enough + full) // 2:
                            n = -1
                            break
                kept[k] = n


@kernel
def tighten_rows(slack: Vector, target: Target, tails: Tails) -> None:
    """Set the lowest threshold that each buffer allows, and keep what lies below it."""
    scratch = np.empty(tails.value.shape[1], np.int64)
    for k in range(tails.row.size):
        if tails.kept[k] > 0:
            tails.threshold[k], tails.kept[k] = tighten(
                tails.value[k], tails.scenario[k], tails.kept[k], target.weight, target.need, 0,
                slack[tails.row[k]], scratch,
            )  # fmt: skip


@kernel
def pack_rows(tails: Tails) -> Chosen:
    """Put what the buffers hold one behind the other; rows given up are left out."""
    row, value, scenario, kept, _ = tails
    rows, total = 0, 0
    for k in range(row.size):
        rows += 1 if kept[k] >= 0 else 0
        total += max(kept[k], 0)
    chosen_row, start = np.empty(rows, np.int64), np.zeros(rows + 1, np.int64)
    chosen_value, chosen_scenario = np.empty(total), np.empty(total, np.int32)
    r = 0
    for k in range(row.size):
        if kept[k] >= 0:
            chosen_row[r] = row[k]
            start[r + 1] = start[r] + kept[k]
            for i in range(kept[k]):
                chosen_value[start[r] + i] = value[k, i]
                chosen_scenario[start[r] + i] = scenario[k, i]
            r += 1
    return Chosen(chosen_row, start, chosen_value, chosen_scenario)
