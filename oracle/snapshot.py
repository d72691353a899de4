"""Everything a cycle needs, read at one block hash, and the checks that need more than one part of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oracle.chain.client import ChainClient
from oracle.config import PriceSettings, Settings
from oracle.errors import BadArtefact, BadBook, BadPrice, BadSurface, WrongContract
from oracle.readers.demo_exchange import DemoExchangeReader
from oracle.readers.lens import Lens
from oracle.readers.oracle_state import read_oracle_state
from oracle.readers.prices import check_price, check_rounds
from oracle.types import (
    AccountBook,
    BlockStamp,
    Instrument,
    InstrumentKind,
    Markets,
    PriceRounds,
    Snapshot,
    SurfaceSlice,
    Underlying,
)
from oracle.units import PPM, SECONDS_PER_HOUR, SECONDS_PER_YEAR

LARGEST_MARKET_ID = 2**31 - 1
"""The contract's ids are unsigned 32 bits, the engine's columns signed ones: the upper half is not used."""

_LISTING = "the venue's listing contradicts itself: check contracts.exchange"


def read_snapshot(client: ChainClient, settings: Settings, stamp: BlockStamp, calibration_last_hour: int) -> Snapshot:
    """Read and check everything a cycle needs at one block.

    Parameters
    ----------
    client : ChainClient
        Endpoints of the chain.
    settings : Settings
        `contracts` and `prices` are used.
    stamp : BlockStamp
        The block; nothing is read at a moving tag.
    calibration_last_hour : int
        Last hour of the calibration artefact, hours since the Unix epoch; price rounds reach back to it.

    Raises
    ------
    BadArtefact
        If the artefact ends after the block.
    BadData
        Any of the checks of `check_snapshot` and of the readers.
    WrongContract, BlockUnavailable, EndpointUnavailable
        From the chain.
    """
    since_timestamp = calibration_last_hour * SECONDS_PER_HOUR
    if since_timestamp > stamp.timestamp:
        raise BadArtefact(
            f"the calibration ends at {since_timestamp}, after block {stamp.number} at {stamp.timestamp}",
            "use the artefact that was in force at the block",
        )
    reader = DemoExchangeReader(client, settings.contracts.exchange, Lens(client, settings.contracts.lens))
    asked = reader.oracle_address(stamp)
    if asked != settings.contracts.oracle:
        raise WrongContract(
            f"the venue {settings.contracts.exchange} asks the oracle {asked}, not {settings.contracts.oracle}",
            "correct contracts.oracle or contracts.exchange",
        )
    markets = reader.read_markets(stamp)
    # Before anything else is read: a dead feed would show as a short history otherwise.
    check_markets(markets, stamp, settings.prices)
    market_ids = sorted({instrument.market_id for instrument in markets.instruments})
    snapshot = Snapshot(
        chain_id=client.chain_id,
        stamp=stamp,
        oracle=read_oracle_state(client, settings.contracts.oracle, market_ids, stamp),
        underlyings=markets.underlyings,
        instruments=markets.instruments,
        slices=markets.slices,
        rounds=reader.read_rounds(markets, since_timestamp, stamp),
        book=reader.read_book(stamp),
    )
    check_snapshot(snapshot, settings.prices)
    return snapshot


def check_snapshot(snapshot: Snapshot, limits: PriceSettings) -> None:
    """Check the parts of a snapshot and that they belong together.

    Raises
    ------
    BadBook, BadPrice, BadSurface
        See `check_markets`, `check_positions` and `prices.check_rounds`; BadPrice also when the last of a feed's
        rounds is not the price that the venue sees.
    """
    markets = Markets(snapshot.underlyings, snapshot.instruments, snapshot.slices)
    check_markets(markets, snapshot.stamp, limits)
    if len(snapshot.rounds) != len(snapshot.underlyings):
        raise BadPrice(f"{len(snapshot.rounds)} price series for {len(snapshot.underlyings)} underlyings")
    for underlying, rounds in zip(snapshot.underlyings, snapshot.rounds, strict=True):
        check_rounds(underlying.symbol, rounds, snapshot.stamp.timestamp)
        last = (int(rounds.price_e8[-1]), int(rounds.timestamp[-1])) if len(rounds.price_e8) else None
        if last != (underlying.price_e8, underlying.price_timestamp):
            raise BadPrice(
                f"{underlying.symbol}: the feed's last round is {last}, the venue sees "
                f"{(underlying.price_e8, underlying.price_timestamp)}",
                "the venue and the reader must use the same feed",
            )
    check_positions(snapshot.book, snapshot.instruments, snapshot.stamp.timestamp)


def check_markets(markets: Markets, stamp: BlockStamp, limits: PriceSettings) -> None:
    """Check prices, listing and volatility slices at the block.

    Raises
    ------
    BadPrice
        See `prices.check_price`.
    BadBook
        If there is no instrument, a symbol or instrument id comes twice, or a listing contradicts its kind.
    BadSurface
        If the slice of a live dated instrument is stale, in the future, or out of range.
    """
    _require_unique("symbol", [underlying.symbol for underlying in markets.underlyings])
    _require_unique("instrument id", [instrument.instrument_id for instrument in markets.instruments])
    for underlying in markets.underlyings:
        check_price(underlying, stamp.timestamp, limits.maximum_price_age_seconds)
    if not markets.instruments:
        raise BadBook("the venue lists no instrument", "check contracts.exchange")
    slices = {(item.underlying, item.expiry_timestamp): item for item in markets.slices}
    for instrument in markets.instruments:
        _check_listing(instrument, len(markets.underlyings))
        if instrument.settlement_price_e8 == 0 and instrument.expiry_timestamp > stamp.timestamp:
            item = slices.get((instrument.underlying, instrument.expiry_timestamp))
            # without a slice it has no model, which is the valuation's to answer; a stale one is a feed that stopped
            if item is not None and item.updated_timestamp > 0:
                _check_slice(item, stamp.timestamp, limits.maximum_surface_age_seconds)


def check_positions(book: AccountBook, instruments: tuple[Instrument, ...], block_timestamp: int) -> None:
    """Check that every position can be valued at the block.

    Raises
    ------
    BadBook
        If an account holds an instrument that is not listed, or one that has expired and is not settled.
    """
    known = {instrument.instrument_id: instrument for instrument in instruments}
    for instrument_id in np.unique(book.instrument_id).tolist():
        instrument = known.get(instrument_id)
        if instrument is None:
            raise BadBook(
                f"account {_holder(book, instrument_id)} holds instrument {instrument_id}, which is not listed",
                "check that the lens and the exchange belong together",
            )
        expired = 0 < instrument.expiry_timestamp <= block_timestamp
        if expired and instrument.settlement_price_e8 == 0:
            raise BadBook(
                f"account {_holder(book, instrument_id)} holds instrument {instrument_id}, expired at "
                f"{instrument.expiry_timestamp} and not settled at {block_timestamp}",
                f"settle it: call settle({instrument_id}, roundId) on the exchange",
            )


def describe_snapshot(snapshot: Snapshot) -> dict[str, object]:
    """Return what was read, ready for canonical JSON: integers and strings, long columns as SHA-256.

    Two keepers that disagree find the field here; an equal description means equal inputs.
    """
    return {
        "chain_id": snapshot.chain_id,
        "block": {
            "number": snapshot.stamp.number,
            "hash": "0x" + snapshot.stamp.hash.hex(),
            "timestamp": snapshot.stamp.timestamp,
        },
        "oracle": {
            "address": snapshot.oracle.address,
            "signer_set_epoch": snapshot.oracle.signer_set_epoch,
            "last_sequence": snapshot.oracle.last_sequence,
            "last_reference_block": snapshot.oracle.last_reference_block,
        },
        "underlyings": {
            underlying.symbol: _describe_underlying(underlying, rounds)
            for underlying, rounds in zip(snapshot.underlyings, snapshot.rounds, strict=True)
        },
        "slices": [
            [item.underlying, item.expiry_timestamp, *item.nodes_ppm, item.carry_ppm, item.updated_timestamp]
            for item in snapshot.slices
        ],
        "instruments": [[int(value) for value in astuple(instrument)] for instrument in snapshot.instruments],
        "book": describe_book(snapshot.book),
    }


def describe_book(book: AccountBook) -> dict[str, object]:
    """Return the size of a book and the SHA-256 of its columns, each as big-endian bytes in the book's order."""
    columns = (book.address, book.position_version, book.cash_micro, book.indptr, book.instrument_id, book.size_lots)
    return {"accounts": len(book), "positions": len(book.instrument_id), "sha256": _digest(*columns)}


