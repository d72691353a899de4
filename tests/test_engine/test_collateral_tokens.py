"""Ratios of collateral tokens: prices from them, the asset that comes of it, and two real pegs that slipped."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import (
    Collateral,
    InvalidInput,
    Kind,
    ModelConfiguration,
    Observations,
    RatioHistory,
    calibrate,
    evaluate,
)
from engine.dynamics.ratios import LEAST_DEPEG_FRACTION, token_histories
from tests import model_cases

pytestmark = pytest.mark.fast
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real history at {DATA}")
ETH = model_cases.history("ETH", 2)


def ratio(symbol="stETH", base="ETH", hours=None, ratio_ppm=None):
    hours = model_cases.FIRST_HOUR + np.arange(0, 7_000, 20) if hours is None else np.array(hours)
    noise = 1_000 * np.random.default_rng(8).standard_normal(hours.size)
    return RatioHistory(symbol, base, hours, np.rint(999_000 + noise).astype(int) if ratio_ppm is None else ratio_ppm)


def test_a_token_is_worth_its_last_ratio_times_the_base():
    given = ratio()
    (token,), (state,) = token_histories([given], [ETH])
    at = dict(zip(given.hour.tolist(), given.ratio_ppm.tolist(), strict=True))
    held = {int(h): at[max(k for k in at if k <= h)] for h in token.hour[::97]}
    for row in range(0, token.hour.size, 97):
        expected = ETH.close_e8[np.flatnonzero(ETH.hour == token.hour[row])[0]] * held[int(token.hour[row])] / 1e6
        assert token.close_e8[row] == pytest.approx(expected, abs=0.6)
    assert state.hours == token.hour.size == 7_000 and state.base == "ETH"


def test_a_ratio_holds_for_26_hours_and_no_longer():
    first = model_cases.FIRST_HOUR
    (token,), _ = token_histories([ratio(hours=[first, first + 100], ratio_ppm=np.array([10**6, 10**6]))], [ETH])
    assert token.hour[:28].tolist() == [*range(first, first + 27), first + 100]


def test_a_dollar_token_needs_no_base():
    (token,), _ = token_histories([ratio("USDX", "USD", [10, 12], np.array([999_000, 880_000]))], [])
    assert token.hour.tolist() == [10, 11, 12] and token.close_e8.tolist() == [99_900_000, 99_900_000, 88_000_000]


def test_the_stress_is_the_worst_fall_within_72_hours_and_at_least_the_stated_one():
    slow = ratio("A", "USD", [0, 50, 122, 200], np.array([1_000_000, 900_000, 700_000, 700_000]))
    calm = ratio("B", "USD", [0, 50], np.array([1_000_000, 990_000]))
    _, states = token_histories([slow, calm], [])
    assert states[0].worst_fall_fraction == pytest.approx(1 - 700 / 900)
    assert states[0].depeg_stress_fraction == states[0].worst_fall_fraction
    assert states[0].least_ratio_ppm == 700_000
    assert states[1].worst_fall_fraction == pytest.approx(0.01)
    assert states[1].depeg_stress_fraction == LEAST_DEPEG_FRACTION


def test_a_token_joins_the_library_and_a_short_one_falls_back():
    histories = [model_cases.history("BTC", 1), ETH]
    young = ratio("rsETH", hours=model_cases.FIRST_HOUR + np.arange(5_500, 7_000, 12))
    calibration = calibrate(histories, [], model_cases.ONE_HORIZON, observations=Observations(ratios=(ratio(), young)))
    assert calibration.symbols == ("BTC", "ETH", "stETH", "rsETH")
    token, short = calibration.assets[2:]
    assert token.long_run_variance == pytest.approx(calibration.assets[1].long_run_variance, rel=0.2)
    assert token.stress_volume > 0.0 and not token.fallback and short.fallback and short.filled_hours > 4_000
    assert [one.symbol for one in calibration.tokens] == ["stETH", "rsETH"]
    assert calibration.from_json(calibration.to_json()).tokens == calibration.tokens
    assert calibration.bound_ratio("stETH", 24, "long") >= 1.0


def test_a_token_trades_a_hundredth_of_its_base_and_a_dollar_token_of_the_deepest():
    histories = [model_cases.history("BTC", 1), ETH]
    given = (ratio(), ratio("USDX", "USD"))
    calibration = calibrate(histories, [], model_cases.ONE_HORIZON, observations=Observations(ratios=given))
    price = calibration.recent_close_e8[:, -1] / 1e8
    usd = np.array([asset.stress_volume for asset in calibration.assets]) * price
    assert usd[2] == pytest.approx(0.01 * usd[1], rel=1e-9)
    assert usd[3] == pytest.approx(0.01 * max(usd[:2]), rel=1e-9)


def test_a_token_as_collateral_is_asked_its_break_in_full_and_is_named():
    histories = [model_cases.history("BTC", 1), ETH]
    calibration = calibrate(
        histories, [], model_cases.ONE_HORIZON, observations=Observations(ratios=(ratio("USDX", "USD"),))
    )
    base = model_cases.market()
    one = np.append(base.spot, 0.999)
    state = replace(
        base, symbols=(*base.symbols, "USDX"), spot=one,
        funding_rate_hourly=np.zeros(3), funding_cap_hourly=np.zeros(3),
    )  # fmt: skip
    listed = model_cases.instruments(state, [(Kind.PERPETUAL, 0, -1, 0.0), (Kind.SPOT, 2, -1, 0.0)])
    tokens = Collateral(model_cases.book({1: 10_000.0}))
    model = ModelConfiguration(initial_horizon_hours=24, maintenance_horizon_hours=24, monte_carlo_points=128)
    recent = model_cases.no_recent(*state.symbols)
    found = evaluate(calibration, recent, state, listed, model_cases.book({0: 0.0}), model, collateral=tokens)
    value = 10_000.0 * 0.999
    assert LEAST_DEPEG_FRACTION * value <= found.accounts.initial[0] < 0.3 * value
    assert "USDX: its volume of a stressed day is assumed, 1% of its base's." in found.assumptions


@pytest.mark.parametrize(
    ("ratios", "named"),
    [
        ([ratio(), ratio()], "each once"),
        ([ratio("ETH", "USD")], "none that has a price history"),
        ([ratio(base="XRP")], "base XRP"),
        ([ratio(hours=[1, 2], ratio_ppm=np.array([5, 5]))], "no hour at which both"),
    ],
)
def test_what_is_no_token_is_refused_by_name(ratios, named):
    with pytest.raises(InvalidInput, match=named):
        token_histories(ratios, [ETH])


@pytest.mark.parametrize(("hours", "values", "named"), [([], [], "empty"), ([1], [0], "ratio_ppm 0")])
def test_a_bad_ratio_is_refused_by_value(hours, values, named):
    with pytest.raises(InvalidInput, match=named):
        RatioHistory("stETH", "ETH", np.array(hours, dtype=int), np.array(values, dtype=int))


@NEEDS_DATA
def test_staked_ether_lost_six_percent_of_an_ether_in_2022():
    with gzip.open(DATA / "chainlink_rounds.csv.gz", "rt") as lines:
        rounds = [row for row in csv.DictReader(lines) if row["feed"] == "stETH/ETH"]
    # known at the next full hour; of two rounds within one, the later
    by_hour = {int(row["updated_at"]) // 3_600 + 1: int(row["answer"]) // 10**12 for row in rounds}
    given = RatioHistory("stETH", "ETH", np.array(list(by_hour)), np.array(list(by_hour.values())))
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    bars = polars.read_parquet(DATA / "spot_1h" / "ETH.parquet")
    close = np.rint(bars["close"].to_numpy().astype(np.float64) * 1e8).astype(np.int64)
    base = type(ETH)("ETH", bars["ts"].to_numpy() // 3_600 + 1, close, np.ones(close.size))
    (token,), (state,) = token_histories([given], [base])
    assert state.least_ratio_ppm == 935_019 and 0.02 < state.worst_fall_fraction < LEAST_DEPEG_FRACTION
    span = token.hour[-1] - token.hour[0] + 1
    assert span > 15_000 and token.hour.size > 0.99 * span, "a daily heartbeat leaves no hole"


@NEEDS_DATA
def test_a_dollar_token_fell_to_88_cents_in_march_2023():
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    folder = DATA / "intraday" / "2023-03_usdc_svb"
    in_token = polars.read_parquet(folder / "BTCUSDC_kraken_spot_1m.parquet").select("ts", "close")
    in_dollar = polars.read_parquet(folder / "BTCUSD_binanceus_spot_1m.parquet").select("ts", "close")
    both = in_dollar.join(in_token, on="ts", suffix="_token").with_columns(hour=polars.col("ts") // 3_600 + 1)
    worst = both.group_by("hour").agg((polars.col("close") / polars.col("close_token")).min().alias("ratio"))
    worst = worst.sort("hour")
    ppm = np.rint(1e6 * worst["ratio"].to_numpy().astype(np.float64)).astype(np.int64)
    _, (state,) = token_histories([RatioHistory("USDC", "USD", worst["hour"].to_numpy(), ppm)], [])
    assert 870_000 < state.least_ratio_ppm < 885_000 and 0.11 < state.worst_fall_fraction < LEAST_DEPEG_FRACTION
