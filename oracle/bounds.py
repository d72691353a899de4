"""What the contract will refuse, market by market, in the contract's own integer arithmetic; and the largest step
that it will not.

A twin of `MarginBounds`: equal verdicts are held by tests against the contract. Falls and rises are counted from the
tuple in force; a market that was never posted has no steps, only an absolute range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from oracle.types import Bounds, MarginReport, MarketMargin, OracleState, PostedMarket, Timing
from oracle.units import PPM, SECONDS_PER_HOUR, UINT32_MAX


class Refusal(IntEnum):
    """Why a market's tuple is refused; the numbers are those of `IMarginOracle.Refusal`."""

    UNKNOWN_MARKET = 0
    INITIAL_BELOW_MAINTENANCE = 1
    BELOW_MINIMUM = 2
    ABOVE_MAXIMUM = 3
    INITIAL_STEP_UP = 4
    MAINTENANCE_RATE_UP = 5
    SLOPE_STEP_UP = 6
    RATE_DOWN = 7
    RISE_TOO_SOON = 8


@dataclass(frozen=True, slots=True)
class MarketRefusal:
    """The refusal of one market, with the two values that the contract's event names.

    For `RISE_TOO_SOON` they are the seconds since the last rise and the minimum delay.
    """

    market_id: int
    reason: Refusal
    in_force: int
    offered: int

    def __str__(self) -> str:
        return f"market {self.market_id}: {self.reason.name.lower()} ({self.in_force} to {self.offered})"


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the six values, with its limits and the reason that a rise beyond the step gets."""

    in_force: int
    offered: int
    bounds: Bounds
    step_up: Refusal


@dataclass(frozen=True, slots=True)
class _Moves:
    """What a market's limits of movement are taken over."""

    rise_seconds: int
    fall_seconds: int
    """At least the dwell, which a fall waits in any case."""
    since_rise_seconds: int
    may_rise: bool
    """False after a correction, until the minimum delay is over."""


def refusals(state: OracleState, report: MarginReport) -> tuple[MarketRefusal, ...]:
    """Return the tuples of a report that the contract would refuse in the given state, in the report's order.

    Parameters
    ----------
    state : OracleState
        The contract at the block before the post.
    report : MarginReport
        With `exceeds_step` as it will be signed.
    """
    posted = {market.market_id: market for market in state.markets}
    found = (_refusal(posted.get(market.market_id), state.timing, report, market) for market in report.markets)
    return tuple(each for each in found if each is not None)


def is_within_delay(posted: PostedMarket, timing: Timing, reference_timestamp: int) -> bool:
    """Return whether a rise at this reference time comes within the minimum delay of the last one."""
    return reference_timestamp - posted.last_rise_timestamp < timing.minimum_delay_seconds


def limit_to_step(report: MarginReport, state: OracleState) -> MarginReport:
    """Return the report with each tuple brought to the largest step toward its target that the quorum may take.

    The result asks for the ordinary quorum only, and each tuple of a known and posted market passes every limit of
    movement and the minimum delay of rises; the target stays in the signed details. A function of its arguments alone,
    so that all keepers arrive at the same integers. Absolute limits are left to refuse: a value brought to a limit
    would be a false one.

    Notes
    -----
    Every field is moved into [in force - largest fall, in force + largest rise]; the largest rise is 0 where the
    contract would refuse any as too soon, so that the falls and the time of the tuple still go through. Where that
    puts initial below maintenance, initial rises as far as it may and maintenance gives way for the rest; both remain
    inside their ranges since in force initial >= maintenance.
    """
    posted = {market.market_id: market for market in state.markets}
    report = replace(report, exceeds_step=False)
    limited = (_limited(posted.get(market.market_id), state.timing, report, market) for market in report.markets)
    return replace(report, markets=tuple(limited))


def limit_falls(report: MarginReport, state: OracleState) -> MarginReport:
    """Return the report with falls no faster than the contract's rate; rises stay as they are.

    A ratio that may not fall as far as its target is posted higher than needed, which is the safe side. No quorum
    lifts this limit.
    """
    posted = {market.market_id: market for market in state.markets}
    lifted = replace(report, exceeds_step=True)
    limited = (_limited(posted.get(market.market_id), state.timing, lifted, market) for market in report.markets)
    return replace(report, markets=tuple(limited))


