"""kappa(n): the factor on the bootstrap ratio that makes its coverage what is claimed (DESIGN 3.8).

A bootstrap of dates alone covers less than it says: few events make a tail, and no filter is the market's own. The
factor was fixed on simulated markets whose truth is known and counted again on other random numbers;
`scripts/studies/coverage.py` is the study, `docs/studies` holds its result and says what it found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.configuration import EXPECTED_SHORTFALL, CalibrationSettings
from engine.errors import InvalidInput


class Row(NamedTuple):
    """Factor at a length of history, and the share covered in the worst cell of the check."""

    days: int
    factor: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Kappa:
    """The factor for a history of `days`; `coverage` is None where nobody measured it."""

    days: int
    factor: float
    coverage: float | None


TABLE: tuple[Row, ...] = (Row(250, 1.51, 0.95), Row(500, 1.51, 0.95), Row(1_460, 1.51, 0.93), Row(2_500, 1.51, 0.96))
"""The study's result; its cells are world, side and horizon (4 and 24 h), hourly bars."""
MEASURED = (EXPECTED_SHORTFALL, 0.99, 0.95)
"""Measure, level and confidence of the study."""


def kappa_of(days: int, settings: CalibrationSettings) -> Kappa:
    """Return the factor for a history of so many days.

    The coverage is known for what was measured only: ES 99 % at 95 %, from the table's shortest history on.
    """
    kappa = interpolated(days, TABLE)
    asked = settings.measure, settings.es_level, settings.bound_confidence
    return kappa if asked == MEASURED else replace(kappa, coverage=None)


def interpolated(days: int, table: Sequence[Row]) -> Kappa:
    """Return the factor on a straight line between the table's rows, outside them that of the nearest.

    The coverage is the lower one of the two rows; None below the first.

    Raises
    ------
    InvalidInput
        If the number of days is negative.
    """
    if days < 0:
        raise InvalidInput(f"a history of {days} days")
    if days < table[0].days:
        return Kappa(days, table[0].factor, None)
    for low, high in zip(table, table[1:], strict=False):
        if days < high.days:
            share = (days - low.days) / (high.days - low.days)
            coverage = low.coverage if days == low.days else min(low.coverage, high.coverage)
            return Kappa(days, low.factor + share * (high.factor - low.factor), coverage)
    return Kappa(days, table[-1].factor, table[-1].coverage)
