"""Tail of many accounts: the fused kernel next to SciPy's sparse product and np.partition; selection alone; memory.

600 instruments, 9,984 scenarios, 20 random positions an account, expected shortfall at 99.5 %, float64. The peer runs
on fewer accounts and is scaled, since it needs accounts x scenarios in memory.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from engine._jit import kernel
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.selection import boundary, collect, compact, tail_mean
from engine.kernels.tail import expected_shortfall
from scripts.benchmarks.harness import Goal, Outcome, interleaved, table_of

INSTRUMENTS, SCENARIOS, POSITIONS = 600, 78 * TILE, 20
ACCOUNTS, PEER_ACCOUNTS, MANY_ACCOUNTS = 2_048, 256, 100_000
TAIL = 0.005
REPEATS = 20
ROOT = Path(__file__).resolve().parents[2]
OURS = "fused kernel"

Vector = NDArray[np.float64]


def draw_book(accounts: int, seed: int = 5) -> tuple[NDArray[np.int64], NDArray[np.int32], Vector]:
    """Return compressed rows of random positions."""
    source = np.random.default_rng(seed)
    indptr = np.arange(accounts + 1, dtype=np.int64) * POSITIONS
    instrument = source.integers(0, INSTRUMENTS, accounts * POSITIONS).astype(np.int32)
    return indptr, instrument, source.normal(size=accounts * POSITIONS)


def draw_table(sort: bool = False) -> ProfitTable:
    """Return profits with a common factor, so that tails look like those of a market; optionally the severest first."""
    source = np.random.default_rng(6)
    common = source.standard_t(4, SCENARIOS)
    if sort:
        common = common[np.argsort(-np.abs(common))]
    profit = source.normal(size=(INSTRUMENTS, 1)) * common + source.normal(size=(INSTRUMENTS, SCENARIOS))
    return ProfitTable.from_dense(profit[:, None, :])


def with_scipy(matrix: scipy.sparse.csr_array, dense: Vector) -> Vector:
    """Expected shortfall by a sparse product and a partition."""
    profits = matrix @ dense
    mass = TAIL * dense.shape[1]
    whole = int(mass)
    lowest = np.partition(profits, whole, axis=1)[:, : whole + 1]
    return -(lowest[:, :whole].sum(axis=1) + (mass - whole) * lowest[:, whole]) / mass


@kernel
def select_rows(values: Vector, need: int, out: Vector) -> None:
    """Mean of the lowest `need` values of each row, by our selection alone."""
    weight = np.ones(TILE, np.int64)
    full = need + (need >> 1) + 64
    kept, kept_weight = np.empty(full + TILE), np.empty(full + TILE, np.int64)
    for row in range(values.shape[0]):
        n, threshold = 0, np.inf
        for first in range(0, values.shape[1], TILE):
            n = collect(values[row, first : first + TILE], weight, threshold, kept, kept_weight, n)
            if n >= full:
                threshold = boundary(kept, kept_weight, n, need, need + (need >> 3))
                n = compact(kept, kept_weight, n, need, threshold)
        out[row] = tail_mean(kept, kept_weight, n, need, float(need))[1]


def selection_goals(rows: int = 12) -> tuple[dict[str, float], list[Goal]]:
    """Time the selection of the lowest 1 % and 0.1 % of rows of random values that lie in the cache."""
    values, out = np.random.default_rng(7).normal(size=(rows, SCENARIOS)), np.empty(rows)
    nanoseconds, goals = {}, []
    for share in (0.01, 0.001):
        need = round(share * SCENARIOS)

        def ours(need: int = need) -> Vector:
            for _ in range(REPEATS):
                select_rows(values, need, out)
            return out

        def partition(need: int = need) -> Vector:
            for _ in range(REPEATS):
                lowest = np.partition(values, need - 1, axis=1)[:, :need]
            return np.asarray(lowest.mean(axis=1))

        np.testing.assert_allclose(ours(), partition(), rtol=1e-12)
        seconds = interleaved({"ours": ours, "np.partition": partition}, rounds=15)
        for name, value in seconds.items():
            nanoseconds[f"{name}, lowest {share:.1%}"] = value / values.size / REPEATS * 1e9
        text = f"G13 selection of the lowest {share:.1%}, times faster than np.partition"
        goals.append(Goal(text, seconds["np.partition"] / seconds["ours"], 5.0))
    return nanoseconds, goals


def memory_share() -> float:
    """Peak memory of a fresh process with many accounts, over that of an accounts x scenarios matrix."""
    program = (
        "import resource; from scripts.benchmarks.tail import *; "
        "expected_shortfall(draw_table(), *draw_book(MANY_ACCOUNTS), TAIL, threads=2); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    return int(done.stdout) / (MANY_ACCOUNTS * SCENARIOS * 8)


def thread_gain(table: ProfitTable, rounds: int = 5) -> float:
    """Wall time of one thread over that of two."""
    book = draw_book(4 * ACCOUNTS)
    gains = []
    for _ in range(rounds):
        seconds = []
        for threads in (1, 2):
            started = time.perf_counter()
            expected_shortfall(table, *book, TAIL, threads=threads)
            seconds.append(time.perf_counter() - started)
        gains.append(seconds[0] / seconds[1])
    return statistics.median(gains)


def run() -> Outcome:
    """Check that ours and the peer agree, then time them."""
    table, severest_first, book = draw_table(), draw_table(sort=True), draw_book(ACCOUNTS)
    dense = np.ascontiguousarray(table.dense()[:, 0, :])
    last = PEER_ACCOUNTS * POSITIONS
    matrix = scipy.sparse.csr_array(
        (book[2][:last], book[1][:last], book[0][: PEER_ACCOUNTS + 1]), shape=(PEER_ACCOUNTS, INSTRUMENTS)
    )
    weights = np.random.default_rng(8).uniform(0.5, 1.5, SCENARIOS)
    np.testing.assert_allclose(
        expected_shortfall(table, *book, TAIL).expected_shortfall[:PEER_ACCOUNTS], with_scipy(matrix, dense), rtol=1e-11
    )
    seconds = interleaved(
        {
            OURS: lambda: expected_shortfall(table, *book, TAIL),
            "fused kernel, severest scenarios first": lambda: expected_shortfall(severest_first, *book, TAIL),
            "fused kernel, weighted": lambda: expected_shortfall(table, *book, TAIL, weights),
            "SciPy CSR @ dense alone": lambda: matrix @ dense,
            "SciPy CSR @ dense + np.partition": lambda: with_scipy(matrix, dense),
        }
    )
    accounts = {name: ACCOUNTS if name.startswith(OURS) else PEER_ACCOUNTS for name in seconds}
    microseconds = {name: value / accounts[name] * 1e6 for name, value in seconds.items()}
    ratio = microseconds["SciPy CSR @ dense + np.partition"] / microseconds[OURS]
    nanoseconds, selection = selection_goals()
    goals = [
        Goal("G6 fused tail, times faster than SciPy CSR @ dense + np.partition", ratio, 7.0),
        Goal("G8 two threads, times faster than one (needs two idle cores)", thread_gain(table), 1.8),
        Goal("G9 peak memory over that of accounts x scenarios", memory_share(), 0.1, at_least=False),
        *selection,
    ]
    tables = [
        table_of("Aggregation and tail, one thread", "us an account", microseconds, OURS),
        table_of("Selection alone, one thread", "ns a value", nanoseconds, "ours, lowest 1.0%"),
    ]
    return Outcome(tables, goals)
