"""The forms that JSON-RPC gives to numbers, bytes, blocks, events and calls; nothing here asks a node.

A parser raises KeyError, TypeError or ValueError on anything malformed, which the endpoint turns into its own fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oracle.errors import BlockUnavailable
from oracle.types import BlockStamp

StateOverride = dict[str, dict[str, Any]]
"""address -> {"code": "0x..", "balance": "0x..", "stateDiff": {..}}."""


@dataclass(frozen=True, slots=True)
class Log:
    """An event as a node gives it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int


def quantity(value: str) -> int:
    """Return a JSON-RPC quantity (hex with 0x) as an integer."""
    return int(value, 16)


def octets(value: str) -> bytes:
    """Return JSON-RPC data (hex with 0x) as bytes."""
    if not value.startswith("0x"):
        raise ValueError("data without 0x")
    return bytes.fromhex(value[2:])


def log_from_node(log: dict[str, Any]) -> Log:
    """Return a node's log entry as a `Log`."""
    return Log(
        address=log["address"],
        topics=tuple(octets(topic) for topic in log["topics"]),
        data=octets(log["data"]),
        block_number=quantity(log["blockNumber"]),
        block_hash=octets(log["blockHash"]),
        transaction_hash=octets(log["transactionHash"]),
        log_index=quantity(log["logIndex"]),
    )


def stamp_from_node(block: dict[str, Any] | None) -> BlockStamp:
    """Return a node's block as a `BlockStamp`; BlockUnavailable for `null`."""
    if block is None:
        raise BlockUnavailable("the block is not known to the endpoint", "it may be behind, or the block reorganised")
    return BlockStamp(
        number=quantity(block["number"]),
        hash=octets(block["hash"]),
        parent_hash=octets(block["parentHash"]),
        timestamp=quantity(block["timestamp"]),
    )


def at_block(stamp: BlockStamp) -> dict[str, Any]:
    """Return the block parameter that pins a read to a canonical block by hash (EIP-1898)."""
    return {"blockHash": "0x" + stamp.hash.hex(), "requireCanonical": True}


def call_params(
    stamp: BlockStamp, to: str, data: bytes, sender: str | None, gas: int | None, override: StateOverride | None
) -> list[Any]:
    """Return the parameters of `eth_call`; see `ChainClient.call`."""
    transaction: dict[str, str] = {"to": to, "data": "0x" + data.hex()}
    if sender is not None:
        transaction["from"] = sender
    if gas is not None:
        transaction["gas"] = hex(gas)
    params: list[Any] = [transaction, at_block(stamp)]
    return [*params, override] if override else params
