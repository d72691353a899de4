"""Prices: each bad round refused by name, a feed walked back within its phase, hourly closes against a plain loop."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.errors import BadHistory, BadPrice
from oracle.readers.prices import check_price, check_rounds, hourly_closes, rounds_since
from oracle.types import PriceRounds, Underlying

pytestmark = pytest.mark.fast

NOW = 1_700_000_000
PHASE_SIX = 6 << 64
BTC = Underlying("BTC", "0x" + "11" * 20, 6_000_000_000_000, NOW - 60, PHASE_SIX | 5, 10, 100)
CHAINLINK_ROUNDS = Path(__file__).parents[3] / "shared" / "data" / "chainlink_rounds.csv.gz"


def series(*rounds: tuple[int, int]) -> PriceRounds:
    times, prices = zip(*rounds, strict=True) if rounds else ((), ())
    return PriceRounds(np.array(times, dtype=np.int64), np.array(prices, dtype=np.int64))


class Feed:
    """Rounds of one aggregator, round 1 first, read as the lens reads them."""

    def __init__(self, rounds: list[tuple[int, int]], phase: int = 6) -> None:
        self.rounds, self.phase = rounds, phase
        self.asked: list[tuple[int, int]] = []

    def underlying(self) -> Underlying:
        last = len(self.rounds)
        time, price = self.rounds[-1]
        return replace(BTC, price_e8=price, price_timestamp=time, round_id=(self.phase << 64) | last)

    def read(self, last_round_id: int, count: int) -> PriceRounds:
        phase, last = divmod(last_round_id, 2**64)
        assert phase == self.phase
        self.asked.append((last, count))
        return series(*self.rounds[max(last - count, 0) : last][::-1])


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"price_e8": 0}, "BTC price 0e-8.*not positive"),
        ({"price_e8": -5}, "BTC price -5e-8.*not positive"),
        ({"price_timestamp": 0}, "has no time.*incomplete"),
        ({"price_timestamp": NOW + 1}, "1 s in the future"),
        ({"price_timestamp": NOW - 3_601}, "3601 s old, 3600 s allowed.*maximum_price_age_seconds"),
    ],
)
def test_a_bad_price_is_refused_with_value_and_remedy(fault: dict[str, Any], words: str) -> None:
    with pytest.raises(BadPrice, match=words) as caught:
        check_price(replace(BTC, **fault), NOW, 3_600)
    assert caught.value.remedy


def test_a_price_of_exactly_the_largest_age_passes() -> None:
    check_price(replace(BTC, price_timestamp=NOW - 3_600), NOW, 3_600)
    check_price(replace(BTC, price_timestamp=NOW), NOW, 3_600)


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ([(100, 10), (200, 0)], "0e-8 at 200 is not positive"),
        ([(100, 10), (200, -1), (300, 10)], "-1e-8 at 200 is not positive"),
        ([(0, 10), (200, 10)], "has no time"),
        ([(200, 10), (199, 10)], "10e-8 at 199 is earlier"),
        ([(100, 10), (NOW + 1, 10)], "later than the block"),
        ([(100, 1_000), (200, 11_000)], "differs more than 10 times"),
        ([(100, 11_000), (200, 1_000)], "differs more than 10 times"),
    ],
)
def test_a_bad_round_is_refused_with_value_and_remedy(rounds: list[tuple[int, int]], words: str) -> None:
    with pytest.raises(BadPrice, match=words) as caught:
        check_rounds("BTC", series(*rounds), NOW)
    assert caught.value.remedy


def test_rounds_with_equal_times_and_a_tenfold_move_pass() -> None:
    check_rounds("BTC", series((100, 1_000), (100, 10_000), (NOW, 1_000)), NOW)
    check_rounds("BTC", series(), NOW)


def test_incident_i7_price_of_another_scale_is_refused() -> None:
    """Pyth, 2021-09-20: BTC at 5,402 USD since a float became 0 and an exponent was misread."""
    with pytest.raises(BadPrice):
        check_price(replace(BTC, price_e8=0), NOW, 3_600)
    with pytest.raises(BadPrice, match="differs more than 10 times"):
        check_rounds("BTC", series((NOW - 60, 6_000_000_000_000), (NOW - 30, 60_000)), NOW)


def test_incident_i8_like_price_a_thousand_times_too_high_is_refused() -> None:
    """Synthetix sKRW, 2019-06: a thousandfold price was averaged in; nothing is averaged here, the round stops it."""
    with pytest.raises(BadPrice, match="83000000e-8 at 120 differs more than 10 times"):
        check_rounds("KRW", series((60, 83_000), (120, 83_000_000)), NOW)


@st.composite
def feeds(draw: st.DrawFn) -> list[tuple[int, int]]:
    times = sorted(draw(st.lists(st.integers(1, 60), min_size=1, max_size=40)))
    return [(time * 1_000, draw(st.integers(1, 10**12))) for time in times]


@settings(deadline=None)
@given(feeds(), st.integers(1, 61), st.integers(1, 50))
def test_rounds_reach_back_to_the_last_one_at_or_before(
    rounds: list[tuple[int, int]], since: int, per_call: int
) -> None:
    feed = Feed(rounds)
    before = [index for index, (time, _) in enumerate(rounds) if time <= since * 1_000]
    if not before:
        with pytest.raises(BadHistory, match=f"reaches back to {rounds[0][0]} in its phase 6"):
            rounds_since(feed.underlying(), since * 1_000, feed.read, per_call)
        return
    found = rounds_since(feed.underlying(), since * 1_000, feed.read, per_call)
    assert list(zip(found.timestamp.tolist(), found.price_e8.tolist(), strict=True)) == rounds[before[-1] :]


def test_the_walk_ends_at_the_first_round_of_the_phase() -> None:
    feed = Feed([(1_000 * n, 10**8) for n in range(5, 12)], phase=3)
    with pytest.raises(BadHistory, match="reaches back to 5000 in its phase 3, 4999 is needed") as caught:
        rounds_since(feed.underlying(), 4_999, feed.read, 3)
    assert "calibrate" in caught.value.remedy
    assert min(last - count for last, count in feed.asked) == 0


def test_a_missing_round_ends_the_walk() -> None:
    feed = Feed([(1_000 * n, 10**8) for n in range(1, 12)])

    def read(last_round_id: int, count: int) -> PriceRounds:
        found = feed.read(last_round_id, count)
        kept = found.timestamp > 3_000
        return PriceRounds(found.timestamp[kept], found.price_e8[kept])

    with pytest.raises(BadHistory, match="reaches back to 4000"):
        rounds_since(feed.underlying(), 1_500, read, 5)


def test_an_answer_cut_short_by_gas_is_asked_for_again() -> None:
    feed = Feed([(1_000 * n, 10**8 + n) for n in range(1, 40)])

    def read(last_round_id: int, count: int) -> PriceRounds:
        return feed.read(last_round_id, min(count, 3))

    found = rounds_since(feed.underlying(), 2_000, read, 16)
    assert found.timestamp.tolist() == [1_000 * n for n in range(2, 40)]
    assert found.price_e8.tolist() == [10**8 + n for n in range(2, 40)]


def test_a_feed_without_rounds_is_refused() -> None:
    with pytest.raises(BadHistory, match="no time at all"):
        rounds_since(replace(BTC, round_id=PHASE_SIX), 1_500, lambda last, count: series(), 4)


def closes_naively(rounds: list[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    closes = []
    for hour in range(first, last + 1):
        price = 0
        for time, answer in rounds:
            if time <= hour * 3_600:
                price = answer
        closes.append((hour, price))
    return closes


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(3_600, 40 * 3_600), st.integers(1, 10**12)), min_size=1, max_size=60),
    st.integers(1, 45),
    st.integers(0, 45),
)
def test_hourly_closes_equal_a_plain_loop(rounds: list[tuple[int, int]], first: int, last: int) -> None:
    rounds = sorted(rounds, key=lambda one: one[0])
    if last >= first and rounds[0][0] > first * 3_600:
        with pytest.raises(BadHistory, match=f"at or before hour {first}"):
            hourly_closes(series(*rounds), first, last)
        return
    hour, close = hourly_closes(series(*rounds), first, last)
    assert hour.dtype == close.dtype == np.dtype(np.int64)
    assert list(zip(hour.tolist(), close.tolist(), strict=True)) == closes_naively(rounds, first, last)


def test_a_round_on_the_hour_counts_and_one_second_later_does_not() -> None:
    hour, close = hourly_closes(series((3_600, 1), (7_200, 2), (7_201, 3)), 1, 3)
    assert hour.tolist() == [1, 2, 3]
    assert close.tolist() == [1, 2, 3]
    assert hourly_closes(series((7_199, 1), (7_201, 3)), 2, 2)[1].tolist() == [1]


def test_rounds_of_mainnet_feeds_give_hourly_closes() -> None:
    """Real rounds of Chainlink's BTC/USD and ETH/USD proxies, phase 6; read from the shared data where present."""
    if not CHAINLINK_ROUNDS.is_file():
        pytest.skip(f"no real rounds: {CHAINLINK_ROUNDS} is absent")
    with gzip.open(CHAINLINK_ROUNDS, "rt") as file:
        rows = [row for row in csv.DictReader(file) if row["feed"] == "BTC/USD"]
    phase = int(rows[0]["phase_id"])
    assert all(int(row["round_id"]) == (phase << 64) | int(row["aggregator_round"]) for row in rows)
    first = int(rows[0]["aggregator_round"])
    assert [int(row["aggregator_round"]) for row in rows] == list(range(first, first + len(rows)))
    feed = Feed([(int(row["updated_at"]), int(row["answer"])) for row in rows], phase)
    last_time = feed.rounds[-1][0]
    since = last_time - 30 * 86_400
    found = rounds_since(feed.underlying(), since, feed.read)
    check_rounds("BTC", found, last_time)
    first_hour, last_hour = -(-since // 3_600), last_time // 3_600
    hour, close = hourly_closes(found, first_hour, last_hour)
    assert list(zip(hour.tolist(), close.tolist(), strict=True)) == closes_naively(feed.rounds, first_hour, last_hour)
