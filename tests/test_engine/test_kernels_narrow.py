"""Choosing in float32 and refining in float64 against the float64 pass: the same bytes, whatever the book and table."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kernels import tail
from engine.kernels.narrow import UNIT, NarrowBook, NarrowTable
from engine.kernels.profit import TILE, ProfitTable
from engine.kernels.scan import Tails
from engine.kernels.tail import expected_shortfall
from tests import naive

pytestmark = pytest.mark.fast
INSTRUMENTS, SCENARIOS, ACCOUNTS = 12, 40 * TILE + 17, 40
FIGURES = ("expected_shortfall", "value_at_risk", "worst", "finite")


def draw_book(random, accounts=ACCOUNTS, instruments=INSTRUMENTS, most=10):
    """Rows of 0 to `most` positions; one account is empty, another holds 40."""
    counts = random.integers(0, most + 1, accounts)
    counts[:2] = 0, 40
    indptr = np.append(0, counts.cumsum())
    return indptr, random.integers(0, instruments, indptr[-1]).astype(np.int32), random.normal(size=indptr[-1])


def draw_profit(random, steps=1):
    """Heavy tails with a common factor."""
    common = random.standard_t(3, SCENARIOS)
    return random.normal(size=(INSTRUMENTS, steps, 1)) * common + random.normal(size=(INSTRUMENTS, steps, SCENARIOS))


def both(monkeypatch, profit, book, probability=0.01, weights=None, threads=1):
    """The figures by way of float32, after comparing them with the float64 pass byte by byte."""
    table, results = ProfitTable.from_dense(profit), []
    monkeypatch.setattr(tail, "NARROW_TAIL", 1.0)
    monkeypatch.setattr(tail, "NARROW_POSITIONS", 0)
    for readings in (0, 1 << 60):
        monkeypatch.setattr(tail, "NARROW_READINGS", readings)
        results.append(expected_shortfall(table, *book, probability, weights, threads))
    for name in FIGURES:
        assert getattr(results[0], name).tobytes() == getattr(results[1], name).tobytes(), name
    return results[0]


def left_to_float64(profit, book, probability=0.01):
    """The accounts that float32 cannot decide."""
    table = ProfitTable.from_dense(profit)
    target = tail.target_of(None, table.scenario_count, probability)
    narrow = NarrowBook.of(NarrowTable.of(table, target, 1), table.largest, book, 1)
    accounts = np.arange(book[0].size - 1)
    return narrow.choose(target, Tails.of(accounts.size, target), accounts)[1].tolist()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("probability", [0.001, 0.005, 0.025, 0.3, 1.0])
def test_bytes_are_those_of_float64(monkeypatch, steps, weighted, probability):
    random = np.random.default_rng([steps, weighted])
    profit, book = draw_profit(random, steps), draw_book(random)
    weights = np.exp(0.3 * random.normal(size=SCENARIOS)) * (random.random(SCENARIOS) > 0.1) if weighted else None
    both(monkeypatch, profit, book, probability, weights)


def test_figures_are_those_of_the_plain_twin(monkeypatch):
    random = np.random.default_rng(3)
    profit, book = draw_profit(random), draw_book(random, accounts=6)
    got = both(monkeypatch, profit, book, 0.005)
    for account in range(6):
        span = slice(book[0][account], book[0][account + 1])
        profits = book[2][span] @ profit[book[1][span], 0]
        want = naive.tail(profits.tolist(), [1.0] * SCENARIOS, 0.005)
        figures = got.expected_shortfall[account], got.value_at_risk[account], got.worst[account]
        assert figures == pytest.approx(want, rel=1e-12, abs=1e-12)


def test_float32_decides_most_accounts_and_few_scenarios_are_refined():
    random = np.random.default_rng(4)
    profit, book = draw_profit(random), draw_book(random)
    table = ProfitTable.from_dense(profit)
    target = tail.target_of(None, table.scenario_count, 0.01)
    narrow = NarrowBook.of(NarrowTable.of(table, target, 1), table.largest, book, 1)
    chosen, rest = narrow.choose(target, Tails.of(ACCOUNTS, target), np.arange(ACCOUNTS))
    assert rest.tolist() == np.flatnonzero(np.diff(book[0]) == 0).tolist()
    assert target.need <= np.diff(chosen.start).max() <= target.need + 3


def test_a_riskless_book_is_left_to_float64(monkeypatch):
    random = np.random.default_rng(5)
    profit = draw_profit(random)
    book = np.array([0, 3, 4]), np.array([2, 2, 2, 3], np.int32), np.array([1e6, -1e6 + 1e-9, 0.0, 1.0])
    assert left_to_float64(profit, book) == [0]
    both(monkeypatch, profit, book)


def test_near_cancellation(monkeypatch):
    random = np.random.default_rng(6)
    profit = draw_profit(random)
    profit[1] = profit[0] * (1.0 + 1e-7 * random.normal(size=profit[0].shape))
    size = 10.0 ** random.uniform(-8, 8, 60)
    quantity = np.column_stack([size, -size, 1e-6 * random.normal(size=60)]).ravel()
    book = np.arange(0, 181, 3), np.tile([0, 1, 2], 60).astype(np.int32), quantity
    both(monkeypatch, profit, book)


@pytest.mark.parametrize("pool", [[0.0], [-1.0, 0.0], [-2.0, -1.0, 3.0], [-0.0, 0.0, 1e-310, -5e-324], [1, 1 + 1e-12]])
def test_ties(monkeypatch, pool):
    random = np.random.default_rng(7)
    profit = random.choice(pool, (INSTRUMENTS, 1, SCENARIOS))
    indptr, instrument, quantity = draw_book(random)
    both(monkeypatch, profit, (indptr, instrument, np.rint(quantity)))
    both(monkeypatch, profit, (indptr, instrument, quantity), 0.02, random.uniform(0.5, 2.0, SCENARIOS))


@pytest.mark.parametrize("rows", [(-300, 280), (-330, -290), (-45, 45), (40, 300)])
@pytest.mark.parametrize("sizes", [(-300, 0), (-10, 10), (0, 300)])
def test_scales_beyond_those_of_float32(monkeypatch, rows, sizes):
    random = np.random.default_rng(8)
    profit = draw_profit(random) * 10.0 ** random.uniform(*rows, (INSTRUMENTS, 1, 1))
    indptr, instrument, quantity = draw_book(random)
    both(monkeypatch, profit, (indptr, instrument, quantity * 10.0 ** random.uniform(*sizes, quantity.size)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_stays_in_its_accounts(monkeypatch, bad):
    random = np.random.default_rng(9)
    profit, (indptr, instrument, quantity) = draw_profit(random), draw_book(random)
    profit[0, 0, 77] = bad
    got = both(monkeypatch, profit, (indptr, instrument, quantity * 1e-5))
    holds = [0 in instrument[indptr[a] : indptr[a + 1]] for a in range(ACCOUNTS)]
    assert (~got.finite).tolist() == holds if not np.isfinite(bad) else not got.finite.all()


def test_blocks_and_threads_change_nothing(monkeypatch):
    random = np.random.default_rng(10)
    profit, book = draw_profit(random), draw_book(random, accounts=300)
    first = both(monkeypatch, profit, book)
    monkeypatch.setattr(tail, "BLOCK", 7)
    second = both(monkeypatch, profit, book, threads=2)
    assert first.expected_shortfall.tobytes() == second.expected_shortfall.tobytes()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-30, 30), st.floats(0, 12), st.integers(1, 200))
def test_no_profit_in_float32_is_further_off_than_the_bound(seed, scale, spread, count):
    random = np.random.default_rng(seed)
    profit = random.normal(size=(INSTRUMENTS, 1, TILE)) * 10.0 ** random.uniform(-spread, spread, (INSTRUMENTS, 1, 1))
    quantity = random.normal(size=count) * 10.0 ** (scale + random.uniform(-spread, spread, count))
    indptr, instrument = np.array([0, count]), random.integers(0, INSTRUMENTS, count).astype(np.int32)
    table = ProfitTable.from_dense(profit)
    narrow = NarrowTable.of(table, tail.target_of(None, TILE, 0.01), 1)
    book = NarrowBook.of(narrow, table.largest, (indptr, instrument, quantity), 1)
    total = sum(abs(q) * table.largest[i] for i, q in zip(instrument, quantity, strict=True))
    scaling = 2.0 ** -np.frexp(total)[1]
    for lane in (0, TILE - 1):
        y32, truth = np.float32(0.0), Fraction(0)
        for p, (i, q) in enumerate(zip(instrument, quantity, strict=True)):
            product = Fraction(float(book.quantity[p])) * Fraction(float(narrow.tiles[0, 0, i, lane]))
            y32 = np.float32(float(product + Fraction(float(y32))))
            truth += Fraction(float(q)) * Fraction(float(profit[i, 0, lane]))
        off = abs(Fraction(float(y32)) - truth * Fraction(float(scaling)))
        assert 2 * off + Fraction(UNIT * total * scaling) <= Fraction(float(book.slack[0]))
