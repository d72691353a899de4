"""The table of profits against a plain twin, one instrument and scenario at a time, and the cases one can reckon."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.revalue_tile import CALL, FUTURE, PERPETUAL, PUT, SPOT
from tests import naive

pytestmark = pytest.mark.fast
NAMES = {SPOT: "spot", PERPETUAL: "perpetual", FUTURE: "future", CALL: "call", PUT: "put"}
DAY = 86_400
STICKINESS_UP, STICKINESS_DOWN = 1.2, 1.5


def book(*rows):
    """Columns from rows (kind, underlying, slice, strike, multiplier, inverse)."""
    kind, underlying, slice_, strike, multiplier, inverse = zip(*rows, strict=True)
    return SimpleNamespace(
        kind=np.array(kind, np.int8),
        underlying=np.array(underlying, np.int32),
        slice=np.array(slice_, np.int32),
        strike=np.array(strike, float),
        multiplier=np.array(multiplier, float),
        inverse=np.array(inverse, bool),
    )


def market(seconds=(7 * DAY, 30 * DAY, 6 * 3600), nodes=(0.95, 0.8, 0.68, 0.6, 0.62, 0.7, 0.85)):
    """Two underlyings; slices of the first, then one of the second."""
    count = len(seconds)
    owner = np.array([0] * (count - 1) + [1], np.int32)
    spot = np.array([60_000.0, 3_000.0])
    return SimpleNamespace(
        spot=spot,
        slice_underlying=owner,
        slice_seconds=np.array(seconds, np.int64),
        forward=spot[owner] * np.linspace(1.002, 1.02, count),
        vol_nodes=np.tile(np.array(nodes, float), (count, 1)) * np.linspace(1.0, 0.9, count)[:, None],
        discount=np.linspace(0.999, 0.98, count),
    )


def response(slices=3):
    """Dynamics with every coefficient different."""
    return SurfaceResponse(
        skew=np.linspace(-0.3, 0.1, slices),
        level_body=np.linspace(1.4, 0.8, slices),
        level_tail=np.linspace(1.2, 1.0, slices),
        stickiness_up=STICKINESS_UP,
        stickiness_down=STICKINESS_DOWN,
    )


def paths(scenarios=150, hours=(1, 4, 6, 24), steps=(1, 3), seed=5):
    """Random walks of two underlyings; more than one tile, and not a whole number of them."""
    rng = np.random.default_rng(seed)
    return FactorPaths(
        hours=np.array(hours, np.int64),
        log_return=rng.normal(0, 0.06, (2, len(hours), scenarios)).cumsum(axis=1),
        steps=np.array(steps, np.int64),
        level_shock=rng.normal(0, 0.2, (2, len(steps), scenarios)),
    )


def full_book():
    """Every kind, linear and inverse, near and far strikes, slices alive and expiring on the path."""
    rows = [(SPOT, 0, -1, 0, 1.0, False), (PERPETUAL, 0, -1, 0, 1.0, False), (PERPETUAL, 1, -1, 0, 10.0, True)]
    for slice_, underlying, spot in ((0, 0, 60_000), (1, 0, 60_000), (2, 1, 3_000)):
        for inverse in (False, True):
            rows.append((FUTURE, underlying, slice_, 0, 10.0, inverse))
            for kind in (CALL, PUT):
                rows += [(kind, underlying, slice_, spot * m, 0.5, inverse) for m in (0.3, 0.9, 1.0, 1.15, 4.0)]
    return book(*rows)


def twin_value(instruments, m, r, path, i, step, s):
    """Worth of one contract by the rule: DESIGN 3.2 and 3.5, forward carry and discount running off in time."""
    u, e, inverse = instruments.underlying[i], instruments.slice[i], bool(instruments.inverse[i])
    kind, strike = NAMES[instruments.kind[i]], instruments.strike[i]
    point = -1 if step is None else path.steps[step]
    elapsed = 0 if step is None else int(path.hours[point]) * 3600
    spot_return = 0.0 if step is None else path.log_return[u, point, s]
    spot = m.spot[u] * np.exp(spot_return)
    if e < 0:
        return naive.value(kind, inverse, strike, spot, spot, m.spot[u], 0.0, 1.0)
    seconds = int(m.slice_seconds[e])
    left = seconds - elapsed
    if left <= 0:
        after = next(k for k, hour in enumerate(path.hours) if hour * 3600 >= seconds)
        begins, start = (path.hours[after - 1] * 3600, path.log_return[u, after - 1, s]) if after else (0, 0.0)
        gone = (seconds - begins) / (path.hours[after] * 3600 - begins)
        settlement = m.spot[u] * np.exp(start + np.sqrt(gone) * (path.log_return[u, after, s] - start))
        return naive.value(kind, inverse, strike, spot, settlement, m.forward[e], 0.0, 1.0)
    bent = np.zeros(7)
    if step is not None and path.shape_shock is not None:
        bent = r.shape[:, e] * path.shape_shock[:, u, step, s]
    forward = spot * (m.forward[e] / m.spot[u]) ** (left / seconds) * np.exp(bent[3] + bent[4])
    discount = m.discount[e] ** (left / seconds) * np.exp(-bent[5] - bent[6])
    years = left / naive.SECONDS_PER_YEAR
    reach = 3.0 * m.vol_nodes[e, 3] * np.sqrt(max(seconds, DAY) / naive.SECONDS_PER_YEAR)
    volatility = naive.moved_volatility(
        m.vol_nodes[e], strike, forward, years, r.skew[e],
        r.stickiness_up if spot_return > 0 else r.stickiness_down, max(r.level_body[e], r.level_tail[e]),
        min(max(spot_return, -reach), reach), 0.0 if step is None else path.level_shock[u, step, s], *bent[:3],
    ) if kind in ("call", "put") else 0.0  # fmt: skip
    return naive.value(kind, inverse, strike, spot, forward, m.forward[e], volatility**2 * years, discount)


def shaped(r, path, seed=6):
    """The same with shape shocks, each of its own size and response."""
    rng = np.random.default_rng(seed)
    underlyings, steps, scenarios = path.level_shock.shape
    size = np.array([0.1, 0.05, 0.02, 0.01, 0.02, 0.05, 0.03])[:, None, None, None]
    shock = size * rng.normal(size=(7, underlyings, steps, scenarios))
    return replace(r, shape=rng.uniform(0.2, 1.5, (7, r.skew.size))), replace(path, shape_shock=shock)


@pytest.mark.parametrize("moves", [(response(), paths()), shaped(response(), paths())], ids=["plain", "shaped"])
def test_every_kind_equals_the_plain_twin(moves):
    instruments, m, (r, path) = full_book(), market(), moves
    table = revalue(instruments, m, r, path)
    dense = table.dense()
    for i in range(len(instruments.kind)):
        now = instruments.multiplier[i] * twin_value(instruments, m, r, path, i, None, 0)
        assert table.value[i] == pytest.approx(now, rel=1e-12, abs=1e-9)
        scale = instruments.multiplier[i] * m.spot[instruments.underlying[i]]
        for step in range(2):
            for s in range(0, 150, 7):
                then = instruments.multiplier[i] * twin_value(instruments, m, r, path, i, step, s)
                assert dense[i, step, s] == pytest.approx(then - now, rel=1e-11, abs=1e-12 * scale), (i, step, s)


def test_shape_shocks_without_size_change_nothing():
    r, path = shaped(response(), paths())
    still = replace(path, shape_shock=np.zeros_like(path.shape_shock))
    plain = revalue(full_book(), market(), response(), paths())
    np.testing.assert_allclose(revalue(full_book(), market(), r, still).dense(), plain.dense(), rtol=0, atol=1e-10)


def test_each_shape_shock_moves_what_it_is_named_after():
    m, instruments = market(), book((CALL, 0, 1, 75_000, 1, False), (FUTURE, 0, 1, 0, 1, False), (SPOT, 0, -1, 0, 1, 0))
    at_the_money = book((CALL, 0, 1, m.forward[1], 1, False))
    still = FactorPaths(np.zeros(1, np.int64), np.zeros((2, 1, 1)), np.zeros(1, np.int64), np.zeros((2, 1, 1)))
    r = replace(response(), shape=np.ones((7, 3)))
    moved = []
    for factor in range(7):
        shock = np.zeros((7, 2, 1, 1))
        shock[factor] = 0.1
        path = replace(still, shape_shock=shock)
        moved.append(
            [*revalue(instruments, m, r, path).dense()[:, 0, 0], *revalue(at_the_money, m, r, path).dense()[0, 0]]
        )
    call, future, spot, middle = np.array(moved).T
    assert np.array_equal(future != 0.0, [False, False, False, True, True, False, False]) and not spot.any()
    assert np.all(call[:5] > 0.0) and np.all(call[5:] < 0.0)
    # skew and curvature leave the volatility at the money alone
    assert middle[0] > 0.0 and np.all(np.abs(middle[1:3]) < 1e-9) and np.all(middle[5:] < 0.0)


def test_the_table_knows_its_largest_and_pads_with_nothing():
    table = revalue(full_book(), market(), response(), paths())
    np.testing.assert_array_equal(table.largest, np.abs(table.dense()).max(axis=(1, 2)))
    assert table.tiles.shape == (2, 2, len(table.value), TILE)
    assert not table.tiles[1, :, :, 150 - TILE :].any()


def test_nothing_moves_nothing_is_gained():
    still = FactorPaths(np.zeros(1, np.int64), np.zeros((2, 1, 3)), np.zeros(1, np.int64), np.zeros((2, 1, 3)))
    assert not revalue(full_book(), market(), response(), still).dense().any()


def test_profit_of_a_call_less_a_put_is_that_of_the_forward():
    m = market()
    table = revalue(book((CALL, 0, 1, 55_000, 1, False), (PUT, 0, 1, 55_000, 1, False)), m, response(), paths())
    path = paths()
    left = 1.0 - path.hours[path.steps] * 3600 / m.slice_seconds[1]
    forward = m.spot[0] * np.exp(path.log_return[0, path.steps]) * ((m.forward[1] / m.spot[0]) ** left)[:, None]
    discount = (m.discount[1] ** left)[:, None]
    want = discount * (forward - 55_000) - m.discount[1] * (m.forward[1] - 55_000)
    call, put = table.dense()
    np.testing.assert_allclose(call - put, want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("volatility", [0.0, 0.6])
@pytest.mark.parametrize("strike", [0.0, 1e12])
def test_edge_strikes_follow_the_forward_or_nothing(strike, volatility):
    m = market(nodes=[volatility] * 7)
    table = revalue(book((CALL, 0, 0, strike, 1, False), (PUT, 0, 0, strike, 1, False)), m, response(), paths())
    call, put = table.dense()
    assert np.isfinite(table.largest).all()
    worthless = put if strike == 0.0 else call
    assert np.abs(worthless).max() < 1e-200
    certain = call if strike == 0.0 else put
    path = paths()
    left = 1.0 - path.hours[path.steps] * 3600 / m.slice_seconds[0]
    forward = m.spot[0] * np.exp(path.log_return[0, path.steps]) * ((m.forward[0] / m.spot[0]) ** left)[:, None]
    sign = 1.0 if strike == 0.0 else -1.0
    want = sign * ((m.discount[0] ** left)[:, None] * (forward - strike) - m.discount[0] * (m.forward[0] - strike))
    np.testing.assert_allclose(certain, want, rtol=1e-12, atol=1e-9 + 4e-16 * strike)


def test_no_volatility_prices_the_payoff_of_the_forward():
    m = market(nodes=[0.0] * 7)
    table = revalue(book((CALL, 0, 0, 60_000, 1, True), (CALL, 0, 0, 60_000, 1, False)), m, response(), paths())
    assert np.isfinite(table.largest).all()
    assert table.value[1] == pytest.approx(m.discount[0] * (m.forward[0] - 60_000), rel=1e-12)


def test_expired_now_is_worth_its_payoff_and_no_longer_moves():
    m = market(seconds=(0, 30 * DAY, 6 * 3600))
    table = revalue(book((CALL, 0, 0, 50_000, 2, False), (PUT, 0, 0, 50_000, 2, False)), m, response(), paths())
    np.testing.assert_allclose(table.value, [20_000.0, 0.0], rtol=1e-14)
    assert not table.dense().any()


def test_settlement_is_read_on_the_path_at_the_second_of_expiry():
    path = paths(hours=(1, 4, 6, 24), steps=(3,))
    m = market(seconds=(4 * 3600 + 1_800, 6 * 3600, 6 * 3600))
    dense = revalue(book((FUTURE, 0, 0, 0, 1, False), (FUTURE, 0, 1, 0, 1, False)), m, response(), path).dense()
    four, six = path.log_return[0, 1], path.log_return[0, 2]
    # half an hour of two: a quarter of the variance
    between = m.spot[0] * np.exp(four + 0.5 * (six - four))
    np.testing.assert_allclose(dense[0, 0], between - m.forward[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(dense[1, 0], m.spot[0] * np.exp(six) - m.forward[1], rtol=0, atol=1e-9)


def test_what_ends_in_a_second_settles_where_the_price_is_and_is_no_hedge_for_the_hour():
    path = paths(hours=(1, 2), steps=(0, 1))
    m = market(seconds=(1, 3_601, 6 * 3600))
    puts = book((PUT, 0, 0, 60_000, 1, False), (PUT, 0, 1, 60_000, 1, False))
    dense = revalue(puts, m, response(), path).dense()
    largest_move = 60_000 * np.abs(path.log_return[0, 0]).max()
    assert np.abs(dense[0, 1]).max() < largest_move / 50
    at_one = np.maximum(60_000 * (1 - np.exp(path.log_return[0, 0])), 0.0)
    step = np.abs(np.diff(path.log_return[0], axis=0)).max()
    now = revalue(puts, m, response(), path).value[1]
    assert np.abs(dense[1, 1] - (at_one - now)).max() < 60_000 * step / 25


def test_at_the_money_only_the_level_moves_the_volatility():
    m, r = market(), response()
    path = FactorPaths(np.zeros(1, np.int64), np.zeros((2, 1, 1)), np.zeros(1, np.int64), np.full((2, 1, 1), 0.25))
    dense = revalue(book((CALL, 0, 1, m.forward[1], 1, False)), m, r, path).dense()
    years = m.slice_seconds[1] / naive.SECONDS_PER_YEAR
    atm = m.vol_nodes[1, 3]
    prices = [
        naive.black76(True, m.forward[1], m.forward[1], (atm * factor) ** 2 * years, m.discount[1])
        for factor in (1.0, np.exp(max(r.level_body[1], r.level_tail[1]) * 0.25))
    ]
    assert dense[0, 0, 0] == pytest.approx(prices[1] - prices[0], rel=1e-11)


def test_beyond_three_deviations_the_volatility_answers_no_further():
    m, r = market(seconds=(7 * DAY, 30 * DAY, 6 * 3600)), response()
    reach = 3.0 * m.vol_nodes[0, 3] * np.sqrt(7 / 365)
    # deep puts, each at the same distance from its moved forward, so that volatility alone tells them apart
    values = []
    for move in (-0.5 * reach, -reach, -2.0 * reach):
        path = FactorPaths(np.zeros(1, np.int64), np.full((2, 1, 1), move), np.zeros(1, np.int64), np.zeros((2, 1, 1)))
        strike = m.forward[0] * np.exp(move)
        table = revalue(book((PUT, 0, 0, strike, 1, False)), m, r, path)
        values.append((table.dense()[0, 0, 0] + table.value[0]) / strike)
    assert values[0] < 0.99 * values[1] and values[2] == pytest.approx(values[1], rel=1e-9)


@pytest.mark.parametrize("where", ["spot", "forward", "vol_nodes"])
def test_a_nan_is_flagged_and_never_let_go(where):
    m = market()
    getattr(m, where)[0] = np.nan
    table = revalue(book((CALL, 0, 0, 60_000, 1, False), (PERPETUAL, 1, -1, 0, 1, False)), m, response(), paths())
    assert np.isnan(table.largest[0])
    assert np.isfinite(table.largest[1])


def test_a_nan_in_one_scenario_is_flagged_whichever_step_and_tile():
    for place in ((0, 1, 3), (0, 3, 149)):
        path = paths()
        path.log_return[place] = np.nan
        assert np.isnan(revalue(book((PERPETUAL, 0, -1, 0, 1, False)), market(), response(), path).largest[0])


@pytest.mark.parametrize("scenarios", [1, TILE - 1, TILE, TILE + 1])
def test_any_number_of_scenarios(scenarios):
    one = revalue(full_book(), market(), response(), paths(scenarios=scenarios))
    two = revalue(full_book(), market(), response(), paths(scenarios=scenarios), threads=2)
    assert one.dense().shape[2] == scenarios
    assert one.tiles.tobytes() == two.tiles.tobytes()


def test_tiling_a_plain_array_and_back():
    profit = np.random.default_rng(1).normal(size=(3, 2, 300))
    table = ProfitTable.from_dense(profit)
    np.testing.assert_array_equal(table.dense(), profit)
    np.testing.assert_array_equal(table.largest, np.abs(profit).max(axis=(1, 2)))
