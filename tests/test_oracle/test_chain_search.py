"""A search for events asks for as much as an endpoint gives, and misses none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import pytest

from oracle.chain.abi import Interface
from oracle.chain.client import ChainClient
from oracle.chain.contract import LARGEST_SEARCH_BLOCKS, Contract
from oracle.chain.wire import Log
from oracle.errors import CallTooLarge

pytestmark = pytest.mark.fast

ADDRESS = "0x" + "11" * 20
INTERFACE = Interface("Counter", [{"type": "event", "name": "Counted", "inputs": []}])


class Endpoint(ChainClient):
    """A chain with two events in each of some blocks, that answers for so many blocks at once."""

    def __init__(self, blocks: Sequence[int], most: int) -> None:
        self.blocks, self.most = blocks, most
        self.asked: list[tuple[int, int]] = []

    def logs(
        self, address: str, first_block: int, last_block: int, topics: Sequence[bytes | tuple[bytes, ...] | None] = ()
    ) -> tuple[Log, ...]:
        self.asked.append((first_block, last_block))
        assert topics == ((INTERFACE.topic("Counted"),), b"\x07")
        if last_block - first_block + 1 > self.most:
            raise CallTooLarge("block range is too wide")
        return tuple(
            Log(address, (INTERFACE.topic("Counted"),), b"", block, bytes(32), bytes(32), index)
            for block in sorted(self.blocks)
            if first_block <= block <= last_block
            for index in (0, 1)
        )


def places(endpoint: Endpoint, first: int, last: int) -> list[tuple[int, int]]:
    contract = Contract(endpoint, ADDRESS, INTERFACE)
    found = contract.search(["Counted"], first, last, [b"\x07"])
    return [(event.log.block_number, event.log.log_index) for event in found]


@pytest.mark.parametrize("most", [1, 2, 3, 7, 64, 1_000])
def test_every_event_is_found_once_newest_first_whatever_the_limit(most: int) -> None:
    blocks = (10, 11, 40, 63, 99)
    wanted = [(block, index) for block in (63, 40, 11) for index in (1, 0)]
    assert places(Endpoint(blocks, most), 11, 98) == wanted


def test_the_limit_is_learnt_once(most: int = 10) -> None:
    endpoint = Endpoint((), most)
    assert places(endpoint, 0, 999) == []
    refused = [pair for pair in endpoint.asked if pair[1] - pair[0] + 1 > most]
    assert len(refused) == 7
    assert len(endpoint.asked) - len(refused) == -(-1_000 // 7)


def test_a_search_that_has_found_enough_asks_no_further() -> None:
    endpoint = Endpoint((5 * LARGEST_SEARCH_BLOCKS,), LARGEST_SEARCH_BLOCKS)
    found = Contract(endpoint, ADDRESS, INTERFACE).search(["Counted"], 0, 5 * LARGEST_SEARCH_BLOCKS, [b"\x07"])
    assert len(list(islice(found, 1))) == len(endpoint.asked) == 1


def test_one_block_that_is_too_much_is_an_error_and_no_block_is_none() -> None:
    with pytest.raises(CallTooLarge):
        places(Endpoint((), 0), 3, 3)
    assert places(Endpoint((), 1), 4, 3) == []
