"""Options priced a second: our kernels next to NumPy + SciPy, plain Numba, and QuantLib and JAX where installed.

Two jobs in 10,000 scenarios. The whole one, which decides G3: 100 strikes of a slice from returns and volatility
shocks through forward, smile and Black-76 to profits. The formula alone: 20 strikes, every contender gets strike,
forward and variance, and ours pays for its logarithms in the time; QuantLib's loop (G2) is timed on a part and scaled.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numba
import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from scipy.special import ndtr

from engine.kernels.black76 import price
from engine.kernels.revalue import SECONDS_PER_YEAR, FactorPaths, SurfaceResponse, revalue
from engine.kernels.revalue_tile import CALL
from engine.kernels.special import log_array
from scripts.benchmarks.harness import Goal, Outcome, interleaved, table_of

SCENARIOS = 10_000
STRIKES = np.linspace(0.7, 1.3, 20)
JOB_STRIKES = np.linspace(0.6, 1.5, 100)
QUANTLIB_SCENARIOS = 200
NODES = np.arange(-3.0, 4.0)
OURS, SCIPY, NUMBA = "own kernels", "NumPy + SciPy ndtr", "plain Numba (libm)"
JAX, QUANTLIB = "JAX, jitted", "QuantLib blackFormula"

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


def time_formula() -> tuple[Table, list[Goal]]:
    """Time the formula alone, after checking that the contenders agree."""
    source = np.random.default_rng(76)
    forward, variance = np.exp(source.normal(0.0, 0.2, SCENARIOS)), source.uniform(0.01, 0.5, SCENARIOS)
    out, part = np.empty((len(STRIKES), SCENARIOS)), np.empty((len(STRIKES), QUANTLIB_SCENARIOS))
    np.testing.assert_allclose(
        with_kernel(forward, variance, out.copy()), with_scipy(forward, variance, out.copy()), atol=2e-14
    )
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: with_kernel(forward, variance, out),
        SCIPY: lambda: with_scipy(forward, variance, out),
        NUMBA: lambda: with_plain_numba(forward, variance, STRIKES, out),
    }
    if importlib.util.find_spec("jax"):
        contenders[JAX] = jax_contender(forward, variance)
    if importlib.util.find_spec("QuantLib"):
        head = slice(QUANTLIB_SCENARIOS)
        contenders[QUANTLIB] = lambda: with_quantlib(forward[head], variance[head], part)
    options = dict.fromkeys(contenders, out.size) | {QUANTLIB: part.size}
    seconds = interleaved(contenders, rounds=15)
    nanoseconds = {name: value / options[name] * 1e9 for name, value in seconds.items()}
    bounds = {
        JAX: ("G3 formula, times faster than JAX on the processor", 12.0),
        QUANTLIB: ("G2 formula, times faster than a loop over QuantLib's blackFormula", 40.0),
    }
    return table_of("Black-76 alone, one thread", "ns an option", nanoseconds, OURS), [
        Goal(text, nanoseconds[name] / nanoseconds[OURS], bound)
        for name, (text, bound) in bounds.items()
        if name in nanoseconds
    ]


@dataclass(frozen=True)
class Job:
    """One slice: spot 1, forward 1, a skewed smile; returns and level shocks of the scenarios."""

    years: float
    nodes: Vector
    skew: float
    stickiness: tuple[float, float]
    spot_return: Vector
    shock: Vector


def job_with_kernel(job: Job) -> Vector:
    """Profits by our kernels."""
    count = len(JOB_STRIKES)
    instruments = SimpleNamespace(
        kind=np.full(count, CALL), underlying=np.zeros(count), slice=np.zeros(count), strike=JOB_STRIKES,
        multiplier=np.ones(count), inverse=np.zeros(count, bool),
    )  # fmt: skip
    market = SimpleNamespace(
        spot=np.ones(1), slice_underlying=np.zeros(1, int),
        slice_seconds=np.array([round(job.years * SECONDS_PER_YEAR)]), forward=np.ones(1),
        vol_nodes=job.nodes[None, :], discount=np.ones(1),
    )  # fmt: skip
    response = SurfaceResponse(np.array([job.skew]), np.ones(1), np.ones(1), *job.stickiness)
    first = np.zeros(1, dtype=np.int64)
    paths = FactorPaths(first, job.spot_return[None, None, :], first, job.shock[None, None, :])
    return revalue(instruments, market, response, paths).tiles


def job_with_scipy(job: Job) -> Vector:
    """Profits by NumPy and SciPy."""
    root, atm = math.sqrt(job.years), job.nodes[3]
    stickiness = np.where(job.spot_return > 0.0, *job.stickiness)
    forward = np.exp(job.spot_return)
    moved = atm * np.exp(stickiness * job.skew / atm * job.spot_return + job.shock)
    out = np.empty((len(JOB_STRIKES), len(forward)))
    for row, strike in enumerate(JOB_STRIKES):
        x = np.log(strike / forward) / (atm * root)
        deviation = moved * np.interp(x, NODES, job.nodes / atm) * root
        d1 = np.log(forward / strike) / deviation + 0.5 * deviation
        out[row] = forward * ndtr(d1) - strike * ndtr(d1 - deviation)
    return out


@numba.njit
def job_with_plain_numba(
    years: float, nodes: Vector, skew: float, up: float, down: float, spot_return: Vector, shock: Vector,
    strikes: Vector, out: Vector,
) -> Vector:  # fmt: skip
    """Profits by a compiled loop over libm's functions."""
    root, atm = math.sqrt(years), nodes[3]
    for j in range(len(spot_return)):
        r = spot_return[j]
        forward = math.exp(r)
        moved = atm * math.exp((up if r > 0.0 else down) * skew / atm * r + shock[j])
        for row in range(len(strikes)):
            place = min(max(math.log(strikes[row] / forward) / (atm * root), -3.0), 3.0) + 3.0
            left = min(int(place), 5)
            deviation = moved * (nodes[left] + (place - left) * (nodes[left + 1] - nodes[left])) / atm * root
            d1 = math.log(forward / strikes[row]) / deviation + 0.5 * deviation
            first = 0.5 * math.erfc(-d1 / math.sqrt(2.0))
            second = 0.5 * math.erfc(-(d1 - deviation) / math.sqrt(2.0))
            out[row, j] = forward * first - strikes[row] * second
    return out


