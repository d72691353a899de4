"""Monte Carlo sets: their layout, their weights, what they share, and that they say what the historical paths say."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine import Calibration, CalibrationSettings, InvalidInput, PriceHistory, calibrate
from engine.dynamics.joint import CASES, NANO, Jumps
from engine.dynamics.today import memory_today
from engine.dynamics.variance import expected_variance, rule_of
from engine.risk import expected_shortfall, sampling_bound
from engine.scenarios.historical import historical_paths
from engine.scenarios.montecarlo import (
    INFLATION,
    SCRAMBLES,
    Step,
    joint_moves,
    monte_carlo_sets,
)
from engine.scenarios.scenario_set import SHAPE_FACTORS, ScenarioSet
from engine.scenarios.sobol import scrambled_points
from engine.scenarios.variates import MOST_JUMPS, Inflation, dimensions, variates
from engine.validation.simulated_history import simulate_history
from tests import model_cases

pytestmark = pytest.mark.fast

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "spot_1h"
SYMBOLS = ("BTC", "ETH")
SEED = 2**90 + 11


@cache
def sets(excursion: bool = False, hours: int = 24) -> tuple[ScenarioSet, ...]:
    recent = model_cases.no_recent(*SYMBOLS)
    return monte_carlo_sets(model_cases.small_calibration(), recent, hours, excursion, SEED)


def shortfall(loss, probability, level: float = 0.99) -> float:
    """Mean of the worst share of the probability, the boundary counted in part."""
    order = np.argsort(-loss)
    share = probability[order]
    mass = (1.0 - level) * share.sum()
    taken = np.clip(mass - (np.cumsum(share) - share), 0.0, share)
    return float(np.sum(loss[order] * taken) / mass)


def shortfalls(scenarios: ScenarioSet, loss):
    blocks = zip(np.split(loss, scenarios.scrambles), np.split(scenarios.probability, scenarios.scrambles), strict=True)
    return np.array([shortfall(*block) for block in blocks])


def many(horizon, jumps, inflation=INFLATION, blocks: int = 16, points: int = 1_024):
    """Draws of many points, block by block."""
    count = dimensions(len(horizon.sign) // 2)
    return [variates(scrambled_points(3, k, count, points), horizon, jumps, inflation) for k in range(blocks)]


def joined(draws, name: str):
    return np.concatenate([getattr(one, name) for one in draws], axis=-1)


def test_layout():
    assert len(sets()) == len(CASES)
    for scenarios, case in zip(sets(), CASES, strict=True):
        assert scenarios.name == f"Monte Carlo 24 h, {case}" and len(scenarios) == SCRAMBLES * 512
        assert scenarios.scrambles == SCRAMBLES and scenarios.hours.tolist() == [24]
        assert scenarios.log_return.shape == scenarios.volatility_shock.shape == (2, 1, 8_192)
        assert scenarios.probability.shape == (8_192,) and scenarios.shape_shock.shape == (0, 2, 1, 8_192)
        assert np.all(np.isfinite(scenarios.log_return)) and np.all(np.isfinite(scenarios.volatility_shock))
        assert np.all(scenarios.weight == 1.0)
    assert sets(True, 4)[0].name == "Monte Carlo 4 h, plain, worst point"
    assert len({scenarios.content_hash for scenarios in sets()}) == 3


def test_blocks_are_the_scrambles_each_worst_first():
    calibration, recent = model_cases.small_calibration(), model_cases.no_recent(*SYMBOLS)
    rule = rule_of(calibration.settings)
    deviation = [np.sqrt(expected_variance(rule, memory_today(calibration, one), np.ones(24))) for one in recent]
    for scenarios in sets():
        severity = np.max(np.abs(scenarios.log_return[:, 0]) / np.array(deviation)[:, None], axis=0)
        for k, block in enumerate(np.split(severity, SCRAMBLES)):
            assert np.all(np.diff(block) <= 0.0)
            labels = scenarios.label[512 * k : 512 * (k + 1)]
            assert sorted(labels) == sorted(f"scramble {k} point {point}" for point in range(512))


def test_probabilities_are_bounded_and_average_one():
    largest = INFLATION.mixing_power * INFLATION.market_width * INFLATION.level_width / (1.0 - INFLATION.jump_share)
    for scenarios in sets():
        means = scenarios.probability.reshape(SCRAMBLES, -1).mean(axis=1)
        assert scenarios.probability.min() > 0.0 and scenarios.probability.max() <= largest
        assert np.max(np.abs(means - 1.0)) < 0.03 and abs(means.mean() - 1.0) < 4.0 * means.std() / 4.0 + 1e-4


def test_inflation_changes_no_probability():
    """Tail probabilities of what is inflated, weighted, against their distributions."""
    horizon = model_cases.small_calibration().joint.horizons[1]
    jumps = replace(model_cases.small_calibration().joint.jumps, intensity_hourly=1e-3)
    draws = many(horizon, jumps)
    weight = joined(draws, "probability") / joined(draws, "probability").sum()
    mixing, normal = joined(draws, "mixing"), joined(draws, "normal")
    for p in (0.1, 0.01, 1e-3):
        limit = np.sqrt(horizon.degrees / stats.chi2.ppf(p, horizon.degrees))
        assert weight[mixing > limit].sum() == pytest.approx(p, rel=0.06)
        for row in range(len(normal)):
            # what is not inflated has a standard error of sqrt(1 / (p n)), without the help of the net
            error = 0.1 if row < 2 else 4.0 * np.sqrt(1.0 / (p * weight.size))
            assert weight[normal[row] > stats.norm.isf(p)].sum() == pytest.approx(p, rel=error)
    assert weight[joined(draws, "jump_size") > 0.0].sum() == pytest.approx(1.0 - np.exp(-0.024), rel=0.02)
    plain = many(horizon, jumps, Inflation())
    assert np.all(joined(plain, "probability") == 1.0)
    np.testing.assert_allclose(normal.shape, joined(plain, "normal").shape)


def test_jumps_have_their_number_sign_and_size():
    horizon = model_cases.small_calibration().joint.horizons[1]
    jumps = Jumps(8.0, 10, 10_000, 0.5 / 24, 0.3, 0.05, 0.02, 0.03, (1.0, 1.0), (0.5, 0.5))
    draws = many(horizon, jumps, Inflation())
    jump, size = joined(draws, "jump"), joined(draws, "jump_size")
    mean = 0.7 * 0.08 + 0.3 * 0.07
    assert np.mean(size > 0.0) == pytest.approx(1.0 - np.exp(-0.5), rel=1e-3)
    # the fourth and further jumps are not drawn: of 0.5 expected 0.0018 are lost
    expected = sum(stats.poisson.sf(k, 0.5) for k in range(MOST_JUMPS))
    assert size.mean() == pytest.approx(expected * mean, rel=0.01)
    one = (size > 0.0) & (size < 0.1) & (np.abs(jump) == size)
    assert np.all(size[size > 0.0] >= 0.05) and np.mean(jump[one] > 0.0) == pytest.approx(0.3, abs=0.03)
    assert jump.mean() == pytest.approx(expected * (0.3 * 0.07 - 0.7 * 0.08), rel=0.02)


def test_the_number_of_jumps_is_poisson_under_inflation_too():
    horizon = model_cases.small_calibration().joint.horizons[1]
    # every jump of one size, so that the total counts them
    jumps = Jumps(8.0, 10, 10_000, 0.2 / 24, 0.3, 0.05, 1e-12, 1e-12, (1.0, 1.0), (0.5, 0.5))
    draws = many(horizon, jumps, INFLATION._replace(jump_share=0.6))
    number, weight = np.rint(joined(draws, "jump_size") / 0.05), joined(draws, "probability")
    for count in (1, 2, 3):
        share = weight[number >= count].sum() / weight.sum()
        assert share == pytest.approx(stats.poisson.sf(count - 1, 0.2), rel=0.05 * count)
    assert number.max() == MOST_JUMPS


def test_draws_of_a_scenario_are_uncorrelated():
    horizon = model_cases.small_calibration().joint.horizons[1]
    jumps = Jumps(8.0, 10, 10_000, 1.0 / 24, 0.3, 0.05, 0.02, 0.03, (1.0, 1.0), (0.5, 0.5))
    draws = many(horizon, jumps, Inflation(), 1, 8_192)[0]
    rows = np.vstack([np.log(draws.mixing), draws.normal, draws.jump, draws.shape])
    # independent points would give 0.011 a pair, 4.5 deviations
    assert np.max(np.abs(np.corrcoef(rows) - np.eye(len(rows)))) < 0.05


def test_marginals_are_those_of_the_table_without_jumps():
    calibration = model_cases.small_calibration()
    horizon = calibration.joint.horizons[1]
    none = replace(calibration.joint.jumps, intensity_hourly=0.0)
    draws = many(horizon, none, blocks=16, points=4_096)
    for excursion, table in ((False, horizon.end_nano), (True, horizon.excursion_nano)):
        step = Step(horizon, none, np.array([1.0, 1.0]), excursion)
        for case in range(3):
            moved = [np.concatenate(joint_moves(step, case, one)) for one in draws]
            value, weight = np.concatenate(moved, axis=1), joined(draws, "probability")
            for row in range(4):
                for at in (70, 120, 160, 210):
                    below = weight[value[row] <= table[row, at] / NANO].sum() / weight.sum()
                    assert below == pytest.approx(stats.t.cdf(horizon.score_nano[at] / NANO, horizon.degrees), rel=0.06)


def test_dependence_is_that_of_the_root():
    calibration = model_cases.small_calibration()
    horizon = calibration.joint.horizons[1]
    none = replace(calibration.joint.jumps, intensity_hourly=0.0)
    draws = many(horizon, none, Inflation(), blocks=1, points=4_096)[0]
    for case in range(3):
        value = np.concatenate(joint_moves(Step(horizon, none, np.ones(2), False), case, draws))
        square = horizon.root_nano[case] / NANO
        tau = stats.kendalltau(value[0], value[1]).statistic
        assert np.sin(0.5 * np.pi * tau) == pytest.approx(float(square[0] @ square[1]), abs=0.03)


def test_a_jump_adds_to_the_end_and_neither_takes_from_the_other_on_the_way():
    horizon = model_cases.small_calibration().joint.horizons[0]
    jumps = Jumps(8.0, 10, 10_000, 0.02, 0.5, 0.05, 0.02, 0.03, (1.0, 0.5), (2.0, 3.0))
    draws = many(horizon, jumps, blocks=1)[0]
    none = replace(jumps, loading=(0.0, 0.0), volatility_co_jump=(0.0, 0.0))
    deviation = np.array([0.02, 0.03])
    (end, shock), (calm, level) = (joint_moves(Step(horizon, one, deviation, False), 0, draws) for one in (jumps, none))
    jump = np.outer([1.0, 0.5], draws.jump)
    np.testing.assert_allclose(end - calm, jump, atol=1e-15)
    np.testing.assert_allclose(shock - level, np.outer([2.0, 3.0], draws.jump_size), atol=1e-15)
    worst, calm = (joint_moves(Step(horizon, one, deviation, True), 0, draws)[0] for one in (jumps, none))
    against = calm * jump < 0.0
    assert np.any(against & (np.abs(jump) > np.abs(calm))) and np.any(against & (np.abs(jump) < np.abs(calm)))
    assert np.all(np.abs(worst) >= np.maximum(np.abs(calm), np.abs(jump)))
    np.testing.assert_allclose(worst[~against], (calm + jump)[~against], atol=1e-15)


def test_a_volatile_hour_raises_every_move_and_nothing_else():
    calibration = model_cases.small_calibration()
    recent = model_cases.no_recent(*SYMBOLS)
    recent[0] = model_cases.recent_move(calibration, "BTC", [-0.08])
    after = monte_carlo_sets(replace(calibration, joint=without_jumps(calibration)), recent, 24, False, SEED)[0]
    before = monte_carlo_sets(
        replace(calibration, joint=without_jumps(calibration)), model_cases.no_recent(*SYMBOLS), 24, False, SEED
    )[0]
    by_label = [dict(zip(one.label, one.log_return[:, 0].T, strict=True)) for one in (before, after)]
    ratio = np.array([by_label[1][label] / by_label[0][label] for label in before.label])
    assert ratio[0, 0] > 1.3 and np.ptp(ratio[:, 0]) < 1e-9 and np.all(ratio[:, 1] == 1.0)


def without_jumps(calibration: Calibration):
    return replace(calibration.joint, jumps=replace(calibration.joint.jumps, intensity_hourly=0.0))


def test_underlyings_are_in_the_markets_order():
    calibration = model_cases.small_calibration()
    turned = monte_carlo_sets(calibration, model_cases.no_recent("ETH", "BTC"), 24, False, SEED)
    alone = monte_carlo_sets(calibration, model_cases.no_recent("ETH"), 24, False, SEED)
    for one, two, lone in zip(sets(), turned, alone, strict=True):
        assert np.array_equal(one.log_return, two.log_return[::-1])
        assert np.array_equal(np.sort(lone.log_return[0, 0]), np.sort(one.log_return[1, 0]))


def test_shape_shocks_are_common_normals_times_deviations():
    deviation = np.outer(np.arange(1.0, SHAPE_FACTORS + 1), [0.01, 0.02])
    recent = model_cases.no_recent(*SYMBOLS)
    with_shapes = monte_carlo_sets(model_cases.small_calibration(), recent, 24, False, SEED, 512, deviation)[0]
    # another order of severity carries the same shock for the same point
    jumpless = replace(model_cases.small_calibration(), joint=without_jumps(model_cases.small_calibration()))
    permuted = monte_carlo_sets(jumpless, recent, 24, False, SEED, 512, deviation)[2]
    assert with_shapes.shape_shock.shape == (SHAPE_FACTORS, 2, 1, 8_192)
    assert np.array_equal(with_shapes.log_return, sets()[0].log_return)
    np.testing.assert_allclose(with_shapes.shape_shock[:, 1], 2.0 * with_shapes.shape_shock[:, 0], rtol=1e-12)
    normal = with_shapes.shape_shock[:, 0, 0] / deviation[:, :1]
    np.testing.assert_allclose(np.var(normal, axis=1), 1.0, atol=0.02)
    by_label = [dict(zip(one.label, one.shape_shock[0, 0, 0], strict=True)) for one in (with_shapes, permuted)]
    assert by_label[0] == by_label[1] and not np.array_equal(with_shapes.shape_shock, permuted.shape_shock)
    # independent of each other and of the moves
    assert np.max(np.abs(np.corrcoef(np.vstack([normal, with_shapes.log_return[0]])) - np.eye(8))) < 0.05
    assert with_shapes.content_hash != sets()[0].content_hash


def test_new_fields_enter_the_hash_only_when_they_are_used():
    plain = historical_paths(model_cases.small_calibration(), model_cases.no_recent(*SYMBOLS), 4)
    assert replace(plain, shape_shock=np.empty((0, 2, 4, len(plain)))).content_hash == plain.content_hash
    changed = [
        replace(plain, probability=np.ones(len(plain))),
        replace(plain, probability=np.ones(len(plain)), scrambles=2),
        replace(plain, shape_shock=np.ones((7, 2, 4, len(plain)))),
    ]
    assert len({one.content_hash for one in [plain, *changed]}) == 4


def test_the_seed_and_the_points_choose_the_draws():
    calibration, recent = model_cases.small_calibration(), model_cases.no_recent(*SYMBOLS)
    again = monte_carlo_sets(calibration, recent, 24, False, SEED)
    assert [one.content_hash for one in again] == [one.content_hash for one in sets()]
    other = monte_carlo_sets(calibration, recent, 24, False, SEED + 1)
    assert not np.array_equal(other[0].log_return, sets()[0].log_return)
    assert len(monte_carlo_sets(calibration, recent, 24, False, SEED, 128)[0]) == 2_048


@pytest.mark.parametrize("points", [0, 64, 127, 384, -128])
def test_points_that_are_no_net_are_refused(points):
    with pytest.raises(InvalidInput, match="power of two"):
        monte_carlo_sets(model_cases.small_calibration(), model_cases.no_recent("BTC"), 24, False, 1, points)


def test_what_the_artefact_does_not_hold_is_refused():
    calibration = model_cases.small_calibration()
    with pytest.raises(InvalidInput, match="4, 24 h, not 1 h"):
        monte_carlo_sets(calibration, model_cases.no_recent("BTC"), 1, False, 1)
    with pytest.raises(InvalidInput, match="XRP"):
        monte_carlo_sets(calibration, model_cases.no_recent("XRP"), 24, False, 1)
    for deviation in (np.zeros((6, 1)), np.full((7, 1), np.nan), np.full((7, 1), -1.0)):
        with pytest.raises(InvalidInput, match="shape_deviation"):
            monte_carlo_sets(calibration, model_cases.no_recent("BTC"), 24, False, 1, 512, deviation)


def test_sampling_bound_covers_as_often_as_it_says():
    """The 99 % bound of a short position's ES over 30 seeds, against the mean of all of them."""
    calibration, recent = model_cases.small_calibration(), model_cases.no_recent("BTC")
    figures = []
    for seed in range(30):
        scenarios = monte_carlo_sets(calibration, recent, 24, False, seed, 128)[0]
        figures.append(shortfalls(scenarios, np.exp(scenarios.log_return[0, 0]) - 1.0))
    figures = np.array(figures)
    _, bound = sampling_bound(figures.T)
    assert np.mean(bound >= figures.mean()) >= 0.9
    # and it is no wider than it has to be
    assert np.mean(bound / figures.mean()) < 1.12


