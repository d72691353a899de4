"""The demonstration's world: contracts deployed on a development chain, a book opened, prices that move."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from eth_account.signers.local import LocalAccount

from oracle.chain.client import ChainClient
from oracle.chain.deployment import (
    Deployment,
    SeedAccount,
    UnderlyingTerms,
    VenueTerms,
    deploy_demo,
    open_venue,
    push_rounds,
    push_slices,
    seed_accounts,
)
from oracle.chain.devnet import set_next_timestamp
from oracle.chain.submission import execute
from oracle.chain.transactor import SendingRules, Transactor
from oracle.demo.catalogue import SYMBOLS, instruments, markets
from oracle.demo.past import Past
from oracle.types import Instrument, InstrumentKind, PriceRounds, SurfaceSlice, Timing
from oracle.units import (
    LOTS_PER_CONTRACT,
    MICRO_PER_USD,
    PPM,
    PRICE_SCALE_E8,
    SECONDS_PER_HOUR,
)

TIMING = Timing(heartbeat_seconds=3_600, dwell_seconds=1_800, minimum_delay_seconds=60)
OWNER_DELAY_SECONDS = 48 * SECONDS_PER_HOUR
THRESHOLD, STEP_THRESHOLD = 2, 3
ACCOUNTS = 240
BOOK_SEED = 7
FUNDING_CAP_PPM_HOURLY = 100
SKEW_SCALE_LOTS = 20_000 * LOTS_PER_CONTRACT
DEFAULT_VOLATILITY_PPM = 600_000
SMILE_PERCENT = (135, 118, 106, 100, 99, 103, 112)
"""Volatility at x = -3 ... 3 as a percentage of the one at the money: puts are dearer, as they are in crypto."""
CARRY_PPM = 50_000
VOLATILITY_RESPONSE_PERCENT = 140
"""Percent by which volatility rises for each percent that the price falls."""
HEDGED_CONTRACTS = 10
HEDGED_EQUITY_MICRO = 4_000 * MICRO_PER_USD
LOT_PRICES_PER_MICRO = LOTS_PER_CONTRACT * PRICE_SCALE_E8 // MICRO_PER_USD
_LOCAL_RULES = SendingRules(poll_seconds=0.02)


@dataclass(frozen=True, slots=True)
class Actors:
    """Who acts in the demonstration; each holds a key of the development chain."""

    owner: Transactor
    trader: Transactor
    leveraged: Transactor
    hedged: Transactor
    liquidator: Transactor
    guardian: Transactor


@dataclass(frozen=True, slots=True)
class World:
    """The contracts and where the market stands."""

    client: ChainClient
    actors: Actors
    deployment: Deployment
    instruments: tuple[Instrument, ...]
    spot_e8: tuple[int, ...]
    volatility_ppm: tuple[int, ...]

    def addresses(self) -> dict[str, str]:
        """Return every contract's address by name."""
        named = {
            "MarginOracle": self.deployment.oracle,
            "DemoExchange": self.deployment.exchange,
            "BookLens": self.deployment.lens,
            "DemoDollar": self.deployment.dollar,
            "DemoSurfaceFeed": self.deployment.surface,
            **{f"{symbol} / USD feed": feed for symbol, feed in zip(SYMBOLS, self.deployment.feeds, strict=True)},
        }
        return {name: contract.address for name, contract in named.items()}


def build_world(client: ChainClient, accounts: Sequence[LocalAccount], past: Past, signers: tuple[str, ...]) -> World:
    """Deploy everything, replay the last hours of the past into the feeds, list, seed the book and open the venue.

    Parameters
    ----------
    client : ChainClient
        A development chain whose head is not before the past's last hour.
    accounts : sequence of LocalAccount
        At least six funded keys of that chain.
    past : Past
    signers : tuple of str
        Three addresses.
    """
    actors = Actors(*(Transactor(client, account, _LOCAL_RULES) for account in accounts[:6]))
    spot_e8 = tuple(int(series.close_e8[-1]) for series in past.replayed)
    listed = instruments(spot_e8, client.head().timestamp)
    terms = VenueTerms(
        timing=TIMING,
        guardian=actors.guardian.address,
        owner_delay_seconds=OWNER_DELAY_SECONDS,
        signers=signers,
        threshold=THRESHOLD,
        step_threshold=STEP_THRESHOLD,
        underlyings=tuple(UnderlyingTerms(symbol, FUNDING_CAP_PPM_HOURLY, SKEW_SCALE_LOTS) for symbol in SYMBOLS),
        markets=markets(),
        instruments=listed,
    )
    deployment = deploy_demo(actors.owner, terms)
    for feed, series in zip(deployment.feeds, past.replayed, strict=True):
        push_rounds(actors.owner, feed, PriceRounds(series.hour * SECONDS_PER_HOUR, series.close_e8))
    world = World(client, actors, deployment, listed, spot_e8, _volatility(past))
    push_slices(actors.owner, deployment.surface, _slices(world))
    seed_accounts(actors.owner, deployment.exchange, [_hedged_account(world), *_drawn_accounts(world)])
    open_venue(actors.owner, deployment.exchange)
    return world


