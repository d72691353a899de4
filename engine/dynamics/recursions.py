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

    `ahead` (hours) and `own` (n) are roots of the hour-of-week factors, 1 where there is no season. All paths walk one
    hour before any walks the next, and few arrays meet in one loop: so it vectorises over paths.
    """
    hours, count = log_return.shape
    unit, move = residual_micro / MICRO / own, move_micro / MICRO
    slow, fast = np.full(count, memory.slow), np.full(count, memory.fast)
    position, level = np.zeros(count), np.zeros(count)
    for h in range(hours):
        row, shocked = log_return[h], shock[h]
        for s in range(count):
            row[s] = unit[starts[s] + h] * ahead[h]
        for s in range(count):
            shocked[s] = level[s] + move[starts[s] + h]
        level = shocked
        for s in range(count):
            variance = mixture_scalar(rule, memory.long_run, slow[s], fast[s])
            variance = memory.largest if variance > memory.largest else variance
            step = np.sqrt(variance) * row[s]
            square = step * step
            slow[s] = rule.slow_decay * slow[s] + (1.0 - rule.slow_decay) * square
            fast[s] = rule.fast_decay * fast[s] + (1.0 - rule.fast_decay) * square
            position[s] += step
            row[s] = position[s]
