"""FX delta margin of ISDA SIMM 2.5, ten days: ISDA SIMM methodology 2.5, FX; checked on AcadiaSoft's simm-lib.

Sensitivities are USD per 1 % move of a currency against the calculation currency, thresholds likewise in USD.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

SIGNIFICANTLY_TRADED = frozenset({"USD", "EUR", "JPY", "GBP", "AUD", "CHF", "CAD"})
FREQUENTLY_TRADED = frozenset(
    {"BRL", "CNY", "HKD", "INR", "KRW", "MXN", "NOK", "NZD", "RUB", "SEK", "SGD", "TRY", "ZAR"}
)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Weights, correlations and concentration thresholds for a calculation currency of regular volatility."""

    calculation_currency: str
    high_volatility: frozenset[str]
    regular_weight: float
    high_weight: float
    regular_correlation: float
    mixed_correlation: float
    high_correlation: float
    significant_threshold_usd: float
    frequent_threshold_usd: float
    other_threshold_usd: float

    def weight(self, currency: str) -> float:
        """Return the risk weight of a currency."""
        return self.high_weight if currency in self.high_volatility else self.regular_weight

    def correlation(self, first: str, second: str) -> float:
        """Return the correlation of two different currencies."""
        high = (first in self.high_volatility) + (second in self.high_volatility)
        return (self.regular_correlation, self.mixed_correlation, self.high_correlation)[high]

    def threshold_usd(self, currency: str) -> float:
        """Return the concentration threshold of a currency."""
        if currency in SIGNIFICANTLY_TRADED:
            return self.significant_threshold_usd
        return self.frequent_threshold_usd if currency in FREQUENTLY_TRADED else self.other_threshold_usd


def fx_delta_margin_usd(net_sensitivities_usd: Mapping[str, float], parameters: Parameters) -> float:
    """Return the delta margin of net sensitivities.

    A sensitivity s beyond its threshold T counts by CR = sqrt(|s| / T), and two weighted sensitivities correlate by
    the smaller over the larger of their CR times the correlation of their groups. The calculation currency has none.
    """
    held = {name: value for name, value in net_sensitivities_usd.items() if name != parameters.calculation_currency}
    concentration = {name: max(1.0, math.sqrt(abs(s) / parameters.threshold_usd(name))) for name, s in held.items()}
    weighted = {name: parameters.weight(name) * s * concentration[name] for name, s in held.items()}
    total = 0.0
    for first, one in weighted.items():
        for second, other in weighted.items():
            if first == second:
                total += one * one
                continue
            low, high = sorted((concentration[first], concentration[second]))
            total += parameters.correlation(first, second) * low / high * one * other
    return math.sqrt(max(total, 0.0))
