"""A published case as it is read: which of its fields an evaluation has understood, and how close is equal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEFAULT_RELATIVE_TOLERANCE = 1e-9

COMMENTARY = frozenset(
    {
        "commonly_quoted",
        "convention",
        "formula",
        "haug_book_value_if_different",
        "id",
        "note",
        "rule",
        "sign",
        "source",
        "textbook_value",
        "use",
    }
)
"""Fields that explain a case; they neither change a result nor are compared."""

Value = float | int | bool | None


class NotUnderstood(Exception):
    """The case has an input that our code has no meaning for; it counts as not covered, never as passed."""


@dataclass(frozen=True, slots=True)
class Computed:
    """Our value of one expected field, with a tolerance of its own where the case cannot state one."""

    value: Value
    absolute_tolerance: float | None = None


class Case:
    """One case; every field must be read as an input, computed, or be commentary, or the case is not understood.

    Parameters
    ----------
    fields : mapping
        The JSON object.
    """

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self._read: set[str] = set()

    @property
    def name(self) -> str:
        """The case's id, or a placeholder."""
        return str(self._fields.get("id", "(no id)"))

    def __contains__(self, field: str) -> bool:
        return field in self._fields

    def number(self, field: str) -> float:
        """Return a finite number; raise `NotUnderstood` when absent or anything else."""
        value = self._take(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise NotUnderstood(f"{field} = {value!r} is not a finite number")
        return float(value)

    def number_or(self, field: str, absent: float) -> float:
        """Return the number, or `absent` when the case does not have the field."""
        return self.number(field) if field in self._fields else absent

    def integer(self, field: str) -> int:
        """Return a whole number; raise `NotUnderstood` when absent or anything else."""
        value = self.number(field)
        if value != int(value):
            raise NotUnderstood(f"{field} = {value!r} is not a whole number")
        return int(value)

    def word(self, field: str, *allowed: str) -> str:
        """Return a text, one of `allowed` when any are given; raise `NotUnderstood` otherwise."""
        value = self._take(field)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise NotUnderstood(f"{field} = {value!r} is not known")
        return value

    def numbers(self, field: str) -> list[float]:
        """Return a list of finite numbers; raise `NotUnderstood` otherwise."""
        value = self._take(field)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise NotUnderstood(f"{field} is not a list")
        return [Case({field: item}).number(field) for item in value]

    def comment(self, field: str) -> str:
        """Return a text without counting it as an input; empty when absent."""
        return str(self._fields.get(field, ""))

    def failures(self, computed: Mapping[str, Computed]) -> list[str]:
        """Return what differs from the case's expectations, one sentence a field.

        Raises
        ------
        NotUnderstood
            If a field of the case is neither input, computed, tolerance nor commentary, or nothing is expected.
        """
        rest = [field for field in self._fields if field not in self._read | COMMENTARY and not _is_tolerance(field)]
        unknown = [field for field in rest if field not in computed]
        if unknown:
            raise NotUnderstood(f"no meaning for {', '.join(unknown)}")
        if not rest:
            raise NotUnderstood("nothing is expected")
        return [text for field in rest if (text := self._difference(field, computed[field]))]

    def _take(self, field: str) -> object:
        if field not in self._fields:
            raise NotUnderstood(f"{field} is missing")
        self._read.add(field)
        return self._fields[field]

    def _difference(self, field: str, ours: Computed) -> str:
        expected = self._fields[field]
        if not isinstance(expected, int | float | None):
            raise NotUnderstood(f"{field} = {expected!r} is not a number")
        if isinstance(expected, bool) or expected is None or ours.value is None or isinstance(ours.value, bool):
            return "" if expected is ours.value else f"{field}: expected {expected}, computed {ours.value}"
        absolute, relative = self._tolerance(field, ours.absolute_tolerance)
        if math.isclose(ours.value, expected, rel_tol=0.0, abs_tol=max(absolute, relative * abs(expected))):
            return ""
        bound = f"{absolute:g} absolute" if absolute else f"{relative:g} relative"
        return f"{field}: expected {expected!r}, computed {ours.value!r}, tolerance {bound}"

    def _tolerance(self, field: str, own_absolute: float | None) -> tuple[float, float]:
        """Return (absolute, relative): the field's own, else the case's, else what the evaluation says, else 1e-9."""
        for suffix in (*(f"_{word}" for word in field.split("_")), ""):
            stated = [f"{kind}_tol{suffix}" for kind in ("abs", "rel")]
            if any(name in self._fields for name in stated):
                absolute, relative = (Case(self._fields).number_or(name, 0.0) for name in stated)
                return absolute, relative
        if own_absolute is not None:
            return own_absolute, 0.0
        return 0.0, DEFAULT_RELATIVE_TOLERANCE


def _is_tolerance(field: str) -> bool:
    return field.startswith(("abs_tol", "rel_tol"))
