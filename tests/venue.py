"""A small venue on a local chain, with every kind of instrument and a book that is drawn once from a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from oracle.chain.contract import Contract, load_artefact
from oracle.chain.devnet import mine_at
from oracle.chain.submission import deploy, execute
from oracle.chain.transactor import Transactor
from oracle.config import ContractSettings, PriceSettings, Settings
from oracle.types import BlockStamp, InstrumentKind

HEARTBEAT_SECONDS = 3_600
HOURS_OF_ROUNDS = 72
DAY_SECONDS = 86_400
BTC_E8, ETH_E8 = 6_000_000_000_000, 300_000_000_000
NODES_PPM = (720_000, 660_000, 620_000, 600_000, 610_000, 640_000, 690_000)
INITIAL_BOUNDS = (1_000, 1_000_000, 500_000, 10_000, 0, 20_000)
MAINTENANCE_BOUNDS = (500, 900_000, 0, 0, 30_000, 40_000)
SLOPE_BOUNDS = (0, 100_000, 500_000, 5_000, 0, 6_000)
DEFAULT_PRICES = PriceSettings()

Seed = tuple[str, int, list[tuple[int, int]]]
"""Address, cash in micro-USD, positions of (instrument id, lots)."""


@dataclass(frozen=True)
class Venue:
    """The contracts, and a block at which everything is fresh and funding is pending."""

    oracle: Contract
    exchange: Contract
    lens: Contract
    surface: Contract
    feeds: tuple[Contract, ...]
    expiries: tuple[int, int]
    first_round_timestamp: int
    stamp: BlockStamp

    def settings(self, *, deployed_lens: bool = False, prices: PriceSettings = DEFAULT_PRICES) -> Settings:
        """Return a configuration that points here."""
        contracts = ContractSettings(
            oracle=self.oracle.address,
            exchange=self.exchange.address,
            lens=self.lens.address if deployed_lens else "",
        )
        return Settings(contracts=contracts, prices=prices)


def deploy_venue(deployer: Transactor, accounts: Sequence[Seed], accounts_per_transaction: int = 100) -> Venue:
    """Deploy oracle, feeds, surface and venue, list instruments, push prices, seed accounts, open."""
    owner = deployer.address
    now = deployer.client.head().timestamp
    oracle = deploy(deployer, load_artefact("MarginOracle"), owner, 0, HEARTBEAT_SECONDS)
    surface = deploy(deployer, load_artefact("DemoSurfaceFeed"), owner)
    dollar = deploy(deployer, load_artefact("DemoDollar"))
    exchange = deploy(deployer, load_artefact("DemoExchange"), owner, oracle.address, dollar.address, surface.address)
    lens = deploy(deployer, load_artefact("BookLens"))
    feeds = []
    for symbol, price_e8 in (("BTC", BTC_E8), ("ETH", ETH_E8)):
        feed = deploy(deployer, load_artefact("DemoFeed"), owner, f"{symbol} / USD")
        execute(deployer, exchange, "addUnderlying", symbol, feed.address, 500, 10_000 * 10**8)
        push_hourly(deployer, feed, price_e8, now)
        feeds.append(feed)
    expiries = (now - now % DAY_SECONDS + 7 * DAY_SECONDS, now - now % DAY_SECONDS + 30 * DAY_SECONDS)
    _list_instruments(deployer, exchange, oracle, expiries)
    push_slices(deployer, surface, expiries)
    for start in range(0, len(accounts), accounts_per_transaction):
        execute(deployer, exchange, "seedAccounts", pack_seeds(accounts[start : start + accounts_per_transaction]))
    execute(deployer, exchange, "open")
    stamp = mine_at(deployer.client, deployer.client.head().timestamp + 600)
    first_round = now - HOURS_OF_ROUNDS * 3_600
    return Venue(oracle, exchange, lens, surface, tuple(feeds), expiries, first_round, stamp)


def push_hourly(deployer: Transactor, feed: Contract, price_e8: int, now: int) -> None:
    """Push a wobbling price for each of the last hours, the last one now."""
    times = [now - 3_600 * back for back in range(HOURS_OF_ROUNDS, -1, -1)]
    answers = [price_e8 + price_e8 * (index * 37 % 21 - 10) // 1_000 for index in range(len(times))]
    execute(deployer, feed, "pushMany", answers, times)


def push_slices(deployer: Transactor, surface: Contract, expiries: Sequence[int]) -> None:
    """Push a slice for each underlying and expiry."""
    for underlying in (0, 1):
        for expiry in expiries:
            execute(deployer, surface, "push", underlying, expiry, NODES_PPM, 40_000)


def draw_accounts(count: int, positions: int | None = None, seed: int = 7) -> list[Seed]:
    """Return accounts with up to five positions each, or exactly `positions`, long and short, some in debt."""
    source = random.Random(seed)
    drawn: list[Seed] = []
    for _ in range(count):
        held = source.sample(range(6), source.randint(0, 5) if positions is None else positions)
        sizes = [(instrument, source.choice((-1, 1)) * source.randint(1, 5 * 10**8)) for instrument in held]
        drawn.append(("0x" + source.randbytes(20).hex(), source.randint(-(10**9), 10**12), sizes))
    return drawn


def pack_seeds(accounts: Sequence[Seed]) -> bytes:
    """Return accounts as `DemoExchange.seedAccounts` takes them."""
    parts = []
    for address, cash_micro, held in accounts:
        parts += [bytes.fromhex(address[2:]), cash_micro.to_bytes(8, signed=True), len(held).to_bytes(1)]
        parts += [instrument.to_bytes(4) + size.to_bytes(8, signed=True) for instrument, size in held]
    return b"".join(parts)


def _list_instruments(deployer: Transactor, exchange: Contract, oracle: Contract, expiries: tuple[int, int]) -> None:
    near, far = expiries
    listing = (
        (InstrumentKind.PERPETUAL, 0, 1, 0, 0),
        (InstrumentKind.PERPETUAL, 1, 2, 0, 0),
        (InstrumentKind.FUTURE, 0, 3, 0, near),
        (InstrumentKind.CALL, 0, 4, BTC_E8, near),
        (InstrumentKind.PUT, 1, 5, ETH_E8, far),
        (InstrumentKind.FUTURE, 1, 6, 0, far),
    )
    for kind, underlying, market_id, strike_e8, expiry in listing:
        execute(deployer, exchange, "listInstrument", int(kind), underlying, market_id, strike_e8, expiry)
        config = (True, 100_000 + market_id, INITIAL_BOUNDS, MAINTENANCE_BOUNDS, SLOPE_BOUNDS)
        execute(deployer, oracle, "configureMarket", market_id, f"market {market_id}", config)
