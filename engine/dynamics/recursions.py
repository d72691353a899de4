"""The compiled recursions of the variance filter: over a history, and inside the paths.

In one file, since Numba keys its cache of compiled code by file: a rule changed here leaves nothing stale behind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine._jit import inlined, kernel

MICRO = 1_000_000
"""Residuals are stored in millionths of a standard deviation, volatility moves in millionths of a log."""

Vector = NDArray[np.float64]
Whole = NDArray[np.int64]


class Rule(NamedTuple):
    """The mixture's constants; decays are those of one hour."""

    long_run_weight: float
    slow_weight: float
    fast_weight: float
    slow_decay: float
    fast_decay: float
    floor: float


class Memory(NamedTuple):
    """Variances of hourly log returns known now; `largest` is the largest mixture used so far."""

    long_run: float
    slow: float
    fast: float
    largest: float


@inlined
def mixture_scalar(rule: Rule, long_run: float, slow: float, fast: float) -> float:
    """Return the floored mixture of the three memories."""
    mean = rule.long_run_weight * long_run + rule.slow_weight * slow + rule.fast_weight * fast
    floor = rule.floor * long_run
    return mean if mean > floor else floor


@kernel
def run(log_return: Vector, rule: Rule, memory: Memory, variance: Vector) -> tuple[float, float, float]:
    """Fill the variance used for each return; return the memories after the last: slow, fast, largest."""
    slow, fast, largest = memory.slow, memory.fast, memory.largest
    for j in range(log_return.size):
        used = mixture_scalar(rule, memory.long_run, slow, fast)
        largest = used if used > largest else largest
        variance[j] = used
        square = log_return[j] * log_return[j]
        slow = rule.slow_decay * slow + (1.0 - rule.slow_decay) * square
        fast = rule.fast_decay * fast + (1.0 - rule.fast_decay) * square
    used = mixture_scalar(rule, memory.long_run, slow, fast)
    return slow, fast, used if used > largest else largest


@kernel
def walk(
    residual_micro: Whole, move_micro: Whole, starts: Whole, ahead: Vector, own: Vector,
    rule: Rule, memory: Memory, log_return: Vector, shock: Vector,
) -> None:  # fmt: skip
    """Fill log returns and volatility shocks, shape (hours, S), of the blocks that begin at `starts`.

    `ahead` (hours) and `own` (n) are roots of the hour-of-week factors, 1 where there is no season.
    """
    hours = log_return.shape[0]
    for s in range(starts.size):
        slow, fast = memory.slow, memory.fast
        variance = mixture_scalar(rule, memory.long_run, slow, fast)
        variance = memory.largest if variance > memory.largest else variance
        position, level = 0.0, 0.0
        for h in range(hours):
            hour = starts[s] + h
            step = np.sqrt(variance) * (residual_micro[hour] / MICRO) * (ahead[h] / own[hour])
            position += step
            square = step * step
            slow = rule.slow_decay * slow + (1.0 - rule.slow_decay) * square
            fast = rule.fast_decay * fast + (1.0 - rule.fast_decay) * square
            following = mixture_scalar(rule, memory.long_run, slow, fast)
            following = memory.largest if following > memory.largest else following
            level += move_micro[hour] / MICRO
            variance = following
            log_return[h, s] = position
            shock[h, s] = level
