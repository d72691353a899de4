"""Sends transactions of one account: prepare, send and settle as separate steps, so that a journal fits in between.

Promise: no nonce is used twice on purpose and none is held up for ever. The nonce is the chain's count each time and
never a counter of our own; a transaction that is stuck is replaced at the fees that were sent plus an eighth, and
once that passes the cap, by an empty one that frees the nonce. Trade-off: one transaction in flight at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from oracle.chain.abi import Reasons
from oracle.chain.client import ChainClient
from oracle.chain.faults import AlreadyKnown
from oracle.chain.fees import FeeCaps, Fees, Urgency
from oracle.chain.transaction import (
    Action,
    Dropped,
    Mined,
    Outcome,
    Pending,
    Receipt,
    Replaced,
    SignedTransaction,
    receipt_from_node,
)
from oracle.chain.wire import octets, quantity
from oracle.errors import CallReverted, EndpointUnavailable, NonceTaken, TransactionUnknown, Underpriced

_GWEI = 10**9
_HEAD = "latest"
_PENDING = "pending"
"""Simulation runs on top of the head, as the transaction will: there the head's own hash can be proven."""


@dataclass(frozen=True, slots=True)
class SendingRules:
    """How much to offer and how long to wait."""

    caps: FeeCaps = FeeCaps(routine_wei=200 * _GWEI, urgent_wei=1_000 * _GWEI)
    gas_margin_percent: int = 25
    """On top of the estimate, which holds for the state at that moment only."""
    stuck_after_seconds: float = 45.0
    deadline_seconds: float = 300.0
    """After this the fate of a transaction is reported as unknown."""
    poll_seconds: float = 1.0


