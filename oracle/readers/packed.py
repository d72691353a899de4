"""The packed answers of BookLens decoded into columns: pure numpy, no loop over accounts, no chain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadBook, BadPrice
from oracle.types import AccountBook, PriceRounds

WORD_BYTES = 32

_SOURCE = "check that the lens and the exchange are the contracts that the configuration means"

_HEADER = np.dtype(
    [
        ("address", "u1", (20,)),
        ("version", ">u8"),
        ("positions", ">u4"),
        ("cash_extension", ">i8", (3,)),
        ("cash", ">i8"),
    ]
)
_POSITION = np.dtype([("id_high", ">u8"), ("id", ">u8"), ("size_extension", ">i8"), ("size", ">i8")])
_ROUND = np.dtype([("timestamp", ">u8"), ("answer_extension", ">i8", (2,)), ("answer", ">i8")])


def decode_accounts(packed: bytes, account_count: int) -> AccountBook:
    """Return the accounts of one `BookLens.readAccounts` answer in columns.

    Parameters
    ----------
    packed : bytes
        Two words an account (address, position version and position count; cash), then one word a position, in
        the order of the accounts.
    account_count : int
        How many accounts the answer must hold.

    Raises
    ------
    BadBook
        If the length does not fit the counts, or a cash, size or instrument id is beyond its column's type.
    """
    header_bytes = account_count * _HEADER.itemsize
    if len(packed) < header_bytes:
        raise BadBook(f"{len(packed)} bytes for {account_count} accounts, {header_bytes} expected at least", _SOURCE)
    header = np.frombuffer(packed, dtype=_HEADER, count=account_count)
    indptr = np.zeros(account_count + 1, dtype=np.int64)
    np.cumsum(header["positions"], dtype=np.int64, out=indptr[1:])
    expected = header_bytes + int(indptr[-1]) * _POSITION.itemsize
    if len(packed) != expected:
        raise BadBook(f"{len(packed)} bytes for {account_count} accounts, {expected} expected", _SOURCE)
    position = np.frombuffer(packed, dtype=_POSITION, offset=header_bytes)
    _require_extended("cash", header["cash"], header["cash_extension"])
    _require_extended("position size", position["size"], position["size_extension"][:, np.newaxis])
    too_wide = (position["id_high"] != 0) | (position["id"] > np.iinfo(np.int32).max)
    if np.any(too_wide):
        where = int(np.flatnonzero(too_wide)[0])
        raise BadBook(f"instrument id of position {where} is beyond int32 ({position['id'][where]})", _SOURCE)
    return AccountBook(
        address=header["address"].copy(),
        position_version=header["version"].astype(np.uint64),
        cash_micro=header["cash"].astype(np.int64),
        indptr=indptr,
        instrument_id=position["id"].astype(np.int32),
        size_lots=position["size"].astype(np.int64),
    )


def join_books(parts: Sequence[AccountBook]) -> AccountBook:
    """Return consecutive parts as one book; checked as a whole by `check_book`."""
    if not parts:
        return decode_accounts(b"", 0)
    lengths = np.concatenate([np.diff(part.indptr) for part in parts])
    return AccountBook(
        address=np.concatenate([part.address for part in parts]),
        position_version=np.concatenate([part.position_version for part in parts]),
        cash_micro=np.concatenate([part.cash_micro for part in parts]),
        indptr=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
        instrument_id=np.concatenate([part.instrument_id for part in parts]),
        size_lots=np.concatenate([part.size_lots for part in parts]),
    )


def check_book(book: AccountBook, account_count: int) -> None:
    """Check a whole book against the venue's own count of accounts.

    Raises
    ------
    BadBook
        If accounts are missing, an address comes twice, or `indptr` does not span the positions in order.
    """
    if len(book) != account_count:
        raise BadBook(f"{len(book)} accounts read, the venue counts {account_count}", _SOURCE)
    spans = (
        len(book.indptr) == account_count + 1
        and book.indptr[0] == 0
        and book.indptr[-1] == len(book.instrument_id) == len(book.size_lots)
        and bool(np.all(np.diff(book.indptr) >= 0))
    )
    if not spans:
        raise BadBook(f"the position index does not span the {len(book.instrument_id)} positions", _SOURCE)
    addresses = np.sort(np.ascontiguousarray(book.address).view("V20").ravel())
    twice = np.flatnonzero(addresses[1:] == addresses[:-1])
    if len(twice):
        raise BadBook(f"account 0x{addresses[twice[0]].tobytes().hex()} comes twice", _SOURCE)


def decode_rounds(packed: bytes) -> PriceRounds:
    """Return the rounds of one `BookLens.readRounds` answer, newest first as they came.

    One word a round: uint64 time of update, int192 answer. `prices.check_rounds` judges the values.

    Raises
    ------
    BadPrice
        If the bytes are not whole words, or a time or an answer is beyond int64.
    """
    if len(packed) % WORD_BYTES:
        raise BadPrice(f"{len(packed)} bytes of price rounds are not whole words", _SOURCE)
    rounds = np.frombuffer(packed, dtype=_ROUND)
    wide = np.any(rounds["answer_extension"] != (rounds["answer"] >> 63)[:, np.newaxis], axis=1)
    wide |= rounds["timestamp"] > np.iinfo(np.int64).max
    if np.any(wide):
        where = int(np.flatnonzero(wide)[0])
        raise BadPrice(f"price round {where} before the last is beyond int64", "check the feed's answers and decimals")
    return PriceRounds(
        timestamp=rounds["timestamp"].astype(np.int64),
        price_e8=rounds["answer"].astype(np.int64),
    )


def _require_extended(name: str, low: NDArray[np.int64], extension: NDArray[np.int64]) -> None:
    """Refuse a signed word whose value does not fit into its lowest 64 bits, or whose negation does not."""
    wide = np.any(extension != (low >> 63)[:, np.newaxis], axis=1) | (low == np.iinfo(np.int64).min)
    if np.any(wide):
        raise BadBook(f"{name} {int(np.flatnonzero(wide)[0])} of the batch is beyond int64", _SOURCE)
