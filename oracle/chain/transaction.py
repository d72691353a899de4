"""What is sent and what became of it: signed bytes, receipts, outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from oracle.chain.fees import Fees
from oracle.chain.wire import Log, log_from_node, octets, quantity

_EIP1559 = 2


@dataclass(frozen=True, slots=True)
class Action:
    """What a transaction does."""

    to: str | None
    """None creates a contract."""
    data: bytes
    value_wei: int = 0


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """An EIP-1559 transaction ready to send; everything but the bytes follows from them."""

    raw: bytes
    hash: bytes
    nonce: int
    fees: Fees
    gas: int
    action: Action

    @classmethod
    def from_raw(cls, raw: bytes) -> SignedTransaction:
        """Return the transaction that these bytes are, for example a journal's; ValueError for other types."""
        if not raw or raw[0] != _EIP1559:
            raise ValueError(f"not an EIP-1559 transaction: type {raw[:1].hex() or 'missing'}")
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        return cls(
            raw=raw,
            hash=keccak(raw),
            nonce=fields["nonce"],
            fees=Fees(fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]),
            gas=fields["gas"],
            action=Action(
                to=to_checksum_address(fields["to"]) if fields["to"] else None,
                data=bytes(fields["data"]),
                value_wei=fields["value"],
            ),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a mined transaction did."""

    transaction_hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    effective_gas_price_wei: int
    contract_address: str | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """In a block that is canonical now; `receipt.succeeded` says whether it did anything."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Pending:
    """A node has it and may mine it."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another transaction with the same nonce is mined; this one never will be."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """No node has it and its nonce is free; sending the same bytes again is harmless."""


Outcome = Mined | Pending | Replaced | Dropped


def receipt_from_node(receipt: dict[str, Any]) -> Receipt:
    """Return a node's receipt."""
    address = receipt.get("contractAddress")
    return Receipt(
        transaction_hash=octets(receipt["transactionHash"]),
        succeeded=quantity(receipt["status"]) == 1,
        block_number=quantity(receipt["blockNumber"]),
        block_hash=octets(receipt["blockHash"]),
        gas_used=quantity(receipt["gasUsed"]),
        effective_gas_price_wei=quantity(receipt["effectiveGasPrice"]),
        contract_address=to_checksum_address(address) if address else None,
        logs=tuple(log_from_node(log) for log in receipt["logs"]),
    )
