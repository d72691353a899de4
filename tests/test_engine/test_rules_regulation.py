"""Regulatory minimums and textbook measures by hand, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.rules import regulation
from engine.validation import worked_measures

pytestmark = pytest.mark.fast


def test_procyclicality_options():
    assert regulation.buffered_margin(80.0) == pytest.approx(100.0)
    assert regulation.stress_weighted_margin(100.0, 200.0) == pytest.approx(125.0)
    assert regulation.floored_margin(80.0, 110.0) == 110.0
    assert regulation.floored_margin(120.0, 110.0) == 120.0


def test_span2_is_a_weighted_sum_with_charges_on_top():
    assert regulation.span2_margin(100.0, 200.0, 5.0, 7.0, history_weight=0.75) == pytest.approx(137.0)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: regulation.buffered_margin(80.0, 0.24),
        lambda: regulation.stress_weighted_margin(1.0, 1.0, 0.2),
        lambda: regulation.stress_weighted_margin(1.0, 1.0, 1.1),
        lambda: regulation.span2_margin(1.0, 1.0, 0.0, 0.0, history_weight=1.5),
        lambda: worked_measures.mean_of_worst([1.0], 2),
        lambda: worked_measures.mean_of_worst([1.0], 0),
        lambda: worked_measures.ewma_variances(1.0, [], 1.0),
        lambda: worked_measures.half_spread_cost(1.0, 2.0, 1.0),
        lambda: worked_measures.square_root_impact(1.0, 0.1, -1.0),
    ],
)
def test_below_a_minimum_or_without_sense_is_refused(refused):
    with pytest.raises(InvalidInput):
        refused()


def test_textbook_measures():
    assert worked_measures.mean_of_worst([1.0, 9.0, 5.0], 2) == 7.0
    assert worked_measures.ewma_variances(0.04, [0.0, 0.2], 0.5) == pytest.approx([0.02, 0.03])
    assert worked_measures.half_spread_cost(-1_000.0, 9.0, 11.0) == pytest.approx(100.0)
    assert worked_measures.square_root_impact(2.0, 0.1, 0.25) == pytest.approx(0.1)


def test_delta_normal_nets_what_moves_together():
    together = np.full((2, 2), 0.01)
    assert worked_measures.normal_value_at_risk(np.array([3.0, -3.0]), together, 2.0) == 0.0
    assert worked_measures.normal_value_at_risk(np.array([3.0, 1.0]), together, 2.0) == pytest.approx(0.8)
