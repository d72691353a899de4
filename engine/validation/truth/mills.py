"""Evaluation of published rational approximations of the Mills ratio against the kernel's own."""

from __future__ import annotations

import numpy as np

from engine.validation.closed_forms.own_kernels import mills_ratio
from engine.validation.truth.case import Case, Computed

LARGEST_Y = 37.5
GRID_POINTS = 3_001

KERNEL_ERROR = 1e-14
"""Relative: what the kernel's ratio and the rounding of the polynomials may add to a stated error."""
GRID_ALLOWANCE = 0.02
"""How much of the largest error may lie between two points of the grid."""


def mills_coefficients(case: Case) -> dict[str, Computed]:
    """Evaluate the largest relative difference of P(y)/Q(y) from our ratio over y in [0, 37.5], the stated `err`."""
    numerator, denominator = case.numbers("p"), case.numbers("q")
    y = np.linspace(0.0, LARGEST_Y, GRID_POINTS)
    published = np.polyval(numerator[::-1], y) / np.polyval(denominator[::-1], y)
    ours = np.array([mills_ratio(value) for value in y.tolist()])
    largest = float(np.max(np.abs(published / ours - 1.0)))
    return {"err": Computed(largest, GRID_ALLOWANCE * largest + KERNEL_ERROR)}
