"""Portfolio margin grid of Aevo: docs.aevo.xyz, options specifications, portfolio margin, values at ether's launch.

Spot moves are fractions, volatility shifts parallel additions of a volatility a year.
"""

from __future__ import annotations

from engine.errors import InvalidInput

SPOT_MOVES = (0.2, 0.1, 0.0, -0.1, -0.2)
VOLATILITY_SHIFTS = (0.5, 0.0, -0.25)

SCENARIOS = tuple((move, shift) for move in SPOT_MOVES for shift in VOLATILITY_SHIFTS)
"""Fifteen pairs of spot move and volatility shift."""


def shifted_volatility(volatility: float, shift: float) -> float:
    """Return a volatility after a parallel shift, not below zero."""
    if not volatility >= 0.0:
        raise InvalidInput(f"volatility {volatility} is negative")
    return max(volatility + shift, 0.0)
