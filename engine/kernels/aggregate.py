"""Sparse positions times the rows of a tile: the profit of an account in 128 scenarios, without leaving the cache.

Across scenarios it is a vector operation, over positions a sum in stored order; nothing is reassociated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import fma, inlined
from engine.kernels.profit import TILE

Vector = NDArray[np.float64]


@inlined
def _add8(m: Vector, i: NDArray[np.int32], q: Vector, p: int, y: Vector) -> None:
    """Add eight positions in one pass over y."""
    r0, r1, r2, r3 = m[i[p]], m[i[p + 1]], m[i[p + 2]], m[i[p + 3]]
    r4, r5, r6, r7 = m[i[p + 4]], m[i[p + 5]], m[i[p + 6]], m[i[p + 7]]
    q0, q1, q2, q3, q4, q5, q6, q7 = q[p], q[p + 1], q[p + 2], q[p + 3], q[p + 4], q[p + 5], q[p + 6], q[p + 7]
    for j in range(TILE):
        half = fma(q3, r3[j], fma(q2, r2[j], fma(q1, r1[j], fma(q0, r0[j], y[j]))))
        y[j] = fma(q7, r7[j], fma(q6, r6[j], fma(q5, r5[j], fma(q4, r4[j], half))))


@inlined
def _add4(m: Vector, i: NDArray[np.int32], q: Vector, p: int, y: Vector) -> None:
    """Add four positions in one pass over y."""
    r0, r1, r2, r3 = m[i[p]], m[i[p + 1]], m[i[p + 2]], m[i[p + 3]]
    q0, q1, q2, q3 = q[p], q[p + 1], q[p + 2], q[p + 3]
    for j in range(TILE):
        y[j] = fma(q3, r3[j], fma(q2, r2[j], fma(q1, r1[j], fma(q0, r0[j], y[j]))))


@inlined
def _add1(m: Vector, i: NDArray[np.int32], q: Vector, p: int, y: Vector) -> None:
    """Add one position."""
    r0, q0 = m[i[p]], q[p]
    for j in range(TILE):
        y[j] = fma(q0, r0[j], y[j])


@inlined
def _account(m: Vector, i: NDArray[np.int32], q: Vector, start: int, stop: int, y: Vector) -> None:
    """y = sum of quantity x row of the matrix over the positions `start` to before `stop`."""
    for j in range(TILE):
        y[j] = 0.0
    p = start
    while p + 8 <= stop:
        _add8(m, i, q, p, y)
        p += 8
    while p + 4 <= stop:
        _add4(m, i, q, p, y)
        p += 4
    while p < stop:
        _add1(m, i, q, p, y)
        p += 1


@inlined
def account_profit(
    tile: Vector,
    instrument: NDArray[np.int32],
    quantity: Vector,
    start: int,
    stop: int,
    y: Vector,
    other: Vector,
) -> None:
    """Fill y with an account's profit in each scenario of a tile: of several steps, the lowest.

    `tile` has shape (steps, instruments, TILE); y and `other` (scratch) have TILE entries.
    """
    _account(tile[0], instrument, quantity, start, stop, y)
    for step in range(1, tile.shape[0]):
        _account(tile[step], instrument, quantity, start, stop, other)
        for j in range(TILE):
            y[j] = other[j] if other[j] < y[j] else y[j]
