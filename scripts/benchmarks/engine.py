"""All goals of the engine in one run: pricing, tail, accuracy, start, memory, one pass and a whole book.

Times are CPU time unless they say wall. What is a test elsewhere (equal bytes) or a stored study (how many scenarios
are needed) is named in the table.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.table import Table

from engine.kernels.tail import expected_shortfall
from scripts.benchmarks import pricing, start, tail
from scripts.benchmarks.accuracy import accuracy_goals
from scripts.benchmarks.harness import Goal, Outcome
from scripts.benchmarks.requirement import time_small_job, time_whole_book

STUDY = Path(__file__).resolve().parents[2] / "docs" / "studies" / "scenario_count.json"


def one_pass(rounds: int = 3) -> tuple[Table, Goal]:
    """Time the tails of 100,000 accounts on two threads."""
    table, book, walls, cpus = tail.draw_table(), tail.draw_book(tail.MANY_ACCOUNTS), [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        expected_shortfall(table, *book, tail.TAIL, threads=2)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    shown = Table("", "s", title=f"{tail.MANY_ACCOUNTS:,} accounts x {tail.SCENARIOS:,} scenarios x 20 positions")
    shown.add_row("wall time, two threads", f"{min(walls):.2f}")
    shown.add_row("CPU time, half of it", f"{min(cpus) / 2:.2f}")
    return shown, Goal("one pass, s wall (on two idle cores)", min(walls), 1.0, at_least=False, stretch=0.5)


def scenario_goals() -> list[Goal]:
    """Return what the stored study of scenario counts found."""
    bounds = {1: (100.0, 200.0), 5: (10.0, 20.0)}
    found: dict[int, float] = {}
    if STUDY.exists():
        found = {study["underlyings"]: float(study["gain"]) for study in json.loads(STUDY.read_text())["studies"]}
    note = "by the stored study" if found else f"no study at {STUDY.relative_to(STUDY.parents[2])}"
    return [
        Goal(
            f"G12 times fewer scenarios than plain draws, {count} underlying(s)",
            found.get(count, float("nan")),
            bound,
            stretch=further,
            note=note,
        )  # fmt: skip
        for count, (bound, further) in bounds.items()
    ]


def run() -> Outcome:
    """Run everything; the goals in their order."""
    parts = [pricing.run(), tail.run(), start.run()]
    passed, one = one_pass()
    small, faster = time_small_job()
    tables = [table for part in parts for table in part.tables] + [passed, small, time_whole_book()]
    goals = [goal for part in parts for goal in part.goals] + accuracy_goals() + scenario_goals()
    numbered = sorted(goals, key=lambda goal: int(goal.goal.split()[0][1:]))
    return Outcome(tables, [*numbered, one, faster])
