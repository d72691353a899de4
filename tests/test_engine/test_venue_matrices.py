"""Venue matrices: the published grids and tenor rules, and books valued on them by formulae written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Instruments, InvalidInput, Kind
from engine.matrix_margin import matrix_margin, matrix_profits
from engine.scenarios.matrix import (
    Ranges,
    VenueMatrix,
    deribit_matrix,
    derive_matrix,
    paradex_matrix,
    span_matrix,
)
from engine.validation.closed_forms.own_kernels import black76_price
from tests.model_cases import book, catalogue, instruments, market

pytestmark = pytest.mark.fast

BOTH = ("BTC", "ETH")
SPAN_RANGES = {symbol: Ranges(0.15, 0.3, 0.3) for symbol in BOTH}
MATRICES = {
    "Deribit": (deribit_matrix(BOTH), 27),
    "Derive PMRM": (derive_matrix(BOTH), 23),
    "Paradex": (paradex_matrix(BOTH), 24),
    "SPAN": (span_matrix(BOTH, SPAN_RANGES), 16),
}


def cells(matrix: VenueMatrix, underlying: int = 0) -> list[tuple[float, float, float]]:
    s = matrix.scenarios
    spot = np.expm1(s.log_return[underlying, 0])
    volatility = np.expm1(s.volatility_shock[underlying, 0])
    return [
        (round(a, 9) + 0.0, round(b, 9) + 0.0, c)
        for a, b, c in zip(spot.tolist(), volatility.tolist(), s.weight[underlying].tolist(), strict=True)
    ]


@pytest.mark.parametrize("name", MATRICES)
def test_grids_have_their_size_and_hash_and_no_cell_twice(name):
    matrix, count = MATRICES[name]
    assert len(matrix.scenarios) == count
    assert len(set(cells(matrix))) == count
    assert len(set(matrix.scenarios.label)) == count
    assert len({one.scenarios.content_hash for one, _ in MATRICES.values()}) == len(MATRICES)


def test_cells_as_published():
    deribit = cells(MATRICES["Deribit"][0], underlying=1)
    assert deribit[:3] == [(-0.18, 0.4, 1.0), (-0.18, 0.0, 1.0), (-0.18, -0.25, 1.0)]
    assert (0.045, -0.25, 1.0) in deribit
    derive = cells(MATRICES["Derive PMRM"][0])
    assert derive[0] == (0.2, 0.6, 1.0)
    assert derive[10:13] == [(0.0, 0.6, 1.0), (0.0, 0.0, 1.0), (0.0, -0.3, 1.0)]
    assert derive[-1] == (-0.2, 0.6, 1.0)
    paradex = cells(MATRICES["Paradex"][0])
    assert paradex[1:3] == [(0.12, 0.4, 1.0), (0.12, -0.22, 1.0)]
    assert paradex[15] == (-0.16, 0.4, 1.0)
    assert paradex[21] == (3.0, 0.4, 0.0533)
    span = cells(MATRICES["SPAN"][0])
    assert span[2:4] == [(0.05, 0.3, 1.0), (0.05, -0.3, 1.0)]
    assert span[-2:] == [(0.3, 0.0, 0.35), (-0.3, 0.0, 0.35)]


@pytest.mark.parametrize(
    ("days", "range_up", "expected"),
    [(15.0, 0.38, 1.4678348770710682), (7.0, 0.5, 1.7737077886054066), (180.0, 0.5, 1.39610501576472695)],
)
def test_tenor_rule_as_published(days, range_up, expected):
    """Deribit's own example at 15 days, and two by its rule."""
    matrix = deribit_matrix(["BTC"], {"BTC": Ranges(0.16, range_up, 0.25)})
    assert matrix.volatility_factor(0, days)[0] == pytest.approx(expected, rel=1e-12)


def test_tenors_below_a_day_are_shocked_like_a_day_and_nothing_falls_below_zero():
    matrix = deribit_matrix(["BTC"], {"BTC": Ranges(0.16, 0.5, 0.9)})
    assert np.array_equal(matrix.volatility_factor(0, 0.1), matrix.volatility_factor(0, 1.0))
    assert matrix.volatility_factor(0, 1.0)[2] == 0.0


