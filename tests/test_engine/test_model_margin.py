"""Requirements of accounts: against a naive twin, and the properties that a margin must have."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from engine import COMPONENTS, Instruments, Kind, ModelConfiguration, Positions, evaluate
from engine.addons import funding_fraction, is_perpetual, liquidity_curve
from engine.bounds import charge_factors, factor_of
from engine.kernels.profit import ProfitTable
from engine.margin import portfolio, sum_of_ratios
from engine.priced import Problem, SampledTable, price_horizon
from engine.ratios import instrument_ratios, market_ratios
from engine.rows import cut_into_rows
from engine.scenarios import stress
from tests import model_cases, naive, naive_model

pytestmark = pytest.mark.fast
PLAIN = ModelConfiguration(monte_carlo_points=128)
FREE = replace(PLAIN, liquidation_fee_fraction=0.0, spread_fraction=0.0, impact_coefficient=0.0)
STATE = model_cases.market()
LISTED = model_cases.catalogue(STATE)
BTC_PERPETUAL, BTC_FUTURE, BTC_CALL, BTC_PUT = 0, 1, 3, 6
ETH_PERPETUAL = 8
BOX = {2: 1.0, 5: -1.0, 4: -1.0, 7: 1.0}
"""Long the 0.9 call and the 1.1 put, short the 1.1 call and the 0.9 put: worth the same wherever spot goes."""
BOOKS = (
    {BTC_PERPETUAL: 1.5},
    {BTC_PERPETUAL: -2.0, ETH_PERPETUAL: 20.0},
    {BTC_CALL: -1.0, BTC_PUT: -1.0},
    {BTC_CALL: 2.0, BTC_PERPETUAL: -1.0, ETH_PERPETUAL: 3.0, 11: -4.0},
    {BTC_PERPETUAL: 1.0, BTC_FUTURE: -1.0},
    {ETH_PERPETUAL: 3_000.0},
    {},
)


def run(positions, model=PLAIN, state=STATE, listed=LISTED, recent=None, threads=1, calibration=None):
    calibration = calibration or model_cases.small_calibration()
    recent = recent or model_cases.no_recent(*state.symbols)
    return evaluate(calibration, recent, state, listed, positions, model, threads)


def problem_of(state, listed, model=PLAIN):
    recent = tuple(model_cases.no_recent(*state.symbols))
    return Problem(model_cases.small_calibration(), recent, state, listed, model, 1)


def initial(*accounts, **options):
    return run(model_cases.book(*accounts), **options).accounts.initial


def naive_requirement(problem, hours, every_hour, account, fee):
    """DESIGN 3.9 by loops over the priced tables, before the cap by ratios."""
    priced = price_horizon(problem, hours, every_hour)
    model, listed, spot = problem.model, problem.instruments, problem.market.spot
    factors = charge_factors(problem, hours)
    funding = funding_fraction(problem.calibration, problem.market, model, hours)
    curve = liquidity_curve(problem.calibration, problem.recent, problem.market, model)
    lists = [
        (table.dense()[:, 0], s.weight)
        for table, s in zip(priced.stress, priced.sets[len(priced.sampled) :], strict=True)
    ]
    # row: only what the account holds, since plain loops over everything would take minutes
    drawn = [
        [
            ({i: table.dense()[i].tolist() for i in account}, None if p is None else p.tolist())
            for table, p in zip(sampled.replicates, sampled.probability, strict=True)
        ]
        for sampled in priced.sampled
    ]

    def tail(quantities):
        figures = [0.0]
        for replicates in drawn:
            shortfalls = []
            for table, probability in replicates:
                steps = [[-math.fsum(q * x for q, x in zip([q for _, q in quantities], column, strict=True))
                          for column in zip(*rows, strict=True)]
                         for rows in zip(*(table[i] for i, _ in quantities), strict=True)]  # fmt: skip
                worst = [max(losses) for losses in zip(*steps, strict=True)]
                weights = [1.0] * len(worst) if probability is None else probability
                shortfalls.append(naive.tail([-x for x in worst], weights, 1.0 - model.es_level)[0])
            figures.append(naive_model.with_sampling_error(shortfalls))
        return max(figures)

    def worst_stress(quantities):
        return max(naive_model.stressed(d, w[listed.underlying], quantities) for d, w in lists)

    parts, tails, ratios, added, legs = [], [], [], 0.0, 0.0
    for u in range(2):
        own = [(i, q) for i, q in account.items() if listed.underlying[i] == u]
        if not own:
            continue
        notional = [(q * spot[u], i) for i, q in own]
        net, option = sum(n for n, _ in notional), any(listed.kind[i] >= Kind.CALL for i, _ in own)
        ratio = factor_of(factors, np.array([u]), np.array([option]), np.array([net]))[0]
        tails.append(tail(own))
        ratios.append(ratio)
        parts.append((ratio * tails[-1], worst_stress(own)))
        up = abs(sum(q * priced.rise_profit[i] for i, q in own)) / priced.ranges.rise[u]
        down = abs(sum(q * priced.fall_profit[i] for i, q in own)) / priced.ranges.fall[u]
        steepest = max(abs(sum(q * stretch[i] for i, q in own)) for stretch in priced.slopes.stretch)
        size = np.array([max(up, down, min(steepest, sum(abs(n) for n, _ in notional)))])
        added += (curve.liquidity(size, np.array([u])) + curve.concentration(size, np.array([u])))[0]
        added += abs(sum(n for n, i in notional if is_perpetual(listed)[i])) * funding[u]
        legs += sum(abs(n) for n, _ in notional)
    whole = list(account.items())
    mean = sum(r * t for r, t in zip(ratios, tails, strict=True)) / sum(tails)
    joint = (mean * tail(whole), worst_stress(whole))
    return naive_model.portfolio(parts, joint, model.gross_weight, model.leg_floor_fraction * legs, added + fee * legs)


@pytest.mark.parametrize("row", [0, 1, 3, 4])
def test_account_against_its_naive_twin(row):
    calibration = model_cases.small_calibration()
    recent = [model_cases.recent_move(calibration, s, [-0.02, -0.03, 0.01]) for s in ("BTC", "ETH")]
    account, state = BOOKS[row], model_cases.market_at(recent)
    listed = model_cases.catalogue(state)
    problem = Problem(calibration, tuple(recent), state, listed, PLAIN, 1)
    start = naive_requirement(problem, 24, False, account, 0.0)
    keep = naive_requirement(problem, 4, True, account, PLAIN.liquidation_fee_fraction)
    result = run(model_cases.book(account), recent=recent, state=state, listed=listed).accounts
    assert result.maintenance[0] == pytest.approx(keep, rel=1e-9)
    assert result.initial[0] == pytest.approx(max(start, 1.1 * keep), rel=1e-9)


def test_the_order_between_the_figures_holds_for_every_account():
    result = run(model_cases.book(*BOOKS)).accounts
    assert np.all(result.initial >= result.maintenance * 1.1) and np.all(result.maintenance >= 0)
    assert np.all(result.initial >= result.initial_point) and np.all(result.maintenance >= result.maintenance_point)
    assert np.all(np.isfinite(result.initial)) and np.all(np.isfinite(result.value))
    assert result.initial[-1] == 0.0 and COMPONENTS[result.binding[-1]] == "none"


def test_a_larger_position_never_asks_less():
    for account in BOOKS[:-1]:
        sizes = [{i: q * factor for i, q in account.items()} for factor in (0.01, 0.5, 1.0, 1.0001, 3.0, 1_000.0)]
        assert np.all(np.diff(initial(*sizes)) > 0.0)


def test_one_more_stress_never_asks_less(monkeypatch):
    model = replace(PLAIN, monte_carlo_points=0)
    before = initial(*BOOKS, model=model)
    monkeypatch.setitem(stress.REPLAYS, "worse", ({stress.OTHERS: -0.9}, 40.0))
    after = initial(*BOOKS, model=model)
    assert np.all(after >= before) and np.any(after > before)


def test_a_riskless_box_costs_its_legs_only():
    result = run(model_cases.book(BOX), FREE).accounts
    assert result.initial[0] == pytest.approx(1.1 * 0.002 * 4 * 60_000, rel=1e-6)
    floored = run(model_cases.book(BOX), replace(FREE, initial_over_maintenance=0.0)).accounts
    assert floored.initial[0] == pytest.approx(0.002 * 4 * 60_000, rel=1e-6)
    assert COMPONENTS[floored.binding[0]] == "leg_floor"


def test_a_hedge_asks_less_but_not_less_than_the_gross_share():
    legs = {BTC_PERPETUAL: 1.0}, {ETH_PERPETUAL: -20.0}
    long, short, both = initial(*legs, legs[0] | legs[1])
    assert both < 0.9 * (long + short) and both > 0.2 * (long + short)
    basis, leg = initial({BTC_PERPETUAL: 1.0, BTC_FUTURE: -1.0}, {BTC_PERPETUAL: 1.0})
    assert basis < 0.25 * leg


def test_a_short_straddle_asks_less_than_its_legs_but_not_nothing_and_a_long_option_at_most_its_value():
    straddle, call, put = initial({BTC_CALL: -1.0, BTC_PUT: -1.0}, {BTC_CALL: -1.0}, {BTC_PUT: -1.0})
    assert 0.03 * 60_000 < straddle < 0.8 * (call + put)
    free = replace(FREE, leg_floor_fraction=0.0, initial_over_maintenance=0.0)
    held = run(model_cases.book({BTC_CALL: 1.0}), free).accounts
    factor = charge_factors(problem_of(STATE, LISTED), 24)[0, 3]
    assert held.initial[0] <= factor * held.value[0]


def two_rare_losses():
    """Three scenarios in which BTC loses 100 a contract, and three others in which ETH does: of 384, by VaR 99."""
    problem = problem_of(STATE, LISTED, replace(PLAIN, measure="value_at_risk"))
    profit = np.zeros((len(LISTED), 1, 384))
    profit[BTC_PERPETUAL, 0, :3] = profit[ETH_PERPETUAL, 0, 3:6] = -100.0
    sampled = (SampledTable("historical", (ProfitTable.from_dense(profit),), (None,)),)
    priced = replace(price_horizon(problem, 24, False), sampled=sampled, stress=(), stress_weighted=())
    recent = model_cases.no_recent("BTC", "ETH")
    curve = liquidity_curve(model_cases.small_calibration(), recent, STATE, problem.model)
    rows = cut_into_rows(LISTED, model_cases.book({}, {BTC_PERPETUAL: 1.0, ETH_PERPETUAL: 1.0}))
    return problem, rows, priced, curve


def test_where_no_part_loses_the_bound_takes_the_largest_factor():
    problem, rows, priced, curve = two_rare_losses()
    loss = portfolio(problem, rows, rows, priced, curve, 0.0).loss
    largest = charge_factors(problem, 24)[:, 0].max()
    assert np.all(loss.gross == 0.0) and loss.own[1, 1] == 100.0 and largest > 1.0
    assert loss.own[2, 1] == pytest.approx(100.0 * largest, rel=1e-12) and loss.own[2, 0] == 0.0


def test_ratios_cap_nothing_by_a_measure_whose_sum_over_parts_is_no_bound():
    problem, rows, priced, curve = two_rare_losses()
    ratios = instrument_ratios(problem, priced, curve, 0.0)
    markets = market_ratios(problem, ratios, ratios, curve)
    assert np.all(np.isinf(sum_of_ratios(problem, rows, markets, "initial")))
    shortfall = replace(problem, model=PLAIN)
    assert np.all(np.isfinite(sum_of_ratios(shortfall, rows, markets, "initial")))


@pytest.mark.parametrize("hourly", [-0.02, 0.02])
def test_the_trend_add_on_never_lowers_and_raises_the_side_of_the_move(hourly):
    calibration = model_cases.small_calibration()
    recent = [model_cases.recent_move(calibration, s, [hourly] * 20) for s in ("BTC", "ETH")]
    books = (*BOOKS[:-1], {BTC_CALL: 1.0, BTC_PUT: 1.0}, {BTC_PERPETUAL: -1.5})
    state = model_cases.market_at(recent)
    with_trend = initial(*books, recent=recent, state=state)
    without = initial(*books, recent=recent, state=state, model=replace(PLAIN, trend_addon=False))
    assert np.all(with_trend >= without)
    side = 0 if hourly < 0 else -1
    assert with_trend[side] > 1.02 * without[side]


def test_a_calmer_past_day_asks_less_than_a_wild_one():
    calibration = model_cases.small_calibration()
    calm = [model_cases.recent_move(calibration, s, [0.0] * 24) for s in ("BTC", "ETH")]
    wild = [model_cases.recent_move(calibration, s, [0.03, -0.03] * 12) for s in ("BTC", "ETH")]
    exposed = [BOOKS[row] for row in (0, 1, 2, 5)]
    after_wild = initial(*exposed, recent=wild, state=model_cases.market_at(wild))
    assert np.all(after_wild > 1.05 * initial(*exposed, recent=calm))


def test_a_crash_in_the_running_hour_counts_at_once():
    calibration = model_cases.small_calibration()
    recent = [model_cases.recent_move(calibration, s, [0.0] * 3) for s in ("BTC", "ETH")]
    state = model_cases.market(spot=(0.8 * 60_000.0, 0.8 * 3_000.0))
    listed = model_cases.catalogue(state)
    crashed = initial({BTC_PERPETUAL: 1.0}, recent=recent, state=state, listed=listed)
    settled = [model_cases.recent_move(calibration, s, [0.0, 0.0, 0.0, float(np.log(0.8))]) for s in ("BTC", "ETH")]
    assert crashed == pytest.approx(initial({BTC_PERPETUAL: 1.0}, recent=settled, state=state, listed=listed), rel=1e-6)
    assert crashed > 1.5 * 0.8 * initial({BTC_PERPETUAL: 1.0}, recent=recent)


def test_prices_in_another_unit_change_nothing():
    # tenfold contracts at a tenth of the price are the same book; impact depends on volume in coins, so it is off
    tenth = model_cases.market(spot=(6_000.0, 300.0))
    same = [{i: 10.0 * q for i, q in account.items()} for account in BOOKS]
    cheap = model_cases.small_calibration(0.1)
    ours = initial(*same, model=FREE, state=tenth, listed=model_cases.catalogue(tenth), calibration=cheap)
    concentration_free = initial(*BOOKS, model=FREE)
    ordinary = [0, 1, 2, 3, 4]
    # closes have eight decimals whatever the unit: the last digits of returns differ
    np.testing.assert_allclose(ours[ordinary], concentration_free[ordinary], rtol=1e-6)


def test_multiplier_is_size():
    double = Instruments(**{n: getattr(LISTED, n) for n in LISTED.__dataclass_fields__ if n != "multiplier"},
                         multiplier=np.full(len(LISTED), 2.0))  # fmt: skip
    halves = [{i: 0.5 * q for i, q in account.items()} for account in BOOKS]
    np.testing.assert_allclose(initial(*halves, listed=double), initial(*BOOKS), rtol=1e-12)


def test_an_account_does_not_depend_on_the_others_nor_on_the_order_of_its_positions():
    together = run(model_cases.book(*BOOKS)).accounts
    for row, account in enumerate(BOOKS):
        alone = run(model_cases.book(account)).accounts
        assert alone.initial[0] == together.initial[row] and alone.binding[0] == together.binding[row]
    backwards = run(model_cases.book(*(dict(reversed(account.items())) for account in BOOKS))).accounts
    np.testing.assert_allclose(backwards.initial, together.initial, rtol=1e-12)


def test_bytes_do_not_depend_on_threads():
    def all_bytes(threads):
        result = run(model_cases.book(*(BOOKS * 40)), threads=threads)
        arrays = [getattr(part, n) for part in (result.markets, result.accounts) for n in part.__dataclass_fields__]
        return [array.tobytes() for array in arrays], result.scenario_set_hash

    assert all_bytes(1) == all_bytes(2) == all_bytes(3)


def test_marks_are_the_value():
    accounts = run(model_cases.book({BTC_PERPETUAL: 2.0}, {BTC_FUTURE: -1.0}, {BTC_CALL: 1.0, BTC_PUT: -1.0})).accounts
    forward = STATE.forward[1]
    assert accounts.value[0] == pytest.approx(120_000.0) and accounts.value[1] == pytest.approx(-forward)
    assert accounts.value[2] == pytest.approx(forward - 60_000.0)


def test_no_account_at_all_still_gives_market_ratios():
    result = run(Positions(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0)))
    assert result.accounts.initial.size == 0 and result.markets.market_id.size == 8


def test_unweighted_stress_is_reported_beside():
    accounts = run(model_cases.book({BTC_PERPETUAL: 1.0}, {BTC_PERPETUAL: -1.0})).accounts
    curve = liquidity_curve(model_cases.small_calibration(), model_cases.no_recent("BTC", "ETH"), STATE, PLAIN)
    closing = 60_000 * (curve.half_spread + curve.impact[0] * (60_000 / 0.02) ** 0.5)  # at a fiftieth of the depth
    assert accounts.stress_unweighted[0] == pytest.approx(0.66 * 60_000 + closing)
    assert accounts.stress_unweighted[1] == pytest.approx(5.0 * 60_000 + closing)
    assert closing > 7.0 * 60_000 * curve.impact[0] * 60_000**0.5
