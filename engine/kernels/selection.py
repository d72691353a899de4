"""The lower tail of a stream of weighted values: keep what is below a threshold, tighten it when the buffer is full.

Tightening is bisection with vectorised counts instead of a sort or a quickselect: no branch depends on the data, and
what is kept stays in the order of arrival. Weights are integers, so that a mass is exact in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel, mask64_lt, trailing_zeros
from engine.kernels.profit import TILE

Vector = NDArray[np.float64]
Weights = NDArray[np.int64]
HALVINGS = 24
"""Halvings between values before those between their integer images, which end after 64 whatever the values."""


@inlined
def _image(x: float) -> int:
    """Map a float to an integer of the same order; `_image` of the bits is also the way back."""
    bits = float_bits(x)
    return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)


@inlined
def _middle(low: float, high: float, step: int) -> float:
    """Return a value between two, from `low` on and below `high`; of neighbours, the lower."""
    if step < HALVINGS:
        return 0.5 * low + 0.5 * high
    a, b = _image(low), _image(high)
    image = (a >> 1) + (b >> 1) + (a & b & 1)
    return bits_float(image ^ ((image >> 63) & 0x7FFFFFFFFFFFFFFF))


@inlined
def _mass_and_count(value: Vector, weight: Weights, n: int, x: float) -> tuple[int, int]:
    """Weight and number of the first n values that are at most x."""
    mass = np.int64(0)
    count = np.int64(0)
    for i in range(n):
        mass += weight[i] if value[i] <= x else 0
        count += 1 if value[i] <= x else 0
    return int(mass), int(count)


@kernel
def boundary(value: Vector, weight: Weights, n: int, need: int, enough: int) -> float:
    """Find an x with mass{value <= x} >= need and count{value <= x} <= enough; if none, the smallest with that mass.

    `enough` = 0 asks for the smallest one, which is the quantile. The mass of all n is at least `need`. x is one of the
    values: the largest that the bisection left.
    """
    low = value[0]
    high = value[0]
    for i in range(1, n):
        low = value[i] if value[i] < low else low
        high = value[i] if value[i] > high else high
    mass, count_low = _mass_and_count(value, weight, n, low)
    if mass >= need:
        return float(low)
    count_high = n
    step = 0
    # done, too, when one value is left between the two, or only equal ones
    while count_high > enough and count_high - count_low > 1 and _image(high) - _image(low) != 1:
        middle = _middle(low, high, step)
        mass, count = _mass_and_count(value, weight, n, middle)
        if mass >= need:
            high, count_high = middle, count
        else:
            low, count_low = middle, count
        step += 1
    largest = low
    for i in range(n):
        largest = value[i] if largest < value[i] <= high else largest
    return float(largest)


@kernel
def compact(value: Vector, weight: Weights, n: int, need: int, x: float) -> int:
    """Keep, in their order, what lies below x and as many of those equal to x as reach `need`; return how many."""
    mass = np.int64(0)
    for i in range(n):
        mass += weight[i] if value[i] < x else 0
    kept = 0
    for i in range(n):
        tie = value[i] == x and mass < need
        mass += weight[i] if tie else 0
        keep = tie or value[i] < x
        value[kept] = value[i]
        weight[kept] = weight[i]
        kept += 1 if keep else 0
    return kept


@kernel
def collect(y: Vector, weight: Weights, threshold: float, kept_value: Vector, kept_weight: Weights, n: int) -> int:
    """Append to the buffer of length n the values of a tile below the threshold; return the new length.

    Values of weight 0 do not exist.
    """
    for half in range(0, TILE, 64):
        mask = mask64_lt(y, half, threshold)
        while mask != 0:
            j = half + trailing_zeros(mask)
            kept_value[n] = y[j]
            kept_weight[n] = weight[j]
            n += 1 if weight[j] > 0 else 0
            mask &= mask - 1
    return n


@kernel
def tail_mean(value: Vector, weight: Weights, n: int, need: int, mass: float) -> tuple[float, float]:
    """Return the quantile t at `need`, and the mean of the lowest `mass`, the one at t counted in part."""
    t = boundary(value, weight, n, need, 0)
    below = np.int64(0)
    total = 0.0
    for i in range(n):
        if value[i] < t:
            below += weight[i]
            total = fma(np.float64(weight[i]), value[i], total)
    return t, (total + (mass - np.float64(below)) * t) / mass
