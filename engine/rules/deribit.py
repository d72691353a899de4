"""Deribit portfolio margin of futures: `private/pme/simulate` and deribit.com/pages/docs/portfoliomargin.

Amounts are coins of the inverse contracts; moves, ranges and factors are fractions. A book small enough to stay below
the venue's delta threshold is assumed, so no delta shock is added. Options enter by a caller's own profit vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.errors import InvalidInput

BUCKETS = 9
DAYS_OF_REFERENCE = 30.0

PUBLISHED_PARAMETERS: Mapping[tuple[str, int], Mapping[str, float]] = {
    ("eth", 2026): {
        "price_range": 0.18,
        "volatility_range_up": 0.4,
        "volatility_range_down": 0.25,
        "min_volatility_for_shock_up": 0.5,
        "short_term_vega_power": 0.3,
        "long_term_vega_power": 0.13,
        "extended_table_factor": 1,
        "extended_dampener": 200_000,
        "max_delta_shock": 0.1,
        "delta_total_liq_shock_threshold_usd": 20_000_000,
        "m_inc": 0.000004,
        "annualised_move_risk": 0.05,
        "min_annualised_move": 0.005,
        "pnl_offset": 0.6,
        "max_offsetable_pnl_usd": 20_000_000,
        "mm_factor": 0.8,
    }
}
"""By coin and year, under the venue's own names: its production response of 2026-02-15 for ether."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the margin of futures depends on."""

    price_range: float
    profit_offset: float
    """Share of a profit that may offset losses elsewhere."""
    least_annual_move: float
    annual_move_risk: float
    maintenance_factor: float


@dataclass(frozen=True, slots=True)
class Margin:
    """The result in coins; `worst_bucket` counts from 1 at the deepest fall."""

    aggregated_coin: tuple[float, ...]
    worst_case_coin: float
    worst_bucket: int
    roll_shock_coin: float
    initial_coin: float
    maintenance_coin: float


def price_moves(price_range: float) -> tuple[float, ...]:
    """Return the nine evenly spaced moves from the largest fall to the largest rise."""
    if not 0.0 < price_range < 1.0:
        raise InvalidInput(f"price range {price_range} is not between 0 and 1")
    half = BUCKETS // 2
    return tuple(price_range * (bucket - half) / half for bucket in range(BUCKETS))


def inverse_profit_coin(position_coin: float, move: float) -> float:
    """Return the profit in coins of an inverse future after a move of its price: position (1 - 1/(1 + move))."""
    if not move > -1.0:
        raise InvalidInput(f"a price cannot move by {move}")
    return position_coin * (1.0 - 1.0 / (1.0 + move))


def volatility_shock(volatility_range: float, days: float, power: float) -> float:
    """Return the relative move of volatility at a tenor: range (30/days)^power."""
    if not days > 0.0:
        raise InvalidInput(f"{days} days to expiry are not positive")
    return volatility_range * float((DAYS_OF_REFERENCE / days) ** power)


def futures_margin(positions_coin: Sequence[float], years: Sequence[float], parameters: Parameters) -> Margin:
    """Return the margin of inverse futures of one coin.

    Parameters
    ----------
    positions_coin : sequence of float
        Long positive.
    years : sequence of float
        To each expiry, zero for a perpetual.
    parameters : Parameters
        The coin's parameters.

    Returns
    -------
    Margin
        Initial margin is the worst bucket's loss, profits counting by the offset, plus the roll shock, which is the
        larger of the least annual move and the annual move risk times the years, on every position's magnitude.
    """
    moves = price_moves(parameters.price_range)
    summed = [sum(inverse_profit_coin(position, move) for position in positions_coin) for move in moves]
    aggregated = tuple(profit * parameters.profit_offset if profit > 0.0 else profit for profit in summed)
    worst = min(aggregated)
    roll = sum(
        abs(position) * max(parameters.least_annual_move, parameters.annual_move_risk * time)
        for position, time in zip(positions_coin, years, strict=True)
    )
    initial = max(-worst, 0.0) + roll
    return Margin(
        aggregated_coin=aggregated,
        worst_case_coin=max(-worst, 0.0),
        worst_bucket=aggregated.index(worst) + 1,
        roll_shock_coin=roll,
        initial_coin=initial,
        maintenance_coin=parameters.maintenance_factor * initial,
    )
