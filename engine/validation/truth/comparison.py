"""How close our value of an expected field must be: one rule for numbers, texts, flags and integers of any size."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

DEFAULT_RELATIVE_TOLERANCE = 1e-9

Value = float | int | bool | str | None


class NotUnderstood(Exception):
    """The case has an input that our code has no meaning for; it counts as not covered, never as passed."""


@dataclass(frozen=True, slots=True)
class Computed:
    """Our value of one expected field, with a tolerance of its own where the case cannot state one."""

    value: Value
    absolute_tolerance: float | None = None
    indistinguishable: tuple[Value, ...] = ()
    """Other values that are as right within our accuracy, such as the indices of equal minima."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Our values of the numbers that an expected sentence states, each in the place of a {} of the template."""

    template: str
    numbers: tuple[float, ...]

    def stated(self, text: object) -> list[float]:
        """Return the numbers of a sentence of this form; raise `NotUnderstood` for any other."""
        pattern = r"(\d+(?:\.\d+)?)".join(re.escape(part) for part in self.template.split("{}"))
        match = re.fullmatch(pattern, text) if isinstance(text, str) else None
        if match is None:
            raise NotUnderstood(f"{text!r} does not read {self.template!r}")
        return [float(number) for number in match.groups()]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expected value next to ours; `tolerance` is (absolute, relative) as the case states it, if it does."""

    path: str
    expected: object
    ours: Computed
    tolerance: tuple[float, float] | None


def difference(one: Expectation) -> str:
    """Return a sentence on how the two differ, empty when they agree; integers are compared without rounding."""
    expected, ours = _number(one.expected), one.ours.value
    if expected is not None and expected in one.ours.indistinguishable:
        return ""
    if ours is None or isinstance(ours, bool | str):
        same = one.expected == ours and type(one.expected) is type(ours)
        return "" if same else f"{one.path}: expected {one.expected!r}, computed {ours!r}"
    if expected is None:
        raise NotUnderstood(f"{one.path} = {one.expected!r} is not a number")
    absolute, relative = _allowed(one)
    if abs(ours - expected) <= max(absolute, relative * abs(expected)):
        return ""
    bound = f"{absolute:g} absolute" if absolute else f"{relative:g} relative"
    return f"{one.path}: expected {expected!r}, computed {ours!r}, tolerance {bound}"


def _number(value: object) -> float | int | None:
    """Return a number, or the integer that a text of digits writes; None for anything else."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _allowed(one: Expectation) -> tuple[float, float]:
    own = one.ours.absolute_tolerance
    if one.tolerance is None:
        return (0.0, DEFAULT_RELATIVE_TOLERANCE) if own is None else (own, 0.0)
    absolute, relative = one.tolerance
    expected = _number(one.expected)
    if own is not None and not absolute and expected is not None and abs(expected) <= own:
        # a relative tolerance says nothing of a figure that our accuracy does not tell from 0
        absolute = own
    return absolute, relative
