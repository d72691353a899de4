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
    """Our value of one expected field, with a tolerance of its own where the case states none."""

    value: Value
    absolute_tolerance: float | None = None
    indistinguishable: tuple[Value, ...] = ()
    """Other values that are as right within our accuracy, such as the indices of equal minima."""
    relative_tolerance: float | None = None
    """Of the expected value; for what was measured on data that the case does not hold."""


@dataclass(frozen=True, slots=True)
class Within:
    """Our limits of one expected field, both allowed; `meaning` says what they are."""

    low: float
    high: float
    meaning: str


@dataclass(frozen=True, slots=True)
class Every:
    """Several demands on one expected field."""

    parts: tuple[Computed | Within, ...]


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
    ours: Computed | Within
    tolerance: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far ours is from what is expected, and how far it may be; both relative to the expected value or absolute.

    `failure` is a sentence on how the two differ, empty when they agree.
    """

    failure: str
    error: float = 0.0
    allowed: float = 0.0
    relative: bool = False

    @property
    def share(self) -> float:
        """The part of the tolerance that was needed; above 1 when it did not suffice."""
        if self.error == 0.0:
            return 0.0
        return self.error / self.allowed if self.allowed > 0.0 else math.inf

    def __str__(self) -> str:
        if self.error == 0.0:
            return "none needed"
        if self.allowed == 0.0:
            return f"{self.error:.2g}, none allowed"
        return f"{self.error:.2g} of {self.allowed:.2g} {'relative' if self.relative else 'absolute'}"


def compare(one: Expectation) -> Comparison:
    """Compare one expected value with ours; integers are compared without rounding.

    Raises
    ------
    NotUnderstood
        If ours is a number and what is expected is not.
    """
    expected, ours = _number(one.expected), one.ours
    if isinstance(ours, Within):
        return _within(one.path, expected, one.expected, ours)
    if expected is not None and expected in ours.indistinguishable:
        return Comparison("")
    if ours.value is None or isinstance(ours.value, bool | str):
        same = one.expected == ours.value and type(one.expected) is type(ours.value)
        return Comparison("" if same else f"{one.path}: expected {one.expected!r}, computed {ours.value!r}")
    if expected is None:
        raise NotUnderstood(f"{one.path} = {one.expected!r} is not a number")
    absolute, relative = _allowed(one.tolerance, ours, expected)
    error, size = abs(ours.value - expected), abs(expected)
    if relative * size > absolute:
        result = Comparison("", error / size, relative, True)
    else:
        result = Comparison("", error, absolute)
    if error <= max(absolute, relative * size):
        return result
    bound = f"{absolute:g} absolute" if absolute else f"{relative:g} relative"
    text = f"{one.path}: expected {expected!r}, computed {ours.value!r}, tolerance {bound}"
    return Comparison(text, result.error, result.allowed, result.relative)


def _within(path: str, expected: float | int | None, stated: object, limits: Within) -> Comparison:
    if expected is None:
        raise NotUnderstood(f"{path} = {stated!r} is not a number")
    if limits.low <= expected <= limits.high:
        return Comparison("")
    outside = max(limits.low - expected, expected - limits.high)
    reason = f"{path}: {expected!r} is not within [{limits.low:.6g}, {limits.high:.6g}], {limits.meaning}"
    return Comparison(reason, outside)


def _number(value: object) -> float | int | None:
    """Return a number, or the integer that a text of digits writes; None for anything else."""
    if isinstance(value, str):
        return int(value) if re.fullmatch(r"-?\d+", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def _allowed(stated: tuple[float, float] | None, ours: Computed, expected: float | int) -> tuple[float, float]:
    own = ours.absolute_tolerance
    if stated is None:
        if own is None and ours.relative_tolerance is None:
            return 0.0, DEFAULT_RELATIVE_TOLERANCE
        return own or 0.0, ours.relative_tolerance or 0.0
    absolute, relative = stated
    if own is not None and not absolute and abs(expected) <= own:
        # a relative tolerance says nothing of a figure that our accuracy does not tell from 0
        absolute = own
    return absolute, relative
