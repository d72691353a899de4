"""Prices of AggregatorV3 feeds: what a round must satisfy, a feed's rounds back to a time, closes at full hours.

A price at an hour is the last round stamped at or before it, so every keeper reads the same hourly history from the
chain alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory, BadPrice, CallTooLarge
from oracle.readers.batches import in_batches
from oracle.types import PriceRounds, Underlying
from oracle.units import SECONDS_PER_HOUR

FEED_DECIMALS = 8
ROUNDS_PER_CALL = 500
MAXIMUM_ROUND_RATIO = 10
"""Largest ratio of two rounds in a row, either way: beyond it a change of scale is likelier than a price move."""

_FIRST_ROUND_OF_NEXT_PHASE = 2**64

ReadRounds = Callable[[int, int], PriceRounds]
"""(last round id, most rounds) -> rounds, newest first; fewer than asked when an earlier round is missing."""


def check_price(underlying: Underlying, block_timestamp: int, maximum_age_seconds: int) -> None:
    """Check a feed's last round at the block.

    Raises
    ------
    BadPrice
        If the answer is not positive, the round is incomplete, later than the block, or too old.
    """
    name = f"{underlying.symbol} price {underlying.price_e8}e-8 of feed {underlying.feed}"
    if underlying.price_e8 <= 0:
        raise BadPrice(f"{name} is not positive", "the feed is out of order: nothing is published until it answers")
    if underlying.price_timestamp == 0:
        raise BadPrice(f"{name} has no time: its round {underlying.round_id} is incomplete", "wait for a full round")
    age = block_timestamp - underlying.price_timestamp
    if age < 0:
        raise BadPrice(f"{name} is {-age} s in the future of the block", "check the feed's clock and the endpoint")
    if age > maximum_age_seconds:
        raise BadPrice(
            f"{name} is {age} s old, {maximum_age_seconds} s allowed",
            "wait for the feed to update; prices.maximum_price_age_seconds must cover the feed's heartbeat",
        )


def check_rounds(symbol: str, rounds: PriceRounds, block_timestamp: int) -> None:
    """Check a series of rounds, oldest first.

    Raises
    ------
    BadPrice
        If a price is not positive, a time is missing, falls, or is later than the block, or the price changes by
        more than `MAXIMUM_ROUND_RATIO` between two rounds (a feed that changed its scale).
    """
    time, price = rounds.timestamp, rounds.price_e8
    _refuse(price <= 0, symbol, rounds, "is not positive")
    _refuse(time <= 0, symbol, rounds, "has no time")
    _refuse(time > block_timestamp, symbol, rounds, f"is later than the block ({block_timestamp})")
    _refuse(np.concatenate([[False], np.diff(time) < 0]), symbol, rounds, "is earlier than the round before it")
    low, high = np.minimum(price[1:], price[:-1]), np.maximum(price[1:], price[:-1])
    jumps = np.concatenate([[False], high // MAXIMUM_ROUND_RATIO > low])
    _refuse(jumps, symbol, rounds, f"differs more than {MAXIMUM_ROUND_RATIO} times from the round before it")


def rounds_since(
    underlying: Underlying, since_timestamp: int, read: ReadRounds, rounds_per_call: int = ROUNDS_PER_CALL
) -> PriceRounds:
    """Return a feed's rounds from the last one at or before `since_timestamp` up to its last one, oldest first.

    Walks back from the last round. A round id of a Chainlink proxy holds the phase in its upper 16 of 80 bits and
    the aggregator's own round below: the walk ends at the phase's first round, since ids of another phase do not
    follow on and its aggregator may count otherwise.

    Parameters
    ----------
    underlying : Underlying
        With the last round at the block.
    since_timestamp : int
        Unix seconds.
    read : ReadRounds
        One call to the chain.

    Raises
    ------
    BadHistory
        If the phase's first round is reached, or a round is missing, before the time is.
    """
    phase, last_round = divmod(underlying.round_id, _FIRST_ROUND_OF_NEXT_PHASE)
    parts: list[PriceRounds] = []

    def one_call(start: int, count: int) -> PriceRounds:
        part = read(underlying.round_id - start, count)
        # A lens that runs out of gas inside the feed answers short, as it does at a missing round: ask for less.
        if len(part.timestamp) < count and count > 1 and not np.any(part.timestamp <= since_timestamp):
            raise CallTooLarge(f"{underlying.symbol} feed {underlying.feed}: {count} rounds asked for, fewer given")
        return part

    for _, _, part in in_batches(last_round, one_call, rounds_per_call):
        reached = np.flatnonzero(part.timestamp <= since_timestamp)
        if len(reached):
            keep = int(reached[0]) + 1
            parts.append(PriceRounds(part.timestamp[:keep], part.price_e8[:keep]))
            return _oldest_first(parts)
        if len(part.timestamp) == 0:
            break
        parts.append(part)
    oldest = parts[-1].timestamp[-1] if parts else "no time at all"
    raise BadHistory(
        f"{underlying.symbol} feed {underlying.feed} reaches back to {oldest} in its phase {phase}, "
        f"{since_timestamp} is needed",
        "calibrate up to a later hour, so that less is needed from the feed",
    )


def hourly_closes(rounds: PriceRounds, first_hour: int, last_hour: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the price at each full hour: the last round stamped at or before it.

    Parameters
    ----------
    rounds : PriceRounds
        In time order; of rounds with one time the last counts.
    first_hour, last_hour : int
        Hours since the Unix epoch, both included; none when `last_hour` is below `first_hour`.

    Returns
    -------
    hour : int64 array
        Hours since the Unix epoch.
    close_e8 : int64 array
        USD with 8 decimals.

    Raises
    ------
    BadHistory
        If no round lies at or before the first hour.
    """
    hour = np.arange(first_hour, last_hour + 1, dtype=np.int64)
    index = np.searchsorted(rounds.timestamp, hour * SECONDS_PER_HOUR, side="right") - 1
    if len(index) and index[0] < 0:
        raise BadHistory(f"no price round at or before hour {first_hour}", "read the rounds from an earlier time")
    return hour, rounds.price_e8[index]


def _oldest_first(parts: Sequence[PriceRounds]) -> PriceRounds:
    return PriceRounds(
        timestamp=np.concatenate([part.timestamp for part in parts])[::-1].copy(),
        price_e8=np.concatenate([part.price_e8 for part in parts])[::-1].copy(),
    )


def _refuse(bad: NDArray[np.bool_], symbol: str, rounds: PriceRounds, why: str) -> None:
    if np.any(bad):
        where = int(np.flatnonzero(bad)[0])
        raise BadPrice(
            f"{symbol} round {int(rounds.price_e8[where])}e-8 at {int(rounds.timestamp[where])} {why}",
            "check the feed; a calibration that ends after this round does not need it",
        )
