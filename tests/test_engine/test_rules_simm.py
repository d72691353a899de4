"""SIMM FX delta on sensitivities whose margin can be done by hand."""

from __future__ import annotations

import pytest

from engine.rules.simm import Parameters, fx_delta_margin_usd

pytestmark = pytest.mark.fast

PARAMETERS = Parameters(
    calculation_currency="USD",
    high_volatility=frozenset({"BRL", "TRY"}),
    regular_weight=3.0,
    high_weight=4.0,
    regular_correlation=0.5,
    mixed_correlation=0.25,
    high_correlation=0.125,
    significant_threshold_usd=1_000.0,
    frequent_threshold_usd=400.0,
    other_threshold_usd=100.0,
)


def margin(**net: float) -> float:
    return fx_delta_margin_usd(net, PARAMETERS)


def test_one_currency_is_its_weight_times_its_magnitude():
    assert margin(EUR=-100.0) == pytest.approx(300.0)
    assert margin(TRY=100.0) == pytest.approx(400.0)


def test_the_calculation_currency_and_nothing_need_none():
    assert margin(USD=1e9) == 0.0
    assert margin() == 0.0


def test_trades_that_net_to_zero_need_none():
    """Test C68 of AcadiaSoft's simm-lib (SIMM 2.5, ten days): +50 and -50 million of EUR per 1 %."""
    assert margin(EUR=sum([50_000_000.0, -50_000_000.0])) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "correlation", "weights"),
    [("EUR", "GBP", 0.5, (3, 3)), ("EUR", "BRL", 0.25, (3, 4)), ("TRY", "BRL", 0.125, (4, 4))],
)
def test_pairs_correlate_by_their_groups(first, second, correlation, weights):
    one, other = weights[0] * 10.0, weights[1] * 20.0
    expected = (one**2 + other**2 - 2 * correlation * one * other) ** 0.5
    assert margin(**{first: 10.0, second: -20.0}) == pytest.approx(expected)


@pytest.mark.parametrize(("currency", "threshold"), [("EUR", 1_000.0), ("SEK", 400.0), ("QAR", 100.0)])
def test_beyond_its_threshold_a_sensitivity_counts_by_the_root(currency, threshold):
    assert margin(**{currency: threshold}) == pytest.approx(3.0 * threshold)
    assert margin(**{currency: 4.0 * threshold}) == pytest.approx(3.0 * 4.0 * threshold * 2.0)


def test_unequal_concentration_lowers_the_correlation():
    # CR 2 and 1: the correlation of 0.5 halves.
    one, other = 3.0 * 4_000.0 * 2.0, 3.0 * 100.0
    expected = (one**2 + other**2 + 2 * 0.25 * one * other) ** 0.5
    assert margin(EUR=4_000.0, GBP=100.0) == pytest.approx(expected)


def test_equal_and_opposite_in_perfect_correlation_is_nothing_and_no_error():
    hedged = Parameters("USD", frozenset(), 3.0, 4.0, 1.0, 1.0, 1.0, 1e9, 1e9, 1e9)
    assert fx_delta_margin_usd({"EUR": 0.1, "GBP": -0.1}, hedged) == pytest.approx(0.0, abs=1e-12)
