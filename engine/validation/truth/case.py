"""A published case as it is read: which of its fields an evaluation has understood, and what is expected of it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from engine.validation.truth.comparison import (
    Comparison,
    Computed,
    Every,
    Expectation,
    NotUnderstood,
    Sentence,
    Value,
    Within,
    compare,
)
from engine.validation.truth.tolerances import is_tolerance, stated_tolerance

__all__ = ["COMMENTARY", "Case", "Computed", "Every", "NotUnderstood", "Sentence", "Tree", "Value", "Within"]

COMMENTARY = frozenset(
    {
        "commonly_quoted",
        "convention",
        "formula",
        "haug_book_value_if_different",
        "id",
        "name",
        "note",
        "rule",
        "rules",
        "sign",
        "source",
        "textbook_value",
        "use",
    }
)
"""Fields that explain a case; they neither change a result nor are compared, unless an evaluation does either."""

Tree = Computed | Within | Every | Sentence | Mapping[str, "Tree"] | Sequence["Tree"]
"""Our values in the shape of what is expected: a value, one a field, or one an item."""


class Case:
    """One case; every field must be read as an input, computed, or be commentary, or the case is not understood.

    Parameters
    ----------
    fields : mapping
        The JSON object.
    shared : mapping
        The document, for what it states once for all its cases, such as tables of parameters, and for the others.
    outer : Case, optional
        The case that this record is part of; its tolerances hold here too.
    beside : mapping
        The documents of the same folder by kind.
    """

    def __init__(
        self,
        fields: Mapping[str, object],
        shared: Mapping[str, object] | None = None,
        outer: Case | None = None,
        beside: Mapping[str, object] | None = None,
    ) -> None:
        self._fields = fields
        self._shared = shared or {}
        self._outer = outer
        self._beside = beside or {}
        self._remarks: list[str] = []
        self._read: set[str] = set()
        self._parts: dict[str, list[Case]] = {}
        self._borrowed: list[Case] = []

    @property
    def name(self) -> str:
        """The case's id, or a placeholder."""
        return str(self._fields.get("id", "(no id)"))

    @property
    def remarks(self) -> tuple[str, ...]:
        """The fields that were read and are not compared."""
        return tuple(self._remarks)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of all fields, in the order of the file."""
        return tuple(self._fields)

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

    def big_integer(self, field: str) -> int:
        """Return a whole number of any size that is written as a text of decimal digits."""
        value = self._take(field)
        if not isinstance(value, str) or not re.fullmatch(r"-?\d+", value):
            raise NotUnderstood(f"{field} = {value!r} is not a text of decimal digits")
        return int(value)

    def flag(self, field: str) -> bool:
        """Return true or false; raise `NotUnderstood` otherwise."""
        value = self._take(field)
        if not isinstance(value, bool):
            raise NotUnderstood(f"{field} = {value!r} is neither true nor false")
        return value

    def word(self, field: str, *allowed: str) -> str:
        """Return a text, one of `allowed` when any are given; raise `NotUnderstood` otherwise."""
        value = self._take(field)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise NotUnderstood(f"{field} = {value!r} is not known")
        return value

    def is_null(self, field: str) -> bool:
        """Return whether the field says that there is nothing; it counts as read then."""
        null = field in self._fields and self._fields[field] is None
        if null:
            self._read.add(field)
        return null

    def numbers(self, field: str) -> list[float]:
        """Return a list of finite numbers; raise `NotUnderstood` otherwise."""
        return [Case({field: item}).number(field) for item in self._list(field)]

    def words(self, field: str) -> list[str]:
        """Return a list of texts; raise `NotUnderstood` otherwise."""
        return [Case({field: item}).word(field) for item in self._list(field)]

    def record(self, field: str) -> Case:
        """Return an object within the case, whose fields count like the case's own."""
        (part,) = self._keep(field, [self._take(field)])
        return part

    def records(self, field: str) -> list[Case]:
        """Return a list of objects within the case, whose fields count like the case's own."""
        return self._keep(field, self._list(field))

    def shared(self, *path: str) -> Case:
        """Return an object of the document beside its cases; all its fields must be read."""
        found: object = self._shared
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise NotUnderstood(f"the document has no {' '.join(path)}")
        self._borrowed.append(Case(found))
        return self._borrowed[-1]

    def shared_text(self, name: str) -> str:
        """Return a text of the document beside its cases; empty when absent."""
        return str(self._shared.get(name, ""))

    def shared_numbers(self, prefix: str) -> list[float]:
        """Return the one list of numbers that the document states for all its cases under a name with this prefix."""
        named = [name for name, value in self._shared.items() if name.startswith(prefix) and isinstance(value, list)]
        if len(named) != 1:
            raise NotUnderstood(f"{len(named)} series named {prefix}... in the document, 1 is needed")
        return Case(self._shared).numbers(named[0])

    def matrix(self, field: str) -> list[list[float]]:
        """Return a list of equally long lists of finite numbers; raise `NotUnderstood` otherwise."""
        rows = [Case({field: row}).numbers(field) for row in self._list(field)]
        if len({len(row) for row in rows}) > 1:
            raise NotUnderstood(f"the rows of {field} are not equally long")
        return rows

    def remark(self, *fields: str) -> None:
        """Say that these fields, where there are any, have a meaning that nothing of ours is compared with."""
        for field in fields:
            if field in self._fields:
                self._take(field)
                self._remarks.append(field)

    def others(self, kind: str | None = None) -> list[Case]:
        """Return the cases of this document, this one among them, or of the document of another kind beside, if any."""
        found = self._shared if kind is None else self._beside.get(kind)
        document = found if isinstance(found, Mapping) else {}
        cases = document.get("cases")
        listed = cases if isinstance(cases, Sequence) and not isinstance(cases, str) else []
        return [Case(fields, document) for fields in listed if isinstance(fields, Mapping)]

    def comment(self, field: str) -> str:
        """Return a text without counting it as an input; empty when absent."""
        return str(self._fields.get(field, ""))

    def failures(self, computed: Mapping[str, Tree]) -> list[str]:
        """Return what differs from the case's expectations, one sentence a field; raises as `comparisons` does."""
        return [one.failure for one in self.comparisons(computed) if one.failure]

    def comparisons(self, computed: Mapping[str, Tree]) -> list[Comparison]:
        """Return ours beside the case's expectations, one comparison a value.

        Raises
        ------
        NotUnderstood
            If a field of the case is neither input, computed, tolerance nor commentary, or nothing is expected.
        """
        for borrowed in self._borrowed:
            list(borrowed._expectations({}))
        expectations = list(self._expectations(computed))
        if not expectations:
            raise NotUnderstood("nothing is expected")
        return [compare(one) for one in expectations]

    def _take(self, field: str) -> object:
        if field not in self._fields:
            raise NotUnderstood(f"{field} is missing")
        self._read.add(field)
        return self._fields[field]

    def _list(self, field: str) -> Sequence[object]:
        value = self._take(field)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise NotUnderstood(f"{field} is not a list")
        return value

    def _keep(self, field: str, items: Sequence[object]) -> list[Case]:
        parts = []
        for item in items:
            if not isinstance(item, Mapping):
                raise NotUnderstood(f"{field} holds {item!r}, which is not an object")
            parts.append(Case(item, outer=self))
        return self._parts.setdefault(field, parts)

    def _expectations(self, computed: Mapping[str, Tree]) -> Iterator[Expectation]:
        unknown = []
        for field, value in self._fields.items():
            ours = computed.get(field)
            if field in self._parts:
                yield from self._part_expectations(field, ours)
            elif ours is not None:
                yield from self._walk(field, field, value, ours)
            elif field not in self._read and field not in COMMENTARY and not is_tolerance(field):
                unknown.append(field)
        if unknown:
            raise NotUnderstood(f"no meaning for {', '.join(unknown)}")

    def _part_expectations(self, field: str, ours: Tree | None) -> Iterator[Expectation]:
        parts = self._parts[field]
        trees = [ours] if isinstance(ours, Mapping) else ours
        if not isinstance(trees, Sequence):
            trees = [{} for _ in parts]
        for part, tree in zip(parts, trees, strict=True):
            yield from part._expectations(tree if isinstance(tree, Mapping) else {})

    def _walk(self, field: str, path: str, expected: object, ours: Tree) -> Iterator[Expectation]:
        """Pair what is expected with ours; `path` says where in `field` it stands."""
        if isinstance(ours, Every):
            for part in ours.parts:
                yield from self._walk(field, path, expected, part)
        elif isinstance(ours, Computed | Within):
            yield Expectation(path, expected, ours, self._tolerance(field))
        elif isinstance(ours, Sentence):
            for stated, number in zip(ours.stated(expected), ours.numbers, strict=True):
                yield Expectation(path, stated, Computed(number), self._tolerance(field))
        elif isinstance(ours, Mapping):
            if not isinstance(expected, Mapping):
                raise NotUnderstood(f"{path} is not an object")
            yield from Case(expected, outer=self)._expectations(ours)
        else:
            if not isinstance(expected, Sequence) or isinstance(expected, str):
                raise NotUnderstood(f"{path} is not a list")
            yield Expectation(f"length of {path}", len(expected), Computed(len(ours)), None)
            for place, (item, value) in enumerate(zip(expected, ours, strict=False)):
                yield from self._walk(field, f"{path}[{place}]", item, value)

    def _tolerance(self, field: str) -> tuple[float, float] | None:
        """Return the stated (absolute, relative): the field's own, else the record's, else an outer record's."""
        stated = stated_tolerance(self._fields, field)
        return self._outer._tolerance(field) if stated is None and self._outer else stated
