"""Drift between two artefacts: what passes, what is named, and that nothing escapes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import PriceHistory, calibrate
from engine.dynamics.carry import CarryRange
from engine.dynamics.drift import BANDS, band_of, drifts, parameters
from tests import model_cases

pytestmark = pytest.mark.fast
CALIBRATION = model_cases.small_calibration()


def with_asset(**changes):
    first, *others = CALIBRATION.assets
    return replace(CALIBRATION, assets=(replace(first, **changes), *others))


def test_an_artefact_has_not_drifted_from_itself():
    assert drifts(CALIBRATION, CALIBRATION) == ()


def test_every_scalar_is_a_parameter_with_a_band_that_says_why():
    found = parameters(CALIBRATION)
    assert found["assets.BTC.long_run_variance"] == CALIBRATION.assets[0].long_run_variance
    assert found["kappa"] * found["bounds.ETH.24.short_put.ratio"] == CALIBRATION.bound_ratio("ETH", 24, "short_put")
    assert found["hour_factors.ETH.5"] == CALIBRATION.hour_factor_ppm[1, 5] / 1e6
    assert found["settings.replicates"] == 20 and found["carry.BTC.funding_measured"] is False
    assert all(band_of(name).reason for name in found)
    without_own = {name for name in found if band_of(name).pattern == "*"}
    assert {name.split(".")[0] for name in without_own} <= {"format", "symbols", "assets"}
    assert {name.split(".")[-1] for name in without_own if name.startswith("assets")} == {"sources"}


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("long_run_variance", 1.24, 1.26),
        ("long_run_variance", 1 / 1.24, 1 / 1.26),
        ("stress_volume", 0.51, 0.49),
        ("slow_variance", 5.9, 6.1),
    ],
)
def test_a_relative_band_counts_both_ways(name, inside, outside):
    value = getattr(CALIBRATION.assets[0], name)
    assert drifts(CALIBRATION, with_asset(**{name: value * inside})) == ()
    (found,) = drifts(CALIBRATION, with_asset(**{name: value * outside}))
    assert (found.parameter, found.before, found.after) == (f"assets.BTC.{name}", value, value * outside)
    assert str(value) in str(found) and str(value * outside) in str(found) and found.band.reason in str(found)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"missing_hours": 49}, "assets.BTC.missing_hours"),
        ({"first_hour": 399_999}, "assets.BTC.first_hour"),
        ({"fallback": True}, "assets.BTC.fallback"),
        ({"sources": 2}, "assets.BTC.sources"),
    ],
)
def test_counts_and_flags_have_their_bands(change, named):
    assert [one.parameter for one in drifts(CALIBRATION, with_asset(**change))] == [named]


def test_settings_kappa_and_the_season_have_theirs():
    season = CALIBRATION.hour_factor_ppm.copy()
    season[1, 7] += 300_000
    for changed, named in (
        (replace(CALIBRATION, settings=replace(CALIBRATION.settings, mean_block_days=6)), "settings.mean_block_days"),
        (replace(CALIBRATION, kappa=1.1), "kappa"),
        (replace(CALIBRATION, hour_factor_ppm=season), "hour_factors.ETH.7"),
    ):
        assert [one.parameter for one in drifts(CALIBRATION, changed)] == [named]


def test_a_parameter_that_one_side_lacks_is_drift():
    fewer = replace(CALIBRATION, bounds=CALIBRATION.bounds[1:])
    gone = drifts(CALIBRATION, fewer)
    assert gone and all(one.after is None and one.parameter.startswith("bounds.BTC.4.long.") for one in gone)
    assert all(one.before is None for one in drifts(fewer, CALIBRATION))


def test_a_week_more_of_the_same_market_stays_within_the_bands():
    full = model_cases.history("BTC", 1)
    cut = PriceHistory("BTC", full.hour[:-168], full.close_e8[:-168], full.volume[:-168])
    settings = replace(model_cases.ONE_HORIZON, replicates=100)
    before, after = (calibrate([one], [], settings) for one in (cut, full))
    assert [str(one) for one in drifts(before, after)] == []


def test_prices_in_another_unit_or_a_doubled_volatility_do_not():
    full = model_cases.history("BTC", 1)
    wild = model_cases.history("BTC", 1, daily_deviation=0.06)
    before, after = (calibrate([one], [], model_cases.ONE_HORIZON) for one in (full, wild))
    names = {one.parameter for one in drifts(before, after)}
    assert "assets.BTC.long_run_variance" in names
    thin = PriceHistory("BTC", full.hour, full.close_e8, full.volume / 1_000)
    assert {one.parameter for one in drifts(before, calibrate([thin], [], model_cases.ONE_HORIZON))} == {
        "assets.BTC.stress_volume"
    }


def test_bands_are_ordered_so_that_each_can_count():
    patterns = [band.pattern for band in BANDS]
    assert len(set(patterns)) == len(patterns) and patterns[-1] == "*"
    for place, band in enumerate(BANDS):
        example = band.pattern.replace("*", "x")
        assert band_of(example) is band, f"row {place} is hidden by an earlier one"


def test_the_sign_counts():
    one = CarryRange("BTC", "b0", 24, 0.004, -0.01, 0.01, 500)
    before, after = (replace(CALIBRATION, carry_ranges=(r,)) for r in (one, replace(one, low=0.01)))
    assert [d.parameter for d in drifts(before, after)] == ["carry_ranges.BTC.b0.24.low"]
