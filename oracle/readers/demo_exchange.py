"""Reader of DemoExchange: listing, feeds and the whole book at one block, through BookLens."""

from __future__ import annotations

from typing import Any

from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.errors import BadBook, CallReverted, WrongContract
from oracle.readers.agreement import AGGREGATOR_V3, agreed_read, check_accounts, check_feed
from oracle.readers.batches import FIRST_BATCH, in_batches
from oracle.readers.lens import Lens
from oracle.readers.packed import check_book, decode_accounts, decode_rounds, join_books
from oracle.readers.prices import check_rounds, rounds_since
from oracle.types import (
    AccountBook,
    BlockStamp,
    Instrument,
    InstrumentKind,
    Markets,
    PriceRounds,
    SurfaceSlice,
    Underlying,
)


class DemoExchangeReader:
    """A `ProtocolReader` for DemoExchange.

    Parameters
    ----------
    client : ChainClient
    exchange : str
        Address of the venue.
    lens : Lens
        How the bulk is read.
    first_batch : int
        Accounts in the first call; later ones adapt, see `batches`.
    """

    def __init__(self, client: ChainClient, exchange: str, lens: Lens, first_batch: int = FIRST_BATCH) -> None:
        self._client = client
        self._exchange = Contract(client, exchange, load_artefact("DemoExchange").interface)
        self._lens = lens
        self._first_batch = first_batch

    def oracle_address(self, stamp: BlockStamp) -> str:
        """See `ProtocolReader.oracle_address`."""
        self._exchange.require(stamp)
        try:
            return str(self._exchange.call(stamp, "oracle"))
        except CallReverted as error:
            raise WrongContract(
                f"contract {self._exchange.address} is not a DemoExchange: oracle() says {error.message}",
                "correct contracts.exchange",
            ) from None

    def read_markets(self, stamp: BlockStamp) -> Markets:
        """See `ProtocolReader.read_markets`; ids of instruments are their places in the listing."""
        self._exchange.require(stamp)
        underlyings, instruments, slices = self._lens.read_markets(self._exchange.address, stamp)
        markets = Markets(
            underlyings=tuple(_underlying(info) for info in underlyings),
            instruments=tuple(_instrument(place, info) for place, info in enumerate(instruments)),
            slices=tuple(_slice(info) for info in slices),
        )
        for underlying in markets.underlyings:
            check_feed(Contract(self._client, underlying.feed, AGGREGATOR_V3), underlying, stamp)
        return markets

    def read_rounds(self, markets: Markets, since_timestamp: int, stamp: BlockStamp) -> tuple[PriceRounds, ...]:
        """See `ProtocolReader.read_rounds`."""
        return tuple(self._rounds(underlying, since_timestamp, stamp) for underlying in markets.underlyings)

    def read_book(self, stamp: BlockStamp) -> AccountBook:
        """See `ProtocolReader.read_book`."""
        account_count: int = agreed_read(self._exchange, stamp, "accountCount")

        def read(start: int, count: int) -> AccountBook:
            return decode_accounts(self._lens.read_accounts(self._exchange.address, start, count, stamp), count)

        book = join_books([part for _, _, part in in_batches(account_count, read, self._first_batch)])
        check_book(book, account_count)
        check_accounts(self._exchange, book, stamp)
        return book

    def _rounds(self, underlying: Underlying, since_timestamp: int, stamp: BlockStamp) -> PriceRounds:
        def read(last_round_id: int, count: int) -> PriceRounds:
            return decode_rounds(self._lens.read_rounds(underlying.feed, last_round_id, count, stamp))

        rounds = rounds_since(underlying, since_timestamp, read)
        check_rounds(underlying.symbol, rounds, stamp.timestamp)
        return rounds


def _underlying(info: Any) -> Underlying:
    return Underlying(
        symbol=info.symbol,
        feed=info.priceFeed,
        price_e8=info.answer,
        price_timestamp=info.updatedAt,
        round_id=info.roundId,
        funding_rate_ppm_hourly=info.fundingRatePpmHourly,
        funding_cap_ppm_hourly=info.fundingCapPpmHourly,
    )


def _instrument(place: int, info: Any) -> Instrument:
    kinds = tuple(InstrumentKind)
    if info.kind >= len(kinds):
        raise BadBook(f"instrument {place} has the unknown kind {info.kind}", "use the release that fits the venue")
    return Instrument(
        instrument_id=place,
        kind=kinds[info.kind],
        underlying=info.underlying,
        market_id=info.marketId,
        strike_e8=info.strikeE8,
        expiry_timestamp=info.expiry,
        settlement_price_e8=info.settlementPriceE8,
    )


def _slice(info: Any) -> SurfaceSlice:
    return SurfaceSlice(
        underlying=info.underlying,
        expiry_timestamp=info.expiry,
        nodes_ppm=tuple(info.nodesPpm),
        carry_ppm=info.carryPpm,
        updated_timestamp=info.updatedAt,
    )
