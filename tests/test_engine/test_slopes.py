"""What has to be traded to close a book of options: the largest delta within its range, not only at the ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Kind
from engine.addons import liquidity_curve
from engine.kernels.revalue import FactorPaths, revalue
from engine.losses import effective_size_usd
from engine.priced import price_horizon
from engine.slopes import STRETCHES
from engine.surface.response import parallel_response
from tests import model_cases
from tests.test_engine.test_model_margin import PLAIN, initial, problem_of

pytestmark = pytest.mark.fast
STATE = model_cases.market(days=(1, 30, 90))
WINGS = (60_600, 62_200, 63_800)
ROWS = [(Kind.PERPETUAL, 0, -1, 0.0), (Kind.FUTURE, 0, 0, 0.0)]
ROWS += [(kind, 0, 0, strike) for kind in (Kind.CALL, Kind.PUT) for strike in WINGS]
LISTED = model_cases.instruments(STATE, ROWS)
PERPETUAL, FUTURE, LOW, MIDDLE, HIGH = range(5)
PROBLEM = problem_of(STATE, LISTED)
PRICED = price_horizon(PROBLEM, 24, every_hour=False)
BUTTERFLY = {LOW: 1.0, MIDDLE: -2.0, HIGH: 1.0}


def size(account):
    rows = np.array([0, len(account)]), np.array(list(account), np.int32), np.array(list(account.values()), float)
    return effective_size_usd(PRICED, rows[0], np.zeros(1, np.int32), *rows[1:])[0]


def size_at_the_ends(account):
    rise = abs(sum(q * PRICED.rise_profit[i] for i, q in account.items())) / PRICED.ranges.rise[0]
    fall = abs(sum(q * PRICED.fall_profit[i] for i, q in account.items())) / PRICED.ranges.fall[0]
    return max(rise, fall)


def test_a_stretch_is_the_difference_of_two_revaluations():
    fall, rise = PRICED.ranges.fall[0], PRICED.ranges.rise[0]
    share = [k / STRETCHES for k in range(-STRETCHES, STRETCHES + 1)]
    move = [s * (fall if s < 0 else rise) for s in share]
    response, now = parallel_response(STATE, PROBLEM.calibration.surface), np.zeros(1, np.int64)
    profit = []
    for one in move:
        path = np.full((2, 1, 1), np.log1p(one))
        profit.append(
            revalue(LISTED, STATE, response, FactorPaths(now, path, now, np.zeros_like(path))).dense()[:, 0, 0]
        )
    for k, stretch in enumerate(PRICED.slopes.stretch):
        np.testing.assert_allclose(stretch, (profit[k + 1] - profit[k]) / (move[k + 1] - move[k]), rtol=1e-9, atol=1e-6)


def test_a_butterfly_that_is_flat_at_both_ends_pays_for_its_inner_delta():
    assert size(BUTTERFLY) > 2.0 * size_at_the_ends(BUTTERFLY)
    assert size(BUTTERFLY) > 0.1 * 60_000
    curve = liquidity_curve(PROBLEM.calibration, PROBLEM.recent, STATE, PLAIN)
    cost = [
        curve.liquidity(np.array([one]), np.zeros(1, np.int32))[0]
        for one in (size(BUTTERFLY), size_at_the_ends(BUTTERFLY))
    ]
    free = replace(PLAIN, spread_fraction=0.0, impact_coefficient=0.0)
    dear, cheap = (initial(BUTTERFLY, state=STATE, listed=LISTED, model=m)[0] for m in (PLAIN, free))
    assert dear - cheap >= cost[0] * (1 - 1e-6) and cost[0] > 2.0 * cost[1]


def test_a_linear_book_pays_for_its_net_size_and_a_box_for_nothing():
    assert size({PERPETUAL: 2.0}) == pytest.approx(120_000, rel=1e-9)
    assert size({PERPETUAL: 2.0, FUTURE: -2.0}) < 0.002 * 120_000
    box = {LOW: 1.0, HIGH: -1.0, 5: -1.0, 7: 1.0}
    assert size(box) < 1e-6 * 60_000


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, len(ROWS) - 1), st.floats(-1e6, 1e6), min_size=1))
def test_it_is_never_below_what_the_ends_ask_and_within_them_never_above_the_legs(account):
    at_ends, legs = size_at_the_ends(account), sum(abs(q) for q in account.values()) * 60_000
    assert at_ends * (1 - 1e-12) <= size(account) <= max(at_ends, legs) * (1 + 1e-12)
