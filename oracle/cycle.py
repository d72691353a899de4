"""One cycle, the line and nothing else:

block -> snapshot -> book -> scenarios -> report -> decision -> signatures -> transaction -> journal
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from oracle import policy, report
from oracle.attest import Attestor, collect
from oracle.bounds import limit_falls, limit_to_step
from oracle.chain.client import ChainClient
from oracle.chain.fees import Urgency
from oracle.config import Settings
from oracle.errors import BadArtefact, NotEnoughSignatures, OracleError, Refused, SignerNotInSet, StorageFailure
from oracle.journal import CycleRow, Journal
from oracle.packing import signer_set_hash
from oracle.publisher import Posting, Publisher
from oracle.snapshot import read_snapshot
from oracle.types import BlockStamp, Decision, Hold, MarginReport, Signature, SignerSet, Snapshot, Update, Valuation
from oracle.units import SECONDS_PER_HOUR
from oracle.valuation import Calibration, evaluate

Progress = Callable[[str], None]
"""Told the name of each step as it begins."""

STEPS = ("settle", "block", "snapshot", "scenarios", "report", "decision", "signatures", "transaction", "journal")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a block says under a calibration and a configuration; the same bytes for everyone."""

    snapshot: Snapshot
    valuation: Valuation
    target: MarginReport
    """What the model asks for, before the contract's steps."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Everything a cycle uses, built once."""

    settings: Settings
    client: ChainClient
    calibration: Calibration
    journal: Journal
    clock: Callable[[], int]
    """Unix seconds, for the journal's times alone."""
    attestors: tuple[Attestor, ...] = ()
    publisher: Publisher | None = None
    """None: a dry run, everything but sending."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What a cycle did; `posting` is None for a hold and for a dry run."""

    draft: Draft
    decision: Decision
    signatures: tuple[Signature, ...]
    posting: Posting | None


def make_draft(
    client: ChainClient,
    settings: Settings,
    calibration: Calibration,
    stamp: BlockStamp,
    progress: Progress = lambda step: None,
) -> Draft:
    """Return the draft of a block: a pure function of its hash, the calibration, the model and this code.

    Raises
    ------
    BadArtefact
        If the calibration is older than the configuration allows at the block.
    BadData
        If an input cannot be trusted or a position cannot be valued.
    """
    _require_young(calibration, stamp, settings.calibration.maximum_age_days)
    progress("snapshot")
    snapshot = read_snapshot(client, settings, stamp, calibration.last_hour)
    progress("scenarios")
    valuation = evaluate(snapshot, calibration, settings.model, settings.schedule.threads)
    progress("report")
    return Draft(snapshot, valuation, report.build(snapshot, valuation, settings.policy.valid_for_seconds))


def report_to_sign(draft: Draft, exceeds_step: bool) -> MarginReport:
    """Return the report that follows from a draft: the whole rise for the higher quorum, or what one step allows."""
    state = draft.snapshot.oracle
    if exceeds_step:
        return replace(limit_falls(draft.target, state), exceeds_step=True)
    return limit_to_step(draft.target, state)


def run_cycle(keeper: Keeper, progress: Progress = lambda step: None) -> CycleResult:
    """Run one cycle and record what it did.

    Raises
    ------
    OracleError
        By class, see `oracle.errors`; nothing is half done: what was sent is in the journal.
    """
    started = keeper.clock()
    if keeper.publisher is not None:
        progress("settle")
        keeper.publisher.settle_open()
    progress("block")
    stamp = keeper.client.reference_block()
    try:
        result = _decide_and_publish(keeper, stamp, progress)
    except StorageFailure:
        raise
    except OracleError as error:
        _record(keeper, started, stamp, "hold" if isinstance(error, Refused) else type(error).__name__, str(error))
        raise
    progress("journal")
    kind = "hold" if isinstance(result.decision, Hold) else "update" if result.posting else "dry run"
    _record(keeper, started, stamp, kind, result.decision.reason)
    return result


