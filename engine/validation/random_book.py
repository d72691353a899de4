"""Markets and books of any size for benchmarks and load tests: all invented, nothing stored.

Account i is a function of the seed and i alone (a counter through the mixer of SplitMix64), so a book of a million
accounts takes no memory and is the same in blocks of any size.

Source of the mixer: G. L. Steele, D. Lea, C. H. Flood (2014), Fast splittable pseudorandom number generators, OOPSLA,
figure 17.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments, Kind, Positions
from engine.errors import InvalidInput
from engine.market import AT_THE_MONEY, MarketState
from engine.streaming import AccountBlock

SYMBOLS = ("BTC", "ETH", "SOL", "AVAX", "LINK")
EXPIRY_DAYS = (1, 7, 14, 30, 60, 90, 180)
SECONDS_A_DAY, DAYS_A_YEAR = 86_400, 365
VOLATILITY, SMILE_CURVATURE, CARRY = 0.7, 0.01, 0.04
STRIKE_SPAN = 1.5
"""Strikes lie within so many deviations of spot."""
LARGEST_LOTS = 1_000
LOT_USD = 100.0
"""A position is 1 to `LARGEST_LOTS` lots of so much notional at spot, long or short alike."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def counter_bits(seed: int, counter: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return 64 mixed bits for each counter of a stream."""
    z = (counter + np.uint64(1)) * _GAMMA + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


def invented_market(spot: NDArray[np.float64]) -> MarketState:
    """Return the `SYMBOLS` at these prices, with a mild smile at each of `EXPIRY_DAYS` that allows no arbitrage."""
    underlyings, expiries = len(SYMBOLS), len(EXPIRY_DAYS)
    owner = np.repeat(np.arange(underlyings, dtype=np.int32), expiries)
    seconds = np.tile(np.array(EXPIRY_DAYS) * SECONDS_A_DAY, underlyings)
    x = np.arange(7.0) - AT_THE_MONEY
    return MarketState(
        symbols=SYMBOLS,
        spot=spot,
        slice_underlying=owner,
        slice_seconds=seconds,
        forward=spot[owner] * (1.0 + CARRY * seconds / (DAYS_A_YEAR * SECONDS_A_DAY)),
        vol_nodes=np.tile(VOLATILITY * (1.0 + SMILE_CURVATURE * x * x), (seconds.size, 1)),
        discount=np.ones(seconds.size),
        funding_rate_hourly=np.full(underlyings, 1e-5),
        funding_cap_hourly=np.full(underlyings, 1e-4),
    )


def invented_instruments(market: MarketState, count: int) -> Instruments:
    """Return so many instruments, an equal number of each underlying.

    Of each underlying a perpetual, then futures, then calls and puts, strike by strike at all expiries.

    Raises
    ------
    InvalidInput
        If `count` is not a positive multiple of the number of underlyings.
    """
    underlyings = len(market.symbols)
    if count <= 0 or count % underlyings:
        raise InvalidInput(f"{count} instruments: give a positive multiple of {underlyings}")
    each, expiries = count // underlyings, len(EXPIRY_DAYS)
    strikes = max(-(-(each - 1 - expiries) // (2 * expiries)), 1)
    rows = [(Kind.PERPETUAL, -1, 0.0), *((Kind.FUTURE, e, 0.0) for e in range(expiries))]
    for place in np.linspace(-STRIKE_SPAN, STRIKE_SPAN, strikes) if strikes > 1 else [0.0]:
        rows += [(kind, e, float(place)) for e in range(expiries) for kind in (Kind.CALL, Kind.PUT)]
    kind, expiry, place = (np.array(column) for column in zip(*rows[:each], strict=True))
    underlying = np.repeat(np.arange(underlyings, dtype=np.int32), each)
    kind, expiry, place = (np.tile(column, underlyings) for column in (kind, expiry, place))
    slice_ = np.where(expiry >= 0, underlying * expiries + expiry, -1)
    seconds = np.where(expiry >= 0, market.slice_seconds[np.maximum(slice_, 0)], 0)
    deviation = VOLATILITY * np.sqrt(seconds / (DAYS_A_YEAR * SECONDS_A_DAY))
    strike = np.where(kind >= Kind.CALL, market.spot[underlying] * (1.0 + place * np.minimum(deviation, 0.5)), 0.0)
    market_id = underlying * len(Kind) + kind
    return Instruments(kind, underlying, market_id, slice_, seconds, strike, np.ones(count), np.zeros(count, bool))


@dataclass(frozen=True)
class RandomBook:
    """Accounts of so many random positions each, over all instruments alike.

    Attributes
    ----------
    instruments : Instruments
    market : MarketState
        Gives the prices by which a lot is made into contracts.
    accounts, positions : int
        Number of accounts, and of positions of each.
    seed : int
    """

    instruments: Instruments
    market: MarketState
    accounts: int
    positions: int
    seed: int = 1

    def block(self, first: int, last: int) -> Positions:
        """Return the accounts from `first` to before `last`."""
        counter = np.arange(2 * first * self.positions, 2 * last * self.positions, dtype=np.uint64)
        bits = counter_bits(self.seed, counter).reshape(-1, 2)
        instrument = (bits[:, 0] % np.uint64(len(self.instruments))).astype(np.int32)
        lots = 1.0 + (bits[:, 1] >> np.uint64(1)) % np.uint64(LARGEST_LOTS)
        side = np.where(bits[:, 1] & np.uint64(1), 1.0, -1.0)
        contracts_a_lot = LOT_USD / self.market.spot[self.instruments.underlying]
        indptr = np.arange(last - first + 1, dtype=np.int64) * self.positions
        return Positions(indptr, instrument, side * lots * contracts_a_lot[instrument])

    def blocks(self, accounts: int) -> Iterator[AccountBlock]:
        """Yield the book in blocks of so many accounts."""
        for first in range(0, self.accounts, accounts):
            yield AccountBlock(self.block(first, min(first + accounts, self.accounts)))
