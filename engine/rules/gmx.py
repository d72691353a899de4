"""Least collateral of GMX v2: `position/PositionUtils.sol` of gmx-io/gmx-synthetics at a5c0c883.

Sizes and collateral in USD with 30 decimals, factors with 30 decimals; products are truncated as on chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import InvalidInput

FLOAT_PRECISION = 10**30


@dataclass(frozen=True, slots=True)
class CollateralRule:
    """Factors of size, and the least collateral whatever the size."""

    opening_factor: int
    liquidation_factor: int
    least_usd: int

    def __post_init__(self) -> None:
        if min(self.opening_factor, self.liquidation_factor, self.least_usd) < 0:
            raise InvalidInput(f"{self} has a negative member")


def required_collateral_usd(rule: CollateralRule, size_usd: int, opening: bool) -> int:
    """Return the collateral below which a position cannot be opened, or is liquidated."""
    factor = rule.opening_factor if opening else rule.liquidation_factor
    return max(abs(size_usd) * factor // FLOAT_PRECISION, rule.least_usd)


def is_liquidatable(rule: CollateralRule, size_usd: int, remaining_collateral_usd: int) -> bool:
    """Return whether what is left of the collateral after profit, price impact and fees is too little.

    Nothing left is always too little.
    """
    return remaining_collateral_usd <= 0 or remaining_collateral_usd < required_collateral_usd(rule, size_usd, False)
