"""Peak memory of the tail of a million accounts that are drawn and valued block by block, in a process of its own.

600 instruments, 9,984 scenarios, 20 positions an account, accurate as float64. A block's positions come from a
counter-based generator keyed by the block's number, so that no account is ever stored.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from rich.table import Table

from scripts.benchmarks.harness import Goal, Outcome

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS, BLOCK = 1_000_000, 25_000
GIB = 2**30
PROGRAM = """
import json, time
import numpy as np
from engine.kernels.tail import expected_shortfall
from scripts.benchmarks.harness import peak_memory_bytes
from scripts.benchmarks.tail import INSTRUMENTS, POSITIONS, SCENARIOS, TAIL, draw_table

table, largest, total = draw_table(), 0.0, 0.0
indptr = np.arange({block} + 1) * POSITIONS
started, cpu = time.perf_counter(), time.process_time()
for number in range({accounts} // {block}):
    source = np.random.Generator(np.random.Philox(key=number))
    instrument = source.integers(0, INSTRUMENTS, {block} * POSITIONS, dtype=np.int32)
    quantity = source.normal(size=instrument.size)
    tail = expected_shortfall(table, indptr, instrument, quantity, TAIL, threads=2)
    assert tail.finite.all()
    largest, total = max(largest, float(tail.expected_shortfall.max())), total + float(tail.expected_shortfall.sum())
print(json.dumps({{
    "bytes": peak_memory_bytes(), "wall": time.perf_counter() - started,
    "cpu": time.process_time() - cpu, "scenarios": SCENARIOS, "mean": total / {accounts}, "largest": largest,
}}))
"""


def run() -> Outcome:
    """Value the accounts and read the process's peak."""
    program = PROGRAM.format(accounts=ACCOUNTS, block=BLOCK)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    seen = json.loads(done.stdout)
    matrix = ACCOUNTS * seen["scenarios"] * 8
    table = Table("", "", title=f"{ACCOUNTS:,} accounts in blocks of {BLOCK:,}")
    table.add_row("peak memory", f"{seen['bytes'] / GIB:.3f} GiB")
    table.add_row("accounts x scenarios in float64 would be", f"{matrix / GIB:.1f} GiB")
    table.add_row("wall time, two threads", f"{seen['wall']:.1f} s")
    table.add_row("CPU time", f"{seen['cpu']:.1f} s")
    table.add_row("expected shortfall, mean and largest", f"{seen['mean']:.4f}, {seen['largest']:.4f}")
    return Outcome([table], [Goal("GiB at the peak, a million accounts", seen["bytes"] / GIB, 1.0, at_least=False)])
