"""Explanations: equal to `evaluate`, parts that add up, and the same shares and scenarios by plain loops."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import COMPONENTS, Collateral, InvalidInput, Kind, MarketState, evaluate
from engine.explain import explain
from engine.kernels.profit import ProfitTable
from engine.kernels.tail import expected_shortfall, worst_stress
from engine.priced import Problem, SampledTable, price_horizon
from engine.rows import cut_into_rows
from engine.scenario_losses import tail_shares, worst_scenarios
from engine.scenarios.scenario_set import ScenarioSet
from tests import model_cases
from tests.test_engine.test_model_margin import BOOKS, BOX, FREE, LISTED, PLAIN, STATE, run

pytestmark = pytest.mark.fast
NO_RECENT = model_cases.no_recent("BTC", "ETH")
HELD = [account for account in (*BOOKS, BOX, {9: -1.0, 12: 2.0}) if account]
NEVER_NEGATIVE = {
    "model", "sampling_error", "parameter_error", "gross", "leg_floor", "liquidity", "concentration", "funding",
    "liquidation_fee", "maintenance",
}  # fmt: skip


def explained(account, model=PLAIN, state=STATE, listed=LISTED):
    return explain(model_cases.small_calibration(), NO_RECENT, state, listed, model_cases.book(account), model)


@cache
def priced_at(hours, every_hour):
    return price_horizon(problem_of(), hours, every_hour)


def problem_of(model=PLAIN):
    return Problem(model_cases.small_calibration(), tuple(NO_RECENT), STATE, LISTED, model, 1)


def rows_of(account):
    return cut_into_rows(LISTED, model_cases.book(account))


@pytest.mark.parametrize("account", [*HELD, {}, {0: 0.0, 3: 0.0}])
def test_an_explanation_is_of_what_evaluate_asks_and_adds_up(account):
    found, asked = explained(account), run(model_cases.book(account)).accounts
    assert found.initial.required_usd == asked.initial[0]
    assert found.maintenance.required_usd == asked.maintenance[0]
    assert found.initial.binding == COMPONENTS[asked.binding[0]]
    assert found.stress_unweighted_usd == asked.stress_unweighted[0]
    assert sum(leg.value_usd for leg in found.initial.legs) == pytest.approx(asked.value[0], rel=1e-12, abs=1e-9)
    for horizon in (found.initial, found.maintenance):
        amounts = dict(horizon.components)
        assert sum(amounts.values()) == pytest.approx(horizon.required_usd, rel=1e-12, abs=1e-9)
        assert all(amounts[name] >= -1e-9 for name in NEVER_NEGATIVE) and amounts["sum_of_ratios"] <= 0.0
        shares = [leg.share_usd for leg in horizon.legs]
        assert sum(shares) == pytest.approx(horizon.shared_usd, rel=1e-9, abs=1e-9)
        for name in ("liquidity", "concentration", "funding"):
            parts = sum(getattr(part, f"{name}_usd") for part in horizon.underlyings)
            assert parts == pytest.approx(amounts[name], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("account", HELD)
def test_the_shares_are_of_the_tail_that_binds(account):
    """By the kernel for the sum, and by sorted Python lists for each leg where there is one replication."""
    problem, rows = problem_of(), rows_of(account)
    for hours, every_hour in ((24, False), (4, True)):
        priced = priced_at(hours, every_hour)
        for sampled in priced.sampled:
            shares = tail_shares(problem, priced, rows, sampled.component)
            book = rows.account_indptr, rows.instrument, rows.quantity
            replicates = list(zip(sampled.replicates, sampled.probability, strict=True))
            tails = [expected_shortfall(table, *book, 0.01, p).expected_shortfall[0] for table, p in replicates]
            assert shares.loss_usd == pytest.approx(np.mean(tails), rel=1e-9, abs=1e-7)
            assert np.sum(shares.of_position) == pytest.approx(np.mean(tails), rel=1e-9, abs=1e-7)
            if len(replicates) == 1:
                naive = naive_shares(replicates[0][0].dense(), rows, 0.01, replicates[0][1])
                assert shares.of_position == pytest.approx(naive, rel=1e-9, abs=1e-7)


def naive_shares(dense, rows, tail_probability, probability):
    outcomes = []
    for s in range(dense.shape[2]):
        by_step = [
            [q * dense[i, t, s] for i, q in zip(rows.instrument, rows.quantity, strict=True)]
            for t in range(dense.shape[1])
        ]
        outcomes.append((min(by_step, key=sum), 1.0 if probability is None else probability[s]))
    outcomes.sort(key=lambda outcome: sum(outcome[0]))
    mass, before, shares = tail_probability * sum(p for _, p in outcomes), 0.0, [0.0] * rows.instrument.size
    for legs, each in outcomes:
        weight = min(max(mass - before, 0.0), each) / mass
        shares = [share - weight * leg for share, leg in zip(shares, legs, strict=True)]
        before += each
    return shares


def test_stress_shares_are_those_of_the_worst_weighted_scenario():
    problem, rows = problem_of(), rows_of({3: -1.0, 6: -1.0, 8: 4.0})
    priced = priced_at(24, False)
    shares = tail_shares(problem, priced, rows, "stress")
    losses = [
        worst_stress(table, rows.account_indptr, rows.instrument, rows.quantity).loss[0]
        for table in priced.stress_weighted
    ]
    assert shares.loss_usd == pytest.approx(max(losses), rel=1e-12)
    assert np.sum(shares.of_position) == pytest.approx(max(losses), rel=1e-12)


@pytest.mark.parametrize("measure", ["expected_shortfall", "value_at_risk"])
def test_replications_with_probabilities_share_as_the_kernel_sums(measure):
    random = np.random.default_rng(5)
    problem = problem_of(replace(PLAIN, measure=measure))
    priced = priced_at(24, False)
    tables = [ProfitTable.from_dense(random.normal(0.0, 50.0, (len(LISTED), 1, 384))) for _ in range(3)]
    weights = [random.uniform(0.0, 1.0, 384) ** 3 + 1e-6 for _ in tables]
    drawn = SampledTable("drawn here", tuple(tables), tuple(weights))
    rows = rows_of({0: 1.0, 4: -3.0, 9: 2.0})
    shares = tail_shares(problem, replace(priced, sampled=(*priced.sampled, drawn)), rows, "drawn here")
    book = rows.account_indptr, rows.instrument, rows.quantity
    tails = [expected_shortfall(t, *book, 0.01, w) for t, w in zip(tables, weights, strict=True)]
    expected = np.mean([getattr(tail, measure)[0] for tail in tails])
    assert shares.loss_usd == pytest.approx(expected, rel=1e-9)
    assert np.sum(shares.of_position) == pytest.approx(expected, rel=1e-9)


def most_of_the_tail(total, probability, count):
    """Scenarios by what they add to the 1 % tail of their own replication, by a sorted list each."""
    added = []
    size = total.size // count
    for first in range(0, total.size, size):
        mass, before = 0.01 * float(np.sum(probability[first : first + size])), 0.0
        for at in sorted(range(first, first + size), key=lambda i: total[i]):
            added.append((min(max(mass - before, 0.0), probability[at]) / mass * -total[at], at))
            before += probability[at]
    return [at for _, at in sorted(added, reverse=True)]


def test_the_worst_draws_of_several_replications_are_named_with_their_moves_and_their_share():
    random = np.random.default_rng(6)
    priced = priced_at(24, False)
    count, each = 3, 128
    profit = random.normal(0.0, 1e6, (count, len(LISTED), 1, each))
    drawn = ScenarioSet(
        name="drawn",
        hours=np.array([24]),
        log_return=random.normal(0.0, 0.1, (2, 1, count * each)),
        volatility_shock=random.normal(0.0, 0.1, (2, 1, count * each)),
        weight=np.ones((2, count * each)),
        label=tuple(f"draw {i}" for i in range(count * each)),
        probability=random.uniform(0.1, 1.0, count * each),
        scrambles=count,
    )
    tables = tuple(ProfitTable.from_dense(one) for one in profit)
    weights = tuple(drawn.probability.reshape(count, each))
    sampled = (*priced.sampled, SampledTable("drawn here", tables, weights))
    place = len(priced.sampled)
    sets = (*priced.sets[:place], drawn, *priced.sets[place:])
    worst = worst_scenarios(problem_of(), replace(priced, sampled=sampled, sets=sets), rows_of({0: 1.0, 9: -2.0}))
    total = np.concatenate([one[0, 0] - 2.0 * one[9, 0] for one in profit])
    named = [one for one in worst if one.component == "drawn here"]
    assert {one.number for one in named} == set(most_of_the_tail(total, drawn.probability, count)[:4])
    assert [one.loss_usd for one in named] == sorted((one.loss_usd for one in named), reverse=True)
    for one in named:
        assert one.label == f"draw {one.number}" and one.hour == 24
        assert one.loss_usd == one.counted_usd == pytest.approx(-total[one.number], rel=1e-12)
        assert one.probability == pytest.approx(drawn.probability[one.number] / drawn.probability.sum(), rel=1e-12)
        assert list(one.log_return) == drawn.log_return[:, 0, one.number].tolist()


def test_each_leg_alone_is_an_account_with_that_leg():
    account = {0: -1.0, 3: 2.0, 8: 3.0, 11: -4.0}
    found = explained(account)
    alone = run(model_cases.book(*({i: q} for i, q in account.items()))).accounts
    assert [leg.instrument for leg in found.initial.legs] == list(account)
    assert [leg.alone_usd for leg in found.initial.legs] == list(alone.initial)
    assert [leg.alone_usd for leg in found.maintenance.legs] == list(alone.maintenance)


def test_underlyings_are_what_gross_adds_up():
    account = {0: -2.0, 8: 20.0}
    horizon = explained(account).initial
    amounts = dict(horizon.components)
    gross = sum(part.alone_usd for part in horizon.underlyings)
    bound = amounts["model"] + amounts["sampling_error"] + amounts["parameter_error"]
    assert amounts["gross"] == pytest.approx(0.2 * (gross - bound), rel=1e-12)
    assert [part.net_usd for part in horizon.underlyings] == [-120_000.0, 60_000.0]
    assert all(part.charge_factor >= 1.0 for part in horizon.underlyings)


def test_what_binds_shows_in_its_line():
    floored = explained(BOX, replace(FREE, initial_over_maintenance=0.0)).initial
    least = explained({0: 1.0, 1: -1.0}).initial
    assert (floored.binding, least.binding) == ("leg_floor", "maintenance")
    assert dict(floored.components)["leg_floor"] > 0.0 and dict(least.components)["maintenance"] > 0.0


def test_a_cap_by_ratios_is_what_it_saves(monkeypatch):
    """A made-up sum of ratios that asks half: the line is the other half, taken off."""
    import engine.explain as module
    import engine.requirements as requirements

    before = explained({0: 1.0}, replace(PLAIN, initial_over_maintenance=0.0)).initial.required_usd
    real = requirements.sum_of_ratios

    def half(problem, rows, markets, name):
        return np.minimum(real(problem, rows, markets, name), 0.5 * before if name == "initial" else 0.25 * before)

    monkeypatch.setattr(requirements, "sum_of_ratios", half)
    monkeypatch.setattr(module, "sum_of_ratios", half)
    found = explained({0: 1.0}, replace(PLAIN, initial_over_maintenance=0.0)).initial
    assert found.binding == "sum_of_ratios"
    assert dict(found.components)["sum_of_ratios"] == pytest.approx(-0.5 * before, rel=1e-9)
    assert found.required_usd == pytest.approx(0.5 * before, rel=1e-12)


@pytest.mark.parametrize("account", HELD)
def test_the_worst_scenarios_lose_what_they_say(account):
    problem, rows = problem_of(), rows_of(account)
    for hours, every_hour in ((24, False), (4, True)):
        priced = priced_at(hours, every_hour)
        worst = worst_scenarios(problem, priced, rows)
        counted = [one.counted_usd for one in worst]
        assert counted == sorted(counted, reverse=True) and all(loss > 0.0 for loss in counted)
        assert len(worst) <= 10
        blocks = [int(one.label) for one in worst if one.component.startswith("historical")]
        assert all(abs(a - b) >= hours for n, a in enumerate(blocks) for b in blocks[:n])
        drawn = [np.concatenate([t.dense() for t in sampled.replicates], axis=2) for sampled in priced.sampled]
        tables = [*drawn, *(table.dense() for table in priced.stress)]
        names = [*(sampled.component for sampled in priced.sampled), *("stress" for _ in priced.stress)]
        for one in worst:
            losses = [
                naive_loss(table, rows, one, every_hour)
                for name, scenarios, table in zip(names, priced.sets, tables, strict=True)
                if name == one.component and one.label in scenarios.label[one.number : one.number + 1]
            ]
            assert any(one.loss_usd == pytest.approx(loss, rel=1e-9, abs=1e-9) for loss in losses)
        assert max(counted) >= worst_of_history_and_stress(priced, rows) * (1.0 - 1e-12)


def naive_loss(dense, rows, one, every_hour):
    step = one.hour - 1 if every_hour and dense.shape[1] > 1 else 0
    return -sum(q * dense[i, step, one.number] for i, q in zip(rows.instrument, rows.quantity, strict=True))


def worst_of_history_and_stress(priced, rows):
    book = rows.account_indptr, rows.instrument, rows.quantity
    equal = [s for s in priced.sampled if s.probability[0] is None]
    drawn = [expected_shortfall(t, *book, 0.01).worst[0] for s in equal for t in s.replicates]
    return max(*drawn, *(worst_stress(table, *book).loss[0] for table in priced.stress_weighted))


def test_an_arbitrage_is_explained_on_the_state_that_asks_more():
    nodes = STATE.vol_nodes.copy()
    nodes[1] *= 0.3
    names = [name for name in STATE.__dataclass_fields__ if name != "vol_nodes"]
    broken = MarketState(**{name: getattr(STATE, name) for name in names}, vol_nodes=nodes)
    for account in ({3: -1.0, 6: -1.0}, {3: 1.0, 6: 1.0}):
        found = explained(account, state=broken)
        asked = run(model_cases.book(account), state=broken).accounts
        assert found.initial.required_usd == asked.initial[0]
        assert found.maintenance.required_usd == asked.maintenance[0]
        assert sum(v for _, v in found.initial.components) == pytest.approx(asked.initial[0], rel=1e-12)
        assert any("repaired" in line for line in found.assumptions)


@pytest.mark.parametrize("account", [{0: -1.0}, {8: -20.0, 0: 1.0}, {3: -1.0, 6: -1.0}, {}])
@pytest.mark.parametrize("issuer", [(), ((1, 1),), ((1, 0),)])
@pytest.mark.parametrize("tokens", [{17: 10.0}, {16: 0.5, 17: 3.0}, {16: 0.0}])
def test_collateral_is_explained_as_it_is_charged(account, issuer, tokens):
    rows = [(int(LISTED.kind[i]), int(LISTED.underlying[i]), int(LISTED.slice[i]), LISTED.strike[i]) for i in range(16)]
    listed = model_cases.instruments(STATE, [*rows, (Kind.SPOT, 0, -1, 0.0), (Kind.SPOT, 1, -1, 0.0)])
    calibration, positions = model_cases.small_calibration(), model_cases.book(account)
    pledged = Collateral(model_cases.book(tokens), issuer)
    given = calibration, NO_RECENT, STATE, listed, positions, PLAIN
    found = explain(*given, collateral=pledged)
    result = evaluate(*given, collateral=pledged)
    asked, haircut = result.accounts, result.haircuts
    assert found.initial.binding == COMPONENTS[asked.binding[0]]
    for horizon, required in ((found.initial, asked.initial[0]), (found.maintenance, asked.maintenance[0])):
        assert horizon.required_usd == required
        amounts = dict(horizon.components)
        assert sum(amounts.values()) == pytest.approx(required, rel=1e-12, abs=1e-9)
        assert amounts["collateral"] >= -1e-9 * required
        shares = [leg.share_usd for leg in horizon.legs]
        assert sum(shares) == pytest.approx(horizon.shared_usd, rel=1e-9, abs=1e-9)
        assert sum(leg.value_usd for leg in horizon.legs) == pytest.approx(asked.value[0], rel=1e-12, abs=1e-9)
        held = {leg.instrument: leg for leg in horizon.legs if leg.is_token}
        assert set(held) == {i for i, quantity in tokens.items() if quantity}
        if horizon is found.initial:
            for i, leg in held.items():
                size = tokens[i] * STATE.spot[i - 16]
                fraction = haircut.initial[i - 16] + haircut.slope[i - 16] * size / 1e6
                assert leg.alone_usd == pytest.approx(size * min(fraction, 1.0), rel=1e-12)


def test_a_token_that_hedges_has_a_share_against_the_position():
    listed = model_cases.instruments(STATE, [(Kind.PERPETUAL, 1, -1, 0.0), (Kind.SPOT, 1, -1, 0.0)])
    given = model_cases.small_calibration(), NO_RECENT, STATE, listed, model_cases.book({0: -20.0}), PLAIN
    position, token = explain(*given, collateral=Collateral(model_cases.book({1: 12.0}))).initial.legs
    assert token.share_usd == pytest.approx(-12.0 / 20.0 * position.share_usd, rel=1e-9) and token.share_usd < 0.0


def test_one_account_at_a_time():
    with pytest.raises(InvalidInput, match="2 accounts"):
        explain(model_cases.small_calibration(), NO_RECENT, STATE, LISTED, model_cases.book({0: 1.0}, {1: 1.0}))
    with pytest.raises(InvalidInput, match="no set is called monte"):
        tail_shares(problem_of(), priced_at(4, True), rows_of({0: 1.0}), "monte")


@settings(max_examples=5, deadline=None)
@given(st.dictionaries(st.integers(0, 15), st.floats(-1e4, 1e4).filter(lambda q: abs(q) > 1e-6), max_size=8))
def test_any_book_adds_up(account):
    found = explained(account)
    asked = run(model_cases.book(account)).accounts
    for horizon, required in ((found.initial, asked.initial[0]), (found.maintenance, asked.maintenance[0])):
        assert horizon.required_usd == required
        assert sum(v for _, v in horizon.components) == pytest.approx(required, rel=1e-11, abs=1e-9)
        largest = max((abs(leg.share_usd) for leg in horizon.legs), default=0.0)
        assert sum(leg.share_usd for leg in horizon.legs) == pytest.approx(
            horizon.shared_usd, abs=1e-9 * largest + 1e-9
        )
