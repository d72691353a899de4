"""The table of profits: one contract of each instrument, in each scenario, at each step; tiled for the cache."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = 128
"""Scenarios of a tile. 600 instruments x 128 x 8 bytes fill a third of an L2 cache of 2 MB, half of one of 1 MB."""

CACHE_LINE = 64
"""Bytes."""


@dataclass(frozen=True, slots=True)
class ProfitTable:
    """Profit in USD of holding one contract long, from now to a step of a scenario.

    Attributes
    ----------
    tiles : float64 array, shape (tiles, steps, instruments, TILE)
        Scenario s lies at ``[s // TILE, :, :, s % TILE]``. Pads of the last tile are 0 and are never counted.
    scenario_count : int
        At least 1, at most ``tiles.shape[0] * TILE``.
    largest : float64 array, shape (instruments,)
        Largest absolute profit of the instrument; NaN or infinite when any of its profits is.
    value : float64 array, shape (instruments,)
        What one contract is worth now in USD by the same formulae; see `revalue`.
    """

    tiles: NDArray[np.float64]
    scenario_count: int
    largest: NDArray[np.float64]
    value: NDArray[np.float64]

    @classmethod
    def from_dense(cls, profit: NDArray[np.float64], value: NDArray[np.float64] | None = None) -> ProfitTable:
        """Tile a plain array of profits, shape (instruments, steps, scenarios); `value` is 0 when not given."""
        instruments, steps, scenarios = profit.shape
        count = -(-scenarios // TILE)
        padded = np.zeros((instruments, steps, count * TILE))
        padded[:, :, :scenarios] = profit
        tiles = aligned_zeros((count, steps, instruments, TILE), np.float64)
        tiles[:] = padded.reshape(instruments, steps, count, TILE).transpose(2, 1, 0, 3)
        largest = np.abs(profit).max(axis=(1, 2)) if instruments else np.empty(0)
        return cls(tiles, scenarios, largest, np.zeros(instruments) if value is None else value)

    def dense(self) -> NDArray[np.float64]:
        """Return the plain array, shape (instruments, steps, scenarios); a copy, for inspection and tests."""
        count, steps, instruments, width = self.tiles.shape
        flat = self.tiles.transpose(2, 1, 0, 3).reshape(instruments, steps, count * width)
        return np.ascontiguousarray(flat[:, :, : self.scenario_count])


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros that start at a cache line: rows that lie across two lines take up to twice as long to read."""
    size = np.dtype(dtype).itemsize * math.prod(shape)
    room = np.zeros(size + CACHE_LINE, dtype=np.uint8)
    first = -room.ctypes.data % CACHE_LINE
    table: NDArray[Any] = room[first : first + size].view(dtype).reshape(shape)
    return table
