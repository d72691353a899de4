"""A snapshot as the engine takes it: integers become floats here, and nowhere before."""

from __future__ import annotations

import numpy as np

import engine
from oracle.readers.prices import hourly_closes
from oracle.types import AccountBook, Instrument, InstrumentKind, Snapshot
from oracle.units import LOTS_PER_CONTRACT, PPM, PRICE_SCALE_E8, SECONDS_PER_HOUR, SECONDS_PER_YEAR
from oracle.valuation.artefact import Calibration
from oracle.valuation.listing import Listing

_KINDS = {
    InstrumentKind.PERPETUAL: engine.Kind.PERPETUAL,
    InstrumentKind.FUTURE: engine.Kind.FUTURE,
    InstrumentKind.CALL: engine.Kind.CALL,
    InstrumentKind.PUT: engine.Kind.PUT,
}


def recent_prices(snapshot: Snapshot, listing: Listing, calibration: Calibration) -> list[engine.RecentPrices]:
    """Return the closes at every full hour after the artefact, from the feeds' own rounds."""
    last_hour = snapshot.stamp.timestamp // SECONDS_PER_HOUR
    return [
        engine.RecentPrices(
            snapshot.underlyings[place].symbol,
            *hourly_closes(snapshot.rounds[place], calibration.last_hour + 1, last_hour),
        )
        for place in listing.underlyings
    ]


def market_state(snapshot: Snapshot, listing: Listing) -> engine.MarketState:
    """Return prices, forwards and live slices; forward = spot (1 + carry T), T in years of 365 days, no discounting."""
    underlyings, slices = [snapshot.underlyings[place] for place in listing.underlyings], listing.slices
    spot = np.array([underlying.price_e8 / PRICE_SCALE_E8 for underlying in underlyings])
    seconds = np.array([s.expiry_timestamp - snapshot.stamp.timestamp for s in slices], dtype=np.int64)
    carry = np.array([s.carry_ppm / PPM for s in slices], dtype=np.float64)
    owner = np.array([listing.underlyings.index(s.underlying) for s in slices], dtype=np.int32)
    return engine.MarketState(
        symbols=tuple(underlying.symbol for underlying in underlyings),
        spot=spot,
        slice_underlying=owner,
        slice_seconds=seconds,
        forward=spot[owner] * (1.0 + carry * (seconds / SECONDS_PER_YEAR)),
        vol_nodes=np.array([s.nodes_ppm for s in slices], dtype=np.float64).reshape(len(slices), -1) / PPM
        if slices
        else np.empty((0, 7)),
        discount=np.ones(len(slices)),
        funding_rate_hourly=np.array([u.funding_rate_ppm_hourly / PPM for u in underlyings]),
        funding_cap_hourly=np.array([u.funding_cap_ppm_hourly / PPM for u in underlyings]),
    )


def to_instruments(snapshot: Snapshot, listing: Listing) -> engine.Instruments:
    """Return what has a model in columns, then each underlying as a token, for its haircut.

    One contract is one unit of the underlying, settled in quote; a token has no market.
    """
    slice_of = {(s.underlying, s.expiry_timestamp): row for row, s in enumerate(listing.slices)}
    now, live, tokens = snapshot.stamp.timestamp, listing.modelled, len(listing.underlyings)
    row_of = {place: row for row, place in enumerate(listing.underlyings)}
    count = len(live) + tokens
    slices = [slice_of.get((i.underlying, i.expiry_timestamp), -1) for i in live]
    return engine.Instruments(
        kind=np.array([_KINDS[i.kind] for i in live] + [engine.Kind.SPOT] * tokens, dtype=np.int8),
        underlying=np.array([row_of[i.underlying] for i in live] + list(range(tokens)), dtype=np.int32),
        market_id=np.array([i.market_id for i in live] + [-1] * tokens, dtype=np.int32),
        slice=np.array(slices + [-1] * tokens, dtype=np.int32),
        seconds_to_expiry=np.array([max(i.expiry_timestamp - now, 0) for i in live] + [0] * tokens, dtype=np.int64),
        strike=np.array([i.strike_e8 / PRICE_SCALE_E8 for i in live] + [0.0] * tokens, dtype=np.float64),
        multiplier=np.ones(count),
        inverse=np.zeros(count, dtype=np.bool_),
    )


def to_positions(book: AccountBook, instruments: tuple[Instrument, ...]) -> engine.Positions:
    """Return what the accounts hold of some instruments, in contracts, counted in their order.

    What is settled is cash, see `results`.
    """
    ids = np.array([instrument.instrument_id for instrument in instruments], dtype=np.int32)
    order = np.argsort(ids)
    place = np.searchsorted(ids, book.instrument_id, sorter=order)
    rows = np.append(order, 0)[place]
    held = (place < ids.size) & (np.append(ids, -1)[rows] == book.instrument_id)
    before = np.concatenate([[0], np.cumsum(held)])
    return engine.Positions(
        indptr=before[book.indptr].astype(np.int64),
        instrument=rows[held].astype(np.int32),
        quantity=book.size_lots[held].astype(np.float64) / LOTS_PER_CONTRACT,
    )


def to_unmodelled(snapshot: Snapshot, listing: Listing) -> engine.Unmodelled:
    """Return what the accounts hold of instruments without a model."""
    some = listing.unmodelled
    return engine.Unmodelled(
        kind=np.array([_KINDS[i.kind] for i in some], dtype=np.int8),
        spot=np.array([snapshot.underlyings[i.underlying].price_e8 / PRICE_SCALE_E8 for i in some], dtype=np.float64),
        strike=np.array([i.strike_e8 / PRICE_SCALE_E8 for i in some], dtype=np.float64),
        multiplier=np.ones(len(some)),
        inverse=np.zeros(len(some), dtype=np.bool_),
        why=listing.why,
        held=to_positions(snapshot.book, some),
    )
