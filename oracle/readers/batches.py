"""Walking a long list in calls as large as the node takes: halve when one is too large, grow back by bisection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from oracle.errors import CallReverted, CallTooLarge, EndpointUnavailable

FIRST_BATCH = 1_000
LARGEST_BATCH = 8_000
TIMEOUTS_IN_A_ROW = 2
"""A node that does not answer may be overwhelmed or gone; each try costs the client's whole budget."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchSize:
    """The size of the next call and the smallest size known to fail.

    Nodes differ in what they clamp (gas, time, length of the answer) and do not say where, so the size is learned
    from which calls pass, anew for each walk.
    """

    size: int = FIRST_BATCH
    failed: int = 2 * LARGEST_BATCH

    def after_success(self) -> BatchSize:
        """Grow by a quarter, but never further than halfway to what failed, and never above the largest batch."""
        grown = min(self.size + max(1, self.size // 4), (self.size + self.failed) // 2, LARGEST_BATCH)
        return BatchSize(max(grown, self.size), self.failed)

    def after_failure(self) -> BatchSize:
        """Halve, never below one."""
        return BatchSize(max(self.size // 2, 1), self.size)


def in_batches(
    total: int, call: Callable[[int, int], T], first_batch: int = FIRST_BATCH
) -> Iterator[tuple[int, int, T]]:
    """Yield (start, count, call(start, count)) over `total` items in order, each exactly once.

    Parameters
    ----------
    total : int
        Items in all.
    call : callable
        (start, count) -> answer.
    first_batch : int
        Size of the first call.

    Raises
    ------
    CallReverted, CallTooLarge, EndpointUnavailable
        What a call raised when size was not the reason: a revert with data, a failure of a single item, or an
        endpoint that stays silent. A revert without data counts as too large: an out-of-gas inside a view reads so.
    """
    batch = BatchSize(first_batch)
    start = timeouts = 0
    while start < total:
        count = min(batch.size, total - start)
        try:
            answer = call(start, count)
        except (CallReverted, CallTooLarge, EndpointUnavailable) as error:
            timeouts = timeouts + 1 if isinstance(error, EndpointUnavailable) else 0
            explained = isinstance(error, CallReverted) and error.data
            if explained or count == 1 or timeouts > TIMEOUTS_IN_A_ROW:
                raise
            batch = BatchSize(count, batch.failed).after_failure()
            continue
        yield start, count, answer
        start += count
        timeouts = 0
        batch = batch.after_success()
