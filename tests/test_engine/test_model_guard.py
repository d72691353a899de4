"""A surface that allows arbitrage is repaired, and the worse of both is charged: never less than without the guard."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from engine import Evaluation, MarketState, ModelConfiguration, evaluate
from engine.evaluation import AccountRequirements, MarketRatios
from engine.surface import repair
from engine.surface.arbitrage import failures
from engine.surface.repair import repaired_market
from tests import model_cases

pytestmark = pytest.mark.fast

FIGURES = {
    "markets": [f.name for f in fields(MarketRatios) if f.name.startswith(("initial", "maintenance", "slope"))],
    "accounts": [f.name for f in fields(AccountRequirements) if f.name not in ("value", "binding")],
}
MODEL = ModelConfiguration()
BOOK = model_cases.book(
    {0: 1.0}, {2: -1.0}, {3: 2.0, 5: -2.0}, {4: -1.0, 7: -1.0}, {10: 5.0, 13: -3.0}, {4: 1.0, 12: -10.0}, {}
)


def spiked() -> MarketState:
    """A month whose one node is quoted twice too high, and another too low: butterflies."""
    state = model_cases.market()
    nodes = state.vol_nodes.copy()
    nodes[1, 4] *= 2.0
    nodes[4, 2] *= 0.4
    return replace(state, vol_nodes=nodes)


def dear_week() -> MarketState:
    """A week with more total variance than the month after it: calendars."""
    state = model_cases.market()
    nodes = state.vol_nodes.copy()
    nodes[0] *= 2.6
    return replace(state, vol_nodes=nodes)


BROKEN = {"butterfly": spiked, "calendar": dear_week}


@cache
def result(name: str, repaired: bool = False, threads: int = 1) -> Evaluation:
    state = BROKEN[name]()
    if repaired:
        state = repaired_market(state)
    return run(state, threads)


def run(state: MarketState, threads: int = 1) -> Evaluation:
    listed = model_cases.catalogue(state)
    recent = model_cases.no_recent("BTC", "ETH")
    return evaluate(model_cases.small_calibration(), recent, state, listed, BOOK, MODEL, threads)


def figures(found: Evaluation) -> dict[str, np.ndarray]:
    return {f"{part}.{name}": getattr(getattr(found, part), name) for part, names in FIGURES.items() for name in names}


@pytest.mark.parametrize("name", BROKEN)
def test_the_worse_of_both_is_charged(name, monkeypatch):
    charged, of_repaired = figures(result(name)), figures(result(name, repaired=True))
    monkeypatch.setattr("engine.computation.repaired_market", lambda _: None)
    of_quoted = figures(run(BROKEN[name]()))
    for figure in charged:
        assert np.array_equal(charged[figure], np.maximum(of_quoted[figure], of_repaired[figure])), figure
    # the example means something: each of the two binds somewhere
    initial = "accounts.initial"
    assert np.any(of_repaired[initial] > of_quoted[initial])
    assert np.any(of_quoted[initial] > of_repaired[initial])


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_promised_of_requirements_still_holds(name):
    accounts = result(name).accounts
    assert np.all(accounts.initial >= accounts.maintenance * (1.0 + MODEL.initial_over_maintenance))
    assert np.all(accounts.initial >= accounts.initial_point)


def test_values_are_the_venues_marks(monkeypatch):
    value = result("butterfly").accounts.value
    monkeypatch.setattr("engine.computation.repaired_market", lambda _: None)
    assert np.array_equal(value, run(spiked()).accounts.value)


def test_a_repair_is_told():
    (line,) = [text for text in result("calendar").assumptions if "repaired" in text]
    assert line.startswith("BTC: ")
    assert "0 by butterfly, 1 by calendar" in line
    assert not [text for text in run(model_cases.market()).assumptions if "repaired" in text]


def test_a_sound_surface_is_valued_once(monkeypatch):
    compared = []
    monkeypatch.setattr("engine.streaming.worse_requirements", lambda *given: compared.append(given))
    assert run(model_cases.market()).accounts.initial.size > 0
    assert compared == []


def test_threads_and_repetition_change_no_byte():
    once, again = figures(result("butterfly")), figures(result("butterfly", threads=2))
    assert all(once[name].tobytes() == again[name].tobytes() for name in once)
    assert repaired_market(spiked()).vol_nodes.tobytes() == repaired_market(spiked()).vol_nodes.tobytes()


def test_the_last_resort_is_flat_and_sound(monkeypatch):
    monkeypatch.setattr(repair, "_candidates", lambda *_: iter(()))
    repaired = repaired_market(dear_week())
    assert failures(repaired) == []
    assert np.all(np.ptp(repaired.vol_nodes, axis=1) == 0.0)