def _describe_underlying(underlying: Underlying, rounds: PriceRounds) -> dict[str, object]:
    return {
        "feed": underlying.feed,
        "price_e8": underlying.price_e8,
        "price_timestamp": underlying.price_timestamp,
        "round_id": str(underlying.round_id),
        "funding_rate_ppm_hourly": underlying.funding_rate_ppm_hourly,
        "funding_cap_ppm_hourly": underlying.funding_cap_ppm_hourly,
        "rounds": len(rounds.price_e8),
        "rounds_sha256": _digest(rounds.timestamp, rounds.price_e8),
    }


def _check_listing(instrument: Instrument, underlying_count: int) -> None:
    name = f"instrument {instrument.instrument_id} ({instrument.kind.name.lower()})"
    if not 0 <= instrument.underlying < underlying_count:
        raise BadBook(f"{name} names underlying {instrument.underlying} of {underlying_count}", _LISTING)
    if not 0 <= instrument.market_id <= LARGEST_MARKET_ID:
        raise BadBook(f"{name} names market {instrument.market_id}, beyond 0 to {LARGEST_MARKET_ID}", _LISTING)
    is_option = instrument.kind in (InstrumentKind.CALL, InstrumentKind.PUT)
    if is_option != (instrument.strike_e8 > 0):
        raise BadBook(f"{name} has strike {instrument.strike_e8}e-8", _LISTING)
    if (instrument.kind != InstrumentKind.PERPETUAL) != (instrument.expiry_timestamp > 0):
        raise BadBook(f"{name} has expiry {instrument.expiry_timestamp}", _LISTING)


