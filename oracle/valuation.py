"""The only module that imports the engine: integers in, integers out.

Floats exist here and in the engine. Every figure that leaves is rounded to the conservative side by `oracle.units`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from eth_utils.crypto import keccak
from numpy.typing import NDArray

import engine
import engine.validation.simulated_history
from oracle.config import ModelSettings
from oracle.errors import BadArtefact, BadData, BadHistory, NonFiniteResult, StorageFailure
from oracle.readers.history import HourlyPrices
from oracle.readers.prices import hourly_closes
from oracle.readers.volatility_files import HourlyVolatility
from oracle.report import canonical_json
from oracle.snapshot import describe_snapshot
from oracle.types import (
    AccountRequirements,
    Instrument,
    InstrumentKind,
    MarketMargin,
    Snapshot,
    SurfaceSlice,
    Valuation,
)
from oracle.units import (
    LOTS_PER_CONTRACT,
    MICRO_PER_USD,
    PPM,
    PRICE_SCALE_E8,
    SECONDS_PER_HOUR,
    SECONDS_PER_YEAR,
    UINT32_MAX,
    fraction_to_ppm_up,
    usd_to_micro_down,
    usd_to_micro_up,
)

Calibration = engine.Calibration
"""The artefact; opaque to everything but this module."""

ENGINE_VERSION = importlib.metadata.version("margin-oracle")

_KINDS = {
    InstrumentKind.PERPETUAL: engine.Kind.PERPETUAL,
    InstrumentKind.FUTURE: engine.Kind.FUTURE,
    InstrumentKind.CALL: engine.Kind.CALL,
    InstrumentKind.PUT: engine.Kind.PUT,
}


SIMULATED_LABEL = engine.validation.simulated_history.LABEL

# ---------------------------------------------------------------------- calibration


def simulate_history(
    symbols: Sequence[str], first_hour: int, hours: int, seed: int
) -> tuple[tuple[HourlyPrices, ...], tuple[HourlyVolatility, ...]]:
    """Return a simulated hourly history of prices and volatility; see `engine.validation.simulated_history`."""
    simulated = engine.validation.simulated_history.simulate_history(symbols, first_hour, hours, seed)
    return (
        tuple(HourlyPrices(p.symbol, p.hour, p.close_e8, p.volume) for p in simulated.prices),
        tuple(HourlyVolatility(v.symbol, v.hour, v.level_ppm) for v in simulated.volatility),
    )


def calibrate(
    prices: Sequence[HourlyPrices], volatility: Sequence[HourlyVolatility], model: ModelSettings
) -> Calibration:
    """Fit the artefact to a price history; see `engine.calibrate`.

    Raises
    ------
    BadHistory
        If the history cannot carry a calibration; the message names the asset and the value.
    """
    configuration = _configuration(model)
    settings = engine.CalibrationSettings(
        horizon_hours=tuple(sorted({model.maintenance_horizon_hours, model.initial_horizon_hours})),
        es_level=configuration.es_level,
        bound_confidence=configuration.bound_confidence,
    )
    try:
        return engine.calibrate(
            [engine.PriceHistory(bars.symbol, bars.hour, bars.close_e8, bars.volume) for bars in prices],
            [engine.VolatilityHistory(levels.symbol, levels.hour, levels.level_ppm) for levels in volatility],
            settings,
        )
    except engine.EngineError as error:
        raise BadHistory(str(error), "repair the history at its source") from error


def load_calibration(path: Path, content_hash: str = "") -> Calibration:
    """Read an artefact and check it against its own hash and, where given, the agreed one.

    Raises
    ------
    BadArtefact
        If the file is missing, damaged, or not the artefact that was agreed on.
    """
    try:
        calibration = engine.Calibration.from_json(path.read_text())
    except OSError as error:
        raise BadArtefact(f"{path}: {error.strerror}", "write one with `margin-oracle calibrate`") from error
    except (engine.EngineError, UnicodeDecodeError) as error:
        raise BadArtefact(f"{path}: {error}", "fetch the artefact again") from error
    if content_hash and calibration.content_hash != content_hash:
        raise BadArtefact(
            f"{path} has the content hash {calibration.content_hash}, calibration.content_hash asks for {content_hash}",
            "fetch the artefact that the keepers agreed on",
        )
    return calibration


def save_calibration(path: Path, calibration: Calibration) -> None:
    """Write an artefact whole or not at all."""
    partial = path.with_suffix(path.suffix + ".partial")
    try:
        partial.write_text(calibration.to_json())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageFailure(f"cannot write {path}: {error.strerror}", "check disk space and permissions") from error


def model_hash(calibration: Calibration, model: ModelSettings) -> bytes:
    """Return the hash of configuration, calibration and engine version that every report carries."""
    identity: dict[str, object] = {
        "model": dict(model),
        "calibration": calibration.content_hash,
        "engine": ENGINE_VERSION,
    }
    return keccak(text=canonical_json(identity))


# ---------------------------------------------------------------------- valuation


@dataclass(frozen=True, slots=True)
class _LiveInstruments:
    """The instruments that still move, and where each id lies among them (-1: settled)."""

    instruments: tuple[Instrument, ...]
    row_of_id: dict[int, int]


def evaluate(snapshot: Snapshot, calibration: Calibration, model: ModelSettings, threads: int = 1) -> Valuation:
    """Return market ratios and account requirements of a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
        Checked by `oracle.snapshot`.
    calibration : Calibration
    model : ModelSettings
    threads : int
        Accounts and instruments are split between them, never a sum: the result does not depend on it.

    Raises
    ------
    BadData
        If the engine refuses an input; the message names it.
    NonFiniteResult
        If a figure is not finite or does not fit.
    """
    live = _live_instruments(snapshot)
    try:
        evaluation = engine.evaluate(
            calibration,
            _recent_prices(snapshot, calibration),
            _market_state(snapshot),
            _instruments(snapshot, live.instruments),
            _positions(snapshot, live),
            _configuration(model),
            threads=threads,
        )
    except engine.NonFiniteResult as error:
        raise NonFiniteResult(str(error), "nothing is published") from error
    except engine.EngineError as error:
        raise BadData(str(error), "nothing is published") from error
    return Valuation(
        markets=_market_margins(evaluation.markets),
        accounts=_account_requirements(snapshot, evaluation.accounts),
        model_hash=model_hash(calibration, model),
        details=_details(snapshot, calibration, model, evaluation, live),
    )


def _configuration(model: ModelSettings) -> engine.ModelConfiguration:
    return engine.ModelConfiguration(
        es_level=model.es_level_ppm / PPM,
        bound_confidence=model.bound_confidence_ppm / PPM,
        initial_horizon_hours=model.initial_horizon_hours,
        maintenance_horizon_hours=model.maintenance_horizon_hours,
        gross_weight=model.gross_weight_ppm / PPM,
        leg_floor_fraction=model.leg_floor_ppm / PPM,
        initial_over_maintenance=model.initial_over_maintenance_ppm / PPM,
        liquidation_fee_fraction=model.liquidation_fee_ppm / PPM,
        reference_size_usd=float(model.reference_size_usd),
        trend_addon=model.trend_addon,
    )


def _live_instruments(snapshot: Snapshot) -> _LiveInstruments:
    live = tuple(
        instrument
        for instrument in snapshot.instruments
        if instrument.settlement_price_e8 == 0
        and (instrument.expiry_timestamp == 0 or instrument.expiry_timestamp > snapshot.stamp.timestamp)
    )
    rows = {instrument.instrument_id: -1 for instrument in snapshot.instruments}
    rows.update({instrument.instrument_id: row for row, instrument in enumerate(live)})
    return _LiveInstruments(live, rows)


def _recent_prices(snapshot: Snapshot, calibration: Calibration) -> list[engine.RecentPrices]:
    last_hour = snapshot.stamp.timestamp // SECONDS_PER_HOUR
    return [
        engine.RecentPrices(underlying.symbol, *hourly_closes(rounds, calibration.last_hour + 1, last_hour))
        for underlying, rounds in zip(snapshot.underlyings, snapshot.rounds, strict=True)
    ]


def _market_state(snapshot: Snapshot) -> engine.MarketState:
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


def _instruments(snapshot: Snapshot, live: tuple[Instrument, ...]) -> engine.Instruments:
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


def _positions(snapshot: Snapshot, live: _LiveInstruments) -> engine.Positions:
    book = snapshot.book
    rows = _rows_of(book.instrument_id, live)
    moves = rows >= 0
    count = np.concatenate([[0], np.cumsum(moves)])
    return engine.Positions(
        indptr=count[book.indptr].astype(np.int64),
        instrument=rows[moves],
        quantity=book.size_lots[moves].astype(np.float64) / LOTS_PER_CONTRACT,
    )


def _rows_of(instrument_id: NDArray[np.int32], live: _LiveInstruments) -> NDArray[np.int32]:
    ids = np.array(sorted(live.row_of_id), dtype=np.int32)
    rows = np.array([live.row_of_id[int(i)] for i in ids], dtype=np.int32)
    return rows[np.searchsorted(ids, instrument_id)] if len(instrument_id) else np.empty(0, dtype=np.int32)


def _market_margins(ratios: engine.MarketRatios) -> tuple[MarketMargin, ...]:
    columns = [
        fraction_to_ppm_up(column)
        for column in (
            ratios.initial_long,
            ratios.initial_short,
            ratios.maintenance_long,
            ratios.maintenance_short,
            ratios.slope_long,
            ratios.slope_short,
        )
    ]
    if any(np.any(column > UINT32_MAX) for column in columns):
        raise NonFiniteResult("a market ratio is beyond 32 bits of ppm", "nothing is published")
    return tuple(
        MarketMargin(int(market_id), *(int(column[row]) for column in columns))
        for row, market_id in enumerate(ratios.market_id)
    )


def _account_requirements(snapshot: Snapshot, accounts: engine.AccountRequirements) -> AccountRequirements:
    settled = _settled_value_micro(snapshot)
    return AccountRequirements(
        initial_micro=usd_to_micro_up(accounts.initial),
        maintenance_micro=usd_to_micro_up(accounts.maintenance),
        equity_micro=snapshot.book.cash_micro + settled + usd_to_micro_down(accounts.value),
        binding=tuple(engine.COMPONENTS[code] for code in accounts.binding),
    )


def _settled_value_micro(snapshot: Snapshot) -> NDArray[np.int64]:
    """Value of positions whose price is final, rounded down per position; they move no more."""
    book = snapshot.book
    value = np.zeros(len(book), dtype=np.int64)
    payoff_e8 = {i.instrument_id: _payoff_e8(i) for i in snapshot.instruments if i.settlement_price_e8}
    if not payoff_e8:
        return value
    owner = np.repeat(np.arange(len(book)), np.diff(book.indptr))
    for position in np.flatnonzero(np.isin(book.instrument_id, list(payoff_e8))).tolist():
        size = int(book.size_lots[position])
        payoff = payoff_e8[int(book.instrument_id[position])]
        value[owner[position]] += size * payoff * MICRO_PER_USD // (LOTS_PER_CONTRACT * PRICE_SCALE_E8)
    return value


def _payoff_e8(instrument: Instrument) -> int:
    price, strike = instrument.settlement_price_e8, instrument.strike_e8
    if instrument.kind is InstrumentKind.CALL:
        return max(price - strike, 0)
    if instrument.kind is InstrumentKind.PUT:
        return max(strike - price, 0)
    return price


# ---------------------------------------------------------------------- details


def _details(
    snapshot: Snapshot,
    calibration: Calibration,
    model: ModelSettings,
    evaluation: engine.Evaluation,
    live: _LiveInstruments,
) -> dict[str, object]:
    """Return what anyone needs to understand and recompute the report; integers, strings and lists only."""
    return {
        "inputs": describe_snapshot(snapshot),
        "calibration": {
            "content_hash": calibration.content_hash,
            "first_hour": calibration.first_hour,
            "last_hour": calibration.last_hour,
            "symbols": list(calibration.symbols),
        },
        "engine_version": ENGINE_VERSION,
        "model": dict(model),
        "scenario_set_hash": evaluation.scenario_set_hash,
        "assumptions": list(evaluation.assumptions),
        "markets": _market_details(evaluation.markets, live.instruments),
        "accounts": {"initial_micro": _total_up(evaluation.accounts.initial), "count": len(snapshot.book)},
    }


def _market_details(ratios: engine.MarketRatios, live: tuple[Instrument, ...]) -> list[dict[str, object]]:
    point = {
        "initial_long_point_ppm": fraction_to_ppm_up(ratios.initial_long_point),
        "initial_short_point_ppm": fraction_to_ppm_up(ratios.initial_short_point),
        "maintenance_long_point_ppm": fraction_to_ppm_up(ratios.maintenance_long_point),
        "maintenance_short_point_ppm": fraction_to_ppm_up(ratios.maintenance_short_point),
    }
    return [
        {
            **{name: int(column[row]) for name, column in point.items()},
            "market_id": margin.market_id,
            "target_ppm": list(margin.values()),
            "binding_long": engine.COMPONENTS[ratios.binding_long[row]],
            "binding_short": engine.COMPONENTS[ratios.binding_short[row]],
            "worst_instrument_long": live[ratios.worst_long[row]].instrument_id,
            "worst_instrument_short": live[ratios.worst_short[row]].instrument_id,
        }
        for row, margin in enumerate(_market_margins(ratios))
    ]


def _total_up(amount_usd: NDArray[np.float64]) -> int:
    return int(sum(usd_to_micro_up(amount_usd).tolist()))
