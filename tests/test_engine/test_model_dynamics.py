"""Clock, variance filter, paths, fallback and trend against loops written from the design."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import CalibrationSettings, InvalidInput, PriceHistory, VolatilityHistory, calibrate
from engine.dynamics.clock import common_clock
from engine.dynamics.fallback import fill_short_histories
from engine.dynamics.liquidity import count_bars, stress_volume
from engine.dynamics.paths import block_starts, filtered_paths
from engine.dynamics.recursions import Memory
from engine.dynamics.today import memory_today, trend_stretch, trend_today, with_running_hour
from engine.dynamics.variance import rule_of, run_filter, start_memory, variance_now
from engine.dynamics.volatility_moves import volatility_moves_micro
from tests import model_cases, naive_model

pytestmark = pytest.mark.fast
RULE = rule_of(CalibrationSettings())


def prices(symbol, hours, closes):
    return PriceHistory(symbol, np.array(hours), np.array(closes) * 10**8, np.ones(len(hours)))


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=60), st.floats(1e-6, 1e-2))
def test_variance_is_the_floored_mean_of_three_memories(returns, long_run):
    variance, memory = run_filter(np.array(returns), RULE, start_memory(long_run))
    expected, slow, fast = naive_model.variances(returns, long_run, long_run, long_run)
    np.testing.assert_allclose(variance, expected, rtol=1e-12)
    np.testing.assert_allclose((memory.slow, memory.fast), (slow, fast), rtol=1e-12)
    following = naive_model.mixture(long_run, slow, fast)
    assert variance_now(RULE, memory) == pytest.approx(following, rel=1e-12)
    assert memory.largest == pytest.approx(max(*expected, following), rel=1e-12)
    assert variance.min() >= 0.49 * long_run * (1 - 1e-15)


def test_after_calm_months_the_variance_rests_on_its_floor():
    variance, memory = run_filter(np.zeros(24 * 200), RULE, start_memory(1e-4))
    assert variance[0] == pytest.approx(1e-4) and variance[-1] == 0.49 * 1e-4 == variance_now(RULE, memory)
    residual, moves = np.zeros(48, dtype=np.int64), np.zeros(48, dtype=np.int64)
    residual[::12] = 1_000_000
    path, _ = filtered_paths(residual, moves, np.array([0]), 48, RULE, memory)
    assert path[0, 0] == np.sqrt(0.49 * 1e-4)


@given(st.lists(st.floats(-8, 8), min_size=6, max_size=6), st.floats(1.0, 5.0))
def test_path_filters_inside_and_never_exceeds_the_cap(residuals, cap):
    long_run = 1e-4
    memory = Memory(long_run, 2e-4, 0.5e-4, cap * long_run)
    micro = np.rint(np.array(residuals) * 1e6).astype(np.int64)
    moves = np.arange(6) * 20_000 - 30_000
    log_return, shock = filtered_paths(micro, moves, np.array([0, 1]), 5, RULE, memory)
    for s in (0, 1):
        window = slice(s, s + 5)
        expected = naive_model.path(micro[window] / 1e6, moves[window] / 1e6, long_run, 2e-4, 0.5e-4, cap * long_run)
        np.testing.assert_allclose(np.stack([log_return[:, s], shock[:, s]], axis=1), expected, rtol=1e-10, atol=1e-13)


@given(st.lists(st.floats(-8, 8), min_size=4, max_size=4), st.lists(st.floats(0.3, 3.0), min_size=8, max_size=8))
def test_a_season_scales_each_step_by_the_root_of_ahead_over_own(residuals, factors):
    ahead, own = np.array(factors[:4]), np.array(factors[4:])
    memory, micro = Memory(1e-4, 2e-4, 0.5e-4, 5e-4), np.rint(np.array(residuals) * 1e6).astype(np.int64)
    still, season = np.zeros(4, dtype=np.int64), (np.sqrt(ahead), np.sqrt(own))
    log_return, _ = filtered_paths(micro, still, np.array([0]), 4, RULE, memory, season)
    pairs = list(zip(ahead, own, strict=True))
    expected = naive_model.path(micro / 1e6, still, 1e-4, 2e-4, 0.5e-4, 5e-4, pairs)
    np.testing.assert_allclose(log_return[:, 0], [x for x, _ in expected], rtol=1e-12, atol=1e-15)


def test_a_gap_of_k_hours_enters_once_divided_by_its_root():
    clock = common_clock([prices("BTC", [10, 11, 15, 16], [100, 110, 121, 121])])
    np.testing.assert_allclose(clock.log_return[0], [np.log(1.1), np.log(1.1) / 2, 0.0], atol=1e-15)


def test_clock_keeps_the_hours_that_every_asset_alive_has():
    older, younger = prices("BTC", [1, 2, 3, 5, 6], [10, 11, 12, 13, 14]), prices("ETH", [3, 4, 5, 6], [7, 8, 9, 10])
    clock = common_clock([older, younger])
    assert clock.hour.tolist() == [1, 2, 3, 5, 6]
    assert clock.close_e8[1].tolist() == [0, 0, 7 * 10**8, 9 * 10**8, 10 * 10**8]
    assert clock.first_return.tolist() == [0, 2]
    expected = naive_model.returns_on_clock([1, 2, 3, 5, 6], [10, 11, 12, 13, 14])
    np.testing.assert_allclose(clock.log_return[0], expected, rtol=1e-13)


def test_an_asset_that_died_long_ago_is_refused_by_name():
    with pytest.raises(InvalidInput, match="LUNA ends at hour 20"):
        common_clock([prices("BTC", [1, 400], [1, 2]), prices("LUNA", [10, 20], [3, 4])])


def test_blocks_start_every_four_hours_and_fit():
    starts = block_starts(100, 24, 4)
    assert starts[0] >= 0 and starts[-1] == 76 and set(np.diff(starts)) == {4}


def test_a_short_history_is_filled_and_costs_more_than_its_own_month():
    reference = model_cases.history("BTC", 1)
    young = model_cases.history("NEW", 3, hours=1_500, first_hour=model_cases.FIRST_HOUR + 5_500)
    calibration = calibrate([reference, young], [], model_cases.SMALL)
    asset = calibration.assets[1]
    assert asset.fallback and asset.filled_hours == 6_000 - 1_499
    own = np.diff(np.log(young.close_e8.astype(float)))
    assert asset.long_run_variance >= np.mean(own**2) * (1 - 1e-9)
    assert not calibration.assets[0].fallback and calibration.assets[0].filled_hours == 0


def test_filled_hours_are_beta_times_the_reference_plus_an_inflated_own_part():
    reference, hours = model_cases.history("BTC", 1), 7_000
    young = model_cases.history("NEW", 3, hours=1_500, first_hour=model_cases.FIRST_HOUR + 5_500)
    clock = common_clock([reference, young])
    library = fill_short_histories(clock, ("BTC", "NEW"), model_cases.SMALL)
    market, own = library[0, -1_499:], library[1, -1_499:]
    beta = np.mean(own * market) / np.mean(market**2)
    left = np.sqrt(np.mean((own - beta * market) ** 2))
    filled = library[1, :-1_499] - beta * library[0, :-1_499]
    assert np.sqrt(np.mean(filled**2)) == pytest.approx(1.5 * left, rel=0.15)
    np.testing.assert_array_equal(own, clock.log_return[1, -1_499:])
    np.testing.assert_array_equal(library[0], clock.log_return[0, hours - 1 - 6_000 :])


def test_a_short_history_of_wild_hours_keeps_their_variance():
    calm_then_wild = model_cases.history("BTC", 1)
    moves = np.diff(np.log(calm_then_wild.close_e8.astype(float))) * np.where(np.arange(6_999) < 5_500, 0.2, 1.0)
    close = np.rint(1e10 * np.exp(np.cumsum(np.append(0.0, moves)))).astype(np.int64)
    reference = PriceHistory("BTC", calm_then_wild.hour, close, calm_then_wild.volume)
    young = PriceHistory("NEW", reference.hour[5_500:], close[5_500:], reference.volume[5_500:])
    asset = calibrate([reference, young], [], model_cases.SMALL).assets[1]
    own = np.diff(np.log(young.close_e8.astype(float)))
    assert asset.long_run_variance == pytest.approx(np.mean(own**2), rel=1e-6)


def test_daily_volatility_is_spread_over_its_hours_and_the_filter_stands_in_elsewhere():
    index = VolatilityHistory("BTC", np.array([24, 48, 148]), np.array([500_000, 550_000, 400_000]))
    variance = np.exp(np.cumsum(np.full((2, 40), 0.01), axis=1))
    moves, known = volatility_moves_micro(np.arange(20, 60), ("BTC", "ETH"), [index], variance)
    assert np.flatnonzero(known[0]).tolist() == list(range(4, 28)) and not known[1].any()
    # half of a hundredth, and 65 % of that
    assert np.all(moves[~known] == 3_250)
    assert moves[0, 4:28].sum() == pytest.approx(1e6 * np.log(1.1), abs=24)


def test_stressed_volume_is_a_low_order_statistic_of_full_days():
    given_history = model_cases.history("BTC", 5, hours=24 * 200 + 7)
    days = sorted(naive_model.day_blocks(given_history.hour, given_history.volume))
    assert stress_volume(given_history) == pytest.approx(days[int(0.01 * len(days))], rel=1e-12)


def test_bars_are_counted_gaps_zero_volume_and_spikes_that_revert():
    closes = [100.0] * 40
    closes = [close * (1 + 0.001 * (-1) ** i) for i, close in enumerate(closes)]
    closes[20] *= 3
    hours = [*range(30), *range(33, 43)]
    bad = PriceHistory("X", np.array(hours), np.rint(np.array(closes) * 1e8).astype(np.int64), np.eye(1, 40, 3)[0])
    counts = count_bars(bad, 3.0)
    assert (counts.gap_count, counts.missing_hours, counts.suspicious_bars, counts.zero_volume_bars) == (1, 3, 1, 39)


def test_recent_prices_carry_the_filter_on():
    calibration = model_cases.small_calibration()
    asset, moves = calibration.assets[0], [0.01, -0.05, 0.02]
    memory = memory_today(calibration, model_cases.recent_move(calibration, "BTC", moves))
    _, slow, fast = naive_model.variances(moves, asset.long_run_variance, asset.slow_variance, asset.fast_variance)
    assert (memory.slow, memory.fast) == pytest.approx((slow, fast), rel=1e-6)


def test_the_running_hour_counts_where_it_raises_the_variance_and_nowhere_else():
    calibration = model_cases.small_calibration()
    recent = model_cases.recent_move(calibration, "BTC", [0.001, -0.002])
    last = float(recent.close_e8[-1]) / 1e8
    crashed = with_running_hour(calibration, recent, 0.8 * last)
    assert crashed.hour[-1] == recent.hour[-1] + 1 and crashed.close_e8[-1] == round(0.8 * last * 1e8)
    before, after = memory_today(calibration, recent), memory_today(calibration, crashed)
    assert variance_now(RULE, after) > 2 * variance_now(RULE, before)
    assert with_running_hour(calibration, recent, last) is recent, "a calm part of an hour lowers nothing"


def test_recent_prices_at_or_before_the_last_hour_are_refused():
    calibration = model_cases.small_calibration()
    late = model_cases.recent_move(calibration, "BTC", [0.01])
    stale = type(late)("BTC", late.hour - 1, late.close_e8)
    with pytest.raises(InvalidInput, match="not after the artefact's last"):
        memory_today(calibration, stale)


def test_trend_is_the_mean_of_four_scaled_moves():
    calibration = model_cases.small_calibration()
    recent = model_cases.recent_move(calibration, "ETH", [-0.01] * 30)
    kept = calibration.recent_close_e8[1]
    closes = dict(zip(calibration.clock_hour[-kept.size :].tolist(), kept.tolist(), strict=True))
    closes.update(zip(recent.hour.tolist(), recent.close_e8.tolist(), strict=True))
    expected = naive_model.trend(closes, calibration.assets[1].long_run_variance)
    assert trend_today(calibration, recent) == pytest.approx(expected, abs=1e-12)


@given(st.floats(-1, 1))
def test_trend_stretches_one_side_and_never_shrinks(trend):
    fall, rise = trend_stretch(trend, 0.3)
    assert fall == pytest.approx(np.exp(0.3 * max(-trend, 0)), rel=1e-14)
    assert rise == pytest.approx(np.exp(0.3 * max(trend, 0)), rel=1e-14)
    assert min(fall, rise) == 1.0
