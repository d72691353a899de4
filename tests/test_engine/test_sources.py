"""Several sources of one asset: what is dropped, what stands, and what it is on two real venues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import InvalidInput, Observations, PriceHistory, calibrate
from engine.dynamics.sources import merged_sources
from tests import model_cases, naive_model

pytestmark = pytest.mark.fast
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real history at {DATA}")
FIRST = model_cases.history("BTC", 1, hours=2_000)


def seen_by(seed, premium=0.002, noise=0.0003, base=FIRST):
    """The same market at another venue: a premium, and closes a moment apart."""
    random = np.random.default_rng(seed)
    close = base.close_e8 * (1.0 + premium + noise * random.standard_normal(base.hour.size))
    return PriceHistory(base.symbol, base.hour, np.rint(close).astype(np.int64), base.volume)


def with_print(history, row, factor):
    close = history.close_e8.copy()
    close[row] = round(close[row] * factor)
    return PriceHistory(history.symbol, history.hour, close, history.volume)


def test_one_source_stands_as_it_is():
    merged = merged_sources(FIRST, [])
    np.testing.assert_array_equal(merged.history.close_e8, FIRST.close_e8)
    assert (merged.sources, merged.compared_bars, merged.disagreeing_bars) == (1, 0, 0)


@pytest.mark.parametrize("erring", ["first", "witness"])
def test_with_two_sources_a_print_of_one_alone_is_dropped_whoever_erred(erring):
    first, witness = FIRST, seen_by(3)
    before = merged_sources(first, [witness])
    if erring == "first":
        first = with_print(first, 700, 1.2)
    else:
        witness = with_print(witness, 700, 1.2)
    merged = merged_sources(first, [witness])
    assert FIRST.hour[700] in before.history.hour and FIRST.hour[700] not in merged.history.hour
    assert merged.compared_bars == 2_000 and merged.disagreeing_bars == before.disagreeing_bars + 1
    assert merged.history.hour.size == 2_000 - merged.disagreeing_bars


def test_with_three_sources_one_confirmation_is_enough():
    denied = with_print(seen_by(4), 700, 1.2)
    assert FIRST.hour[700] in merged_sources(FIRST, [seen_by(3), denied]).history.hour
    assert FIRST.hour[700] not in merged_sources(with_print(FIRST, 700, 0.8), [seen_by(3), denied]).history.hour


def test_a_crash_that_both_saw_stands_though_they_differ_by_many_mad():
    close = FIRST.close_e8.copy()
    close[700:] = np.rint(close[700:] * 0.8).astype(np.int64)
    first = PriceHistory("BTC", FIRST.hour, close, FIRST.volume)
    witness = with_print(seen_by(3, base=first), 700, 1.03)
    assert FIRST.hour[700] in merged_sources(first, [witness]).history.hour


def test_bars_that_no_other_source_knows_stand():
    witness = seen_by(3)
    part = PriceHistory("BTC", witness.hour[500:900], witness.close_e8[500:900], witness.volume[500:900])
    merged = merged_sources(with_print(FIRST, 100, 1.5), [part])
    assert merged.compared_bars == 400 and FIRST.hour[100] in merged.history.hour


def test_the_rule_is_that_of_the_plain_twin():
    first, witness = with_print(FIRST, 300, 1.01), seen_by(5)
    size = 600
    first, witness = (PriceHistory("BTC", h.hour[:size], h.close_e8[:size], h.volume[:size]) for h in (first, witness))
    expected = naive_model.confirmed(first.close_e8.tolist(), witness.close_e8.tolist())
    kept = np.isin(first.hour, merged_sources(first, [witness]).history.hour)
    assert kept.tolist() == expected and not all(expected)


def test_a_short_or_foreign_second_source_is_refused():
    short = PriceHistory("BTC", FIRST.hour[:100], FIRST.close_e8[:100], FIRST.volume[:100])
    with pytest.raises(InvalidInput, match="share 100 bars"):
        merged_sources(FIRST, [short])
    with pytest.raises(InvalidInput, match="ETH"):
        merged_sources(FIRST, [model_cases.history("ETH", 2)])
    with pytest.raises(InvalidInput, match="ETH"):
        calibrate(
            [FIRST], [], model_cases.ONE_HORIZON, observations=Observations(witnesses=(model_cases.history("ETH", 2),))
        )


def test_the_counts_are_in_the_artefact():
    first = model_cases.history("BTC", 1)
    witness = seen_by(3, base=first)
    bad = calibrate(
        [with_print(first, 5_000, 1.3)], [], model_cases.ONE_HORIZON, observations=Observations(witnesses=(witness,))
    )
    good = calibrate([first], [], model_cases.ONE_HORIZON, observations=Observations(witnesses=(witness,)))
    counts = [(a.sources, a.compared_bars, a.disagreeing_bars) for a in (bad.assets[0], good.assets[0])]
    assert counts[0] == (2, 7_000, counts[1][2] + 1)
    assert bad.assets[0].bars == 7_000 - counts[0][2]
    assert bad.assets[0].long_run_variance == pytest.approx(good.assets[0].long_run_variance, rel=0.01)
    assert bad.from_json(bad.to_json()).to_json() == bad.to_json()


def real_history(symbol, folder):
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    bars = polars.read_parquet(DATA / folder / f"{symbol}.parquet")
    close = np.rint(bars["close"].to_numpy().astype(np.float64) * 1e8).astype(np.int64)
    return PriceHistory(symbol, bars["ts"].to_numpy() // 3_600 + 1, close, bars["volume"].to_numpy().astype(np.float64))


@NEEDS_DATA
@pytest.mark.parametrize("symbol", ["BTC", "ETH", "SOL"])
def test_two_real_venues_disagree_on_few_bars_and_on_hardly_any_crash(symbol):
    first, witness = real_history(symbol, "spot_1h"), real_history(symbol, "spot_1h_ftx")
    merged = merged_sources(first, [witness])
    assert merged.compared_bars > 17_000
    assert 0.001 < merged.disagreeing_bars / merged.compared_bars < 0.005
    move = np.diff(np.log(first.close_e8))
    large = first.hour[1:][np.abs(move) > 5 * move.std()]
    large = large[np.isin(large, witness.hour)]
    assert np.isin(large, merged.history.hour).mean() > 0.97
    left = np.diff(np.log(merged.history.close_e8)) / np.sqrt(np.diff(merged.history.hour))
    assert np.mean(left**2) > 0.99 * np.mean(move**2)
