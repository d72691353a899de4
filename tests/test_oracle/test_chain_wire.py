"""JSON-RPC's forms: exact bytes out, and nothing malformed in."""

from __future__ import annotations

import pytest

from oracle.chain.wire import call_params, octets, quantity, stamp_from_node
from oracle.errors import BlockUnavailable
from oracle.types import BlockStamp

pytestmark = pytest.mark.fast

STAMP = BlockStamp(number=5, hash=b"\x05" * 32, parent_hash=b"\x04" * 32, timestamp=1_700_000_000)
TARGET = "0x" + "22" * 20


def test_a_call_is_pinned_to_a_canonical_block() -> None:
    pinned = {"blockHash": "0x" + "05" * 32, "requireCanonical": True}
    assert call_params(STAMP, TARGET, b"\x01", None, None, None) == [{"to": TARGET, "data": "0x01"}, pinned]
    override = {TARGET: {"code": "0x00"}}
    full = {"to": TARGET, "data": "0x", "from": TARGET, "gas": "0x64"}
    assert call_params(STAMP, TARGET, b"", TARGET, 100, override) == [full, pinned, override]


def test_a_block_is_read_whole_or_not_at_all() -> None:
    block = {"number": "0x5", "hash": "0x" + "05" * 32, "parentHash": "0x" + "04" * 32, "timestamp": hex(1_700_000_000)}
    assert stamp_from_node(block) == STAMP
    with pytest.raises(BlockUnavailable):
        stamp_from_node(None)
    for member in block:
        with pytest.raises(KeyError):
            stamp_from_node({name: value for name, value in block.items() if name != member})


@pytest.mark.parametrize("text", ["", "12", "0xz", "0x1"])
def test_data_without_its_form_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r"data without 0x|non-hexadecimal"):
        octets(text)


def test_a_quantity_may_be_longer_than_a_word() -> None:
    assert quantity("0x" + "ff" * 40) == 2**320 - 1
