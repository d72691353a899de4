"""Backtests against their textbook tables, closed identities and a small simulation of their own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from engine.errors import InvalidInput
from engine.validation import backtests
from engine.validation.backtests import TransitionCounts, Zone

pytestmark = pytest.mark.fast


class TestBaselZones:
    @pytest.mark.parametrize(
        ("exceptions", "zone", "plus"),
        [(0, Zone.GREEN, 0), (4, Zone.GREEN, 0), (5, Zone.YELLOW, 0.4), (9, Zone.YELLOW, 0.85), (10, Zone.RED, 1)],
    )
    def test_table_2_of_bcbs22(self, exceptions, zone, plus):
        assert backtests.basel_zone(250, 0.01, exceptions)[1] is zone
        assert backtests.basel_plus_factor(exceptions) == plus

    @pytest.mark.parametrize(("observations", "probability"), [(250, 0.01), (908, 0.01), (3, 0.01), (250, 0.05)])
    def test_the_largest_green_count_is_green_and_the_next_is_not(self, observations, probability):
        count = backtests.largest_green_count(observations, probability)
        assert backtests.basel_zone(observations, probability, count + 1)[1] is not Zone.GREEN
        assert count < 0 or backtests.basel_zone(observations, probability, count)[1] is Zone.GREEN

    def test_beyond_ten_the_factor_stays(self):
        assert backtests.basel_plus_factor(250) == 1.0

    def test_refuses(self):
        for observations, probability, exceptions in ((0, 0.01, 0), (10, 0.01, 11), (10, 0.0, 1), (10, 1.0, 1)):
            with pytest.raises(InvalidInput):
                backtests.basel_zone(observations, probability, exceptions)


class TestCoverage:
    def test_kupiec_is_zero_at_the_expected_share_and_known_without_exceptions(self):
        assert backtests.kupiec(100, 10, 0.1).statistic == pytest.approx(0.0, abs=1e-12)
        none = backtests.kupiec(255, 0, 0.01)
        assert none.statistic == pytest.approx(-2 * 255 * np.log(0.99))
        assert none.p_value < 0.05

    @pytest.mark.parametrize(
        ("observations", "probability", "region"),
        [(255, 0.05, (7, 20)), (510, 0.01, (2, 10)), (1_000, 0.025, (16, 35))],
    )
    def test_regions_of_kupiec_1995(self, observations, probability, region):
        assert backtests.kupiec_acceptance(observations, probability) == region

    def test_a_cluster_of_exceptions_is_not_independent(self):
        independent = backtests.christoffersen_independence(TransitionCounts(81, 9, 9, 1))
        clustered = backtests.christoffersen_independence(TransitionCounts(85, 5, 5, 5))
        assert independent.statistic == pytest.approx(0.0, abs=1e-12)
        assert clustered.p_value < 0.01

    def test_independence_by_hand(self):
        # 10 after none: 5 and 5; 10 after one: 10 and 0. Separate: 10 ln 1/2; together 5 of 20.
        found = backtests.christoffersen_independence(TransitionCounts(5, 5, 10, 0))
        together = 5 * np.log(0.25) + 15 * np.log(0.75)
        assert found.statistic == pytest.approx(2 * (10 * np.log(0.5) - together))

    def test_joint_test_has_two_degrees_of_freedom(self):
        joint = backtests.conditional_coverage(
            backtests.LikelihoodRatio(2.0, 0.5), backtests.LikelihoodRatio(3.991464547107979, 0.5)
        )
        assert joint.p_value == pytest.approx(0.05)

    def test_refuses_counts_below_zero_and_none_at_all(self):
        with pytest.raises(InvalidInput):
            TransitionCounts(1, -1, 0, 0)
        with pytest.raises(InvalidInput):
            backtests.christoffersen_independence(TransitionCounts(0, 0, 0, 0))


class TestOverlappingWindows:
    def test_without_overlap_it_is_the_binomial_distribution(self):
        cumulative = backtests.overlapping_counts(60, 1, 0.05)
        exact = binom.cdf(np.arange(61), 60, 0.05)
        assert np.max(np.abs(cumulative - exact)) < 4 * np.sqrt(0.25 / backtests.OVERLAP_PATHS)

    def test_overlap_widens_the_bounds_but_keeps_the_mean(self):
        alone, overlapping = (backtests.overlapping_counts(60, days, 0.05) for days in (1, 10))
        mean = float(np.sum(1.0 - overlapping))
        assert mean == pytest.approx(60 * 0.05, rel=0.02)
        assert backtests.largest_count_below(overlapping, 0.95) > backtests.largest_count_below(alone, 0.95)

    def test_a_bound_is_the_last_count_strictly_below_its_level(self):
        cumulative = np.array([0.5, 0.9, 0.95, 1.0])
        assert backtests.largest_count_below(cumulative, 0.95) == 1
        assert backtests.largest_count_below(cumulative, 0.96) == 2
        assert backtests.largest_count_below(cumulative, 0.4) == -1


class TestAcerbiSzekely:
    def test_z2_by_hand(self):
        losses = np.array([3.0, -1.0, 0.5, 2.0])
        assert backtests.acerbi_szekely_second(losses, 1.0, 2.5, 0.25) == pytest.approx(1.0 - 5.0 / 2.5)
        with pytest.raises(InvalidInput):
            backtests.acerbi_szekely_second(losses, 1.0, 0.0, 0.25)

    def test_one_day_is_the_tail_itself(self):
        statistic, cumulative = backtests.acerbi_szekely_distribution(1, 0.1, None)
        shortfall = norm.pdf(norm.ppf(0.9)) / 0.1
        loss = 2.0  # Z2 <= 1 - loss / (0.1 shortfall) exactly when the loss is at least that
        found = np.interp(1.0 - loss / (0.1 * shortfall), statistic, cumulative)
        assert found == pytest.approx(norm.sf(loss), rel=0.01)

    def test_agrees_with_a_simulation(self):
        losses = np.random.Generator(np.random.Philox(3)).standard_normal((40_000, 50))
        var = float(norm.ppf(0.95))
        shortfall = float(norm.pdf(var)) / 0.05
        drawn = 1.0 - np.sum(np.where(losses > var, losses, 0.0), axis=1) / (50 * 0.05 * shortfall)
        statistic, cumulative = backtests.acerbi_szekely_distribution(50, 0.05, None)
        assert np.interp(0.05, cumulative, statistic) == pytest.approx(np.quantile(drawn, 0.05), abs=0.03)

    @pytest.mark.parametrize("degrees", [None, 3.0])
    def test_the_mean_is_zero_and_fat_tails_reach_further(self, degrees):
        statistic, cumulative = backtests.acerbi_szekely_distribution(250, 0.025, degrees)
        assert float(np.sum(statistic * np.diff(cumulative, prepend=0.0))) == pytest.approx(0.0, abs=1e-5)
        far = np.interp(1e-4, cumulative, statistic)
        assert far < (-3.0 if degrees else -1.7)
