"""The coverage study uses the product's own bounds and counts right; its stored result is what kappa's table says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import CalibrationSettings, InvalidInput, calibrate
from engine.dynamics.clock import common_clock
from engine.dynamics.kappa import MEASURED, TABLE, Row, interpolated, kappa_of
from engine.validation import true_tails
from engine.validation.coverage import Outcome, bounds_of_history, coverage_of, simulate_outcomes
from engine.validation.true_tails import Truth
from engine.validation.worlds import SIDES, WORLDS
from tests import model_cases

STUDY = json.loads((Path(__file__).resolve().parents[2] / "docs" / "studies" / "coverage.json").read_text())
JUDGED_FROM_DAYS = 500


@pytest.mark.fast
def test_the_study_s_bounds_are_the_calibration_s_own():
    history = model_cases.history("BTC", 1, hours=model_cases.SMALL.library_hours + 1)
    bounds = {
        (bound.horizon_hours, bound.archetype): bound for bound in calibrate([history], [], model_cases.SMALL).bounds
    }
    studied = bounds_of_history(common_clock([history]).log_return[0], model_cases.SMALL)
    assert len(studied) == 4
    for bound in studied:
        own = bounds[bound.horizon_hours, bound.archetype]
        assert (bound.point, bound.replicate_quantile, bound.ratio) == (own.point, own.replicate_quantile, own.ratio)


@pytest.mark.fast
def test_coverage_counts_what_is_not_below_the_truth():
    outcomes = [Outcome("long", 24, 1.0, 0.01 * k, 0.9 + 0.02 * k, 0.95 + 0.02 * k) for k in range(10)]
    found = coverage_of(outcomes, 1.02, 0.9)
    # points 0.90 to 1.08, bootstrap bounds 0.95 to 1.13, full bounds 1.02 times those
    assert (found.outcomes, found.point, found.bootstrap, found.full) == (10, 0.5, 0.7, 0.8)
    assert found.standard_error == pytest.approx(math.sqrt(0.8 * 0.2 / 10)) and found.truth_error == 0.09
    assert found.median_excess == pytest.approx(1.02 * 1.04 - 1.0, rel=1e-2)
    assert found.needed_factor == pytest.approx(1.0 / 0.97)
    assert coverage_of(outcomes, found.needed_factor, 0.9).full == 0.9
    with pytest.raises(InvalidInput):
        coverage_of([], 1.0, 0.95)


@pytest.mark.fast
@given(st.integers(0, 5_000), st.integers(0, 5_000))
def test_kappa_falls_with_the_length_of_history_and_is_the_table_s_at_its_rows(one, other):
    table = (Row(250, 1.6, 0.9), Row(500, 1.5, 0.96), Row(2_500, 1.3, 0.95))
    short, long = (interpolated(days, table) for days in sorted((one, other)))
    assert 1.3 <= long.factor <= short.factor <= 1.6
    assert (short.coverage is None) == (short.days < 250)
    for row in table:
        assert interpolated(row.days, table).factor == row.factor
        assert interpolated(row.days, table).coverage == row.coverage
    assert interpolated(1_500, table).factor == pytest.approx(1.4) and interpolated(300, table).coverage == 0.9
    with pytest.raises(InvalidInput):
        interpolated(-1, table)


@pytest.mark.fast
def test_kappa_claims_no_coverage_for_what_was_not_measured():
    settings = CalibrationSettings()
    assert (settings.measure, settings.es_level, settings.bound_confidence) == MEASURED
    assert kappa_of(500, settings).coverage == TABLE[1].coverage
    for change in ({"measure": "value_at_risk"}, {"es_level": 0.975}, {"bound_confidence": 0.9}):
        other = kappa_of(500, replace(settings, **change))
        assert other.coverage is None and other.factor == TABLE[1].factor


@pytest.mark.fast
def test_the_artefact_states_kappa_its_length_of_history_and_its_coverage():
    calibration = model_cases.small_calibration()
    days = model_cases.SMALL.library_hours // 24
    expected = kappa_of(days, model_cases.SMALL)
    assert calibration.kappa == pytest.approx(expected.factor) and calibration.kappa_days == days
    assert calibration.kappa_coverage == expected.coverage
    bound = calibration.bounds[0]
    ratio = calibration.bound_ratio(bound.symbol, bound.horizon_hours, bound.archetype)
    assert ratio == calibration.kappa * bound.ratio
    late = model_cases.history("ETH", 2, hours=1_500, first_hour=model_cases.FIRST_HOUR + 5_500)
    shorter = calibrate([model_cases.history("BTC", 1), late], [], model_cases.SMALL)
    # an asset with two months of its own: the factor is that of two months, and nobody measured it
    assert shorter.kappa_days == 62 and shorter.kappa_coverage is None and shorter.kappa >= calibration.kappa


@pytest.mark.fast
def test_kappa_s_table_is_what_the_stored_study_found():
    fitted = tuple(Row(int(days), factor, 0.0) for days, factor in STUDY["kappa"].items())
    assert [row.factor for row in TABLE] == [interpolated(row.days, fitted).factor for row in TABLE]
    assert [row.factor for row in TABLE] == sorted((row.factor for row in TABLE), reverse=True)
    assert set(STUDY["worlds"]) == {world.name for world in WORLDS}
    for row in TABLE:
        judged = [cell for cell in STUDY["fit"] if cell["days"] == row.days and cell["horizon_hours"] == 24]
        checked = [cell for cell in STUDY["check"] if cell["days"] == row.days]
        assert len(judged) == len(WORLDS) * len(SIDES) * (str(row.days) in STUDY["kappa"])
        assert all(cell["needed_factor"] <= row.factor and cell["full"] >= 0.95 for cell in judged)
        assert len(checked) == len(WORLDS) * len(SIDES) * 2
        assert row.coverage == min(cell["full"] for cell in checked)
    # two and a half standard errors at 95 %: of 72 cells about one in two studies lies lower by chance
    judged = [cell for cell in STUDY["check"] if cell["days"] >= JUDGED_FROM_DAYS]
    assert all(cell["full"] >= 0.95 - 2.5 * math.sqrt(0.95 * 0.05 / cell["outcomes"]) for cell in judged)


@pytest.mark.slow
def test_one_cell_of_the_study_again():
    world = next(world for world in WORLDS if world.name == "jumps")
    settings = CalibrationSettings()
    truth = Truth(world, settings.horizon_hours, settings.measure, settings.es_level)
    factor = kappa_of(500, settings).factor
    outcomes = [one for k in range(60) for one in simulate_outcomes(world, truth, 500, 2, k, settings)]
    longs = [outcome for outcome in outcomes if (outcome.side, outcome.horizon_hours) == ("long", 24)]
    found = coverage_of(longs, factor, 0.95)
    # the bootstrap alone covers about three quarters here: without the factor the test fails
    assert found.full >= 0.95 - 3.0 * math.sqrt(0.95 * 0.05 / 60) > found.bootstrap


@pytest.mark.fast
def test_a_short_trial_of_the_study_runs(monkeypatch):
    monkeypatch.setattr(true_tails, "TRUTH_BATCH_PATHS", 2_000)
    settings = CalibrationSettings(replicates=20)
    world = WORLDS[1]
    truth = Truth(world, settings.horizon_hours, settings.measure, settings.es_level)
    outcomes = simulate_outcomes(world, truth, 60, 0, 0, settings)
    assert [(one.side, one.horizon_hours) for one in outcomes] == [(s, h) for h in (4, 24) for s in SIDES]
    assert all(0.0 < one.point <= one.bootstrap < 1.0 and 0.3 < one.bootstrap / one.truth < 3.0 for one in outcomes)
    assert simulate_outcomes(world, truth, 60, 0, 0, settings) == outcomes
