"""Tail measures and their bounds on sets whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine import InvalidInput
from engine.risk import (
    REPLICATIONS,
    expected_shortfall,
    pivotal_ratio,
    sampling_bound,
    value_at_risk,
    value_at_risk_upper,
)
from tests import naive_model

pytestmark = pytest.mark.fast


def test_one_to_a_hundred():
    loss = np.arange(1.0, 101.0)
    assert expected_shortfall(loss, 0.99) == 100.0 and value_at_risk(loss, 0.99) == 100.0
    assert expected_shortfall(loss, 0.95) == 98.0 and value_at_risk(loss, 0.95) == 96.0
    assert expected_shortfall(loss, 0.975) == pytest.approx((100 + 99 + 0.5 * 98) / 2.5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.floats(0.5, 0.999))
def test_expected_shortfall_is_the_naive_one_and_not_below_value_at_risk(losses, level):
    es = expected_shortfall(np.array(losses), level)
    assert es == pytest.approx(naive_model.expected_shortfall(losses, level), rel=1e-9, abs=1e-6)
    assert es >= value_at_risk(np.array(losses), level) - 1e-9 * (1 + abs(es))


@pytest.mark.parametrize(("count", "rank"), [(299, 299), (473, 472), (1_000, 996)])
def test_order_statistics_of_a_99_percent_quantile_at_95_percent(count, rank):
    # the classical sample sizes of a one-sided 95 % bound of the 99 % quantile: 299 draws, the largest
    assert value_at_risk_upper(np.arange(1.0, count + 1), 0.99, 0.95) == rank


def test_a_bound_of_very_many_losses_is_close_to_the_quantile():
    # 0.99^100,000 is 0 in floating point
    rank = value_at_risk_upper(np.arange(1.0, 100_001.0), 0.99, 0.95)
    assert rank == pytest.approx(99_000 + 1.645 * np.sqrt(990), abs=3)


def test_too_few_losses_give_no_bound():
    with pytest.raises(InvalidInput, match="298 losses are too few"):
        value_at_risk_upper(np.arange(298.0), 0.99, 0.95)


def test_pivotal_ratio_turns_the_bootstrap_round():
    ratio, quantile = pivotal_ratio(10.0, np.arange(1.0, 101.0) / 10.0, 0.96)
    # 4 of 100 lie at or below the fourth, 5 at or below the fifth
    assert quantile == pytest.approx(0.4) and ratio == pytest.approx(25.0)
    assert pivotal_ratio(10.0, np.arange(1.0, 21.0), 0.96)[1] == 1.0
    assert pivotal_ratio(1.0, np.full(50, 2.0), 0.96)[0] == 1.0
    with pytest.raises(InvalidInput, match="must both be positive"):
        pivotal_ratio(1.0, np.full(50, -1.0), 0.96)


@pytest.mark.parametrize("loss", [np.array([]), np.array([1.0, np.nan]), np.array([np.inf])])
def test_bad_losses_are_refused(loss):
    with pytest.raises(InvalidInput):
        expected_shortfall(loss, 0.99)


def test_the_sampling_bound_is_a_mean_and_a_student_error():
    replicates = np.random.default_rng(3).gamma(2.0, size=(REPLICATIONS, 5))
    mean, bound = sampling_bound(replicates)
    for figure in range(5):
        values = [float(x) for x in replicates[:, figure]]
        centre = math.fsum(values) / 16
        error = math.sqrt(math.fsum((x - centre) ** 2 for x in values) / 15 / 16)
        assert mean[figure] == pytest.approx(centre, rel=1e-13)
        assert bound[figure] == pytest.approx(centre + stats.t.ppf(0.99, 15) * error, rel=1e-11)
        assert bound[figure] >= centre + stats.t.ppf(0.99, 15) * error * (1.0 - 1e-13)


def test_one_replication_is_its_own_bound_and_others_have_no_quantile():
    once = np.array([[1.0, 2.0]])
    mean, bound = sampling_bound(once)
    assert np.array_equal(mean, once[0]) and np.array_equal(bound, once[0])
    with pytest.raises(InvalidInput, match="8 replications"):
        sampling_bound(np.ones((8, 2)))
