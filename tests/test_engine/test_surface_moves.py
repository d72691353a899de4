"""Surface dynamics fitted to histories made with known ones, and the published figures where there is none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import Calibration, InvalidInput
from engine.dynamics.surface_moves import SurfaceHistory, SurfaceMoves, fit_surface_moves
from tests import model_cases

pytestmark = pytest.mark.fast
DAYS = np.array([7.0, 14.0, 30.0, 60.0, 180.0])
TRUTH = SurfaceMoves(0.5, 0.7, 0.5, 0.7, 1.5, 1.2, 0.02, 0.025, 0.008, 0)


def made(truth: SurfaceMoves = TRUTH, days: int = 4_000, seed: int = 1, missing: float = 0.0) -> SurfaceHistory:
    """Daily snapshots whose day's changes follow the formulae of the module from the same surface each day."""
    random = np.random.default_rng(seed)
    r = 0.03 * random.standard_t(5, days)
    level, term, skew, curvature = random.standard_normal((4, days)) * np.array(
        [[0.04], [truth.term_deviation], [truth.skew_deviation], [truth.curvature_deviation]]
    )
    atm, slope = 0.6 + 0.0 * DAYS, -0.05
    psi = slope / (atm * np.sqrt(DAYS / 365))
    ssr = np.where(r < 0, truth.skew_stickiness_fall, truth.skew_stickiness_rise)
    tau = (30 / DAYS) ** np.where(DAYS < 30, truth.exponent_body_short, truth.exponent_body_long)
    twist, wing = (30 - DAYS) / (30 + DAYS), np.sqrt(30 / DAYS)
    moves = (ssr * r)[:, None] * psi + tau * (level[:, None] + term[:, None] * twist)
    x = np.array([-1.0, 0.0, 1.0])
    bent = wing[:, None] * (skew[:, None, None] * x + curvature[:, None, None] * x * x)
    start = np.broadcast_to(atm[:, None] * (1.0 + slope * x), (DAYS.size, 3))
    hours, spots, surfaces = [], [], []
    for day in range(days):
        # each pair stands alone, so that the surface does not wander off
        hours += [100 * day, 100 * day + 24]
        spots += [100.0, 100.0 * np.exp(r[day])]
        surfaces += [start, start * np.exp(moves[day][:, None] + bent[day])]
    volatility = np.array(surfaces)
    volatility[random.random(volatility.shape[:2]) < missing] = np.nan
    return SurfaceHistory("BTC", np.array(hours, np.int64), np.array(spots), DAYS, volatility)


@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_what_was_put_in_is_found_again(missing):
    moves = fit_surface_moves([made(missing=missing)])
    # the level's own deviation hides a part of the exponent's: the answer to spot has another slope over tenors
    assert moves.exponent_body_short == pytest.approx(0.5, abs=0.03)
    assert moves.exponent_body_long == pytest.approx(0.7, abs=0.08)
    assert moves.skew_stickiness_fall == pytest.approx(1.5, abs=0.15)
    assert moves.skew_stickiness_rise == pytest.approx(1.2, abs=0.15)
    assert moves.term_deviation == pytest.approx(0.02, rel=0.15)
    assert moves.skew_deviation == pytest.approx(0.025, rel=0.1)
    assert moves.curvature_deviation == pytest.approx(0.008, rel=0.1)
    assert moves.days > 3_000


def test_of_two_underlyings_the_wilder_counts():
    calm = made(SurfaceMoves(0.5, 0.7, 0.5, 0.7, 1.0, 1.0, 0.01, 0.01, 0.004, 0), seed=2)
    both = fit_surface_moves([made(), calm])
    assert both.skew_deviation == fit_surface_moves([made()]).skew_deviation
    assert fit_surface_moves([calm]).skew_deviation < both.skew_deviation


def test_without_a_history_or_with_a_short_one_the_published_figures_stay():
    assert fit_surface_moves([]) == fit_surface_moves([made(days=30)]) == SurfaceMoves()


@pytest.mark.parametrize("change", [
    {"spot": np.zeros(4)}, {"hour": np.array([0, 24, 24, 48])}, {"days": np.array([7.0, 14.0, 31.0, 60.0, 180.0])},
    {"volatility": np.full((4, 5, 3), -0.1)}, {"volatility": np.ones((4, 5, 2))},
])  # fmt: skip
def test_a_bad_history_is_refused(change):
    good = {
        "symbol": "BTC", "hour": np.array([0, 24, 48, 72]), "spot": np.ones(4), "days": DAYS,
        "volatility": np.full((4, 5, 3), 0.5),
    }  # fmt: skip
    SurfaceHistory(**good)
    with pytest.raises(InvalidInput, match="surface history of BTC"):
        SurfaceHistory(**{**good, **change})


def test_the_artefact_holds_them():
    calibration = model_cases.small_calibration()
    text = calibration.to_json()
    assert json.loads(text)["surface"]["days"] == 0
    assert Calibration.from_json(text).surface == SurfaceMoves()