def time_job() -> tuple[Table, list[Goal]]:
    """Time the whole job, after checking that the contenders agree."""
    source = np.random.default_rng(3)
    job = Job(
        years=30 / 365, nodes=np.array([0.95, 0.8, 0.68, 0.6, 0.62, 0.7, 0.85]), skew=-0.2, stickiness=(1.2, 1.5),
        spot_return=source.normal(0.0, 0.06, SCENARIOS), shock=source.normal(0.0, 0.1, SCENARIOS),
    )  # fmt: skip
    out = np.empty((len(JOB_STRIKES), SCENARIOS))
    prices = job_with_scipy(job)
    still = job_with_scipy(replace(job, spot_return=np.zeros(1), shock=np.zeros(1)))
    profits = np.moveaxis(job_with_kernel(job)[:, 0], 1, 0).reshape(len(JOB_STRIKES), -1)[:, :SCENARIOS]
    np.testing.assert_allclose(profits, prices - still, atol=1e-12)
    seconds = interleaved(
        {
            OURS: lambda: job_with_kernel(job),
            SCIPY: lambda: job_with_scipy(job),
            NUMBA: lambda: job_with_plain_numba(
                job.years, job.nodes, job.skew, *job.stickiness, job.spot_return, job.shock, JOB_STRIKES, out
            ),
        },
        rounds=15,
    )
    nanoseconds = {name: value / out.size * 1e9 for name, value in seconds.items()}
    return table_of("From returns to profits, one thread", "ns an option", nanoseconds, OURS), [
        Goal("G3 pricing, times faster than NumPy + SciPy", nanoseconds[SCIPY] / nanoseconds[OURS], 6.0),
        Goal("G3 pricing, times faster than plain Numba", nanoseconds[NUMBA] / nanoseconds[OURS], 10.0),
    ]


def run() -> Outcome:
    """Time both jobs."""
    whole, whole_goals = time_job()
    alone, alone_goals = time_formula()
    return Outcome([whole, alone], [*whole_goals, *alone_goals])
