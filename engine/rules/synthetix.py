"""Margins of Synthetix v3 perpetuals in USD: `PerpsMarketConfiguration.sol` of Synthetixio/synthetix-v3 at 23585f73."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Market:
    """Liquidation parameters; the maintenance scalar multiplies the initial ratio."""

    skew_scale: float
    initial_ratio: float
    least_initial_ratio: float
    maintenance_scalar: float
    least_position_margin_usd: float

    def __post_init__(self) -> None:
        if not self.skew_scale > 0.0:
            raise InvalidInput(f"skew scale {self.skew_scale} is not positive")


@dataclass(frozen=True, slots=True)
class Margins:
    """Ratios of notional, and amounts with the least position margin added to both."""

    initial_ratio: float
    maintenance_ratio: float
    initial_usd: float
    maintenance_usd: float


def margins(market: Market, size: float, price_usd: float) -> Margins:
    """Return the margins of a position whose ratio grows with its size over the skew scale."""
    initial = abs(size) / market.skew_scale * market.initial_ratio + market.least_initial_ratio
    maintenance = initial * market.maintenance_scalar
    notional, least = abs(size) * price_usd, market.least_position_margin_usd
    return Margins(initial, maintenance, notional * initial + least, notional * maintenance + least)
