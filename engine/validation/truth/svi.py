"""Evaluations of published SVI slices: conversions, values, butterflies, sufficient conditions of surface SVI."""

from __future__ import annotations

import numpy as np

from engine.surface.arbitrage import durrleman
from engine.surface.svi import (
    JumpWings,
    RawSvi,
    butterfly_free,
    jump_wings_from_raw,
    power_law_curvature,
    raw_from_jump_wings,
    total_variance,
)
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

GRID = np.linspace(-3.0, 3.0, 6_001)
"""Log moneyness on which g is looked at, in steps of a thousandth."""

JUMP_WINGS = {"v": "variance", "psi": "skew", "p": "put_slope", "c": "call_slope", "v_tilde": "least_variance"}


def svi_case(case: Case) -> dict[str, Tree]:
    """Evaluate by what the case holds: a surface's theta, a point k, a check of g, or a conversion."""
    if "theta" in case:
        return _surface(case)
    svi = _slice(case)
    if "k" in case:
        return _point(case, svi)
    if "check" in case:
        return _butterfly(case, svi)
    wings = jump_wings_from_raw(svi, case.number("t"))
    return {"expected_jump_wings": {name: Computed(getattr(wings, ours)) for name, ours in JUMP_WINGS.items()}}


def _slice(case: Case) -> RawSvi:
    if "jump_wings" in case:
        given = case.record("jump_wings")
        return raw_from_jump_wings(JumpWings(*(given.number(name) for name in JUMP_WINGS)), case.number("t"))
    given = case.record("raw")
    return RawSvi(**{name: given.number(name) for name in ("a", "b", "rho", "m", "sigma")})


def _point(case: Case, svi: RawSvi) -> dict[str, Tree]:
    """Total variance at k; forward and time only say which strike and volatility it belongs to."""
    if case.number("forward") <= 0.0 or case.number("T_years") <= 0.0:
        raise NotUnderstood("forward and time must be positive")
    level = total_variance(svi, np.array([case.number("k")])).level[0]
    return {"expected_total_variance": Computed(float(level))}


def _butterfly(case: Case, svi: RawSvi) -> dict[str, Tree]:
    if "min" not in (rule := case.word("check")) or "g(k)" not in rule:
        raise NotUnderstood(f"check {rule!r} is not known")
    g = durrleman(GRID, total_variance(svi, GRID))
    negative = GRID[g < 0.0]
    found: dict[str, Tree] = {
        "arbitrage": Computed(bool(negative.size)),
        "argmin_k": Computed(float(GRID[np.argmin(g)])),
        "min_g": Computed(float(np.min(g))),
    }
    if negative.size:
        found |= {"negative_from": Computed(float(negative[0])), "negative_to": Computed(float(negative[-1]))}
    return {"expected": found}


def _surface(case: Case) -> dict[str, Tree]:
    theta = case.number("theta")
    phi = power_law_curvature(theta, case.number("eta"), case.number("gamma"))
    first, second, free = butterfly_free(theta, phi, case.number("rho"))
    conditions = {"cond1": first, "cond2": second, "butterfly_free_sufficient": free}
    return {"phi": Computed(phi), "expected": {name: Computed(value) for name, value in conditions.items()}}
