"""The quorum: each attestor computes the report again and signs only an equal one.

A difference is an answer, not an accident: it is reported field by field, with both values, and withholds the
signature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from eth_utils.address import to_canonical_address

from oracle.errors import BadData, Difference, NotEnoughSignatures, Refused, Transient
from oracle.report import refers_to
from oracle.signer import Signer
from oracle.types import BlockStamp, MarginReport, Signature

Recompute = Callable[[BlockStamp, bool], MarginReport]
"""The attestor's own computation of the report at a block. The flag says which of the two reports that follow from
one target is meant: the whole rise for the higher quorum (True), or what the ordinary one may post."""


@dataclass(frozen=True, slots=True)
class Attestor:
    """A signer with the means to compute the report without the proposer.

    Parameters
    ----------
    signer : Signer
    recompute : callable
        See `Recompute`; given the block only, so that nothing of the proposal can leak into it.
    """

    signer: Signer
    recompute: Recompute

    def attest(self, report: MarginReport, stamp: BlockStamp) -> Signature:
        """Return the signature of a report that equals this attestor's own.

        Raises
        ------
        Difference
            Names each field in which the two differ.
        OracleError
            What the computation or the signer raises.
        """
        if not refers_to(report, stamp):
            raise Difference(f"the report refers to block {report.reference_block}, not to block {stamp.number}")
        found = differences(report, self.recompute(stamp, report.exceeds_step))
        if found:
            raise Difference(f"{len(found)} fields differ: " + "; ".join(found), "compare inputs and configuration")
        return self.signer.sign(report)


def collect(
    report: MarginReport, stamp: BlockStamp, attestors: Sequence[Attestor], needed: int
) -> tuple[Signature, ...]:
    """Return signatures of a report, ascending by signer; attestors are asked in turn until there are enough.

    Parameters
    ----------
    report : MarginReport
        The proposal.
    stamp : BlockStamp
        Its reference block, from which the attestors compute.
    attestors : sequence of Attestor
        Each signer once.
    needed : int
        The threshold: the contract's ordinary one, or the higher one for a report with `exceeds_step`.

    Raises
    ------
    NotEnoughSignatures
        Says who refused and why.
    """
    signatures: dict[bytes, Signature] = {}
    refusals: list[str] = []
    for attestor in attestors:
        if len(signatures) >= needed:
            break
        try:
            signature = attestor.attest(report, stamp)
        except (Difference, BadData, Refused, Transient) as error:
            refusals.append(f"{attestor.signer.address}: {error}")
        else:
            signatures[to_canonical_address(signature.signer)] = signature
    if len(signatures) < needed:
        raise NotEnoughSignatures(
            f"{len(signatures)} of {needed} signatures for sequence {report.sequence}"
            + "".join(f"; {refusal}" for refusal in refusals),
            "have the refusing signers compare their inputs, or start the missing ones",
        )
    return tuple(signatures[signer] for signer in sorted(signatures))


def differences(report: MarginReport, own: MarginReport) -> tuple[str, ...]:
    """Return each field in which two reports differ, as "name: theirs, own ours", markets by id."""
    found = [
        _difference(field.name, getattr(report, field.name), getattr(own, field.name))
        for field in fields(report)
        if field.name != "markets" and getattr(report, field.name) != getattr(own, field.name)
    ]
    theirs = {market.market_id: market for market in report.markets}
    ours = {market.market_id: market for market in own.markets}
    for market_id in sorted(theirs.keys() | ours.keys()):
        market, own_market = theirs.get(market_id), ours.get(market_id)
        if market is None or own_market is None:
            found.append(f"market {market_id}: {'not in the report' if market is None else 'not in the own one'}")
            continue
        found += [
            _difference(
                f"market {market_id} {field.name}", getattr(market, field.name), getattr(own_market, field.name)
            )
            for field in fields(market)
            if getattr(market, field.name) != getattr(own_market, field.name)
        ]
    if not found and report != own:
        found.append("markets: same tuples in another order")
    return tuple(found)


def _difference(name: str, value: object, own: object) -> str:
    return f"{name}: {_shown(value)}, own {_shown(own)}"


def _shown(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