def move_prices(world: World, timestamp: int, moves_ppm: Sequence[int]) -> World:
    """Push a round that moved by so many ppm to each feed, with volatility slices that answer to it.

    Parameters
    ----------
    timestamp : int
        Of the round and of the block, not before the head.
    moves_ppm : sequence of int
        One an underlying.
    """
    spot = tuple(price * (PPM + move) // PPM for price, move in zip(world.spot_e8, moves_ppm, strict=True))
    response = [PPM - move * VOLATILITY_RESPONSE_PERCENT // 100 for move in moves_ppm]
    volatility = tuple(v * r // PPM for v, r in zip(world.volatility_ppm, response, strict=True))
    moved = replace(world, spot_e8=spot, volatility_ppm=volatility)
    if timestamp > world.client.head().timestamp:
        set_next_timestamp(world.client, timestamp)
    for feed, price_e8 in zip(world.deployment.feeds, spot, strict=True):
        execute(world.actors.owner, feed, "push", price_e8, timestamp)
    push_slices(world.actors.owner, world.deployment.surface, _slices(moved))
    return moved


def perpetual(world: World, underlying: int) -> Instrument:
    """Return the perpetual of an underlying."""
    return next(i for i in world.instruments if i.kind is InstrumentKind.PERPETUAL and i.underlying == underlying)


def fund(world: World, actor: Transactor, amount_micro: int) -> None:
    """Mint dollars to an actor and deposit them on the venue."""
    execute(world.actors.owner, world.deployment.dollar, "mint", actor.address, amount_micro)
    execute(actor, world.deployment.dollar, "approve", world.deployment.exchange.address, amount_micro)
    execute(actor, world.deployment.exchange, "deposit", amount_micro)


def _hedged_account(world: World) -> SeedAccount:
    """An account long the perpetual and short the future of one underlying: cheap by proof, dear by ratios."""
    future = next(i for i in world.instruments if i.kind is InstrumentKind.FUTURE and i.underlying == 0)
    size = HEDGED_CONTRACTS * LOTS_PER_CONTRACT
    positions = ((perpetual(world, 0).instrument_id, size), (future.instrument_id, -size))
    return _seed(world, world.actors.hedged.address, HEDGED_EQUITY_MICRO, positions)


def _drawn_accounts(world: World) -> Iterator[SeedAccount]:
    """Accounts with one to five positions of 1,000 to 100,000 USD each, and equity of 8 to 60 % of the largest."""
    source = random.Random(BOOK_SEED)
    for _ in range(ACCOUNTS):
        address = "0x" + source.randbytes(20).hex()
        positions, largest_micro = [], 0
        for instrument_id in source.sample(range(len(world.instruments)), source.randint(1, 5)):
            notional_micro = source.randint(1_000, 100_000) * MICRO_PER_USD
            spot_e8 = world.spot_e8[world.instruments[instrument_id].underlying]
            lots = notional_micro * LOTS_PER_CONTRACT * PRICE_SCALE_E8 // (spot_e8 * MICRO_PER_USD)
            positions.append((instrument_id, source.choice((-1, 1)) * lots))
            largest_micro = max(largest_micro, notional_micro)
        yield _seed(world, address, largest_micro * source.randint(8, 60) // 100, tuple(positions))


def _seed(world: World, address: str, equity_micro: int, positions: tuple[tuple[int, int], ...]) -> SeedAccount:
    """Return an account whose cash is what paying for its positions at the mark leaves of its equity."""
    paid_micro = sum(
        -(-lots * _mark_e8(world, instrument_id) // LOT_PRICES_PER_MICRO) for instrument_id, lots in positions
    )
    return SeedAccount(address, equity_micro - paid_micro, positions)


def _mark_e8(world: World, instrument_id: int) -> int:
    return int(world.deployment.exchange.call(world.client.head(), "markE8", instrument_id))


def _slices(world: World) -> list[SurfaceSlice]:
    dated = sorted({(i.underlying, i.expiry_timestamp) for i in world.instruments if i.expiry_timestamp})
    return [
        SurfaceSlice(
            underlying,
            expiry,
            tuple(world.volatility_ppm[underlying] * percent // 100 for percent in SMILE_PERCENT),
            CARRY_PPM,
            updated_timestamp=0,
        )
        for underlying, expiry in dated
    ]


def _volatility(past: Past) -> tuple[int, ...]:
    last = {series.symbol: int(series.level_ppm[-1]) for series in past.volatility if len(series.level_ppm)}
    return tuple(last.get(symbol, DEFAULT_VOLATILITY_PPM) for symbol in SYMBOLS)
