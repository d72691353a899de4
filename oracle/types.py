"""The nouns of the line: block, snapshot, book, report, decision; frozen, integers only.

block -> snapshot -> book -> scenarios -> report -> decision -> signatures -> transaction -> journal
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import overload

import numpy as np
from numpy.typing import NDArray

SURFACE_NODES = 7
"""Nodes of a volatility slice, at x = -3 ... 3 standard deviations of log-moneyness; see `SurfaceSlice`."""


@dataclass(frozen=True, slots=True)
class BlockStamp:
    """A block by its hash; every read of a cycle is made at it."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int


class InstrumentKind(IntEnum):
    """What can be held; the numbers are the venue's and the engine's."""

    PERPETUAL = 0
    FUTURE = 1
    CALL = 2
    PUT = 3


@dataclass(frozen=True, slots=True)
class Underlying:
    """An asset with the feed's last round at the block; the price in USD with 8 decimals."""

    symbol: str
    feed: str
    price_e8: int
    price_timestamp: int
    round_id: int
    funding_rate_ppm_hourly: int
    """Paid by longs to shorts when positive, ppm of notional an hour, perpetuals only."""
    funding_cap_ppm_hourly: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """A listed instrument. `strike_e8` is 0 for all but options, `expiry_timestamp` 0 for perpetuals."""

    instrument_id: int
    kind: InstrumentKind
    underlying: int
    market_id: int
    strike_e8: int
    expiry_timestamp: int
    settlement_price_e8: int
    """0 until settled."""


@dataclass(frozen=True, slots=True)
class SurfaceSlice:
    """Implied volatilities of one underlying and expiry.

    `nodes_ppm` are annual volatilities at x = -3 ... 3, x = ln(K/F) / (atm sqrt(T)); linear between, flat beyond.
    `carry_ppm` is the annual simple carry: forward = spot (1 + carry T), T in years of 365 days.
    """

    underlying: int
    expiry_timestamp: int
    nodes_ppm: tuple[int, ...]
    carry_ppm: int
    updated_timestamp: int


@dataclass(frozen=True, slots=True)
class Markets:
    """What a venue lists at the block, in its own order; `Instrument.underlying` is an index into `underlyings`."""

    underlyings: tuple[Underlying, ...]
    instruments: tuple[Instrument, ...]
    slices: tuple[SurfaceSlice, ...]


