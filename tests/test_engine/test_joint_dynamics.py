"""Marginals, copula, jumps, expected variance: each finds what a simulation put in, and its twin if it has one."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from engine import Calibration, CalibrationSettings, calibrate
from engine.dynamics.copula import (
    DEGREES,
    correlation_cases,
    fit_copula,
    log_likelihoods,
    market_signs,
    mixing_table,
    root,
)
from engine.dynamics.joint import CASES, NANO, HorizonDynamics, JointDynamics
from engine.dynamics.joint_fit import _memories_before, fit_joint
from engine.dynamics.jumps import taken_out
from engine.dynamics.library import Library
from engine.dynamics.recursions import Memory
from engine.dynamics.tails import (
    LARGEST_SHAPE,
    TAIL_SHARE,
    excess,
    fit_pareto,
    knot_probabilities,
    knot_scores,
    marginal,
)
from engine.dynamics.variance import expected_variance, expected_variances, rule_of, run_filter
from engine.errors import BadArtefact, InvalidInput
from engine.kernels.interpolation import interpolate, joint_values
from tests import model_cases, naive, naive_model

pytestmark = pytest.mark.fast

RULE = rule_of(CalibrationSettings())
variances = st.floats(1e-8, 1e-2)


def student(correlation, degrees: float, size: int, seed: int = 1):
    random = np.random.default_rng(seed)
    normal = random.standard_normal((size, len(correlation))) @ np.linalg.cholesky(correlation).T
    return normal / np.sqrt(random.chisquare(degrees, size) / degrees)[:, None]


@given(variances, variances, variances, variances, st.lists(st.floats(0.25, 4.0), min_size=1, max_size=72))
def test_expected_variance_is_its_twin(long_run, slow, fast, largest, season):
    twin = naive_model.expected_variance(season, long_run, slow, fast, largest)
    found = expected_variance(RULE, Memory(long_run, slow, fast, largest), np.array(season))
    assert found == pytest.approx(twin, rel=1e-12)


def test_expected_variance_is_the_mean_over_simulated_hours():
    # residuals of variance 1, no floor or cap in reach: the mean of the path's squared return
    memory, hours = Memory(1e-4, 3e-4, 4e-4, 1.0), 24
    random = np.random.default_rng(3)
    slow, fast, total = (np.full(200_000, value) for value in (memory.slow, memory.fast, 0.0))
    for _ in range(hours):
        used = 0.2 * memory.long_run + 0.4 * slow + 0.4 * fast
        step = np.sqrt(used) * random.uniform(-np.sqrt(3.0), np.sqrt(3.0), used.size)
        total += step
        slow = RULE.slow_decay * slow + (1.0 - RULE.slow_decay) * step * step
        fast = RULE.fast_decay * fast + (1.0 - RULE.fast_decay) * step * step
    assert expected_variance(RULE, memory, np.ones(hours)) == pytest.approx(float(np.var(total)), rel=0.02)


def test_expected_variances_are_those_of_each_state():
    slow, fast = np.array([1e-4, 2e-4]), np.array([5e-4, 1e-5])
    season = np.array([[0.5, 1.0], [2.0, 1.5]])
    states = zip(slow, fast, season.T, strict=True)
    one_by_one = [expected_variance(RULE, Memory(1e-4, s, f, 3e-4), factor) for s, f, factor in states]
    assert expected_variances(RULE, 1e-4, slow, fast, 3e-4, season).tolist() == one_by_one


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_pareto_fit_finds_shape_and_scale_within_its_errors(shape):
    uniform = (np.arange(20_000) + 0.5) / 20_000
    beyond = stats.genpareto.ppf(uniform, shape, scale=2.0)
    body = np.linspace(-50.0, 0.0, int(20_000 / TAIL_SHARE) - 20_000)
    fit = fit_pareto(np.concatenate([body, 1e-9 + beyond]))
    assert fit.exceedances == pytest.approx(20_000, abs=2)
    assert abs(fit.shape - shape) < max(2.0 * fit.shape_error, 0.01) and fit.scale == pytest.approx(2.0, rel=0.03)
    assert fit.shape_error == pytest.approx((1.0 + fit.shape) / np.sqrt(20_000), rel=1e-3)
    assert fit.scale_error == pytest.approx(fit.scale * np.sqrt(2.0 * (1.0 + fit.shape) / 20_000), rel=1e-3)


@pytest.mark.parametrize(("degrees", "least", "most"), [(1.0, LARGEST_SHAPE, LARGEST_SHAPE), (4.0, 0.05, 0.4)])
def test_shape_stays_within_its_range(degrees, least, most):
    sample = stats.t.ppf((np.arange(9_000) + 0.5) / 9_000, degrees)
    fit = fit_pareto(sample)
    assert least <= fit.shape <= most
    # a uniform has a shape of -1: taken as exponential
    assert fit_pareto(np.linspace(0.0, 1.0, 2_000)).shape == 0.0


def test_overlap_widens_the_errors_and_not_the_fit():
    sample = student(np.eye(1), 4.0, 5_000)[:, 0]
    plain, overlapping = fit_pareto(sample), fit_pareto(sample, 6.0)
    assert (plain.shape, plain.scale) == (overlapping.shape, overlapping.scale)
    assert overlapping.shape_error == pytest.approx(np.sqrt(6.0) * plain.shape_error, rel=1e-12)


def test_marginal_keeps_the_body_and_follows_the_tail():
    sample = student(np.eye(1), 4.0, 40_000)[:, 0]
    value, probability = marginal(sample, sample, 1.0).value, knot_probabilities()
    assert np.all(np.diff(value) >= 0.0) and np.all(np.diff(probability) > 0.0)
    body = (probability > TAIL_SHARE) & (probability < 1.0 - TAIL_SHARE)
    np.testing.assert_allclose(value[body], np.quantile(sample, probability[body]), rtol=1e-12)
    for p in (1e-3, 1e-4):
        true = stats.t.ppf(p, 4.0)
        at = int(np.argmin(np.abs(np.log(probability[:80] / p))))
        assert value[at] == pytest.approx(stats.t.ppf(probability[at], 4.0), rel=0.15) and true < 0.0
        assert value[-1 - at] == pytest.approx(-stats.t.ppf(probability[at], 4.0), rel=0.15)


def test_no_value_lies_beyond_twice_the_largest_seen():
    sample = student(np.eye(1), 1.2, 2_000)[:, 0]
    value = marginal(sample, sample, 1.0).value
    assert (value[0], value[-1]) == (2.0 * np.min(sample), 2.0 * np.max(sample))
    shifted = np.abs(student(np.eye(1), 1.2, 2_000)[:, 0]) + 1.0
    assert marginal(shifted, shifted, 1.0).value[0] >= 0.0


def test_excursion_marginal_is_of_the_minimum_below_and_of_the_maximum_above():
    random = np.random.default_rng(4)
    path = np.cumsum(random.standard_normal((20_000, 6)), axis=1)
    low, high = path.min(axis=1), path.max(axis=1)
    value, probability = marginal(low, high, 1.0).value, knot_probabilities()
    for p, sample in ((0.2, low), (0.49, low), (0.51, high), (0.9, high)):
        at = int(np.argmin(np.abs(probability - p)))
        assert value[at] == pytest.approx(np.quantile(sample, probability[at]), rel=1e-12)


def test_a_tail_of_too_few_or_of_none_is_refused_or_flat():
    with pytest.raises(InvalidInput, match="longer history"):
        fit_pareto(np.arange(300.0))
    with pytest.raises(InvalidInput, match="finite"):
        fit_pareto(np.append(np.arange(1_000.0), np.nan))
    still = fit_pareto(np.zeros(1_000))
    assert (still.scale, still.threshold) == (0.0, 0.0)
    assert np.array_equal(marginal(np.zeros(1_000), np.zeros(1_000), 1.0).value, np.zeros(knot_scores(4).size))


def test_excess_inverts_the_tail():
    fit = fit_pareto(student(np.eye(1), 3.0, 10_000)[:, 0])
    share = np.array([1.0, 0.1, 1e-4])
    y = excess(fit, share)
    np.testing.assert_allclose((1.0 + fit.shape * y / fit.scale) ** (-1.0 / fit.shape), share, rtol=1e-12)


@pytest.mark.parametrize("degrees", [3, 5, 12])
def test_profile_likelihood_finds_the_degrees(degrees):
    correlation = np.array([[1.0, 0.7, -0.3], [0.7, 1.0, -0.2], [-0.3, -0.2, 1.0]])
    found = fit_copula(np.exp(student(correlation, degrees, 6_000)))
    near = DEGREES.index(degrees)
    assert found.degrees in DEGREES[max(near - 1, 0) : near + 2] if degrees > 5 else found.degrees == degrees
    assert np.max(np.abs(found.correlation - correlation)) < 0.05
    assert len(found.log_likelihood) == len(DEGREES) and found.clipped_eigenvalues == 0


def test_likelihood_by_the_definition():
    """Density of the multivariate t over the product of its marginals, by SciPy."""
    correlation = np.array([[1.0, 0.5], [0.5, 1.0]])
    sample = student(correlation, 4.0, 50)
    rank = stats.rankdata(sample, axis=0) / 51.0
    x = stats.t.ppf(rank, 6)
    joint = stats.multivariate_t(shape=correlation, df=6).logpdf(x).sum()
    expected = joint - stats.t.logpdf(x, 6).sum()
    assert log_likelihoods(sample, correlation)[DEGREES.index(6)] == pytest.approx(expected, rel=1e-10)


def test_a_coordinate_that_never_moves_is_left_out():
    sample = np.column_stack([student(np.array([[1.0, 0.6], [0.6, 1.0]]), 4.0, 500), np.zeros(500)])
    found = fit_copula(sample)
    assert found.correlation[2].tolist() == [0.0, 0.0, 1.0] and found.correlation[0, 1] > 0.4


def test_a_singular_correlation_is_repaired_and_drawn_from():
    one = student(np.eye(2), 4.0, 800)
    sample = np.column_stack([one[:, 0], one[:, 0], one[:, 1], one[:, 1]])
    found = fit_copula(sample)
    assert np.all(np.isfinite(found.log_likelihood))
    for case in correlation_cases(found.correlation, market_signs(found.correlation, 2)):
        square = root(case, 2)
        np.testing.assert_allclose(square @ square.T, case, atol=1e-6)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_roots_give_back_each_case_and_start_with_the_market(assets, seed):
    random = np.random.default_rng(seed)
    sample = random.standard_normal((60, 2 * assets)) + 0.7 * random.standard_normal((60, 1))
    correlation = np.corrcoef(sample.T)
    sign = market_signs(correlation, assets)
    for case in correlation_cases(correlation, sign):
        square = root(case, assets)
        np.testing.assert_allclose(square @ square.T, case, atol=1e-10)
        total = np.sum(square[:assets, 0])
        assert total > 0.0 or (abs(total) < 1e-9 and square[0, 0] > 0.0)
        # the market factor takes as much of the returns as any one factor can
        assert np.sum(square[:assets, 0] ** 2) == pytest.approx(
            np.linalg.eigvalsh(case[:assets, :assets])[-1], rel=1e-9
        )


def test_cases_pull_half_way_to_one_and_to_zero():
    correlation = np.array([[1.0, 0.4, -0.6, 0.1], [0.4, 1.0, -0.2, 0.3], [-0.6, -0.2, 1.0, 0.2], [0.1, 0.3, 0.2, 1.0]])
    sign = market_signs(correlation, 2)
    assert sign.tolist() == [1, 1, -1, 1]
    plain, one, zero = correlation_cases(correlation, sign)
    assert np.array_equal(plain, correlation)
    np.testing.assert_allclose(one[0], [1.0, 0.7, -0.8, 0.55], rtol=1e-15)
    np.testing.assert_allclose(zero[0], [1.0, 0.2, -0.3, 0.05], rtol=1e-15)


def test_mixing_table_is_the_root_of_nu_over_chi_square():
    table = mixing_table(5)
    assert np.all(np.diff(table) > 0.0)
    for score, at in ((0.0, 320), (2.0, 400), (-3.0, 200)):
        assert stats.chi2.cdf(5.0 / table[at] ** 2, 5) == pytest.approx(stats.norm.cdf(-score), rel=1e-10)


def jumpy(seed: int = 5, hours: int = 20_000):
    """Two assets with known jumps: sizes by hour, loadings 1 and 1.5, volatility up by twice the size."""
    random = np.random.default_rng(seed)
    ordinary = 0.005 * random.standard_normal((2, hours))
    size = np.zeros(hours)
    at = random.choice(hours, 12, replace=False)
    size[at] = np.where(np.arange(12) < 4, 1.0, -1.0) * (0.06 + random.exponential(0.02, 12))
    level = 0.001 * random.standard_normal((2, hours)) + 2.0 * np.abs(size)
    return ordinary, ordinary + np.outer([1.0, 1.5], size), level, size, np.full((2, hours), 0.005**2)


def test_jumps_are_found_and_taken_out():
    ordinary, log_return, level, size, variance = jumpy()
    jumps, calm, calm_level = taken_out(log_return, level, variance, 8.0, 2)
    assert (jumps.count, jumps.hours) == (12, 20_000)
    # loadings are relative to the median, here the mean of both
    np.testing.assert_allclose(jumps.loading, [0.8, 1.2], atol=0.03)
    np.testing.assert_allclose(jumps.volatility_co_jump, [1.6, 1.6], atol=0.05)
    assert jumps.up_probability == pytest.approx(5.0 / 14.0)
    absolute = 1.25 * np.abs(size[size != 0.0])
    assert jumps.least_size == pytest.approx(absolute.min(), abs=0.01)
    falls = 1.25 * -size[size < 0.0]
    assert jumps.least_size + jumps.excess_down >= falls.mean() - 0.01
    assert jumps.excess_up >= 0.9 * np.sum(absolute - absolute.min()) / 11
    # what is left has no jump: within what the ordinary noise of those hours is
    assert np.max(np.abs(calm)) < 6.0 * 0.005 and np.max(np.abs(calm_level)) < 0.03
    quiet = size == 0.0
    assert np.array_equal(calm[:, quiet], log_return[:, quiet]) and np.array_equal(
        calm_level[:, quiet], level[:, quiet]
    )


def test_intensity_is_the_exact_upper_bound_of_a_poisson_count():
    _, log_return, level, _, variance = jumpy()
    jumps, _, _ = taken_out(log_return, level, variance, 8.0, 2)
    # at that intensity 12 jumps or fewer have a probability of 5 %
    assert stats.poisson.cdf(12, jumps.intensity_hourly * 20_000) == pytest.approx(0.05, rel=1e-9)


def test_without_a_jump_seen_one_is_still_possible():
    ordinary, _, level, _, variance = jumpy()
    jumps, calm, calm_level = taken_out(ordinary, level, variance, 8.0, 2)
    assert jumps.count == 0 and np.array_equal(calm, ordinary) and np.array_equal(calm_level, level)
    assert jumps.intensity_hourly * 20_000 == pytest.approx(-np.log(0.05), rel=1e-9)
    assert jumps.least_size + jumps.excess_down == pytest.approx(8.0 * 0.005, rel=0.02)


def test_a_threshold_of_zero_models_none():
    _, log_return, level, _, variance = jumpy()
    jumps, calm, calm_level = taken_out(log_return, level, variance, 0.0, 2)
    assert jumps.intensity_hourly == 0.0 and calm is log_return and calm_level is level


def test_tokens_feel_jumps_and_do_not_tell_them():
    _, log_return, level, _, variance = jumpy()
    calm = np.zeros((4, log_return.shape[1]))
    more = [
        np.concatenate([table, np.full_like(calm, fill)])
        for table, fill in ((log_return, 0.0), (level, 0.0), (variance, 1e-6))
    ]
    jumps, _, _ = taken_out(*more, 8.0, 2)
    assert jumps.count == 12 and jumps.loading[2:] == (0.0,) * 4
    with_two = taken_out(log_return, level, variance, 8.0, 2)[0]
    assert jumps.loading[:2] == with_two.loading and jumps.least_size == with_two.least_size


def test_one_jump_has_an_exponential_size():
    _, log_return, level, size, variance = jumpy()
    lone = np.where(np.arange(size.size) == np.argmax(size), 1.0, 0.0)
    jumps, _, _ = taken_out(0.005 * 0.0 + log_return * lone, level, variance, 8.0, 2)
    assert jumps.count == 1 and jumps.least_size == 0.0 and jumps.excess_up == jumps.excess_down > 0.06


@given(st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=30, unique=True), st.floats(-150.0, 150.0), st.data())
@settings(deadline=None)
def test_interpolation_is_its_twin(knots, x, data):
    knot = np.sort(np.array(knots))
    value = np.array(data.draw(st.lists(st.floats(-5.0, 5.0), min_size=len(knots), max_size=len(knots))))
    found = interpolate(knot, value, np.array([x, knot[0], knot[-1]]))
    assert found[0] == pytest.approx(naive.interpolated(knot, value, x), rel=1e-12, abs=1e-12)
    assert found[1:].tolist() == [value[0], value[-1]]


def test_joint_values_are_their_twins():
    random = np.random.default_rng(6)
    square, normal, mixing = (
        random.standard_normal((3, 3)),
        random.standard_normal((3, 50)),
        random.exponential(1.0, 50),
    )
    knot, value = np.sort(random.standard_normal(20)), np.sort(random.standard_normal((3, 20)))
    found = joint_values(square, normal, mixing, knot, value)
    for i in range(3):
        for s in range(50):
            x = mixing[s] * sum(square[i, k] * normal[k, s] for k in range(3))
            assert found[i, s] == pytest.approx(naive.interpolated(knot, value[i], x), rel=1e-12, abs=1e-12)


def library_of(log_return, level, warm: Memory) -> Library:
    """A library of simulated hours, filtered from the memory on."""
    filtered = [run_filter(row, RULE, warm) for row in log_return]
    variance, memories = (np.array([one for one, _ in filtered]), [memory for _, memory in filtered])
    moves = np.rint(level * 1e6).astype(np.int64)
    hours = log_return.shape[1]
    factors = np.tile(np.where(np.arange(168) % 2, 1_500_000, 500_000), (2, 1))
    nothing = np.zeros(2, np.int64)
    return Library(
        symbols=("BTC", "ETH"), markets=2, clock_hour=1_000 + np.arange(hours), hour_factor_ppm=factors,
        log_return=log_return, variance=variance, residual_micro=np.zeros_like(moves), move_micro=moves,
        warm=(warm, warm), memories=tuple(memories), filled_hours=nothing, volatility_hours=nothing,
    )  # fmt: skip


def test_memories_before_each_hour_are_those_that_the_filter_used():
    _, log_return, level, _, _ = jumpy(hours=3_000)
    library = library_of(log_return, level, Memory(2.5e-5, 5e-5, 1e-5, 0.0))
    slow, fast = _memories_before(library, RULE)
    used = [
        [naive_model.mixture(2.5e-5, s, f) for s, f in zip(*pair, strict=True)] for pair in zip(slow, fast, strict=True)
    ]
    np.testing.assert_allclose(library.variance, used, rtol=1e-9)


def test_what_jumps_explain_is_in_no_marginal():
    _, log_return, level, _, _ = jumpy(hours=10_000)
    library = library_of(log_return, level, Memory(2.5e-5, 2.5e-5, 2.5e-5, 0.0))
    chosen = CalibrationSettings(horizon_hours=(4,), jump_threshold_deviations=6.0)
    with_jumps = fit_joint(library, chosen).horizons[0]
    without = fit_joint(library, replace(chosen, jump_threshold_deviations=0.0)).horizons[0]
    # a jump of 6 % is six deviations of four hours at 0.5 % an hour, and doubles volatility's log move
    assert np.all(with_jumps.end_nano[:2, 0] > 0.7 * without.end_nano[:2, 0])
    assert np.all(with_jumps.end_nano[2:, -1] < 0.5 * without.end_nano[2:, -1])


def test_jumps_that_come_more_often_than_are_drawn_are_refused():
    _, log_return, level, _, _ = jumpy(hours=3_000)
    library = library_of(log_return, level, Memory(2.5e-5, 2.5e-5, 2.5e-5, 0.0))
    chosen = CalibrationSettings(horizon_hours=(4, 24), jump_threshold_deviations=1.5)
    with pytest.raises(InvalidInput, match="within 24 h, more than 0.25; raise jump_threshold_deviations 1.5"):
        fit_joint(library, chosen)


@pytest.mark.parametrize("hours", [4, 24])
def test_marginals_are_of_the_standardised_moves(hours):
    """The body of each table against moves put together hour by hour."""
    random = np.random.default_rng(7)
    log_return = 0.005 * np.exp(0.5 * np.sin(np.arange(6_000) / 300.0)) * random.standard_normal((2, 6_000))
    library = library_of(log_return, 0.001 * random.standard_normal((2, 6_000)), Memory(2.5e-5, 2.5e-5, 2.5e-5, 0.0))
    chosen = CalibrationSettings(horizon_hours=(hours,), jump_threshold_deviations=0.0)
    horizon = fit_joint(library, chosen).horizons[0]
    slow, fast = _memories_before(library, RULE)
    ends, lowest = [], []
    for start in range(6_000 - hours, -1, -4):
        path = np.cumsum(log_return[0, start : start + hours])
        largest = library.memories[0].largest
        # hour 1000 since the epoch ends the week's hour 63, an odd one; beyond four hours there is no season
        season = [1.0 if hours > 4 else (1.5, 0.5)[(start + h) % 2] for h in range(hours)]
        expected = naive_model.expected_variance(season, 2.5e-5, slow[0, start], fast[0, start], largest)
        ends.append(path[-1] / np.sqrt(expected))
        lowest.append(path.min() / np.sqrt(expected))
    at = np.array([100, 130])
    np.testing.assert_allclose(horizon.end_nano[0, at] / NANO, np.quantile(ends, knot_probabilities()[at]), rtol=1e-6)
    low = np.quantile(lowest, knot_probabilities()[at])
    np.testing.assert_allclose(horizon.excursion_nano[0, at] / NANO, low, rtol=1e-6)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return model_cases.small_calibration()


def test_the_artefact_holds_the_section_and_its_diagnostics(calibration):
    joint = calibration.joint
    assert [horizon.hours for horizon in joint.horizons] == list(calibration.settings.horizon_hours)
    for horizon in joint.horizons:
        assert horizon.degrees in DEGREES and len(horizon.sign) == 4 and len(horizon.tails) == 2 * 2 * 2 * 2
        assert np.all(np.diff(horizon.score_nano) > 0) and np.all(np.diff(horizon.end_nano) >= 0)
        assert np.all(np.diff(horizon.excursion_nano) >= 0)
        # the worst point is no better than the end
        half = horizon.score_nano.size // 2
        assert np.all(horizon.excursion_nano[:, 80:half] <= horizon.end_nano[:, 80:half])
        assert np.all(horizon.excursion_nano[:, half:-80] >= horizon.end_nano[:, half:-80])
        square = horizon.root_nano / NANO
        assert np.allclose(np.sum(square**2, axis=2), 1.0, atol=1e-8) and len(square) == len(CASES)
        for tail in horizon.tails:
            assert tail.exceedances > 100 and 0.0 <= tail.shape <= LARGEST_SHAPE and tail.shape_error > 0.0
    again = JointDynamics.from_body(json.loads(json.dumps(joint.body())))
    assert again.body() == joint.body() and again.jumps == joint.jumps


@pytest.mark.parametrize("name", ["mixing_nano", "score_nano", "end_nano", "excursion_nano", "root_nano"])
def test_a_table_that_does_not_fit_is_no_section(calibration, name):
    body = json.loads(json.dumps(calibration.joint.horizons[0].body()))
    # three entries of eight bytes are 32 characters
    body["tables"][name] = body["tables"][name][32:]
    with pytest.raises(ValueError):
        HorizonDynamics.from_body(body)


@pytest.mark.parametrize("change", ["degrees", "table", "missing", "extra", "tail", "jumps"])
def test_an_altered_section_is_refused(calibration, change):
    body = json.loads(calibration.to_json())
    horizon = body["joint"]["horizons"][0]
    if change == "degrees":
        horizon["degrees"] += 1
    elif change == "table":
        horizon["tables"]["mixing_nano"] = horizon["tables"]["mixing_nano"][:-12]
    elif change == "missing":
        del horizon["tables"]["end_nano"]
    elif change == "extra":
        horizon["note"] = 1
    elif change == "tail":
        horizon["tails"][0].pop("shape")
    else:
        body["joint"]["jumps"] = None
    with pytest.raises(BadArtefact):
        Calibration.from_json(json.dumps(body, sort_keys=True, indent=1) + "\n")


def test_too_short_a_library_is_refused_by_the_horizon():
    settings = replace(model_cases.SMALL, library_hours=1_000, minimum_history_hours=900)
    with pytest.raises(InvalidInput, match="tail needs 30"):
        calibrate([model_cases.history("BTC", 1, hours=1_001)], [], settings)
