"""Threads over ranges of rows: each row is computed by one thread from start to end, no sum is ever split."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def split_rows(count: int, block: int, threads: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(count)`` into ranges of at most `block` rows, none longer than an equal share of the threads.

    Parameters
    ----------
    count : int
        Rows; 0 gives no range.
    block : int
        Largest number of rows of a range, at least 1.
    threads : int
        Number of threads that will share the ranges.

    Returns
    -------
    list of (first, last)
        Half-open ranges in ascending order.
    """
    step = max(1, min(block, -(-count // max(threads, 1))))
    return [(first, min(first + step, count)) for first in range(0, count, step)]


def over_rows(work: Callable[[int, int], Result], ranges: list[tuple[int, int]], threads: int) -> list[Result]:
    """Return ``[work(first, last) for first, last in ranges]``, computed by `threads` threads.

    `work` writes only into its own rows and calls kernels that release the interpreter's lock, so that the bytes of
    the result do not depend on `threads`.
    """
    if threads <= 1 or len(ranges) <= 1:
        return [work(first, last) for first, last in ranges]
    with ThreadPoolExecutor(max_workers=min(threads, len(ranges))) as pool:
        return list(pool.map(lambda rows: work(*rows), ranges))
