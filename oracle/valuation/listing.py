"""What of a snapshot's listing the model covers: live instruments with a model and without, and what each lacks."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.types import Instrument, InstrumentKind, Snapshot, SurfaceSlice
from oracle.valuation.artefact import Calibration


@dataclass(frozen=True, slots=True)
class Listing:
    """The live part of a listing, cut in two.

    Attributes
    ----------
    underlyings : tuple of int
        Places in the snapshot of the underlyings that the calibration holds, ascending; the engine's order.
    slices : tuple of SurfaceSlice
        Live slices of these that were ever pushed, in the snapshot's order.
    modelled, unmodelled : tuple of Instrument
        What is neither settled nor expired at the block.
    why : tuple of str
        What each unmodelled instrument lacks.
    """

    underlyings: tuple[int, ...]
    slices: tuple[SurfaceSlice, ...]
    modelled: tuple[Instrument, ...]
    unmodelled: tuple[Instrument, ...]
    why: tuple[str, ...]

    @property
    def markets_left_out(self) -> tuple[int, ...]:
        """Markets with an instrument that has no model, ascending: a ratio that leaves one out would be too low."""
        return tuple(sorted({instrument.market_id for instrument in self.unmodelled}))


def listing_of(snapshot: Snapshot, calibration: Calibration) -> Listing:
    """Return the live instruments of a snapshot by whether the model covers them.

    An instrument needs an underlying that the calibration holds and, where it is dated, a volatility slice of its date.
    """
    now = snapshot.stamp.timestamp
    known = tuple(p for p, underlying in enumerate(snapshot.underlyings) if underlying.symbol in calibration.symbols)
    slices = tuple(
        s for s in snapshot.slices if s.expiry_timestamp > now and s.updated_timestamp > 0 and s.underlying in known
    )
    dates = {(s.underlying, s.expiry_timestamp) for s in slices}
    modelled, unmodelled, why = [], [], []
    for instrument in snapshot.instruments:
        if instrument.settlement_price_e8 or 0 < instrument.expiry_timestamp <= now:
            continue
        lacks = _lacks(snapshot, instrument, known, dates)
        if lacks:
            unmodelled.append(instrument)
            why.append(lacks)
        else:
            modelled.append(instrument)
    return Listing(known, slices, tuple(modelled), tuple(unmodelled), tuple(why))


def _lacks(snapshot: Snapshot, instrument: Instrument, known: tuple[int, ...], dates: set[tuple[int, int]]) -> str:
    """Say what an instrument lacks for a model; nothing: the empty text."""
    symbol = snapshot.underlyings[instrument.underlying].symbol
    if instrument.underlying not in known:
        return f"{symbol} is not in the calibration"
    dated = instrument.kind is not InstrumentKind.PERPETUAL
    if dated and (instrument.underlying, instrument.expiry_timestamp) not in dates:
        return f"{symbol} has no volatility slice of expiry {instrument.expiry_timestamp}"
    return ""