class Transactor:
    """Builds, simulates, signs, sends and settles transactions of one account.

    Parameters
    ----------
    client : ChainClient
    account : LocalAccount
        Pays for the gas; not the key that signs reports.
    rules : SendingRules
    monotonic, sleep : callables
        For deadlines and polling; for tests.
    """

    def __init__(
        self,
        client: ChainClient,
        account: LocalAccount,
        rules: SendingRules = SendingRules(),
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.address: str = account.address
        self._account = account
        self.rules = rules
        self._monotonic = monotonic
        self._sleep = sleep

    # ------------------------------------------------------------------ what the chain says

    def next_nonce(self) -> int:
        """Return the nonce that the next mined transaction of the account must have."""
        return self._count(_HEAD)

    def nonces_in_flight(self) -> range:
        """Return the nonces that the node's pool holds for the account, by whomever they were sent."""
        first = self.next_nonce()
        return range(first, max(first, self._count(_PENDING)))

    # ------------------------------------------------------------------ the steps

    def prepare(
        self,
        to: str | None,
        data: bytes,
        *,
        value_wei: int = 0,
        urgency: Urgency = Urgency.ROUTINE,
        reasons: Reasons | None = None,
    ) -> SignedTransaction:
        """Return a signed transaction at the chain's next nonce, after exactly its bytes were simulated.

        Parameters
        ----------
        to : str or None
            None creates a contract.
        data : bytes
        value_wei : int
        urgency : Urgency
            Which fee cap holds.
        reasons : Reasons, optional
            Names the errors of the contracts involved.

        Raises
        ------
        CallReverted
            If the transaction would revert, with the reason in words; nothing was sent.
        Underpriced
            If the base fee is above the cap: it would only get stuck.
        InsufficientFunds
            If the account cannot pay.
        """
        cap_wei = self.rules.caps.of(urgency)
        base_fee_wei, market = self._market()
        if base_fee_wei > cap_wei:
            raise Underpriced(
                f"the base fee of {base_fee_wei} wei is above the {urgency.value} cap of {cap_wei} wei per gas",
                "wait, or raise the cap",
            )
        fees = market.at_most(cap_wei)
        action = Action(to, data, value_wei)
        try:
            gas = self._estimate_gas(action, fees, _PENDING)
            self._simulate(action, fees, gas, _PENDING)
        except CallReverted as error:
            raise (reasons or Reasons()).named(error) from None
        return self._sign(self.next_nonce(), fees, gas, action)

    def replace(
        self, stuck: SignedTransaction, *, urgency: Urgency = Urgency.ROUTINE, reasons: Reasons | None = None
    ) -> SignedTransaction:
        """Return a replacement at the same nonce: the same call, or an empty one when the cap forbids the same.

        Parameters
        ----------
        stuck : SignedTransaction
            The last one that was sent with the nonce; its fees are what the node compares with.
        urgency, reasons
            As for `prepare`.

        Raises
        ------
        CallReverted
            If the call is no longer valid at the head; `free_nonce` is what is left.
        """
        _, market = self._market()
        fees = stuck.fees.replacement(market, self.rules.caps.of(urgency))
        if fees is None:
            return self.free_nonce(stuck.nonce, stuck.fees)
        try:
            # At the head: the pending state may hold the effects of the stuck one already.
            self._simulate(stuck.action, fees, stuck.gas, _HEAD)
        except CallReverted as error:
            raise (reasons or Reasons()).named(error) from None
        return self._sign(stuck.nonce, fees, stuck.gas, stuck.action)

    def free_nonce(self, nonce: int, sent: Fees) -> SignedTransaction:
        """Return an empty transfer to oneself that takes the nonce from one sent with these fees; no cap applies."""
        _, market = self._market()
        fees = sent.freeing(market)
        nothing = Action(self.address, b"")
        return self._sign(nonce, fees, self._estimate_gas(nothing, fees, _HEAD), nothing)

    def send(self, signed: SignedTransaction) -> None:
        """Give the bytes to the chain; sending them again is harmless.

        Raises
        ------
        NonceTaken
            If another transaction with this nonce is mined.
        Underpriced
            If the pool holds another one with this nonce, at fees too close to these.
        InsufficientFunds, EndpointUnavailable
        """
        try:
            self.client.request("eth_sendRawTransaction", [_hex(signed.raw)], octets)
        except AlreadyKnown:
            return
        except NonceTaken:
            # The first endpoint may have mined it before its answer got lost.
            if not isinstance(self.settle(signed.hash, signed.nonce), Mined | Pending):
                raise

    def settle(self, transaction_hash: bytes, nonce: int) -> Outcome:
        """Return what became of a transaction as far as the chain can tell now; waits for nothing.

        A node counts a transaction a moment before it shows the receipt. So `Replaced` needs a count past the nonce, no
        endpoint that knows the transaction, and, asked last, no receipt.
        """
        count = self.next_nonce()
        known = self.client.look_up("eth_getTransactionByHash", [_hex(transaction_hash)], bool)
        receipt = self.receipt(transaction_hash)
        if receipt is not None:
            return Mined(receipt)
        if known:
            return Pending()
        return Replaced() if count > nonce else Dropped()

    def receipt(self, transaction_hash: bytes) -> Receipt | None:
        """Return the receipt, or None while no endpoint has one."""
        return self.client.look_up("eth_getTransactionReceipt", [_hex(transaction_hash)], receipt_from_node)

    # ------------------------------------------------------------------ waiting

    def wait(self, *sent: SignedTransaction, timeout_seconds: float | None = None) -> Receipt:
        """Return the receipt of whichever of the transactions, all of one nonce, is mined.

        Raises
        ------
        TransactionUnknown
            If none is within the time (by default the rules' deadline). It may still be mined.
        NonceTaken
            If a transaction that is not among them took the nonce.
        """
        limit_seconds = self.rules.deadline_seconds if timeout_seconds is None else timeout_seconds
        deadline = self._monotonic() + limit_seconds
        while True:
            outcomes = self._outcomes(sent)
            mined = next((outcome for outcome in outcomes if isinstance(outcome, Mined)), None)
            if mined is not None:
                return mined.receipt
            if outcomes and all(isinstance(outcome, Replaced) for outcome in outcomes):
                raise NonceTaken(f"another transaction took nonce {sent[0].nonce}", "is the key used elsewhere?")
            if self._monotonic() >= deadline:
                raise TransactionUnknown(
                    f"no receipt of {', '.join('0x' + one.hash.hex() for one in sent)} within {limit_seconds:g} s",
                    "its fate is unknown: it is settled before anything else is sent",
                )
            self._sleep(self.rules.poll_seconds)

    # ------------------------------------------------------------------ inside

    def _count(self, tag: str) -> int:
        return self.client.request("eth_getTransactionCount", [self.address, tag], quantity)

    def _outcomes(self, sent: Sequence[SignedTransaction]) -> list[Outcome]:
        try:
            return [self.settle(one.hash, one.nonce) for one in sent]
        except EndpointUnavailable:
            # Until the deadline a silent node says nothing about the transaction.
            return []

    def _market(self) -> tuple[int, Fees]:
        base_fee_wei = self.client.request(
            "eth_feeHistory", ["0x1", "latest", []], lambda history: quantity(history["baseFeePerGas"][-1])
        )
        return base_fee_wei, Fees.of_market(base_fee_wei, self.client.request("eth_maxPriorityFeePerGas", [], quantity))

    def _estimate_gas(self, action: Action, fees: Fees, tag: str) -> int:
        estimate = self.client.request("eth_estimateGas", [self._call(action, fees), tag], quantity)
        return estimate + estimate * self.rules.gas_margin_percent // 100

    def _simulate(self, action: Action, fees: Fees, gas: int, tag: str) -> None:
        self.client.request("eth_call", [{**self._call(action, fees), "gas": hex(gas)}, tag], octets)

    def _call(self, action: Action, fees: Fees) -> dict[str, str]:
        call = {
            "from": self.address,
            "value": hex(action.value_wei),
            "data": _hex(action.data),
            "maxFeePerGas": hex(fees.max_fee_wei),
            "maxPriorityFeePerGas": hex(fees.priority_fee_wei),
        }
        return call if action.to is None else {**call, "to": action.to}

    def _sign(self, nonce: int, fees: Fees, gas: int, action: Action) -> SignedTransaction:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self.client.chain_id,
            "nonce": nonce,
            "maxFeePerGas": fees.max_fee_wei,
            "maxPriorityFeePerGas": fees.priority_fee_wei,
            "gas": gas,
            "value": action.value_wei,
            "data": action.data,
        }
        if action.to is not None:
            fields["to"] = action.to
        raw = bytes(self._account.sign_transaction(fields).raw_transaction)
        return SignedTransaction(raw, keccak(raw), nonce, fees, gas, action)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