@pytest.mark.parametrize(("hours", "excursion"), [(24, False), (4, True)])
def test_the_sampling_bound_lies_above_what_few_points_miss(hours, excursion):
    """A shortfall of few weighted points is biased low: the bound has to hold that too."""
    recent = model_cases.no_recent(*SYMBOLS)
    much = monte_carlo_sets(model_cases.small_calibration(), recent, hours, excursion, SEED, 8_192)[0]
    few = sets(excursion, hours)[0]
    for weight in ((1.0, 0.0), (0.0, -1.0), (1.0, -1.0)):
        drawn, truth = (shortfalls(s, -np.dot(weight, np.exp(s.log_return[:, 0]) - 1.0)) for s in (few, much))
        assert truth.mean() <= float(sampling_bound(drawn[:, None])[1][0])
        assert drawn.mean() == pytest.approx(truth.mean(), rel=0.03)


def agreement(history: PriceHistory) -> None:
    """Without jumps, at the plain correlation, one asset's ES is the historical one within their bounds and 5 %."""
    settings = CalibrationSettings(replicates=60, jump_threshold_deviations=0.0)
    calibration = calibrate([history], [], settings)
    recent = model_cases.no_recent(history.symbol)
    for hours, excursion in ((24, False), (4, True)):
        plain = monte_carlo_sets(calibration, recent, hours, excursion, SEED)[0]
        path = historical_paths(calibration, recent, hours).log_return[0]
        for side, name in ((1.0, "long"), (-1.0, "short")):
            past = side * (1.0 - np.exp(path if excursion else path[-1:]))
            historical = expected_shortfall(past.max(axis=0), 0.99)
            drawn = shortfalls(plain, side * (1.0 - np.exp(plain.log_return[0, 0])))
            ratio = calibration.bound_ratio(history.symbol, hours, name)
            assert (
                historical <= float(sampling_bound(drawn[:, None])[1][0]) * ratio and drawn.mean() <= historical * ratio
            )
            assert drawn.mean() == pytest.approx(historical, rel=0.05)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"NOT RUN: no real history at {DATA}")
@pytest.mark.parametrize("symbol", ["BTC", "ETH", "XRP"])
def test_it_agrees_with_the_historical_paths_of_real_hours(symbol):
    polars = pytest.importorskip("polars", reason="NOT RUN: polars is not installed, real history cannot be read")
    bars = polars.read_parquet(DATA / f"{symbol}.parquet")
    close = np.rint(bars["close"].to_numpy().astype(np.float64) * 1e8).astype(np.int64)
    hour = bars["ts"].to_numpy() // 3_600 + 1
    agreement(PriceHistory(symbol, hour, close, bars["volume"].to_numpy().astype(np.float64)))


def test_it_agrees_with_the_historical_paths_of_simulated_hours():
    agreement(simulate_history(["BTC"], model_cases.FIRST_HOUR, 35_041, 9).prices[0])
