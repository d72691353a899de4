"""Instruments, positions and collateral as structures of arrays; checked once here, then trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput


class Kind(IntEnum):
    """What can be held."""

    SPOT = 0
    PERPETUAL = 1
    FUTURE = 2
    CALL = 3
    PUT = 4


@dataclass(frozen=True, slots=True)
class Instruments:
    """Listed instruments in columns, all of one length I.

    Attributes
    ----------
    kind : int8 array
        Values of `Kind`.
    underlying : int32 array
        Index into `MarketState.symbols`.
    market_id : int32 array
        The market whose ratios cover the instrument; several instruments may share one. -1: none, a token that is held
        as collateral only.
    slice : int32 array
        Index into the slices of `MarketState`; -1 for spot and perpetual.
    seconds_to_expiry : int64 array
        More than 0 for dated instruments, 0 for spot and perpetual.
    strike : float64 array
        Quote currency per unit of underlying; more than 0 for options, 0 otherwise.
    multiplier : float64 array
        Units of underlying a contract (linear), or quote currency a contract (inverse perpetual and future).
    inverse : bool array
        Settled in coin. The profit is still stated in quote currency, at the price of the scenario.
    """

    kind: NDArray[np.int8]
    underlying: NDArray[np.int32]
    market_id: NDArray[np.int32]
    slice: NDArray[np.int32]
    seconds_to_expiry: NDArray[np.int64]
    strike: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    inverse: NDArray[np.bool_]

    def __post_init__(self) -> None:
        _coerce(self, np.int8, "kind")
        _coerce(self, np.int32, "underlying", "market_id", "slice")
        _coerce(self, np.int64, "seconds_to_expiry")
        _coerce(self, np.float64, "strike", "multiplier")
        _coerce(self, np.bool_, "inverse")
        _require_one_length(self, "kind", self.kind.size)
        _check_instruments(self)

    def __len__(self) -> int:
        return int(self.kind.size)


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions of A accounts in compressed rows: those of account i are [indptr[i], indptr[i + 1]).

    Attributes
    ----------
    indptr : int64 array, shape (A + 1,)
    instrument : int32 array, shape (positions,)
        Index into `Instruments`.
    quantity : float64 array, shape (positions,)
        Contracts, negative when short; finite.
    """

    indptr: NDArray[np.int64]
    instrument: NDArray[np.int32]
    quantity: NDArray[np.float64]

    def __post_init__(self) -> None:
        _coerce(self, np.int64, "indptr")
        _coerce(self, np.int32, "instrument")
        _coerce(self, np.float64, "quantity")
        if self.indptr.size == 0 or self.indptr[0] != 0 or np.any(np.diff(self.indptr) < 0):
            raise InvalidInput("positions: indptr must start at 0 and not fall")
        if self.instrument.size != self.indptr[-1] or self.quantity.size != self.indptr[-1]:
            raise InvalidInput(
                f"positions: indptr ends at {self.indptr[-1]}, but there are {self.instrument.size} instruments "
                f"and {self.quantity.size} quantities"
            )
        bad = np.flatnonzero(~np.isfinite(self.quantity))
        if bad.size:
            account = self.account_of(int(bad[0]))
            raise InvalidInput(f"account {account}: quantity {self.quantity[bad[0]]} is not finite")

    def __len__(self) -> int:
        return int(self.indptr.size - 1)

    def account_of(self, position: int) -> int:
        """Return the account index that holds the position of the given row."""
        return int(np.searchsorted(self.indptr, position, side="right") - 1)


@dataclass(frozen=True, slots=True)
class Collateral:
    """Tokens that A accounts have pledged beside their cash.

    Attributes
    ----------
    held : Positions
        Quantities, at least 0, of instruments of kind `Kind.SPOT`; a token is an underlying with its own history.
    same_issuer : tuple of (int, int)
        Pairs (underlying of a token, underlying of positions) that one issuer stands behind. To an account with
        positions in the second, the first is no hedge: see `engine.collateral`.
    """

    held: Positions
    same_issuer: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "same_issuer", tuple((int(a), int(b)) for a, b in self.same_issuer))
        bad = np.flatnonzero(self.held.quantity < 0.0)
        if bad.size:
            row = int(bad[0])
            raise InvalidInput(
                f"account {self.held.account_of(row)}: collateral of {self.held.quantity[row]} is negative; "
                "a debt in a token is a short position"
            )


