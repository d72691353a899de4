"""The rules of replacement: nodes take every bump, and no cap keeps a nonce from being freed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.chain.fees import FeeCaps, Fees, Urgency

pytestmark = pytest.mark.fast

wei = st.integers(0, 10**15)
fees = st.tuples(wei, wei).map(lambda pair: Fees(max(pair), min(pair)))


def is_accepted_after(new: Fees, sent: Fees) -> bool:
    """Return whether geth's rule (core/txpool, PriceBump 10) and ours of an eighth take `new` in place of `sent`."""
    return (
        8 * new.max_fee_wei >= 9 * sent.max_fee_wei
        and 8 * new.priority_fee_wei >= 9 * sent.priority_fee_wei
        and new.max_fee_wei > sent.max_fee_wei
        and new.priority_fee_wei > sent.priority_fee_wei
    )


@given(sent=fees)
def test_a_bump_raises_both_fields_by_an_eighth(sent: Fees) -> None:
    bumped = sent.bumped()
    assert is_accepted_after(bumped, sent)
    assert bumped.priority_fee_wei <= bumped.max_fee_wei
    assert 8 * (bumped.max_fee_wei - sent.max_fee_wei) <= sent.max_fee_wei + 8


@given(sent=fees, market=fees, cap_wei=wei)
def test_a_replacement_is_within_the_cap_and_accepted_or_there_is_none(sent: Fees, market: Fees, cap_wei: int) -> None:
    replacement = sent.replacement(market, cap_wei)
    if replacement is None:
        assert sent.bumped().max_fee_wei > cap_wei
    else:
        assert replacement.max_fee_wei <= cap_wei
        assert replacement.priority_fee_wei <= replacement.max_fee_wei
        assert is_accepted_after(replacement, sent)


@given(sent=fees, market=fees)
def test_freeing_the_nonce_knows_no_cap_and_pays_the_market(sent: Fees, market: Fees) -> None:
    freeing = sent.freeing(market)
    assert is_accepted_after(freeing, sent)
    assert freeing.max_fee_wei >= market.max_fee_wei


@given(market=fees, cap_wei=wei)
def test_a_cap_holds_for_both_fields(market: Fees, cap_wei: int) -> None:
    capped = market.at_most(cap_wei)
    assert capped.priority_fee_wei <= capped.max_fee_wei <= cap_wei


def test_each_urgency_has_its_cap() -> None:
    caps = FeeCaps(routine_wei=5, urgent_wei=9)
    assert (caps.of(Urgency.ROUTINE), caps.of(Urgency.URGENT)) == (5, 9)


def test_market_fees_outlast_a_doubled_base_fee() -> None:
    assert Fees.of_market(100, 7) == Fees(207, 7)
