"""A book of any size: the market is priced once, then accounts are charged block by block.

What an account is asked depends on no other account, so neither the size of the blocks nor their order changes a
byte; memory is that of the priced tables and of one block, whatever the number of accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property, reduce

import numpy as np

from engine.book import Collateral, Instruments, Positions, check_book, check_collateral
from engine.charge import PricedBook, charge_accounts, scenario_set_hash, worse_ratios, worse_requirements
from engine.errors import EngineError, InvalidInput, UnmodelledAccount
from engine.evaluation import AccountRequirements, Haircuts, MarketRatios
from engine.rows import cut_into_rows
from engine.unmodelled import Unmodelled, worst_cases

BLOCK_ACCOUNTS = 16_384
"""Accounts charged at a time: enough for every thread, and their rows and figures stay below the priced tables."""


@dataclass(frozen=True, slots=True)
class AccountBlock:
    """Consecutive accounts: what they hold, what they have pledged, and what they hold that has no model."""

    positions: Positions
    collateral: Collateral | None = None
    unmodelled: Unmodelled | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def check(self, instruments: Instruments) -> None:
        """Raise `InvalidInput` when a position or a token is not listed, or the parts are not of the same accounts."""
        check_book(instruments, self.positions)
        if self.collateral is not None:
            check_collateral(instruments, self.collateral, len(self))
        if self.unmodelled is not None and len(self.unmodelled.held) != len(self):
            raise InvalidInput(
                f"what has no model is of {len(self.unmodelled.held)} accounts, positions are of {len(self)}"
            )


@dataclass(frozen=True)
class PricedMarket:
    """A market that is ready to charge any account.

    Attributes
    ----------
    books : tuple of PricedBook
        The market as quoted and, where its surface allows arbitrage, as repaired; the worse counts.
    assumptions : tuple of str
        What the figures rest on and do not cover, one sentence each.
    """

    books: tuple[PricedBook, ...]
    assumptions: tuple[str, ...]

    @cached_property
    def markets(self) -> MarketRatios:
        """Ratios of every market."""
        return reduce(worse_ratios, (book.markets for book in self.books))

    @cached_property
    def scenario_set_hash(self) -> str:
        """Sha256 (hex) of every scenario that was used, in order."""
        return scenario_set_hash(self.books)

    @property
    def haircuts(self) -> Haircuts:
        """Stand-alone haircuts of the tokens; what one may lose does not hang on a surface, the first state's do."""
        return self.books[0].haircuts

    def charge(self, block: AccountBlock) -> AccountRequirements:
        """Return the requirements of some accounts.

        Raises
        ------
        InvalidInput
            If the block does not fit the instruments; see `AccountBlock.check`.
        UnmodelledAccount
            If an account is short of what has neither a model nor a worst case.
        NonFiniteResult
            If a figure is not finite. Every message names the account, counted within the block.
        """
        instruments = self.books[0].problem.instruments
        block.check(instruments)
        worst = None if block.unmodelled is None else worst_cases(block.unmodelled)
        rows = cut_into_rows(instruments, block.positions)
        charged = (charge_accounts(book, rows, block.collateral, worst) for book in self.books)
        return reduce(worse_requirements, charged)


def charge_blocks(
    priced: PricedMarket, blocks: Iterable[AccountBlock], first_account: int = 0
) -> Iterator[AccountRequirements]:
    """Yield the requirements of each block as it is taken from `blocks`, which may be an iterator.

    Parameters
    ----------
    priced : PricedMarket
    blocks : iterable of AccountBlock
        Consecutive accounts; of any sizes, empty ones included.
    first_account : int
        What number the first account has in the whole book, for messages.

    Raises
    ------
    UnmodelledAccount
        As `PricedMarket.charge`, the account counted in the whole book.
    InvalidInput, NonFiniteResult
        As `PricedMarket.charge`; of a later block the message says from which account on it counts.
    """
    first = first_account
    for block in blocks:
        try:
            charged = priced.charge(block)
        except UnmodelledAccount as error:
            raise UnmodelledAccount(first + error.account, error.why) from error
        except EngineError as error:
            raise type(error)(f"counting from account {first}: {error}" if first else str(error)) from error
        yield charged
        first += len(block)


def cut_into_blocks(whole: AccountBlock, accounts: int = BLOCK_ACCOUNTS) -> Iterator[AccountBlock]:
    """Yield a book in blocks of so many accounts; an empty book is one empty block."""
    pledged, lacking = whole.collateral, whole.unmodelled
    for first in range(0, max(len(whole), 1), accounts):
        last = min(first + accounts, len(whole))
        yield AccountBlock(
            _part(whole.positions, first, last),
            None if pledged is None else replace(pledged, held=_part(pledged.held, first, last)),
            None if lacking is None else replace(lacking, held=_part(lacking.held, first, last)),
        )


def _part(positions: Positions, first: int, last: int) -> Positions:
    indptr = positions.indptr[first : last + 1]
    held = slice(indptr[0], indptr[-1])
    return Positions(indptr - indptr[0], positions.instrument[held], positions.quantity[held])


def join_blocks(blocks: Iterable[AccountRequirements]) -> AccountRequirements:
    """Return the requirements of at least one block as one record, in the given order."""
    held = tuple(blocks)
    names = [one.name for one in fields(AccountRequirements)]
    return AccountRequirements(**{name: np.concatenate([getattr(one, name) for one in held]) for name in names})
