"""Anti-procyclicality: a margin that is dearer in calm and so rises less in stress (DESIGN 3.11).

    published = max( now, min( (1 - w) now + w stress, cap now ) ),   w = 0.25, cap = 1.25

A tail scales with the root of the variance it starts from, so the margin of the most stressed month is that of now
times sqrt(stress variance / variance now), and the whole rule is one factor an underlying. Both variances come from the
artefact and the prices since: no state of an earlier report is read. The long-run floor is the filter's own.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from engine.configuration import ModelConfiguration
from engine.dynamics.stress_level import stress_variance_today
from engine.dynamics.today import filter_today
from engine.dynamics.variance import rule_of, variance_now
from engine.priced import Problem


def stress_factor(stress_variance: float, variance: float, model: ModelConfiguration) -> float:
    """Return what a tail is multiplied by: at least 1, at most `stress_cap`; 1 when the weight is 0.

    Parameters
    ----------
    stress_variance, variance : float
        Of hourly log returns: the highest thirty-day mean so far, and now; positive.
    model : ModelConfiguration
    """
    blend = (1.0 - model.stress_weight) + model.stress_weight * sqrt(stress_variance / variance)
    return max(1.0, min(blend, model.stress_cap))


def stress_factors(problem: Problem) -> NDArray[np.float64]:
    """Return the factor of each underlying of the market, shape (U,)."""
    calibration = problem.calibration
    rule = rule_of(calibration.settings)
    factors = np.empty(len(problem.recent))
    for row, recent in enumerate(problem.recent):
        since, memory = filter_today(calibration, recent)
        asset = calibration.assets[calibration.index_of(recent.symbol)]
        stress = stress_variance_today(asset, since)
        factors[row] = stress_factor(stress, variance_now(rule, memory), problem.model)
    return factors
