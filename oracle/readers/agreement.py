"""A sample of what the lens said, read again at the contracts themselves and by endpoints that must agree.

The lens answers in bulk through one endpoint. Were its code, its address or that endpoint wrong, the whole book
would be; a few plain reads, which two of three endpoints must answer alike, show it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from oracle.chain.abi import Interface
from oracle.chain.contract import Contract
from oracle.errors import BadBook, BadPrice, CallReverted
from oracle.readers.prices import FEED_DECIMALS
from oracle.types import AccountBook, BlockStamp, Underlying

ACCOUNTS_SAMPLED = 3

AGGREGATOR_V3 = Interface(
    "AggregatorV3",
    (
        {"type": "function", "name": "decimals", "inputs": [], "outputs": [{"name": "", "type": "uint8"}]},
        {
            "type": "function",
            "name": "latestRoundData",
            "inputs": [],
            "outputs": [
                {"name": "roundId", "type": "uint80"},
                {"name": "answer", "type": "int256"},
                {"name": "startedAt", "type": "uint256"},
                {"name": "updatedAt", "type": "uint256"},
                {"name": "answeredInRound", "type": "uint80"},
            ],
        },
    ),
)


def agreed_read(contract: Contract, stamp: BlockStamp, function: str, *arguments: Any) -> Any:
    """Return a function's decoded result on which two endpoints agree when there are three or more.

    Raises
    ------
    CallReverted
        With the reason in words.
    OracleError
        As `ChainClient.agreed_call` and `Interface.decode`.
    """
    data = contract.interface.encode(function, *arguments)
    try:
        answer = contract.client.agreed_call(stamp, contract.address, data)
    except CallReverted as error:
        raise contract.reasons.named(error) from None
    return contract.interface.decode(function, answer)


def check_feed(feed: Contract, underlying: Underlying, stamp: BlockStamp) -> None:
    """Check that a feed counts in 8 decimals and that its own last round is the one the venue sees.

    Raises
    ------
    BadPrice
        If not, or if the feed reverts; names what it said.
    """
    try:
        decimals = agreed_read(feed, stamp, "decimals")
        latest = agreed_read(feed, stamp, "latestRoundData")
    except CallReverted as error:
        raise BadPrice(
            f"{underlying.symbol} feed {feed.address} does not answer: {error.message}", "push a first round"
        ) from None
    if decimals != FEED_DECIMALS:
        raise BadPrice(
            f"{underlying.symbol} feed {feed.address} has {decimals} decimals, {FEED_DECIMALS} expected",
            "list a feed of the right scale; nothing is rescaled by guess",
        )
    own = (latest[0], latest[1], latest[3])
    seen = (underlying.round_id, underlying.price_e8, underlying.price_timestamp)
    if own != seen:
        raise BadPrice(
            f"{underlying.symbol} feed {feed.address} says (round, answer, time) {own}, the lens {seen}",
            "check contracts.lens and the endpoints",
        )


def check_accounts(exchange: Contract, book: AccountBook, stamp: BlockStamp) -> None:
    """Check a few accounts, chosen by the block's hash, against the venue's own views.

    Raises
    ------
    BadBook
        If address, position version or positions differ; names the account.
    """
    for sample in range(min(ACCOUNTS_SAMPLED, len(book))):
        index = int.from_bytes(hashlib.sha256(stamp.hash + bytes([sample])).digest()) % len(book)
        address = agreed_read(exchange, stamp, "accountAt", index)
        _, version, _ = agreed_read(exchange, stamp, "accountState", address)
        ids, sizes = agreed_read(exchange, stamp, "positionsOf", address)
        own = (address.lower(), version, sorted(zip(ids, sizes, strict=True)))
        first, end = int(book.indptr[index]), int(book.indptr[index + 1])
        positions = zip(book.instrument_id[first:end].tolist(), book.size_lots[first:end].tolist(), strict=True)
        read = ("0x" + book.address[index].tobytes().hex(), int(book.position_version[index]), sorted(positions))
        if own != read:
            raise BadBook(
                f"account {index} is {own} at the venue and {read} through the lens",
                "check contracts.lens, contracts.exchange and the endpoints",
            )
