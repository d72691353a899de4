"""The fused tail against a sort in exact fractions, with ties, weights, fractional boundaries and steps."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.tail import expected_shortfall, worst_stress
from tests import naive

pytestmark = pytest.mark.fast
RNG = np.random.default_rng(99)
SMALLEST_NORMAL = float(np.finfo(np.float64).tiny)


def one_account(profits):
    """A table of one instrument and steps, and the account that holds one contract of it."""
    profit = np.atleast_2d(np.asarray(profits, dtype=float))[None, :, :]
    rows = np.array([0, 1], np.int64), np.zeros(1, np.int32), np.ones(1)
    return ProfitTable.from_dense(profit), rows


def random_book(accounts, instruments, most_positions, rng=RNG):
    """Compressed rows with 0 to `most_positions` positions each."""
    counts = rng.integers(0, most_positions + 1, accounts)
    indptr = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    return indptr, rng.integers(0, instruments, indptr[-1]).astype(np.int32), rng.normal(size=indptr[-1])


def check(profits, probability, weights=None):
    """Compare one account with the plain twin to 1e-12."""
    table, rows = one_account(profits)
    got = expected_shortfall(table, *rows, probability, weights)
    flat = np.atleast_2d(profits).min(axis=0)
    want = naive.tail(flat.tolist(), [1.0] * flat.size if weights is None else weights.tolist(), probability)
    figures = got.expected_shortfall[0], got.value_at_risk[0], got.worst[0]
    # below the smallest normal number a float has fewer digits than that
    assert figures == pytest.approx(want, rel=1e-12, abs=1e-12 * max(np.abs(flat).max(), SMALLEST_NORMAL))
    assert got.finite[0]


@pytest.mark.parametrize("scenarios", [1, 2, 63, 64, 127, 128, 129, 1000, 5000])
@pytest.mark.parametrize("probability", [0.01, 0.005, 0.025, 1 - 0.99, 0.0333, 0.5, 1.0])
def test_equal_weights(scenarios, probability):
    check(RNG.standard_t(3, scenarios), probability)


@pytest.mark.parametrize("probability", [0.01, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_weights_light_in_the_tail(probability, spread):
    profits = RNG.standard_t(3, 3000)
    check(profits, probability, np.exp(spread * profits / np.abs(profits).max()) * RNG.uniform(0.5, 2, 3000))


def test_weights_of_zero_do_not_exist():
    profits = RNG.normal(size=2000)
    weights = RNG.integers(0, 3, 2000).astype(float)
    weights[np.argmin(profits)] = 0.0
    check(profits, 0.02, weights)


@pytest.mark.parametrize("pool", [[0.0], [-1.0, 0.0], [-2.0, -1.0, 3.0], [-0.0, 0.0, 1e-310], [5.0]])
@pytest.mark.parametrize("weighted", [False, True])
def test_ties(pool, weighted):
    check(RNG.choice(pool, 4000), 0.01, RNG.uniform(0.5, 2, 4000) if weighted else None)


def test_ties_arriving_before_the_real_tail():
    check(np.concatenate([np.zeros(3000), -np.arange(1.0, 400.0)]), 0.01)
    check(-np.arange(5000.0), 0.01)
    check(np.arange(5000.0), 0.01)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e250])
def test_scales_far_from_one(scale):
    check(RNG.normal(size=3000) * scale, 0.01)


def test_values_of_very_different_size():
    check(RNG.normal(size=3000) * 10.0 ** RNG.integers(-200, 200, 3000), 0.01)


def test_the_worst_step_counts():
    check(RNG.normal(size=(4, 700)), 0.02)


def test_the_fraction_of_the_boundary_scenario():
    table, rows = one_account([-10.0, -6.0, -2.0, 0.0])
    tail = expected_shortfall(table, *rows, 0.375)
    assert tail.expected_shortfall[0] == pytest.approx((10.0 + 0.5 * 6.0) / 1.5, rel=1e-15)
    assert tail.value_at_risk[0] == 6.0
    assert tail.worst[0] == 10.0


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([-3.0, -1.5, -1.0, 0.0, 0.25, 2.0]) | st.floats(-1e6, 1e6), min_size=1, max_size=400),
    st.floats(0.001, 1.0),
    st.randoms(use_true_random=False),
)
def test_any_profits_and_weights(profits, probability, random):
    check(np.array(profits), probability)
    check(np.array(profits), probability, np.array([random.choice([0.1, 1.0, 3.7]) for _ in profits]))


def test_books_equal_the_plain_twin():
    instruments, steps, scenarios = 12, 2, 300
    profit = RNG.standard_t(4, (instruments, steps, scenarios))
    indptr, instrument, quantity = random_book(40, instruments, 25)
    tail = expected_shortfall(ProfitTable.from_dense(profit), indptr, instrument, quantity, 0.03)
    for account in range(40):
        span = slice(indptr[account], indptr[account + 1])
        profits = naive.account_profits(profit, list(zip(instrument[span], quantity[span], strict=True)))
        want = naive.tail(profits, [1.0] * scenarios, 0.03)
        got = tail.expected_shortfall[account], tail.value_at_risk[account], tail.worst[account]
        assert got == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_an_account_does_not_depend_on_its_neighbours_nor_on_threads():
    profit = RNG.standard_t(4, (30, 1, 2000))
    indptr, instrument, quantity = random_book(3000, 30, 12)
    table = ProfitTable.from_dense(profit)
    one = expected_shortfall(table, indptr, instrument, quantity, 0.01)
    two = expected_shortfall(table, indptr, instrument, quantity, 0.01, threads=2)
    assert one.expected_shortfall.tobytes() == two.expected_shortfall.tobytes()
    for account in (0, 1, 1024, 2999):
        span = slice(indptr[account], indptr[account + 1])
        rows = np.array([0, span.stop - span.start], np.int64)
        alone = expected_shortfall(table, rows, instrument[span], quantity[span], 0.01)
        assert alone.expected_shortfall[0] == one.expected_shortfall[account]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_account_without_one_finite_profit_is_flagged_too(bad):
    table = ProfitTable.from_dense(np.full((1, 1, 300), bad))
    tail = expected_shortfall(table, np.array([0, 1, 1]), np.array([0]), np.ones(1), 0.01)
    assert tail.finite.tolist() == [False, True] and np.isnan(tail.expected_shortfall[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_what_is_not_finite_is_flagged_and_stays_in_its_row(bad):
    profit = RNG.normal(size=(2, 1, 500))
    profit[0, 0, 77] = bad
    rows = np.array([0, 1, 2], np.int64), np.array([0, 1], np.int32), np.array([1e9, 1.0])
    tail = expected_shortfall(ProfitTable.from_dense(profit), *rows, 0.01)
    stress = worst_stress(ProfitTable.from_dense(profit), *rows)
    assert tail.finite.tolist() == stress.finite.tolist() == [False, True]
    assert np.isnan(tail.expected_shortfall[0]) and np.isnan(stress.loss[0])
    assert np.isfinite([tail.expected_shortfall[1], stress.loss[1]]).all()


def test_no_accounts():
    table, _ = one_account([1.0])
    empty = np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0)
    assert expected_shortfall(table, *empty, 0.01).expected_shortfall.shape == (0,)
    assert worst_stress(table, *empty).loss.shape == (0,)


@pytest.mark.parametrize("scenarios", [1, 30, 128, 300])
@pytest.mark.parametrize("steps", [1, 3])
def test_stress_equals_the_plain_twin(scenarios, steps):
    profit = RNG.choice([-2.0, -1.0, 0.5, 3.0], (5, steps, scenarios))
    weights = RNG.choice([0.0, 0.5, 1.0], scenarios)
    indptr, instrument, quantity = random_book(50, 5, 4)
    stress = worst_stress(ProfitTable.from_dense(profit), indptr, instrument, np.rint(quantity * 4), weights)
    for account in range(50):
        span = slice(indptr[account], indptr[account + 1])
        holdings = list(zip(instrument[span], np.rint(quantity[span] * 4), strict=True))
        want = naive.stress(naive.account_profits(profit, holdings), weights.tolist())
        assert (stress.loss[account], stress.scenario[account]) == want


def test_memory_does_not_grow_with_accounts_times_scenarios():
    profit = RNG.normal(size=(20, 1, 100 * TILE))
    table = ProfitTable.from_dense(profit)
    indptr, instrument, quantity = random_book(40_000, 20, 3)
    expected_shortfall(table, *(np.array([0, 1], np.int64), instrument[:1], quantity[:1]), 0.001)
    tracemalloc.start()
    expected_shortfall(table, indptr, instrument, quantity, 0.001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40_000 * 100 * TILE * 8 / 100
