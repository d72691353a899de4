"""What a market holds after a tuple that the contract accepts: what is tighter at once, what is looser after the dwell.

A twin of `MarginDwell` and of how `MarginWords` remembers rises: that both lead to the same market is held by tests
against the contract.
"""

from __future__ import annotations

from dataclasses import replace

from oracle.bounds import is_within_delay
from oracle.types import MarginReport, MarketMargin, PendingMargin, PostedMarket, Timing

REMEMBERED_SECONDS = 2**16 - 1
"""A rise longer ago than this is held as this long ago."""


def settle(
    posted: PostedMarket, timing: Timing, report: MarginReport, market: MarketMargin, block_timestamp: int
) -> PostedMarket:
    """Return the market after a report was posted whose tuple `oracle.bounds` lets through.

    Parameters
    ----------
    posted : PostedMarket
        The market before.
    timing : Timing
    report : MarginReport
        Gives the reference time, and whether limits of rises are lifted.
    market : MarketMargin
        The report's tuple for this market.
    block_timestamp : int
        Of the block that the post is mined in, from which the dwell runs.
    """
    in_force, pending = market, None
    if timing.dwell_seconds and not _covers(market, posted.margin):
        in_force, pending = _wait(posted, market, block_timestamp, timing.dwell_seconds)
    last_rise_timestamp, is_corrected = _last_rise(posted, timing, report, market)
    return replace(
        posted,
        margin=in_force,
        reference_timestamp=report.reference_timestamp,
        pending=pending,
        last_rise_timestamp=last_rise_timestamp,
        is_corrected=is_corrected,
    )


def awaited(posted: PostedMarket) -> MarketMargin:
    """Return what is in force once what waits has come, if no report says otherwise."""
    return posted.pending.margin if posted.pending else posted.margin


def _wait(
    posted: PostedMarket, market: MarketMargin, block_timestamp: int, dwell_seconds: int
) -> tuple[MarketMargin, PendingMargin | None]:
    """Return what is in force and what waits after a tuple of which some value falls."""
    effective_timestamp = block_timestamp + dwell_seconds
    if posted.pending is None:
        return _maximum(posted.margin, market), PendingMargin(market, effective_timestamp)
    raised = _maximum(posted.pending.margin, market)
    if block_timestamp < posted.pending.effective_timestamp:
        return _maximum(posted.margin, market), replace(posted.pending, margin=raised)
    # What this report asks for below what has come in force waits anew.
    return raised, None if raised == market else PendingMargin(market, effective_timestamp)


def _last_rise(posted: PostedMarket, timing: Timing, report: MarginReport, market: MarketMargin) -> tuple[int, bool]:
    now = report.reference_timestamp
    if posted.reference_timestamp == 0:
        return now - REMEMBERED_SECONDS, False
    if _covers(posted.margin, market):
        return max(posted.last_rise_timestamp, now - REMEMBERED_SECONDS), posted.is_corrected
    return now, not report.exceeds_step and is_within_delay(posted, timing, now)


def _covers(upper: MarketMargin, lower: MarketMargin) -> bool:
    return all(high >= low for high, low in zip(upper.values(), lower.values(), strict=True))


def _maximum(left: MarketMargin, right: MarketMargin) -> MarketMargin:
    return MarketMargin(left.market_id, *map(max, left.values(), right.values()))
