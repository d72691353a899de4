"""Scenarios as sentences: where they come from, what moves, what counts."""

from __future__ import annotations

import pytest

from engine.scenario_losses import ScenarioLoss
from oracle.portfolio_margin import Move
from oracle.valuation.scenario_words import scenario_words

pytestmark = pytest.mark.fast
CRASH = (Move("BTC", -382_000, 610_000), Move("ETH", -430_400, 610_000))


def words(component: str, label: str, hour: int = 24, counted: int = 12_345_000_000, block: str = "block", moves=CRASH):
    one = ScenarioLoss(component, label, 7, hour, (), (), 0.0, 0.0, 1.0 / 31_250.0)
    return scenario_words(one, moves, 12_345_000_000, counted, block)


def test_a_block_of_history_says_when_it_begins_and_what_it_does() -> None:
    expected = (
        "block that begins 2020-03-12 09:00 UTC, after 24 h: BTC -38.2 %, ETH -43.0 %, 30-day volatility +61.0 %: "
        "loss 12,345 USD (weight 1)"
    )
    assert words("historical", "440001") == expected
    assert words("historical_trend", "440001").startswith("block that begins 2020-03-12 09:00 UTC, stretched by the ")
    assert words("historical", "440001", block="simulated block").startswith("simulated block that begins")


def test_a_stress_says_what_of_it_counts() -> None:
    found = words("stress", "March 2020", hour=0, counted=3_086_250_000)
    assert found.startswith("stress, March 2020: BTC -38.2 %")
    assert found.endswith("loss 12,345 USD (weight 0.250: 3,087 USD)")


def test_a_draw_says_which_one_it_is() -> None:
    assert words("monte_carlo", "scramble 3 point 17").startswith("Monte Carlo, scramble 3 point 17, after 24 h: ")
    assert words("monte_carlo", "scramble 3 point 17").endswith("loss 12,345 USD (one of 31,250)")
    assert "correlation stressed to one" in words("monte_carlo_correlated", "scramble 3 point 17")


def test_what_does_not_move_is_left_out() -> None:
    apart = (Move("BTC", 0, 20_000), Move("ETH", 50_000, 0))
    assert "ETH +5.0 %, BTC 30-day volatility +2.0 %" in words("stress", "x", moves=apart)
    assert "nothing moves" in words("stress", "x", moves=(Move("BTC", 0, 0),))
