"""Black-76 options a second: our kernel next to NumPy + SciPy, plain Numba, and QuantLib and JAX where installed.

20 strikes in 10,000 scenarios of forward and total variance. Every contender gets strike, forward and variance; ours
pays for its logarithms in the time. QuantLib's loop is timed on a part and scaled.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from engine.kernels.black76 import price
from engine.kernels.special import log_array
from scripts.benchmarks.harness import Goal, Outcome, interleaved, table_of

SCENARIOS = 10_000
STRIKES = np.linspace(0.7, 1.3, 20)
QUANTLIB_SCENARIOS = 200
OURS = "own kernel"

Vector = NDArray[np.float64]


def with_kernel(forward: Vector, variance: Vector, out: Vector) -> Vector:
    """Price by our kernel."""
    log_forward, log_strikes = log_array(forward), log_array(STRIKES)
    for row, strike in enumerate(STRIKES):
        price(True, strike, log_strikes[row], forward, log_forward, variance, 1.0, out[row])
    return out


def with_scipy(forward: Vector, variance: Vector, out: Vector) -> Vector:
    """Price by NumPy and SciPy's normal distribution."""
    deviation = np.sqrt(variance)
    for row, strike in enumerate(STRIKES):
        d1 = np.log(forward / strike) / deviation + 0.5 * deviation
        out[row] = forward * ndtr(d1) - strike * ndtr(d1 - deviation)
    return out


@numba.njit
def with_plain_numba(forward: Vector, variance: Vector, strikes: Vector, out: Vector) -> Vector:
    """Price by a compiled loop over libm's functions."""
    for row in range(len(strikes)):
        for j in range(len(forward)):
            deviation = math.sqrt(variance[j])
            d1 = math.log(forward[j] / strikes[row]) / deviation + 0.5 * deviation
            d2 = d1 - deviation
            first = 0.5 * math.erfc(-d1 / math.sqrt(2.0))
            second = 0.5 * math.erfc(-d2 / math.sqrt(2.0))
            out[row, j] = forward[j] * first - strikes[row] * second
    return out


def with_quantlib(forward: Vector, variance: Vector, out: Vector) -> Vector:
    """Price by QuantLib's `blackFormula`, one call an option."""
    import QuantLib

    for row, strike in enumerate(STRIKES):
        for j in range(len(forward)):
            out[row, j] = QuantLib.blackFormula(QuantLib.Option.Call, strike, forward[j], math.sqrt(variance[j]))
    return out


def jax_contender(forward: Vector, variance: Vector) -> Callable[[], object]:
    """Return a call that prices by a jitted JAX function on the processor, in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platform_name", "cpu")

    def prices(f: object, v: object, k: object) -> object:
        deviation = jax.numpy.sqrt(v)
        d1 = jax.numpy.log(f / k[:, None]) / deviation + 0.5 * deviation  # type: ignore[operator, index]
        return f * jax.scipy.special.ndtr(d1) - k[:, None] * jax.scipy.special.ndtr(d1 - deviation)  # type: ignore

    compiled = jax.jit(prices)
    return lambda: compiled(forward, variance, STRIKES).block_until_ready()


def run() -> Outcome:
    """Time all contenders on the same inputs, after checking that they agree."""
    source = np.random.default_rng(76)
    forward, variance = np.exp(source.normal(0.0, 0.2, SCENARIOS)), source.uniform(0.01, 0.5, SCENARIOS)
    out, part = np.empty((len(STRIKES), SCENARIOS)), np.empty((len(STRIKES), QUANTLIB_SCENARIOS))
    np.testing.assert_allclose(
        with_kernel(forward, variance, out.copy()), with_scipy(forward, variance, out.copy()), atol=2e-14
    )
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: with_kernel(forward, variance, out),
        "NumPy + SciPy ndtr": lambda: with_scipy(forward, variance, out),
        "plain Numba (libm)": lambda: with_plain_numba(forward, variance, STRIKES, out),
    }
    if importlib.util.find_spec("jax"):
        contenders["JAX, jitted"] = jax_contender(forward, variance)
    if importlib.util.find_spec("QuantLib"):
        head = slice(QUANTLIB_SCENARIOS)
        contenders["QuantLib blackFormula"] = lambda: with_quantlib(forward[head], variance[head], part)
    seconds = interleaved(contenders, rounds=15)
    options = dict.fromkeys(contenders, out.size) | {"QuantLib blackFormula": part.size}
    nanoseconds = {name: value / options[name] * 1e9 for name, value in seconds.items()}
    bounds = {
        "NumPy + SciPy ndtr": ("G3 pricing, times faster than NumPy + SciPy", 6.0),
        "plain Numba (libm)": ("G3 pricing, times faster than plain Numba", 10.0),
        "JAX, jitted": ("G3 pricing, times faster than JAX on the processor", 12.0),
        "QuantLib blackFormula": ("G2 pricing, times faster than a loop over QuantLib's blackFormula", 40.0),
    }
    goals = [
        Goal(text, nanoseconds[name] / nanoseconds[OURS], bound)
        for name, (text, bound) in bounds.items()
        if name in nanoseconds
    ]
    return Outcome([table_of("Black-76, one thread", "ns an option", nanoseconds, OURS)], goals)
