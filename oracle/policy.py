"""The decision: publish the report, or hold for a reason that is stored.

A pure function of the contract's state and the report, both at the reference block; the only time is the report's.
"""

from __future__ import annotations

from dataclasses import replace

from oracle.bounds import limit_falls, limit_to_step, refusals
from oracle.config import PolicySettings
from oracle.types import Decision, Hold, MarginReport, MarketMargin, OracleState, PostedMarket, Update
from oracle.units import PPM


def decide(state: OracleState, target: MarginReport, settings: PolicySettings) -> Decision:
    """Return the report to publish, or why to publish none.

    Parameters
    ----------
    state : OracleState
        The contract at the report's reference block.
    target : MarginReport
        What the model says, with `exceeds_step` False.
    settings : PolicySettings
        A rise and an old accounts root have thresholds of their own.

    Returns
    -------
    Update
        With falls held to the contract's rate. `exceeds_step` is True when the higher quorum gets a rising market
        further; where that is not to be had, `bounds.limit_to_step` gives what the ordinary quorum may post.
    Hold
        Never for a contract that has no report yet.

    Notes
    -----
    Markets that the contract would refuse whatever the quorum move nothing: else a market at its limit would cost a
    transaction in every cycle. Nor does a small rise because little time has passed: right after a post the hourly
    rate of maintenance allows next to none, and each flicker would cost the higher quorum and a transaction.
    """
    report = _with_quorum_needed(state, target)
    if state.last_sequence == 0:
        return Update(report, "first report of this contract")
    if report.reference_block <= state.last_reference_block:
        return Hold(f"block {report.reference_block} is not after the last report's {state.last_reference_block}")
    refused = refusals(state, report)
    if report.markets and len(refused) == len(report.markets):
        return Hold(f"the contract would refuse every market, first {refused[0]}")
    accepted = _accepted(state, report)
    reason = _due(state, report, accepted, settings)
    return Update(report, reason) if reason else Hold(_quiet(state, report, accepted, settings))


def _with_quorum_needed(state: OracleState, target: MarginReport) -> MarginReport:
    """Return the whole rise for the higher quorum where that gets a market further, else what one step allows."""
    step = limit_to_step(target, state)
    whole = replace(limit_falls(target, state), exceeds_step=True)
    refused_ids = {refused.market_id for refused in refusals(state, whole)}
    gets_further = any(
        market != limited and market.market_id not in refused_ids
        for market, limited in zip(whole.markets, step.markets, strict=True)
    )
    return whole if gets_further else step


def _accepted(state: OracleState, report: MarginReport) -> list[tuple[PostedMarket, MarketMargin]]:
    refused_ids = {refused.market_id for refused in refusals(state, report)}
    posted = {market.market_id: market for market in state.markets}
    return [(posted[market.market_id], market) for market in report.markets if market.market_id not in refused_ids]


def _due(
    state: OracleState,
    report: MarginReport,
    accepted: list[tuple[PostedMarket, MarketMargin]],
    settings: PolicySettings,
) -> str:
    """Return why to publish now, empty when there is no reason."""
    for posted, market in accepted:
        if posted.reference_timestamp == 0:
            return f"market {market.market_id} was never posted"
        rise, fall = _largest_moves_ppm(posted.margin, market)
        if rise and rise >= min(settings.tightening_ppm, settings.deviation_ppm):
            if report.exceeds_step:
                return "a ratio has to rise beyond the contract's step"
            return f"market {market.market_id} tightens by {rise} ppm of the value in force"
        if fall and fall >= settings.deviation_ppm:
            return f"market {market.market_id} loosens by {fall} ppm of the value in force"
    age = _age_seconds(state, report, accepted)
    if age >= state.heartbeat_seconds - settings.heartbeat_margin_seconds:
        return f"heartbeat: age {age} s of {state.heartbeat_seconds} s"
    accounts_age = report.reference_timestamp - state.last_reference_timestamp
    if report.account_count and accounts_age >= settings.accounts_age_seconds:
        return f"accounts root is {accounts_age} s old, limit {settings.accounts_age_seconds} s"
    return ""


def _quiet(
    state: OracleState,
    report: MarginReport,
    accepted: list[tuple[PostedMarket, MarketMargin]],
    settings: PolicySettings,
) -> str:
    moves = [_largest_moves_ppm(posted.margin, market) for posted, market in accepted]
    rise = max((rise for rise, _ in moves), default=0)
    fall = max((fall for _, fall in moves), default=0)
    return (
        f"largest rise {rise} ppm of {settings.tightening_ppm}, largest fall {fall} ppm of {settings.deviation_ppm}, "
        f"age {_age_seconds(state, report, accepted)} s of {state.heartbeat_seconds} s"
    )


def _age_seconds(state: OracleState, report: MarginReport, accepted: list[tuple[PostedMarket, MarketMargin]]) -> int:
    oldest = min((posted.reference_timestamp for posted, _ in accepted), default=state.last_reference_timestamp)
    return report.reference_timestamp - min(oldest, state.last_reference_timestamp)


def _largest_moves_ppm(in_force: MarketMargin, offered: MarketMargin) -> tuple[int, int]:
    """Return the largest relative rise and fall of the six values; both rounded up, a rise from zero is of one."""
    rise = fall = 0
    for old, new in zip(in_force.values(), offered.values(), strict=True):
        move = -(-abs(new - old) * PPM // max(old, 1))
        rise, fall = (max(rise, move), fall) if new > old else (rise, max(fall, move))
    return rise, fall
