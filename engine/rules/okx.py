"""Portfolio margin parameters of OKX after its adjustment of January 2025 (announcement of 2 January 2025).

Moves are fractions of spot, the basis a fraction a year; which coins are in which group is the venue's list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import InvalidInput

SPOT_SHOCKS: Mapping[str, tuple[float, ...]] = {
    "BTC,ETH": (0.0, 0.04, 0.08, 0.12),
    "major alts": (0.0, 0.06, 0.12, 0.18),
    "others": (0.0, 0.08, 0.16, 0.25),
}
"""MR1, both ways."""

EXTREME_MOVES: Mapping[str, float] = {"BTC,ETH": 0.24, "large alts": 0.36, "others": 0.5}
"""MR6."""

ANNUAL_BASIS_MOVES: Mapping[str, float] = {"BTC,ETH": 0.05, "large alts": 0.15, "others": 0.3}
"""MR4."""


@dataclass(frozen=True, slots=True)
class ChargeTier:
    """From a size in USD, up to but without another, what the minimum charge is multiplied by."""

    from_usd: float
    below_usd: float | None
    multiplier: float


MINIMUM_CHARGE_TIERS = (
    ChargeTier(0, 10_000, 1),
    ChargeTier(10_000, 70_000, 2),
    ChargeTier(70_000, 170_000, 4),
    ChargeTier(170_000, 300_000, 6),
    ChargeTier(300_000, 470_000, 8),
    ChargeTier(470_000, 700_000, 10),
    ChargeTier(700_000, None, 12),
)
"""MR7."""


def minimum_charge_multiplier(size_usd: float) -> float:
    """Return the multiplier of the tier that a size in USD falls into."""
    if not size_usd >= 0.0:
        raise InvalidInput(f"size {size_usd} is negative")
    return next(tier.multiplier for tier in reversed(MINIMUM_CHARGE_TIERS) if size_usd >= tier.from_usd)
