"""A published case with lists and objects in it: compared part by part, never passed by silence."""

from __future__ import annotations

import pytest

from engine.validation.truth.case import Case, Computed, NotUnderstood

pytestmark = pytest.mark.fast


def computed(value):
    if isinstance(value, dict):
        return {name: computed(part) for name, part in value.items()}
    return [computed(part) for part in value] if isinstance(value, list) else Computed(value)


def differences(fields: dict[str, object], **ours) -> list[str]:
    return Case(fields).failures(computed(ours))


def test_lists_and_objects_are_compared_part_by_part():
    assert differences({"expected": [[1.0, 0.5], [0.5, 1.0]]}, expected=[[1.0, 0.5], [0.5, 1.0]]) == []
    assert differences({"expected": {"a": 1, "free": True}}, expected={"a": 1.0, "free": True, "b": 7.0}) == []
    (text,) = differences({"expected": [[1.0, 0.5], [0.5, 1.0]]}, expected=[[1.0, 0.5], [0.4, 1.0]])
    assert "expected[1][0]" in text
    (text,) = differences({"expected": {"free": True}}, expected={"free": False})
    assert "free" in text
    assert differences({"expected": [1.0, 2.0]}, expected=[1.0])


def test_a_part_that_is_not_computed_is_not_understood():
    with pytest.raises(NotUnderstood):
        differences({"expected": {"a": 1.0, "b": 2.0}}, expected={"a": 1.0})
    with pytest.raises(NotUnderstood):
        differences({"expected": [1.0]}, expected=1.0)
    with pytest.raises(NotUnderstood):
        differences({"expected": "free"}, expected=1.0)


@pytest.mark.parametrize(
    "tolerance", [{"abs_tol": 0.1}, {"abs_tol": {"mu": 0.1}}, {"abs_tol_mu": 0.1}, {"mu_abs_tol": 0.1}]
)
def test_a_tolerance_is_found_however_it_is_stated(tolerance):
    assert differences({"expected": {"mu": 1.0}, **tolerance}, expected={"mu": 1.09}) == []
    assert differences({"expected": {"mu": 1.0}, **tolerance}, expected={"mu": 1.11})


def test_a_table_of_tolerances_says_nothing_of_other_fields():
    fields = {"expected": {"mu": 1.0, "nu": 4.0}, "abs_tol": {"mu": 0.1}}
    (text,) = differences(fields, expected={"mu": 1.05, "nu": 4.05})
    assert "nu" in text


def test_what_a_file_states_once_is_found_by_its_prefix():
    shared = {"title": "x", "data_a": [1.0, 2.0]}
    assert Case({}, shared).shared_numbers("data_") == [1.0, 2.0]
    with pytest.raises(NotUnderstood):
        Case({}, {**shared, "data_b": [3.0]}).shared_numbers("data_")


def test_matrices_are_read_whole_or_not_at_all():
    assert Case({"m": [[1, 2], [3, 4]]}).matrix("m") == [[1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(NotUnderstood):
        Case({"m": [[1, 2], [3]]}).matrix("m")


def test_a_relative_tolerance_says_nothing_of_what_is_next_to_zero():
    def at(expected: float, ours: float, **stated: float) -> list[str]:
        return Case({"expected": expected, **stated}).failures({"expected": Computed(ours, 1e-6)})

    assert at(1e-11, 0.0, rel_tol=0.01) == []
    assert at(1e-11, 2e-6, rel_tol=0.01)
    assert at(1e-5, 1.2e-5, rel_tol=0.01)
    assert at(1e-11, 1e-9, abs_tol=1e-10)
