"""The calibration artefact: fitted, read, written, and part of the model's identity."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path

from eth_utils.crypto import keccak

import engine
import engine.dynamics.drift
import engine.presets
import engine.validation.simulated_history
from oracle.config import ModelSettings
from oracle.errors import BadArtefact, BadConfiguration, BadHistory, StorageFailure
from oracle.readers.carry_files import CarryFiles
from oracle.readers.history import History, HourlyPrices
from oracle.readers.volatility_files import HourlyVolatility
from oracle.report import canonical_json
from oracle.units import PPM

Calibration = engine.Calibration
"""Opaque outside this package."""


_NOT_BEHIND_A_FIGURE = ("validation/", "rules/")


def _engine_version() -> str:
    """Return the release and a hash of the text behind a figure: two checkouts of one release may differ."""
    folder = Path(engine.__file__).parent
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    digest = hashlib.sha256()
    for name in names:
        if not name.startswith(_NOT_BEHIND_A_FIGURE):
            digest.update(name.encode() + b"\0" + (folder / name).read_bytes() + b"\0")
    return f"{importlib.metadata.version('margin-oracle')}+{digest.hexdigest()[:16]}"


ENGINE_VERSION = _engine_version()

SIMULATED_LABEL = engine.validation.simulated_history.LABEL


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
    prices: Sequence[HourlyPrices],
    volatility: Sequence[HourlyVolatility],
    model: ModelSettings,
    witnesses: Sequence[HourlyPrices] = (),
    carry: CarryFiles | None = None,
) -> Calibration:
    """Fit the artefact to a price history; see `engine.calibrate`.

    Raises
    ------
    BadHistory
        If the history cannot carry a calibration; the message names the asset and the value.
    BadConfiguration
        See `engine_configuration`.
    """
    configuration = engine_configuration(model)
    settings = engine.CalibrationSettings(
        horizon_hours=tuple(sorted({model.maintenance_horizon_hours, model.initial_horizon_hours})),
        measure=configuration.measure,
        es_level=configuration.es_level,
        bound_confidence=configuration.bound_confidence,
    )
    try:
        return engine.calibrate(
            [_prices(bars) for bars in prices],
            [engine.VolatilityHistory(levels.symbol, levels.hour, levels.level_ppm) for levels in volatility],
            settings,
            observations=_observations(witnesses, carry or CarryFiles()),
        )
    except engine.EngineError as error:
        raise BadHistory(str(error), "repair the history at its source") from error


def calibrate_history(history: History, model: ModelSettings) -> Calibration:
    """Fit the artefact to everything that a history holds; see `calibrate`."""
    return calibrate(history.prices, history.volatility, model, history.witnesses, history.carry)


def _prices(bars: HourlyPrices) -> engine.PriceHistory:
    return engine.PriceHistory(bars.symbol, bars.hour, bars.close_e8, bars.volume)


def _observations(witnesses: Sequence[HourlyPrices], carry: CarryFiles) -> engine.Observations:
    rates = carry.rates
    return engine.Observations(
        witnesses=tuple(map(_prices, witnesses)),
        funding=tuple(engine.FundingHistory(f.symbol, f.hour, f.rate_ppb, f.interval_hours) for f in carry.funding),
        basis=tuple(engine.BasisHistory(b.symbol, b.hour, b.days_milli / 1_000, b.basis_ppm) for b in carry.basis),
        rates=engine.RateHistory(rates.symbol, rates.hour, rates.level_ppm, rates.slope_ppm) if rates else None,
        ratios=tuple(engine.RatioHistory(r.symbol, r.base, r.hour, r.ratio_ppm) for r in carry.ratios),
    )


def priced_symbols(calibration: Calibration) -> tuple[str, ...]:
    """Return the assets that have price files of their own: all but the collateral tokens."""
    tokens = {token.symbol for token in calibration.tokens}
    return tuple(symbol for symbol in calibration.symbols if symbol not in tokens)


def summary(calibration: Calibration) -> tuple[str, ...]:
    """Return a table of what the histories held, one line an asset under a line of titles."""
    row = "{:<10} {:>7} {:>8} {:>7} {:>7} {:>8} {:>10} {:>7}  {}".format
    lines = [row("asset", "bars", "sources", "dropped", "missing", "zero vol", "suspicious", "filled", "measured")]
    for asset, carry in zip(calibration.assets, calibration.carry, strict=True):
        measured = {
            "basis": carry.b0_measured,
            "slope": carry.b1_measured,
            "rates": carry.rate_measured,
            "funding": carry.funding_measured,
        }
        names = ", ".join(name for name, found in measured.items() if found) or "prices alone"
        counts = (asset.sources, asset.disagreeing_bars, asset.missing_hours, asset.zero_volume_bars)
        lines.append(row(asset.symbol, asset.bars, *counts, asset.suspicious_bars, asset.filled_hours, names))
    return tuple(lines)


def drifts(before: Calibration, after: Calibration) -> tuple[str, ...]:
    """Return every parameter that left its band, one line each with both values; see `engine.dynamics.drift`."""
    return tuple(str(drift) for drift in engine.dynamics.drift.drifts(before, after))


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
    # by process: a person and a daemon may write at the same time
    partial = path.with_suffix(f"{path.suffix}.{os.getpid()}.partial")
    try:
        with partial.open("w") as file:
            file.write(calibration.to_json())
            file.flush()
            # else a power cut may leave the new name with nothing behind it
            os.fsync(file.fileno())
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


def engine_configuration(model: ModelSettings) -> engine.ModelConfiguration:
    """Return the settings as the engine takes them.

    Raises
    ------
    BadConfiguration
        If the engine has no such model; the message names the value.
    """
    try:
        return engine.ModelConfiguration(
            measure=model.measure,
            es_level=model.es_level_ppm / PPM,
            bound_confidence=model.bound_confidence_ppm / PPM,
            initial_horizon_hours=model.initial_horizon_hours,
            maintenance_horizon_hours=model.maintenance_horizon_hours,
            gross_weight=model.gross_weight_ppm / PPM,
            leg_floor_fraction=model.leg_floor_ppm / PPM,
            initial_over_maintenance=model.initial_over_maintenance_ppm / PPM,
            liquidation_fee_fraction=model.liquidation_fee_ppm / PPM,
            reference_size_usd=float(model.reference_size_usd),
            stress_weight=model.stress_weight_ppm / PPM,
            stress_cap=model.stress_cap_ppm / PPM,
            trend_addon=model.trend_addon,
            monte_carlo_points=model.monte_carlo_points,
        )
    except engine.EngineError as error:
        raise BadConfiguration(f"model: {error}", "correct the section model") from error


def with_preset(model: ModelSettings, name: str) -> ModelSettings:
    """Return the settings with a clearing house's or regulator's measure and level; see `engine.presets`.

    Raises
    ------
    BadConfiguration
        If there is no such preset; the message lists them.
    """
    try:
        chosen = engine.presets.with_preset(engine_configuration(model), name)
    except engine.EngineError as error:
        raise BadConfiguration(str(error), "choose one of them") from error
    return model.model_copy(update={"measure": chosen.measure, "es_level_ppm": round(chosen.es_level * PPM)})
