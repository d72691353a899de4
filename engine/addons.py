"""Costs on top of the model: liquidity, concentration and funding (DESIGN 3.9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments, Kind
from engine.configuration import ModelConfiguration
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.dynamics.today import memory_today
from engine.dynamics.variance import rule_of, variance_now
from engine.market import MarketState

HOURS_A_DAY = 24.0
USD_PER_SLOPE = 1_000_000.0
"""What a slope of a ratio counts by."""


@dataclass(frozen=True, slots=True)
class LiquidityCurve:
    """Cost in USD of closing N USD of each underlying, shape (U,) each.

    cost(N) = N (half_spread + impact sqrt(N)) + N day_deviation sqrt(max(0, N / daily_capacity - 1))

    The first part is liquidity, with impact = Y sigma_day / sqrt(V_stress), sigma_day of the variance now and never
    below that of the long run. The second is concentration: what exceeds the share of a stressed day's volume that
    can be sold waits, and is charged one deviation, which grows with the root of the days.
    """

    half_spread: float
    impact: NDArray[np.float64]
    day_deviation: NDArray[np.float64]
    daily_capacity: NDArray[np.float64]

    def liquidity(self, size_usd: NDArray[np.float64], underlying: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the first part for sizes in USD, at least 0."""
        cost: NDArray[np.float64] = size_usd * (self.half_spread + self.impact[underlying] * np.sqrt(size_usd))
        return cost

    def concentration(self, size_usd: NDArray[np.float64], underlying: NDArray[np.int32]) -> NDArray[np.float64]:
        """Return the second part for sizes in USD, at least 0."""
        days = np.maximum(size_usd / self.daily_capacity[underlying] - 1.0, 0.0)
        return size_usd * self.day_deviation[underlying] * np.sqrt(days)

    def at_depth(self, share: float) -> LiquidityCurve:
        """Return the curve of markets in which only this share of the volume is left, above 0."""
        return replace(self, impact=self.impact / np.sqrt(share), daily_capacity=self.daily_capacity * share)

    def base(self, reference_size_usd: float) -> NDArray[np.float64]:
        """Return the constant of a line that lies above cost(N)/N for every N, shape (U,); see `slope`."""
        base: NDArray[np.float64] = self.half_spread + 0.5 * self.impact * np.sqrt(reference_size_usd)
        return base

    def slope(self, reference_size_usd: float) -> NDArray[np.float64]:
        """Return the line's slope per USD 1e6, shape (U,).

        Notes
        -----
        Both parts by the inequality of arithmetic and geometric means: sqrt(N) <= sqrt(N*)/2 (1 + N/N*), and
        sqrt(N/c - 1) = sqrt(1 (N/c - 1)) <= N / (2 c). So base + slope N dominates the curve everywhere.
        """
        impact = 0.5 * self.impact / np.sqrt(reference_size_usd)
        waiting = 0.5 * self.day_deviation / self.daily_capacity
        slope: NDArray[np.float64] = (impact + waiting) * USD_PER_SLOPE
        return slope


def liquidity_curve(
    calibration: Calibration, recent: Sequence[RecentPrices], market: MarketState, model: ModelConfiguration
) -> LiquidityCurve:
    """Return the cost curve of each underlying of the market; `recent` in the market's order.

    Conservative side: depth is thinnest after a wild day, so the variance of such a day counts; a calm one credits
    nothing.
    """
    rule = rule_of(calibration.settings)
    assets = [calibration.assets[calibration.index_of(symbol)] for symbol in market.symbols]
    variance = [
        max(asset.long_run_variance, variance_now(rule, memory_today(calibration, prices)))
        for asset, prices in zip(assets, recent, strict=True)
    ]
    day_deviation = np.sqrt(HOURS_A_DAY * np.array(variance))
    volume = np.array([asset.stress_volume for asset in assets]) * market.spot
    return LiquidityCurve(
        half_spread=0.5 * model.spread_fraction,
        impact=model.impact_coefficient * day_deviation / np.sqrt(volume),
        day_deviation=day_deviation,
        daily_capacity=model.participation_fraction * volume,
    )


def funding_fraction(
    calibration: Calibration, market: MarketState, model: ModelConfiguration, hours: int
) -> NDArray[np.float64]:
    """Return the funding charge over the horizon as a fraction of perpetual notional, shape (U,), always a cost.

    min(cap, |rate| + 99 % quantile of its change) an hour, against the holder whichever side pays now (DESIGN 3.6).
    The quantile is the artefact's where it was measured, else the configured one.
    """
    carry = [calibration.carry[calibration.index_of(symbol)] for symbol in market.symbols]
    change = [one.funding_change_hourly if one.funding_measured else model.funding_change_hourly for one in carry]
    hourly = np.minimum(market.funding_cap_hourly, np.abs(market.funding_rate_hourly) + np.array(change))
    charge: NDArray[np.float64] = hourly * float(hours)
    return charge


def is_perpetual(instruments: Instruments) -> NDArray[np.float64]:
    """Return 1 for perpetuals and 0 for all others, shape (I,)."""
    return np.where(instruments.kind == Kind.PERPETUAL, 1.0, 0.0)
