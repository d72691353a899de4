"""Scenario sets, the surface's answer, and the cutting of a book: each against its definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import ModelConfiguration
from engine.dynamics.surface_moves import SurfaceMoves
from engine.priced import Problem, price_horizon
from engine.rows import cut_into_rows
from engine.scenarios.historical import historical_paths, stretched_by_trend
from engine.scenarios.scenario_set import BASIS_LEVEL, CURVATURE, SKEW, TERM
from engine.scenarios.stress import Ranges, alone_indices, horizon_ranges, stress_set, twist_set
from engine.surface.response import level_shock, parallel_response, thirty_day_answer, twist_response
from tests import model_cases

pytestmark = pytest.mark.fast
MOVES = SurfaceMoves()
SYMBOLS = ("BTC", "ETH")
STATE = model_cases.market(days=(7, 30, 90))
RANGES = Ranges(*(np.array(pair) for pair in ((0.1, 0.2), (0.12, 0.25), (0.3, 0.4), (0.2, 0.3))))


@pytest.fixture(scope="module")
def paths():
    return historical_paths(model_cases.small_calibration(), model_cases.no_recent(*SYMBOLS), 24)


def test_tenors_answer_by_the_fitted_powers_of_30_days_over_theirs():
    response = parallel_response(STATE, MOVES)
    np.testing.assert_allclose(response.level_body[:3], [(30 / 7) ** 0.54, 1.0, (30 / 90) ** 0.66], rtol=1e-13)
    np.testing.assert_allclose(response.level_tail[:3], [(30 / 7) ** 0.36, 1.0, (30 / 90) ** 0.64], rtol=1e-13)
    assert (response.stickiness_down, response.stickiness_up) == (1.6, 1.25)
    # slope of sigma over ln K: 5 % of atm a standard deviation, over atm sqrt(T)
    np.testing.assert_allclose(response.skew[:3], -0.05 / np.sqrt(np.array([7, 30, 90]) / 365), rtol=1e-12)


def test_shapes_answer_by_tenor():
    shape = parallel_response(STATE, MOVES).shape[:, :3]
    years = np.array([7, 30, 90]) / 365
    np.testing.assert_allclose(shape[TERM], [(30 / 7) ** 0.54 * 23 / 37, 0.0, -((30 / 90) ** 0.64) / 2], rtol=1e-13)
    for wing in (SKEW, CURVATURE):
        np.testing.assert_allclose(shape[wing], np.sqrt([30 / 7, 1.0, 30 / 90]), rtol=1e-13)
    np.testing.assert_allclose(shape[BASIS_LEVEL:], [np.ones(3), years, years, years**2], rtol=1e-13)
    # below a week wings are not extrapolated
    soon = parallel_response(model_cases.market(days=(1, 30, 90)), MOVES).shape
    assert soon[SKEW, 0] == shape[SKEW, 0]


def test_the_twist_turns_about_30_days():
    response = twist_response(STATE, MOVES)
    assert response.level_body[0] > 0.0 and response.level_body[1] == 0.0 and response.level_body[2] < 0.0
    np.testing.assert_array_equal(response.level_body, response.level_tail)


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_the_thirty_day_volatility_moves_by_the_whole_shock(log_return, shock):
    moves = np.full((2, 1, 1), log_return)
    e = level_shock(np.full((2, 1, 1), shock), moves, thirty_day_answer(STATE), MOVES)[0, 0, 0]
    response = parallel_response(STATE, MOVES)
    stickiness = response.stickiness_down if log_return < 0 else response.stickiness_up
    reach = 3.0 * STATE.vol_nodes[1, 3] * np.sqrt(30 / 365)
    answered = min(max(log_return, -reach), reach)
    total = stickiness * response.skew[1] / STATE.vol_nodes[1, 3] * answered + response.level_body[1] * e
    assert total == pytest.approx(shock, abs=1e-13)


def test_paths_are_worst_first_and_carry_their_dates(paths):
    calibration = model_cases.small_calibration()
    end = paths.log_return[:, -1] / np.std(paths.log_return[:, -1], axis=1)[:, None]
    severity = np.abs(end).max(axis=0)
    assert severity[:15].min() > np.median(severity) * 2
    hours = np.array([int(label) for label in paths.label])
    assert len(set(hours)) == len(paths) == (6_000 - 24) // 4 + 1
    assert hours.min() >= calibration.first_hour and hours.max() == calibration.last_hour - 23


def test_the_hash_is_of_every_number(paths):
    nudged = paths.log_return.copy()
    nudged[1, 3, 5] = np.nextafter(nudged[1, 3, 5], 1.0)
    assert replace(paths, log_return=nudged).content_hash != paths.content_hash
    assert replace(paths, log_return=paths.log_return.copy()).content_hash == paths.content_hash
    assert replace(paths, name="other").content_hash != paths.content_hash


def test_stretching_moves_one_side_outward(paths):
    calibration = model_cases.small_calibration()
    recent = [model_cases.recent_move(calibration, "BTC", [-0.02] * 20), *model_cases.no_recent("ETH")]
    stretched = stretched_by_trend(paths, calibration, recent, 0.3)
    falls = paths.log_return[0] < 0
    assert np.all(stretched.log_return[0][falls] < paths.log_return[0][falls])
    np.testing.assert_array_equal(stretched.log_return[0][~falls], paths.log_return[0][~falls])


def test_ranges_are_order_statistics_and_never_below_the_least(paths):
    ranges = horizon_ranges(paths, np.zeros(2))
    end = np.sort(np.exp(paths.log_return[0, -1]) - 1.0)
    beyond = len(paths) - int(np.ceil(0.995 * len(paths)))
    assert ranges.fall[0] == pytest.approx(-end[beyond], rel=1e-12)
    assert ranges.rise[0] == pytest.approx(end[-1 - beyond], rel=1e-12)
    floored = horizon_ranges(paths, np.full(2, 9.0))
    assert all(np.all(getattr(floored, name) == 9.0) for name in floored.__dataclass_fields__)


def test_each_underlying_is_weighted_by_its_own_range_over_its_own_move():
    stress = stress_set(SYMBOLS, RANGES)
    by_label = {label: s for s, label in enumerate(stress.label)}
    np.testing.assert_allclose(stress.weight[:, by_label["all -66%"]], [0.1 / 0.66, 0.2 / 0.66])
    np.testing.assert_allclose(stress.weight[:, by_label["all +500%"]], [0.12 / 5, 0.25 / 5])
    np.testing.assert_allclose(stress.weight[:, by_label["volatility x2"]], [0.3 / np.log(2), 0.4 / np.log(2)])
    np.testing.assert_allclose(stress.weight[:, by_label["October 2025"]], [0.1 / 0.145, 1.0])
    np.testing.assert_allclose(stress.weight[:, by_label["all fall together"]], 1.0)
    np.testing.assert_allclose(np.exp(stress.log_return[:, 0, by_label["all -66%"]]), 0.34)
    assert {"March 2020", "May 2021", "LUNA 2022", "FTX 2022", "quote token loses its peg"} <= set(by_label)
    assert stress.weight.max() == 1.0 and stress.weight.min() > 0.0


def test_a_token_that_leaves_its_base_counts_in_full():
    listed = stress_set(SYMBOLS, RANGES, {"ETH": 0.2, "SOL": 0.5})
    (at,) = [row for row, label in enumerate(listed.label) if label.endswith("loses its peg") and "ETH" in label]
    np.testing.assert_allclose(np.exp(listed.log_return[:, 0, at]) - 1.0, [0.0, -0.2], atol=1e-15)
    assert np.array_equal(listed.weight[:, at], [1.0, 1.0]) and not [one for one in listed.label if "SOL" in one]


def test_a_token_that_no_replay_names_may_fall_alone_to_almost_nothing():
    symbols = ("BTC", "SUI", "ATOM")
    stress = stress_set(symbols, Ranges(*(np.full(3, 0.25) for _ in range(4))))
    by_label = {label: s for s, label in enumerate(stress.label)}
    spot = np.expm1(stress.log_return[:, 0])
    np.testing.assert_allclose(spot[:, by_label["SUI alone within minutes"]], [0.0, -0.7, 0.0], atol=1e-14)
    np.testing.assert_allclose(spot[:, by_label["ATOM alone to almost nothing"]], [0.0, 0.0, -0.99996], atol=1e-14)
    np.testing.assert_allclose(stress.weight[:, by_label["SUI alone within minutes"]], [1.0, 0.25 / 0.7, 1.0])
    assert spot[0].min() == pytest.approx(-0.66)  # BTC has replays of its own
    assert len(set(stress.label)) == len(stress)


def test_alone_means_that_the_other_stands_still():
    stress = stress_set(SYMBOLS, RANGES)
    rise, fall = alone_indices(SYMBOLS, stress)
    np.testing.assert_allclose(np.exp(stress.log_return[:, 0, rise]) - 1.0, [[0.12, 0.0], [0.0, 0.25]], atol=1e-15)
    np.testing.assert_allclose(np.exp(stress.log_return[:, 0, fall]) - 1.0, [[-0.1, 0.0], [0.0, -0.2]], atol=1e-15)
    np.testing.assert_array_equal(twist_set(SYMBOLS, RANGES).volatility_shock[:, 0], [[0.3, -0.2], [0.4, -0.3]])


def test_initial_is_valued_at_the_end_and_maintenance_after_every_hour():
    calibration, listed = model_cases.small_calibration(), model_cases.catalogue(STATE)
    recent = tuple(model_cases.no_recent(*SYMBOLS))
    problem = Problem(calibration, recent, STATE, listed, ModelConfiguration(trend_addon=False), 1)
    end, every = price_horizon(problem, 24, False), price_horizon(problem, 4, True)
    for priced, points in ((end, [23]), (every, [0, 1, 2, 3])):
        spot = 60_000.0 * (np.exp(priced.sets[0].log_return[0, points]) - 1.0)
        np.testing.assert_allclose(priced.sampled[0].replicates[0].dense()[0], spot, rtol=1e-9, atol=1e-9)


def test_a_book_is_cut_by_account_and_underlying_whatever_its_order():
    listed = model_cases.catalogue(STATE)
    rows = cut_into_rows(listed, model_cases.book({8: 1.0, 0: 2.0, 11: 3.0, 1: 4.0}, {}, {3: 5.0}))
    assert rows.account_parts.tolist() == [0, 2, 2, 3] and rows.part_underlying.tolist() == [0, 1, 0]
    assert rows.instrument.tolist() == [0, 1, 8, 11, 3] and rows.quantity.tolist() == [2.0, 4.0, 1.0, 3.0, 5.0]
    assert rows.part_has_option.tolist() == [False, True, True] and rows.account_indptr.tolist() == [0, 4, 4, 5]
    np.testing.assert_array_equal(rows.sum_parts(rows.sum_positions(np.ones(16))), [10.0, 0.0, 5.0])
