"""A small venue on a local chain, with every kind of instrument and a book that is drawn once from a fixed seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from oracle.chain.contract import Contract
from oracle.chain.deployment import (
    Deployment,
    SeedAccount,
    UnderlyingTerms,
    VenueTerms,
    deploy_demo,
    open_venue,
    push_rounds,
    push_slices,
)
from oracle.chain.devnet import mine_at
from oracle.chain.transactor import Transactor
from oracle.config import ContractSettings, PriceSettings, Settings
from oracle.types import BlockStamp, Bounds, Instrument, InstrumentKind, PriceRounds, SurfaceSlice, Timing

TIMING = Timing(heartbeat_seconds=3_600, dwell_seconds=1_800, minimum_delay_seconds=60)
HOURS_OF_ROUNDS = 72
DAY_SECONDS = 86_400
SYMBOLS = ("BTC", "ETH")
PRICES_E8 = (6_000_000_000_000, 300_000_000_000)
NODES_PPM = (720_000, 660_000, 620_000, 600_000, 610_000, 640_000, 690_000)
CARRY_PPM = 40_000
FUNDING_CAP_PPM_HOURLY = 500
INSTRUMENTS = 6
DEFAULT_PRICES = PriceSettings()
GUARDIAN = "0x" + "09" * 20
SIGNERS = ("0x" + "01" * 20, "0x" + "02" * 20, "0x" + "03" * 20)


@dataclass(frozen=True)
class Market:
    """Limits that differ from field to field, so that a reader that swaps two is found out."""

    market_id: int
    initial: Bounds = Bounds(1_000, 1_000_000, 500_000, 10_000, 0, 20_000)
    maintenance: Bounds = Bounds(500, 900_000, 0, 0, 30_000, 40_000)
    slope: Bounds = Bounds(0, 100_000, 500_000, 5_000, 0, 6_000)

    @property
    def name(self) -> str:
        return f"market {self.market_id}"

    @property
    def fallback_initial_ppm(self) -> int:
        return 100_000 + self.market_id


@dataclass(frozen=True)
class Venue:
    """The contracts, and a block at which everything is fresh and funding is pending."""

    contracts: Deployment
    expiries: tuple[int, int]
    first_round_timestamp: int
    stamp: BlockStamp

    @property
    def exchange(self) -> Contract:
        return self.contracts.exchange

    @property
    def feeds(self) -> tuple[Contract, ...]:
        return self.contracts.feeds

    def settings(self, *, deployed_lens: bool = False, prices: PriceSettings = DEFAULT_PRICES) -> Settings:
        """Return a configuration that points here."""
        addresses = ContractSettings(
            oracle=self.contracts.oracle.address,
            exchange=self.exchange.address,
            lens=self.contracts.lens.address if deployed_lens else "",
        )
        return Settings(contracts=addresses, prices=prices)


def deploy_venue(deployer: Transactor, seed: Callable[[Contract], None]) -> Venue:
    """Deploy everything, push prices and volatilities, seed the exchange, open, and wait ten minutes of chain time."""
    now = deployer.client.head().timestamp
    expiries = (now - now % DAY_SECONDS + 7 * DAY_SECONDS, now - now % DAY_SECONDS + 30 * DAY_SECONDS)
    instruments = list_of_instruments(expiries)
    terms = VenueTerms(
        timing=TIMING,
        guardian=GUARDIAN,
        owner_delay_seconds=172_800,
        signers=SIGNERS,
        threshold=2,
        step_threshold=3,
        underlyings=tuple(UnderlyingTerms(symbol, FUNDING_CAP_PPM_HOURLY, 10**12) for symbol in SYMBOLS),
        markets=[Market(instrument.market_id) for instrument in instruments],
        instruments=instruments,
    )
    contracts = deploy_demo(deployer, terms)
    for feed, price_e8 in zip(contracts.feeds, PRICES_E8, strict=True):
        push_rounds(deployer, feed, wobbling_rounds(price_e8, now))
    push_surface(deployer, contracts.surface, expiries)
    seed(contracts.exchange)
    open_venue(deployer, contracts.exchange)
    stamp = mine_at(deployer.client, deployer.client.head().timestamp + 600)
    return Venue(contracts, expiries, now - HOURS_OF_ROUNDS * 3_600, stamp)


def list_of_instruments(expiries: tuple[int, int]) -> tuple[Instrument, ...]:
    """Return one instrument of each kind and a second perpetual and future, each its own market."""
    near, far = expiries
    rows = (
        (InstrumentKind.PERPETUAL, 0, 0, 0),
        (InstrumentKind.PERPETUAL, 1, 0, 0),
        (InstrumentKind.FUTURE, 0, 0, near),
        (InstrumentKind.CALL, 0, PRICES_E8[0], near),
        (InstrumentKind.PUT, 1, PRICES_E8[1], far),
        (InstrumentKind.FUTURE, 1, 0, far),
    )
    return tuple(
        Instrument(place, kind, underlying, place + 1, strike_e8, expiry, 0)
        for place, (kind, underlying, strike_e8, expiry) in enumerate(rows)
    )


def wobbling_rounds(price_e8: int, now: int) -> PriceRounds:
    """Return a round for each of the last hours, the last one now."""
    hours_back = np.arange(HOURS_OF_ROUNDS, -1, -1, dtype=np.int64)
    wobble = hours_back * 37 % 21 - 10
    return PriceRounds(timestamp=now - 3_600 * hours_back, price_e8=price_e8 + price_e8 // 1_000 * wobble)


def push_surface(deployer: Transactor, surface: Contract, expiries: Sequence[int]) -> None:
    """Push a slice for each underlying and expiry."""
    slices = [SurfaceSlice(which, expiry, NODES_PPM, CARRY_PPM, 0) for which in (0, 1) for expiry in expiries]
    push_slices(deployer, surface, slices)


def draw_accounts(count: int, positions: int | None = None, seed: int = 7) -> list[SeedAccount]:
    """Return accounts with up to five positions each, or exactly `positions`, long and short, some in debt."""
    source = random.Random(seed)
    drawn = []
    for _ in range(count):
        held = source.sample(range(INSTRUMENTS), source.randint(0, 5) if positions is None else positions)
        sizes = tuple((instrument, source.choice((-1, 1)) * source.randint(1, 5 * 10**8)) for instrument in held)
        drawn.append(SeedAccount("0x" + source.randbytes(20).hex(), source.randint(-(10**9), 10**12), sizes))
    return drawn