def _decide_and_publish(keeper: Keeper, stamp: BlockStamp, progress: Progress) -> CycleResult:
    draft = make_draft(keeper.client, keeper.settings, keeper.calibration, stamp, progress)
    progress("decision")
    state = draft.snapshot.oracle
    if state.is_paused:
        structlog.get_logger("cycle").error("posts_paused", alert=True, oracle=state.address)
    decision = policy.decide(state, draft.target, keeper.settings.policy)
    if isinstance(decision, Hold) or keeper.publisher is None:
        return CycleResult(draft, decision, (), None)
    progress("signatures")
    signer_set = configured_signer_set(keeper.settings, state.signer_set_epoch, state.signer_set_hash)
    final, signatures = _sign(keeper, draft, decision, signer_set)
    if isinstance(final, Hold):
        return CycleResult(draft, final, (), None)
    progress("transaction")
    # Also where the higher quorum is missing: what one step allows is then needed all the more.
    urgency = Urgency.URGENT if decision.report.exceeds_step else Urgency.ROUTINE
    posting = keeper.publisher.publish(final.report, signer_set, signatures, draft.valuation.details, urgency)
    return CycleResult(draft, final, signatures, posting)


def _record(keeper: Keeper, started: int, stamp: BlockStamp, decision: str, reason: str) -> None:
    structlog.get_logger("cycle").info("cycle", block=stamp.number, decision=decision, reason=reason)
    keeper.journal.record_cycle(CycleRow(started, keeper.clock(), stamp.number, stamp.hash, decision, reason))


def signer_set_of(settings: Settings, epoch: int) -> SignerSet:
    """Return the configured signers as the contract's set of an epoch."""
    contracts = settings.contracts
    signers = tuple(sorted(contracts.signers, key=lambda address: int(address, 16)))
    return SignerSet(epoch, contracts.threshold, contracts.step_threshold, signers)


def configured_signer_set(settings: Settings, epoch: int, on_chain_hash: bytes) -> SignerSet:
    """Return the configured signers, checked against the contract's hash of its set.

    Raises
    ------
    SignerNotInSet
        If they are others: since a change of signers the contract refuses all that this keeper posts.
    """
    signer_set = signer_set_of(settings, epoch)
    if signer_set_hash(signer_set) != on_chain_hash:
        raise SignerNotInSet(
            f"contracts.signers, threshold and step_threshold do not hash to the oracle's set of epoch {epoch}",
            "copy them from the last SignerSetChanged event",
        )
    return signer_set


def _sign(
    keeper: Keeper, draft: Draft, wanted: Update, signer_set: SignerSet
) -> tuple[Decision, tuple[Signature, ...]]:
    """Collect the quorum; without the higher one, decide on the largest step that the ordinary one may take."""
    stamp, state = draft.snapshot.stamp, draft.snapshot.oracle
    if not wanted.report.exceeds_step:
        return wanted, collect(wanted.report, stamp, keeper.attestors, signer_set.threshold)
    try:
        return wanted, collect(wanted.report, stamp, keeper.attestors, signer_set.step_threshold)
    except NotEnoughSignatures as error:
        structlog.get_logger("cycle").error("higher_quorum_missing", alert=True, reason=error.message)
    step = policy.decide(state, draft.target, keeper.settings.policy, has_higher_quorum=False)
    if isinstance(step, Hold):
        return step, ()
    return step, collect(step.report, stamp, keeper.attestors, signer_set.threshold)


def _require_young(calibration: Calibration, stamp: BlockStamp, maximum_age_days: int) -> None:
    age_days = (stamp.timestamp // SECONDS_PER_HOUR - calibration.last_hour) // 24
    if age_days > maximum_age_days:
        raise BadArtefact(
            f"the calibration ends {age_days} days before block {stamp.number}, {maximum_age_days} are allowed",
            "calibrate again; calibration.maximum_age_days is the limit",
        )
