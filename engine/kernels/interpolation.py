"""Tables looked up: piecewise linear between ascending knots, flat outside; and what is drawn through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import inlined, kernel, read_only

Vector = NDArray[np.float64]


@inlined
def interpolated_scalar(knot: Vector, value: Vector, x: float) -> float:
    """Value at x; NaN gives NaN. Knots ascend strictly, two at least."""
    low, high = 0, knot.size - 1
    if x <= knot[low]:
        return float(value[low])
    if x >= knot[high]:
        return float(value[high])
    while high - low > 1:
        middle = (low + high) >> 1
        if x < knot[middle]:
            high = middle
        else:
            low = middle
    share = (x - knot[low]) / (knot[high] - knot[low])
    return float(value[low] + share * (value[high] - value[low]))


@kernel
def _interpolate(knot: Vector, value: Vector, x: Vector, out: Vector) -> None:
    for j in range(x.size):
        out[j] = interpolated_scalar(knot, value, x[j])


@kernel
def _joint_values(
    root: Vector, normal: Vector, mixing: Vector, knot: Vector, value: Vector, score: Vector, out: Vector
) -> None:
    for i in range(root.shape[0]):
        score[:] = 0.0
        for k in range(root.shape[1]):
            for s in range(mixing.size):
                score[s] += root[i, k] * normal[k, s]
        for s in range(mixing.size):
            out[i, s] = interpolated_scalar(knot, value[i], mixing[s] * score[s])


def interpolate(knot: Vector, value: Vector, x: Vector) -> Vector:
    """Return the table's values at `x`, shape (n,); knots of shape (K,) ascend strictly."""
    out = np.empty(x.size)
    _interpolate(read_only(knot, np.float64), read_only(value, np.float64), read_only(x, np.float64), out)
    return out


def joint_values(root: Vector, normal: Vector, mixing: Vector, knot: Vector, value: Vector) -> Vector:
    """Return value_i(mixing x (root normal)_i) for each coordinate and scenario, shape (d, S).

    Parameters
    ----------
    root : float64 array, shape (d, d)
    normal : float64 array, shape (d, S)
    mixing : float64 array, shape (S,)
    knot : float64 array, shape (K,)
    value : float64 array, shape (d, K)
        One table a coordinate, on the same knots.
    """
    out = np.empty(normal.shape)
    drawn = read_only(root, np.float64), read_only(normal, np.float64), read_only(mixing, np.float64)
    _joint_values(*drawn, read_only(knot, np.float64), read_only(value, np.float64), np.empty(mixing.size), out)
    return out
