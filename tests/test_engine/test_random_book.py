"""Invented markets and books: a function of the counter alone, sound inputs, and the mixer's published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidInput, Kind
from engine.book import check_book
from engine.market import check_market
from engine.surface.arbitrage import failures
from engine.validation.random_book import LARGEST_LOTS, LOT_USD, RandomBook, counter_bits, invented_instruments
from engine.validation.random_book import invented_market as market_at

pytestmark = pytest.mark.fast
MARKET = market_at(np.array([60_000.0, 3_000.0, 150.0, 30.0, 20.0]))


def naive_splitmix(seed: int, count: int) -> list[int]:
    """The generator as it is published: a state that grows by the golden gamma, and its mix."""
    mask, state, out = 2**64 - 1, seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(z ^ (z >> 31))
    return out


@given(st.integers(0, 2**64 - 1))
def test_bits_are_the_stream_of_the_generator(seed: int) -> None:
    assert counter_bits(seed, np.arange(5, dtype=np.uint64)).tolist() == naive_splitmix(seed, 5)


def test_first_bits_of_seed_1234567_are_the_published_ones() -> None:
    # The reference outputs of the SplitMix64 task on Rosetta Code.
    first = counter_bits(1_234_567, np.arange(3, dtype=np.uint64)).tolist()
    assert first == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]


@given(st.integers(1, 400), st.integers(1, 100))
def test_a_book_is_the_same_in_blocks_of_any_size(accounts: int, size: int) -> None:
    book = RandomBook(invented_instruments(MARKET, 60), MARKET, accounts, 3)
    whole, blocks = book.block(0, accounts), [block.positions for block in book.blocks(size)]
    assert sum(map(len, blocks)) == accounts
    for name in ("instrument", "quantity"):
        assert np.concatenate([getattr(block, name) for block in blocks]).tobytes() == getattr(whole, name).tobytes()


@pytest.mark.parametrize("count", [5, 40, 60, 240, 600, 960])
def test_listed_instruments_fit_the_market_and_are_those_that_were_asked_for(count: int) -> None:
    listed = invented_instruments(MARKET, count)
    check_market(MARKET, listed)
    assert len(listed) == count and np.bincount(listed.underlying).tolist() == [count // 5] * 5
    assert (listed.kind == Kind.PERPETUAL).sum() == 5
    terms = np.stack([listed.kind, listed.slice, listed.strike], axis=1)
    dated = listed.kind != Kind.PERPETUAL
    assert len(np.unique(terms[dated], axis=0)) == dated.sum()
    book = RandomBook(listed, MARKET, 200, 20)
    check_book(listed, book.block(0, 200))


def test_the_surface_allows_no_arbitrage_so_that_nothing_is_priced_twice() -> None:
    assert len(failures(MARKET)) == 0


def test_positions_are_of_both_sides_and_of_the_sizes_that_are_said() -> None:
    listed = invented_instruments(MARKET, 60)
    held = RandomBook(listed, MARKET, 2_000, 20).block(0, 2_000)
    lots = held.quantity * MARKET.spot[listed.underlying[held.instrument]] / LOT_USD
    assert np.allclose(lots, np.rint(lots)) and np.abs(lots).min() >= 0.99 and np.abs(lots).max() <= LARGEST_LOTS + 0.01
    assert abs((lots > 0).mean() - 0.5) < 0.02 and abs(np.abs(lots).mean() - 500.5) < 10
    assert np.bincount(held.instrument, minlength=60).min() > 500


@pytest.mark.parametrize("count", [0, -5, 7])
def test_a_number_that_cannot_be_shared_is_refused(count: int) -> None:
    with pytest.raises(InvalidInput, match=f"{count} instruments: give a positive multiple of 5"):
        invented_instruments(MARKET, count)
