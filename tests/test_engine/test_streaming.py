"""A book charged block by block: the bytes of the whole, errors that name the account, memory that does not grow."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    COMPONENTS,
    AccountBlock,
    Collateral,
    InvalidInput,
    Kind,
    NonFiniteResult,
    Positions,
    PricedMarket,
    Unmodelled,
    UnmodelledAccount,
    charge_blocks,
    evaluate,
    price_market,
)
from engine.evaluation import AccountRequirements
from engine.streaming import BLOCK_ACCOUNTS, cut_into_blocks, join_blocks
from tests import model_cases
from tests.test_engine.test_collateral import BOOKS as TOKEN_BOOKS
from tests.test_engine.test_collateral import LISTED as TOKENS
from tests.test_engine.test_model_guard import BROKEN
from tests.test_engine.test_model_margin import BOOKS, PLAIN

pytestmark = pytest.mark.fast
WHOLE = model_cases.book(*(BOOKS * 3))
STATES = {"sound": model_cases.market, "to be repaired": BROKEN["butterfly"]}


def inputs(name: str):
    state = STATES[name]()
    return model_cases.small_calibration(), model_cases.no_recent("BTC", "ETH"), state, model_cases.catalogue(state)


@cache
def priced(name: str = "sound", threads: int = 1) -> PricedMarket:
    return price_market(*inputs(name), PLAIN, threads)


@cache
def whole_bytes(name: str) -> dict[str, bytes]:
    return all_bytes(evaluate(*inputs(name), WHOLE, PLAIN).accounts)


def all_bytes(requirements: AccountRequirements) -> dict[str, bytes]:
    return {one.name: getattr(requirements, one.name).tobytes() for one in fields(requirements)}


def cut_at(sizes: list[int]) -> Iterator[AccountBlock]:
    """The book in blocks of the given sizes, again and again; a size of 0 is an empty block."""
    first, turn = 0, 0
    while first < len(WHOLE):
        last = min(first + sizes[turn % len(sizes)], len(WHOLE))
        part = slice(WHOLE.indptr[first], WHOLE.indptr[last])
        indptr = WHOLE.indptr[first : last + 1] - WHOLE.indptr[first]
        yield AccountBlock(Positions(indptr, WHOLE.instrument[part], WHOLE.quantity[part]))
        first, turn = last, turn + 1


@settings(deadline=None, max_examples=6)
@given(st.lists(st.integers(0, 22), min_size=1, max_size=5).filter(any), st.sampled_from([1, 2, 3]))
@pytest.mark.parametrize("name", STATES)
def test_bytes_do_not_depend_on_the_blocks_nor_on_the_threads(name: str, sizes: list[int], threads: int) -> None:
    blocks = charge_blocks(priced(name, threads), cut_at(sizes))
    assert all_bytes(join_blocks(blocks)) == whole_bytes(name)


def test_evaluate_takes_the_same_path_in_blocks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_into_blocks, "__defaults__", (5,))
    sizes = []
    charge = PricedMarket.charge
    monkeypatch.setattr(PricedMarket, "charge", lambda self, block: sizes.append(len(block)) or charge(self, block))
    assert all_bytes(evaluate(*inputs("sound"), WHOLE, PLAIN).accounts) == whole_bytes("sound")
    assert sizes == [5, 5, 5, 5, 1]


def test_a_block_is_taken_only_when_the_one_before_is_done() -> None:
    taken = []

    def blocks() -> Iterator[AccountBlock]:
        for block in cut_into_blocks(AccountBlock(WHOLE), 4):
            taken.append(len(block))
            yield block

    results = charge_blocks(priced(), blocks())
    assert taken == []
    assert next(results).initial.size == 4 and taken == [4]
    assert next(results).initial.size == 4 and taken == [4, 4]


LACKING = Unmodelled(
    np.array([Kind.CALL, Kind.PUT], np.int8), np.full(2, 60_000.0), np.full(2, 50_000.0), np.ones(2),
    np.zeros(2, bool), ("no slice", "no slice"),
    model_cases.book({1: -1.0}, {}, {0: 2.0}, {}, {}, {1: 3.0, 0: 1.0}, {}),
)  # fmt: skip


@pytest.mark.parametrize("accounts", [1, 2, 3, 7, 8])
def test_collateral_and_what_has_no_model_are_cut_with_the_positions(accounts: int) -> None:
    pledged = model_cases.book({4: 1.0}, {}, {5: 20.0, 4: 0.5}, {4: 2.0}, {}, {}, {5: 1.0})
    whole = AccountBlock(model_cases.book(*TOKEN_BOOKS), Collateral(pledged, ((0, 0),)), LACKING)
    given = model_cases.small_calibration(), model_cases.no_recent("BTC", "ETH"), STATES["sound"](), TOKENS
    result = evaluate(*given, whole.positions, PLAIN, collateral=whole.collateral, unmodelled=LACKING)
    blocks = list(cut_into_blocks(whole, accounts))
    joined = join_blocks(charge_blocks(price_market(*given, PLAIN), blocks))
    assert all_bytes(joined) == all_bytes(result.accounts)
    assert {"collateral", "unmodelled"} & {COMPONENTS[code] for code in joined.binding}
    firsts = range(0, 7, accounts)
    holders = [first + block.unmodelled.holders for first, block in zip(firsts, blocks, strict=True)]
    assert np.concatenate(holders).tolist() == result.unmodelled.tolist() == [0, 2, 5]


def test_an_account_without_a_worst_case_is_named_by_its_place_in_the_book() -> None:
    short = replace(LACKING, held=model_cases.book(*({} for _ in range(len(WHOLE) - 1)), {0: -1.0}))
    blocks = cut_into_blocks(AccountBlock(WHOLE, unmodelled=short), 4)
    with pytest.raises(UnmodelledAccount, match="^account 20: it is short 1 of a call") as caught:
        list(charge_blocks(priced(), blocks))
    assert caught.value.account == 20 and pickle.loads(pickle.dumps(caught.value)).account == 20


def test_an_empty_book_is_one_empty_block() -> None:
    (block,) = cut_into_blocks(AccountBlock(model_cases.book()))
    assert len(block) == 0
    assert join_blocks(charge_blocks(priced(), [block])).initial.shape == (0,)
    assert len(list(cut_into_blocks(AccountBlock(WHOLE)))) == 1 and len(WHOLE) < BLOCK_ACCOUNTS


def test_an_error_of_a_later_block_says_where_its_accounts_begin() -> None:
    unknown = replace(WHOLE, instrument=np.where(np.arange(WHOLE.instrument.size) == 9, 99, WHOLE.instrument))
    with pytest.raises(InvalidInput, match=r"^counting from account 4: account 0: instrument 99 is not one of the 16"):
        list(charge_blocks(priced(), cut_into_blocks(AccountBlock(unknown), 4)))
    with pytest.raises(InvalidInput, match=r"^account 4: instrument 99 is not one of the 16"):
        evaluate(*inputs("sound"), unknown, PLAIN)
    huge = model_cases.book({0: 1.0}, {0: 1.0}, {0: 1e300})
    with pytest.raises(NonFiniteResult, match=r"^counting from account 2: account 0: its profit is not finite"):
        list(charge_blocks(priced(), cut_into_blocks(AccountBlock(huge), 1)))
    with pytest.raises(NonFiniteResult, match=r"^account 2: its profit is not finite"):
        list(charge_blocks(priced(), cut_into_blocks(AccountBlock(huge))))


def test_memory_does_not_grow_with_the_number_of_accounts() -> None:
    block = AccountBlock(model_cases.book(*(BOOKS * 30)))

    def peak(blocks: int) -> int:
        tracemalloc.start()
        for _ in charge_blocks(priced(), (replace(block) for _ in range(blocks))):
            pass
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(4)
    # one block's figures are about 14 kB: those of 40 more would show, what compiled code allocates now and then not
    assert peak(44) < peak(4) + 300_000
