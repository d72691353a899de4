"""Reports, states and books for the tests of what is signed and posted; every value has a name or a strategy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from eth_account import Account
from eth_utils.address import to_canonical_address
from hypothesis import strategies as st

from oracle.report import Domain
from oracle.signer import KeystoreSigner
from oracle.types import (
    AccountBook,
    AccountRequirements,
    BlockStamp,
    Bounds,
    Labels,
    MarginReport,
    MarketMargin,
    OracleState,
    PendingMargin,
    PostedMarket,
    SignerSet,
    Snapshot,
    Timing,
    Valuation,
)

NOW = 1_800_000_000
HEARTBEAT_SECONDS = 3_600
DOMAIN = Domain(31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
STAMP = BlockStamp(100, b"\x0b" * 32, b"\x0a" * 32, NOW)

SIGNER_ACCOUNTS = tuple(
    sorted((Account.from_key(bytes([n]) * 32) for n in (1, 2, 3)), key=lambda account: int(account.address, 16))
)
SIGNER_SET = SignerSet(1, 2, 3, tuple(account.address for account in SIGNER_ACCOUNTS))

INITIAL_BOUNDS = Bounds(1_000, 900_000, 200_000, 2_000, 0, 36_000)
MAINTENANCE_BOUNDS = Bounds(500, 800_000, 0, 0, 18_000, 36_000)
SLOPE_BOUNDS = Bounds(0, 500_000, 500_000, 1_000, 0, 36_000)


def signers(domain: Domain = DOMAIN) -> tuple[KeystoreSigner, ...]:
    """Return the three signers, ascending."""
    return tuple(KeystoreSigner(account, domain) for account in SIGNER_ACCOUNTS)


def margin(market_id: int = 1, initial: int = 100_000, maintenance: int = 60_000, slope: int = 5_000) -> MarketMargin:
    """Return a tuple that is alike for long and short."""
    return MarketMargin(market_id, initial, initial, maintenance, maintenance, slope, slope)


def posted(
    current: MarketMargin,
    age_seconds: int | None = 600,
    pending: PendingMargin | None = None,
    rose_seconds_ago: int = 65_535,
    is_corrected: bool = False,
) -> PostedMarket:
    """Return a market in force since so long; None: never posted."""
    is_posted = age_seconds is not None
    return PostedMarket(
        market_id=current.market_id,
        margin=current if is_posted else MarketMargin(current.market_id, 0, 0, 0, 0, 0, 0),
        reference_timestamp=NOW - age_seconds if age_seconds is not None else 0,
        pending=pending if is_posted else None,
        last_rise_timestamp=NOW - rose_seconds_ago if is_posted else 0,
        is_corrected=is_corrected and is_posted,
        fallback_initial_ppm=200_000,
        initial=INITIAL_BOUNDS,
        maintenance=MAINTENANCE_BOUNDS,
        slope=SLOPE_BOUNDS,
    )


def state(
    *markets: PostedMarket,
    last_sequence: int = 7,
    age_seconds: int = 600,
    dwell_seconds: int = 0,
    minimum_delay_seconds: int = 0,
) -> OracleState:
    """Return the contract as it would be with these markets."""
    return OracleState(
        address=DOMAIN.address,
        signer_set_epoch=1,
        signer_set_hash=b"\x05" * 32,
        last_sequence=last_sequence,
        last_reference_block=90,
        last_reference_timestamp=NOW - age_seconds,
        timing=Timing(HEARTBEAT_SECONDS, dwell_seconds, minimum_delay_seconds),
        is_paused=False,
        markets=markets,
    )


def report(*markets: MarketMargin, exceeds_step: bool = False, account_count: int = 0) -> MarginReport:
    """Return the report at `STAMP` that follows `state()`."""
    return MarginReport(
        signer_set_epoch=1,
        sequence=8,
        reference_block=STAMP.number,
        reference_block_hash=STAMP.hash,
        reference_timestamp=STAMP.timestamp,
        valid_until=STAMP.timestamp + 1_800,
        model_hash=b"\x01" * 32,
        details_hash=b"\x02" * 32,
        accounts_root=b"\x03" * 32,
        account_count=account_count,
        exceeds_step=exceeds_step,
        markets=markets,
    )


def book(count: int) -> AccountBook:
    """Return so many accounts without positions, all different, in no order."""
    address = np.zeros((count, 20), dtype=np.uint8)
    for index in range(count):
        address[index] = np.frombuffer(to_canonical_address(f"0x{(index * 7919 + 13) % 99_991:040x}"), dtype=np.uint8)
    return AccountBook(
        address=address,
        position_version=np.arange(count, dtype=np.uint64) + np.uint64(2**63),
        cash_micro=np.zeros(count, dtype=np.int64),
        indptr=np.zeros(count + 1, dtype=np.int64),
        instrument_id=np.zeros(0, dtype=np.int32),
        size_lots=np.zeros(0, dtype=np.int64),
    )


def requirements(count: int) -> AccountRequirements:
    """Return requirements that use the whole range of micro-USD."""
    maintenance = np.arange(count, dtype=np.int64) * 1_234_567_890_123
    return AccountRequirements(maintenance + 5, maintenance, maintenance, Labels(("model",), np.zeros(count, np.int8)))


def snapshot(count: int, chain_id: int = DOMAIN.chain_id) -> Snapshot:
    """Return a snapshot with so many accounts and no market data."""
    return Snapshot(chain_id, STAMP, state(), (), (), (), (), book(count))


def valuation(count: int, *markets: MarketMargin) -> Valuation:
    """Return what the engine would say of `snapshot(count)`."""
    return Valuation(markets, requirements(count), b"\x01" * 32, {"assumptions": ["simulated"], "seed": 5})


uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
bytes32 = st.binary(min_size=32, max_size=32)


@st.composite
def any_reports(draw: st.DrawFn, most_markets: int = 5) -> MarginReport:
    """Draw a report with any value that its fields can hold; markets ascending."""
    ids = sorted(draw(st.sets(uint32, max_size=most_markets)))
    markets = tuple(MarketMargin(each, *(draw(uint32) for _ in range(6))) for each in ids)
    return MarginReport(
        draw(uint32),
        draw(uint64),
        draw(uint64),
        draw(bytes32),
        draw(uint64),
        draw(uint64),
        draw(bytes32),
        draw(bytes32),
        draw(bytes32),
        draw(uint32),
        draw(st.booleans()),
        markets,
    )


@st.composite
def tuples_near(draw: st.DrawFn, market_id: int, highest: int = 1_000_000) -> MarketMargin:
    """Draw a tuple, mostly sound, around and beyond the bounds above."""
    values = []
    for _ in range(2):
        first, second = draw(st.integers(0, highest)), draw(st.integers(0, highest))
        values.append((max(first, second), min(first, second)))
    (initial_long, maintenance_long), (initial_short, maintenance_short) = values
    slopes = draw(st.tuples(st.integers(0, 600_000), st.integers(0, 600_000)))
    return MarketMargin(market_id, initial_long, initial_short, maintenance_long, maintenance_short, *slopes)


def with_epoch(signer_set: SignerSet, epoch: int) -> SignerSet:
    """Return the same signers for another epoch."""
    return replace(signer_set, epoch=epoch)
