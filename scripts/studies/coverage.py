"""The coverage study: fits kappa(n) on simulated markets, counts again on other random numbers, and writes the result.

Run from the project's folder: `python -m scripts.studies.coverage docs/studies/coverage.json` (about 25 minutes).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from engine.configuration import CalibrationSettings
from engine.dynamics.kappa import Row, interpolated
from engine.validation.coverage import Coverage, Outcome, coverage_of, simulate_outcomes
from engine.validation.true_tails import TRUTH_PATHS, Truth
from engine.validation.worlds import SIDES, WORLDS, World

FIT, CHECK = 0, 1
"""Purposes: which random numbers."""
FIT_REPETITIONS = {250: 300, 500: 300, 2_500: 250}
CHECK_REPETITIONS = {250: 60, 500: 120, 1_460: 100, 2_500: 100}
JUDGED_HOURS = 24
"""Horizon at which the factor is fitted; coverage at the others is reported."""
OTHER_MEASURES = (("value_at_risk", 0.99), ("value_at_risk", 0.995), ("expected_shortfall", 0.975))
OTHER_REPETITIONS = {500: 40}

Cell = tuple[World, int, str, int]


def main() -> None:
    """Run the study; see the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="share of the repetitions, for a trial")
    arguments = parser.parse_args()
    settings = CalibrationSettings()
    fitted = outcomes_of(settings, FIT, scaled(FIT_REPETITIONS, arguments.share))
    table = fitted_table(fitted, settings.bound_confidence)
    print("kappa", table, flush=True)
    checked = outcomes_of(settings, CHECK, scaled(CHECK_REPETITIONS, arguments.share))
    result = {
        "settings": asdict(settings),
        "truth_paths": TRUTH_PATHS,
        "worlds": {world.name: world.rule._asdict() for world in WORLDS},
        "kappa": {str(row.days): row.factor for row in table},
        "fit": summaries(fitted, table, settings),
        "check": summaries(checked, table, settings),
        "other_measures": [],
    }
    for measure, level in OTHER_MEASURES:
        other = replace(settings, measure=measure, es_level=level)
        outcomes = outcomes_of(other, CHECK, scaled(OTHER_REPETITIONS, arguments.share))
        cells = summaries(outcomes, table, other)
        result["other_measures"].append({"measure": measure, "level": level, "cells": cells})
    arguments.result.write_text(json.dumps(result, indent=1) + "\n")


def scaled(repetitions: dict[int, int], share: float) -> dict[int, int]:
    """Return a share of the repetitions, at least 20 each."""
    return {days: max(20, round(count * share)) for days, count in repetitions.items()}


def outcomes_of(settings: CalibrationSettings, purpose: int, repetitions: dict[int, int]) -> dict[Cell, list[Outcome]]:
    """Simulate every world at every length of history; cells are (world, days, side, horizon)."""
    cells: dict[Cell, list[Outcome]] = {}
    for world in WORLDS:
        truth = Truth(world, settings.horizon_hours, settings.measure, settings.es_level)
        for days, count in repetitions.items():
            began = time.process_time()
            for repetition in range(count):
                for outcome in simulate_outcomes(world, truth, days, purpose, repetition, settings):
                    cells.setdefault((world, days, outcome.side, outcome.horizon_hours), []).append(outcome)
            print(world.name, settings.measure, days, f"{time.process_time() - began:.0f} s of CPU", flush=True)
            for side in SIDES:
                for hours in settings.horizon_hours:
                    print("  ", side, hours, coverage_of(cells[world, days, side, hours], 1.0, 0.95), flush=True)
    return cells


def fitted_table(cells: dict[Cell, list[Outcome]], confidence: float) -> tuple[Row, ...]:
    """Return the least factors, in hundredths, that cover the confidence at `JUDGED_HOURS` everywhere.

    A longer history never has the larger factor: its row lifts those above it.
    """
    rows: list[Row] = []
    for days in sorted({days for _, days, _, _ in cells}, reverse=True):
        needed = [
            coverage_of(outcomes, 1.0, confidence).needed_factor
            for (_, cell_days, _, hours), outcomes in cells.items()
            if (cell_days, hours) == (days, JUDGED_HOURS)
        ]
        factor = max(math.ceil(100.0 * max(needed)) / 100.0, rows[-1].factor if rows else 1.0)
        rows.append(Row(days, factor, 0.0))
    return tuple(reversed(rows))


def summaries(
    cells: dict[Cell, list[Outcome]], table: Sequence[Row], settings: CalibrationSettings
) -> list[dict[str, Any]]:
    """Return each cell's coverage at the table's factor, four digits."""
    rows = []
    for (world, days, side, hours), outcomes in cells.items():
        factor = interpolated(days, table).factor
        found: Coverage = coverage_of(outcomes, factor, settings.bound_confidence)
        figures = {name: round(value, 4) for name, value in asdict(found).items()}
        rows.append(
            {"world": world.name, "days": days, "side": side, "horizon_hours": hours, "kappa": factor, **figures}
        )
    return rows


if __name__ == "__main__":
    main()
