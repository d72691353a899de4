"""Runs one benchmark of this folder by name; `scripts/bench --help` lists them.

A benchmark is a file here with a docstring and ``run() -> harness.Outcome``.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import math
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.benchmarks.harness import Goal, Outcome

FOLDER = Path(__file__).parent
NOT_BENCHMARKS = {"__main__", "accuracy", "harness", "peers", "requirement", "roofline", "twin"}


def available() -> dict[str, str]:
    """Return each benchmark's name with the first line of its docstring, read without importing it."""
    paths = sorted(path for path in FOLDER.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    return {path.stem: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for path in paths}


def goals_table(goals: list[Goal]) -> Table:
    """Return the goals as a table."""
    table = Table("", "goal", "stretch", "measured", "met", title="Goals")
    for goal in goals:
        sign, stretch = ">=" if goal.at_least else "<=", "" if goal.stretch is None else f"{goal.stretch:g}"
        measured = "" if math.isnan(goal.value) else f"{goal.value:.3g}"
        met = "yes" if goal.met else "-" if math.isnan(goal.value) else "NO"
        table.add_row(goal.goal, f"{sign} {goal.bound:g}", stretch, f"{measured} {goal.note}".strip(), met)
    return table


def main() -> int:
    """Parse the command line, run, print; return the exit status."""
    names = available()
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures this code next to its peers in one run and prints a table; ratios are what counts.",
        epilog="benchmarks:\n" + "\n".join(f"  {name:10} {line}" for name, line in names.items())
        + "\n\nExit status: 0 when it ran (a goal that is missed says NO), 1 when something failed to run.\n"
        "The environment is .venv in the project's root; scripts/setup --dev makes it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("name", choices=names, metavar="NAME", help="one of: " + ", ".join(names))
    parser.add_argument("--json", action="store_true", help="last line: the goals as a list of objects")
    arguments = parser.parse_args()
    # anything that fails in here ends in a traceback and exit status 1
    outcome: Outcome = importlib.import_module(f"scripts.benchmarks.{arguments.name}").run()
    console = Console(stderr=arguments.json and not sys.stdout.isatty())
    for table in [*outcome.tables, goals_table(outcome.goals)]:
        console.print(table)
    if arguments.json:
        print(json.dumps([goal.as_json() for goal in outcome.goals]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
