"""New calibrations: adopted within the bands, held back beyond, pinned ones only stored, and whole at every end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from oracle.attest import Attestor
from oracle.cli import app
from oracle.config import CalibrationSettings, Settings, write_settings
from oracle.errors import BadArtefact, BadConfiguration, BadHistory, OracleError
from oracle.journal import Journal
from oracle.keeper import LiveKeeper, with_calibration
from oracle.readers.history import HourlyPrices
from oracle.recalibration import (
    Outcome,
    recalibrate,
    recalibrate_on_schedule,
    seconds_until_due,
    stored_path,
)
from oracle.valuation import (
    Calibration,
    calibrate,
    load_calibration,
    save_calibration,
    simulate_history,
)

pytestmark = pytest.mark.fast
HOURS = 9_500
FIRST_HOUR = 480_000
LAST_HOUR = FIRST_HOUR + HOURS - 1
NOW = (LAST_HOUR + 10) * 3_600
NEWER_HOURS = 100


@cache
def simulated() -> HourlyPrices:
    return simulate_history(["ETH"], FIRST_HOUR, HOURS, 7)[0][0]


@cache
def old_text() -> str:
    """The artefact of all but the newest hours."""
    whole = simulated()
    cut = (column[:-NEWER_HOURS] for column in (whole.hour, whole.close_e8, whole.volume))
    return calibrate([HourlyPrices("ETH", *cut)], [], Settings().model).to_json()


@cache
def _new_calibration() -> Calibration:
    return calibrate([simulated()], [], Settings().model)


def write_history(directory: Path, volume_factor: float = 1.0) -> None:
    directory.mkdir(exist_ok=True)
    whole = simulated()
    rows = ["ts,open,high,low,close,volume"]
    for hour, close_e8, volume in zip(whole.hour, whole.close_e8, whole.volume, strict=True):
        close = f"{close_e8 // 10**8}.{close_e8 % 10**8:08d}"
        rows.append(f"{(hour - 1) * 3_600},{close},{close},{close},{close},{float(volume * volume_factor)!r}")
    (directory / "ETH.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write_history(tmp_path / "history")
    (tmp_path / "calibration.json").write_text(old_text())
    return Settings(calibration=CalibrationSettings(history="history", interval_hours=24), directory=tmp_path)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


def clock() -> int:
    return NOW


def in_use(settings: Settings) -> Calibration:
    return load_calibration(settings.path(settings.calibration.artefact))


def test_a_calibration_within_its_bands_is_adopted_and_both_stay_under_their_hashes(
    settings: Settings, journal: Journal
) -> None:
    before = in_use(settings)
    row = recalibrate(settings, journal, clock)
    after = in_use(settings)
    assert (row.outcome, row.hash_before, row.hash_after) == (Outcome.ADOPTED, before.content_hash, after.content_hash)
    assert after.last_hour == LAST_HOUR and before.last_hour == LAST_HOUR - NEWER_HOURS
    artefact = settings.path(settings.calibration.artefact)
    for one in (before, after):
        assert load_calibration(stored_path(artefact, one.content_hash)).content_hash == one.content_hash
    assert journal.recalibrations(9) == (row,) and not list(artefact.parent.glob("*.partial"))


def test_the_same_history_again_changes_nothing(settings: Settings, journal: Journal) -> None:
    recalibrate(settings, journal, clock)
    text = settings.path(settings.calibration.artefact).read_text()
    row = recalibrate(settings, journal, clock)
    assert row.outcome == Outcome.UNCHANGED and str(LAST_HOUR) in row.reason
    assert settings.path(settings.calibration.artefact).read_text() == text


def test_the_last_hour_before_the_clock_waits(settings: Settings, journal: Journal) -> None:
    recalibrate(settings, journal, lambda: (LAST_HOUR - 5) * 3_600 + 59)
    assert in_use(settings).last_hour == LAST_HOUR - 6


def test_drift_is_held_back_by_name_with_both_values_until_a_person_decides(
    settings: Settings, journal: Journal, tmp_path: Path
) -> None:
    write_history(tmp_path / "history", volume_factor=0.001)
    before = in_use(settings)
    with structlog.testing.capture_logs() as logs:
        row = recalibrate(settings, journal, clock)
    assert row.outcome == Outcome.HELD_BACK and in_use(settings).content_hash == before.content_hash
    assert not list(tmp_path.glob("calibration-*.json")), "what is held back is nowhere"
    (event,) = [entry for entry in logs if entry["event"] == "calibration_held_back"]
    assert event["alert"] and event["log_level"] == "error" and "--adopt-despite-drift" in event["remedy"]
    (line,) = event["drift"]
    volume = before.assets[0].stress_volume
    assert "assets.ETH.stress_volume" in line and str(volume) in line and "allowed" in line
    assert line in row.reason and journal.recalibrations(1) == (row,)

    row = recalibrate(settings, journal, clock, adopt_despite_drift=True)
    assert row.outcome == Outcome.ADOPTED and line in row.reason
    assert in_use(settings).assets[0].stress_volume < volume / 900


@pytest.mark.parametrize("despite_drift", [False, True])
def test_a_pinned_hash_is_never_replaced(settings: Settings, journal: Journal, despite_drift: bool) -> None:
    before = in_use(settings)
    pinned = settings.calibration.model_copy(update={"content_hash": before.content_hash})
    settings = settings.model_copy(update={"calibration": pinned})
    with structlog.testing.capture_logs() as logs:
        row = recalibrate(settings, journal, clock, despite_drift)
    assert row.outcome == Outcome.STORED and in_use(settings).content_hash == before.content_hash
    stored = stored_path(settings.path(settings.calibration.artefact), row.hash_after)
    assert load_calibration(stored).content_hash == row.hash_after and stored.name in row.reason
    assert "calibration_stored" in [entry["event"] for entry in logs]


class Killed(BaseException):
    """The process ends here."""


def test_an_end_at_any_step_leaves_the_old_or_the_new_artefact(
    settings: Settings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact, text = settings.path(settings.calibration.artefact), old_text()
    old = in_use(settings).content_hash
    real_fsync, real_replace = os.fsync, Path.replace
    after = recalibrate(settings, journal, clock).hash_after
    ended = []
    for step in range(20):
        artefact.write_text(text)
        for stored in artefact.parent.glob("calibration-*.json"):
            stored.unlink()
        counter = iter(range(100))

        def before_step(real: Callable[..., Any], *arguments: Any, at: int = step, steps: Any = counter) -> Any:
            if next(steps) == at:
                raise Killed
            return real(*arguments)

        monkeypatch.setattr(os, "fsync", lambda *a, f=before_step: f(real_fsync, *a))
        monkeypatch.setattr(Path, "replace", lambda *a, f=before_step: f(real_replace, *a))
        try:
            with monkeypatch.context() as patch:
                patch.setattr("oracle.recalibration.calibrate_history", lambda *_: _new_calibration())
                recalibrate(settings, journal, clock)
        except Killed:
            ended.append(in_use(settings).content_hash)
            continue
        finally:
            monkeypatch.setattr(os, "fsync", real_fsync)
            monkeypatch.setattr(Path, "replace", real_replace)
        break
    assert len(ended) == 6 and set(ended) == {old} and in_use(settings).content_hash == after


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        (lambda folder: (folder / "history" / "ETH.csv").unlink(), BadHistory),
        (lambda folder: (folder / "history" / "ETH.csv").write_text("ts,open\n"), BadHistory),
        (lambda folder: (folder / "calibration.json").write_text("{}"), BadArtefact),
    ],
)
def test_what_fails_is_a_row_and_an_alert_and_no_more(
    settings: Settings, journal: Journal, tmp_path: Path, break_it: Callable[[Path], Any], error: type[OracleError]
) -> None:
    break_it(tmp_path)
    with pytest.raises(error):
        recalibrate(settings, journal, clock)
    with structlog.testing.capture_logs() as logs:
        recalibrate_on_schedule(settings, journal, clock)
    (event,) = logs
    assert (event["event"], event["alert"], event["error"]) == ("recalibration_failed", True, error.__name__)
    assert [row.outcome for row in journal.recalibrations(9)] == [Outcome.FAILED] * 2


def test_without_a_directory_it_says_what_to_configure(settings: Settings, journal: Journal) -> None:
    bare = settings.model_copy(update={"calibration": CalibrationSettings()})
    with pytest.raises(BadConfiguration, match=r"calibration\.history"):
        recalibrate(bare, journal, clock)


def test_the_next_try_is_an_interval_after_the_last_whatever_became_of_it(
    settings: Settings, journal: Journal, tmp_path: Path
) -> None:
    assert seconds_until_due(settings, journal, NOW) == 0
    (tmp_path / "history" / "ETH.csv").unlink()
    recalibrate_on_schedule(settings, journal, clock)
    assert seconds_until_due(settings, journal, NOW + 3_600) == 23 * 3_600
    assert seconds_until_due(settings, journal, NOW + 25 * 3_600) == 0


def test_a_daemon_adopts_a_replaced_artefact_with_its_next_cycle(settings: Settings, journal: Journal) -> None:
    live = LiveKeeper(settings, dry_run=True)
    before = live.current()
    assert live.current() is before
    row = recalibrate(settings, journal, clock)
    adopted = live.current()
    assert before.calibration.content_hash == row.hash_before, "a cycle that has begun keeps its own"
    assert adopted.calibration.content_hash == row.hash_after and live.current() is adopted
    assert [one.content_hash for one in journal.calibrations()] == [row.hash_before, row.hash_after]
    before.journal.close()


def test_a_file_that_cannot_be_used_is_reported_once_and_not_adopted(settings: Settings) -> None:
    live = LiveKeeper(settings, dry_run=True)
    keeper = live.current()
    artefact = settings.path(settings.calibration.artefact)
    for spoil in (lambda: artefact.write_text("not an artefact"), artefact.unlink):
        spoil()
        with structlog.testing.capture_logs() as logs:
            assert live.current() is keeper and live.current() is keeper
        assert [(e["event"], e["alert"]) for e in logs] == [("calibration_not_adopted", True)]
    artefact.write_text(old_text())
    assert live.current() is keeper, "the same artefact again is nothing new"
    keeper.journal.close()


def test_attestors_compute_with_what_was_adopted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = LiveKeeper(settings, dry_run=True).current()
    seen: list[str] = []
    monkeypatch.setattr(
        "oracle.keeper.make_draft", lambda _c, _s, calibration, _b: seen.append(calibration.content_hash)
    )
    monkeypatch.setattr("oracle.keeper.report_to_sign", lambda draft, exceeds_step: draft)
    signing = replace(keeper, attestors=(Attestor("signer", lambda *_: None),))  # type: ignore[arg-type]
    adopted = with_calibration(signing, _new_calibration())
    assert adopted.attestors[0].signer == "signer"
    adopted.attestors[0].recompute(None, False)  # type: ignore[arg-type]
    assert seen == [_new_calibration().content_hash]
    keeper.journal.close()


def test_by_hand_it_says_what_became_of_it(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.cli.time.time", lambda: float(NOW))
    write_settings(tmp_path / "oracle.toml", settings)
    write_history(tmp_path / "history", volume_factor=0.001)
    command = ["recalibrate", "--config", str(tmp_path / "oracle.toml")]
    held = CliRunner().invoke(app, command)
    assert held.exit_code == 65 and "held back" in held.output and "stress_volume" in held.output
    adopted = CliRunner().invoke(app, [*command, "--adopt-despite-drift"])
    assert adopted.exit_code == 0 and adopted.stdout.startswith("adopted")
    assert in_use(settings).content_hash in adopted.stdout


def test_calibrate_prints_what_the_histories_held(settings: Settings, tmp_path: Path) -> None:
    write_settings(tmp_path / "oracle.toml", settings)
    where = ["--history", str(tmp_path / "history"), "--source", str(tmp_path / "history")]
    config = ["--symbols", "ETH", "--config", str(tmp_path / "oracle.toml")]
    printed = CliRunner().invoke(app, ["calibrate", *where, *config])
    assert printed.exit_code == 0
    titles, line, *_ = printed.stdout.splitlines()
    assert titles.split()[:4] == ["asset", "bars", "sources", "dropped"]
    assert line.split()[:4] == ["ETH", str(HOURS), "2", "0"]
    assert in_use(settings).content_hash in printed.stdout


def test_saving_twice_is_the_same_file(settings: Settings) -> None:
    artefact = settings.path(settings.calibration.artefact)
    save_calibration(artefact, in_use(settings))
    assert artefact.read_text() == old_text()
