"""The artefact: canonical bytes, tamper detection, counts, bounds, and what bad histories get."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engine import BadArtefact, Calibration, CalibrationSettings, InvalidInput, PriceHistory, calibrate
from engine.dynamics import bootstrap
from engine.dynamics.bootstrap import drawn_hours
from engine.dynamics.calibration import ARCHETYPES
from tests import model_cases

pytestmark = pytest.mark.fast


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return model_cases.small_calibration()


def test_text_round_trips_byte_for_byte(calibration):
    text = calibration.to_json()
    again = Calibration.from_json(text)
    assert again.to_json() == text and again.content_hash == calibration.content_hash
    np.testing.assert_array_equal(again.residual_micro, calibration.residual_micro)
    assert again.assets == calibration.assets and again.bounds == calibration.bounds


def test_calibrating_twice_gives_the_same_hash(calibration):
    histories = [model_cases.history("BTC", 1), model_cases.history("ETH", 2, daily_deviation=0.04)]
    again = calibrate(histories, [model_cases.volatility_history("BTC", 1)], model_cases.SMALL)
    assert again.content_hash == calibration.content_hash


@pytest.mark.parametrize("change", ["number", "table", "symbol", "extra", "spacing", "truncated"])
def test_any_change_of_the_text_is_refused(calibration, change):
    text = calibration.to_json()
    body = json.loads(text)
    if change == "number":
        body["assets"][0]["long_run_variance"] *= 1.0 + 1e-9
    elif change == "table":
        table = body["tables"]["residual_micro"]
        body["tables"]["residual_micro"] = ("B" if table[0] == "A" else "A") + table[1:]
    elif change == "symbol":
        body["symbols"][0] = "XRP"
    elif change == "extra":
        body["assets"][0]["note"] = 1
    altered = json.dumps(body, sort_keys=True, indent=2 if change == "spacing" else 1, allow_nan=False) + "\n"
    with pytest.raises(BadArtefact):
        Calibration.from_json(text[:-20] if change == "truncated" else altered)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"content_hash": 1}', "not json"])
def test_what_is_no_artefact_is_refused(text):
    with pytest.raises(BadArtefact):
        Calibration.from_json(text)


def test_every_archetype_has_a_bound_of_at_least_one_at_every_horizon(calibration):
    for symbol in calibration.symbols:
        for hours in calibration.settings.horizon_hours:
            for name in ARCHETYPES:
                assert 1.0 <= calibration.bound_ratio(symbol, hours, name) < 3.0
    with pytest.raises(InvalidInput, match="72 h"):
        calibration.bound_ratio("BTC", 72, "long")


def test_bound_draws_whole_days_in_blocks_of_about_five():
    settings = replace(CalibrationSettings(), replicates=20)
    for hours in drawn_hours(24 * 400 + 5, settings):
        days = hours.reshape(-1, 24)
        assert np.all(np.diff(days, axis=1) == 1) and hours.min() >= 5 and hours.max() < 24 * 400 + 5
        breaks = np.count_nonzero((days[1:, 0] - days[:-1, 0]) % (24 * 400) != 24)
        assert 40 <= breaks <= 130


def test_redrawing_history_as_it_was_gives_the_point_back(monkeypatch):
    monkeypatch.setattr(bootstrap, "drawn_hours", lambda hours, _settings: iter([np.arange(hours)] * 20))
    for bound in calibrate([model_cases.history("BTC", 1)], [], model_cases.SMALL).bounds:
        assert bound.ratio == 1.0 and bound.replicate_quantile == pytest.approx(bound.point, rel=1e-10)


def test_calmer_redrawn_histories_raise_the_bound(monkeypatch):
    library = calibrate([model_cases.history("BTC", 1)], [], model_cases.SMALL).residual_micro[0]
    calm = np.flatnonzero(np.abs(library) < np.median(np.abs(library)))
    monkeypatch.setattr(bootstrap, "drawn_hours", lambda _hours, _settings: iter([calm] * 20))
    bounds = calibrate([model_cases.history("BTC", 1)], [], model_cases.SMALL).bounds
    assert all(bound.ratio > 1.2 for bound in bounds if bound.archetype in ("long", "short"))


def test_counts_and_window_are_in_the_artefact(calibration):
    asset = calibration.assets[0]
    assert asset.bars == 7_000 and asset.gap_count == 0 and asset.volatility_hours > 5_900
    assert calibration.last_hour == model_cases.FIRST_HOUR + 6_999
    assert calibration.clock_hour.size == 6_000 and calibration.assets[1].volatility_hours == 0


def _prices(hours, closes, volume=None):
    return PriceHistory("BTC", np.array(hours), np.array(closes), np.ones(len(hours)) if volume is None else volume)


@pytest.mark.parametrize(
    ("hours", "closes", "volume", "named"),
    [
        ([], [], None, "empty"),
        ([1, 1], [5, 5], None, "hour 1 follows 1"),
        ([2, 1], [5, 5], None, "hour 1 follows 2"),
        ([1, 2], [5, 0], None, "close_e8 0"),
        ([1, 2], [5, -3], None, "close_e8 -3"),
        ([1, 2], [5.0, float("nan")], None, "nan"),
        ([1, 2], [5.5, 6.0], None, "whole numbers"),
        ([1, 2], [5, 6], np.array([1.0, -1.0]), "volume -1.0"),
        ([1, 2], [5, 6], np.array([1.0, np.nan]), "volume holds nan"),
        ([1, 2, 3], [5, 6], np.ones(2), "shape"),
    ],
)
def test_a_bad_history_is_refused_by_value(hours, closes, volume, named):
    with pytest.raises(InvalidInput, match=named):
        _prices(hours, closes, volume)


def test_too_short_constant_and_missing_histories_are_refused():
    with pytest.raises(InvalidInput, match="1 returns on the clock"):
        calibrate([_prices([1, 2], [5, 6])], [], model_cases.SMALL)
    with pytest.raises(InvalidInput, match="share 1 hours"):
        calibrate([_prices([1], [5])], [], model_cases.SMALL)
    with pytest.raises(InvalidInput, match="constant"):
        calibrate([_prices(np.arange(1, 5_001), np.full(5_000, 7))], [], model_cases.SMALL)
    with pytest.raises(InvalidInput, match="no history has 4000 hours"):
        calibrate([model_cases.history("BTC", 1, hours=1_000)], [], model_cases.SMALL)
    with pytest.raises(InvalidInput, match="no price history"):
        calibrate([])
    with pytest.raises(InvalidInput, match="two histories"):
        calibrate([model_cases.history("BTC", 1)] * 2, [], model_cases.SMALL)


@pytest.mark.parametrize(
    "wrong",
    [{"es_level": 1.0}, {"replicates": 3}, {"horizon_hours": (5,)}, {"horizon_hours": ()}, {"slow_weight": 0.5}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidInput):
        CalibrationSettings(**wrong)
