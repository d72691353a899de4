"""Whatever comes in at the engine's doors: a typed refusal, or an answer that is right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    CalibrationSettings,
    EngineError,
    Instruments,
    InvalidInput,
    Kind,
    MarketState,
    ModelConfiguration,
    NonFiniteResult,
    Positions,
    PriceHistory,
    RecentPrices,
    VolatilityHistory,
    calibrate,
    evaluate,
)
from engine.explain import explain
from engine.matrix_margin import matrix_margin
from engine.risk import expected_shortfall
from engine.scenarios.matrix import Ranges, Shock, deribit_matrix, paradex_matrix
from tests import model_cases
from tests.test_engine import test_model_margin
from tests.test_engine.test_model_margin import LISTED, STATE

pytestmark = pytest.mark.fast
NO_RECENT = model_cases.no_recent("BTC", "ETH")
BARS = model_cases.history("BTC", 1)
ETH = model_cases.history("ETH", 2)
PLAIN = replace(test_model_margin.PLAIN, monte_carlo_points=0)
"""Nothing here hangs on how many scenarios there are; Monte Carlo has its own doors in `test_explain` and others."""
CALL, PUT, FUTURE, PERPETUAL = 0, 1, 2, 3
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True, allow_subnormal=True)
POISON = st.sampled_from([math.nan, math.inf, -math.inf])


def run(positions, **options):
    return test_model_margin.run(positions, PLAIN, **options)


def bars(**values) -> PriceHistory:
    columns = {"hour": BARS.hour, "close_e8": BARS.close_e8, "volume": BARS.volume, **values}
    return PriceHistory("BTC", **columns)


def fitted(*histories, volatility=()):
    return calibrate(histories or (bars(), ETH), list(volatility), model_cases.SMALL)


def poisoned(array, row, value):
    copy = array.astype(np.float64)
    copy[row] = value
    return copy


def one_strike(state: MarketState, strike: float, slice_: int = 1) -> Instruments:
    """Call, put and future of one slice of BTC, and its perpetual."""
    rows = [(Kind.CALL, 0, slice_, strike), (Kind.PUT, 0, slice_, strike), (Kind.FUTURE, 0, slice_, 0.0)]
    return model_cases.instruments(state, [*rows, (Kind.PERPETUAL, 0, -1, 0.0)])


def explained(account, state=STATE, listed=LISTED, model=PLAIN):
    return explain(model_cases.small_calibration(), NO_RECENT, state, listed, model_cases.book(account), model)


def model_loss(account, state, listed, model=PLAIN):
    return dict(explained(account, state, listed, model).initial.components)["model"]


# --- histories ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(["hour", "close_e8", "volume"]), st.integers(0, 6_999), POISON)
@settings(max_examples=20, deadline=None)
def test_a_history_with_a_value_that_is_no_number_is_refused_by_name(column, row, value):
    with pytest.raises(InvalidInput, match=rf"history of BTC: {column}"):
        bars(**{column: poisoned(getattr(BARS, column), row, value)})


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"close_e8": np.full(7_000, 10**8)}, "history of BTC is constant"),
        ({"close_e8": np.full(7_000, 10**8) + (np.arange(7_000) == 3_000)}, "expected shortfall|BTC"),
        ({"volume": np.zeros(7_000)}, "volume of a stressed day is 0"),
    ],
)
def test_a_history_without_anything_to_learn_from_is_refused(wrong, named):
    with pytest.raises(InvalidInput, match=named):
        fitted(bars(**wrong), ETH)


@pytest.mark.parametrize("count", [1, 2, 700])
def test_too_few_observations_are_refused(count):
    first = PriceHistory("BTC", BARS.hour[:count], BARS.close_e8[:count], BARS.volume[:count])
    with pytest.raises(InvalidInput, match="BTC"):
        fitted(first)


def test_no_history_and_a_symbol_twice_are_refused():
    with pytest.raises(InvalidInput, match="no price history"):
        calibrate([])
    with pytest.raises(InvalidInput, match=r"two histories in \['BTC', 'BTC'\]"):
        fitted(bars(), bars())
    levels = model_cases.volatility_history("BTC", 1)
    with pytest.raises(InvalidInput, match="none twice"):
        fitted(volatility=[levels, levels])
    for count in (0, 1):
        with pytest.raises(InvalidInput, match=f"BTC has {count} observations"):
            fitted(volatility=[VolatilityHistory("BTC", levels.hour[:count], levels.level_ppm[:count])])


def test_two_assets_that_are_one_hedge_each_other_but_for_the_gross_share():
    """A correlation of one: nothing to invert, nothing to divide by. What parts them is Monte Carlo's, and dearer."""
    twin = PriceHistory("ETH", BARS.hour, BARS.close_e8, BARS.volume)
    state = model_cases.market(spot=(60_000.0, 60_000.0))
    listed = model_cases.catalogue(state)
    calibration = fitted(bars(), twin)
    both = model_cases.book({0: 1.0, 8: -1.0}, {0: 1.0}, {8: -1.0})
    alike, asked = (
        evaluate(calibration, NO_RECENT, state, listed, both, model).accounts.initial_point
        for model in (PLAIN, test_model_margin.PLAIN)
    )
    assert np.all(np.isfinite(asked)) and asked[0] > alike[0]
    found = explain(calibration, NO_RECENT, state, listed, model_cases.book({0: 1.0, 8: -1.0}), PLAIN)
    gross = sum(part.alone_usd for part in found.initial.underlyings)
    share = dict(found.initial.components)
    alone_moves = max(one.counted_usd for one in found.initial.worst)
    assert share["model"] == pytest.approx(alone_moves) and found.initial.model_binding == "stress"
    assert share["gross"] == pytest.approx(0.2 * (gross - share["model"] - share["parameter_error"]))


