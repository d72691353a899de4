"""Collateral: simulated with the positions, never a reason to ask more than its haircut, nor less than it hedges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import COMPONENTS, Collateral, Instruments, InvalidInput, Kind, evaluate
from engine.addons import liquidity_curve
from engine.bounds import charge_factors
from engine.charge import charge_accounts, price_book
from engine.priced import price_horizon
from engine.rows import cut_into_rows
from tests import model_cases, naive, naive_model
from tests.test_engine.test_model_margin import PLAIN as MODEL
from tests.test_engine.test_model_margin import STATE, problem_of, run

pytestmark = pytest.mark.fast
BASE = model_cases.instruments(
    STATE,
    [(Kind.PERPETUAL, 0, -1, 0.0), (Kind.PERPETUAL, 1, -1, 0.0), (Kind.CALL, 0, 1, 60_000.0),
     (Kind.PUT, 0, 1, 60_000.0), (Kind.SPOT, 0, -1, 0.0), (Kind.SPOT, 1, -1, 0.0)],
)  # fmt: skip
LISTED = Instruments(
    **{name: getattr(BASE, name) for name in BASE.__dataclass_fields__ if name != "market_id"},
    market_id=np.array([10, 11, 30, 40, -1, -1]),
)
BTC, ETH, CALL, PUT, BTC_TOKEN, ETH_TOKEN = range(6)
FREE = replace(MODEL, spread_fraction=0.0, impact_coefficient=0.0, liquidation_fee_fraction=0.0, leg_floor_fraction=0.0,
               initial_over_maintenance=0.0, stress_weight=0.0)  # fmt: skip
PRICED = price_book(problem_of(STATE, LISTED, MODEL))
UNIT = {BTC_TOKEN: 60_000.0, ETH_TOKEN: 3_000.0}
BOOKS = (
    {BTC: 1.0}, {BTC: -1.0}, {BTC: -2.0, ETH: 20.0}, {CALL: -1.0, PUT: -1.0}, {CALL: 1.0, BTC: -0.5},
    {ETH: 5_000.0}, {},
)  # fmt: skip


def charged(account, tokens, same_issuer=()):
    """Requirements of one account with collateral, from the market priced once."""
    rows = cut_into_rows(LISTED, model_cases.book(account))
    return charge_accounts(PRICED, rows, Collateral(model_cases.book(tokens), same_issuer))


def haircut_value(token, quantity, name="initial"):
    haircuts = PRICED.haircuts
    row = list(haircuts.underlying).index(LISTED.underlying[token])
    size = quantity * UNIT[token]
    own = size * min(1.0, getattr(haircuts, name)[row] + haircuts.slope[row] * size / 1e6)
    return own if name == "maintenance" else max(own, 1.1 * haircut_value(token, quantity, "maintenance"))


def alone(account):
    """Requirement of the positions without the cap by ratios, which is for books of cash."""
    rows = cut_into_rows(LISTED, model_cases.book(account))
    high = {name: np.full_like(getattr(PRICED.markets, name), 1e6) for name in PRICED.markets.__dataclass_fields__
            if name.startswith(("initial", "maintenance"))}  # fmt: skip
    return charge_accounts(replace(PRICED, markets=replace(PRICED.markets, **high)), rows)


def test_no_token_and_none_of_a_token_change_nothing():
    positions = model_cases.book(*BOOKS)
    plain = run(positions, listed=LISTED)
    for tokens in (model_cases.book(*({} for _ in BOOKS)), model_cases.book(*({BTC_TOKEN: 0.0} for _ in BOOKS))):
        none = _evaluate(positions, Collateral(tokens, ((0, 0),)))
        for name in plain.accounts.__dataclass_fields__:
            assert getattr(none.accounts, name).tobytes() == getattr(plain.accounts, name).tobytes(), name


def _evaluate(positions, collateral, model=MODEL, threads=1):
    recent = model_cases.no_recent(*STATE.symbols)
    calibration = model_cases.small_calibration()
    return evaluate(calibration, recent, STATE, LISTED, positions, model, threads, collateral=collateral)


def shortfalls(replicates, sampled):
    """Expected shortfall at 99 % of each replication of a drawn set; one array of losses each."""
    weights = ([1.0] * lost.size if p is None else p for lost, p in zip(replicates, sampled.probability, strict=True))
    return [naive.tail(-lost, w, 0.01)[0] for lost, w in zip(replicates, weights, strict=True)]


def test_a_haircut_is_the_shortfall_of_one_unit_plus_the_cost_of_selling_it():
    problem, haircuts = PRICED.problem, PRICED.haircuts
    assert list(haircuts.underlying) == [0, 1]
    curve = liquidity_curve(problem.calibration, problem.recent, STATE, MODEL)
    for row in range(2):
        figures = {}
        for hours, every in ((24, False), (4, True)):
            priced = price_horizon(problem, hours, every)
            tails = []
            for sampled, scenarios in zip(priced.sampled, priced.sets, strict=False):
                steps = slice(None) if every else slice(-1, None)
                lost = np.split((1.0 - np.exp(scenarios.log_return[row, steps])).max(axis=0), len(sampled.replicates))
                tails.append(naive_model.with_sampling_error(shortfalls(lost, sampled)))
            stressed = naive_model.stressed(
                [priced.stress[0].dense()[4 + row, 0]], [priced.sets[-2].weight[row]], [(0, 1.0)]
            ) / UNIT[4 + row]  # fmt: skip
            factor = charge_factors(problem, hours)[row, 0]
            figures[hours] = max(factor * max(tails), stressed) + curve.base(MODEL.reference_size_usd)[row]
        assert haircuts.maintenance[row] == pytest.approx(figures[4], rel=1e-9)
        assert haircuts.initial[row] == pytest.approx(max(figures[24], 1.1 * figures[4]), rel=1e-9)
    assert np.all(haircuts.slope == curve.slope(MODEL.reference_size_usd))


def test_the_coin_itself_hedges_a_short_and_adds_to_a_long():
    short, long = charged({BTC: -1.0}, {BTC_TOKEN: 1.0}), charged({BTC: 1.0}, {BTC_TOKEN: 1.0})
    assert short.initial[0] < 0.25 * alone({BTC: -1.0}).initial[0]
    assert long.initial[0] > 1.8 * alone({BTC: 1.0}).initial[0]


def test_a_covered_call_asks_the_tail_of_the_two_together():
    # by hand, nothing added: one underlying, so gross and model are one
    problem = problem_of(STATE, LISTED, FREE)
    priced = price_horizon(problem, 24, every_hour=False)
    tail = 0.0
    for sampled in priced.sampled:
        tables = (table.dense()[:, 0] for table in sampled.replicates)
        tail = max(tail, float(np.mean(shortfalls([table[CALL] - table[BTC_TOKEN] for table in tables], sampled))))
    accounts = _evaluate(model_cases.book({CALL: -1.0}), Collateral(model_cases.book({BTC_TOKEN: 1.0})), FREE).accounts
    stress = max(
        naive_model.stressed([t.dense()[i, 0] for i in (CALL, BTC_TOKEN)], [s.weight[0]] * 2, [(0, -1.0), (1, 1.0)])
        for t, s in zip(priced.stress, priced.sets[len(priced.sampled) :], strict=True)
    )
    assert accounts.initial_point[0] == pytest.approx(max(tail, stress), rel=1e-9)


def test_equity_counts_the_mark_and_linear_books_with_tokens_are_not_capped_by_ratios():
    accounts = charged({BTC: 1.0}, {ETH_TOKEN: 2.0, BTC_TOKEN: 0.5})
    assert accounts.value[0] == pytest.approx(60_000.0 + 6_000.0 + 30_000.0)
    assert COMPONENTS[accounts.binding[0]] != "sum_of_ratios"


def test_tokens_enter_neither_leg_floor_nor_funding_nor_fee():
    priced = price_book(problem_of(STATE, LISTED, replace(FREE, leg_floor_fraction=10.0, liquidation_fee_fraction=0.5)))
    rows = cut_into_rows(LISTED, model_cases.book({BTC: 1.0}))
    with_token = charge_accounts(priced, rows, Collateral(model_cases.book({ETH_TOKEN: 100.0})))
    without = charge_accounts(priced, rows)
    # floors of ten times the leg hide every tail, so what is left is the legs' own, capped by ratios without the token
    assert with_token.maintenance[0] == pytest.approx(10.5 * 60_000, rel=1e-3)
    assert without.maintenance[0] == pytest.approx(10.5 * 60_000, rel=1e-3)


def test_an_account_of_tokens_alone_asks_their_haircut():
    accounts = charged({}, {ETH_TOKEN: 10.0})
    assert 0.9 * haircut_value(ETH_TOKEN, 10.0) <= accounts.initial[0] <= haircut_value(ETH_TOKEN, 10.0) * (1 + 1e-12)
    assert COMPONENTS[accounts.binding[0]] not in ("none", "gross", "leg_floor", "sum_of_ratios", "unmodelled")


def test_tokens_too_many_to_be_sold_count_for_nothing_and_cost_no_more():
    size = 1e9
    accounts, positions = charged({BTC: 1.0}, {ETH_TOKEN: size}), alone({BTC: 1.0})
    assert accounts.maintenance[0] == pytest.approx(size * 3_000.0 + positions.maintenance[0], rel=1e-12)
    assert accounts.initial[0] == pytest.approx(1.1 * accounts.maintenance[0], rel=1e-12)
    assert COMPONENTS[accounts.binding[0]] == "maintenance"


TOKENS = st.dictionaries(
    st.sampled_from([BTC_TOKEN, ETH_TOKEN]), st.floats(0.0, 1e5) | st.floats(0.0, 1e10), min_size=1
)


def test_by_value_at_risk_tokens_are_charged_together_with_the_positions_whatever_their_haircut():
    account, tokens = {BTC: -1.0}, {BTC_TOKEN: 1e9}
    problem = replace(PRICED.problem, model=replace(MODEL, measure="value_at_risk"))
    rows = cut_into_rows(LISTED, model_cases.book(account))
    by_value_at_risk = charge_accounts(replace(PRICED, problem=problem), rows, Collateral(model_cases.book(tokens)))
    least = alone(account).initial[0] + haircut_value(BTC_TOKEN, 1e9)
    # so many cannot be sold: their haircut is their value, and selling them costs more
    assert charged(account, tokens).initial[0] <= least < by_value_at_risk.initial[0]


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(BOOKS), TOKENS)
def test_a_token_never_raises_by_more_than_its_haircut_value_nor_lowers_by_more_than_it_hedges(account, tokens):
    with_tokens, without = charged(account, tokens), alone(account)
    for name in ("initial", "maintenance"):
        value = sum(haircut_value(token, quantity, name) for token, quantity in tokens.items())
        # a short of the token is asked what its rise costs: no token can take more than that off
        hedge = alone({(BTC if token == BTC_TOKEN else ETH): -quantity for token, quantity in tokens.items()})
        before, after = getattr(without, name)[0], getattr(with_tokens, name)[0]
        room = 1e-9 * (before + value)
        assert after <= before + value + room
        assert after >= before - getattr(hedge, name)[0] * _largest_factor_ratio() - room
    assert with_tokens.initial[0] >= with_tokens.maintenance[0] * 1.1


def _largest_factor_ratio():
    factors = np.concatenate([charge_factors(PRICED.problem, hours) for hours in (24, 4)])
    return float(factors.max() / factors.min())


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(BOOKS), st.dictionaries(st.sampled_from([BTC_TOKEN, ETH_TOKEN]), st.floats(0.0, 1e5), min_size=1)
)
def test_a_token_of_the_same_issuer_never_lowers(account, tokens):
    pairs = tuple((token, underlying) for token in range(2) for underlying in range(2))
    together, before = charged(account, tokens, pairs), alone(account)
    value = sum(haircut_value(token, quantity) for token, quantity in tokens.items())
    assert together.initial[0] >= before.initial[0] * (1 - 1e-12)
    if account:
        assert together.initial[0] >= charged(account, tokens).initial[0] * (1 - 1e-9)
        assert together.initial[0] <= before.initial[0] + value * (1 + 1e-9)
        if value > 1.0:
            assert together.initial[0] > before.initial[0]


def test_same_issuer_holds_for_accounts_with_such_a_position_only():
    pairs = ((1, 0),)
    concerned, other = charged({BTC: -1.0}, {ETH_TOKEN: 5.0}, pairs), charged({ETH: -5.0}, {ETH_TOKEN: 5.0}, pairs)
    assert concerned.initial[0] == pytest.approx(
        alone({BTC: -1.0}).initial[0] + haircut_value(ETH_TOKEN, 5.0), rel=1e-9
    )
    assert COMPONENTS[concerned.binding[0]] == "collateral"
    assert other.initial[0] == charged({ETH: -5.0}, {ETH_TOKEN: 5.0}).initial[0]
    gone = charged({BTC: 0.0}, {ETH_TOKEN: 5.0}, pairs)
    assert gone.initial[0] == charged({BTC: 0.0}, {ETH_TOKEN: 5.0}).initial[0]


def test_an_account_does_not_depend_on_the_others():
    tokens = ({BTC_TOKEN: 1.0}, {}, {ETH_TOKEN: 3.0}, {BTC_TOKEN: 0.1, ETH_TOKEN: 0.2}, {}, {ETH_TOKEN: 1.0}, {})
    collateral = Collateral(model_cases.book(*tokens), ((1, 0),))
    together = charge_accounts(PRICED, cut_into_rows(LISTED, model_cases.book(*BOOKS)), collateral)
    for row, (account, held) in enumerate(zip(BOOKS, tokens, strict=True)):
        one = charged(account, held, ((1, 0),))
        for name in together.__dataclass_fields__:
            assert getattr(one, name)[0] == getattr(together, name)[row], (row, name)


def test_bytes_do_not_depend_on_threads():
    tokens = model_cases.book(*([{BTC_TOKEN: 1.0, ETH_TOKEN: 7.0}, {}] * 20))
    positions = model_cases.book(*([BOOKS[2], BOOKS[3]] * 20))
    one, two = (_evaluate(positions, Collateral(tokens, ((1, 1),)), threads=threads) for threads in (1, 2))
    for part in ("accounts", "haircuts"):
        for name in getattr(one, part).__dataclass_fields__:
            assert getattr(getattr(one, part), name).tobytes() == getattr(getattr(two, part), name).tobytes()


def test_selling_collateral_is_not_netted_with_closing_a_hedge():
    dear = replace(FREE, spread_fraction=0.02)
    priced, free = (price_book(problem_of(STATE, LISTED, model)) for model in (dear, FREE))
    rows, tokens = cut_into_rows(LISTED, model_cases.book({BTC: -1.0})), Collateral(model_cases.book({BTC_TOKEN: 1.0}))
    more = charge_accounts(priced, rows, tokens).initial[0] - charge_accounts(free, rows, tokens).initial[0]
    assert more == pytest.approx(2 * 0.01 * 60_000, rel=1e-6)


@pytest.mark.parametrize(
    ("collateral", "words"),
    [
        (lambda: Collateral(model_cases.book({BTC_TOKEN: -1.0})), "account 0: collateral of -1.0 is negative"),
        (lambda: Collateral(model_cases.book({BTC: 1.0})), "account 0: instrument 0 is no token"),
        (lambda: Collateral(model_cases.book({99: 1.0})), "account 0: instrument 99 is not one of the 6"),
        (lambda: Collateral(model_cases.book({}, {})), "collateral is of 2 accounts, positions are of 1"),
    ],
)
def test_bad_collateral_is_refused(collateral, words):
    with pytest.raises(InvalidInput, match=words):
        _evaluate(model_cases.book({BTC: 1.0}), collateral())


def test_a_position_in_a_token_without_market_is_refused_and_no_market_is_made_of_it():
    with pytest.raises(InvalidInput, match="account 0: instrument 4 has no market"):
        run(model_cases.book({BTC_TOKEN: 1.0}), listed=LISTED)
    assert list(PRICED.markets.market_id) == [10, 11, 30, 40]
    fields = {name: getattr(LISTED, name) for name in LISTED.__dataclass_fields__ if name != "market_id"}
    with pytest.raises(InvalidInput, match="market_id -1 is for tokens only"):
        Instruments(**fields, market_id=np.full(6, -1))
