"""Fees of an EIP-1559 transaction as a value; the rules of replacement, testable without a node.

Two rules hold for every replacement: both fields rise by at least an eighth of what was sent (nodes ask for a tenth),
and the cap limits what a report may cost, never what it costs to free the nonce.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_BUMP_DIVISOR = 8
_BASE_FEE_HEADROOM = 2


class Urgency(Enum):
    """Which cap holds: an ordinary update, or one that must not wait (a rise beyond the contract's step)."""

    ROUTINE = "routine"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class FeeCaps:
    """Largest `max_fee_wei` that a transaction may offer, by urgency; wei per gas."""

    routine_wei: int
    urgent_wei: int

    def of(self, urgency: Urgency) -> int:
        """Return the cap in force."""
        return self.urgent_wei if urgency is Urgency.URGENT else self.routine_wei


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers, wei per gas; `priority_fee_wei` is never above `max_fee_wei`."""

    max_fee_wei: int
    priority_fee_wei: int

    @classmethod
    def of_market(cls, base_fee_wei: int, priority_fee_wei: int) -> Fees:
        """Return fees that stay valid while the base fee doubles (six full blocks)."""
        return cls(_BASE_FEE_HEADROOM * base_fee_wei + priority_fee_wei, priority_fee_wei)

    def at_most(self, cap_wei: int) -> Fees:
        """Return the same fees with both fields no larger than the cap."""
        return Fees(min(self.max_fee_wei, cap_wei), min(self.priority_fee_wei, cap_wei))

    def at_least(self, other: Fees) -> Fees:
        """Return the larger of both, field by field."""
        return Fees(
            max(self.max_fee_wei, other.max_fee_wei),
            max(self.priority_fee_wei, other.priority_fee_wei),
        )

    def bumped(self) -> Fees:
        """Return both fields raised by an eighth, rounded up, and by one wei at least."""
        return Fees(_bump(self.max_fee_wei), _bump(self.priority_fee_wei))

    def replacement(self, market: Fees, cap_wei: int) -> Fees | None:
        """Return what a replacement of a transaction sent with these fees offers; None when the cap forbids it.

        After None the nonce is freed with `freeing`, which no cap limits.
        """
        fees = self.bumped().at_least(market.at_most(cap_wei))
        return fees if fees.max_fee_wei <= cap_wei else None

    def freeing(self, market: Fees) -> Fees:
        """Return what an empty transaction offers to take the place of one sent with these fees."""
        return self.bumped().at_least(market)


def _bump(fee_wei: int) -> int:
    return fee_wei + max(-(-fee_wei // _BUMP_DIVISOR), 1)