def _check_slice(item: SurfaceSlice, block_timestamp: int, maximum_age_seconds: int) -> None:
    name = f"volatility slice of underlying {item.underlying}, expiry {item.expiry_timestamp}"
    age = block_timestamp - item.updated_timestamp
    if age < 0:
        raise BadSurface(f"{name} is {-age} s in the future of the block", "check the surface feed's clock")
    if age > maximum_age_seconds:
        raise BadSurface(
            f"{name} is {age} s old, {maximum_age_seconds} s allowed",
            "push a new one; prices.maximum_surface_age_seconds must cover the feed's interval",
        )
    if min(item.nodes_ppm) <= 0:
        raise BadSurface(f"{name} has the node {min(item.nodes_ppm)} ppm", "push positive volatilities")
    seconds = item.expiry_timestamp - block_timestamp
    if PPM * SECONDS_PER_YEAR + item.carry_ppm * seconds <= 0:
        raise BadSurface(f"{name} has a carry of {item.carry_ppm} ppm: no positive forward", "push the right carry")


def _require_unique(name: str, values: Sequence[str | int]) -> None:
    if len(set(values)) != len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise BadBook(f"{name} {twice} is listed twice", _LISTING)


def _holder(book: AccountBook, instrument_id: int) -> str:
    position = int(np.flatnonzero(book.instrument_id == instrument_id)[0])
    account = int(np.searchsorted(book.indptr, position, side="right")) - 1
    return f"0x{book.address[account].tobytes().hex()}"


def _digest(*columns: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for column in columns:
        digest.update(column.astype(column.dtype.newbyteorder(">")).tobytes())
    return digest.hexdigest()
