"""What keeps the kernels' bits equal everywhere, checked in their source; and how rows are split among threads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.kernels.parallel import over_rows, split_rows

pytestmark = pytest.mark.fast
ENGINE = Path(engine.__file__).parent
KERNELS = sorted((ENGINE / "kernels").glob("*.py"))
NOT_THE_SAME_EVERYWHERE = {
    "exp", "expm1", "log", "log1p", "log2", "log10", "power", "pow", "sin", "cos", "tan", "tanh", "erf", "erfc", "ndtr",
    "sum", "dot", "matmul", "mean", "einsum",
}  # fmt: skip
"""Library functions whose last bit, or order of adding, is the library's or the processor's choice."""


def names_in(path):
    """Every plain name and attribute in a file's code."""
    tree = ast.walk(ast.parse(path.read_text()))
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in tree
        if isinstance(node, ast.Name | ast.Attribute)
    }


def test_only_one_file_compiles():
    naming = {path.name for path in ENGINE.rglob("*.py") if names_in(path) & {"njit", "jit", "prange", "vectorize"}}
    assert naming == {"_jit.py"}


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.stem)
def test_no_kernel_calls_what_differs_between_machines(path):
    assert not names_in(path) & NOT_THE_SAME_EVERYWHERE


@given(st.integers(0, 5000), st.integers(1, 600), st.integers(1, 8))
def test_ranges_cover_all_rows_once_in_order(count, block, threads):
    ranges = split_rows(count, block, threads)
    assert [row for first, last in ranges for row in range(first, last)] == list(range(count))
    assert all(0 < last - first <= block for first, last in ranges)
    assert max((last - first for first, last in ranges), default=0) <= -(-count // threads)


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_back_in_the_order_of_the_ranges(threads):
    assert over_rows(lambda first, last: (first, last), split_rows(100, 7), threads) == split_rows(100, 7)


def test_an_error_in_a_thread_is_not_lost():
    def fail(first, last):
        raise ValueError(f"row {first}")

    with pytest.raises(ValueError, match="row"):
        over_rows(fail, split_rows(10, 1), 2)
