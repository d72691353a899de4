"""The lower tail of a stream of weighted values: keep what is below a threshold, tighten it when the buffer is full.

Tightening is bisection with vectorised counts instead of a sort or a quickselect: no branch depends on the data, and
what is kept stays in the order of arrival. Weights are integers, so that a mass is exact in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine._jit import bits_float, float_bits, fma, inlined, kernel, trailing_zeros

Vector = NDArray[np.float64]
Weights = NDArray[np.int64]
Scenarios = NDArray[np.int32]
CHUNK = 32
"""Values at a time; buffers have room for a whole number of chunks."""
HALVINGS = 24
"""Halvings between values before those between their integer images, which end after 64 whatever the values."""


@inlined
def _image(x: float) -> int:
    """Map a float to an integer of the same order: extremes of integers vectorise, those of floats do not."""
    bits = float_bits(x)
    return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF)


@inlined
def _float(image: int) -> float:
    """Return the float of an image."""
    return bits_float(image ^ ((image >> 63) & 0x7FFFFFFFFFFFFFFF))


@inlined
def _middle(low: float, high: float, step: int) -> float:
    """Return a value between two, from `low` on and below `high`; of neighbours, the lower."""
    if step < HALVINGS:
        return 0.5 * low + 0.5 * high
    a, b = _image(low), _image(high)
    return _float((a >> 1) + (b >> 1) + (a & b & 1))


@inlined
def _mass_and_count(value: Vector, weight: Weights, n: int, x: float) -> tuple[int, int]:
    """Weight and number of the first n values that are at most x."""
    mass, count = np.int64(0), np.int64(0)
    for i in range(n):
        mass += weight[i] if value[i] <= x else 0
        count += 1 if value[i] <= x else 0
    return int(mass), int(count)


@kernel
def boundary(value: Vector, weight: Weights, n: int, need: int, enough: int) -> float:
    """Find an x with mass{value <= x} >= need and count{value <= x} <= enough; if none, the smallest with that mass.

    `enough` = 0 asks for the smallest one, which is the quantile. The mass of all n is at least `need`. x is one of the
    values: the largest that the bisection left. Both vectors are filled up to a whole chunk, for which they have room.
    """
    lowest, highest = _image(value[0]), _image(value[0])
    for i in range(1, n):
        image = _image(value[i])
        lowest = image if image < lowest else lowest
        highest = image if image > highest else highest
    # whole chunks have no remainder to be taken one by one
    given, n = n, -(-n // CHUNK) * CHUNK
    for i in range(given, n):
        value[i], weight[i] = np.inf, 0
    low, high = _float(lowest), _float(highest)
    mass, count_low = _mass_and_count(value, weight, n, low)
    if mass >= need:
        return low
    count_high = given
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
    largest = lowest
    for i in range(n):
        image = _image(value[i]) if value[i] <= high else lowest
        largest = image if image > largest else largest
    return _float(largest)


@kernel
def compact(value: Vector, scenario: Scenarios, weight: Weights, n: int, need: int, x: float) -> int:
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
        scenario[kept] = scenario[i]
        kept += 1 if keep else 0
    return kept


@inlined
def collect(
    mask: int, y: NDArray[Any], at: int, first: int, weight: Weights, k: int, value: Vector, scenario: Scenarios, n: int
) -> int:
    """Append to buffer k, of length n, those of 64 values whose bits are set in the mask; return the new length.

    ``y[at + j]`` is the value of scenario ``first + j``; scenarios of weight 0 do not exist.
    """
    # unsigned, since a signed index is tested for being negative each time
    place, at_, first_, buffer = np.uint64(n), np.uint64(at), np.uint64(first), np.uint64(k)
    while mask != 0:
        j = np.uint64(trailing_zeros(mask))
        value[buffer, place] = y[at_ + j]
        scenario[buffer, place] = first_ + j
        place += np.uint64(weight[first_ + j] > 0)
        mask &= mask - 1
    return int(np.int64(place))


@kernel
def tighten(
    value: Vector, scenario: Scenarios, n: int, weight: Weights, need: int, enough: int, slack: float, scratch: Weights
) -> tuple[float, int]:
    """Return a lower threshold for a buffer of length n, and its length when only what lies below it is kept.

    The threshold is a `boundary` x plus `slack`; without slack it is x, and of what equals it as many stay as reach
    `need`. A buffer with less than `need` stays as it is, with no threshold.
    """
    mass = np.int64(0)
    for i in range(n):
        scratch[i] = weight[scenario[i]]
        mass += scratch[i]
    if mass < need:
        return np.inf, n
    threshold = boundary(value, scratch, n, need, enough) + slack
    return threshold, compact(value, scenario, scratch, n, need, threshold)


@kernel
def tail_mean(value: Vector, weight: Weights, n: int, need: int, mass: float) -> tuple[float, float]:
    """Return the quantile t at `need`, and the mean of the lowest `mass`, the one at t counted in part."""
    # adding 0 makes a negative zero, the one value of two faces, positive
    t = boundary(value, weight, n, need, 0) + 0.0
    below = np.int64(0)
    total = 0.0
    for i in range(n):
        counts = value[i] < t
        below += weight[i] if counts else 0
        # a product of 0 leaves the sum to the bit, and a branch would be guessed wrong again and again
        total = fma(np.float64(weight[i]), value[i] if counts else 0.0, total)
    return t, (total + (mass - np.float64(below)) * t) / mass
