"""The variance of the next hour: a mean of three memories, floored (DESIGN 3.3).

    v = max( 0.2 V + 0.4 slow + 0.4 fast, 0.49 V ),   memory <- decay memory + (1 - decay) r^2

Nothing is fitted. Inside a path v is capped at the largest value used so far (`paths`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import read_only
from engine.configuration import CalibrationSettings
from engine.dynamics.recursions import Memory, Rule, run
from engine.kernels.special import exp_array, log_array

HOURS_A_DAY = 24.0


def rule_of(settings: CalibrationSettings) -> Rule:
    """Return the mixture's constants, hourly decays by own exp and log."""
    slow_log = log_array(settings.slow_decay_daily) / HOURS_A_DAY
    fast_log = log_array(0.5) / settings.fast_half_life_hours
    return Rule(
        settings.long_run_weight,
        settings.slow_weight,
        settings.fast_weight,
        float(exp_array(slow_log)),
        float(exp_array(fast_log)),
        settings.variance_floor,
    )


def run_filter(log_return: NDArray[np.float64], rule: Rule, memory: Memory) -> tuple[NDArray[np.float64], Memory]:
    """Run the filter over returns.

    Parameters
    ----------
    log_return : float64 array, shape (n,)
        Hourly log returns, gap-scaled.
    rule : Rule
    memory : Memory
        Before the first return.

    Returns
    -------
    variance : float64 array, shape (n,)
        The variance used for each return, from what was known before it.
    memory : Memory
        After the last return; `largest` includes the variance that is used next.
    """
    variance = np.empty(log_return.size)
    slow, fast, largest = run(read_only(log_return, np.float64), rule, memory, variance)
    return variance, Memory(memory.long_run, slow, fast, largest)


def start_memory(long_run: float) -> Memory:
    """Return the memory of a filter that knows the long-run variance only."""
    return Memory(long_run, long_run, long_run, 0.0)


def variance_now(rule: Rule, memory: Memory) -> float:
    """Return the mixture for the next hour."""
    # as `mixture_scalar`, in Python, since calling an inlined kernel from here would compile it at every start
    mean = rule.long_run_weight * memory.long_run + rule.slow_weight * memory.slow + rule.fast_weight * memory.fast
    return max(mean, rule.floor * memory.long_run)


def expected_variances(
    rule: Rule,
    long_run: float,
    slow: NDArray[np.float64],
    fast: NDArray[np.float64],
    largest: float,
    season: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the variance that the filter expects over the next hours from each state of its memories.

    Parameters
    ----------
    rule : Rule
    long_run, largest : float
    slow, fast : float64 arrays, shape (n,)
        Memories at n starts.
    season : float64 array, shape (hours,) or (hours, n)
        Hour-of-week factor on the variance of each hour ahead; 1 where there is none.

    Returns
    -------
    float64 array, shape (n,)
        Sum over the hours; of each hour capped at `largest` before the factor, as inside the paths.

    Notes
    -----
    Each hour's square is replaced by its expectation, the mixture times the factor. Only + * and comparisons, so that
    the same bits come out everywhere.
    """
    total = np.zeros(slow.size)
    for factor in season:
        mean = rule.long_run_weight * long_run + rule.slow_weight * slow + rule.fast_weight * fast
        expected = np.minimum(np.maximum(mean, rule.floor * long_run), largest) * factor
        total = total + expected
        slow = rule.slow_decay * slow + (1.0 - rule.slow_decay) * expected
        fast = rule.fast_decay * fast + (1.0 - rule.fast_decay) * expected
    return total


def expected_variance(rule: Rule, memory: Memory, season: NDArray[np.float64]) -> float:
    """Return the variance expected over the hours of `season` from one state; see `expected_variances`."""
    slow, fast = np.array([memory.slow]), np.array([memory.fast])
    return float(expected_variances(rule, memory.long_run, slow, fast, memory.largest, season)[0])