@pytest.mark.parametrize("name", ["long_run_weight", "slow_weight", "fast_weight"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_setting_that_is_no_number_is_refused(name, value):
    with pytest.raises(InvalidInput, match=f"{name} |do not add up"):
        CalibrationSettings(**{name: value})


def test_weights_and_horizons_that_make_no_sense_are_refused():
    with pytest.raises(InvalidInput, match="long_run_weight -0.2"):
        CalibrationSettings(long_run_weight=-0.2, slow_weight=0.6, fast_weight=0.6)
    with pytest.raises(InvalidInput, match="do not add up"):
        CalibrationSettings(long_run_weight=0.3)
    with pytest.raises(InvalidInput, match="twice"):
        CalibrationSettings(horizon_hours=(4, 4))
    for weight in (-0.1, 1.1, math.nan):
        with pytest.raises(InvalidInput, match="weight"):
            Shock(0.1, 0.1, weight)
    for moves in ((-1.0, 0.0), (0.0, -1.0), (math.nan, 0.0), (0.0, math.inf)):
        with pytest.raises(InvalidInput, match="moves"):
            Shock(*moves)
    with pytest.raises(InvalidInput, match="finite"):
        Ranges(0.1, math.inf, 0.1)
    for losses in ([], [1.0, math.nan], [math.inf]):
        with pytest.raises(InvalidInput):
            expected_shortfall(np.array(losses), 0.99)


# --- markets -----------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["spot", "forward", "vol_nodes", "discount", "funding_rate_hourly", "funding_cap_hourly"]),
    ANY_FLOAT,
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_market_with_any_float_is_refused_or_charged_in_finite_figures(name, value, data):
    table = np.array(getattr(STATE, name))
    row = data.draw(st.integers(0, table.size - 1))
    table.flat[row] = value
    try:
        state = replace(STATE, **{name: table})
        asked = run(model_cases.book({0: 1.0, 3: -1.0, 6: -1.0}, {8: 5.0, 11: -2.0}), state=state).accounts
    except EngineError as error:
        assert str(error)
        return
    assert np.all(np.isfinite(asked.initial)) and np.all(asked.initial > 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("vol_nodes", 0.0), ("vol_nodes", 1e-7), ("forward", 500.0), ("forward", 7e6), ("discount", 0.009),
     ("discount", 101.0), ("spot", 0.0)],
)  # fmt: skip
def test_an_error_of_units_does_not_take_margin_to_nothing(name, value):
    table = np.array(getattr(STATE, name))
    table.flat[0] = value
    with pytest.raises(InvalidInput, match=rf"market: {name}\["):
        replace(STATE, **{name: table})


def test_a_symbol_twice_is_refused():
    columns = {name: getattr(STATE, name) for name in STATE.__dataclass_fields__}
    with pytest.raises(InvalidInput, match="listed twice"):
        MarketState(**{**columns, "symbols": ("BTC", "BTC")})
    with pytest.raises(InvalidInput, match="one is needed for each"):
        evaluate(model_cases.small_calibration(), [*NO_RECENT, NO_RECENT[0]], STATE, LISTED, model_cases.book(), PLAIN)


@pytest.mark.parametrize("seconds", [0, -1])
def test_what_has_expired_is_refused(seconds):
    expiries = STATE.slice_seconds.copy()
    expiries[1] = seconds
    with pytest.raises(InvalidInput, match=rf"slice_seconds\[1\] = {seconds}"):
        replace(STATE, slice_seconds=expiries)
    with pytest.raises(InvalidInput, match=f"seconds_to_expiry {seconds} has expired"):
        Instruments([Kind.CALL], [0], [0], [1], [seconds], [60_000.0], [1.0], [False])


def test_an_option_in_its_last_second_settles_at_its_payoff():
    """A long call far in the money is then a future that stops moving: it can lose no more than what moves at once."""
    expiries = STATE.slice_seconds.copy()
    expiries[1] = 1
    state = replace(STATE, slice_seconds=expiries)
    listed = one_strike(state, 30_000.0)
    found = explained({CALL: 1.0}, state, listed).initial
    future = explained({FUTURE: 1.0}, state, listed).initial
    assert found.legs[0].value_usd == pytest.approx(state.forward[1] - 30_000.0, rel=1e-6)
    assert math.isfinite(found.required_usd) and found.required_usd > 0.0
    assert found.shared_usd == pytest.approx(future.shared_usd, rel=1e-6)


@pytest.mark.parametrize("volatility", [1e-6, 1e-4])
def test_without_volatility_an_option_in_the_money_is_its_forward(volatility):
    state = replace(STATE, vol_nodes=np.full((6, 7), volatility))
    listed = one_strike(state, 1_000.0)
    assert model_loss({CALL: -3.0}, state, listed) == pytest.approx(model_loss({FUTURE: -3.0}, state, listed), rel=1e-9)
    assert model_loss({PUT: -3.0}, state, listed) == 0.0


# --- strikes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strike", [0.0, -1.0, math.nan, math.inf])
def test_a_strike_that_is_none_is_refused(strike):
    with pytest.raises(InvalidInput, match="instrument 0: strike"):
        one_strike(STATE, strike)


@given(st.floats(-3.0, 3.0).filter(lambda q: abs(q) > 1e-3), st.floats(6.5, 12.0))
@settings(max_examples=10, deadline=None)
def test_a_put_at_a_strike_of_up_to_1e12_is_a_forward_sold(quantity, exponent):
    strike = 10.0**exponent
    listed = one_strike(STATE, strike)
    put = model_loss({PUT: quantity}, STATE, listed)
    assert put == pytest.approx(model_loss({FUTURE: -quantity}, STATE, listed), rel=1e-3)
    assert model_loss({CALL: quantity}, STATE, listed) <= 1e-2 * put


@given(st.floats(-3.0, 3.0).filter(lambda q: abs(q) > 1e-3), st.floats(-300.0, 2.0))
@settings(max_examples=8, deadline=None)
def test_a_call_at_a_strike_near_nothing_is_a_forward_bought(quantity, exponent):
    listed = one_strike(STATE, 10.0**exponent)
    assert model_loss({CALL: quantity}, STATE, listed) == pytest.approx(
        model_loss({FUTURE: quantity}, STATE, listed), rel=1e-9
    )


def test_a_put_far_in_the_money_is_also_a_loan_of_its_strike():
    """Its worth is that of the strike on the day of expiry: where rates move, that asks in proportion to it."""
    model = test_model_margin.PLAIN
    for quantity in (1.0, -1.0):
        small, large = (model_loss({PUT: quantity}, STATE, one_strike(STATE, k), model) for k in (1e9, 1e10))
        assert large == pytest.approx(10.0 * small, rel=1e-2)
        assert small > 10.0 * model_loss({FUTURE: -quantity}, STATE, one_strike(STATE, 1e9), model)


@pytest.mark.parametrize("strike", [1e15, 1e300])
def test_a_strike_beyond_what_a_price_resolves_is_refused_rather_than_margined_at_nothing(strike):
    with pytest.raises(InvalidInput, match=r"instrument 0: strike .* times the forward"):
        explained({PUT: -1.0}, STATE, one_strike(STATE, strike))


# --- quantities --------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:overflow")
@given(ANY_FLOAT, st.integers(0, 15))
@settings(max_examples=25, deadline=None)
def test_any_quantity_is_refused_or_charged_in_finite_figures(quantity, instrument):
    try:
        account = model_cases.book({instrument: quantity}, {0: 1.0})
        asked = run(account).accounts
        venue = matrix_margin(paradex_matrix(STATE.symbols), LISTED, STATE, account)
        found = explained({instrument: quantity})
    except InvalidInput:
        assert not math.isfinite(quantity)
        return
    except NonFiniteResult as error:
        assert "account 0" in str(error) and abs(quantity) > 1e200
        return
    assert np.all(np.isfinite(asked.initial)) and np.all(np.isfinite(asked.maintenance)) and np.all(venue >= 0.0)
    assert asked.initial[0] >= 0.0 and (quantity == 0.0) <= (asked.initial[0] == asked.maintenance[0] == 0.0)
    assert found.initial.required_usd == asked.initial[0]
    assert asked.initial[1] == run(model_cases.book({0: 1.0})).accounts.initial[0]


def test_nothing_held_asks_nothing():
    empty = run(model_cases.book()).accounts
    assert empty.initial.size == empty.maintenance.size == 0
    assert matrix_margin(deribit_matrix(STATE.symbols), LISTED, STATE, model_cases.book()).size == 0
    for account in ({}, {0: 0.0, 3: -0.0}):
        found = explained(account)
        assert found.initial.required_usd == found.maintenance.required_usd == 0.0
        assert found.initial.worst == () and all(leg.share_usd == 0.0 for leg in found.initial.legs)


@given(
    st.dictionaries(st.integers(0, 15), st.floats(-5.0, 5.0).filter(lambda q: abs(q) > 1e-3), min_size=1, max_size=5),
    st.sampled_from([1e-9, 1e3, 1e9]),
)
@settings(max_examples=20, deadline=None)
def test_all_but_liquidity_scales_with_the_book_up_to_1e9_contracts(account, scale):
    one, many = (explained({i: q * factor for i, q in account.items()}) for factor in (1.0, scale))
    for small, large in ((one.initial, many.initial), (one.maintenance, many.maintenance)):
        before, after = dict(small.components), dict(large.components)
        whole = before["model"] + before["leg_floor"] + before["gross"]
        for name in ("model", "parameter_error", "gross", "leg_floor", "funding", "liquidation_fee"):
            assert after[name] == pytest.approx(scale * before[name], rel=1e-9, abs=1e-9 * scale * whole)
        for name in ("liquidity", "concentration"):
            assert (after[name] >= scale * before[name] * (1.0 - 1e-9)) == (scale > 1.0) or before[name] == 0.0
        assert large.shared_usd == pytest.approx(scale * small.shared_usd, rel=1e-9, abs=1e-9 * scale * whole)


@given(st.floats(-8.0, 10.0), st.floats(-8.0, 10.0))
@settings(max_examples=15, deadline=None)
def test_any_price_level_is_valued_and_a_matrix_asks_the_same_share_of_it(btc, eth):
    """Spots from 1e-8 to 1e10; for the model they are a jump from the history's level, which may not fit 64 bits."""
    spot = np.array([10.0**btc, 10.0**eth])
    ratio = spot / STATE.spot
    state = replace(STATE, spot=spot, forward=STATE.forward * ratio[STATE.slice_underlying])
    listed = replace(LISTED, strike=LISTED.strike * ratio[LISTED.underlying])
    account = {0: 1.0 / spot[0], 3: -2.0 / spot[0], 8: -1.0 / spot[1], 12: 3.0 / spot[1]}
    there = {0: 1.0 / STATE.spot[0], 3: -2.0 / STATE.spot[0], 8: -1.0 / STATE.spot[1], 12: 3.0 / STATE.spot[1]}
    matrix = deribit_matrix(STATE.symbols)
    asked = matrix_margin(matrix, listed, state, model_cases.book(account))[0]
    assert asked == pytest.approx(matrix_margin(matrix, LISTED, STATE, model_cases.book(there))[0], rel=1e-9)
    try:
        found = explained(account, state, listed)
    except InvalidInput as error:
        assert "close_e8" in str(error) or "spot" in str(error)
        return
    assert math.isfinite(found.initial.required_usd) and found.initial.required_usd > 0.0


# --- what does not fit -------------------------------------------------------------------------------------------


def test_books_and_markets_that_do_not_fit_a_matrix_are_refused():
    matrix = deribit_matrix(STATE.symbols)
    for account in ({99: 1.0}, {-1: 1.0}):
        with pytest.raises(InvalidInput, match="account 0: instrument"):
            matrix_margin(matrix, LISTED, STATE, model_cases.book(account))
        with pytest.raises(InvalidInput, match="account 0: instrument"):
            explained(account)
    with pytest.raises(InvalidInput, match="of 1 underlyings, the market of 2"):
        matrix_margin(deribit_matrix(["BTC"]), LISTED, STATE, model_cases.book({8: 1.0}))
    elsewhere = replace(LISTED, slice=np.where(np.arange(16) == 3, 77, LISTED.slice))
    with pytest.raises(InvalidInput, match="instrument 3: slice 77"):
        matrix_margin(matrix, elsewhere, STATE, model_cases.book({3: 1.0}))
    with pytest.raises(NonFiniteResult, match="account 1"):
        matrix_margin(matrix, LISTED, STATE, model_cases.book({0: 1.0}, {3: 1e306}))


@given(st.lists(st.integers(-3, 8), max_size=5), st.lists(st.integers(-2, 20), max_size=6))
@settings(max_examples=40, deadline=None)
def test_rows_that_are_no_book_are_refused(indptr, instrument):
    try:
        positions = Positions(np.array(indptr), np.array(instrument), np.ones(len(instrument)))
        asked = run(positions).accounts
    except InvalidInput:
        return
    assert asked.initial.size == len(indptr) - 1 and np.all(np.isfinite(asked.initial))


@given(st.lists(st.tuples(st.integers(-5, 10), st.integers(-(10**6), 2**63 - 1)), max_size=4))
@settings(max_examples=40, deadline=None)
def test_recent_prices_are_refused_or_used(rows):
    calibration = model_cases.small_calibration()
    try:
        recent = RecentPrices(
            "BTC",
            np.array([calibration.last_hour + step for step, _ in rows], dtype=np.int64),
            np.array([close for _, close in rows], dtype=np.int64),
        )
        asked = run(model_cases.book({0: 1.0}), recent=[recent, NO_RECENT[1]]).accounts
    except EngineError as error:
        assert str(error)
        return
    assert np.isfinite(asked.initial[0]) and asked.initial[0] > 0.0


@pytest.mark.parametrize("name", sorted(set(ModelConfiguration.__dataclass_fields__) - {"measure", "trend_addon"}))
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_model_with_a_value_that_is_no_number_is_refused(name, value):
    with pytest.raises(InvalidInput, match=name):
        ModelConfiguration(**{name: value})
