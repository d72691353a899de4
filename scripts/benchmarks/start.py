"""Seconds from the start of a process to the first result, with compiled kernels in the cache and without.

The result is a small book revalued in 1,000 scenarios and its expected shortfall: what a keeper's first cycle needs
of the kernels. CPU time of the process, which is its wall time on a machine that has nothing else to do.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.benchmarks.harness import Goal, Outcome, table_of

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
PROGRAM = """
from types import SimpleNamespace
import numpy as np
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.tail import expected_shortfall
instruments = SimpleNamespace(kind=np.array([1, 3]), underlying=np.zeros(2), slice=np.array([-1, 0]),
                              strike=np.array([0.0, 100.0]), multiplier=np.ones(2), inverse=np.zeros(2, bool))
market = SimpleNamespace(spot=np.array([100.0]), slice_underlying=np.zeros(1, int), slice_seconds=np.array([864000]),
                         forward=np.array([100.0]), vol_nodes=np.full((1, 7), 0.6), discount=np.ones(1))
moves = np.linspace(-0.3, 0.3, 1000).reshape(1, 1, 1000)
paths = FactorPaths(np.array([24]), moves, np.array([0]), moves)
table = revalue(instruments, market, SurfaceResponse(np.zeros(1), np.ones(1), np.ones(1), 1.2, 1.5), paths)
tail = expected_shortfall(table, np.array([0, 2]), np.array([0, 1]), np.array([1.0, -2.0]), 0.01)
assert tail.finite.all() and tail.expected_shortfall[0] > 0
"""


def seconds_to_result(program: str, cache: str) -> float:
    """Run the program in a fresh process that keeps kernels and byte code in the given folder; return its CPU time."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPYCACHEPREFIX": cache, "PYTHONPATH": str(ROOT)}
    # set in some containers, where every start then compiles all of NumPy, SciPy and Numba to byte code again
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def run() -> Outcome:
    """Start once with an empty cache, then a few times with what it left."""
    with tempfile.TemporaryDirectory() as cache:
        cold = seconds_to_result(PROGRAM, cache)
        warm = statistics.median(seconds_to_result(PROGRAM, cache) for _ in range(ROUNDS))
        imports = statistics.median(seconds_to_result("import engine.kernels.tail", cache) for _ in range(ROUNDS))
    rows = {"warm cache": warm, "warm cache, imports alone": imports, "empty cache": cold}
    return Outcome(
        [table_of("Process start to first result", "s", rows, "warm cache")],
        [Goal("G10 seconds to the first result with a warm cache", warm, 1.5, at_least=False)],
    )
