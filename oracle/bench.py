"""How the cost of a valuation grows with each of its sizes; each size in a fresh process, shown as ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from itertools import groupby
from multiprocessing import get_context

from rich.console import Console
from rich.table import Table

from oracle.valuation import SIMULATED_LABEL
from oracle.valuation.scale import Measurement, Size, measure

SMALLEST = Size(accounts=250, positions=5, instruments=60, scenarios=500)
"""Where every ladder starts, unless the command line says otherwise."""
MILLION = Size(accounts=1_000_000, threads=2)
FULL = "full"
GROWTH = (1, 4, 16)
MEBIBYTE = 1 << 20

Row = tuple[str, Measurement]
"""What was varied, and what it cost."""


def ladders(smallest: Size, most_workers: int) -> Iterator[tuple[str, Size]]:
    """Yield the sizes to measure: each quantity multiplied in turn, the others as in the smallest.

    Workers are doubled up to `most_workers`, on the largest number of accounts: each starts by pricing for itself.
    """
    for name in ("accounts", "positions", "instruments", "scenarios"):
        for factor in GROWTH:
            yield name, replace(smallest, **{name: getattr(smallest, name) * factor})
    shared = replace(smallest, accounts=smallest.accounts * GROWTH[-1])
    for count in (0, *(1 << power for power in range(most_workers.bit_length()))) if most_workers else ():
        yield "workers", replace(shared, workers=count)


def in_fresh_process(size: Size) -> Measurement:
    """Return what a size costs in a process that has done nothing else."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, size).result()


def run_ladders(
    smallest: Size,
    most_workers: int = 2,
    full: bool = False,
    measured: Callable[[Size], Measurement] = in_fresh_process,
) -> list[Row]:
    """Measure every size once; the million accounts at the end, when asked for."""
    known: dict[Size, Measurement] = {}
    sizes = [*ladders(smallest, most_workers), *([(FULL, MILLION)] if full else [])]
    for _, size in sizes:
        if size not in known:
            known[size] = measured(size)
    return [(name, known[size]) for name, size in sizes]


def as_json(rows: list[Row]) -> list[dict[str, object]]:
    """Return the rows as JSON objects; `times` holds the ratios to the first of the ladder."""
    return [
        {"varied": name, **asdict(row), "times": ratios(row, first), "history": SIMULATED_LABEL}
        for name, first, row in _with_first(rows)
    ]


def ratios(row: Measurement, first: Measurement) -> dict[str, float]:
    """Return CPU time, wall time and memory over those of another row."""
    return {
        "cpu": round(cpu_seconds(row) / cpu_seconds(first), 3),
        "wall": round(row.wall_seconds / first.wall_seconds, 3),
        "peak": round(row.peak_bytes / first.peak_bytes, 3),
    }


def cpu_seconds(row: Measurement) -> float:
    """Return the CPU time of all stages."""
    return row.pricing_cpu_seconds + row.charging_cpu_seconds + row.tree_cpu_seconds


def show(console: Console, rows: list[Row]) -> None:
    """Print the ladders as one table; times are the machine's, ratios are what to read."""
    table = Table(title=f"Cost of a valuation ({SIMULATED_LABEL}, random book)", caption=_caption(rows))
    table.add_column("varied")
    for title in ("size", "pricing", "charging", "tree", "CPU s", "wall s", "peak MiB"):
        table.add_column(title, justify="right")
    for title in ("x CPU", "x wall", "x peak"):
        table.add_column(title, justify="right", style="bold")
    for name, group in groupby(_with_first(rows), key=lambda item: item[0]):
        for _, first, row in group:
            seconds = (row.pricing_cpu_seconds, row.charging_cpu_seconds, row.tree_cpu_seconds, cpu_seconds(row))
            table.add_row(
                name,
                f"{getattr(row.size, 'accounts' if name == FULL else name):,}",
                *(f"{value:.2f}" for value in (*seconds, row.wall_seconds)),
                f"{row.peak_bytes / MEBIBYTE:,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios(row, first).values()),
            )
        table.add_section()
    console.print(table)


def _caption(rows: list[Row]) -> str:
    named = {name: measurement.size for name, measurement in reversed(rows)}
    lines = {"accounts": "smallest", "workers": "workers", FULL: FULL}
    return "\n".join(f"{label}: {_words(named[name])}" for name, label in lines.items() if name in named)


def _words(size: Size) -> str:
    return (
        f"{size.accounts:,} accounts of {size.positions} positions, {size.instruments} instruments, "
        f"{size.scenarios:,} historical paths, {size.threads} thread{'s' * (size.threads > 1)}"
    )


def _with_first(rows: list[Row]) -> Iterator[tuple[str, Measurement, Measurement]]:
    """Yield each row with the first one of its ladder."""
    for name, group in groupby(rows, key=lambda row: row[0]):
        members = [measurement for _, measurement in group]
        yield from ((name, members[0], member) for member in members)
