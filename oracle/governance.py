"""What governs a MarginOracle: offices, signers, limits, and what was proposed, at one block.

The contract keeps no lists; which markets, custodians and proposals there are is in its events.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

from oracle.chain.abi import Event
from oracle.chain.contract import Contract
from oracle.errors import BadData
from oracle.packing import signer_set_hash
from oracle.types import BlockStamp, MarketMargin, SignerSet

CHANGE_LIFETIME_SECONDS = 14 * 86_400
"""How long after its time a change can be carried out; `MarginGovernance.CHANGE_LIFETIME_SECONDS`."""

_NOBODY = "0x0000000000000000000000000000000000000000"
_EVENTS = ("OwnershipTransferred", "MarketConfigured", "SignerSetChanged", "RotationGranted", "ChangeProposed")


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """A change of the owner's that waits, or whose time has come or gone."""

    id: bytes
    change: bytes
    """Calldata of the owner function."""
    ready_timestamp: int

    @property
    def expiry_timestamp(self) -> int:
        """When it can be carried out for the last time."""
        return self.ready_timestamp + CHANGE_LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class GovernedMarket:
    """A market as the owner configured it, and the looser margin that waits in it."""

    market_id: int
    name: str
    config: Any
    """`IMarginOracle.MarketConfig`, named as in the ABI."""
    pending: MarketMargin
    pending_timestamp: int
    """When it takes effect; 0 when nothing waits."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A custodian's right to replace a signer."""

    custodian: str
    signer: str
    allowed_timestamp: int


@dataclass(frozen=True, slots=True)
class Governance:
    """Who may do what, and what is about to change."""

    stamp: BlockStamp
    owner: str
    pending_owner: str
    """The zero address when the ownership is not on offer."""
    guardian: str
    owner_delay_seconds: int
    timing: Any
    """`IMarginOracle.Timing`."""
    is_paused: bool
    last_sequence: int
    signers: SignerSet | None
    """None before the first set."""
    rotations: tuple[Rotation, ...]
    markets: tuple[GovernedMarket, ...]
    changes: tuple[ProposedChange, ...]


def read_governance(contract: Contract, stamp: BlockStamp, first_block: int) -> Governance:
    """Return what governs the oracle at a block.

    Parameters
    ----------
    contract : Contract
        MarginOracle.
    stamp : BlockStamp
    first_block : int
        Of its deployment, or one before.

    Raises
    ------
    BadData
        If the events from `first_block` on do not begin with the oracle's creation: what was set before would be
        missed.
    OracleError
        As `Contract.call`.
    """
    events = tuple(contract.search(_EVENTS, first_block, stamp.number))[::-1]
    if not any(event.values["previousOwner"] == _NOBODY for event in _named(events, "OwnershipTransferred")):
        raise _missing(contract, f"of its creation from block {first_block} on")
    return Governance(
        stamp=stamp,
        owner=contract.call(stamp, "owner"),
        pending_owner=contract.call(stamp, "pendingOwner"),
        guardian=contract.call(stamp, "guardian"),
        owner_delay_seconds=contract.call(stamp, "ownerDelaySeconds"),
        timing=contract.call(stamp, "timing"),
        is_paused=contract.call(stamp, "isPaused"),
        last_sequence=contract.call(stamp, "lastSequence"),
        signers=_signers(contract, stamp, _named(events, "SignerSetChanged")),
        rotations=_rotations(contract, stamp, _named(events, "RotationGranted")),
        markets=_markets(contract, stamp, _named(events, "MarketConfigured")),
        changes=_changes(contract, stamp, _named(events, "ChangeProposed")),
    )


def read_signers(contract: Contract, stamp: BlockStamp, first_block: int) -> SignerSet | None:
    """Return the set in force, None before the first; arguments and errors as `read_governance`."""
    newest = contract.search(["SignerSetChanged"], first_block, stamp.number)
    return _signers(contract, stamp, tuple(islice(newest, 1)))


def find_change(contract: Contract, stamp: BlockStamp, first_block: int, change_id: bytes) -> ProposedChange | None:
    """Return what is proposed under an id, None if nothing is; arguments as `read_governance`."""
    ready = contract.call(stamp, "readyTimestamp", change_id)
    if ready == 0:
        return None
    newest = contract.search(["ChangeProposed"], first_block, stamp.number, [change_id])
    return next((ProposedChange(change_id, event.values["change"], ready) for event in newest), None)


def _signers(contract: Contract, stamp: BlockStamp, events: tuple[Event, ...]) -> SignerSet | None:
    on_chain = contract.call(stamp, "signerSetHash")
    if on_chain == bytes(32):
        return None
    if events:
        last = events[-1].values
        found = SignerSet(last["epoch"], last["threshold"], last["stepThreshold"], last["signers"])
        if signer_set_hash(found) == on_chain:
            return found
    raise _missing(contract, f"of the signer set 0x{on_chain.hex()} that is in force")


def _rotations(contract: Contract, stamp: BlockStamp, events: tuple[Event, ...]) -> tuple[Rotation, ...]:
    found = []
    for custodian in dict.fromkeys(event.values["custodian"] for event in events):
        signer, allowed = contract.call(stamp, "rotation", custodian)
        if signer != _NOBODY:
            found.append(Rotation(custodian, signer, allowed))
    return tuple(found)


def _changes(contract: Contract, stamp: BlockStamp, events: tuple[Event, ...]) -> tuple[ProposedChange, ...]:
    proposed = {event.values["id"]: event.values["change"] for event in events}
    ready = {change_id: contract.call(stamp, "readyTimestamp", change_id) for change_id in proposed}
    return tuple(ProposedChange(one, change, ready[one]) for one, change in proposed.items() if ready[one])


def _markets(contract: Contract, stamp: BlockStamp, events: tuple[Event, ...]) -> tuple[GovernedMarket, ...]:
    found = []
    for market_id, name in sorted(_last_names(events).items()):
        state = contract.call(stamp, "marketState", market_id)
        pending = MarketMargin(market_id, *state.pending[:6])
        config = contract.call(stamp, "marketConfig", market_id)
        found.append(GovernedMarket(market_id, name, config, pending, state.pendingTimestamp))
    return tuple(found)


def _last_names(events: tuple[Event, ...]) -> dict[int, str]:
    return {event.values["marketId"]: event.values["name"] for event in events}


def _named(events: tuple[Event, ...], name: str) -> tuple[Event, ...]:
    return tuple(event for event in events if event.name == name)


def _missing(contract: Contract, what: str) -> BadData:
    return BadData(
        f"the events of {contract.address} do not tell {what}",
        "let the first block (contracts.first_block, --first-block) be that of its deployment, or one before",
    )
