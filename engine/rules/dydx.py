"""Initial margin of dYdX v4: `protocol/x/perpetuals/types/liquidity_tier.go` of dydxprotocol/v4-chain at 84d4664b.

Ratios are integer parts per million, amounts integer quote quantums. The ratio is truncated, the
margin rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import InvalidInput

PARTS_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class LiquidityTier:
    """A base ratio that grows to one between two caps of open interest; an upper cap of zero switches that off."""

    base_initial_ppm: int
    open_interest_lower: int
    open_interest_upper: int

    def __post_init__(self) -> None:
        if not 0 <= self.base_initial_ppm <= PARTS_PER_MILLION:
            raise InvalidInput(f"base ratio {self.base_initial_ppm} ppm is not between 0 and one")
        if not 0 <= self.open_interest_lower <= self.open_interest_upper:
            raise InvalidInput(f"open interest caps {self.open_interest_lower}, {self.open_interest_upper} do not rise")


def adjusted_initial_ppm(tier: LiquidityTier, open_notional: int) -> int:
    """Return the initial ratio at an open notional in the unit of the caps, truncated."""
    lower, upper = tier.open_interest_lower, tier.open_interest_upper
    if upper == 0 or open_notional <= lower:
        return tier.base_initial_ppm
    if open_notional >= upper:
        return PARTS_PER_MILLION
    room = PARTS_PER_MILLION - tier.base_initial_ppm
    return tier.base_initial_ppm + (open_notional - lower) * room // (upper - lower)


def initial_margin_quantums(tier: LiquidityTier, open_notional: int, position_quantums: int) -> int:
    """Return the initial margin of a position's notional, rounded up."""
    return -(-abs(position_quantums) * adjusted_initial_ppm(tier, open_notional) // PARTS_PER_MILLION)
