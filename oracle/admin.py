"""What the oracle's owner, guardian and custodians may do: each act as one call, from whom, and in words.

An owner's change takes effect at once before the first report. From then on it is proposed, waits, and is carried out:
three calls of the same change, of which the next one is chosen here unless it is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from eth_utils.crypto import keccak

from oracle.chain.contract import Contract
from oracle.change_words import (
    call_words,
    duration_words,
    guardian_words,
    limit_words,
    margin_words,
    signer_words,
    time_words,
    timing_words,
)
from oracle.errors import Refused
from oracle.governance import (
    CHANGE_LIFETIME_SECONDS,
    Governance,
    ProposedChange,
    find_change,
    read_signers,
)
from oracle.terms import ZERO_ADDRESS
from oracle.types import BlockStamp, SignerSet


class Way(Enum):
    """How a change of the owner's is brought about."""

    NEXT = "next"
    """At once where nothing waits; else propose it, or carry out what is proposed and ready."""
    PROPOSE = "propose"
    EXECUTE = "execute"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Act:
    """One call of the oracle."""

    words: str
    sender: str
    """Who holds the office that the call needs."""
    to: str
    data: bytes


def owner_change(oracle: Contract, stamp: BlockStamp, way: Way, function: str, *arguments: object) -> Act:
    """Return the owner's next call that brings a change about, or the one that is named.

    Raises
    ------
    Refused
        If the change is proposed and its time has not come; says when it will.
    """
    change = oracle.interface.encode(function, *arguments)
    owner = oracle.call(stamp, "owner")
    has_reports = oracle.call(stamp, "lastSequence") > 0
    delay_seconds = oracle.call(stamp, "ownerDelaySeconds") if has_reports else 0
    if way is Way.NEXT and delay_seconds == 0:
        return Act(call_words(oracle.interface, change), owner, oracle.address, change)
    if way is Way.NEXT:
        way = _next_way(oracle, stamp, change)
    data = oracle.interface.encode(f"{way.value}Change", change)
    words = call_words(oracle.interface, data)
    if way is Way.PROPOSE:
        ready = stamp.timestamp + delay_seconds
        words += (
            f"\nit waits {duration_words(delay_seconds)}, can be carried out from about {time_words(ready)} to "
            f"{time_words(ready + CHANGE_LIFETIME_SECONDS)}, and the guardian can drop it"
        )
    return Act(words, owner, oracle.address, data)


def market_change(
    oracle: Contract, stamp: BlockStamp, way: Way, market_id: int, name: str, config: tuple[object, ...]
) -> Act:
    """Return `owner_change` of a market's limits, with those that are in force beside it."""
    act = owner_change(oracle, stamp, way, "configureMarket", market_id, name, config)
    held = oracle.call(stamp, "marketConfig", market_id)
    return replace(act, words=f"{act.words}\nnow: {limit_words(held)}") if held.exists else act


def owner_act(oracle: Contract, stamp: BlockStamp, function: str, *arguments: object) -> Act:
    """Return a call of the owner's that waits for nothing."""
    return _act(oracle, oracle.call(stamp, "owner"), function, *arguments)


def acceptance(oracle: Contract, stamp: BlockStamp) -> Act:
    """Return the call by which whom the ownership was offered to accepts it.

    Raises
    ------
    Refused
        If it is on offer to nobody.
    """
    pending = oracle.call(stamp, "pendingOwner")
    if pending == ZERO_ADDRESS:
        raise Refused(
            f"the ownership of {oracle.address} is on offer to nobody",
            "its owner offers it by `margin-oracle admin transfer-ownership`",
        )
    return _act(oracle, pending, "acceptOwnership")


def guardian_act(oracle: Contract, stamp: BlockStamp, function: str, *arguments: object) -> Act:
    """Return a call of the guardian's.

    Raises
    ------
    Refused
        If there is no guardian.
    """
    guardian = oracle.call(stamp, "guardian")
    if guardian == ZERO_ADDRESS:
        raise Refused(f"{oracle.address} has no guardian", "its owner names one by `margin-oracle admin guardian`")
    return _act(oracle, guardian, function, *arguments)


