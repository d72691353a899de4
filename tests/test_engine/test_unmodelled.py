"""What has no model: charged its worst case where there is one, refused with a name where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import COMPONENTS, Collateral, InvalidInput, Kind, Unmodelled, UnmodelledAccount
from engine.charge import charge_accounts, price_book
from engine.rows import cut_into_rows
from engine.unmodelled import worst_cases
from tests import model_cases
from tests.test_engine.test_model_margin import BTC_PERPETUAL, LISTED, PLAIN, STATE, problem_of

pytestmark = pytest.mark.fast
KINDS = (Kind.SPOT, Kind.PERPETUAL, Kind.FUTURE, Kind.CALL, Kind.PUT, Kind.PERPETUAL, Kind.FUTURE, Kind.PUT)
INVERSE = (False, False, False, False, False, True, True, True)
SPOT, MULTIPLIER, STRIKE = 2_000.0, 3.0, 1_700.0
PUT, CALL, INVERSE_PERPETUAL, INVERSE_PUT = 4, 3, 5, 7
PRICED = price_book(problem_of(STATE, LISTED, PLAIN))


def held(*accounts):
    count = len(KINDS)
    strike = np.array([STRIKE if kind >= Kind.CALL else 0.0 for kind in KINDS])
    return Unmodelled(
        kind=np.array(KINDS, dtype=np.int8),
        spot=np.full(count, SPOT),
        strike=strike,
        multiplier=np.full(count, MULTIPLIER),
        inverse=np.array(INVERSE),
        why=tuple(f"reason {row}" for row in range(count)),
        held=model_cases.book(*accounts),
    )


def worth(kind, inverse, quantity, spot):
    """What the position could be worth at some price at expiry, in USD, by the conventions of a mark."""
    if kind in (Kind.SPOT, Kind.PERPETUAL, Kind.FUTURE):
        return quantity * MULTIPLIER * ((spot / SPOT - 1.0) if inverse else spot)
    payoff = max(spot - STRIKE, 0.0) if kind == Kind.CALL else max(STRIKE - spot, 0.0)
    return quantity * MULTIPLIER * payoff


@given(st.integers(0, len(KINDS) - 1), st.floats(-1e6, 1e6), st.floats(0.0, 1e7))
def test_value_less_charge_is_never_above_what_is_left_at_any_price(row, quantity, price):
    kind = KINDS[row]
    if quantity < 0.0 and kind != Kind.PUT:
        with pytest.raises(UnmodelledAccount):
            worst_cases(held({row: quantity}))
        return
    case = worst_cases(held({row: quantity}))
    left = case.value[0] - case.charge[0]
    assert left <= worth(kind, INVERSE[row], quantity, price) + 1e-6 * abs(left)
    # and it is the least, reached as the price falls to 0, or never above 0 for what is long an option
    least = worth(kind, INVERSE[row], quantity, 0.0)
    assert left == pytest.approx(0.0 if kind >= Kind.CALL and quantity >= 0.0 else least, rel=1e-12)
    assert case.charge[0] >= 0.0 and case.holds[0] == (quantity != 0.0)


def test_the_table():
    case = worst_cases(held(*({row: 2.0} for row in range(len(KINDS))), {PUT: -2.0}, {INVERSE_PUT: -2.0}, {}))
    linear, coin, strike = 2 * MULTIPLIER * SPOT, 2 * MULTIPLIER, 2 * MULTIPLIER * STRIKE
    assert case.charge.tolist() == [linear, linear, linear, 0.0, 0.0, coin, coin, 0.0, strike, strike, 0.0]
    assert case.value.tolist() == [linear, linear, linear, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert case.holds.tolist() == [True] * 10 + [False]


@pytest.mark.parametrize("row", [0, 1, 2, CALL, INVERSE_PERPETUAL])
def test_a_short_without_worst_case_is_refused_with_account_and_reason(row):
    words = f"account 2: it is short 1.5 of a {KINDS[row].name.lower()} that has no model \\(reason {row}\\)"
    with pytest.raises(UnmodelledAccount, match=words) as caught:
        worst_cases(held({}, {PUT: -1.0}, {row: -1.5}))
    assert caught.value.account == 2


def _evaluate(positions, unmodelled, collateral=None):
    recent = model_cases.no_recent(*STATE.symbols)
    calibration = model_cases.small_calibration()
    return engine.evaluate(calibration, recent, STATE, LISTED, positions, PLAIN, 1, collateral, unmodelled)


def test_it_comes_on_top_of_the_rest_and_binds():
    account = {BTC_PERPETUAL: 1.0}
    positions = model_cases.book(account, account, {}, account)
    plain = _evaluate(positions, None)
    result = _evaluate(positions, held({PUT: -2.0}, {}, {1: 1.0}, {CALL: 1.0}))
    strike, full = 2 * MULTIPLIER * STRIKE, MULTIPLIER * SPOT
    accounts, before = result.accounts, plain.accounts
    np.testing.assert_allclose(accounts.maintenance, before.maintenance + [strike, 0.0, full, 0.0], rtol=1e-12)
    assert accounts.initial[0] == pytest.approx(max(before.initial[0] + strike, 1.1 * accounts.maintenance[0]))
    assert accounts.initial[1] == before.initial[1] and accounts.initial[3] == before.initial[3]
    assert accounts.initial[2] == pytest.approx(1.1 * full) and accounts.value[2] == full
    assert [COMPONENTS[code] == "unmodelled" for code in accounts.binding] == [True, False, True, True]
    assert result.unmodelled.tolist() == [0, 2, 3] and plain.unmodelled.size == 0
    assert any("3 accounts hold what has no model" in line for line in result.assumptions)
    assert np.all(accounts.initial >= accounts.maintenance * 1.1)


@settings(deadline=None, max_examples=25)
@given(st.floats(-3.0, 3.0), st.floats(0.0, 1e4), st.floats(0.0, 1e4))
def test_more_of_it_never_asks_less(size, less, more):
    less, more = min(less, more), max(less, more)
    rows = cut_into_rows(LISTED, model_cases.book({BTC_PERPETUAL: size}, {BTC_PERPETUAL: size}))
    for row, sign in ((1, 1.0), (PUT, -1.0), (INVERSE_PERPETUAL, 1.0)):
        asked = charge_accounts(PRICED, rows, None, worst_cases(held({row: sign * less}, {row: sign * more})))
        assert asked.initial[0] <= asked.initial[1] and asked.maintenance[0] <= asked.maintenance[1]


def test_tables_that_do_not_fit_are_refused():
    sound = held({PUT: -1.0})
    fields = {name: getattr(sound, name) for name in sound.__dataclass_fields__}
    for name, bad in (("spot", 0.0), ("strike", np.nan), ("multiplier", np.inf)):
        column = fields[name].copy()
        column[PUT] = bad
        with pytest.raises(InvalidInput, match=f"unmodelled instrument {PUT}: {name}"):
            Unmodelled(**{**fields, name: column})
    with pytest.raises(InvalidInput, match="kind has shape"):
        Unmodelled(**{**fields, "kind": fields["kind"][:1]})
    with pytest.raises(InvalidInput, match="of none of the 8"):
        Unmodelled(**{**fields, "held": model_cases.book({8: 1.0})})
    with pytest.raises(InvalidInput, match="is of 1 accounts, positions are of 2"):
        _evaluate(model_cases.book({}, {}), sound)


def test_collateral_and_what_has_no_model_stand_beside_each_other():
    positions = model_cases.book({BTC_PERPETUAL: 1.0})
    none = Collateral(model_cases.book({}))
    with_both = _evaluate(positions, held({PUT: -1.0}), none)
    assert with_both.accounts.initial[0] == _evaluate(positions, held({PUT: -1.0})).accounts.initial[0]
