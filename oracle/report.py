"""The report: built from a snapshot and its valuation, hashed as the quorum signs it.

Everything here is a pure function; the layout is that of `IMarginOracle.Report` (EIP-712, primary type `Report`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from oracle.errors import BadData
from oracle.merkle import AccountsTree, accounts_tree
from oracle.types import BlockStamp, MarginReport, MarketMargin, Snapshot, Valuation
from oracle.units import UINT32_MAX

DOMAIN_NAME = "MarginOracle"
DOMAIN_VERSION = "1"

_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_MARKET_TYPE = (
    "MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,uint32 maintenanceLong,"
    "uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
)
_REPORT_TYPE = (
    "Report(uint32 signerSetEpoch,uint64 sequence,uint64 referenceBlock,bytes32 referenceBlockHash,"
    "uint64 referenceTimestamp,uint64 validUntil,bytes32 modelHash,bytes32 detailsHash,bytes32 accountsRoot,"
    "uint32 accountCount,bool exceedsStep,MarketMargin[] markets)" + _MARKET_TYPE
)
_MARKETS_MAXIMUM = 2**16 - 1


@dataclass(frozen=True)
class Domain:
    """The contract that a signature is good for.

    Parameters
    ----------
    chain_id : int
        EIP-155 chain id.
    address : str
        The oracle contract, 0x and 40 hexadecimal digits.
    """

    chain_id: int
    address: str

    @cached_property
    def separator(self) -> bytes:
        """EIP-712 domain separator, 32 bytes."""
        return keccak(
            encode(
                ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                [
                    keccak(text=_DOMAIN_TYPE),
                    keccak(text=DOMAIN_NAME),
                    keccak(text=DOMAIN_VERSION),
                    self.chain_id,
                    self.address,
                ],
            )
        )


def domain_of(snapshot: Snapshot) -> Domain:
    """Return the domain of the oracle that a snapshot was read from."""
    return Domain(snapshot.chain_id, snapshot.oracle.address)


def build(snapshot: Snapshot, valuation: Valuation, valid_for_seconds: int, exceeds_step: bool = False) -> MarginReport:
    """Return the report that follows the last one on chain.

    Parameters
    ----------
    snapshot : Snapshot
        Gives the sequence (last plus one), the signer epoch, the reference block and the accounts.
    valuation : Valuation
        Markets in any order, requirements in the order of the book.
    valid_for_seconds : int
        How long after the reference block the report may be posted.
    exceeds_step : bool
        Whether the higher quorum is asked to let ratios rise beyond the contract's step.

    Raises
    ------
    BadData
        If a market is there twice or a value does not fit 32 bits.
    BadBook
        If the accounts cannot be made into a tree.
    """
    markets = tuple(sorted(valuation.markets, key=lambda market: market.market_id))
    _require_markets(markets)
    return MarginReport(
        signer_set_epoch=snapshot.oracle.signer_set_epoch,
        sequence=snapshot.oracle.last_sequence + 1,
        reference_block=snapshot.stamp.number,
        reference_block_hash=snapshot.stamp.hash,
        reference_timestamp=snapshot.stamp.timestamp,
        valid_until=snapshot.stamp.timestamp + valid_for_seconds,
        model_hash=valuation.model_hash,
        details_hash=details_hash(valuation.details),
        accounts_root=accounts_of(snapshot, valuation).root,
        account_count=len(snapshot.book),
        exceeds_step=exceeds_step,
        markets=markets,
    )


def accounts_of(snapshot: Snapshot, valuation: Valuation) -> AccountsTree:
    """Return the tree whose root the report of this snapshot carries; it gives the proofs."""
    return accounts_tree(domain_of(snapshot).separator, snapshot.stamp.number, snapshot.book, valuation.accounts)


def refers_to(report: MarginReport, stamp: BlockStamp) -> bool:
    """Return whether a report's reference block is this block."""
    return (report.reference_block, report.reference_block_hash, report.reference_timestamp) == (
        stamp.number,
        stamp.hash,
        stamp.timestamp,
    )


def canonical_json(details: dict[str, object]) -> str:
    """Return the one text of the details that is hashed and served: keys sorted, no spaces, ASCII, no floats.

    Raises
    ------
    BadData
        If a value is a float or of a type that JSON does not have, or a key is not a string.
    """
    _require_exact(details, "details")
    return json.dumps(details, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def details_hash(details: dict[str, object]) -> bytes:
    """Return the keccak hash of the canonical JSON of the details."""
    return keccak(text=canonical_json(details))


def digest(report: MarginReport, domain: Domain) -> bytes:
    """Return the EIP-712 digest, the 32 bytes that are signed; equal to `IMarginOracle.hashReport`."""
    market_type = keccak(text=_MARKET_TYPE)
    markets = b"".join(
        keccak(market_type + encode(["uint32"] * 7, [market.market_id, *market.values()])) for market in report.markets
    )
    struct_hash = keccak(
        keccak(text=_REPORT_TYPE)
        + encode(
            ["uint32", "uint64", "uint64", "bytes32", "uint64", "uint64"]
            + ["bytes32", "bytes32", "bytes32", "uint32", "bool", "bytes32"],
            [*header_fields(report), report.exceeds_step, keccak(markets)],
        )
    )
    return keccak(b"\x19\x01" + domain.separator + struct_hash)


def header_fields(report: MarginReport) -> tuple[int | bytes, ...]:
    """Return the fields before the flag, in the order that hashing and packing share."""
    return (
        report.signer_set_epoch,
        report.sequence,
        report.reference_block,
        report.reference_block_hash,
        report.reference_timestamp,
        report.valid_until,
        report.model_hash,
        report.details_hash,
        report.accounts_root,
        report.account_count,
    )


def _require_markets(markets: Sequence[MarketMargin]) -> None:
    if len(markets) > _MARKETS_MAXIMUM:
        raise BadData(f"{len(markets)} markets in one report", f"at most {_MARKETS_MAXIMUM}")
    for before, market in zip((None, *markets), markets, strict=False):
        if before is not None and before.market_id == market.market_id:
            raise BadData(f"market {market.market_id} is in the valuation twice", "nothing is published")
        for value in (market.market_id, *market.values()):
            if not 0 <= value <= UINT32_MAX:
                raise BadData(f"market {market.market_id} has {value}, beyond 32 bits", "nothing is published")


def _require_exact(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise BadData(f"{where} has the key {key!r}", "keys are strings")
            _require_exact(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _require_exact(inner, f"{where}[{index}]")
    elif not isinstance(value, str | int | None):
        raise BadData(f"{where} is {value!r} of type {type(value).__name__}", "integers, strings and lists only")
