"""What a bad book or market gets: a typed refusal that names the value; and what any good one gets, by hypothesis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import (
    InvalidInput,
    Kind,
    MarketState,
    ModelConfiguration,
    NonFiniteResult,
    Positions,
    RecentPrices,
    evaluate,
)
from tests import model_cases
from tests.test_engine.test_model_margin import LISTED, PLAIN, STATE, run

pytestmark = pytest.mark.fast


def test_the_door_has_these_names_and_no_others():
    assert engine.__all__ == [
        "COMPONENTS", "AccountBlock", "AccountRequirements", "BadArtefact", "BasisHistory", "Calibration",
        "CalibrationSettings", "Collateral", "EngineError", "Evaluation", "FundingHistory", "Haircuts", "Instruments",
        "InvalidInput", "Kind", "MarketRatios", "MarketState", "ModelConfiguration", "NonFiniteResult",
        "Observations", "Positions", "PriceHistory", "PricedMarket", "RateHistory", "RatioHistory", "RecentPrices",
        "SurfaceHistory", "SurfaceMoves", "Unmodelled", "UnmodelledAccount", "VolatilityHistory", "calibrate",
        "charge_blocks", "evaluate", "price_market",
    ]  # fmt: skip
    assert all(hasattr(engine, name) for name in engine.__all__)


def changed(record, **values):
    fields = {name: np.array(getattr(record, name)) for name in record.__dataclass_fields__ if name != "symbols"}
    if isinstance(record, MarketState):
        fields["symbols"] = record.symbols
    for name, (row, value) in values.items():
        fields[name][row] = value
    return type(record)(**fields)


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("seconds_to_expiry", 0, "seconds_to_expiry 0 has expired"),
        ("seconds_to_expiry", -5, "seconds_to_expiry -5 has expired"),
        ("slice", -1, "slice -1 is unknown"),
        ("strike", 0.0, "strike 0.0"),
        ("strike", float("nan"), "strike nan"),
        ("strike", -1.0, "strike -1.0"),
        ("multiplier", 0.0, "multiplier 0.0"),
        ("kind", 9, "kind 9"),
        ("underlying", -1, "underlying -1"),
    ],
)
def test_a_bad_instrument_is_named(column, value, named):
    with pytest.raises(InvalidInput, match=f"instrument 3: {named}"):
        changed(LISTED, **{column: (3, value)})


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [("slice", 77, "slice 77 is not one of the 6"), ("slice", 4, "slice 4 belongs to underlying 1"),
     ("seconds_to_expiry", 5, "expires in 5 s"), ("underlying", 2, "underlying 2 is not one of the 2")],
)  # fmt: skip
def test_an_instrument_that_the_market_does_not_know_is_named(column, value, named):
    with pytest.raises(InvalidInput, match=named):
        run(model_cases.book({3: 1.0}), listed=changed(LISTED, **{column: (3, value)}))


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [("spot", 0, 0.0), ("spot", 0, 1e20), ("spot", 1, float("nan")), ("spot", 1, -3.0), ("forward", 2, 0.0),
     ("vol_nodes", (2, 4), 0.0), ("vol_nodes", (0, 0), 25.0), ("vol_nodes", (0, 0), float("inf")),
     ("discount", 1, 0.0), ("slice_seconds", 1, 0),
     ("slice_underlying", 0, 5), ("funding_cap_hourly", 0, -1.0), ("funding_rate_hourly", 0, float("nan"))],
)  # fmt: skip
def test_a_bad_market_value_is_named(column, row, value):
    with pytest.raises(InvalidInput, match=column):
        changed(STATE, **{column: (row, value)})


def test_a_bad_position_names_its_account():
    with pytest.raises(InvalidInput, match="account 2: quantity nan"):
        model_cases.book({0: 1.0}, {}, {0: 1.0, 1: float("nan")})
    with pytest.raises(InvalidInput, match="account 1: instrument 99 is not one of the 16"):
        run(model_cases.book({0: 1.0}, {99: 1.0}))
    with pytest.raises(InvalidInput, match="account 1: instrument -1"):
        run(model_cases.book({0: 1.0}, {-1: 1.0}))
    with pytest.raises(InvalidInput, match="indptr"):
        Positions(np.array([0, 2]), np.array([0]), np.array([1.0]))
    with pytest.raises(InvalidInput, match="indptr"):
        Positions(np.array([0, 2, 1]), np.array([0]), np.array([1.0]))


def test_a_quantity_beyond_floats_is_refused_with_its_account_and_drops_nobody():
    with pytest.raises(NonFiniteResult, match="account 1"):
        run(model_cases.book({0: 1.0}, {0: 1e306}))


def test_inputs_that_do_not_fit_each_other_are_refused():
    calibration, nobody = model_cases.small_calibration(), model_cases.book()
    with pytest.raises(InvalidInput, match="es_level is 0.975 in the model"):
        run(nobody, replace(PLAIN, es_level=0.975))
    with pytest.raises(InvalidInput, match="joint dynamics over 4, 24 h, not 72 h"):
        run(nobody, replace(PLAIN, initial_horizon_hours=72))
    with pytest.raises(InvalidInput, match="no bound for BTC, 72 h"):
        run(nobody, replace(PLAIN, initial_horizon_hours=72, monte_carlo_points=0))
    with pytest.raises(InvalidInput, match="monte_carlo_points 100: a power of two from 128 on, or 0"):
        replace(PLAIN, monte_carlo_points=100)
    with pytest.raises(InvalidInput, match="one is needed for each"):
        evaluate(calibration, model_cases.no_recent("BTC"), STATE, LISTED, nobody)
    with pytest.raises(InvalidInput, match="no instrument"):
        run(nobody, listed=type(LISTED)(*(getattr(LISTED, name)[:0] for name in LISTED.__dataclass_fields__)))
    other = MarketState(("BTC", "XRP"), *(getattr(STATE, n) for n in STATE.__dataclass_fields__ if n != "symbols"))
    with pytest.raises(InvalidInput, match="XRP is not in the calibration"):
        evaluate(calibration, model_cases.no_recent("BTC", "XRP"), other, LISTED, nobody)
    with pytest.raises(InvalidInput, match="close_e8 0"):
        RecentPrices("BTC", np.array([1, 2]), np.array([5, 0]))


@pytest.mark.parametrize(
    "wrong",
    [{"gross_weight": 1.5}, {"es_level": 0.0}, {"initial_horizon_hours": 5}, {"maintenance_horizon_hours": 72},
     {"leg_floor_fraction": -0.1}, {"reference_size_usd": 0.0}, {"spread_fraction": float("nan")}],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InvalidInput):
        ModelConfiguration(**wrong)


def test_assumptions_say_what_is_missing():
    lines = run(model_cases.book()).assumptions
    assert any("kappa = 1" in line for line in lines) and any(line.startswith("ETH: 6000 of 6000") for line in lines)


quantities = st.floats(-1e6, 1e6).filter(lambda q: abs(q) > 1e-9)
accounts = st.dictionaries(st.integers(0, 15), quantities, max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(accounts, max_size=5),
    st.tuples(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6)),
    st.integers(1, 400),
    st.floats(-0.15, 0.15),
    st.lists(st.floats(-0.3, 0.3), max_size=5),
)
def test_any_good_book_gets_finite_ordered_figures(books, spot, days, skew, moves):
    state = model_cases.market(spot=spot, days=(days, days + 23, days + 80), skew=skew)
    rows = [(Kind(k), u, -1 if k < 2 else 3 * u + k % 3, spot[u] * (0.8 + 0.1 * k) if k > 2 else 0.0)
            for u in range(2) for k in (0, 1, 2, 3, 3, 4, 4, 3)]  # fmt: skip
    calibration = model_cases.small_calibration()
    recent = [model_cases.recent_move(calibration, "BTC", moves), *model_cases.no_recent("ETH")]
    result = run(model_cases.book(*books), state=state, listed=model_cases.instruments(state, rows), recent=recent)
    figures, markets = result.accounts, result.markets
    assert figures.initial.size == len(books)
    assert np.all(np.isfinite(figures.initial)) and np.all(figures.initial >= 1.1 * figures.maintenance)
    assert np.all(figures.maintenance >= 0.0) and np.all(figures.initial >= figures.initial_point)
    assert all(np.all(np.isfinite(getattr(markets, name))) for name in markets.__dataclass_fields__)
