"""The decision: publish the report, or hold for a reason that is stored.

A pure function of the contract's state and the report, both at the reference block; the only time is the report's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from oracle.bounds import limit_falls, limit_to_step, refusals
from oracle.config import PolicySettings
from oracle.dwell import awaited, settle
from oracle.types import Decision, Hold, MarginReport, MarketMargin, OracleState, PostedMarket, Update
from oracle.units import PPM


def decide(
    state: OracleState, target: MarginReport, settings: PolicySettings, has_higher_quorum: bool = True
) -> Decision:
    """Return the report to publish, or why to publish none.

    Parameters
    ----------
    state : OracleState
        The contract at the report's reference block.
    target : MarginReport
        What the model says, with `exceeds_step` False.
    settings : PolicySettings
        A rise and an old accounts root have thresholds of their own.
    has_higher_quorum : bool
        False: only what the ordinary quorum may post is considered, `bounds.limit_to_step`.

    Returns
    -------
    Update
        With falls held to the contract's rate. `exceeds_step` is True when the higher quorum gets a rising market
        further.
    Hold
        For a contract that has no report yet only while its guardian has paused posts.

    Notes
    -----
    Markets that the contract would refuse whatever the quorum move nothing: else a market at its limit would cost a
    transaction in every cycle. Nor does a small rise because little time has passed: right after a post the hourly
    rate of maintenance allows next to none, and each flicker would cost the higher quorum and a transaction. Nor does
    a fall in a market where one waits: a report adds nothing to it until its time has come. A target above what waits
    is posted like any other rise: else the looser tuple would come in force against the model's word.
    """
    if state.is_paused:
        return Hold("posts are paused by the guardian")
    report = _with_quorum_needed(state, target) if has_higher_quorum else limit_to_step(target, state)
    if state.last_sequence == 0:
        return Update(report, "first report of this contract")
    if report.reference_block <= state.last_reference_block:
        return Hold(f"block {report.reference_block} is not after the last report's {state.last_reference_block}")
    refused = refusals(state, report)
    if report.markets and len(refused) == len(report.markets):
        return Hold(f"the contract would refuse every market, first {refused[0]}")
    effects = _effects(state, report, target)
    reason = _due(state, report, effects, settings)
    return Update(report, reason) if reason else Hold(_quiet(state, report, effects, settings))


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a post would do to a market; moves in ppm of the value that they start from, rounded up."""

    posted: PostedMarket
    tightens_ppm: int
    """Largest rise of what is in force."""
    raises_ppm: int
    """Largest rise of what waits, as far as the target asks for it."""
    loosens_ppm: int
    """Largest fall; 0 while an earlier one waits."""
    has_come: bool
    """Whether something waits whose time has come."""


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


def _effects(state: OracleState, report: MarginReport, target: MarginReport) -> list[_Effect]:
    """Return what a post would do to each market that the contract would not refuse."""
    refused_ids = {refused.market_id for refused in refusals(state, report)}
    posted = {market.market_id: market for market in state.markets}
    return [
        _effect(state, report, posted[market.market_id], market, wanted)
        for market, wanted in zip(report.markets, target.markets, strict=True)
        if market.market_id not in refused_ids
    ]


def _effect(
    state: OracleState, report: MarginReport, before: PostedMarket, market: MarketMargin, wanted: MarketMargin
) -> _Effect:
    now = report.reference_timestamp
    after = settle(before, state.timing, report, market, now)
    has_come = before.pending is not None and before.pending.effective_timestamp <= now
    is_waiting = before.pending is not None and not has_come
    # A report may lie above what waits only because the limit of falls has become tighter since.
    asked = MarketMargin(market.market_id, *map(min, awaited(after).values(), wanted.values()))
    return _Effect(
        posted=before,
        tightens_ppm=_largest_rise_ppm(before.margin, after.margin),
        raises_ppm=_largest_rise_ppm(awaited(before), asked) if before.pending else 0,
        loosens_ppm=0 if is_waiting else _largest_fall_ppm(before.margin, awaited(after)),
        has_come=has_come,
    )


def _due(state: OracleState, report: MarginReport, effects: Sequence[_Effect], settings: PolicySettings) -> str:
    """Return why to publish now, empty when there is no reason."""
    tightening_ppm = max(min(settings.tightening_ppm, settings.deviation_ppm), 1)
    for effect in effects:
        name = f"market {effect.posted.market_id}"
        if effect.posted.reference_timestamp == 0:
            return f"{name} was never posted"
        if effect.tightens_ppm >= tightening_ppm:
            if report.exceeds_step:
                return "a ratio has to rise beyond the contract's step"
            return f"{name} tightens by {effect.tightens_ppm} ppm of the value in force"
        if effect.raises_ppm >= tightening_ppm:
            return f"{name} needs {effect.raises_ppm} ppm more than the looser value that waits"
        if effect.loosens_ppm >= max(settings.deviation_ppm, 1):
            if effect.has_come:
                return f"{name}: a loosening's time has come"
            return f"{name} loosens by {effect.loosens_ppm} ppm of the value in force"
    age = _age_seconds(state, report, effects)
    if age >= state.timing.heartbeat_seconds - settings.heartbeat_margin_seconds:
        return f"heartbeat: age {age} s of {state.timing.heartbeat_seconds} s"
    accounts_age = report.reference_timestamp - state.last_reference_timestamp
    if report.account_count and accounts_age >= settings.accounts_age_seconds:
        return f"accounts root is {accounts_age} s old, limit {settings.accounts_age_seconds} s"
    return ""


def _quiet(state: OracleState, report: MarginReport, effects: Sequence[_Effect], settings: PolicySettings) -> str:
    rise = max((max(effect.tightens_ppm, effect.raises_ppm) for effect in effects), default=0)
    fall = max((effect.loosens_ppm for effect in effects), default=0)
    waiting = [effect.posted.pending.effective_timestamp for effect in effects if effect.posted.pending]
    return (
        f"largest rise {rise} ppm of {settings.tightening_ppm}, largest fall {fall} ppm of {settings.deviation_ppm}, "
        f"age {_age_seconds(state, report, effects)} s of {state.timing.heartbeat_seconds} s"
        + (f", loosenings that wait: {len(waiting)}, the first until {min(waiting)}" if waiting else "")
    )


def _age_seconds(state: OracleState, report: MarginReport, effects: Sequence[_Effect]) -> int:
    oldest = min((effect.posted.reference_timestamp for effect in effects), default=state.last_reference_timestamp)
    return report.reference_timestamp - min(oldest, state.last_reference_timestamp)


def _largest_rise_ppm(before: MarketMargin, after: MarketMargin) -> int:
    """Return the largest relative rise of the six values, rounded up; a rise from zero is of one."""
    return _largest_move_ppm([(old, new - old) for old, new in zip(before.values(), after.values(), strict=True)])


def _largest_fall_ppm(before: MarketMargin, after: MarketMargin) -> int:
    """Return the largest relative fall of the six values, rounded up."""
    return _largest_move_ppm([(old, old - new) for old, new in zip(before.values(), after.values(), strict=True)])


def _largest_move_ppm(moves: Sequence[tuple[int, int]]) -> int:
    return max(-(-max(move, 0) * PPM // max(start, 1)) for start, move in moves)
