"""The hour-of-week factor: the week, the shrinkage, and what it does to short paths and to no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dynamics.seasonality import hour_factors_ppm, hour_of_week, season_roots
from engine.scenarios.historical import historical_paths
from tests import model_cases, naive_model

pytestmark = pytest.mark.fast
WEEKS = 104
CLOCK = 450_000 + np.arange(168 * WEEKS + 1)


def residuals(by_hour_of_week):
    """Student-t residuals whose deviation follows the hour of the week."""
    z = np.random.default_rng(7).standard_t(4, CLOCK.size - 1) / np.sqrt(2.0)
    return np.rint(1e6 * z * np.sqrt(by_hour_of_week[hour_of_week(CLOCK[1:])])).astype(np.int64)


@given(st.integers(0, 1_000_000))
def test_the_week_begins_on_monday_with_the_hour_that_ends_at_one(hour):
    assert hour_of_week(np.array([hour]))[0] == naive_model.hour_of_week(hour)


def test_factors_are_those_of_the_plain_rule():
    given_hours = np.delete(CLOCK, [500, 501, 9_000])
    z = residuals(1.0 + 0.5 * np.sin(np.arange(168)))[: given_hours.size - 1]
    expected = naive_model.hour_factors(given_hours.tolist(), (z / 1e6).tolist())
    np.testing.assert_allclose(hour_factors_ppm(given_hours, z) / 1e6, expected, atol=6e-7)


def test_noise_alone_is_shrunk_nearly_away_and_a_season_is_found():
    noise = hour_factors_ppm(CLOCK, residuals(np.ones(168))) / 1e6
    assert np.abs(noise - 1.0).max() < 0.12 and noise.mean() == pytest.approx(1.0, abs=1e-6)
    season = 1.0 + 0.6 * np.sin(2 * np.pi * np.arange(168) / 24)
    found = hour_factors_ppm(CLOCK, residuals(season)) / 1e6
    assert np.corrcoef(found, season)[0, 1] > 0.9 and found.mean() == pytest.approx(1.0, abs=1e-6)


def test_one_crash_hour_cannot_rule_its_bin():
    z = residuals(np.ones(168))
    z[1_000] = 2_000_000_000
    assert hour_factors_ppm(CLOCK, z).max() < 1_200_000


@pytest.mark.parametrize("z", [np.zeros(CLOCK.size - 1, dtype=np.int64), np.ones(300, dtype=np.int64)])
def test_without_movement_or_without_weeks_there_is_no_season(z):
    assert np.all(hour_factors_ppm(CLOCK[: z.size + 1], z) == 1_000_000)


def test_an_asset_that_sleeps_at_some_hours_keeps_positive_factors():
    z = residuals(np.where(np.arange(168) % 24 == 3, 1.0, 0.0))
    found = hour_factors_ppm(CLOCK, z)
    assert found.min() > 0 and found.mean() == pytest.approx(1e6, abs=1.0)


def test_only_short_horizons_take_it_from_the_hour_after_now():
    factors = 1_000_000 + 1_000 * np.arange(168)
    ahead, own = season_roots(factors, CLOCK[1:], int(CLOCK[-1]), 4)
    np.testing.assert_allclose(ahead**2, factors[hour_of_week(CLOCK[-1] + np.arange(1, 5))] / 1e6, rtol=1e-15)
    np.testing.assert_allclose(own**2, factors[hour_of_week(CLOCK[1:])] / 1e6, rtol=1e-15)
    assert np.all(season_roots(factors, CLOCK[1:], int(CLOCK[-1]), 24)[0] == 1.0)


@pytest.mark.parametrize("since", [0, 5])
def test_paths_of_four_hours_follow_the_hour_ahead_and_longer_ones_do_not(since):
    calibration = model_cases.small_calibration()
    recent = model_cases.recent_move(calibration, "BTC", [0.001] * since) if since else model_cases.no_recent("BTC")[0]
    flat = replace(calibration, hour_factor_ppm=np.full((2, 168), 1_000_000))
    ahead = hour_of_week(np.array([calibration.last_hour + since + 1]))[0]
    loud = np.full((2, 168), 1_000_000)
    loud[:, ahead] = 4_000_000
    loud = replace(calibration, hour_factor_ppm=loud)
    by_date = {name: historical_paths(one, [recent], 1) for name, one in (("flat", flat), ("loud", loud))}
    plain, scaled = (dict(zip(s.label, s.log_return[0, 0], strict=True)) for s in by_date.values())
    for date, value in scaled.items():
        factor = 1.0 if hour_of_week(np.array([int(date)]))[0] == ahead else 2.0
        assert value == pytest.approx(factor * plain[date], rel=1e-14, abs=1e-18)
    assert historical_paths(flat, [recent], 24).content_hash == historical_paths(loud, [recent], 24).content_hash
