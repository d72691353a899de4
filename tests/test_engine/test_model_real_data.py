"""The model on real hours (../shared/data, read by tests only) and, always, on an invented history.

Without the folder the real cases are skipped, loudly; the invented ones still walk forward.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine import CalibrationSettings, ModelConfiguration, PriceHistory, RecentPrices, VolatilityHistory, calibrate
from engine import evaluate as run_engine
from engine.dynamics.clock import common_clock
from engine.dynamics.variance import rule_of, run_filter, start_memory
from engine.dynamics.volatility_moves import volatility_moves_micro
from engine.risk import expected_shortfall
from engine.scenarios.historical import historical_paths
from engine.scenarios.stress import OTHERS, REPLAYS
from tests import model_cases

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real history at {DATA}")
DAY_HOURS = 24


def real_history(symbol: str) -> PriceHistory:
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    bars = polars.read_parquet(DATA / "spot_1h" / f"{symbol}.parquet")
    close = np.rint(bars["close"].to_numpy().astype(np.float64) * 1e8).astype(np.int64)
    # a bar is known an hour after it opened
    return PriceHistory(symbol, bars["ts"].to_numpy() // 3_600 + 1, close, bars["volume"].to_numpy().astype(np.float64))


def real_volatility(symbol: str) -> VolatilityHistory:
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    days = polars.read_csv(DATA / "dvol_1d.csv.gz").filter(polars.col("symbol") == symbol)
    opened = days["date"].str.to_date().to_numpy().astype("datetime64[h]").astype(np.int64)
    return VolatilityHistory(symbol, opened + 24, np.rint(days["close"].to_numpy() * 1e4).astype(np.int64))


def cut(history: PriceHistory, first_hour: int, last_hour: int) -> PriceHistory:
    keep = (history.hour >= first_hour) & (history.hour <= last_hour)
    return PriceHistory(history.symbol, history.hour[keep], history.close_e8[keep], history.volume[keep])


def walk_forward(histories, settings, first_hour, step_hours, recalibrate_hours):
    """Shares of 24 h losses, long and short, above the point ES known before and above 0.4 of it; and the decisions."""
    price = [dict(zip(h.hour.tolist(), h.close_e8.tolist(), strict=True)) for h in histories]
    end = int(histories[0].hour[-1]) - DAY_HOURS
    exceeded, decisions = np.zeros(2), 0
    for fitted in range(first_hour, end, recalibrate_hours):
        calibration = calibrate([cut(h, 0, fitted) for h in histories], [], settings)
        for now in range(fitted + 1, min(fitted + recalibrate_hours, end), step_hours):
            if any(now not in known or now + DAY_HOURS not in known for known in price):
                continue
            since = [cut(h, calibration.last_hour + 1, now) for h in histories]
            recent = [RecentPrices(h.symbol, h.hour, h.close_e8) for h in since]
            move = np.exp(historical_paths(calibration, recent, DAY_HOURS).log_return[:, -1]) - 1.0
            for asset, known in enumerate(price):
                realised = known[now + DAY_HOURS] / known[now] - 1.0
                for side in (-1.0, 1.0):
                    exceeded += side * realised > expected_shortfall(side * move[asset], 0.99) * np.array([1.0, 0.4])
                    decisions += 1
    return exceeded / decisions, decisions


@pytest.mark.fast
@NEEDS_DATA
@pytest.mark.parametrize("symbol", ["BTC", "ETH"])
def test_what_stands_in_for_a_volatility_index_moves_more_than_the_index_on_both_sides(symbol):
    returns = common_clock([real_history(symbol)])
    rule = rule_of(CalibrationSettings())
    variance, _ = run_filter(returns.log_return[0], rule, start_memory(float(np.mean(returns.log_return[0] ** 2))))
    used = np.append(variance, variance[-1])[None, :]
    index, known = volatility_moves_micro(returns.hour, (symbol,), [real_volatility(symbol)], used)
    stand_in, _ = volatility_moves_micro(returns.hour, (symbol,), [], used)
    days = np.count_nonzero(known) // DAY_HOURS
    daily = [one[0, known[0]][: days * DAY_HOURS].reshape(days, DAY_HOURS).sum(axis=1) for one in (stand_in, index)]
    low, high = (np.quantile(daily[0], q) / np.quantile(daily[1], q) for q in (0.01, 0.99))
    assert 1.0 < low < 1.3 and 1.0 < high < 2.0


@pytest.mark.fast
@NEEDS_DATA
def test_real_losses_exceed_the_point_figure_about_as_often_as_they_should():
    # MODEL_NOTES: 0.36 to 0.40 % over 16 coins; over 2019-2024 BTC and ETH alone gave 0.23 % of 7,412 decisions here.
    # 450 decisions hold one to two expected exceedances, which cluster: up to 1.5 % passes. That 0.4 of the figure is
    # exceeded far more often shows that the test can fail.
    histories = [real_history("BTC"), real_history("ETH")]
    first = int(histories[0].hour[-1]) - 2 * 8_760
    settings = replace(CalibrationSettings(), replicates=20)
    (share, share_of_less), decisions = walk_forward(histories, settings, first, 157, 4_380)
    assert decisions > 400 and share <= 0.015 and share_of_less > max(0.01, share)


@pytest.mark.slow
@NEEDS_DATA
def test_real_losses_from_2019_on_every_23_hours():
    histories = [real_history("BTC"), real_history("ETH")]
    first = int(histories[0].hour[0]) + 2 * 8_760
    settings = replace(CalibrationSettings(), replicates=20)
    (share, _), decisions = walk_forward(histories, settings, first, 23, 2_160)
    assert decisions > 7_000 and 0.0005 <= share <= 0.006


@pytest.mark.fast
def test_invented_losses_exceed_it_about_as_often_as_they_should():
    histories = [model_cases.history("BTC", 1, hours=11_000), model_cases.history("ETH", 2, hours=11_000)]
    first = model_cases.FIRST_HOUR + 5_000
    (share, share_of_less), decisions = walk_forward(histories, model_cases.SMALL, first, 29, 2_000)
    assert decisions > 700 and share <= 0.012 and share_of_less > max(0.01, share)


@pytest.mark.fast
@NEEDS_DATA
def test_real_margins_are_of_a_plausible_size():
    histories, index = [real_history("BTC"), real_history("ETH")], [real_volatility("BTC"), real_volatility("ETH")]
    calibration = calibrate(histories, index)
    asset = calibration.assets[0]
    assert asset.gap_count == 28 and asset.missing_hours == 128 and asset.suspicious_bars < 20
    spot = tuple(history.close_e8[-1] / 1e8 for history in histories)
    state = model_cases.market(spot=spot)
    nobody, none = model_cases.book(), model_cases.no_recent("BTC", "ETH")
    markets = run_engine(calibration, none, state, model_cases.catalogue(state), nobody, ModelConfiguration()).markets
    row = {int(market): place for place, market in enumerate(markets.market_id)}
    for perpetual in (10, 11):
        for side in ("long", "short"):
            initial = getattr(markets, f"initial_{side}")[row[perpetual]]
            point = getattr(markets, f"initial_{side}_point")[row[perpetual]]
            # the bound's measured kappa about doubles the point
            assert 0.06 < point < 0.15 and point <= initial < 2.5 * point
            assert 0.02 < getattr(markets, f"maintenance_{side}")[row[perpetual]] < 0.15
    straddle = model_cases.book({3: -1.0, 6: -1.0})
    accounts = run_engine(calibration, none, state, model_cases.catalogue(state), straddle).accounts
    # MODEL_NOTES 6: 4.9 % of spot on average for ES 99, and 13 % by a venue's matrix
    assert 0.03 < accounts.initial_point[0] / spot[0] < 0.13


@pytest.mark.fast
@NEEDS_DATA
@pytest.mark.parametrize(
    ("crash", "days"),
    [("March 2020", ("2020-03-08", "2020-03-16")), ("May 2021", ("2021-05-17", "2021-05-24")),
     ("LUNA 2022", ("2022-05-05", "2022-05-14")), ("FTX 2022", ("2022-11-05", "2022-11-12"))],
)  # fmt: skip
def test_replayed_crashes_are_within_a_point_of_the_real_ones(crash, days):
    begin, end = np.array(days, dtype="datetime64[h]").astype(np.int64)
    moves, _ = REPLAYS[crash]
    failed = {"LUNA", "FTT"}
    coins = sorted(path.stem for path in (DATA / "spot_1h").glob("*.parquet") if path.stem not in failed)
    worst = {}
    for history in map(real_history, coins):
        close = history.close_e8[(history.hour >= begin) & (history.hour < end)] / 1e8
        if close.size > DAY_HOURS:
            worst[history.symbol] = np.min(close[DAY_HOURS:] / close[:-DAY_HOURS]) - 1.0
    others = min(move for symbol, move in worst.items() if symbol not in moves)
    for symbol, move in {"BTC": worst["BTC"], "ETH": worst["ETH"], OTHERS: others}.items():
        assert moves[symbol] == pytest.approx(move, abs=0.01)
