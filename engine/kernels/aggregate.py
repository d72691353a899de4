"""Sparse positions times the rows of a tile: the profit of an account in 64 scenarios, held in registers.

Across scenarios it is a vector operation, over positions a sum in stored order; nothing is reassociated. `add_rows64`
does it, called by kernels themselves: a helper between would count and release every array at each call.
"""

from __future__ import annotations

from engine._jit import inlined

STRIP = 64
"""Scenarios at a time: four or eight of the widest registers, which leaves some for the rows."""


@inlined
def row_base(shape: tuple[int, int, int, int], t: int, step: int, first: int) -> int:
    """Return where scenario `first` of tile `t` lies in the first row of a step, the tiles of that shape as flat."""
    return (t * shape[1] + step) * shape[2] * shape[3] + first
