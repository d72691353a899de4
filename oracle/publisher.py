"""Brings a signed report on chain: pack, simulate, journal, send, settle.

Promise: the row is written before the bytes leave, the bytes that leave are those that were simulated, and a restart
at any point leads to the same end: what the journal holds open is settled from the chain before anything else is
sent. A missing receipt means unknown, never failed. A sequence number is used once: by the contract's rule, and here
by refusing to send while one is open or when the chain already has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from oracle.chain.contract import Contract
from oracle.chain.fees import Urgency
from oracle.chain.transaction import Dropped, Mined, Outcome, Receipt, Replaced, SignedTransaction
from oracle.chain.transactor import Transactor
from oracle.errors import BadData, CallReverted, NonceTaken, Refused, TransactionUnknown
from oracle.journal import Journal, ReportRow, TransactionRow, TransactionState
from oracle.packing import pack
from oracle.report import Domain, canonical_json, details_hash, digest
from oracle.types import MarginReport, Signature, SignerSet


@dataclass(frozen=True, slots=True)
class Posting:
    """What became of a transaction; only `MINED` without `frees_nonce` has put its report in force."""

    sequence: int
    state: TransactionState
    transaction_hash: bytes
    frees_nonce: bool = False
    block_number: int | None = None
    gas_used: int | None = None
    refused_market_ids: tuple[int, ...] = ()
    """Markets whose tuple the contract refused while the rest of the report went through."""


class Publisher:
    """Posts reports to one contract from one account.

    Parameters
    ----------
    transactor : Transactor
        Simulates, sends and asks for receipts.
    oracle : Contract
        The MarginOracle, whose errors are named in refusals.
    journal : Journal
    receipt_timeout_seconds : float
        After this a sent transaction counts as unknown; the next call of `settle_open` takes it up again.
    """

    def __init__(
        self, transactor: Transactor, oracle: Contract, journal: Journal, receipt_timeout_seconds: float = 120.0
    ) -> None:
        self._transactor = transactor
        self._oracle = oracle
        self._journal = journal
        self._receipt_timeout_seconds = receipt_timeout_seconds

    def publish(
        self,
        report: MarginReport,
        signer_set: SignerSet,
        signatures: Sequence[Signature],
        details: dict[str, object],
        urgency: Urgency = Urgency.ROUTINE,
    ) -> Posting:
        """Post a report and return its receipt.

        Parameters
        ----------
        report, signer_set, signatures
            See `oracle.packing.pack`.
        details : dict
            What the report's details hash is of; kept with the report.
        urgency : Urgency
            Which fee cap holds.

        Raises
        ------
        Refused
            If the contract would refuse the report (with its decoded error) or has the sequence already; nothing was
            sent. Also if the transaction was mined and reverted.
        TransactionUnknown
            If there is no receipt in time, or an earlier transaction is not settled.
        StorageFailure
            If the intention cannot be recorded; nothing was sent.
        Transient
            If the node does not take it; `settle_open` decides what became of it.
        """
        if self._journal.open_transactions():
            raise TransactionUnknown("an earlier transaction is not settled", "call settle_open first")
        if details_hash(details) != report.details_hash:
            raise BadData("the details are not those of the report's details hash", "pass those that were signed over")
        packed = pack(report, signer_set, signatures)
        signed = self.simulate(packed, urgency)
        domain = Domain(self._oracle.client.chain_id, self._oracle.address)
        written = ReportRow(
            digest(report, domain), report.sequence, packed, canonical_json(details), report.details_hash
        )
        self._journal.record_report(written)
        (posting,) = self._send_and_wait([self._intend(signed, written.digest, written.sequence, urgency)])
        return _require_posted(posting)

    def simulate(self, packed: bytes, urgency: Urgency = Urgency.ROUTINE) -> SignedTransaction:
        """Return the signed transaction that posts exactly these bytes, after the node executed it without sending.

        Raises
        ------
        Refused
            With the contract's error in words.
        """
        calldata = self._oracle.interface.encode("post", packed)
        return self._transactor.prepare(self._oracle.address, calldata, urgency=urgency, reasons=self._oracle.reasons)

    def settle_open(self) -> tuple[Posting, ...]:
        """Settle whatever an earlier run left open; call it at the start of each cycle.

        Returns
        -------
        tuple of Posting
            One for each transaction that was open, in the order in which they were intended.

        Raises
        ------
        TransactionUnknown
            If one is still without a receipt after it was sent again or replaced; the next cycle goes on with it.

        Notes
        -----
        Transactions of one nonce are settled together, since at most one of them can be mined. What no node knows is
        sent again, byte for byte, if the contract would still take it, and given up if not; what a node holds on to
        is replaced at higher fees by the same call, or by an empty transaction when the call would now revert.
        """
        postings: list[Posting] = []
        for _, rows in groupby(self._journal.open_transactions(), key=lambda row: row.nonce):
            postings += self._settle_nonce(list(rows))
        return tuple(postings)

    # ------------------------------------------------------------------ inside

    def _settle_nonce(self, rows: list[TransactionRow]) -> tuple[Posting, ...]:
        outcomes = [self._transactor.settle(row.transaction_hash, row.nonce) for row in rows]
        settled = self._record_ends(rows, outcomes)
        if settled:
            return settled
        last = rows[-1]
        if all(isinstance(outcome, Dropped) for outcome in outcomes) and not self._is_still_wanted(last):
            return tuple(self._give_up(row) for row in rows)
        if last.state is TransactionState.UNKNOWN:
            rows = [*rows, self._intend(self._replacement(last), last.digest, last.sequence, _urgency(last))]
        return self._send_and_wait(rows)

    def _intend(
        self, signed: SignedTransaction, report_digest: bytes, sequence: int, urgency: Urgency
    ) -> TransactionRow:
        row = TransactionRow(
            transaction_hash=signed.hash,
            digest=report_digest,
            sequence=sequence,
            nonce=signed.nonce,
            raw=signed.raw,
            frees_nonce=not signed.action.data,
            urgent=urgency is Urgency.URGENT,
            state=TransactionState.INTENDED,
        )
        self._journal.record_transaction(row)
        return row

    def _send_and_wait(self, rows: list[TransactionRow]) -> tuple[Posting, ...]:
        """Send the last of the transactions of one nonce and return what becomes of all of them."""
        sent = [SignedTransaction.from_raw(row.raw) for row in rows]
        try:
            self._transactor.send(sent[-1])
            self._journal.change_transaction(sent[-1].hash, TransactionState.SENT)
            self._transactor.wait(*sent, timeout_seconds=self._receipt_timeout_seconds)
        except NonceTaken:
            # One of the others, or a transaction from elsewhere, was mined: the outcomes below tell which.
            pass
        except TransactionUnknown:
            for each in sent:
                self._journal.change_transaction(each.hash, TransactionState.UNKNOWN, note="no receipt in time")
            raise
        settled = self._record_ends(rows, [self._transactor.settle(each.hash, each.nonce) for each in sent])
        if not settled:
            raise TransactionUnknown(f"nonce {sent[-1].nonce} is taken and free again", "the chain reorganised")
        return settled

    def _replacement(self, row: TransactionRow) -> SignedTransaction:
        stuck = SignedTransaction.from_raw(row.raw)
        try:
            return self._transactor.replace(stuck, urgency=_urgency(row), reasons=self._oracle.reasons)
        except CallReverted:
            # Its time is over: the nonce is still held up.
            return self._transactor.free_nonce(stuck.nonce, stuck.fees)

    def _is_still_wanted(self, row: TransactionRow) -> bool:
        if row.frees_nonce:
            return False
        action = SignedTransaction.from_raw(row.raw).action
        try:
            self._transactor.prepare(action.to, action.data, urgency=_urgency(row))
        except CallReverted:
            return False
        return True

    def _give_up(self, row: TransactionRow) -> Posting:
        self._journal.change_transaction(
            row.transaction_hash, TransactionState.FAILED, note="no node has it, and the contract would refuse it now"
        )
        return Posting(row.sequence, TransactionState.FAILED, row.transaction_hash, row.frees_nonce)

    def _record_ends(self, rows: Sequence[TransactionRow], outcomes: Sequence[Outcome]) -> tuple[Posting, ...]:
        """Record and return what became of the transactions of one nonce; empty while that is open."""
        receipts = {
            outcome.receipt.transaction_hash: outcome.receipt for outcome in outcomes if isinstance(outcome, Mined)
        }
        if not receipts and not all(isinstance(outcome, Replaced) for outcome in outcomes):
            return ()
        return tuple(self._record_end(row, receipts.get(row.transaction_hash)) for row in rows)

    def _record_end(self, row: TransactionRow, receipt: Receipt | None) -> Posting:
        if receipt is None:
            self._journal.change_transaction(
                row.transaction_hash, TransactionState.REPLACED, note="another transaction took the nonce"
            )
            return Posting(row.sequence, TransactionState.REPLACED, row.transaction_hash, row.frees_nonce)
        state = TransactionState.MINED if receipt.succeeded else TransactionState.FAILED
        note = "" if receipt.succeeded else "mined and reverted"
        self._journal.change_transaction(row.transaction_hash, state, receipt.block_number, receipt.gas_used, note)
        events = (self._oracle.interface.decode_event(log) for log in receipt.logs)
        return Posting(
            sequence=row.sequence,
            state=state,
            transaction_hash=row.transaction_hash,
            frees_nonce=row.frees_nonce,
            block_number=receipt.block_number,
            gas_used=receipt.gas_used,
            refused_market_ids=tuple(
                event.values["marketId"] for event in events if event is not None and event.name == "MarketRefused"
            ),
        )


def _urgency(row: TransactionRow) -> Urgency:
    return Urgency.URGENT if row.urgent else Urgency.ROUTINE


def _require_posted(posting: Posting) -> Posting:
    shown = f"transaction 0x{posting.transaction_hash.hex()} of sequence {posting.sequence}"
    if posting.state is TransactionState.REPLACED:
        raise NonceTaken(f"{shown} lost its nonce to another one", "is the gas key used elsewhere?")
    if posting.state is not TransactionState.MINED:
        raise Refused(
            f"{shown} reverted in block {posting.block_number}", "somebody may have posted first; the next cycle tells"
        )
    return posting