def cancellation(oracle: Contract, stamp: BlockStamp, first_block: int, change_id: bytes, sender: str) -> Act:
    """Return the call that drops a proposed change.

    Parameters
    ----------
    oracle : Contract
    stamp : BlockStamp
    first_block : int
        Of the oracle's deployment, or one before.
    change_id : bytes
        As `status_lines` shows it.
    sender : str
        Who is to send it; empty for the guardian or, where the guardian may not, the owner.

    Raises
    ------
    Refused
        If nothing with this id is proposed.
    """
    found = find_change(oracle, stamp, first_block, change_id)
    if found is None:
        raise Refused(
            f"no change 0x{change_id.hex()} is proposed", "`margin-oracle admin status` shows what is, with its id"
        )
    owner, guardian = oracle.call(stamp, "owner"), oracle.call(stamp, "guardian")
    concerns_guardian = found.change[:4] == oracle.interface.encode("setGuardian", ZERO_ADDRESS)[:4]
    office = owner if sender == owner or guardian == ZERO_ADDRESS or concerns_guardian else guardian
    return _act(oracle, office, "cancelChange", found.change)


def rotation(oracle: Contract, stamp: BlockStamp, first_block: int, custodian: str, new_signer: str) -> Act:
    """Return the call by which a custodian replaces the one signer that it answers for; parameters as `cancellation`.

    Raises
    ------
    Refused
        If the custodian answers for nobody.
    """
    signer, allowed_timestamp = oracle.call(stamp, "rotation", custodian)
    held = read_signers(oracle, stamp, first_block)
    if signer == ZERO_ADDRESS or held is None or signer not in held.signers:
        raise Refused(
            f"{custodian} answers for no signer in force",
            "the owner grants it by `margin-oracle admin grant-rotation`",
        )
    current = (held.threshold, held.step_threshold, held.signers)
    act = _act(oracle, custodian, "rotateSigner", current, new_signer)
    since = f", allowed from {time_words(allowed_timestamp)} on" if allowed_timestamp > stamp.timestamp else ""
    return replace(act, words=f"put {new_signer} in the place of the signer {signer}{since}")


def status_lines(oracle: Contract, governance: Governance) -> Iterator[str]:
    """Yield who may do what and what is about to change, a line each."""
    stamp = governance.stamp
    yield f"oracle         {oracle.address} in block {stamp.number} of {time_words(stamp.timestamp)}"
    yield f"owner          {governance.owner}"
    if governance.pending_owner != ZERO_ADDRESS:
        yield f"on offer to    {governance.pending_owner}, who has to accept"
    yield f"guardian       {guardian_words(governance.guardian)}"
    waits = "" if governance.last_sequence else ", nothing waits before the first report"
    yield f"owner delay    {duration_words(governance.owner_delay_seconds)}{waits}"
    yield f"timing         {timing_words(governance.timing)}"
    yield f"posts          {'PAUSED' if governance.is_paused else 'not paused'}, last {governance.last_sequence}"
    yield f"signers        {_set_words(governance.signers)}"
    for one in governance.rotations:
        since = f", from {time_words(one.allowed_timestamp)}" if one.allowed_timestamp > stamp.timestamp else ""
        yield f"custodian      {one.custodian} may replace the signer {one.signer}{since}"
    for market in governance.markets:
        looser = f"{margin_words(market.pending)} from {time_words(market.pending_timestamp)}"
        waiting = looser if market.pending_timestamp else "nothing"
        yield f"market {market.market_id:<7} {market.name!r}, waits: {waiting}"
    for change in governance.changes:
        yield f"change         0x{change.id.hex()} {_when(change, stamp)}"
        yield f"               {call_words(oracle.interface, change.change)}"
    if not governance.changes:
        yield "change         none is proposed"


def _next_way(oracle: Contract, stamp: BlockStamp, change: bytes) -> Way:
    ready = oracle.call(stamp, "readyTimestamp", keccak(change))
    if ready == 0:
        return Way.PROPOSE
    proposed = ProposedChange(keccak(change), change, ready)
    if not ready <= stamp.timestamp <= proposed.expiry_timestamp:
        raise Refused(
            f"change 0x{proposed.id.hex()} is proposed and {_when(proposed, stamp)}",
            "wait; or --cancel it" if stamp.timestamp < ready else "--cancel it, then propose it anew",
        )
    return Way.EXECUTE


def _when(change: ProposedChange, stamp: BlockStamp) -> str:
    ready, expiry = time_words(change.ready_timestamp), time_words(change.expiry_timestamp)
    if stamp.timestamp < change.ready_timestamp:
        return f"waits until {ready}"
    if stamp.timestamp <= change.expiry_timestamp:
        return f"can be carried out until {expiry}"
    return f"lapsed at {expiry}"


def _set_words(signers: SignerSet | None) -> str:
    if signers is None:
        return "none yet"
    return f"epoch {signers.epoch}: {signer_words(signers.threshold, signers.step_threshold, signers.signers)}"


def _act(oracle: Contract, sender: str, function: str, *arguments: object) -> Act:
    data = oracle.interface.encode(function, *arguments)
    return Act(call_words(oracle.interface, data), sender, oracle.address, data)
