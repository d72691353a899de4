"""The recursions of the simulated markets as loops a reviewer can check by eye."""

from __future__ import annotations

import math


def garch(shocks, rule, variance):
    """Simple returns, and the variance of the hour after the last."""
    out = []
    for z in shocks:
        r = max(math.sqrt(variance) * z, -0.95)
        variance = rule.omega + (rule.alpha + rule.gamma * (r < 0)) * r * r + rule.beta * variance
        out.append(r)
    return out, variance


def jumps(diffusion, uniforms, sizes, rule, probability):
    """Log returns with jumps, and the probability of one in the hour after the last."""
    out = []
    for r, u, size in zip(diffusion, uniforms, sizes, strict=True):
        jumped = u < probability
        probability = rule.probability + rule.decay * (probability - rule.probability)
        if jumped:
            probability = min(probability + rule.excitation, 0.5)
        out.append(r + size if jumped else r)
    return out, probability
