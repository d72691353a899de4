"""Batches cover every item once whatever a node takes, and give up when size is not the reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.errors import CallReverted, CallTooLarge, EndpointUnavailable, OracleError
from oracle.readers.batches import LARGEST_BATCH, TIMEOUTS_IN_A_ROW, BatchSize, in_batches

pytestmark = pytest.mark.fast

TOO_LARGE = st.sampled_from([CallReverted("execution reverted"), CallTooLarge("out of gas")])


class Node:
    """Takes at most `limit` items in a call and remembers the calls."""

    def __init__(self, limit: int, error: OracleError) -> None:
        self.limit, self.error = limit, error
        self.calls: list[int] = []

    def read(self, start: int, count: int) -> list[int]:
        self.calls.append(count)
        if count > self.limit:
            raise self.error
        return list(range(start, start + count))


@settings(deadline=None)
@given(st.integers(0, 3_000), st.integers(1, 4_000), st.integers(1, 3_000), TOO_LARGE)
def test_every_item_comes_once_and_in_order(total: int, limit: int, first: int, error: OracleError) -> None:
    node = Node(limit, error)
    items = [item for _, _, part in in_batches(total, node.read, first) for item in part]
    assert items == list(range(total))
    refused = sum(count > limit for count in node.calls)
    # Halving to below the limit, then bisection toward it: both logarithmic, however long the walk.
    assert refused <= 2 * (max(first, LARGEST_BATCH)).bit_length()


def test_a_halved_batch_grows_back() -> None:
    node = Node(700, CallTooLarge("out of gas"))
    assert sum(count for _, count, _ in in_batches(100_000, node.read, 1_000)) == 100_000
    assert node.calls[:2] == [1_000, 500]
    assert max(count for count in node.calls if count <= 700) > 650


def test_growth_never_passes_the_largest_batch() -> None:
    batch = BatchSize()
    for _ in range(100):
        batch = batch.after_success()
    assert batch.size == LARGEST_BATCH


def test_a_single_item_that_fails_is_the_callers_error() -> None:
    node = Node(0, CallReverted("execution reverted"))
    with pytest.raises(CallReverted):
        list(in_batches(5_000, node.read))
    assert node.calls[-1] == 1


def test_a_revert_with_a_reason_is_not_retried() -> None:
    node = Node(0, CallReverted("NotOpen()", data=bytes(4)))
    with pytest.raises(CallReverted, match="NotOpen"):
        list(in_batches(5_000, node.read))
    assert node.calls == [1_000]


def test_a_silent_endpoint_is_asked_for_less_only_a_few_times() -> None:
    node = Node(0, EndpointUnavailable("timeout"))
    with pytest.raises(EndpointUnavailable):
        list(in_batches(5_000, node.read))
    assert len(node.calls) == TIMEOUTS_IN_A_ROW + 1


def test_a_timeout_halves_too() -> None:
    node = Node(400, EndpointUnavailable("timeout"))
    assert sum(count for _, count, _ in in_batches(2_000, node.read)) == 2_000
