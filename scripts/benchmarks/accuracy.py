"""How far our Black-76 is from the truth, by mpmath at 50 digits."""

from __future__ import annotations

import numpy as np

from engine.kernels.black76 import price
from engine.kernels.special import log_array
from scripts.benchmarks import peers
from scripts.benchmarks.harness import Goal

SAMPLES = 2_000
SEEN = 1e-6
"""Prices above this share of the forward count for the relative error."""


def accuracy_goals() -> list[Goal]:
    """Compare random options with |ln F/K| < 1.2 and deviations of 0.02 to 1.2."""
    texts = ("G4 largest error, in forwards", 5e-15), ("G4 largest relative error of prices above 1e-6 F", 5e-13)
    reason = peers.absent("mpmath", "not installed: pip install -e .[test]")
    if reason:
        return [Goal(text, float("nan"), bound, at_least=False, note=reason) for text, bound in texts]
    source = np.random.default_rng(17)
    forward, deviation = np.exp(source.uniform(-1.2, 1.2, SAMPLES)), source.uniform(0.02, 1.2, SAMPLES)
    variance, ours = deviation * deviation, np.empty(SAMPLES)
    price(True, 1.0, 0.0, forward, log_array(forward), variance, 1.0, ours)
    truth = np.array([_call(float(f), float(v)) for f, v in zip(forward, variance, strict=True)])
    error = np.abs(ours - truth)
    seen = truth > SEEN * forward
    # the strike is 1: an error counts against the larger of the two
    figures = float((error / np.maximum(forward, 1.0)).max()), float((error[seen] / truth[seen]).max())
    return [Goal(text, value, bound, at_least=False) for (text, bound), value in zip(texts, figures, strict=True)]


def _call(forward: float, variance: float) -> float:
    import mpmath

    with mpmath.workdps(50):
        f, deviation = mpmath.mpf(forward), mpmath.sqrt(mpmath.mpf(variance))
        d1 = mpmath.log(f) / deviation + deviation / 2
        return float(f * mpmath.ncdf(d1) - mpmath.ncdf(d1 - deviation))
