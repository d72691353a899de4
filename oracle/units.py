"""Fixed-point units and the only conversions between them; the direction of rounding is part of each name.

Money on chain is USD wad (18 decimals). The venue's cash and every requirement is a whole number of micro-USD
(6 decimals), so that an account's figure is an exact int64 in bulk arrays and an exact wad on chain. Prices have
8 decimals (the feeds'), sizes are lots of 1e-8 contract, ratios are parts per million.

Margin asked of an account rounds up, value granted to it rounds down.
"""

from __future__ import annotations

from typing import Any, NewType

import numpy as np
from numpy.typing import NDArray

from oracle.errors import NonFiniteResult

Wad = NewType("Wad", int)
MicroUsd = NewType("MicroUsd", int)

WAD_PER_MICRO_USD = 10**12
MICRO_PER_USD = 10**6
LOTS_PER_CONTRACT = 10**8
PRICE_SCALE_E8 = 10**8
PPM = 10**6
SECONDS_PER_HOUR = 3_600
SECONDS_PER_YEAR = 365 * 86_400
UINT32_MAX = 2**32 - 1

_INT64_SAFE = float(2**62)
_HALF, _HALF_MASK = np.uint64(32), np.uint64(2**32 - 1)


def micro_to_wad_exact(amount_micro: int) -> Wad:
    """Return micro-USD as USD wad; exact."""
    return Wad(amount_micro * WAD_PER_MICRO_USD)


def micro_to_wad_halves(amount_micro: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return micro-USD, at least 0, as USD wad in two words of 64 bits, the upper one first; exact.

    A wad does not fit 64 bits, so the product is formed of halves of 32 bits; none of their sums passes 2^64.
    """
    low, high = _halves(amount_micro.astype(np.uint64))
    factor_low, factor_high = _halves(np.uint64(WAD_PER_MICRO_USD))
    least = low * factor_low
    middle = low * factor_high + high * factor_low + (least >> _HALF)
    return high * factor_high + (middle >> _HALF), (middle << _HALF) | (least & _HALF_MASK)


def wad_to_micro_up(amount_wad: int) -> MicroUsd:
    """Return USD wad as micro-USD, rounded toward plus infinity."""
    return MicroUsd(-(-amount_wad // WAD_PER_MICRO_USD))


def usd_to_micro_up(amount_usd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return USD amounts as whole micro-USD, never below the exact product.

    Parameters
    ----------
    amount_usd : float64 array
        USD, at least 0, finite.

    Returns
    -------
    int64 array of the same shape
        The float product is moved up one unit in the last place before the ceiling, since the product itself may
        have been rounded down; so a result is at most one micro-USD too high and never too low.

    Raises
    ------
    NonFiniteResult
        If an amount is not finite, negative, or beyond the range of int64.
    """
    return _scaled_up(amount_usd, float(MICRO_PER_USD))


def fraction_to_ppm_up(fraction: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return fractions as parts per million, never below the exact product; errors as `usd_to_micro_up`."""
    return _scaled_up(fraction, float(PPM))


def usd_to_micro_down(amount_usd: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return USD amounts (either sign) as whole micro-USD, never above the exact product."""
    _require_finite(amount_usd)
    product = np.asarray(amount_usd, dtype=np.float64) * float(MICRO_PER_USD)
    scaled = np.where(product == 0.0, 0.0, np.nextafter(product, -np.inf))
    if np.any(np.abs(scaled) >= _INT64_SAFE):
        raise NonFiniteResult(f"amount of {np.max(np.abs(amount_usd)):g} USD is beyond int64 micro-USD")
    return np.floor(scaled).astype(np.int64)


def _scaled_up(amount: NDArray[np.float64], scale: float) -> NDArray[np.int64]:
    amount = np.asarray(amount, dtype=np.float64)
    _require_finite(amount)
    if np.any(amount < 0.0):
        raise NonFiniteResult(f"negative requirement {np.min(amount):g}", "report this: the engine's floor failed")
    product = amount * scale
    scaled = np.where(product == 0.0, 0.0, np.nextafter(product, np.inf))
    if np.any(scaled >= _INT64_SAFE):
        raise NonFiniteResult(f"amount {np.max(amount):g} times {scale:g} is beyond int64")
    return np.ceil(scaled).astype(np.int64)


def _halves(words: Any) -> tuple[Any, Any]:
    return words & _HALF_MASK, words >> _HALF


def _require_finite(amount: NDArray[np.float64]) -> None:
    if not np.all(np.isfinite(amount)):
        where = int(np.flatnonzero(~np.isfinite(np.ravel(amount)))[0])
        raise NonFiniteResult(f"result {where} is not finite ({np.ravel(amount)[where]})", "nothing is published")
