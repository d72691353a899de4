"""What cannot be modelled is never dropped: it is charged its worst case where there is one, else refused (DESIGN 3.2).

Of one contract, S the spot now, K the strike, m the multiplier (USD a contract when inverse):

    held                               counts in the account's value   worst case charged
    long spot, perpetual, future       m S                             m S, the price falls to 0
    long inverse perpetual, future     0, as everywhere                m
    long call, long put                0: no surface marks it          0: no less than nothing
    short put                          0                               m K, the price falls to 0
    short call, spot, perpetual, ...   -                               none: refused

Value less charge is in every line the least that the contract can be worth. Nothing offsets a worst case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.book import Kind, Positions
from engine.errors import InvalidInput, UnmodelledAccount
from engine.sums import segment_products


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """J instruments without a model, in columns, and what A accounts hold of them.

    Attributes
    ----------
    kind : int8 array
        Values of `Kind`.
    spot : float64 array
        USD per unit of underlying now, positive and finite.
    strike : float64 array
        USD per unit, positive and finite for options.
    multiplier : float64 array
        As in `Instruments`; positive and finite.
    inverse : bool array
    why : tuple of str
        What each lacks, for messages.
    held : Positions
        Contracts; `instrument` counts these J.
    """

    kind: NDArray[np.int8]
    spot: NDArray[np.float64]
    strike: NDArray[np.float64]
    multiplier: NDArray[np.float64]
    inverse: NDArray[np.bool_]
    why: tuple[str, ...]
    held: Positions

    def __post_init__(self) -> None:
        object.__setattr__(self, "why", tuple(self.why))
        count = len(self.why)
        for name in ("kind", "spot", "strike", "multiplier", "inverse"):
            column: NDArray[Any] = np.asarray(getattr(self, name))
            if column.shape != (count,):
                raise InvalidInput(f"unmodelled: {name} has shape {column.shape}, there are {count} instruments")
        option = self.kind >= Kind.CALL
        for name, needed in (("spot", True), ("multiplier", True), ("strike", option)):
            figure = getattr(self, name)
            bad = np.flatnonzero(needed & ~(np.isfinite(figure) & (figure > 0.0)))
            if bad.size:
                raise InvalidInput(
                    f"unmodelled instrument {bad[0]}: {name} {figure[bad[0]]} must be positive and finite"
                )
        if np.any((self.held.instrument < 0) | (self.held.instrument >= count)):
            raise InvalidInput(f"unmodelled: a position is of none of the {count} instruments")

    @property
    def holders(self) -> NDArray[np.int64]:
        """Accounts that hold any of it, ascending."""
        rows = np.flatnonzero(self.held.quantity)
        return np.unique(np.searchsorted(self.held.indptr, rows, side="right") - 1)


@dataclass(frozen=True, slots=True)
class WorstCases:
    """Of each account, shape (A,): what it holds counts for, what it is charged, and whether it holds anything."""

    value: NDArray[np.float64]
    charge: NDArray[np.float64]
    holds: NDArray[np.bool_]


def worst_cases(unmodelled: Unmodelled) -> WorstCases:
    """Return value and worst case of what each account holds, in USD.

    Raises
    ------
    UnmodelledAccount
        If an account is short of what nothing bounds the loss of; names the account and the reason.
    """
    held, kind = unmodelled.held, unmodelled.kind
    short = held.quantity < 0.0
    unbounded = np.flatnonzero(short & (kind[held.instrument] != Kind.PUT))
    if unbounded.size:
        row = int(unbounded[0])
        instrument = int(held.instrument[row])
        what = Kind(int(kind[instrument])).name.lower()
        raise UnmodelledAccount(
            held.account_of(row),
            f"it is short {-held.quantity[row]:g} of a {what} that has no model ({unmodelled.why[instrument]}): "
            "nothing bounds its loss, so no root may be published",
        )
    option = kind >= Kind.CALL
    notional = unmodelled.multiplier * unmodelled.spot
    in_usd = np.where(unmodelled.inverse, unmodelled.multiplier, notional)
    worth = np.where(option | unmodelled.inverse, 0.0, notional)
    lost_long = np.where(option, 0.0, in_usd)
    lost_short = np.where(kind == Kind.PUT, unmodelled.multiplier * unmodelled.strike, 0.0)
    long_size, short_size = np.maximum(held.quantity, 0.0), np.maximum(-held.quantity, 0.0)
    any_size = np.ones(unmodelled.kind.size)
    return WorstCases(
        value=segment_products(held.indptr, held.instrument, long_size, worth),
        charge=segment_products(held.indptr, held.instrument, long_size, lost_long)
        + segment_products(held.indptr, held.instrument, short_size, lost_short),
        holds=segment_products(held.indptr, held.instrument, np.abs(held.quantity), any_size) > 0.0,
    )


def worst_case_lines(accounts: NDArray[np.int64]) -> tuple[str, ...]:
    """Return one sentence when accounts hold what has no model."""
    if accounts.size == 0:
        return ()
    return (
        f"{accounts.size} accounts hold what has no model: they are charged its worst case, and nothing offsets it.",
    )
