"""Closed forms against quadrature, simulation-free identities and QuantLib's or textbooks' worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, ncx2, norm
from scipy.stats import t as student

from engine.errors import InvalidInput
from engine.validation import order_statistics
from engine.validation.closed_forms import options, own_kernels, perpetuals, tails

pytestmark = pytest.mark.fast

OPTION = {"rate": 0.07, "carry_yield": 0.05, "years": 0.4, "volatility": 0.25}


class TestOptions:
    def test_put_call_parity(self):
        call = options.european_price(True, 100.0, 90.0, **OPTION)
        put = options.european_price(False, 100.0, 90.0, **OPTION)
        forward_value = 100.0 * math.exp(-0.05 * 0.4) - 90.0 * math.exp(-0.07 * 0.4)
        assert call - put == pytest.approx(forward_value, rel=1e-12)

    def test_without_variance_is_the_discounted_payoff(self):
        price = options.european_price(True, 100.0, 90.0, 0.07, 0.05, 0.0, 0.25)
        assert price == pytest.approx(10.0, rel=1e-15)

    @pytest.mark.parametrize("is_call", [True, False])
    def test_greeks_are_the_slopes_of_the_price(self, is_call):
        def price(**change):
            inputs = {"spot": 100.0, "strike": 95.0, **OPTION, **change}
            return options.european_price(is_call, **inputs)

        def slope(name, at, step):
            return (price(**{name: at + step}) - price(**{name: at - step})) / (2.0 * step)

        greeks = options.european_greeks(is_call, 100.0, 95.0, **OPTION)
        assert greeks.delta == pytest.approx(slope("spot", 100.0, 1e-3), rel=1e-7)
        assert greeks.vega == pytest.approx(slope("volatility", 0.25, 1e-4), rel=1e-7)
        assert greeks.theta == pytest.approx(-slope("years", 0.4, 1e-4), rel=1e-6)
        assert greeks.rho == pytest.approx(slope("rate", 0.07, 1e-4), rel=1e-7)
        assert greeks.dividend_rho == pytest.approx(slope("carry_yield", 0.05, 1e-4), rel=1e-7)
        assert greeks.elasticity == pytest.approx(greeks.delta * 100.0 / price(), rel=1e-12)
        curvature = (price(spot=100.1) - 2.0 * price() + price(spot=99.9)) / 0.01
        assert greeks.gamma == pytest.approx(curvature, rel=1e-5)

    def test_haug_page_17_and_dividend_example(self):
        assert options.european_greeks(False, 430.0, 405.0, 0.07, 0.05, 1 / 12, 0.2).theta == pytest.approx(
            -31.1924, abs=1e-4
        )
        assert options.european_greeks(False, 500.0, 490.0, 0.08, 0.05, 0.25, 0.15).dividend_rho == pytest.approx(
            42.2254, abs=1e-4
        )

    def test_merton_without_jumps_is_black_scholes(self):
        merton = options.merton_jump_price(True, 100.0, 90.0, 0.07, 0.05, 0.4, 0.25, 0.0, 0.0, 0.0)
        assert merton == pytest.approx(options.european_price(True, 100.0, 90.0, **OPTION), rel=1e-14)

    @pytest.mark.parametrize("mean_jump", [-0.3, 0.0, 0.5])
    def test_merton_keeps_put_call_parity_with_biased_jumps(self, mean_jump):
        arguments = (100.0, 90.0, 0.07, 0.05, 0.4, 0.25, 8.0, mean_jump, 0.2)
        difference = options.merton_jump_price(True, *arguments) - options.merton_jump_price(False, *arguments)
        assert difference == pytest.approx(100.0 * math.exp(-0.02) - 90.0 * math.exp(-0.028), rel=1e-11)

    def test_exchange_for_cash_is_a_call(self):
        exchanged = options.exchange_option(100.0, 90.0, 0.05, 0.07, 0.4, 0.25, 0.0, 0.0)
        assert exchanged.value == pytest.approx(options.european_price(True, 100.0, 90.0, **OPTION), rel=1e-13)
        assert exchanged.value == pytest.approx(100.0 * exchanged.delta_received + 90.0 * exchanged.delta_given)

    @pytest.mark.parametrize(
        ("spot", "strike", "volatility"), [(0.0, 1.0, 0.1), (1.0, math.nan, 0.1), (1.0, 1.0, -0.1)]
    )
    def test_bad_input_is_refused(self, spot, strike, volatility):
        with pytest.raises(InvalidInput):
            options.european_price(True, spot, strike, 0.0, 0.0, 1.0, volatility)

    def test_normal_quantile_and_distribution_agree(self):
        for probability in (1e-12, 0.01, 0.5, 0.999):
            assert own_kernels.normal_cdf(own_kernels.normal_quantile(probability)) == pytest.approx(
                probability, rel=1e-13
            )


class TestPerpetuals:
    @pytest.mark.parametrize(
        ("payoff", "funding_spot", "expected"),
        [
            ("linear", "previous", 10025.104585107936),
            ("linear", "current", 9975.103751758385),
            ("inverse", "previous", 29975.04161464537),
            ("inverse", "current", 30025.041718812423),
        ],
    )
    def test_equals_quantlib_1_44_discounting_engine(self, payoff, funding_spot, expected):
        price = perpetuals.fair_perpetual(
            perpetuals.PerpetualPayoff(payoff), perpetuals.FundingSpot(funding_spot),
            10_000.0, 0.04, 0.02, 0.01, 0.005, 0.25,
        )  # fmt: skip
        assert price == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize("payoff", list(perpetuals.PerpetualPayoff))
    @pytest.mark.parametrize("funding_spot", list(perpetuals.FundingSpot))
    def test_discrete_funding_tends_to_continuous(self, payoff, funding_spot):
        period = 1e-7
        discrete = perpetuals.fair_perpetual(
            payoff, funding_spot, 1.0, 0.04, 0.02, 0.2 * period, 0.005 * period, period
        )
        continuous = perpetuals.fair_perpetual(payoff, funding_spot, 1.0, 0.04, 0.02, 0.2, 0.005, 0.0)
        assert discrete == pytest.approx(continuous, rel=1e-6)

    def test_no_price_where_funding_is_weaker_than_carry(self):
        with pytest.raises(InvalidInput, match="no finite positive price"):
            perpetuals.fair_perpetual(
                perpetuals.PerpetualPayoff.LINEAR, perpetuals.FundingSpot.PREVIOUS, 1.0, 0.3, 0.0, 0.1, 0.0, 0.0
            )


class TestTails:
    @pytest.mark.parametrize("level", [0.9, 0.99, 0.999])
    @pytest.mark.parametrize("degrees", [None, 3.0, 4.5, 12.0])
    def test_measures_equal_quadrature(self, level, degrees):
        law = norm if degrees is None else student(degrees)
        measures = tails.normal_tail(level) if degrees is None else tails.student_tail(level, degrees)
        start, beyond = measures.value_at_risk, 1.0 - level
        assert law.sf(start) == pytest.approx(beyond, rel=1e-10)
        first = quad(lambda x: x * law.pdf(x), start, np.inf, epsabs=0.0, epsrel=1e-10)[0] / beyond
        second = quad(lambda x: x * x * law.pdf(x), start, np.inf, epsabs=0.0, epsrel=1e-10, limit=200)[0] / beyond
        assert measures.expected_shortfall == pytest.approx(first, rel=1e-8)
        assert measures.tail_mean_square == pytest.approx(second, rel=1e-6)

    def test_shortfall_standard_error_is_that_of_simulated_samples(self):
        level, count, repetitions = 0.9, 2_000, 400
        draws = np.sort(np.random.default_rng(5).standard_normal((repetitions, count)), axis=1)
        simulated = draws[:, int(level * count) :].mean(axis=1).std(ddof=1)
        assert tails.normal_tail(level).shortfall_standard_error(level, count) == pytest.approx(simulated, rel=0.12)

    @given(st.floats(-1.0, 1.0), st.floats(0.01, 1.5), st.floats(1e-4, 0.2))
    def test_shortfall_is_beyond_value_at_risk(self, mu, sigma, tail):
        measures = tails.lognormal_tail(mu, sigma, tail)
        assert measures.long_value_at_risk <= measures.long_expected_shortfall < 0.0
        assert 0.0 < measures.short_value_at_risk <= measures.short_expected_shortfall

    @pytest.mark.parametrize(("delta", "gamma"), [(3.0, -2.0), (0.0, 1.0), (-1.0, 0.5), (2.0, 0.0), (1e3, 1e-3)])
    @pytest.mark.parametrize("level", [0.01, 0.5, 0.99])
    def test_delta_gamma_quantile_has_its_probability(self, delta, gamma, level):
        quantile = tails.delta_gamma_quantile(level, delta, gamma, 4.0)
        if gamma == 0.0:
            probability = norm.cdf(quantile / (abs(delta) * 2.0))
        else:
            root = math.sqrt(max(0.0, delta**2 + 2.0 * gamma * quantile))
            ends = sorted(((-delta - root) / gamma / 2.0, (-delta + root) / gamma / 2.0))
            inside = norm.cdf(ends[1]) - norm.cdf(ends[0])
            probability = inside if gamma > 0.0 else 1.0 - inside
        assert probability == pytest.approx(level, rel=1e-8)

    @pytest.mark.parametrize("delta", [0.0, 1.5])
    def test_delta_gamma_moments_are_those_of_a_chi_square(self, delta):
        # delta u + u^2/2 = (u + delta)^2/2 - delta^2/2
        moments = tails.delta_gamma_moments(np.array([delta]), np.eye(1), np.eye(1))
        mean, variance, skewness, kurtosis = (float(value) for value in ncx2.stats(1, delta**2, moments="mvsk"))
        assert moments == pytest.approx((0.5 * mean - 0.5 * delta**2, 0.25 * variance, skewness, kurtosis))

    def test_delta_gamma_moments_do_not_depend_on_the_factors_chosen(self):
        random = np.random.default_rng(3)
        delta, half, root = random.normal(size=3), random.normal(size=(3, 3)), random.normal(size=(3, 3))
        gamma = half + half.T
        turned = tails.delta_gamma_moments(root.T @ delta, root.T @ gamma @ root, np.eye(3))
        assert tails.delta_gamma_moments(delta, gamma, root @ root.T) == pytest.approx(turned, rel=1e-10)

    def test_cornish_fisher_without_skew_is_normal(self):
        assert tails.cornish_fisher_quantile(0.99, 1.0, 4.0, 0.0, 0.0) == pytest.approx(1.0 + 2.0 * norm.ppf(0.99))

    def test_cornish_fisher_is_near_a_mildly_skewed_gamma(self):
        from scipy.stats import gamma

        shape = 100.0
        approximate = tails.cornish_fisher_quantile(0.99, shape, shape, 2.0 / math.sqrt(shape), 6.0 / shape)
        assert approximate == pytest.approx(gamma.ppf(0.99, shape), rel=1e-4)

    def test_tail_dependence_at_the_ends(self):
        assert tails.t_copula_tail_dependence(4.0, 1.0) == pytest.approx(1.0)
        assert tails.t_copula_tail_dependence(4.0, -1.0) == 0.0

    @pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
    def test_a_level_outside_is_refused(self, level):
        with pytest.raises(InvalidInput, match="level"):
            tails.normal_tail(level)


class TestOrderStatistics:
    @given(st.integers(1, 3_000), st.floats(0.5, 0.995), st.floats(0.5, 0.99))
    def test_bound_rank_is_the_smallest_that_reaches_the_confidence(self, count, quantile, confidence):
        rank = order_statistics.upper_bound_rank(count, quantile, confidence)
        if rank is None:
            assert 1.0 - quantile**count < confidence
        else:
            assert order_statistics.rank_coverage(count, quantile, rank) >= confidence
            assert rank == 1 or binom.cdf(rank - 2, count, quantile) < confidence

    @pytest.mark.parametrize("order", [1, 2, 4])
    def test_wilks_size_is_the_smallest(self, order):
        size = order_statistics.wilks_sample_size(0.95, 0.95, order)
        assert size == {1: 59, 2: 93, 4: 153}[order]
        assert binom.cdf(size - 1 - order, size - 1, 0.95) < 0.95

    def test_point_rank_has_no_rounding_error(self):
        assert [order_statistics.point_rank(count, 0.99) for count in (100, 500, 1_000, 250)] == [99, 495, 990, 248]

    def test_harrell_davis_of_a_symmetric_sample_is_its_centre(self):
        assert order_statistics.harrell_davis(np.array([4.0, 0.0, 2.0, 1.0, 3.0]), 0.5) == pytest.approx(2.0)

    def test_bad_input_is_refused(self):
        with pytest.raises(InvalidInput):
            order_statistics.harrell_davis(np.array([1.0, math.nan]), 0.5)
        with pytest.raises(InvalidInput):
            order_statistics.upper_bound_rank(0, 0.99, 0.95)
        with pytest.raises(InvalidInput):
            order_statistics.wilks_sample_size(0.95, 0.95, 0)
