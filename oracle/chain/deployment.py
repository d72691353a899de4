"""The demonstration venue on a local chain: margin oracle, price and volatility feeds, exchange, dollar and lens.

What is listed and at which limits is passed in; the owner of everything is the transactor's account. After
`deploy_demo` come prices, volatilities, accounts and `open`, each by its own function, since tests differ in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

from oracle.chain.abi import Reasons
from oracle.chain.contract import Artefact, Contract, load_artefact
from oracle.chain.margin_oracle import BlockHashSource
from oracle.chain.submission import deploy, execute
from oracle.chain.transactor import Transactor
from oracle.types import Bounds, Instrument, PriceRounds, SurfaceSlice, Timing

NO_SEQUENCER = ("0x" + "00" * 20, 0)
"""Uptime feed and grace period where there is no L2 sequencer."""

ARTEFACT_NAMES = ("MarginOracle", "DemoExchange", "DemoSurfaceFeed", "DemoFeed", "DemoDollar", "BookLens")
"""Contracts of the demonstration, the one whose errors win first."""

_ROUNDS_PER_TRANSACTION = 500
_ACCOUNTS_PER_TRANSACTION = 64


class MarketTerms(Protocol):
    """A market as its owner configures it on the oracle."""

    @property
    def market_id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def fallback_initial_ppm(self) -> int: ...
    @property
    def initial(self) -> Bounds: ...
    @property
    def maintenance(self) -> Bounds: ...
    @property
    def slope(self) -> Bounds: ...


@dataclass(frozen=True, slots=True)
class UnderlyingTerms:
    """An underlying as the venue lists it."""

    symbol: str
    funding_cap_ppm_hourly: int
    skew_scale_lots: int
    """Net size of all perpetual positions at which funding reaches its cap."""


@dataclass(frozen=True, slots=True)
class VenueTerms:
    """Everything that is decided before deployment."""

    timing: Timing
    guardian: str
    owner_delay_seconds: int
    """How long a change of the owner's waits, from the first report on."""
    signers: tuple[str, ...]
    threshold: int
    step_threshold: int
    underlyings: tuple[UnderlyingTerms, ...]
    markets: Sequence[MarketTerms]
    instruments: Sequence[Instrument]
    """In the order of their ids, from 0."""


@dataclass(frozen=True, slots=True)
class SeedAccount:
    """An account that exists from genesis; instruments distinct, sizes in lots."""

    address: str
    cash_micro: int
    positions: tuple[tuple[int, int], ...]
    """Instrument id and size."""


@dataclass(frozen=True)
class Deployment:
    """The contracts, each naming the errors of all of them, and the first block that concerns them."""

    oracle: Contract
    exchange: Contract
    surface: Contract
    dollar: Contract
    lens: Contract
    feeds: tuple[Contract, ...]
    first_block: int


def deploy_demo(transactor: Transactor, terms: VenueTerms) -> Deployment:
    """Deploy and configure everything; the venue is not open yet and has no prices.

    Raises
    ------
    OracleError
        As `oracle.chain.submission.submit`: a term that a contract refuses is a CallReverted with its reason.
    """
    artefacts = {name: load_artefact(name) for name in ARTEFACT_NAMES}
    reasons = Reasons(*(artefact.interface for artefact in reversed(artefacts.values())))

    def create(name: str, *arguments: object) -> Contract:
        artefact: Artefact = artefacts[name]
        return deploy(transactor, artefact, *arguments, reasons=reasons)

    first_block = transactor.client.head().number + 1
    owner = transactor.address
    limits = (astuple(terms.timing), terms.owner_delay_seconds)
    oracle = create("MarginOracle", (owner, terms.guardian, BlockHashSource.EVM, *limits, *NO_SEQUENCER))
    surface = create("DemoSurfaceFeed", owner)
    dollar = create("DemoDollar")
    exchange = create("DemoExchange", owner, oracle.address, dollar.address, surface.address)
    feeds = tuple(create("DemoFeed", owner, f"{underlying.symbol} / USD") for underlying in terms.underlyings)
    deployment = Deployment(oracle, exchange, surface, dollar, create("BookLens"), feeds, first_block)
    _configure(transactor, deployment, terms)
    return deployment


def push_rounds(transactor: Transactor, feed: Contract, rounds: PriceRounds) -> None:
    """Push prices in time order, none later than the chain's clock."""
    for start in range(0, len(rounds.timestamp), _ROUNDS_PER_TRANSACTION):
        part = slice(start, start + _ROUNDS_PER_TRANSACTION)
        execute(transactor, feed, "pushMany", rounds.price_e8[part].tolist(), rounds.timestamp[part].tolist())


def push_slices(transactor: Transactor, surface: Contract, slices: Sequence[SurfaceSlice]) -> None:
    """Push volatility slices; they are stamped with the time of their block."""
    for one in slices:
        execute(transactor, surface, "push", one.underlying, one.expiry_timestamp, one.nodes_ppm, one.carry_ppm)


def seed_accounts(
    transactor: Transactor,
    exchange: Contract,
    accounts: Sequence[SeedAccount],
    accounts_per_transaction: int = _ACCOUNTS_PER_TRANSACTION,
) -> None:
    """Create accounts with their positions, before the venue opens; their cash is backed by nothing."""
    for start in range(0, len(accounts), accounts_per_transaction):
        chunk = accounts[start : start + accounts_per_transaction]
        execute(transactor, exchange, "seedAccounts", b"".join(_packed(account) for account in chunk))


def open_venue(transactor: Transactor, exchange: Contract) -> None:
    """End genesis: no more seeding, trading and funding begin."""
    execute(transactor, exchange, "open")


def _configure(transactor: Transactor, deployment: Deployment, terms: VenueTerms) -> None:
    ascending = sorted(terms.signers, key=lambda address: int(address, 16))
    execute(transactor, deployment.oracle, "setSigners", (terms.threshold, terms.step_threshold, ascending))
    for market in terms.markets:
        limits = tuple(astuple(group) for group in (market.initial, market.maintenance, market.slope))
        configuration = (True, market.fallback_initial_ppm, *limits)
        execute(transactor, deployment.oracle, "configureMarket", market.market_id, market.name, configuration)
    for underlying, feed in zip(terms.underlyings, deployment.feeds, strict=True):
        funding = (underlying.funding_cap_ppm_hourly, underlying.skew_scale_lots)
        execute(transactor, deployment.exchange, "addUnderlying", underlying.symbol, feed.address, *funding)
    for one in terms.instruments:
        listing = (int(one.kind), one.underlying, one.market_id, one.strike_e8, one.expiry_timestamp)
        execute(transactor, deployment.exchange, "listInstrument", *listing)


def _packed(account: SeedAccount) -> bytes:
    header = bytes.fromhex(account.address.removeprefix("0x")) + account.cash_micro.to_bytes(8, signed=True)
    positions = (instrument_id.to_bytes(4) + size.to_bytes(8, signed=True) for instrument_id, size in account.positions)
    return header + len(account.positions).to_bytes(1) + b"".join(positions)
