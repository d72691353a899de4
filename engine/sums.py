"""Sums in stored order: NumPy adds pairwise in an order of its choosing, which is no basis for equal bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import kernel, read_only


@kernel
def _segment_sums(indptr: NDArray[np.int64], value: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for row in range(out.size):
        total = 0.0
        for p in range(indptr[row], indptr[row + 1]):
            total += value[p]
        out[row] = total


@kernel
def _segment_products(
    indptr: NDArray[np.int64], row: NDArray[np.int32], quantity: NDArray[np.float64],
    figure: NDArray[np.float64], out: NDArray[np.float64],
) -> None:  # fmt: skip
    for i in range(out.size):
        total = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            total += quantity[p] * figure[row[p]]
        out[i] = total


def segment_products(
    indptr: NDArray[np.int64], row: NDArray[np.int32], quantity: NDArray[np.float64], figure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sums of ``quantity[p] * figure[row[p]]``, p from ``indptr[i]`` to before ``indptr[i + 1]``."""
    out = np.empty(indptr.size - 1)
    positions = read_only(indptr, np.int64), read_only(row, np.int32), read_only(quantity, np.float64)
    _segment_products(*positions, read_only(figure, np.float64), out)
    return out


def segment_sums(indptr: NDArray[np.int64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of ``value[indptr[i] : indptr[i + 1]]`` for each i, added one after the other; 0 when empty."""
    out = np.empty(indptr.size - 1)
    _segment_sums(read_only(indptr, np.int64), read_only(value, np.float64), out)
    return out