def test_inverse_perpetual_as_published():
    """Deribit's risk vector of 0.314538364 BTC, in coin: first and last of its nine."""
    state = market()
    size = 0.314538364
    one = np.zeros(1)
    listed = Instruments([Kind.PERPETUAL], [0], [0], [-1], [0], one, np.array([size * state.spot[0]]), [True])
    profit = matrix_profits(MATRICES["Deribit"][0], listed, state).dense()[0, 0]
    in_coin = profit / (state.spot[0] * np.exp(MATRICES["Deribit"][0].scenarios.log_return[0, 0]))
    assert in_coin[0] == pytest.approx(-0.05991206933333334, abs=2e-9)
    assert in_coin[-1] == pytest.approx(0.043384601931034494, abs=2e-9)


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("name", MATRICES)
def test_options_keep_the_volatility_of_their_strike(name, inverse):
    matrix, _ = MATRICES[name]
    state, slice_, strike = market(), 1, 52_000.0
    listed = Instruments([Kind.PUT], [0], [0], [slice_], [state.slice_seconds[slice_]], [strike], [2.0], [inverse])
    profit = matrix_profits(matrix, listed, state).dense()[0, 0]
    forward, years = state.forward[slice_], 30.0 / 365.0
    nodes = state.vol_nodes[slice_]
    x = math.log(strike / forward) / (nodes[3] * math.sqrt(years))
    volatility = np.interp(x, np.arange(-3.0, 4.0), nodes)
    now = black76_price(False, strike, np.array([forward]), np.array([volatility**2 * years]), 1.0)[0]
    for cell, found in zip(cells(matrix), profit, strict=True):
        there = forward * (1.0 + cell[0])
        shocked = volatility * (1.0 + cell[1])  # 30 days: the tenor factor is 1
        then = black76_price(False, strike, np.array([there]), np.array([shocked**2 * years]), 1.0)[0]
        if inverse:
            expected = 2.0 * state.spot[0] * (then * (1.0 + cell[0]) / there - now / forward)
        else:
            expected = 2.0 * (then - now)
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-6 * strike)


def test_a_raised_volatility_reaches_the_least():
    state = market()
    listed = instruments(state, [(Kind.CALL, 0, 2, 60_000.0)])
    plain = deribit_matrix(BOTH)
    floored = VenueMatrix(plain.scenarios, least_raised_volatility=2.0)
    low, high = (matrix_profits(matrix, listed, state).dense()[0, 0] for matrix in (plain, floored))
    up = plain.scenarios.volatility_shock[0, 0] > 0.0
    assert np.all(high[up] > low[up])
    assert np.array_equal(high[~up], low[~up])


@pytest.mark.parametrize("name", MATRICES)
def test_margin_is_the_worst_weighted_cell_of_each_underlying(name):
    matrix, _ = MATRICES[name]
    state = market()
    listed = catalogue(state)
    accounts = [{0: 1.5, 2: -1.0}, {8: -20.0, 11: 3.0}, {0: 1.5, 2: -1.0, 8: -20.0, 11: 3.0}, {}]
    margin = matrix_margin(matrix, listed, state, book(*accounts))
    profit = matrix_profits(matrix, listed, state).dense()[:, 0]
    for account, underlying in ((0, 0), (1, 1)):
        total = sum(quantity * profit[i] for i, quantity in accounts[account].items())
        worst = np.max(-total * matrix.scenarios.weight[underlying])
        assert margin[account] == pytest.approx(worst, rel=1e-12)
    assert margin[2] == pytest.approx(margin[0] + margin[1], rel=1e-12)
    assert margin[3] == 0.0
    two = matrix_margin(matrix, listed, state, book(*accounts), threads=2)
    assert margin.tobytes() == two.tobytes()


@settings(max_examples=25, deadline=None)
@given(quantities=st.lists(st.floats(-100.0, 100.0), min_size=16, max_size=16), scale=st.floats(0.1, 10.0))
def test_margin_grows_with_the_book_and_netting_never_costs(quantities, scale):
    state = market()
    listed = catalogue(state)
    whole = dict(enumerate(quantities))
    half = {i: q for i, q in whole.items() if i % 2}
    rest = {i: q for i, q in whole.items() if not i % 2}
    margin = matrix_margin(
        MATRICES["Paradex"][0], listed, state, book(whole, half, rest, {i: q * scale for i, q in whole.items()})
    )
    assert np.all(margin >= 0.0)
    assert margin[0] <= margin[1] + margin[2] + 1e-6
    assert margin[3] == pytest.approx(scale * margin[0], rel=1e-9, abs=1e-6)


def test_the_calendar_that_breaks_a_matrix():
    """Long 7-day, short 180-day straddles: with the venue's flat powers the shocks all but cancel."""
    state = market(days=(7, 180))
    rows = [(kind, 0, slice_, state.forward[slice_]) for slice_ in (0, 1) for kind in (Kind.CALL, Kind.PUT)]
    listed = instruments(state, rows)
    neutral = math.sqrt(180.0 / 7.0)
    calendar = book({0: neutral, 1: neutral, 2: -1.0, 3: -1.0})
    venue = deribit_matrix(BOTH)
    measured = VenueMatrix(venue.scenarios, power_short=0.5, power_long=0.6)
    flat, fitted = (matrix_margin(matrix, listed, state, calendar)[0] for matrix in (venue, measured))
    assert fitted > 1.5 * flat


def test_what_a_venue_does_not_publish_is_refused():
    with pytest.raises(InvalidInput, match="SOL"):
        deribit_matrix(["SOL"])
    with pytest.raises(InvalidInput):
        span_matrix(["BTC"], {"BTC": Ranges(0.5, 0.3, 0.3)})
    with pytest.raises(InvalidInput):
        Ranges(1.0, 0.3, 0.3)
    with pytest.raises(InvalidInput):
        paradex_matrix([])
