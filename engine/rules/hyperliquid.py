"""Maintenance margin of Hyperliquid by tiers: hyperliquid.gitbook.io/hyperliquid-docs/trading/margin-tiers. In USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Tier:
    """From a notional on, a maximum leverage; half its inverse is the maintenance ratio."""

    from_notional_usd: float
    largest_leverage: float

    @property
    def maintenance_ratio(self) -> float:
        """Of notional."""
        return 1.0 / (2.0 * self.largest_leverage)


def maintenance_margin_usd(notional_usd: float, tiers: Sequence[Tier]) -> float:
    """Return notional times the tier's ratio less its deduction, which makes the margin continuous.

    Raises
    ------
    InvalidInput
        If the tiers do not begin at zero and ascend, or a leverage or the notional is out of range.
    """
    bounds = [tier.from_notional_usd for tier in tiers]
    if not bounds or bounds[0] != 0.0 or any(low >= high for low, high in zip(bounds, bounds[1:], strict=False)):
        raise InvalidInput(f"tier bounds {bounds} must ascend from 0")
    if not notional_usd >= 0.0 or any(not tier.largest_leverage > 0.0 for tier in tiers):
        raise InvalidInput(f"notional {notional_usd} or a leverage is not positive")
    ratio = deduction = 0.0
    for tier in tiers:
        if notional_usd < tier.from_notional_usd:
            break
        deduction += tier.from_notional_usd * (tier.maintenance_ratio - ratio)
        ratio = tier.maintenance_ratio
    return notional_usd * ratio - deduction
