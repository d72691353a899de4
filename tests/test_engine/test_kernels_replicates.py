"""Tails over many small draws: equal to the bit to one call a draw, and to the plain twin; no guess changes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels.profit import TILE, ProfitTable, aligned_zeros
from engine.kernels.replicates import replicated_shortfall
from engine.kernels.tail import expected_shortfall
from tests import naive

pytestmark = pytest.mark.fast
ACCOUNTS, INSTRUMENTS = 40, 7


def book_of(source, accounts=ACCOUNTS):
    """Compressed rows with 0 to 5 positions each."""
    counts = source.integers(0, 6, accounts)
    indptr = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    return indptr, source.integers(0, INSTRUMENTS, indptr[-1]).astype(np.int32), source.normal(size=indptr[-1])


def draws_of(source, scales, scenarios=2 * TILE, steps=1):
    """One table a scale, and importance weights with some that are 0."""
    profits = [scale * source.standard_t(4, (INSTRUMENTS, steps, scenarios)) for scale in scales]
    weights = [np.where(source.random(scenarios) < 0.1, 0.0, source.gamma(0.3, size=scenarios)) for _ in scales]
    return [ProfitTable.from_dense(profit) for profit in profits], weights


def require_same(tables, book, probability, weights, threads=1):
    """Compare with one call of `expected_shortfall` a draw, byte by byte."""
    got = replicated_shortfall(tables, *book, probability, weights, threads)
    for draw, (table, weight) in enumerate(zip(tables, weights, strict=True)):
        want = expected_shortfall(table, *book, probability, weight)
        assert got.expected_shortfall[draw].tobytes() == want.expected_shortfall.tobytes()
        assert got.value_at_risk[draw].tobytes() == want.value_at_risk.tobytes()
    return got


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    scales=st.lists(st.sampled_from([1e-3, 0.5, 1.0, 1.1, 1e3]), min_size=1, max_size=5),
    scenarios=st.sampled_from([1, TILE - 1, TILE, 2 * TILE + 3, 4 * TILE]),
    steps=st.integers(1, 3),
    probability=st.sampled_from([0.01, 0.025, 0.3, 1.0]),
    threads=st.integers(1, 3),
)
def test_every_draw_has_the_bytes_of_a_call_of_its_own(seed, scales, scenarios, steps, probability, threads):
    source = np.random.default_rng(seed)
    tables, weights = draws_of(source, scales, scenarios, steps)
    for weight in weights:
        weight[0] = max(weight[0], 1e-6)
    require_same(tables, book_of(source), probability, weights, threads)


@pytest.mark.parametrize("probability", [0.01, 0.05, 0.4])
def test_against_the_plain_twin(probability):
    source = np.random.default_rng(8)
    tables, weights = draws_of(source, [1.0, 0.7, 1.3], steps=2)
    indptr, instrument, quantity = book_of(source)
    got = replicated_shortfall(tables, indptr, instrument, quantity, probability, weights)
    for draw, (table, weight) in enumerate(zip(tables, weights, strict=True)):
        dense = table.dense()
        for account in np.flatnonzero(np.diff(indptr)):
            held = slice(indptr[account], indptr[account + 1])
            profits = (quantity[held, None, None] * dense[instrument[held]]).sum(axis=0).min(axis=0)
            shortfall, at_risk, _ = naive.tail(profits.tolist(), weight.tolist(), probability)
            figures = got.expected_shortfall[draw, account], got.value_at_risk[draw, account]
            assert figures == pytest.approx((shortfall, at_risk), rel=1e-12, abs=1e-12 * np.abs(profits).max())


@pytest.mark.parametrize("scales", [(1.0, 1e-3, 1.0, 1e3, 1.0), (-1.0, 1.0, -1e-3, -1.0)])
def test_a_bad_guess_changes_nothing(scales):
    source = np.random.default_rng(3)
    skewed = source.standard_t(4, (INSTRUMENTS, 1, 2 * TILE)) + 3.0
    # the boundary of a draw lies far below that of the next, then far above
    tables = [ProfitTable.from_dense(scale * skewed) for scale in scales]
    require_same(tables, book_of(source), 0.01, [None] * len(scales))


def test_ties_gains_and_flat_accounts():
    source = np.random.default_rng(4)
    scenarios = 4 * TILE
    two_values = np.where(source.random(scenarios) < 0.5, -1.0, 2.0)
    profit = np.stack([two_values, source.random(scenarios), np.zeros(scenarios)])
    tables = [ProfitTable.from_dense(scale * profit[:, None]) for scale in (1.0, 2.0, 0.5)]
    book = np.array([0, 1, 2, 3, 4], np.int64), np.array([0, 1, 2, 0], np.int32), np.array([1.0, 1.0, 5.0, -1.0])
    got = require_same(tables, book, 0.01, [None, None, np.linspace(0.0, 1.0, scenarios)])
    assert got.value_at_risk[:, 0].tolist() == [1.0, 2.0, 0.5] and got.expected_shortfall[0, 0] == 1.0
    assert (got.expected_shortfall[:, 1] < 0.0).all() and not got.expected_shortfall[:, 2].any()


def test_an_account_that_is_not_finite_is_named_and_spoils_no_other():
    source = np.random.default_rng(5)
    tables, weights = draws_of(source, [1.0, 1.0])
    profit = tables[1].dense()
    profit[2, 0, 7] = np.nan
    tables[1] = ProfitTable.from_dense(profit)
    book = np.array([0, 1, 2], np.int64), np.array([2, 3], np.int32), np.ones(2)
    got = replicated_shortfall(tables, *book, 0.01, weights)
    assert got.finite.tolist() == [False, True]
    assert np.isnan(got.expected_shortfall[:, 0]).all() and np.isnan(got.value_at_risk[:, 0]).all()
    assert np.isfinite(got.expected_shortfall[:, 1]).all()


def test_no_accounts():
    tables, weights = draws_of(np.random.default_rng(6), [1.0, 1.0])
    empty = np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0)
    got = replicated_shortfall(tables, *empty, 0.01, weights)
    assert got.expected_shortfall.shape == got.value_at_risk.shape == (2, 0)


@pytest.mark.parametrize("shape", [(1,), (3, 1, 5, TILE), (0, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_start_at_a_cache_line(shape, dtype):
    zeros = aligned_zeros(shape, dtype)
    assert zeros.shape == shape and zeros.dtype == dtype and zeros.flags.c_contiguous and not zeros.any()
    assert zeros.size == 0 or zeros.ctypes.data % 64 == 0
