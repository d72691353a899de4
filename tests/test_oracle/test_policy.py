"""When to publish, and what the contract will refuse, against a twin written from the interface's words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oracle.bounds import Refusal, limit_falls, limit_to_step, refusals
from oracle.config import PolicySettings
from oracle.policy import decide
from oracle.types import Bounds, Hold, MarginReport, MarketMargin, OracleState, PostedMarket, Update
from tests.posting_cases import (
    HEARTBEAT_SECONDS,
    NOW,
    margin,
    posted,
    report,
    state,
    tuples_near,
)

pytestmark = pytest.mark.fast

SETTINGS = PolicySettings(
    deviation_ppm=50_000,
    tightening_ppm=10_000,
    heartbeat_margin_seconds=900,
    accounts_age_seconds=1_800,
    valid_for_seconds=1_800,
)


@st.composite
def sound_bounds(draw: st.DrawFn) -> Bounds:
    """Draw bounds in which nothing, little or everything may move."""
    lowest, highest = sorted((draw(st.integers(0, 50_000)), draw(st.integers(300_000, 1_000_000))))
    rate = st.sampled_from([0, 1, 3_599, 3_600, 18_000, 2**32 - 1])
    return Bounds(
        lowest, highest, draw(st.sampled_from([0, 1, 200_000, 2**32 - 1])), draw(rate), draw(rate), draw(rate)
    )


@st.composite
def markets_in_force(draw: st.DrawFn) -> PostedMarket:
    """Draw a market that was posted at some time, or never."""
    market = posted(draw(tuples_near(1)), draw(st.none() | st.integers(0, 100_000)))
    return replace(market, initial=draw(sound_bounds()), maintenance=draw(sound_bounds()), slope=draw(sound_bounds()))


def refusal_by_the_words(market: PostedMarket, subject: MarginReport, offered: MarketMargin) -> Refusal | None:
    """Return the first refusal, read off `IMarginOracle.Bounds` and `Refusal` with exact fractions."""
    long_and_short = [(0, 2), (1, 3)]
    new, old = offered.values(), market.margin.values()
    if any(new[initial] < new[maintenance] for initial, maintenance in long_and_short):
        return Refusal.INITIAL_BELOW_MAINTENANCE
    hours = Fraction(subject.reference_timestamp - market.reference_timestamp, 3_600)
    for index in range(6):
        limits = (market.initial, market.maintenance, market.slope)[index // 2]
        if new[index] < limits.minimum:
            return Refusal.BELOW_MINIMUM
        if new[index] > limits.maximum:
            return Refusal.ABOVE_MAXIMUM
        if market.reference_timestamp == 0:
            continue
        step = max(floor(old[index] * Fraction(limits.step_relative_ppm, 10**6)), limits.step_minimum)
        rise = floor(limits.rise_hourly * hours) if index in (2, 3) else step
        if new[index] > old[index] + rise and not subject.exceeds_step:
            return (Refusal.INITIAL_STEP_UP, Refusal.MAINTENANCE_RATE_UP, Refusal.SLOPE_STEP_UP)[index // 2]
        if new[index] < old[index] - floor(limits.fall_hourly * hours):
            return Refusal.RATE_DOWN
    return None


@given(markets_in_force(), tuples_near(1), st.booleans())
def test_refusals_agree_with_the_interface(market: PostedMarket, offered: MarketMargin, exceeds_step: bool) -> None:
    subject = report(offered, exceeds_step=exceeds_step)
    found = refusals(state(market), subject)
    assert [refused.reason for refused in found] == [
        reason for reason in [refusal_by_the_words(market, subject, offered)] if reason is not None
    ]


def test_the_higher_quorum_lifts_rises_and_never_falls() -> None:
    high = posted(margin(initial=400_000))
    rise, fall = report(margin(initial=890_000), exceeds_step=True), report(margin(initial=100_000), exceeds_step=True)
    assert refusals(state(high), rise) == ()
    (refused,) = refusals(state(high), fall)
    assert (refused.reason, refused.in_force, refused.offered) == (Refusal.RATE_DOWN, 400_000, 100_000)


def test_an_unknown_market_is_foretold() -> None:
    (refused,) = refusals(state(), report(margin(5)))
    assert (refused.market_id, refused.reason) == (5, Refusal.UNKNOWN_MARKET)


@given(markets_in_force(), tuples_near(1))
def test_a_limited_step_passes_every_limit_of_movement(market: PostedMarket, target: MarketMargin) -> None:
    assume(market.reference_timestamp != 0)
    limited = limit_to_step(report(target, exceeds_step=True), state(market))
    assert not limited.exceeds_step
    reasons = {refused.reason for refused in refusals(state(market), limited)}
    assert reasons <= {Refusal.BELOW_MINIMUM, Refusal.ABOVE_MAXIMUM}
    assert limit_to_step(limited, state(market)) == limited


@given(markets_in_force(), tuples_near(1))
def test_a_limited_step_is_the_largest(market: PostedMarket, target: MarketMargin) -> None:
    """One unit further toward the target in any field would be refused."""
    assume(market.reference_timestamp != 0)
    unbounded = replace(
        market,
        initial=replace(market.initial, minimum=0, maximum=2**32 - 1),
        maintenance=replace(market.maintenance, minimum=0, maximum=2**32 - 1),
        slope=replace(market.slope, minimum=0, maximum=2**32 - 1),
    )
    (reached,) = limit_to_step(report(target), state(unbounded)).markets
    for index, (now, wanted) in enumerate(zip(reached.values(), target.values(), strict=True)):
        if now == wanted:
            continue
        values = list(reached.values())
        values[index] += 1 if wanted > now else -1
        further = report(MarketMargin(1, *values))
        assert refusals(state(unbounded), further), (index, now, wanted)


@given(tuples_near(1))
def test_a_target_within_the_step_is_not_touched(target: MarketMargin) -> None:
    market = posted(target)
    assert limit_to_step(report(target), state(market)).markets == (target,)
    assert limit_falls(report(target), state(market)).markets == (target,)


def test_where_initial_may_not_follow_maintenance_gives_way() -> None:
    # In 600 s maintenance may rise by 3,000, initial by a fifth of 100,000: 100,000 to 120,000 and 99,000 to 102,000.
    in_force = MarketMargin(1, 100_000, 100_000, 99_000, 60_000, 5_000, 5_000)
    market = replace(posted(in_force), initial=replace(posted(in_force).initial, step_relative_ppm=10_000))
    target = MarketMargin(1, 300_000, 300_000, 290_000, 290_000, 5_000, 5_000)
    (limited,) = limit_to_step(report(target), state(market)).markets
    assert limited.values()[:4] == (102_000, 102_000, 102_000, 63_000)


# ---------------------------------------------------------------------- decisions


def decision(market: PostedMarket, offered: MarketMargin, **changes: int) -> Update | Hold:
    return decide(state(market, **changes), report(offered), SETTINGS)


def test_nothing_moved_is_a_hold_with_its_figures() -> None:
    held = decision(posted(margin()), margin())
    assert held == Hold("largest rise 0 ppm of 10000, largest fall 0 ppm of 50000, age 600 s of 3600 s")


def test_a_contract_without_a_report_never_holds() -> None:
    empty = replace(state(posted(margin(), None), last_sequence=0), last_reference_block=0, last_reference_timestamp=0)
    for subject in (report(margin()), report(), report(margin(initial=10**6)), report(margin(9))):
        assert isinstance(decide(empty, subject, SETTINGS), Update)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (margin(initial=100_999), None),
        (margin(initial=101_000), "market 1 tightens by 10000 ppm"),
        (margin(initial=95_001), None),
        (margin(initial=95_000), "market 1 loosens by 50000 ppm"),
        (margin(slope=5_050), "market 1 tightens by 10000 ppm"),
    ],
)
def test_a_rise_is_published_sooner_than_a_fall(offered: MarketMargin, expected: str | None) -> None:
    found = decision(posted(margin()), offered)
    assert isinstance(found, Update if expected else Hold)
    assert expected is None or found.reason.startswith(expected)


@pytest.mark.parametrize(("age_seconds", "published"), [(2_699, False), (2_700, True), (9_000, True)])
def test_the_heartbeat_is_kept(age_seconds: int, published: bool) -> None:
    found = decision(posted(margin(), age_seconds), margin(), age_seconds=age_seconds)
    assert isinstance(found, Update) == published
    assert not published or found.reason == f"heartbeat: age {age_seconds} s of {HEARTBEAT_SECONDS} s"


def test_the_oldest_market_keeps_the_heartbeat() -> None:
    young, old = posted(margin(1), 60), posted(margin(2), 3_000)
    found = decide(state(young, old, age_seconds=60), report(margin(1), margin(2)), SETTINGS)
    assert found.reason == "heartbeat: age 3000 s of 3600 s"


def test_an_old_accounts_root_is_renewed_if_there_are_accounts() -> None:
    market = posted(margin(), 1_800)
    with_accounts = decide(state(market, age_seconds=1_800), report(margin(), account_count=3), SETTINGS)
    assert isinstance(with_accounts, Update)
    assert with_accounts.reason == "accounts root is 1800 s old, limit 1800 s"
    assert isinstance(decide(state(market, age_seconds=1_800), report(margin()), SETTINGS), Hold)


def test_a_market_that_was_never_posted_is() -> None:
    found = decide(state(posted(margin(1)), posted(margin(2), None)), report(margin(1), margin(2)), SETTINGS)
    assert found.reason == "market 2 was never posted"


def test_a_block_that_is_not_newer_is_a_hold() -> None:
    current = replace(state(posted(margin())), last_reference_block=100)
    assert decide(current, report(margin(initial=200_000)), SETTINGS) == Hold(
        "block 100 is not after the last report's 100"
    )


def test_a_rise_beyond_the_step_asks_the_higher_quorum() -> None:
    target = margin(initial=300_000)
    found = decision(posted(margin()), target)
    assert isinstance(found, Update)
    assert found.report == report(target, exceeds_step=True)
    assert found.reason == "a ratio has to rise beyond the contract's step"
    assert refusals(state(posted(margin())), found.report) == ()
    (step,) = limit_to_step(found.report, state(posted(margin()))).markets
    assert step == margin(initial=120_000)


def test_a_small_rise_right_after_a_post_is_a_hold() -> None:
    # A minute after a post maintenance may rise by 300 of 60,000; 400 is beyond that and less than 1 %.
    market, target = posted(margin(), 60), margin(maintenance=60_400)
    assert refusals(state(market, age_seconds=60), report(target))
    found = decide(state(market, age_seconds=60), report(target), SETTINGS)
    assert isinstance(found, Hold)
    larger = decide(state(market, age_seconds=60), report(margin(maintenance=60_600)), SETTINGS)
    assert isinstance(larger, Update) and larger.report.exceeds_step


def test_a_fall_beyond_the_rate_is_brought_to_the_rate_and_needs_no_higher_quorum() -> None:
    found = decision(posted(margin()), margin(initial=60_001, maintenance=40_000))
    assert isinstance(found, Update)
    assert found.report.markets == (margin(initial=94_000, maintenance=54_000),)
    assert not found.report.exceeds_step


def test_the_higher_quorum_is_not_asked_for_what_it_cannot_lift() -> None:
    found = decision(posted(margin()), margin(initial=900_001))
    assert isinstance(found, Update)
    assert found.report == report(margin(initial=120_000)), "one step toward a target beyond the maximum"


def test_a_market_at_its_limit_does_not_cost_a_transaction_each_time() -> None:
    high = posted(margin(2, initial=880_000))
    beyond = margin(2, initial=900_001)
    both = decide(state(posted(margin(1)), high), report(margin(1), beyond), SETTINGS)
    assert isinstance(both, Hold)
    alone = decide(state(high), report(beyond), SETTINGS)
    assert alone == Hold("the contract would refuse every market, first market 2: above_maximum (880000 to 900001)")


@given(markets_in_force(), tuples_near(1), st.integers(0, 10_000), st.integers(0, 5))
def test_a_decision_is_sound_whatever_comes(
    market: PostedMarket, target: MarketMargin, age_seconds: int, account_count: int
) -> None:
    current: OracleState = state(market, age_seconds=age_seconds)
    found = decide(current, report(target, account_count=account_count), SETTINGS)
    assert found.reason
    if isinstance(found, Hold):
        assert age_seconds < HEARTBEAT_SECONDS - 900 or refusals(current, limit_to_step(report(target), current))
        return
    assert len(refusals(current, found.report)) < len(found.report.markets)
    assert found.report.reference_timestamp == NOW
    if market.reference_timestamp and not refusals(current, report(target, exceeds_step=True)):
        fallen = [new < aim for new, aim in zip(found.report.markets[0].values(), target.values(), strict=True)]
        assert not any(fallen), "nothing is published below its target"
