"""The tolerances that a published case states, in the spellings that occur."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.validation.truth.comparison import NotUnderstood


def is_tolerance(field: str) -> bool:
    """Return whether a field states a tolerance."""
    return field.startswith(("abs_tol", "rel_tol")) or field.endswith(("_abs_tol", "_rel_tol"))


def stated_tolerance(fields: Mapping[str, object], field: str) -> tuple[float, float] | None:
    """Return (absolute, relative) for a field: its own, else a part of its name's, else the record's; None if none."""
    words = field.split("_")
    for word in (*("_".join(words[start:]) for start in range(len(words))), *words, ""):
        stated = [_stated(fields, kind, word) for kind in ("abs_tol", "rel_tol")]
        if any(value is not None for value in stated):
            return stated[0] or 0.0, stated[1] or 0.0
    return None


def _stated(fields: Mapping[str, object], kind: str, word: str) -> float | None:
    """Return a tolerance stated as "abs_tol_es", "es_abs_tol" or {"abs_tol": {"es": ...}}; the record's for ""."""
    table = fields.get(kind)
    if isinstance(table, Mapping):
        return _number(word, table[word]) if word in table else None
    names = (f"{kind}_{word}", f"{word}_{kind}") if word else (kind,)
    return next((_number(name, fields[name]) for name in names if name in fields), None)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0.0:
        raise NotUnderstood(f"tolerance {name} = {value!r} is not a number of at least 0")
    return float(value)
