"""Market ratios: they dominate every size's cost, take the worst of a bucket, and keep their order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import COMPONENTS, Kind, ModelConfiguration
from engine.addons import funding_fraction, liquidity_curve
from tests import model_cases
from tests.test_engine.test_model_margin import BTC_CALL, BTC_FUTURE, BTC_PERPETUAL, LISTED, PLAIN, STATE, run

pytestmark = pytest.mark.fast
NOBODY = model_cases.book()
CALM = model_cases.no_recent(*STATE.symbols)
CURVE = liquidity_curve(model_cases.small_calibration(), CALM, STATE, PLAIN)


def test_liquidity_is_dearer_after_a_wild_day_and_never_cheaper_than_in_the_long_run():
    calibration = model_cases.small_calibration()
    wild = [model_cases.recent_move(calibration, symbol, [0.04, -0.04] * 12) for symbol in STATE.symbols]
    calm = [model_cases.recent_move(calibration, symbol, [0.0] * 500) for symbol in STATE.symbols]
    after_wild = liquidity_curve(calibration, wild, STATE, PLAIN)
    after_calm = liquidity_curve(calibration, calm, STATE, PLAIN)
    assert np.all(after_wild.impact > 1.5 * after_calm.impact)
    long_run = np.sqrt([24 * asset.long_run_variance for asset in calibration.assets])
    np.testing.assert_allclose(after_calm.day_deviation, long_run, rtol=1e-12)


def test_the_line_lies_above_the_cost_of_every_size():
    markets = run(NOBODY).markets
    row = int(np.searchsorted(markets.market_id, 10 * Kind.PERPETUAL))
    for side, ratio, slope in (
        (1.0, markets.initial_long[row], markets.slope_long[row]),
        (-1.0, markets.initial_short[row], markets.slope_short[row]),
    ):
        sizes = np.array([1e3, 1e5, 1e6, 3e6, 1e7, 1e8, 1e9])
        accounts = run(model_cases.book(*({BTC_PERPETUAL: side * size / 60_000} for size in sizes))).accounts
        assert np.all(accounts.initial <= sizes * (ratio + slope * sizes / 1e6) * (1 + 1e-12))
        assert np.all(np.diff(accounts.initial / sizes) > 0.0)


@given(st.floats(0.0, 1e12), st.floats(1e3, 1e9), st.sampled_from([0, 1]))
def test_base_and_slope_dominate_the_curve(size, reference, underlying):
    which = np.array([underlying])
    cost = CURVE.liquidity(np.array([size]), which) + CURVE.concentration(np.array([size]), which)
    line = size * (CURVE.base(reference)[underlying] + CURVE.slope(reference)[underlying] * size / 1e6)
    assert cost[0] <= line * (1 + 1e-12)


def test_the_worst_instrument_of_a_bucket_sets_it():
    markets = run(NOBODY).markets
    call = int(np.searchsorted(markets.market_id, 10 * Kind.CALL))
    for side in ("long", "short"):
        worst = getattr(markets, f"worst_{side}")[call]
        assert LISTED.market_id[worst] == 10 * Kind.CALL
        alone = [
            getattr(run(NOBODY, listed=_only(row)).markets, f"initial_{side}")[0]
            for row in np.flatnonzero(LISTED.market_id == 10 * Kind.CALL)
        ]
        assert getattr(markets, f"initial_{side}")[call] == pytest.approx(max(alone), rel=1e-12)


def _only(row):
    return type(LISTED)(*(getattr(LISTED, name)[[row]] for name in LISTED.__dataclass_fields__))


def test_order_between_the_ratios():
    markets = run(NOBODY).markets
    for side in ("long", "short"):
        start, keep = getattr(markets, f"initial_{side}"), getattr(markets, f"maintenance_{side}")
        assert np.all(start >= keep * 1.1) and np.all(keep > 0) and np.all(getattr(markets, f"slope_{side}") > 0)
        assert np.all(getattr(markets, f"initial_{side}_point") <= start)
    assert np.all(np.diff(markets.market_id) > 0)
    names = {COMPONENTS[code] for code in np.concatenate([markets.binding_long, markets.binding_short])}
    drawn = {"historical", "historical_trend", "monte_carlo", "monte_carlo_trend", "monte_carlo_correlated"}
    assert names <= drawn | {"monte_carlo_independent", "stress", "maintenance"}


def test_a_long_option_asks_no_more_than_an_underlying_and_a_short_put_no_less_than_a_long_perpetual_far_in():
    markets = run(NOBODY).markets
    by_id = {int(i): row for row, i in enumerate(markets.market_id)}
    assert markets.initial_long[by_id[30]] < markets.initial_long[by_id[10]] * 1.3
    assert markets.initial_short[by_id[30]] > 0.5 * markets.initial_short[by_id[10]]


def test_funding_is_capped_and_charged_to_perpetuals_only():
    capped = replace(PLAIN, funding_change_hourly=1.0)
    np.testing.assert_allclose(funding_fraction(model_cases.small_calibration(), STATE, capped, 24), 24 * 4e-4)
    np.testing.assert_allclose(funding_fraction(model_cases.small_calibration(), STATE, PLAIN, 24), 24 * (1e-5 + 1e-4))
    # Monte Carlo at the maintenance horizon may bind, where less funding is charged
    capped = replace(capped, monte_carlo_points=0)
    free, dear = run(NOBODY, replace(capped, funding_change_hourly=0.0)).markets, run(NOBODY, capped).markets
    by_id = {int(i): row for row, i in enumerate(free.market_id)}
    assert dear.initial_long[by_id[10]] - free.initial_long[by_id[10]] == pytest.approx(24 * (4e-4 - 1e-5))
    assert dear.initial_long[by_id[20]] == free.initial_long[by_id[20]]


def test_a_sum_of_ratios_caps_linear_books_only():
    # two instruments of one underlying, each as large as a day can take: waiting is charged on the sum, not on either
    model = ModelConfiguration(impact_coefficient=0.0, spread_fraction=0.0)
    size = CURVE.daily_capacity[0]
    linear = {BTC_PERPETUAL: size / 60_000, BTC_FUTURE: size / 60_000}
    accounts = run(model_cases.book(linear, linear | {BTC_CALL: 1.0}), model).accounts
    markets = run(NOBODY, model).markets
    rows = np.searchsorted(markets.market_id, [10 * Kind.PERPETUAL, 10 * Kind.FUTURE])
    asked = sum(size * (markets.initial_long[row] + markets.slope_long[row] * size / 1e6) for row in rows)
    assert accounts.initial[0] == pytest.approx(asked, rel=1e-12)
    assert COMPONENTS[accounts.binding[0]] == "sum_of_ratios"
    assert accounts.initial[1] > accounts.initial[0] and COMPONENTS[accounts.binding[1]] != "sum_of_ratios"
