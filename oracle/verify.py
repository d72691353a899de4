"""Recomputes a posted report from its block and compares every integer.

What was posted is taken from the chain (event and calldata); where this keeper stored the details of the report,
they are compared too, so that a stored input that was touched is named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from eth_utils.crypto import keccak

from oracle import report
from oracle.attest import differences
from oracle.chain.abi import Event
from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.wire import octets
from oracle.config import Settings
from oracle.cycle import Draft, make_draft, report_to_sign
from oracle.errors import BadData, StorageFailure
from oracle.journal import ReportRow
from oracle.packing import unpack
from oracle.types import MarginReport
from oracle.valuation import Calibration

_POST_SELECTOR = keccak(text="post(bytes)")[:4]
_POST_HEAD_BYTES = 4 + 32 + 32
BLOCKS_PER_SEARCH = 2_000
"""Hosted nodes cap the range of one event query at about this; the search goes back from the head."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome; `differences` is empty when every integer is equal."""

    sequence: int
    reference_block: int
    transaction_hash: bytes
    markets: int
    accounts: int
    stored_details: bool
    """Whether stored details of the report were there to be compared."""
    differences: tuple[str, ...]


def verify_report(
    client: ChainClient,
    settings: Settings,
    calibration: Calibration,
    sequence: int,
    stored: Sequence[ReportRow] = (),
) -> Verification:
    """Recompute the report with this sequence number and compare it with what was posted.

    Parameters
    ----------
    client : ChainClient
        Its endpoint must still hold the state of the reference block.
    settings : Settings
        `contracts`, `prices`, `model` and `policy` as they were when the report was made.
    calibration : Calibration
        The artefact that was in force.
    sequence : int
    stored : sequence of ReportRow
        Reports of this number as a keeper's journal holds them. The one that was posted is compared field by field;
        others lost the race for the number and say nothing.

    Raises
    ------
    BadData
        If no report with this number was posted.
    StorageFailure
        If the stored details are not JSON.
    """
    event = _posted_event(client, settings, sequence)
    stamp = client.block_by_number(event.values["referenceBlock"])
    draft = make_draft(client, settings, calibration, stamp)
    found = list(_report_differences(client, event, draft))
    own_rows = [row for row in stored if row.digest == event.values["digest"]]
    for row in own_rows:
        found += _stored_differences(row, event, draft)
    return Verification(
        sequence=sequence,
        reference_block=stamp.number,
        transaction_hash=event.log.transaction_hash,
        markets=len(draft.target.markets),
        accounts=draft.target.account_count,
        stored_details=bool(own_rows),
        differences=tuple(found),
    )


def detail_differences(stored: object, own: object, where: str = "details") -> list[str]:
    """Return each leaf in which two details differ, as "path: stored, recomputed"."""
    if isinstance(stored, dict) and isinstance(own, dict):
        found = []
        for key in sorted(stored.keys() | own.keys()):
            path = f"{where}.{key}"
            if key not in stored or key not in own:
                found.append(f"{path}: only in the {'recomputed' if key in own else 'stored'} details")
            else:
                found += detail_differences(stored[key], own[key], path)
        return found
    if isinstance(stored, list) and isinstance(own, list | tuple) and len(stored) == len(own):
        pairs = enumerate(zip(stored, own, strict=True))
        return [line for i, (s, o) in pairs for line in detail_differences(s, o, f"{where}[{i}]")]
    return [] if stored == own else [f"{where}: stored {stored}, recomputed {own}"]


def _stored_differences(row: ReportRow, event: Event, draft: Draft) -> list[str]:
    try:
        details = json.loads(row.details)
    except ValueError as error:
        raise StorageFailure(
            f"the stored details of report {row.sequence} are not JSON: {error}", "restore the journal"
        ) from None
    found = detail_differences(details, draft.valuation.details)
    stored_hash, posted_hash = report.details_hash(details), event.values["detailsHash"]
    if stored_hash != posted_hash:
        found.insert(0, f"stored details hash: 0x{stored_hash.hex()}, posted 0x{posted_hash.hex()}")
    return found


def _posted_event(client: ChainClient, settings: Settings, sequence: int) -> Event:
    contract = Contract(client, settings.contracts.oracle, load_artefact("MarginOracle").interface)
    head = client.head()
    contract.require(head)
    first, last = settings.contracts.first_block, head.number
    while last >= first:
        start = max(last - BLOCKS_PER_SEARCH + 1, first)
        events = contract.events("ReportPosted", start, last, (sequence.to_bytes(32, "big"),))
        if events:
            return events[0]
        last = start - 1
    raise BadData(
        f"no report with sequence {sequence} was posted to {contract.address} in blocks {first} to {head.number}",
        "check the number, contracts.oracle and contracts.first_block",
    )


def _report_differences(client: ChainClient, event: Event, draft: Draft) -> tuple[str, ...]:
    posted = _posted_report(client, event)
    if posted is not None:
        return differences(posted, report_to_sign(draft, posted.exceeds_step))
    # Posted through another contract: the report itself is not in the calldata, its digest is in the event.
    domain = report.domain_of(draft.snapshot)
    digests = {report.digest(report_to_sign(draft, flag), domain) for flag in (False, True)}
    if event.values["digest"] in digests:
        return ()
    return (f"digest: 0x{event.values['digest'].hex()}, own 0x{min(digests).hex()}",)


def _posted_report(client: ChainClient, event: Event) -> MarginReport | None:
    transaction_hash = "0x" + event.log.transaction_hash.hex()
    data = client.request("eth_getTransactionByHash", [transaction_hash], lambda found: octets(found["input"]))
    if data[:4] != _POST_SELECTOR:
        return None
    length = int.from_bytes(data[_POST_HEAD_BYTES - 32 : _POST_HEAD_BYTES], "big")
    return unpack(data[_POST_HEAD_BYTES : _POST_HEAD_BYTES + length])[0]
