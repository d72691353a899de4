"""The table and the positions in float32, scaled so that nothing overflows, with a proven bound on what that costs.

Let T = sum of |q_p| L_p over an account's n positions, L the largest absolute profit of an instrument; no profit of the
account exceeds T. Powers of two scale rows to at most 1 and the account to 1/2 <= T < 1, which rounds nothing. With
u = 2^-24, an entry and a quantity are rounded once each and their products summed by n fused operations, so that a
profit y32 in float32 lies within

    |y32 - sum q P| <= (n + 2) u / (1 - (n + 2) u) T        (Higham, Accuracy and Stability, 2002, lemma 3.1 and (3.5))

of the exact one; what is below the smallest normal number is lost at most 2^-126 an operation, less than u T / n here.
The float64 profit lies within n 2^-53 / (1 - n 2^-53) T of it. For n <= `MOST_POSITIONS` both together stay below

    d = 1.01 (n + 2) u T + u T / 64.

The boundary t of a tail moves by no more than the profits do, so |t32 - t64| <= d, and whatever is in the float64 tail
has y32 <= y64 + d <= t64 + d <= t32 + 2 d: that is the slack; it holds for the boundary of any part of the scenarios,
too, since that lies above the one of all. A threshold t32 + 2 d is rounded to float32 once more, by less than u T:

    slack = (2.125 n + 8) u T  >=  2 d + u T.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, kernel, read_only
from engine.kernels.parallel import over_rows, split_rows
from engine.kernels.profit import TILE, ProfitTable, aligned_zeros
from engine.kernels.scan import Chosen, Tails, Target, blocks_of, pack_rows, scan_rows, tighten_rows

Vector = NDArray[np.float64]
Narrow = NDArray[np.float32]
Book = tuple[NDArray[np.int64], NDArray[np.int32], Vector]

WIDTH = 2 * TILE
"""Scenarios of a tile in float32: as many bytes as one in float64."""
MOST_POSITIONS = 1 << 17
SMALLEST, LARGEST = 2.0**-930, 2.0**930
"""What can be scaled; an account outside, an empty one among them, is left to float64."""
UNIT = 2.0**-24
TILES_AT_A_TIME = 16
HEAD_SHARE = 8
"""The head is at most one tile in so many."""


class Hot(NamedTuple):
    """The scenarios that are in most tails, in float64 and in tiles of their own: cheaper as a whole than one by one.

    Attributes
    ----------
    tiles : float64 array, shape (hot tiles, steps, instruments, TILE)
    lane : int32 array, shape (scenarios and pads,)
        Where a scenario stands in the tiles; -1 when it does not.
    """

    tiles: Vector
    lane: NDArray[np.int32]

    @classmethod
    def of(cls, tiles: Vector, scenario: NDArray[np.int64]) -> Hot:
        """Copy the given scenarios, a multiple of `TILE`."""
        hot = aligned_zeros((scenario.size // TILE, *tiles.shape[1:]), np.float64)
        copy_scenarios(tiles, scenario, hot)
        lane = np.full(tiles.shape[0] * TILE, -1, np.int32)
        lane[scenario] = np.arange(scenario.size)
        return cls(hot, lane)


@dataclass(frozen=True, slots=True)
class NarrowTable:
    """A table of profits in float32, and the severest scenarios once more, to start from.

    Attributes
    ----------
    tiles : float32 array, shape (tiles, steps, instruments, WIDTH)
        Scenario s lies at ``[s // WIDTH, :, :, s % WIDTH]``.
    scale : float64 array, shape (instruments,)
        Power of two that a row was divided by: its largest entry is below 1; 0 for a row of zeros, NaN for one that
        cannot be scaled.
    head : float32 array, shape (head tiles, steps, instruments, WIDTH)
        Copies of the scenarios of largest total move. Their tail gives a first threshold.
    head_weight : int64 array, shape (head tiles * WIDTH,)
    hot : Hot
        The scenarios of the head in float64.
    expected : int
        About how many scenarios a tail will have; a guess.
    """

    tiles: Narrow
    scale: Vector
    head: Narrow
    head_weight: NDArray[np.int64]
    hot: Hot
    expected: int

    @classmethod
    def of(cls, table: ProfitTable, target: Target, threads: int) -> NarrowTable:
        """Convert a table for the tails that are looked for."""
        count, steps, instruments, _ = table.tiles.shape
        tiles = aligned_zeros((-(-count // 2), steps, instruments, WIDTH), np.float32)
        move = np.zeros(tiles.shape[0] * WIDTH, np.float32)
        fits = (table.largest > SMALLEST) & (table.largest < LARGEST)
        scale = np.where(fits, np.ldexp(1.0, np.frexp(np.where(fits, table.largest, 1.0))[1]), np.nan)
        inverse = read_only(np.where(fits, 1.0 / scale, 0.0), np.float64)
        source = read_only(table.tiles, np.float64)
        over_rows(
            lambda first, last: narrow_tiles(source, inverse, first, last, tiles, move),
            split_rows(count, TILES_AT_A_TIME, threads),
            threads,
        )
        order = np.argsort(-move[: table.scenario_count], kind="stable")
        # of the severest scenarios, some hurt and some help
        expected = int(np.searchsorted(np.cumsum(target.weight[order]), 2 * target.need)) // 2 + 1
        severest = order[: min(-(-3 * expected // WIDTH), tiles.shape[0] // HEAD_SHARE) * WIDTH]
        head = aligned_zeros((severest.size // WIDTH, steps, instruments, WIDTH), np.float32)
        copy_scenarios(tiles, np.sort(severest), head)
        hot = Hot.of(source, severest)
        return cls(
            tiles, np.where(table.largest == 0.0, 0.0, scale), head, target.weight[np.sort(severest)], hot, expected
        )


@dataclass(frozen=True, slots=True)
class NarrowBook:
    """Positions of accounts in float32 beside the table that they refer to.

    Attributes
    ----------
    table : NarrowTable
    indptr, instrument : int64 and int32 arrays
        As in the book.
    quantity : float32 array, shape (positions,)
        Scaled by the instrument and the account.
    slack : float64 array, shape (accounts,)
        As defined above, in the account's scale; NaN where it cannot be scaled.
    """

    table: NarrowTable
    indptr: NDArray[np.int64]
    instrument: NDArray[np.int32]
    quantity: Narrow
    slack: Vector

    @classmethod
    def of(cls, table: NarrowTable, largest: Vector, book: Book, threads: int) -> NarrowBook:
        """Convert the positions of a book (indptr, instrument, quantity)."""
        indptr, instrument, quantity = book
        narrowed, slack = np.empty(instrument.size, np.float32), np.empty(indptr.size - 1)
        scale = read_only(table.scale, np.float64)
        bounds = read_only(np.where(np.isnan(scale), np.inf, largest), np.float64)
        over_rows(
            lambda first, last: narrow_rows(bounds, scale, *book, first, last, narrowed, slack),
            split_rows(slack.size, slack.size, threads),
            threads,
        )
        return cls(table, indptr, instrument, narrowed, slack)

    def choose(self, target: Target, buffers: Tails, rows: NDArray[np.int64]) -> tuple[Chosen, NDArray[np.int64]]:
        """Return the scenarios that can be in the tails of the given accounts, and the accounts left to float64.

        The profits that stand with the scenarios are still those in float32, scaled.
        """
        tails = [self._scan(target, buffers, block) for block in blocks_of(rows, buffers.row.size)]
        parts, rest = zip(*tails, strict=True)
        return Chosen.joined(list(parts)), np.concatenate(rest)

    def _scan(self, target: Target, buffers: Tails, rows: NDArray[np.int64]) -> tuple[Chosen, NDArray[np.int64]]:
        book = self.indptr, self.instrument, self.quantity, self.slack
        tails = buffers.started(rows)
        tails.kept[np.isnan(self.slack[rows])] = -1
        if self.table.head_weight.size:
            start = target._replace(weight=read_only(self.table.head_weight, np.int64))
            scan_rows(self.table.head, *book, start, tails)
            tighten_rows(self.slack, start, tails)
            tails.kept[tails.kept > 0] = 0
        scan_rows(self.table.tiles, *book, target, tails)
        tighten_rows(self.slack, target, tails)
        return pack_rows(tails), rows[tails.kept < 0]


@kernel
def narrow_tiles(tiles: Vector, inverse: Vector, first: int, last: int, out: Narrow, move: Narrow) -> None:
    """Scale and round the tiles `first` to before `last`; `move` is raised by the absolute entries of a scenario."""
    for t in range(first, last):
        half = (t % 2) * TILE
        for step in range(tiles.shape[1]):
            for i in range(tiles.shape[2]):
                for j in range(TILE):
                    x = np.float32(tiles[t, step, i, j] * inverse[i])
                    out[t // 2, step, i, half + j] = x
                    move[t * TILE + j] += abs(x)


@kernel
def copy_scenarios(tiles: NDArray[Any], scenario: NDArray[np.int64], out: NDArray[Any]) -> None:
    """Copy scenarios into tiles of their own, of the same width."""
    width = tiles.shape[3]
    for h in range(out.shape[0]):
        for step in range(out.shape[1]):
            for i in range(out.shape[2]):
                for j in range(width):
                    s = scenario[h * width + j]
                    out[h, step, i, j] = tiles[s // width, step, i, s % width]


@kernel
def narrow_rows(
    largest: Vector, scale: Vector, indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: Vector,
    first_row: int, last_row: int, out: Narrow, slack: Vector,
) -> None:  # fmt: skip
    """Scale and round the quantities of the accounts `first_row` to before `last_row`, and set their slack.

    The slack is NaN where an account cannot be scaled.
    """
    for row in range(first_row, last_row):
        total = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            total += abs(quantity[p]) * largest[instrument[p]]
        count = indptr[row + 1] - indptr[row]
        fits = SMALLEST < total < LARGEST and count <= MOST_POSITIONS
        # 2^-k where total lies in [2^(k-1), 2^k)
        scaling = bits_float((2045 - (float_bits(total) >> 52)) << 52) if fits else 0.0
        slack[row] = (2.125 * count + 8.0) * UNIT * (total * scaling) if fits else np.nan
        for p in range(indptr[row], indptr[row + 1]):
            out[p] = np.float32(quantity[p] * scale[instrument[p]] * scaling)
