"""Spot weights of Drift v2 by size: `programs/drift/src/math/margin` of drift-labs/protocol-v2 at 0ae3e3b1.

Weights are integers of 1e-4, the factor of 1e-6, sizes of 1e-9 token; every quotient is truncated.
"""

from __future__ import annotations

import math

from engine.errors import InvalidInput

_WEIGHT_ONE, _FACTOR_ONE, _ROOT_ONE = 10**4, 10**6, 10**5


def scaled_asset_weight(size_nano: int, factor_micro: int, initial_weight: int) -> int:
    """Return the weight of an asset: 1.1 / (1 + factor sqrt(size)), at most the initial one; none without a factor."""
    if factor_micro == 0:
        return initial_weight
    discounted = 11 * _FACTOR_ONE // 10 * _WEIGHT_ONE // (_FACTOR_ONE + _root_times_factor(size_nano, factor_micro))
    return min(initial_weight, discounted)


def scaled_liability_weight(size_nano: int, factor_micro: int, initial_weight: int) -> int:
    """Return the weight of a liability: 0.8 of the initial one plus factor sqrt(size), at least the initial one."""
    if factor_micro == 0:
        return initial_weight
    premium = _square_root(size_nano) * factor_micro // (_ROOT_ONE * _FACTOR_ONE // _WEIGHT_ONE)
    return max(initial_weight, initial_weight * 4 // 5 + premium)


def _root_times_factor(size_nano: int, factor_micro: int) -> int:
    return _square_root(size_nano) * factor_micro // _ROOT_ONE


def _square_root(size_nano: int) -> int:
    """Return sqrt of the size in tokens with 5 decimals."""
    if size_nano < 0:
        raise InvalidInput(f"size {size_nano} is negative")
    return math.isqrt(10 * size_nano + 1)