@dataclass(frozen=True, slots=True)
class PriceRounds:
    """A feed's rounds in time order: Unix seconds and USD with 8 decimals."""

    timestamp: NDArray[np.int64]
    price_e8: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AccountBook:
    """Accounts and positions in columns; positions of account i are [indptr[i], indptr[i + 1])."""

    address: NDArray[np.uint8]
    """Shape (accounts, 20)."""
    position_version: NDArray[np.uint64]
    cash_micro: NDArray[np.int64]
    indptr: NDArray[np.int64]
    instrument_id: NDArray[np.int32]
    size_lots: NDArray[np.int64]
    """Lots of 1e-8 contract; negative is short."""

    def __len__(self) -> int:
        return len(self.cash_micro)

    def part(self, first: int, last: int) -> AccountBook:
        """Return the accounts from `first` to before `last` as a book of views, the position bounds apart."""
        bounds = self.indptr[first : last + 1]
        accounts, positions = slice(first, last), slice(bounds[0], bounds[-1])
        return AccountBook(
            self.address[accounts],
            self.position_version[accounts],
            self.cash_micro[accounts],
            bounds - bounds[0],
            self.instrument_id[positions],
            self.size_lots[positions],
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """The contract's limits for one field group; see `IMarginOracle.Bounds`."""

    minimum: int
    maximum: int
    step_relative_ppm: int
    step_minimum: int
    rise_hourly: int
    fall_hourly: int


@dataclass(frozen=True, slots=True)
class MarketMargin:
    """The tuple of one market: ppm of notional, slopes in ppm per million USD."""

    market_id: int
    initial_long_ppm: int
    initial_short_ppm: int
    maintenance_long_ppm: int
    maintenance_short_ppm: int
    slope_long_ppm: int
    slope_short_ppm: int

    def values(self) -> tuple[int, int, int, int, int, int]:
        """Return the six values in the contract's order."""
        initial = self.initial_long_ppm, self.initial_short_ppm
        maintenance = self.maintenance_long_ppm, self.maintenance_short_ppm
        return *initial, *maintenance, self.slope_long_ppm, self.slope_short_ppm


@dataclass(frozen=True, slots=True)
class PendingMargin:
    """A looser tuple that waits; `effective_timestamp` is when it may come in force."""

    margin: MarketMargin
    effective_timestamp: int


@dataclass(frozen=True, slots=True)
class PostedMarket:
    """A market as the contract holds it; `reference_timestamp` 0 means never posted."""

    market_id: int
    margin: MarketMargin
    reference_timestamp: int
    pending: PendingMargin | None
    last_rise_timestamp: int
    """Reference time of the last rise; of one long ago, some later time."""
    is_corrected: bool
    """Whether that rise was a correction within the minimum delay."""
    fallback_initial_ppm: int
    initial: Bounds
    maintenance: Bounds
    slope: Bounds


@dataclass(frozen=True, slots=True)
class Timing:
    """How the contract times reports and reads; see `IMarginOracle.Timing`."""

    heartbeat_seconds: int
    dwell_seconds: int
    minimum_delay_seconds: int


@dataclass(frozen=True, slots=True)
class OracleState:
    """The oracle contract at the block."""

    address: str
    signer_set_epoch: int
    signer_set_hash: bytes
    last_sequence: int
    last_reference_block: int
    last_reference_timestamp: int
    timing: Timing
    is_paused: bool
    markets: tuple[PostedMarket, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a cycle needs, read at one block hash."""

    chain_id: int
    stamp: BlockStamp
    oracle: OracleState
    underlyings: tuple[Underlying, ...]
    instruments: tuple[Instrument, ...]
    slices: tuple[SurfaceSlice, ...]
    rounds: tuple[PriceRounds, ...]
    """One per underlying, from the last round at or before the artefact's last hour up to the block."""
    book: AccountBook


@dataclass(frozen=True, slots=True, eq=False)
class Labels(Sequence[str]):
    """One of a few names for each of many rows, kept as a byte each; reads as a sequence of names."""

    names: tuple[str, ...]
    code: NDArray[np.int8]
    """Index into `names`, shape (rows,)."""

    def __len__(self) -> int:
        return len(self.code)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Labels: ...
    def __getitem__(self, row: int | slice) -> str | Labels:
        return Labels(self.names, self.code[row]) if isinstance(row, slice) else self.names[self.code[row]]


@dataclass(frozen=True, slots=True)
class AccountRequirements:
    """Requirements in the order of the book, whole micro-USD, rounded up."""

    initial_micro: NDArray[np.int64]
    maintenance_micro: NDArray[np.int64]
    equity_micro: NDArray[np.int64]
    """Cash plus the marks of all positions, rounded down."""
    binding: Labels
    """The component that binds the initial requirement, one name an account."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """What the engine said, as integers, with the details that go with the report."""

    markets: tuple[MarketMargin, ...]
    accounts: AccountRequirements
    model_hash: bytes
    details: dict[str, object] = field(hash=False)
    """JSON-ready: inputs, targets, bounds, binding components, assumptions; integers, strings and lists only."""


@dataclass(frozen=True, slots=True)
class MarginReport:
    """What the quorum signs; field for field `IMarginOracle.Report`."""

    signer_set_epoch: int
    sequence: int
    reference_block: int
    reference_block_hash: bytes
    reference_timestamp: int
    valid_until: int
    model_hash: bytes
    details_hash: bytes
    accounts_root: bytes
    account_count: int
    exceeds_step: bool
    markets: tuple[MarketMargin, ...]


@dataclass(frozen=True, slots=True)
class SignerSet:
    """The signers that the contract accepts, addresses ascending."""

    epoch: int
    threshold: int
    step_threshold: int
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """A compact signature (ERC-2098) and who gave it."""

    signer: str
    r: bytes
    vs: bytes


@dataclass(frozen=True, slots=True)
class Update:
    """Decision: publish this report, for this reason."""

    report: MarginReport
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Decision: publish nothing, for this reason."""

    reason: str


Decision = Update | Hold