def _refusal(
    posted: PostedMarket | None, timing: Timing, report: MarginReport, market: MarketMargin
) -> MarketRefusal | None:
    """Return why the contract would refuse one tuple; checks in its order, the first that fails gives the reason."""
    market_id = market.market_id
    if posted is None:
        return MarketRefusal(market_id, Refusal.UNKNOWN_MARKET, 0, 0)
    for initial, maintenance, in_force in (
        (market.initial_long_ppm, market.maintenance_long_ppm, posted.margin.initial_long_ppm),
        (market.initial_short_ppm, market.maintenance_short_ppm, posted.margin.initial_short_ppm),
    ):
        if initial < maintenance:
            return MarketRefusal(market_id, Refusal.INITIAL_BELOW_MAINTENANCE, in_force, initial)
    moves = _moves(posted, timing, report)
    for field in _fields(posted, market):
        reason = _absolute(field)
        if reason is None and moves is not None:
            reason = _movement(field, moves, report.exceeds_step)
        if reason is not None:
            return MarketRefusal(market_id, reason, field.in_force, field.offered)
    rises = any(field.offered > field.in_force for field in _fields(posted, market))
    if moves is not None and rises and not moves.may_rise:
        return MarketRefusal(market_id, Refusal.RISE_TOO_SOON, moves.since_rise_seconds, timing.minimum_delay_seconds)
    return None


def _limited(posted: PostedMarket | None, timing: Timing, report: MarginReport, market: MarketMargin) -> MarketMargin:
    moves = _moves(posted, timing, report) if posted else None
    if posted is None or moves is None:
        return market
    lowest, highest = [], []
    for field in _fields(posted, market):
        lowest.append(field.in_force - _largest_fall(field, moves))
        highest.append(UINT32_MAX if report.exceeds_step else field.in_force + _largest_rise(field, moves))
    values = [min(max(value, low), high) for value, low, high in zip(market.values(), lowest, highest, strict=True)]
    for initial, maintenance in ((0, 2), (1, 3)):
        values[initial] = max(values[initial], min(values[maintenance], highest[initial]))
        values[maintenance] = min(values[maintenance], values[initial])
    return MarketMargin(market.market_id, *values)


def _moves(posted: PostedMarket, timing: Timing, report: MarginReport) -> _Moves | None:
    """Return what the limits are taken over, None for a market that was never posted and so has none."""
    if posted.reference_timestamp == 0:
        return None
    elapsed = report.reference_timestamp - posted.reference_timestamp
    is_too_soon = posted.is_corrected and is_within_delay(posted, timing, report.reference_timestamp)
    return _Moves(
        rise_seconds=elapsed,
        fall_seconds=max(elapsed, timing.dwell_seconds),
        since_rise_seconds=report.reference_timestamp - posted.last_rise_timestamp,
        may_rise=report.exceeds_step or not is_too_soon,
    )


def _fields(posted: PostedMarket, market: MarketMargin) -> Iterator[_Field]:
    groups = (
        (posted.initial, Refusal.INITIAL_STEP_UP),
        (posted.initial, Refusal.INITIAL_STEP_UP),
        (posted.maintenance, Refusal.MAINTENANCE_RATE_UP),
        (posted.maintenance, Refusal.MAINTENANCE_RATE_UP),
        (posted.slope, Refusal.SLOPE_STEP_UP),
        (posted.slope, Refusal.SLOPE_STEP_UP),
    )
    for in_force, offered, (bounds, step_up) in zip(posted.margin.values(), market.values(), groups, strict=True):
        yield _Field(in_force, offered, bounds, step_up)


def _absolute(field: _Field) -> Refusal | None:
    if field.offered < field.bounds.minimum:
        return Refusal.BELOW_MINIMUM
    if field.offered > field.bounds.maximum:
        return Refusal.ABOVE_MAXIMUM
    return None


def _movement(field: _Field, moves: _Moves, rises_are_lifted: bool) -> Refusal | None:
    if not rises_are_lifted and field.offered - field.in_force > _largest_step(field, moves):
        return field.step_up
    if field.in_force - field.offered > _largest_fall(field, moves):
        return Refusal.RATE_DOWN
    return None


def _largest_rise(field: _Field, moves: _Moves) -> int:
    return _largest_step(field, moves) if moves.may_rise else 0


def _largest_step(field: _Field, moves: _Moves) -> int:
    if field.step_up is Refusal.MAINTENANCE_RATE_UP:
        return field.bounds.rise_hourly * moves.rise_seconds // SECONDS_PER_HOUR
    return max(field.in_force * field.bounds.step_relative_ppm // PPM, field.bounds.step_minimum)


def _largest_fall(field: _Field, moves: _Moves) -> int:
    return min(field.bounds.fall_hourly * moves.fall_seconds // SECONDS_PER_HOUR, field.in_force)
