"""Options priced a second: our kernels next to a C++ twin, NumPy + SciPy, plain Numba, QuantLib, JAX and py_vollib.

Two jobs in 10,000 scenarios. The whole one, which decides G3: 100 strikes of a slice from returns and volatility
shocks through forward, smile and Black-76 to profits. The formula alone: 20 strikes, every contender gets strike,
forward and variance, and ours pays for its logarithms in the time; slow peers are timed on a part and scaled.
"""

from __future__ import annotations

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
from scripts.benchmarks import peers as peer
from scripts.benchmarks.harness import Goal, Outcome, interleaved, ratio_goal, table_of
from scripts.benchmarks.twin import Twin, twins

SCENARIOS = 10_000
STRIKES = np.linspace(0.7, 1.3, 20)
JOB_STRIKES = np.linspace(0.6, 1.5, 100)
PEER_SCENARIOS = 200
NODES = np.arange(-3.0, 4.0)
OURS, SCIPY, NUMBA = "own kernels", "NumPy + SciPy ndtr", "plain Numba (libm)"
JAX, QUANTLIB, ENGINE = "JAX, jitted", "QuantLib blackFormula", "QuantLib quotes + NPV()"
VOLLIB, CPP = "py_vollib_vectorized", "C++ twin"

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


def time_formula() -> tuple[Table, list[Goal]]:
    """Time the formula alone, after checking that the contenders agree."""
    source = np.random.default_rng(76)
    forward, variance = np.exp(source.normal(0.0, 0.2, SCENARIOS)), source.uniform(0.01, 0.5, SCENARIOS)
    out = np.empty((len(STRIKES), SCENARIOS))
    np.testing.assert_allclose(
        with_kernel(forward, variance, out.copy()), with_scipy(forward, variance, out.copy()), atol=2e-14
    )
    contenders: dict[str, Callable[[], object]] = {
        OURS: lambda: with_kernel(forward, variance, out),
        SCIPY: lambda: with_scipy(forward, variance, out),
        NUMBA: lambda: with_plain_numba(forward, variance, STRIKES, out),
    }
    cpp, options = add_twins(contenders, forward, variance), dict.fromkeys([OURS, SCIPY, NUMBA], out.size)
    absent = add_peers(contenders, options, forward, variance)
    seconds = interleaved(contenders, rounds=15)
    ns = {name: value / options.get(name, out.size) * 1e9 for name, value in seconds.items()}
    best = min(cpp, key=ns.__getitem__, default=CPP)
    absent |= {} if cpp else {CPP: "no C++ compiler found"}
    return table_of("Black-76 alone, one thread", "ns an option", ns, OURS, absent), [
        ratio_goal(f"G1 formula, share of the speed of {best}", ns, best, OURS, 0.75, 0.95, absent),
        ratio_goal("G2 formula, times faster than QuantLib's blackFormula", ns, QUANTLIB, OURS, 40, 80, absent),
        ratio_goal("G2 formula, times faster than QuantLib's engine", ns, ENGINE, OURS, 500, 1000, absent),
        ratio_goal("G2 formula, times faster than py_vollib_vectorized", ns, VOLLIB, OURS, 50, 80, absent),
        ratio_goal("G3 formula, times faster than JAX on the processor", ns, JAX, OURS, 12, 20, absent),
    ]


def add_twins(contenders: dict[str, Callable[[], object]], forward: Vector, variance: Vector) -> list[str]:
    """Add the C++ twin of each compiler, after checking that it agrees to 1e-14; return their names."""
    out, names = np.empty((len(STRIKES), SCENARIOS)), []

    def call(one: Twin) -> Vector:
        return one.price(STRIKES, log_array(STRIKES), (forward, log_array(forward), variance), out)

    for one in twins():
        np.testing.assert_allclose(call(one), with_scipy(forward, variance, out.copy()), atol=2e-14)
        names.append(f"{CPP}, {one.compiler}")
        contenders[names[-1]] = lambda one=one: call(one)  # type: ignore[misc]
    return names


def add_peers(
    contenders: dict[str, Callable[[], object]], options: dict[str, int], forward: Vector, variance: Vector
) -> dict[str, str]:
    """Add the peers that are installed and run, the slow ones on a part; return why the others are not there."""
    head = slice(PEER_SCENARIOS)
    f, v, part = forward[head], variance[head], np.empty((len(STRIKES), PEER_SCENARIOS))
    want = with_scipy(f, v, part.copy())
    absent = {}
    peers: dict[str, tuple[str, str, Callable[[], Callable[[], object]], int]] = {
        JAX: ("jax", peer.INSTALL, lambda: peer.jax_formula(STRIKES, forward, variance), len(STRIKES) * SCENARIOS),
        QUANTLIB: (
            "QuantLib", peer.INSTALL, lambda: lambda: peer.with_quantlib_formula(STRIKES, f, v, part), part.size
        ),
        ENGINE: ("QuantLib", peer.INSTALL, lambda: engine_call(f, v, part), part.size),
        VOLLIB: (
            "py_vollib_vectorized", peer.PINNED_ELSEWHERE.format("py_vollib_vectorized"),
            lambda: peer.vollib_formula(STRIKES, f, v), part.size,
        ),
    }  # fmt: skip
    for name, (module, hint, make, count) in peers.items():
        absent[name] = peer.absent(module, hint)
        if absent[name]:
            continue
        try:
            contenders[name] = make()
            got = np.asarray(contenders[name]()).reshape(len(STRIKES), -1)[:, head]
            np.testing.assert_allclose(got, want, atol=1e-9)
        except Exception as error:  # noqa: BLE001
            # a peer that does not run here, whatever it raises, is a line of the table
            absent[name] = f"does not run here: {type(error).__name__}"
            contenders.pop(name, None)
        options[name] = count
    return {name: reason for name, reason in absent.items() if reason}


def engine_call(forward: Vector, variance: Vector, out: Vector) -> Callable[[], object]:
    """Return a call of QuantLib's engine."""
    price = peer.quantlib_engine(STRIKES)
    return lambda: price(forward, variance, out)


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
        ratio_goal("G3 pricing, times faster than NumPy + SciPy", nanoseconds, SCIPY, OURS, 6, 9, {}),
        ratio_goal("G3 pricing, times faster than plain Numba", nanoseconds, NUMBA, OURS, 10, 15, {}),
    ]


def run() -> Outcome:
    """Time both jobs."""
    whole, whole_goals = time_job()
    alone, alone_goals = time_formula()
    return Outcome([whole, alone], [*whole_goals, *alone_goals])
