"""How fast this machine reads its second-level cache: what a sum of table rows can cost at the least."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from engine._jit import kernel

CACHED_BYTES = 600 * 1024
"""A tile of 600 instruments: too large for the first cache, within the second."""


@kernel
def read(values: NDArray[np.int64], times: int) -> int:
    """Read all values so many times; the sum keeps the compiler from leaving it out."""
    total = np.int64(0)
    for k in range(times):
        for i in range(values.size):
            total += values[i] ^ k
    return int(total)


def cache_bytes_per_second(rounds: int = 9, times: int = 2_000) -> float:
    """Return the best rate of several; CPU time."""
    values, best = np.arange(CACHED_BYTES // 8), 0.0
    read(values, 1)
    for _ in range(rounds):
        started = time.process_time()
        read(values, times)
        best = max(best, CACHED_BYTES * times / (time.process_time() - started))
    return best
