"""A new calibration from the history files: fitted, compared with the one in use, adopted or held back.

Within the bands of drift it is stored under its content hash beside the old one and then takes the place of the
artefact in one rename, so that an end at any point leaves the old or the new one whole; the keeper adopts it with its
next cycle. Beyond them nothing changes: every parameter is named with both values, and a person decides. Where the
configuration pins a content hash, a new one is stored and announced, never adopted.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import structlog

from oracle.config import Settings
from oracle.errors import BadConfiguration, OracleError
from oracle.journal import Journal, RecalibrationRow
from oracle.readers.history import read_history
from oracle.units import SECONDS_PER_HOUR
from oracle.valuation import (
    Calibration,
    calibrate_history,
    drifts,
    load_calibration,
    priced_symbols,
    save_calibration,
)

SETTLING_HOURS = 1
"""Closes of the last hour wait: a cycle reads some blocks behind the clock, and an artefact that ends after its block
cannot value it."""
REMEDY_FOR_DRIFT = "look at the history; `margin-oracle recalibrate --adopt-despite-drift` adopts it all the same"


class Outcome(StrEnum):
    """What became of a new calibration."""

    ADOPTED = "adopted"
    STORED = "stored"
    HELD_BACK = "held back"
    UNCHANGED = "unchanged"
    FAILED = "failed"


def recalibrate(
    settings: Settings, journal: Journal, clock: Callable[[], int], adopt_despite_drift: bool = False
) -> RecalibrationRow:
    """Fit the history that the configuration names and adopt the result where that is allowed.

    Parameters
    ----------
    settings : Settings
    journal : Journal
        Gains one row, whatever becomes of it.
    clock : callable
        Unix seconds, for the row and the end of the history.
    adopt_despite_drift : bool
        A person has looked at the drift. A pinned content hash still holds.

    Raises
    ------
    OracleError
        If the artefact in use or the history cannot be read, or the new one cannot be written.
    """
    started = clock()
    in_use = ""
    try:
        path = settings.path(settings.calibration.artefact)
        before = load_calibration(path, settings.calibration.content_hash)
        in_use = before.content_hash
        after = _fitted(settings, before, started // SECONDS_PER_HOUR - SETTLING_HOURS)
        outcome, reason = _decide(settings, before, after, adopt_despite_drift)
    except OracleError as error:
        journal.record_recalibration(RecalibrationRow(started, clock(), in_use, "", Outcome.FAILED, str(error)))
        raise
    row = RecalibrationRow(started, clock(), in_use, after.content_hash, outcome, reason)
    journal.record_recalibration(row)
    return row


def recalibrate_on_schedule(settings: Settings, journal: Journal, clock: Callable[[], int]) -> None:
    """Recalibrate and report what failed; posting goes on with the artefact in use."""
    try:
        recalibrate(settings, journal, clock)
    except OracleError as error:
        structlog.get_logger("recalibration").error(
            "recalibration_failed", alert=True, error=type(error).__name__, reason=error.message, remedy=error.remedy
        )


def seconds_until_due(settings: Settings, journal: Journal, now: int) -> int:
    """Return the wait until the next calibration: an interval after the last try, whatever became of it; 0 if none."""
    newest = journal.recalibrations(1)
    due = newest[0].started_timestamp + settings.calibration.interval_hours * SECONDS_PER_HOUR if newest else now
    return max(due - now, 0)


def stored_path(artefact: Path, content_hash: str) -> Path:
    """Return where an artefact lies under its own hash, beside the one in use."""
    return artefact.with_name(f"{artefact.stem}-{content_hash}{artefact.suffix}")


def _fitted(settings: Settings, before: Calibration, last_hour: int) -> Calibration:
    configured = settings.calibration
    if not configured.history:
        raise BadConfiguration("calibration.history names no directory", "name the directory of the price files")
    sources = [settings.path(name) for name in configured.sources]
    directory = settings.path(configured.history)
    history = read_history(directory, priced_symbols(before), sources=sources, last_hour=last_hour)
    return calibrate_history(history, settings.model)


def _decide(
    settings: Settings, before: Calibration, after: Calibration, adopt_despite_drift: bool
) -> tuple[Outcome, str]:
    log = structlog.get_logger("recalibration").bind(before=before.content_hash, after=after.content_hash)
    if after.last_hour <= before.last_hour:
        reason = f"the history ends at hour {after.last_hour}, the artefact in use at {before.last_hour}"
        log.warning("calibration_unchanged", reason=reason)
        return Outcome.UNCHANGED, reason
    found = drifts(before, after)
    if found and not adopt_despite_drift:
        log.error("calibration_held_back", alert=True, drift=found, remedy=REMEDY_FOR_DRIFT)
        return Outcome.HELD_BACK, "; ".join(found)
    path = settings.path(settings.calibration.artefact)
    for calibration in (before, after):
        save_calibration(stored_path(path, calibration.content_hash), calibration)
    stored = stored_path(path, after.content_hash)
    pinned = settings.calibration.content_hash
    if pinned and pinned != after.content_hash:
        remedy = "agree on it with the other keepers, then set calibration.artefact and content_hash"
        log.warning("calibration_stored", path=str(stored), pinned=pinned, drift=found, remedy=remedy)
        return Outcome.STORED, f"{stored.name}; calibration.content_hash pins {pinned}"
    save_calibration(path, after)
    log.info("calibration_written", path=str(path), stored=str(stored), drift=found)
    return Outcome.ADOPTED, "; ".join(("despite drift", *found)) if found else "within the bands of drift"
