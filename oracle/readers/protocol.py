"""The interface of a protocol reader: what a cycle needs from a venue, at one block, in the oracle's own types."""

from __future__ import annotations

from typing import Protocol

from oracle.types import AccountBook, BlockStamp, Markets, PriceRounds


class ProtocolReader(Protocol):
    """Reads one venue at a block hash. No default argument is a moving tag, no web3 value leaves a reader."""

    def oracle_address(self, stamp: BlockStamp) -> str:
        """Return the address of the margin oracle that the venue asks.

        Raises
        ------
        WrongContract
            If there is no code at the venue's address, or it is another kind of contract.
        """

    def read_markets(self, stamp: BlockStamp) -> Markets:
        """Return underlyings, instruments and volatility slices as listed at the block, in the venue's order.

        Raises
        ------
        BadBook
            If the listing contradicts itself.
        BadPrice
            If a feed does not count in 8 decimals.
        WrongContract
            If the venue is not at its address.
        """

    def read_rounds(self, markets: Markets, since_timestamp: int, stamp: BlockStamp) -> tuple[PriceRounds, ...]:
        """Return each underlying's rounds, from the last one at or before `since_timestamp` up to the block.

        Raises
        ------
        BadPrice
            If a round is not positive, out of order, or later than the block.
        BadHistory
            If the feed does not reach back to `since_timestamp`.
        """

    def read_book(self, stamp: BlockStamp) -> AccountBook:
        """Return every account with cash (what is accrued included, rounded down) and positions.

        Raises
        ------
        BadBook
            If accounts are missing or come twice, or a number is beyond its column.
        """
