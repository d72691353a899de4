"""The packed bytes of a signed report, as `IMarginOracle.post` takes them: one layout, no slack, both ways."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from oracle.errors import BadData, Refused, SignerNotInSet
from oracle.report import header_fields
from oracle.types import MarginReport, MarketMargin, Signature, SignerSet

_HEADER = struct.Struct(">IQQ32sQQ32s32s32sIBHB")
_MARKET = struct.Struct(">7I")
_ADDRESS_BYTES = 20
_SIGNATURE_BYTES = 64
_SIGNERS_MAXIMUM = 32


def pack(report: MarginReport, signer_set: SignerSet, signatures: Sequence[Signature]) -> bytes:
    """Return the bytes that `IMarginOracle.post` takes.

    Parameters
    ----------
    report : MarginReport
        What was signed.
    signer_set : SignerSet
        The contract's set; its epoch must be the report's.
    signatures : sequence of Signature
        In any order, one a signer.

    Raises
    ------
    Refused
        If the contract could not read the result: wrong epoch, a signer twice, more than 32 signers.
    SignerNotInSet
        If a signature is by somebody else.
    """
    _require_packable(report, signer_set)
    by_position = _by_position(signer_set, signatures)
    header = _HEADER.pack(*header_fields(report), report.exceeds_step, len(report.markets), len(signer_set.signers))
    return b"".join(
        (
            header,
            *(_MARKET.pack(market.market_id, *market.values()) for market in report.markets),
            bytes((signer_set.threshold, signer_set.step_threshold)),
            *(to_canonical_address(signer) for signer in signer_set.signers),
            sum(1 << index for index in by_position).to_bytes(4, "big"),
            *(by_position[index].r + by_position[index].vs for index in sorted(by_position)),
        )
    )


def signer_set_hash(signer_set: SignerSet) -> bytes:
    """Return what `IMarginOracle.signerSetHash` holds for this set: keccak of epoch, both thresholds and signers."""
    numbers = struct.pack(">IBB", signer_set.epoch, signer_set.threshold, signer_set.step_threshold)
    return keccak(numbers + b"".join(to_canonical_address(signer) for signer in signer_set.signers))


def unpack(packed: bytes) -> tuple[MarginReport, SignerSet, tuple[Signature, ...]]:
    """Return what `pack` was given; every byte is accounted for.

    Raises
    ------
    BadData
        If the length is not exactly what the counts in the header and the bitmap ask for, the flag is not 0 or 1, or
        a bit is set for a signer who is not there.
    """
    header = _HEADER.unpack(_slice(packed, 0, _HEADER.size))
    exceeds_step, market_count, signer_count = header[-3:]
    if exceeds_step > 1:
        raise BadData(f"the flag exceedsStep is {exceeds_step}, neither 0 nor 1")
    raw_markets = _slice(packed, _HEADER.size, market_count * _MARKET.size)
    markets = tuple(MarketMargin(*values) for values in _MARKET.iter_unpack(raw_markets))
    at = _HEADER.size + len(raw_markets)
    threshold, step_threshold = _slice(packed, at, 2)
    raw_signers = _slice(packed, at + 2, signer_count * _ADDRESS_BYTES)
    at += 2 + len(raw_signers)
    signers = tuple(to_checksum_address(raw) for raw in _chunks(raw_signers, _ADDRESS_BYTES))
    bitmap = int.from_bytes(_slice(packed, at, 4), "big")
    if bitmap >> signer_count:
        raise BadData(f"bitmap {bitmap:#x} names a signer beyond the {signer_count} in the set")
    raw_signatures = _slice(packed, at + 4, bitmap.bit_count() * _SIGNATURE_BYTES)
    at += 4 + len(raw_signatures)
    if at != len(packed):
        raise BadData(f"packed report of {len(packed)} bytes where {at} were expected")
    values: list[Any] = [*header[:-3], bool(exceeds_step), markets]
    given_by = (signer for index, signer in enumerate(signers) if bitmap >> index & 1)
    return (
        MarginReport(*values),
        SignerSet(header[0], threshold, step_threshold, signers),
        tuple(
            Signature(signer, raw[:32], raw[32:])
            for signer, raw in zip(given_by, _chunks(raw_signatures, _SIGNATURE_BYTES), strict=True)
        ),
    )


def _by_position(signer_set: SignerSet, signatures: Sequence[Signature]) -> dict[int, Signature]:
    position = {to_canonical_address(signer): index for index, signer in enumerate(signer_set.signers)}
    found: dict[int, Signature] = {}
    for signature in signatures:
        index = position.get(to_canonical_address(signature.signer))
        if index is None:
            raise SignerNotInSet(f"{signature.signer} is not in the signer set of epoch {signer_set.epoch}")
        if index in found:
            raise Refused(f"two signatures by {signature.signer}", "pass one a signer")
        found[index] = signature
    return found


def _chunks(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def _slice(packed: bytes, start: int, size: int) -> bytes:
    if start + size > len(packed):
        raise BadData(f"packed report of {len(packed)} bytes ends before byte {start + size}")
    return packed[start : start + size]


def _require_packable(report: MarginReport, signer_set: SignerSet) -> None:
    if report.signer_set_epoch != signer_set.epoch:
        raise Refused(
            f"the report is for signer epoch {report.signer_set_epoch}, the set is of epoch {signer_set.epoch}",
            "build the report again",
        )
    if len(signer_set.signers) > _SIGNERS_MAXIMUM:
        raise Refused(f"{len(signer_set.signers)} signers", f"the bitmap holds {_SIGNERS_MAXIMUM}")
