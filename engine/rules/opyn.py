"""Naked margin of Opyn Gamma: `MarginCalculator._getNakedMarginRequired` of opynfinance/GammaProtocol at 841f81d9.

Per short unit: a put's in the strike asset, a call's in the underlying.
"""

from __future__ import annotations

from engine.errors import InvalidInput


def naked_margin(is_put: bool, spot: float, strike: float, spot_shock: float, upper_bound: float) -> float:
    """Return the collateral of one short option: its largest value near the shocked spot plus what is then inside.

    Parameters
    ----------
    is_put : bool
        Put or call.
    spot, strike, spot_shock : float
        Positive; the shock multiplies the spot of a put and divides that of a call.
    upper_bound : float
        The largest value of an option at the money, of its strike or of the underlying.
    """
    if not (spot > 0.0 and strike > 0.0 and spot_shock > 0.0):
        raise InvalidInput(f"spot {spot}, strike {strike} or shock {spot_shock} is not positive")
    if is_put:
        shocked = spot_shock * spot
        return upper_bound * min(strike, shocked) + max(strike - shocked, 0.0)
    share = strike * spot_shock / spot
    return upper_bound * min(1.0, share) + max(1.0 - share, 0.0)
