"""A transaction from start to end in one call, for scripts and local chains; the publisher has its journal instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from oracle.chain.abi import Reasons
from oracle.chain.client import ChainClient
from oracle.chain.contract import Artefact, Contract
from oracle.chain.fees import Urgency
from oracle.chain.transaction import Receipt, SignedTransaction
from oracle.chain.transactor import Transactor
from oracle.chain.wire import octets
from oracle.errors import CallReverted, NonceTaken, TransactionUnknown, Underpriced


def submit(
    transactor: Transactor,
    to: str | None,
    data: bytes,
    *,
    value_wei: int = 0,
    urgency: Urgency = Urgency.ROUTINE,
    reasons: Reasons | None = None,
) -> Receipt:
    """Prepare, send and wait, replacing the transaction each time it is stuck.

    Returns
    -------
    Receipt
        Of the transaction or of a replacement that does the same; successful.

    Raises
    ------
    CallReverted
        If the simulation or the mined transaction reverts.
    Underpriced
        If the nonce had to be freed because the fee cap forbade a further bump.
    TransactionUnknown
        After the deadline of the transactor's rules.
    """
    rules = transactor.rules
    sent = [transactor.prepare(to, data, value_wei=value_wei, urgency=urgency, reasons=reasons)]
    transactor.send(sent[0])
    for _ in range(math.ceil(rules.deadline_seconds / rules.stuck_after_seconds) - 1):
        try:
            return _require_effect(transactor.wait(*sent, timeout_seconds=rules.stuck_after_seconds), sent)
        except TransactionUnknown:
            _replace_last(transactor, sent, urgency, reasons)
    return _require_effect(transactor.wait(*sent, timeout_seconds=rules.stuck_after_seconds), sent)


def simulate(client: ChainClient, sender: str, to: str, data: bytes, reasons: Reasons) -> None:
    """Run a call as it would be mined next, from anybody's account; nothing is sent and no key is needed.

    Raises
    ------
    CallReverted
        With the reason in words.
    """
    call = {"from": sender, "to": to, "data": "0x" + data.hex()}
    try:
        client.request("eth_call", [call, "pending"], octets)
    except CallReverted as error:
        raise reasons.named(error) from None


def deploy(transactor: Transactor, artefact: Artefact, *arguments: Any, reasons: Reasons | None = None) -> Contract:
    """Create a contract from its artefact and the constructor's arguments; errors as `submit`."""
    reasons = reasons or Reasons(artefact.interface)
    creation = artefact.bytecode + artefact.interface.encode_constructor(*arguments)
    receipt = submit(transactor, None, creation, reasons=reasons)
    if receipt.contract_address is None:
        raise CallReverted(f"creating {artefact.name} left no contract")
    return Contract(transactor.client, receipt.contract_address, artefact.interface, reasons)


def execute(transactor: Transactor, contract: Contract, function: str, *arguments: Any) -> Receipt:
    """Send a call of a contract's function; errors as `submit`, with the contract's reasons."""
    data = contract.interface.encode(function, *arguments)
    return submit(transactor, contract.address, data, reasons=contract.reasons)


def _replace_last(
    transactor: Transactor, sent: list[SignedTransaction], urgency: Urgency, reasons: Reasons | None
) -> None:
    try:
        replacement = transactor.replace(sent[-1], urgency=urgency, reasons=reasons)
        transactor.send(replacement)
    except (NonceTaken, CallReverted):
        # An earlier one may have been mined meanwhile and have had its effect; waiting finds out which.
        return
    sent.append(replacement)


def _require_effect(receipt: Receipt, sent: Sequence[SignedTransaction]) -> Receipt:
    mined = next(one for one in sent if one.hash == receipt.transaction_hash)
    if mined.action != sent[0].action:
        raise Underpriced(f"nonce {mined.nonce} was freed: the fee cap forbids a further bump", "raise the cap")
    if not receipt.succeeded:
        raise CallReverted(f"transaction 0x{mined.hash.hex()} reverted in block {receipt.block_number}")
    return receipt
