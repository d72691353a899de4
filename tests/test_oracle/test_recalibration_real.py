"""Recalibration on real hours of two venues (../shared/data, read by tests only); without them skipped, aloud."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oracle.config import CalibrationSettings, Settings
from oracle.journal import Journal
from oracle.readers.history import read_history
from oracle.recalibration import Outcome, recalibrate
from oracle.valuation import calibrate_history, load_calibration, save_calibration

pytestmark = pytest.mark.slow
SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def test_a_week_of_real_hours_is_adopted_and_a_stranger_s_history_is_held_back(tmp_path: Path) -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"NOT RUN: real data is absent at {SHARED_DATA}")
    pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    (tmp_path / "history").mkdir()
    shutil.copy(SHARED_DATA / "spot_1h" / "ETH.parquet", tmp_path / "history")
    venue = tmp_path / "venue"
    shutil.copytree(SHARED_DATA / "spot_1h_ftx", venue)
    configured = CalibrationSettings(history="history", sources=("venue",), interval_hours=24)
    settings = Settings(calibration=configured, directory=tmp_path)
    artefact = settings.path("calibration.json")
    journal = Journal(tmp_path / "journal.sqlite")
    end = 1_719_792_000 // 3_600
    early = read_history(tmp_path / "history", ["ETH"], sources=[venue], last_hour=end - 168)
    save_calibration(artefact, calibrate_history(early, settings.model))
    row = recalibrate(settings, journal, lambda: (end + 2) * 3_600)
    assert (row.outcome, row.reason) == (Outcome.ADOPTED, "within the bands of drift")
    assert load_calibration(artefact).last_hour == end and load_calibration(artefact).assets[0].disagreeing_bars > 0
    shutil.copy(SHARED_DATA / "spot_1h" / "BTC.parquet", tmp_path / "history" / "ETH.parquet")
    save_calibration(artefact, calibrate_history(early, settings.model))
    settings = settings.model_copy(update={"calibration": CalibrationSettings(history="history", interval_hours=24)})
    row = recalibrate(settings, journal, lambda: (end + 2) * 3_600)
    assert row.outcome == Outcome.HELD_BACK and "assets.ETH.stress_volume" in row.reason
    journal.close()
