"""The lens's packed words against a decoder written word by word, and every way in which they can be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.errors import BadBook, BadPrice
from oracle.readers.packed import check_book, decode_accounts, decode_rounds, join_books
from oracle.types import AccountBook

pytestmark = pytest.mark.fast

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)
POSITIONS = st.lists(st.tuples(st.integers(0, 2**31 - 1), INT64), max_size=5)
ACCOUNT = st.tuples(st.binary(min_size=20, max_size=20), st.integers(0, 2**64 - 1), INT64, POSITIONS)
ACCOUNTS = st.lists(ACCOUNT, max_size=6, unique_by=lambda account: account[0])
Account = tuple[bytes, int, int, list[tuple[int, int]]]


def word(value: int) -> bytes:
    return value.to_bytes(32, signed=value < 0)


def header(address: bytes, version: int, positions: int, cash_micro: int) -> bytes:
    return address + version.to_bytes(8) + positions.to_bytes(4) + word(cash_micro)


def position(instrument_id: int, size: int) -> bytes:
    return instrument_id.to_bytes(16) + size.to_bytes(16, signed=True)


def pack(accounts: list[Account]) -> bytes:
    headers = b"".join(header(a, version, len(held), cash) for a, version, cash, held in accounts)
    return headers + b"".join(position(*one) for *_, held in accounts for one in held)


def unpack_naively(packed: bytes, count: int) -> list[Account]:
    words = [packed[at : at + 32] for at in range(0, len(packed), 32)]
    accounts: list[Account] = []
    at = 2 * count
    for index in range(count):
        first, cash = words[2 * index], int.from_bytes(words[2 * index + 1], signed=True)
        held = []
        for _ in range(int.from_bytes(first[28:])):
            held.append((int.from_bytes(words[at][:16]), int.from_bytes(words[at][16:], signed=True)))
            at += 1
        accounts.append((first[:20], int.from_bytes(first[20:28]), cash, held))
    return accounts


def as_accounts(book: AccountBook) -> list[Account]:
    return [
        (
            book.address[i].tobytes(),
            int(book.position_version[i]),
            int(book.cash_micro[i]),
            [
                (int(book.instrument_id[k]), int(book.size_lots[k]))
                for k in range(int(book.indptr[i]), int(book.indptr[i + 1]))
            ],
        )
        for i in range(len(book))
    ]


@settings(deadline=None)
@given(ACCOUNTS)
def test_columns_equal_the_words_read_one_by_one(accounts: list[Account]) -> None:
    packed = pack(accounts)
    book = decode_accounts(packed, len(accounts))
    check_book(book, len(accounts))
    assert as_accounts(book) == unpack_naively(packed, len(accounts)) == accounts


@settings(deadline=None)
@given(ACCOUNTS, st.integers(0, 6))
def test_joined_parts_equal_the_whole(accounts: list[Account], cut: int) -> None:
    parts = [accounts[:cut], accounts[cut:]]
    joined = join_books([decode_accounts(pack(part), len(part)) for part in parts])
    whole = decode_accounts(pack(accounts), len(accounts))
    for column in AccountBook.__slots__:
        mine, theirs = getattr(joined, column), getattr(whole, column)
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


def test_no_account_is_an_empty_book() -> None:
    book = join_books([])
    check_book(book, 0)
    assert len(book) == 0
    assert book.indptr.tolist() == [0]


@settings(deadline=None)
@given(ACCOUNTS, st.integers(1, 31))
def test_a_cut_or_longer_answer_is_refused(accounts: list[Account], by: int) -> None:
    packed = pack(accounts)
    with pytest.raises(BadBook, match="bytes for"):
        decode_accounts(packed + bytes(by), len(accounts))
    if packed:
        with pytest.raises(BadBook, match="bytes for"):
            decode_accounts(packed[:-by], len(accounts))


@pytest.mark.parametrize("beyond", [2**63, -(2**63), -(2**63) - 1, 2**64, -(2**120)])
def test_a_number_beyond_int64_is_refused(beyond: int) -> None:
    address = bytes(range(20))
    with pytest.raises(BadBook, match="position size 0 of the batch is beyond int64"):
        decode_accounts(header(address, 1, 1, 0) + position(3, beyond), 1)
    with pytest.raises(BadBook, match="cash 0 of the batch is beyond int64"):
        decode_accounts(header(address, 1, 0, beyond), 1)


@pytest.mark.parametrize("instrument_id", [2**31, 2**64, 2**64 + 5, 2**127])
def test_an_instrument_id_beyond_int32_is_refused(instrument_id: int) -> None:
    with pytest.raises(BadBook, match="beyond int32"):
        decode_accounts(header(bytes(20), 1, 1, 0) + position(instrument_id, 1), 1)


def test_a_duplicate_address_is_refused_and_named() -> None:
    account: Account = (bytes(range(20)), 1, 5, [(0, 7)])
    other: Account = (bytes(19) + b"\x01", 1, 5, [])
    part = decode_accounts(pack([account, other]), 2)
    with pytest.raises(BadBook, match="0x" + bytes(range(20)).hex()):
        check_book(join_books([part, decode_accounts(pack([account]), 1)]), 3)


def test_a_missing_account_is_refused() -> None:
    book = decode_accounts(pack([(bytes(20), 1, 5, [])]), 1)
    with pytest.raises(BadBook, match="1 accounts read, the venue counts 2"):
        check_book(book, 2)


def test_an_index_that_does_not_span_the_positions_is_refused() -> None:
    book = decode_accounts(pack([(bytes(20), 1, 5, [(0, 7), (1, 8)])]), 1)
    broken = AccountBook(
        book.address, book.position_version, book.cash_micro, np.array([0, 1]), book.instrument_id, book.size_lots
    )
    with pytest.raises(BadBook, match="does not span"):
        check_book(broken, 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**63 - 1), INT64), max_size=6))
def test_rounds_equal_the_words_read_one_by_one(rounds: list[tuple[int, int]]) -> None:
    packed = b"".join(time.to_bytes(8) + answer.to_bytes(24, signed=True) for time, answer in rounds)
    decoded = decode_rounds(packed)
    assert list(zip(decoded.timestamp.tolist(), decoded.price_e8.tolist(), strict=True)) == rounds


@pytest.mark.parametrize(
    "packed",
    [
        (5).to_bytes(8) + (2**63).to_bytes(24),
        (5).to_bytes(8) + (-(2**63) - 1).to_bytes(24, signed=True),
        (2**63).to_bytes(8) + (1).to_bytes(24),
        bytes(31),
    ],
)
def test_a_round_beyond_int64_or_cut_short_is_refused(packed: bytes) -> None:
    with pytest.raises(BadPrice):
        decode_rounds(packed)
