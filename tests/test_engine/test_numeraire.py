"""Inverse markets are asked in coin: the tail of q / (1 - q), not the transform of the tail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import Instruments, Kind, ModelConfiguration
from engine.addons import liquidity_curve
from engine.kernels.profit import TILE, ProfitTable
from engine.numeraire import in_coin
from engine.priced import price_horizon
from engine.ratios import instrument_ratios
from tests import model_cases, naive_model
from tests.test_engine.test_model_margin import STATE, problem_of, run

pytestmark = pytest.mark.fast
KINDS = [(Kind.PERPETUAL, 0, -1, 0.0), (Kind.PERPETUAL, 0, -1, 0.0), (Kind.CALL, 0, 1, 63_000.0)]
PLAIN_ROWS = model_cases.instruments(STATE, KINDS)
LINEAR, INVERSE, INVERSE_CALL = range(3)
LISTED = Instruments(
    **{n: getattr(PLAIN_ROWS, n) for n in ("kind", "underlying", "slice", "seconds_to_expiry", "strike")},
    market_id=np.arange(3),
    multiplier=np.array([1.0, 100.0, 1.0]),
    inverse=np.array([False, True, True]),
)
BARE = ModelConfiguration(monte_carlo_points=0, stress_weight=0.0, trend_addon=False, leg_floor_fraction=0.0)


@pytest.fixture(scope="module", params=[False, True], ids=["end", "every hour"])
def priced(request):
    problem = problem_of(STATE, LISTED, BARE)
    return problem, price_horizon(problem, 4, every_hour=request.param)


def _spot_ratio(horizon):
    steps = horizon.sampled[0].replicates[0].tiles.shape[1]
    return np.exp(horizon.sets[0].log_return[0, -steps:])


def test_a_long_inverse_perpetual_loses_q_over_one_minus_q(priced):
    problem, horizon = priced
    ratio = _spot_ratio(horizon)
    coin = in_coin(problem, horizon, np.array([INVERSE]))
    q = 1.0 - ratio
    expected = -(1.0 / (1.0 - q) - 1.0) * 100.0
    np.testing.assert_allclose(coin.sampled[0].replicates[0].dense()[0], expected, rtol=1e-9, atol=1e-9)


def test_the_ratio_is_the_tail_of_the_transformed_loss_and_lies_above_the_transformed_tail(priced):
    problem, horizon = priced
    still = replace(STATE, funding_rate_hourly=np.zeros(2))
    model = replace(BARE, spread_fraction=0.0, impact_coefficient=0.0, funding_change_hourly=0.0)
    free = replace(problem, model=model, market=still)
    curve = liquidity_curve(free.calibration, free.recent, still, model)
    result = instrument_ratios(free, horizon, curve, 0.0).ratio
    q = 1.0 - _spot_ratio(horizon).min(axis=0)
    by_hand = naive_model.expected_shortfall(q / (1.0 - q), 0.99)
    assert result[0, 0, INVERSE] == pytest.approx(by_hand, rel=1e-9)
    tail = result[0, 0, LINEAR]
    assert result[0, 0, INVERSE] > tail / (1.0 - tail) * (1 + 1e-6)
    # a short gains coins' worth less where it loses: cheaper in coin than in USD
    assert result[0, 1, INVERSE] < result[0, 1, LINEAR]


def test_stress_asks_what_is_delta_one_for_its_range(priced):
    problem, horizon = priced
    coin = in_coin(problem, horizon, np.array([INVERSE]))
    stress = horizon.sets[1]
    place = stress.label.index("all -66%")
    fall = horizon.ranges.fall[0]
    assert -coin.stress_weighted[0].dense()[0, 0, place] == pytest.approx(100.0 * fall / (1.0 - fall), rel=1e-9)


def test_an_inverse_option_is_divided_too_and_accounts_stay_in_usd(priced):
    problem, horizon = priced
    coin = in_coin(problem, horizon, np.array([INVERSE, INVERSE_CALL]))
    usd = horizon.sampled[0].replicates[0].dense()[INVERSE_CALL]
    np.testing.assert_allclose(coin.sampled[0].replicates[0].dense()[1], usd / _spot_ratio(horizon), rtol=1e-9)
    same = model_cases.book({LINEAR: -1.0}, {INVERSE: -600.0})
    linear, inverse = run(same, BARE, listed=LISTED).accounts.initial_point
    assert inverse == pytest.approx(linear, rel=1e-9)


def test_a_short_inverse_book_in_usd_is_not_capped_by_ratios_in_coin():
    accounts = run(model_cases.book({INVERSE: -600.0}), BARE, listed=LISTED)
    markets = accounts.markets
    size = 60_000.0
    asked = size * (markets.initial_short[INVERSE] + markets.slope_short[INVERSE] * size / 1e6)
    assert asked < accounts.accounts.initial[0]


def test_each_replicate_is_divided_by_its_own_scenarios(priced):
    problem, horizon = priced
    whole, paths = horizon.sampled[0], horizon.sets[0]
    table, count = whole.replicates[0], 2 * TILE
    tiles = table.tiles[:2]
    cut = replace(
        paths,
        log_return=paths.log_return[:, :, :count],
        volatility_shock=paths.volatility_shock[:, :, :count],
        weight=paths.weight[:, :count],
        label=paths.label[:count],
        scrambles=2,
    )
    halves = tuple(ProfitTable(tiles[k : k + 1], TILE, table.largest, table.value) for k in range(2))
    drawn = replace(whole, replicates=halves, probability=(None, None))
    rows = np.array([INVERSE])
    two = in_coin(problem, replace(horizon, sampled=(drawn,), sets=(cut, *horizon.sets[1:])), rows)
    one = in_coin(problem, horizon, rows).sampled[0].replicates[0].dense()
    for k, half in enumerate(two.sampled[0].replicates):
        np.testing.assert_array_equal(half.dense(), one[:, :, k * TILE : (k + 1) * TILE])


def test_monte_carlo_is_divided_scramble_by_scramble():
    problem = problem_of(STATE, LISTED, replace(BARE, monte_carlo_points=128))
    horizon = price_horizon(problem, 4, every_hour=False)
    coin = in_coin(problem, horizon, np.array([INVERSE_CALL]))
    assert len(coin.sampled) == 4
    for before, after, scenarios in zip(horizon.sampled, coin.sampled, horizon.sets, strict=False):
        ratios = np.split(np.exp(scenarios.log_return[0, -1]), len(before.replicates))
        for usd, turned, ratio in zip(before.replicates, after.replicates, ratios, strict=True):
            np.testing.assert_allclose(turned.dense()[0, 0], usd.dense()[INVERSE_CALL, 0] / ratio, rtol=1e-9)
