"""Reports packed and signed as `IMarginOracle.post` says, and every way to spoil one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import coincurve
from eth_abi.abi import encode
from eth_hash.auto import keccak

from tests.oracle_model import CURVE_ORDER, Report, SignerSet, digest


def _address(key: coincurve.PrivateKey) -> str:
    return "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex()


KEYS = {_address(key): key for key in (coincurve.PrivateKey(number.to_bytes(32)) for number in range(1, 41))}
ADDRESSES = tuple(sorted(KEYS))
"""Signers whose keys are known, ascending."""


class Packed(NamedTuple):
    """The parts of a packed report; each can be spoilt by itself."""

    report: bytes
    members: bytes
    bitmap: int
    signatures: tuple[bytes, ...]

    @property
    def octets(self) -> bytes:
        """The whole."""
        return self.report + self.members + self.bitmap.to_bytes(4) + b"".join(self.signatures)


def sign(address: str, message: bytes) -> bytes:
    """Return r and vs (ERC-2098)."""
    signature = KEYS[address].sign_recoverable(message, hasher=None)
    return signature[:32] + bytes([signature[32] | signature[64] << 7]) + signature[33:64]


def pack_report(report: Report, signer_count: int) -> bytes:
    """Return header and markets."""
    header = (
        report.signer_set_epoch.to_bytes(4)
        + report.sequence.to_bytes(8)
        + report.reference_block.to_bytes(8)
        + report.reference_block_hash
        + report.reference_timestamp.to_bytes(8)
        + report.valid_until.to_bytes(8)
        + report.model_hash
        + report.details_hash
        + report.accounts_root
        + report.account_count.to_bytes(4)
        + report.exceeds_step.to_bytes(1)
        + len(report.markets).to_bytes(2)
        + signer_count.to_bytes(1)
    )
    return header + b"".join(value.to_bytes(4) for market in report.markets for value in market)


def pack_set(members: SignerSet) -> bytes:
    """Return thresholds and signers."""
    signers = b"".join(bytes.fromhex(each[2:]) for each in members.signers)
    return bytes([members.threshold, members.step_threshold]) + signers


def pack(report: Report, members: SignerSet, who: Sequence[int], separator: bytes) -> Packed:
    """Return a report with the signatures of the signers at these places, ascending."""
    message = digest(report, separator)
    return Packed(
        pack_report(report, len(members.signers)),
        pack_set(members),
        sum(1 << place for place in who),
        tuple(sign(members.signers[place], message) for place in who),
    )


def wrap(octets: bytes) -> bytes:
    """Return the arguments of `post`."""
    return encode(["bytes"], [octets])


def _first_signature(change: Callable[[bytes, bytes], bytes]) -> Callable[[Packed], Packed]:
    def spoil(packed: Packed) -> Packed:
        if not packed.signatures:
            return packed
        first, *others = packed.signatures
        return packed._replace(signatures=(change(first[:32], first[32:]), *others))

    return spoil


def _high(r: bytes, vs: bytes) -> bytes:
    """Return the other signature of the same key: s negated, the parity turned."""
    s = int.from_bytes(vs) % 2**255
    return r + ((CURVE_ORDER - s) % 2**256 | (1 - (vs[0] >> 7)) << 255).to_bytes(32)


def _over(packed: Packed, place: int, value: int) -> Packed:
    report = packed.report
    return packed._replace(report=report[:place] + bytes([value]) + report[place + 1 :])


SPOILT: dict[str, Callable[[Packed], Packed]] = {
    "one signature fewer": lambda p: p._replace(bitmap=p.bitmap & (p.bitmap - 1), signatures=p.signatures[1:]),
    "no signature at all": lambda p: p._replace(bitmap=0, signatures=()),
    "a signature without its bit": lambda p: p._replace(bitmap=p.bitmap & (p.bitmap - 1)),
    "a bit without its signature": lambda p: p._replace(signatures=p.signatures[1:]),
    "signatures in another order": lambda p: p._replace(signatures=p.signatures[::-1]),
    "the same signature twice": lambda p: p._replace(signatures=p.signatures[:1] * len(p.signatures)),
    "a bit beyond the set": lambda p: p._replace(bitmap=p.bitmap | 1 << 31, signatures=(*p.signatures, bytes(64))),
    "a signed bit beyond the set": lambda p: p._replace(
        bitmap=(p.bitmap & (p.bitmap - 1)) | 1 << 31, signatures=p.signatures[1:] + p.signatures[:1]
    ),
    "negated s": _first_signature(_high),
    "s above half the order": _first_signature(lambda r, vs: r + (CURVE_ORDER // 2 + 1).to_bytes(32)),
    "parity turned": _first_signature(lambda r, vs: r + bytes([vs[0] ^ 0x80]) + vs[1:]),
    "s zero": _first_signature(lambda r, vs: r + bytes(32)),
    "r zero": _first_signature(lambda r, vs: bytes(32) + vs),
    "r of the order": _first_signature(lambda r, vs: CURVE_ORDER.to_bytes(32) + vs),
    "r and s swapped": _first_signature(lambda r, vs: vs + r),
    "thresholds lowered": lambda p: p._replace(members=bytes([1]) + p.members[1:]),
    "step threshold lowered": lambda p: p._replace(members=p.members[:1] + p.members[:1] + p.members[2:]),
    "a signer replaced": lambda p: p._replace(members=p.members[:-1] + bytes([p.members[-1] ^ 1])),
    "flag of two": lambda p: _over(p, 168, 2),
    "flag turned": lambda p: _over(p, 168, p.report[168] ^ 1),
    "one market more than there are": lambda p: _over(p, 170, p.report[170] + 1),
    "one signer more than there are": lambda p: _over(p, 171, p.report[171] + 1),
    "more signers than a set may have": lambda p: _over(p, 171, 255),
    "another details hash": lambda p: _over(p, 100, p.report[100] ^ 1),
}
"""Faults of a packed report, by name."""


MISWRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "an octet missing": lambda octets: wrap(octets[:-1]),
    "an octet more": lambda octets: wrap(octets + b"\0"),
    "header cut": lambda octets: wrap(octets[:171]),
    "header alone": lambda octets: wrap(octets[:172]),
    "cut before the bitmap": lambda octets: wrap(octets[:200]),
    "empty": lambda octets: wrap(b""),
    "nothing at all": lambda octets: b"",
    "offset alone": lambda octets: wrap(octets)[:32],
    "offset and length alone": lambda octets: wrap(octets)[:64],
    "wrapper cut": lambda octets: wrap(octets)[:-32],
    "a word more": lambda octets: wrap(octets) + bytes(32),
    "dirty padding": lambda octets: wrap(octets)[:-1] + b"\1",
    "no padding": lambda octets: wrap(octets)[: 64 + len(octets)],
    "offset of 64": lambda octets: (64).to_bytes(32) + bytes(32) + wrap(octets)[32:],
    "offset of 2**255": lambda octets: (2**255).to_bytes(32) + wrap(octets)[32:],
    "offset of 2**64": lambda octets: (2**64 + 32).to_bytes(32) + wrap(octets)[32:],
    "length of 2**255": lambda octets: (32).to_bytes(32) + (2**255).to_bytes(32) + wrap(octets)[64:],
    "length a word too long": lambda octets: (32).to_bytes(32) + (len(octets) + 32).to_bytes(32) + wrap(octets)[64:],
    "length shorter": lambda octets: (32).to_bytes(32) + (len(octets) - 1).to_bytes(32) + wrap(octets)[64:],
}
"""Arguments of `post` that are no canonical encoding of a whole report, by name."""
