"""What every benchmark returns, and how contenders are timed: in turn, in one process, by CPU time."""

from __future__ import annotations

import gc
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


@dataclass(frozen=True)
class Goal:
    """A figure and the bound it is held to."""

    goal: str
    value: float
    bound: float
    at_least: bool = True
    """False where the figure must not exceed the bound."""
    stretch: float | None = None
    """A bound beyond the bound."""
    note: str = ""
    """Why there is no figure, which is then NaN, or what to know about it."""

    @property
    def met(self) -> bool:
        """Whether the figure keeps the bound; a NaN never does."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def as_json(self) -> dict[str, str | float | bool | None]:
        """Return the goal as `--json` prints it."""
        value = None if math.isnan(self.value) else float(f"{self.value:.4g}")
        return {"goal": self.goal, "value": value, "bound": self.bound, "met": self.met, "note": self.note}


@dataclass(frozen=True)
class Outcome:
    """What a benchmark's `run()` returns: tables to read, and the goals they decide."""

    tables: list[Table]
    goals: list[Goal]


def peak_memory_bytes() -> int:
    """Return this process's peak of resident memory, since it was started.

    On Linux from its own table: what `getrusage` says of a fresh process also counts the parent that it was split from,
    which here is a benchmark full of peers.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def interleaved(contenders: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Return the median CPU seconds of each contender, called in turn `rounds` times after one call to warm up."""
    for call in contenders.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            gc.collect()
            started = time.process_time()
            call()
            seconds[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def table_of(
    title: str, unit: str, rows: Mapping[str, float], ours: str, absent: Mapping[str, str] | None = None
) -> Table:
    """Return a table of times, each with how many times slower than ours it is, and why some peers are not in it."""
    table = Table("", unit, f"x {ours}", title=title)
    for name, value in rows.items():
        table.add_row(name, f"{value:.3g}", f"{value / rows[ours]:.2f}")
    for name, reason in (absent or {}).items():
        table.add_row(name, reason, "")
    return table


def ratio_goal(
    text: str,
    rows: Mapping[str, float],
    peer: str,
    ours: str,
    bound: float,
    stretch: float | None,
    absent: Mapping[str, str],
) -> Goal:
    """Return the goal of being so many times faster than a peer, which may be absent."""
    value = rows[peer] / rows[ours] if peer in rows else math.nan
    return Goal(text, value, bound, stretch=stretch, note=absent.get(peer, ""))
