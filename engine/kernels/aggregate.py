"""Sparse positions times the rows of a tile: the profit of an account in 64 scenarios, held in registers.

Across scenarios it is a vector operation, over positions a sum in stored order; nothing is reassociated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine._jit import add_rows64, inlined

STRIP = 64
"""Scenarios at a time: four or eight of the widest registers, which leaves some for the rows."""


@inlined
def add_step(
    tiles: NDArray[Any], t: int, step: int, first: int, instrument: NDArray[np.int32], quantity: NDArray[Any],
    start: int, stop: int, y: NDArray[Any], at: int, other: NDArray[Any],
) -> None:  # fmt: skip
    """Bring one step of an account into ``y[at : at + STRIP]``: its profits from scenario `first` of tile `t` on.

    `tiles` has shape (tiles, steps, instruments, width), `other` (scratch) has `STRIP` entries. Step 0 comes first; of
    all steps, the lowest profit stays. Whole arrays and offsets, since every slice would be counted and released.
    """
    width = tiles.shape[3]
    base = (t * tiles.shape[1] + step) * tiles.shape[2] * width + first
    if step == 0:
        add_rows64(tiles, base, width, instrument, quantity, start, stop, y, at)
        return
    add_rows64(tiles, base, width, instrument, quantity, start, stop, other, 0)
    for j in range(STRIP):
        y[at + j] = other[j] if other[j] < y[at + j] else y[at + j]