def check_book(instruments: Instruments, positions: Positions) -> None:
    """Raise `InvalidInput`, naming the account, when a position is of no listed instrument, or one without market."""
    _check_listed(instruments, positions)
    bad = np.flatnonzero(instruments.market_id[positions.instrument] < 0)
    if bad.size:
        row = int(bad[0])
        raise InvalidInput(
            f"account {positions.account_of(row)}: instrument {positions.instrument[row]} has no market, it can be "
            "held as collateral only"
        )


def check_collateral(instruments: Instruments, collateral: Collateral, accounts: int) -> None:
    """Raise `InvalidInput`, naming the account, when collateral is not of a listed token, or of other accounts."""
    held = collateral.held
    if len(held) != accounts:
        raise InvalidInput(f"collateral is of {len(held)} accounts, positions are of {accounts}")
    _check_listed(instruments, held)
    bad = np.flatnonzero(instruments.kind[held.instrument] != Kind.SPOT)
    if bad.size:
        row = int(bad[0])
        raise InvalidInput(
            f"account {held.account_of(row)}: instrument {held.instrument[row]} is no token; only spot is collateral"
        )


def _check_listed(instruments: Instruments, positions: Positions) -> None:
    bad = np.flatnonzero((positions.instrument < 0) | (positions.instrument >= len(instruments)))
    if bad.size:
        row = int(bad[0])
        raise InvalidInput(
            f"account {positions.account_of(row)}: instrument {positions.instrument[row]} is not one of the "
            f"{len(instruments)} listed"
        )


def _coerce(record: Any, dtype: type, *names: str) -> None:
    """Store each named field as a contiguous read-only array of the type; a value that does not survive is an error."""
    for name in names:
        given = np.asarray(getattr(record, name))
        if given.ndim != 1:
            raise InvalidInput(f"{name}: expected one dimension, got shape {given.shape}")
        array: NDArray[Any] = np.array(given, dtype=dtype)
        if dtype is not np.float64 and not np.array_equal(array, given):
            raise InvalidInput(f"{name}: a value does not fit {np.dtype(dtype).name}")
        array.flags.writeable = False
        object.__setattr__(record, name, array)


def _require_one_length(record: Any, first: str, length: int) -> None:
    for name in record.__dataclass_fields__:
        if getattr(record, name).size != length:
            raise InvalidInput(f"{name} has {getattr(record, name).size} entries, {first} has {length}")


def _check_instruments(instruments: Instruments) -> None:
    kind = instruments.kind
    dated = kind >= Kind.FUTURE
    option = kind >= Kind.CALL
    _refuse(instruments, (kind < Kind.SPOT) | (kind > Kind.PUT), "kind", "is not a known kind")
    _refuse(instruments, instruments.underlying < 0, "underlying", "is negative")
    _refuse(instruments, instruments.market_id < -1, "market_id", "is below -1")
    no_market = (instruments.market_id == -1) & (kind != Kind.SPOT)
    _refuse(instruments, no_market, "market_id", "is for tokens only: all else needs a market")
    _refuse(instruments, dated & (instruments.seconds_to_expiry <= 0), "seconds_to_expiry", "has expired: settle it")
    _refuse(instruments, ~dated & (instruments.seconds_to_expiry != 0), "seconds_to_expiry", "must be 0 when undated")
    _refuse(instruments, dated & (instruments.slice < 0), "slice", "is unknown: a dated instrument needs a slice")
    _refuse(instruments, ~dated & (instruments.slice != -1), "slice", "must be -1 when undated")
    strike_ok = np.isfinite(instruments.strike) & np.where(option, instruments.strike > 0, instruments.strike == 0)
    _refuse(instruments, ~strike_ok, "strike", "must be positive and finite for options, 0 otherwise")
    multiplier_ok = np.isfinite(instruments.multiplier) & (instruments.multiplier > 0)
    _refuse(instruments, ~multiplier_ok, "multiplier", "must be positive and finite")


def _refuse(instruments: Instruments, bad: NDArray[np.bool_], name: str, why: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise InvalidInput(f"instrument {rows[0]}: {name} {getattr(instruments, name)[rows[0]]} {why}")
