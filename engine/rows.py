"""A book cut into rows: the part of each account in one underlying, and the account as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments, Kind, Positions
from engine.market import MarketState
from engine.sums import segment_products, segment_sums


@dataclass(frozen=True, slots=True)
class BookRows:
    """Positions of A accounts sorted by account, then underlying; R parts.

    Attributes
    ----------
    account_parts : int64 array, shape (A + 1,)
        Parts of account a are [account_parts[a], account_parts[a + 1]).
    part_indptr : int64 array, shape (R + 1,)
        Positions of a part.
    part_underlying : int32 array, shape (R,)
    part_has_option : bool array, shape (R,)
    instrument, quantity : arrays, shape (positions,)
    """

    account_parts: NDArray[np.int64]
    part_indptr: NDArray[np.int64]
    part_underlying: NDArray[np.int32]
    part_has_option: NDArray[np.bool_]
    instrument: NDArray[np.int32]
    quantity: NDArray[np.float64]

    @property
    def positions(self) -> Positions:
        """The same positions in compressed rows of accounts, in this order."""
        return Positions(self.account_indptr, self.instrument, self.quantity)

    @property
    def account_indptr(self) -> NDArray[np.int64]:
        """Positions of account a are [account_indptr[a], account_indptr[a + 1])."""
        return self.part_indptr[self.account_parts]

    def sum_parts(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up a figure of the parts for each account."""
        return segment_sums(self.account_parts, value)

    def sum_positions(self, per_contract: NDArray[np.float64], absolute: bool = False) -> NDArray[np.float64]:
        """Add up quantity (or its absolute value) times a figure of the instruments for each part."""
        quantity = np.abs(self.quantity) if absolute else self.quantity
        return segment_products(self.part_indptr, self.instrument, quantity, per_contract)


def cut_into_rows(instruments: Instruments, positions: Positions) -> BookRows:
    """Sort the positions by account and underlying, keeping the given order within."""
    accounts = len(positions)
    account = np.repeat(np.arange(accounts), np.diff(positions.indptr))
    underlying = instruments.underlying[positions.instrument]
    order = np.lexsort((underlying, account))
    account, underlying = account[order], underlying[order]
    begins = np.ones(order.size, dtype=np.bool_)
    begins[1:] = (account[1:] != account[:-1]) | (underlying[1:] != underlying[:-1])
    first = np.flatnonzero(begins)
    option = (instruments.kind >= Kind.CALL)[positions.instrument[order]]
    return BookRows(
        account_parts=np.searchsorted(account[first], np.arange(accounts + 1), side="left"),
        part_indptr=np.append(first, order.size),
        part_underlying=underlying[first],
        part_has_option=np.logical_or.reduceat(option, first) if first.size else np.zeros(0, dtype=np.bool_),
        instrument=positions.instrument[order],
        quantity=positions.quantity[order],
    )


def of_accounts(positions: Positions, chosen: NDArray[np.bool_]) -> Positions:
    """Return the positions of some accounts, a mask of shape (A,), in their order."""
    held = np.diff(positions.indptr)
    take = np.repeat(chosen, held)
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(held[chosen])])
    return Positions(indptr, positions.instrument[take], positions.quantity[take])


def only(positions: Positions, keep: NDArray[np.bool_]) -> Positions:
    """Return the same accounts with some of their positions, a mask of shape (positions,)."""
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(keep)])
    return Positions(before[positions.indptr], positions.instrument[keep], positions.quantity[keep])


def merged(first: Positions, second: Positions) -> Positions:
    """Return the positions of both for each account, the first ones first."""
    account = np.concatenate([np.repeat(np.arange(len(each)), np.diff(each.indptr)) for each in (first, second)])
    order = np.argsort(account, kind="stable")
    return Positions(
        first.indptr + second.indptr,
        np.concatenate([first.instrument, second.instrument])[order],
        np.concatenate([first.quantity, second.quantity])[order],
    )


def unit_notional(instruments: Instruments, market: MarketState) -> NDArray[np.float64]:
    """Return the underlying notional of one contract in USD, shape (I,).

    Units of underlying times spot; an inverse perpetual or future is quoted in USD, so its multiplier is the notional.
    """
    in_quote = instruments.inverse & (instruments.kind < Kind.CALL)
    spot = market.spot[instruments.underlying]
    return np.where(in_quote, instruments.multiplier, instruments.multiplier * spot)
