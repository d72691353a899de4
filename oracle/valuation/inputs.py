"""A snapshot as the engine takes it: integers become floats here, and nowhere before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import engine
from oracle.readers.prices import hourly_closes
from oracle.types import Instrument, InstrumentKind, Snapshot, SurfaceSlice
from oracle.units import LOTS_PER_CONTRACT, PPM, PRICE_SCALE_E8, SECONDS_PER_HOUR, SECONDS_PER_YEAR
from oracle.valuation.artefact import Calibration

_KINDS = {
    InstrumentKind.PERPETUAL: engine.Kind.PERPETUAL,
    InstrumentKind.FUTURE: engine.Kind.FUTURE,
    InstrumentKind.CALL: engine.Kind.CALL,
    InstrumentKind.PUT: engine.Kind.PUT,
}


@dataclass(frozen=True, slots=True)
class LiveInstruments:
    """The instruments that still move, and where each id lies among them (-1: settled)."""

    instruments: tuple[Instrument, ...]
    row_of_id: dict[int, int]


def live_instruments(snapshot: Snapshot) -> LiveInstruments:
    """Return what is neither settled nor expired at the block."""
    live = tuple(
        instrument
        for instrument in snapshot.instruments
        if instrument.settlement_price_e8 == 0
        and (instrument.expiry_timestamp == 0 or instrument.expiry_timestamp > snapshot.stamp.timestamp)
    )
    rows = {instrument.instrument_id: -1 for instrument in snapshot.instruments}
    rows.update({instrument.instrument_id: row for row, instrument in enumerate(live)})
    return LiveInstruments(live, rows)


def recent_prices(snapshot: Snapshot, calibration: Calibration) -> list[engine.RecentPrices]:
    """Return the closes at every full hour after the artefact, from the feeds' own rounds."""
    last_hour = snapshot.stamp.timestamp // SECONDS_PER_HOUR
    return [
        engine.RecentPrices(underlying.symbol, *hourly_closes(rounds, calibration.last_hour + 1, last_hour))
        for underlying, rounds in zip(snapshot.underlyings, snapshot.rounds, strict=True)
    ]


def market_state(snapshot: Snapshot) -> engine.MarketState:
    """Return prices, forwards and live slices; forward = spot (1 + carry T), T in years of 365 days, no discounting."""
    underlyings, slices = snapshot.underlyings, _live_slices(snapshot)
    spot = np.array([underlying.price_e8 / PRICE_SCALE_E8 for underlying in underlyings])
    seconds = np.array([s.expiry_timestamp - snapshot.stamp.timestamp for s in slices], dtype=np.int64)
    carry = np.array([s.carry_ppm / PPM for s in slices], dtype=np.float64)
    owner = np.array([s.underlying for s in slices], dtype=np.int32)
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


def _live_slices(snapshot: Snapshot) -> list[SurfaceSlice]:
    return [s for s in snapshot.slices if s.expiry_timestamp > snapshot.stamp.timestamp]


def to_instruments(snapshot: Snapshot, live: tuple[Instrument, ...]) -> engine.Instruments:
    """Return the live instruments in columns; one contract is one unit of the underlying, settled in quote."""
    slice_of = {(s.underlying, s.expiry_timestamp): row for row, s in enumerate(_live_slices(snapshot))}
    now = snapshot.stamp.timestamp
    return engine.Instruments(
        kind=np.array([_KINDS[i.kind] for i in live], dtype=np.int8),
        underlying=np.array([i.underlying for i in live], dtype=np.int32),
        market_id=np.array([i.market_id for i in live], dtype=np.int32),
        slice=np.array([slice_of.get((i.underlying, i.expiry_timestamp), -1) for i in live], dtype=np.int32),
        seconds_to_expiry=np.array([max(i.expiry_timestamp - now, 0) for i in live], dtype=np.int64),
        strike=np.array([i.strike_e8 / PRICE_SCALE_E8 for i in live], dtype=np.float64),
        multiplier=np.ones(len(live)),
        inverse=np.zeros(len(live), dtype=np.bool_),
    )


def to_positions(snapshot: Snapshot, live: LiveInstruments) -> engine.Positions:
    """Return the positions that still move, in contracts; settled ones are cash, see `results`."""
    book = snapshot.book
    rows = _rows_of(book.instrument_id, live)
    moves = rows >= 0
    count = np.concatenate([[0], np.cumsum(moves)])
    return engine.Positions(
        indptr=count[book.indptr].astype(np.int64),
        instrument=rows[moves],
        quantity=book.size_lots[moves].astype(np.float64) / LOTS_PER_CONTRACT,
    )


def _rows_of(instrument_id: NDArray[np.int32], live: LiveInstruments) -> NDArray[np.int32]:
    ids = np.array(sorted(live.row_of_id), dtype=np.int32)
    rows = np.array([live.row_of_id[int(i)] for i in ids], dtype=np.int32)
    return rows[np.searchsorted(ids, instrument_id)] if len(instrument_id) else np.empty(0, dtype=np.int32)
