"""Basis, rates and funding: measured against plain counts, defaults where nothing is known, refusals by name."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from engine import (
    BasisHistory,
    Calibration,
    FundingHistory,
    InvalidInput,
    ModelConfiguration,
    Observations,
    RateHistory,
    calibrate,
)
from engine.addons import funding_fraction
from engine.dynamics.carry import (
    DEFAULT_B0_DAILY,
    DEFAULT_B1_DAILY,
    DEFAULT_RATE_LEVEL_DAILY,
    DEFAULT_RATE_SLOPE_DAILY,
    carry_of,
)
from tests import model_cases

pytestmark = pytest.mark.fast
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real history at {DATA}")
HOURS = 450_000 + np.arange(6_000)
YEAR = 365.0


def walk(seed, deviation, start=0.0):
    return start + np.cumsum(deviation * np.random.default_rng(seed).standard_normal(HOURS.size))


def ppm(values):
    return np.rint(1e6 * values).astype(np.int64)


def test_without_observations_every_figure_is_a_stated_default():
    (carry,), ranges = carry_of(["BTC"], Observations(), (4, 24))
    assert (carry.b0_daily, carry.b1_daily) == (DEFAULT_B0_DAILY, DEFAULT_B1_DAILY)
    assert (carry.rate_level_daily, carry.rate_slope_daily) == (DEFAULT_RATE_LEVEL_DAILY, DEFAULT_RATE_SLOPE_DAILY)
    flags = (carry.b0_measured, carry.b1_measured, carry.rate_measured, carry.funding_measured)
    assert flags == (False,) * 4 and carry.funding_change_hourly == 0.0 and ranges == ()


def test_a_perpetual_shows_the_level_of_the_basis_alone():
    level = walk(1, 2e-5)
    history = BasisHistory("BTC", HOURS, np.zeros(HOURS.size), ppm(np.expm1(level)))
    (carry,), ranges = carry_of(["BTC"], Observations(basis=(history,)), (4, 24))
    assert carry.b0_measured and not carry.b1_measured and carry.b1_daily == DEFAULT_B1_DAILY
    change = level[24:] - level[:-24]
    day = next(one for one in ranges if one.horizon_hours == 24)
    assert day.changes == change.size and day.deviation == pytest.approx(np.std(change), rel=0.02)
    assert day.high == pytest.approx(np.quantile(change, 0.995), rel=0.02)
    assert carry.b0_daily >= max(day.deviation, day.high / 2.5759, -day.low / 2.5759) * (1 - 1e-12)
    assert carry.b0_daily < 1.5 * np.std(change)


def test_a_curve_shows_level_and_slope():
    level, slope = walk(2, 2e-5), walk(3, 5e-5)
    tenors = np.array([7.0, 30.0, 90.0])
    log_basis = level[:, None] + slope[:, None] * tenors / YEAR
    history = BasisHistory("BTC", np.repeat(HOURS, 3), np.tile(tenors, HOURS.size), ppm(np.expm1(log_basis)).ravel())
    (carry,), ranges = carry_of(["BTC"], Observations(basis=(history,)), (4, 24))
    assert carry.b0_measured and carry.b1_measured and len(ranges) == 4
    by_key = {(one.factor, one.horizon_hours): one.deviation for one in ranges}
    for factor, series in (("b0", level), ("b1", slope)):
        assert by_key[factor, 24] == pytest.approx(np.std(series[24:] - series[:-24]), rel=0.1)


def test_daily_rates_count_over_a_day_and_hold_for_every_asset():
    days = HOURS[0] + 24 * np.arange(600)
    level = 0.03 + np.cumsum(0.001 * np.random.default_rng(4).standard_normal(600))
    rates = RateHistory("USD", days, ppm(level), ppm(-level / 5))
    carry, ranges = carry_of(["BTC", "ETH"], Observations(rates=rates), (4, 24))
    assert {(one.symbol, one.factor, one.horizon_hours) for one in ranges} == {
        ("USD", "rate_level", 24),
        ("USD", "rate_slope", 24),
    }
    assert all(one.rate_measured for one in carry)
    assert carry[1].rate_level_daily == pytest.approx(0.001, rel=0.2)
    assert carry[1].rate_slope_daily == pytest.approx(0.0002, rel=0.2)


def test_funding_is_the_larger_of_two_venues_per_hour_of_its_interval():
    eight = HOURS[::8]
    rate = np.rint(1e9 * np.random.default_rng(5).normal(0, 1e-4, eight.size)).astype(np.int64)
    calm = FundingHistory("BTC", eight, rate // 4, np.full(eight.size, 8))
    wild = FundingHistory("BTC", eight, rate, np.full(eight.size, 8))
    (carry,), _ = carry_of(["BTC"], Observations(funding=(calm, wild)), (24,))
    hourly = rate / 8e9
    change = np.sort(np.abs(hourly[3:] - hourly[:-3]))
    assert carry.funding_measured
    assert carry.funding_change_hourly == change[int(np.ceil(0.99 * change.size))]


def test_the_artefact_holds_it_and_funding_is_charged_by_it():
    hours = model_cases.FIRST_HOUR + np.arange(7_000)
    rate = np.rint(1e9 * np.random.default_rng(6).normal(0, 3e-5, hours.size)).astype(np.int64)
    funding = FundingHistory("BTC", hours, rate, np.ones(hours.size, dtype=np.int64))
    histories = [model_cases.history("BTC", 1), model_cases.history("ETH", 2, daily_deviation=0.04)]
    calibration = calibrate(histories, [], model_cases.ONE_HORIZON, observations=Observations(funding=(funding,)))
    again = Calibration.from_json(calibration.to_json())
    assert again.carry == calibration.carry and again.to_json() == calibration.to_json()
    state, model = model_cases.market(), ModelConfiguration(funding_change_hourly=2e-4)
    measured = calibration.carry[0].funding_change_hourly
    assert 5e-5 < measured < 2e-4
    charge = funding_fraction(calibration, state, model, 24)
    np.testing.assert_allclose(charge, [24 * (1e-5 + measured), 24 * (1e-5 + 2e-4)], rtol=1e-14)


def _basis(hours, days, basis, symbol="BTC"):
    return BasisHistory(symbol, np.array(hours), np.array(days), np.array(basis))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: _basis([1, 1], [7.0, 7.0], [5, 5]), "each tenor of an hour once"),
        (lambda: _basis([2, 1], [0.0, 0.0], [5, 5]), "hours must ascend"),
        (lambda: _basis([1], [-1.0], [5]), "negative"),
        (lambda: _basis([1], [0.0], [-1_000_000]), "leaves no price"),
        (lambda: FundingHistory("BTC", np.array([1]), np.array([5]), np.array([0])), "interval_hours 0"),
        (lambda: RateHistory("USD", np.array([1]), np.array([0.5]), np.array([0])), "whole numbers"),
    ],
)
def test_bad_histories_are_refused_by_value(make, named):
    with pytest.raises(InvalidInput, match=named):
        make()


def test_what_cannot_be_measured_is_refused_by_name():
    short = FundingHistory("BTC", HOURS[:100], np.ones(100, dtype=np.int64), np.ones(100, dtype=np.int64))
    single = BasisHistory("BTC", HOURS, np.full(HOURS.size, 30.0), np.arange(HOURS.size))
    other = BasisHistory("XRP", HOURS, np.zeros(HOURS.size), np.arange(HOURS.size))
    for observations, named in (
        (Observations(funding=(short,)), "76 changes over 24 h"),
        (Observations(basis=(single,)), "add another"),
        (Observations(basis=(other,)), "XRP"),
        (Observations(basis=(single, single)), "two basis histories"),
    ):
        with pytest.raises(InvalidInput, match=named):
            carry_of(["BTC"], observations, (4, 24))


@NEEDS_DATA
def test_real_funding_moves_about_as_the_configured_default_says():
    found = {}
    with gzip.open(DATA / "funding.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            found.setdefault((row["venue"], row["symbol"]), []).append((int(row["ts"]) // 3_600, float(row["rate"])))
    for symbol, low, high in (("BTC", 5e-5, 2e-4), ("ETH", 5e-5, 2e-4), ("SOL", 5e-4, 2e-3)):
        hour, rate = (np.array(column) for column in zip(*found["binance_usdm", symbol], strict=True))
        interval = np.minimum(np.diff(hour, prepend=hour[0] - 8), 8)
        history = FundingHistory(symbol, hour, np.rint(1e9 * rate).astype(np.int64), interval)
        (carry,), _ = carry_of([symbol], Observations(funding=(history,)), (24,))
        assert low < carry.funding_change_hourly < high


@NEEDS_DATA
def test_the_real_perpetual_basis_moves_less_than_the_default():
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    perpetual = polars.read_parquet(DATA / "perp_1h" / "BTC.parquet").select("ts", "mark_close").fill_nan(None)
    both = polars.read_parquet(DATA / "spot_1h" / "BTC.parquet").select("ts", "close").join(perpetual, on="ts")
    both = both.drop_nulls().sort("ts")
    basis = both["mark_close"].to_numpy().astype(np.float64) / both["close"].to_numpy().astype(np.float64) - 1.0
    history = BasisHistory("BTC", both["ts"].to_numpy() // 3_600 + 1, np.zeros(basis.size), ppm(basis))
    (carry,), ranges = carry_of(["BTC"], Observations(basis=(history,)), (4, 24))
    assert carry.b0_measured and 2e-4 < carry.b0_daily < 4e-3
    assert {one.horizon_hours for one in ranges} == {4, 24}
