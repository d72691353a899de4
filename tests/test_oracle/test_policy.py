"""When to publish, and what the contract will refuse, against a twin written from the interface's words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from operator import ge, gt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oracle.bounds import Refusal, limit_falls, limit_to_step, refusals
from oracle.config import PolicySettings
from oracle.dwell import awaited, settle
from oracle.policy import decide
from oracle.types import Bounds, Hold, MarginReport, MarketMargin, OracleState, PendingMargin, PostedMarket, Update
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
    """Draw a market that was posted at some time, or never; perhaps with a lower tuple that waits."""
    current = draw(tuples_near(1))
    lower = MarketMargin(1, *(draw(st.integers(0, value)) for value in current.values()))
    market = posted(
        current,
        draw(st.none() | st.integers(0, 100_000)),
        draw(st.none() | st.builds(PendingMargin, st.just(lower), st.integers(NOW - 100, NOW + 10_000))),
        rose_seconds_ago=draw(st.integers(0, 120) | st.just(70_000)),
        is_corrected=draw(st.booleans()),
    )
    return replace(market, initial=draw(sound_bounds()), maintenance=draw(sound_bounds()), slope=draw(sound_bounds()))


def states_with(market: PostedMarket, **changes: int) -> st.SearchStrategy[OracleState]:
    """Draw a contract that holds this market, with any dwell and minimum delay."""
    dwells, delays = st.sampled_from([0, 600, 1_800, 2**24 - 1]), st.sampled_from([0, 1, 60, 2**16 - 1])
    return st.builds(
        lambda dwell, delay: state(market, dwell_seconds=dwell, minimum_delay_seconds=delay, **changes), dwells, delays
    )


def refusal_by_the_words(current: OracleState, subject: MarginReport, offered: MarketMargin) -> Refusal | None:
    """Return the first refusal, read off `IMarginOracle.Bounds`, `Timing` and `Refusal` with exact fractions."""
    (market,) = current.markets
    long_and_short = [(0, 2), (1, 3)]
    new, old = offered.values(), market.margin.values()
    if any(new[initial] < new[maintenance] for initial, maintenance in long_and_short):
        return Refusal.INITIAL_BELOW_MAINTENANCE
    elapsed = subject.reference_timestamp - market.reference_timestamp
    hours, fall_hours = Fraction(elapsed, 3_600), Fraction(max(elapsed, current.timing.dwell_seconds), 3_600)
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
        if new[index] < old[index] - floor(limits.fall_hourly * fall_hours):
            return Refusal.RATE_DOWN
    rose_ago = subject.reference_timestamp - market.last_rise_timestamp
    is_early = market.reference_timestamp != 0 and rose_ago < current.timing.minimum_delay_seconds
    if is_early and market.is_corrected and not subject.exceeds_step and any(map(gt, new, old)):
        return Refusal.RISE_TOO_SOON
    return None


@given(markets_in_force(), st.data(), st.booleans())
def test_refusals_agree_with_the_interface(market: PostedMarket, data: st.DataObject, exceeds_step: bool) -> None:
    offered = data.draw(tuples_near(1) | st.just(market.margin) | st.just(replace(market.margin, slope_long_ppm=9_000)))
    current = data.draw(states_with(market))
    subject = report(offered, exceeds_step=exceeds_step)
    found = refusals(current, subject)
    assert [refused.reason for refused in found] == [
        reason for reason in [refusal_by_the_words(current, subject, offered)] if reason is not None
    ]


def test_a_second_rise_within_the_delay_is_foretold_and_left_out_of_a_step() -> None:
    corrected = posted(margin(), 30, rose_seconds_ago=30, is_corrected=True)
    current = state(corrected, dwell_seconds=1_800, minimum_delay_seconds=60)
    mixed = replace(margin(), initial_long_ppm=101_000, initial_short_ppm=99_000)
    (refused,) = refusals(current, report(mixed))
    assert (refused.reason, refused.in_force, refused.offered) == (Refusal.RISE_TOO_SOON, 30, 60)
    assert limit_to_step(report(mixed), current).markets == (replace(mixed, initial_long_ppm=100_000),)
    assert refusals(current, report(mixed, exceeds_step=True)) == ()
    # The first rise within the delay is the correction, and the one after it is free.
    for free in (replace(corrected, is_corrected=False), replace(corrected, last_rise_timestamp=NOW - 60)):
        assert limit_to_step(report(mixed), replace(current, markets=(free,))).markets == (mixed,)


def test_a_fall_has_the_dwell_at_least() -> None:
    current = state(posted(margin(initial=400_000), 0), dwell_seconds=1_800)
    assert refusals(current, report(margin(initial=382_000))) == ()
    (refused,) = refusals(current, report(margin(initial=381_999)))
    assert refused.reason is Refusal.RATE_DOWN
    assert limit_falls(report(margin(initial=300_000)), current).markets == (margin(initial=382_000),)


def test_the_higher_quorum_lifts_rises_and_never_falls() -> None:
    high = posted(margin(initial=400_000))
    rise, fall = report(margin(initial=890_000), exceeds_step=True), report(margin(initial=100_000), exceeds_step=True)
    assert refusals(state(high), rise) == ()
    (refused,) = refusals(state(high), fall)
    assert (refused.reason, refused.in_force, refused.offered) == (Refusal.RATE_DOWN, 400_000, 100_000)


def test_an_unknown_market_is_foretold() -> None:
    (refused,) = refusals(state(), report(margin(5)))
    assert (refused.market_id, refused.reason) == (5, Refusal.UNKNOWN_MARKET)


@given(markets_in_force(), tuples_near(1), st.data())
def test_a_limited_step_passes_every_limit_of_movement(
    market: PostedMarket, target: MarketMargin, data: st.DataObject
) -> None:
    assume(market.reference_timestamp != 0)
    current = data.draw(states_with(market))
    limited = limit_to_step(report(target, exceeds_step=True), current)
    assert not limited.exceeds_step
    reasons = {refused.reason for refused in refusals(current, limited)}
    assert reasons <= {Refusal.BELOW_MINIMUM, Refusal.ABOVE_MAXIMUM}
    assert limit_to_step(limited, current) == limited


@given(markets_in_force(), tuples_near(1), st.data())
def test_a_limited_step_is_the_largest(market: PostedMarket, target: MarketMargin, data: st.DataObject) -> None:
    """One unit further toward the target in any field would be refused."""
    assume(market.reference_timestamp != 0)
    unbounded = replace(
        market,
        initial=replace(market.initial, minimum=0, maximum=2**32 - 1),
        maintenance=replace(market.maintenance, minimum=0, maximum=2**32 - 1),
        slope=replace(market.slope, minimum=0, maximum=2**32 - 1),
    )
    current = data.draw(states_with(unbounded))
    (reached,) = limit_to_step(report(target), current).markets
    for index, (now, wanted) in enumerate(zip(reached.values(), target.values(), strict=True)):
        if now == wanted:
            continue
        values = list(reached.values())
        values[index] += 1 if wanted > now else -1
        further = report(MarketMargin(1, *values))
        assert refusals(current, further), (index, now, wanted)


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


# ---------------------------------------------------------------------- what waits

DWELL_SECONDS = 1_800


def waiting(lower: MarketMargin, seconds: int = 900) -> PostedMarket:
    """Return the market at 100,000 with a lower tuple that may come in force in so many seconds."""
    return posted(margin(), pending=PendingMargin(lower, NOW + seconds))


def decision_on(market: PostedMarket, offered: MarketMargin) -> Update | Hold:
    return decide(state(market, dwell_seconds=DWELL_SECONDS), report(offered), SETTINGS)


def test_a_fall_that_waits_is_not_posted_again() -> None:
    found = decision_on(waiting(margin(initial=90_000)), margin(initial=85_000))
    assert isinstance(found, Hold)
    assert found.reason.endswith(f", age 600 s of 3600 s, loosenings that wait: 1, the first until {NOW + 900}")


@pytest.mark.parametrize(
    ("target", "expected"),
    [(90_899, None), (90_900, "market 1 needs 10000 ppm more than the looser value that waits"), (100_000, "needs")],
)
def test_a_target_above_what_waits_is_posted_at_once(target: int, expected: str | None) -> None:
    for seconds in (900, 0):
        found = decision_on(waiting(margin(initial=90_000), seconds), margin(initial=target))
        assert isinstance(found, Update if expected or seconds == 0 else Hold)
        assert expected is None or expected in found.reason


def test_a_loosening_whose_time_has_come_is_due_if_it_is_worth_a_post() -> None:
    found = decision_on(waiting(margin(initial=90_000), 0), margin(initial=90_000))
    assert isinstance(found, Update) and found.reason == "market 1: a loosening's time has come"
    assert isinstance(decision_on(waiting(margin(initial=96_000), 0), margin(initial=96_000)), Hold)
    larger = decision_on(waiting(margin(initial=96_000), 0), margin(initial=92_000))
    assert isinstance(larger, Update), "what the report asks for below it begins to wait"


def test_a_report_held_up_by_the_limit_of_falls_raises_nothing_that_waits() -> None:
    # What waits fell over an hour, 36,000; so soon after it a report may only fall over the dwell, 18,000.
    found = decision_on(waiting(margin(initial=64_000)), margin(initial=64_000))
    assert isinstance(found, Hold)


def test_a_rise_that_the_delay_refuses_is_no_reason_to_post() -> None:
    corrected = posted(margin(), 30, rose_seconds_ago=30, is_corrected=True)
    current, target = state(corrected, age_seconds=30, minimum_delay_seconds=60), report(margin(initial=110_000))
    assert isinstance(decide(current, target, SETTINGS, has_higher_quorum=False), Hold)
    loosening = replace(corrected, pending=PendingMargin(margin(slope=4_000), NOW + 900))
    waits = replace(current, markets=(loosening,))
    asked = replace(target, markets=(replace(target.markets[0], slope_long_ppm=4_000, slope_short_ppm=4_000),))
    assert isinstance(decide(waits, asked, SETTINGS, has_higher_quorum=False), Hold)
    found = decide(current, target, SETTINGS)
    assert isinstance(found, Update) and found.report.exceeds_step, "the higher quorum never waits"


def test_without_the_higher_quorum_a_step_too_small_to_matter_is_a_hold() -> None:
    # In a minute maintenance may rise by 300 of 60,000, in two by 600.
    target = report(margin(maintenance=80_000))
    for age_seconds, kind in ((60, Hold), (120, Update)):
        current = state(posted(margin(), age_seconds), age_seconds=age_seconds)
        assert isinstance(decide(current, target, SETTINGS, has_higher_quorum=False), kind)


def test_a_paused_contract_is_a_hold_also_before_the_first_report() -> None:
    for current in (state(posted(margin(), 9_000)), state(posted(margin(), None), last_sequence=0)):
        found = decide(replace(current, is_paused=True), report(margin(initial=300_000)), SETTINGS)
        assert found == Hold("posts are paused by the guardian")


def market_by_the_words(current: OracleState, subject: MarginReport, now: int) -> PostedMarket:
    """Return the market after an accepted report, read off the numbered rules in `IMarginOracle`, value by value."""
    (before,), (offered,) = current.markets, subject.markets
    old, new, timing = before.margin.values(), offered.values(), current.timing
    reference = subject.reference_timestamp
    is_first = before.reference_timestamp == 0
    rises = not is_first and any(map(gt, new, old))
    rose_ago = reference - before.last_rise_timestamp
    rose, corrected = min(rose_ago, 65_535), before.is_corrected
    if is_first:
        rose, corrected = 65_535, False
    elif rises:
        rose, corrected = 0, rose_ago < timing.minimum_delay_seconds and not subject.exceeds_step
    in_force, pending, due = new, None, now + timing.dwell_seconds
    if timing.dwell_seconds and any(map(gt, old, new)):
        in_force, pending = tuple(map(max, old, new)), new
        if before.pending:
            pending = tuple(map(max, before.pending.margin.values(), new))
            if now >= before.pending.effective_timestamp:
                in_force, pending = pending, None if pending == new else new
            else:
                due = before.pending.effective_timestamp
    return replace(
        before,
        margin=MarketMargin(1, *in_force),
        pending=PendingMargin(MarketMargin(1, *pending), due) if pending else None,
        reference_timestamp=reference,
        last_rise_timestamp=reference - rose,
        is_corrected=corrected,
    )


@given(markets_in_force(), st.data(), st.booleans(), st.integers(0, 9_000))
def test_a_market_settles_by_the_rules_of_the_interface(
    market: PostedMarket, data: st.DataObject, exceeds_step: bool, seconds: int
) -> None:
    current = data.draw(states_with(market))
    pairs = zip(awaited(market).values(), market.margin.values(), strict=True)
    lower = st.builds(MarketMargin, st.just(1), *(st.integers(low, high) for low, high in pairs))
    offered = data.draw(tuples_near(1) | lower | st.sampled_from([market.margin, awaited(market)]))
    subject = report(offered, exceeds_step=exceeds_step)
    after = settle(market, current.timing, subject, subject.markets[0], NOW + seconds)
    assert after == market_by_the_words(current, subject, NOW + seconds)
    for held, offered in zip(after.margin.values(), subject.markets[0].values(), strict=True):
        assert held >= offered
    assert all(map(ge, after.margin.values(), awaited(after).values()))


@pytest.mark.parametrize(
    ("offered", "in_force", "waits_anew"), [(85_000, 90_000, True), (90_000, 90_000, False), (95_000, 95_000, False)]
)
def test_below_what_came_in_force_a_report_waits_anew(offered: int, in_force: int, waits_anew: bool) -> None:
    market, subject = waiting(margin(initial=90_000), 0), report(margin(initial=offered))
    after = settle(market, state(dwell_seconds=DWELL_SECONDS).timing, subject, subject.markets[0], NOW)
    assert after.margin == margin(initial=in_force)
    assert after.pending == (PendingMargin(margin(initial=offered), NOW + DWELL_SECONDS) if waits_anew else None)


def test_a_lower_target_costs_two_posts_and_then_the_heartbeat() -> None:
    """A keeper that looks each minute: one post begins to wait, one brings in force, the rest is silence."""
    current, posts = state(posted(margin()), dwell_seconds=DWELL_SECONDS, minimum_delay_seconds=60), []
    for minute in range(60):
        subject = replace(
            report(margin(initial=90_000)), reference_block=100 + minute, reference_timestamp=NOW + 60 * minute
        )
        found = decide(current, subject, SETTINGS)
        if isinstance(found, Update):
            posts.append((minute, found.reason))
            (offered,) = found.report.markets
            after = settle(current.markets[0], current.timing, found.report, offered, NOW + 60 * minute)
            current = replace(
                current,
                last_reference_block=100 + minute,
                last_reference_timestamp=NOW + 60 * minute,
                markets=(after,),
            )
    assert posts == [
        (0, "market 1 loosens by 100000 ppm of the value in force"),
        (30, "market 1: a loosening's time has come"),
    ]
    assert current.markets[0].margin == margin(initial=90_000)


@given(markets_in_force(), tuples_near(1), st.integers(0, 10_000), st.integers(0, 5), st.booleans(), st.data())
def test_a_decision_is_sound_whatever_comes(
    market: PostedMarket,
    target: MarketMargin,
    age_seconds: int,
    account_count: int,
    has_higher_quorum: bool,
    data: st.DataObject,
) -> None:
    current = data.draw(states_with(market, age_seconds=age_seconds))
    found = decide(current, report(target, account_count=account_count), SETTINGS, has_higher_quorum)
    assert found.reason
    if isinstance(found, Hold):
        assert age_seconds < HEARTBEAT_SECONDS - 900 or refusals(current, limit_to_step(report(target), current))
        return
    assert len(refusals(current, found.report)) < len(found.report.markets)
    assert found.report.reference_timestamp == NOW
    assert has_higher_quorum or not found.report.exceeds_step
    if has_higher_quorum and market.reference_timestamp and not refusals(current, report(target, exceeds_step=True)):
        fallen = [new < aim for new, aim in zip(found.report.markets[0].values(), target.values(), strict=True)]
        assert not any(fallen), "nothing is published below its target"
