"""The reader against a real venue on Anvil: equal to reading one by one, whatever the lens and the node's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oracle.chain.client import ChainClient
from oracle.chain.contract import Contract, load_artefact
from oracle.chain.deployment import seed_accounts
from oracle.chain.devnet import mine, mine_at, reorganise
from oracle.chain.submission import deploy, execute
from oracle.chain.transactor import Transactor
from oracle.config import PriceSettings
from oracle.errors import (
    BadArtefact,
    BadBook,
    BadHistory,
    BadPrice,
    BadSurface,
    BlockUnavailable,
    CallReverted,
    OracleError,
    WrongContract,
)
from oracle.readers.agreement import AGGREGATOR_V3, check_feed
from oracle.readers.demo_exchange import DemoExchangeReader
from oracle.readers.lens import Lens
from oracle.readers.oracle_state import read_oracle_state
from oracle.readers.packed import decode_rounds
from oracle.readers.prices import rounds_since
from oracle.readers.protocol import ProtocolReader
from oracle.snapshot import describe_snapshot, read_snapshot
from oracle.types import AccountBook, BlockStamp, InstrumentKind
from tests.venue import (
    HOURS_OF_ROUNDS,
    NODES_PPM,
    TIMING,
    Market,
    Venue,
    deploy_venue,
    draw_accounts,
    push_surface,
)

pytestmark = pytest.mark.chain

ACCOUNTS = draw_accounts(60)
NOWHERE = "0x00000000000000000000000000000000000000A1"


@pytest.fixture(scope="module")
def session_venue(session_deployer: Transactor) -> Venue:
    return deploy_venue(session_deployer, lambda exchange: seed_accounts(session_deployer, exchange, ACCOUNTS))


@pytest.fixture
def venue(session_venue: Venue, client: ChainClient) -> Iterator[Venue]:
    """The venue; what a test does to it is undone after it."""
    yield session_venue


def reader_of(client: ChainClient, venue: Venue, lens: Lens | None = None, first_batch: int = 1_000) -> ProtocolReader:
    return DemoExchangeReader(client, venue.exchange.address, lens or Lens(client), first_batch)


def last_hour_of(venue: Venue) -> int:
    return venue.stamp.timestamp // 3_600 - 24


def require_equal(mine: AccountBook, theirs: AccountBook) -> None:
    for column in AccountBook.__slots__:
        np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column), err_msg=column)


class CountingLens(Lens):
    """Remembers how much was asked for in each call."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.counts: list[int] = []

    def read_accounts(self, exchange: str, start: int, count: int, stamp: BlockStamp) -> bytes:
        self.counts.append(count)
        return super().read_accounts(exchange, start, count, stamp)

    def read_rounds(self, feed: str, last_round_id: int, count: int, stamp: BlockStamp) -> bytes:
        self.counts.append(count)
        return super().read_rounds(feed, last_round_id, count, stamp)


# ---------------------------------------------------------------------- equal to reading one by one


def test_the_book_equals_what_was_seeded_and_what_is_read_one_by_one(client: ChainClient, venue: Venue) -> None:
    book = reader_of(client, venue).read_book(venue.stamp)
    assert len(book) == len(ACCOUNTS) == venue.exchange.call(venue.stamp, "accountCount")
    for index, account in enumerate(ACCOUNTS):
        first, end = book.indptr[index], book.indptr[index + 1]
        ids, sizes = book.instrument_id[first:end].tolist(), book.size_lots[first:end].tolist()
        assert "0x" + book.address[index].tobytes().hex() == account.address
        assert tuple(zip(ids, sizes, strict=True)) == account.positions
        own_ids, own_sizes = venue.exchange.call(venue.stamp, "positionsOf", account.address)
        assert (list(own_ids), list(own_sizes)) == (ids, sizes)
        _, version, _ = venue.exchange.call(venue.stamp, "accountState", account.address)
        assert version == book.position_version[index] == 1


def test_cash_holds_pending_funding_so_that_equity_is_the_venues_own(client: ChainClient, venue: Venue) -> None:
    book = reader_of(client, venue).read_book(venue.stamp)
    marks = [venue.exchange.call(venue.stamp, "markE8", instrument) for instrument in range(6)]
    funded = 0
    for index, account in enumerate(ACCOUNTS):
        value = sum(size * marks[instrument] // 10**10 for instrument, size in account.positions)
        assert int(book.cash_micro[index]) + value == venue.exchange.call(venue.stamp, "equityMicro", account.address)
        funded += int(book.cash_micro[index]) != account.cash_micro
    assert funded > 20


def test_the_listing_equals_the_venues_own_views(client: ChainClient, venue: Venue) -> None:
    markets = reader_of(client, venue).read_markets(venue.stamp)
    assert [underlying.symbol for underlying in markets.underlyings] == ["BTC", "ETH"]
    for place, underlying in enumerate(markets.underlyings):
        assert underlying.feed == venue.feeds[place].address
        latest = venue.feeds[place].call(venue.stamp, "latestRoundData")
        assert (underlying.round_id, underlying.price_e8, underlying.price_timestamp) == (
            latest[0],
            latest[1],
            latest[3],
        )
        rate = venue.exchange.call(venue.stamp, "fundingRatePpmHourly", place)
        assert (underlying.funding_rate_ppm_hourly, underlying.funding_cap_ppm_hourly) == (rate, 500)
    assert [instrument.kind for instrument in markets.instruments] == [
        InstrumentKind.PERPETUAL,
        InstrumentKind.PERPETUAL,
        InstrumentKind.FUTURE,
        InstrumentKind.CALL,
        InstrumentKind.PUT,
        InstrumentKind.FUTURE,
    ]
    for instrument in markets.instruments:
        own = venue.exchange.call(venue.stamp, "instrumentAt", instrument.instrument_id)
        assert (own.underlying, own.marketId, own.strikeE8, own.expiry, own.settlementPriceE8) == (
            instrument.underlying,
            instrument.market_id,
            instrument.strike_e8,
            instrument.expiry_timestamp,
            instrument.settlement_price_e8,
        )
    keys = {(item.underlying, item.expiry_timestamp) for item in markets.slices}
    assert keys == {(0, venue.expiries[0]), (1, venue.expiries[1])}
    assert all(item.nodes_ppm == NODES_PPM and item.carry_ppm == 40_000 for item in markets.slices)


def test_rounds_equal_the_feeds_read_one_by_one(client: ChainClient, venue: Venue) -> None:
    reader = reader_of(client, venue)
    since = venue.first_round_timestamp + 10 * 3_600 + 5
    series = reader.read_rounds(reader.read_markets(venue.stamp), since, venue.stamp)
    for feed, rounds in zip(venue.feeds, series, strict=True):
        own = [feed.call(venue.stamp, "getRoundData", round_id) for round_id in range(11, HOURS_OF_ROUNDS + 2)]
        assert rounds.price_e8.tolist() == [one[1] for one in own]
        assert rounds.timestamp.tolist() == [one[3] for one in own]


def test_a_lens_by_state_override_equals_the_deployed_one(client: ChainClient, venue: Venue) -> None:
    override, deployed = reader_of(client, venue), reader_of(client, venue, Lens(client, venue.contracts.lens.address))
    markets = override.read_markets(venue.stamp)
    assert markets == deployed.read_markets(venue.stamp)
    require_equal(override.read_book(venue.stamp), deployed.read_book(venue.stamp))
    since = venue.first_round_timestamp
    ours, theirs = (reader.read_rounds(markets, since, venue.stamp) for reader in (override, deployed))
    np.testing.assert_array_equal([one.price_e8 for one in ours], [one.price_e8 for one in theirs])
    np.testing.assert_array_equal([one.timestamp for one in ours], [one.timestamp for one in theirs])


# ---------------------------------------------------------------------- limits of a node


def test_batches_halve_under_a_low_gas_cap_and_read_the_same_book(client: ChainClient, venue: Venue) -> None:
    whole = reader_of(client, venue).read_book(venue.stamp)
    lens = CountingLens(client, gas=500_000)
    require_equal(reader_of(client, venue, lens, first_batch=60).read_book(venue.stamp), whole)
    assert lens.counts[:2] == [60, 30]
    assert len(lens.counts) > 4


def test_a_cap_too_low_for_one_account_is_an_error_and_no_part_of_a_book(client: ChainClient, venue: Venue) -> None:
    lens = CountingLens(client, gas=60_000)
    with pytest.raises(OracleError):
        reader_of(client, venue, lens).read_book(venue.stamp)
    assert lens.counts[-1] == 1


def test_rounds_halve_under_a_low_gas_cap_and_read_the_same(client: ChainClient, venue: Venue) -> None:
    underlying = reader_of(client, venue).read_markets(venue.stamp).underlyings[0]
    lens = CountingLens(client, gas=150_000)
    rounds = rounds_since(
        underlying,
        venue.first_round_timestamp,
        lambda last, count: decode_rounds(lens.read_rounds(underlying.feed, last, count, venue.stamp)),
    )
    assert len(rounds.timestamp) == HOURS_OF_ROUNDS + 1
    assert max(lens.counts) == HOURS_OF_ROUNDS + 1
    assert len(lens.counts) > 4


# ---------------------------------------------------------------------- the block


def test_an_orphaned_block_is_refused(client: ChainClient, venue: Venue) -> None:
    orphan = mine(client)
    reader_of(client, venue).read_book(orphan)
    reorganise(client, 1)
    for read in (
        lambda: reader_of(client, venue).read_book(orphan),
        lambda: reader_of(client, venue).read_markets(orphan),
        lambda: read_snapshot(client, venue.settings(), orphan, last_hour_of(venue)),
    ):
        with pytest.raises(BlockUnavailable):
            read()


def test_a_later_block_does_not_change_what_is_read_at_an_earlier_one(
    client: ChainClient, venue: Venue, deployer: Transactor
) -> None:
    before = describe_snapshot(read_snapshot(client, venue.settings(), venue.stamp, last_hour_of(venue)))
    execute(deployer, venue.feeds[0], "push", 123, client.head().timestamp)
    push_surface(deployer, venue.contracts.surface, venue.expiries)
    mine_at(client, client.head().timestamp + 86_400)
    after = describe_snapshot(read_snapshot(client, venue.settings(), venue.stamp, last_hour_of(venue)))
    assert before == after


# ---------------------------------------------------------------------- the snapshot


def test_a_snapshot_holds_the_oracles_state(client: ChainClient, venue: Venue) -> None:
    snapshot = read_snapshot(client, venue.settings(deployed_lens=True), venue.stamp, last_hour_of(venue))
    oracle = snapshot.oracle
    assert (snapshot.chain_id, snapshot.stamp) == (client.chain_id, venue.stamp)
    assert (oracle.address, oracle.timing, oracle.is_paused) == (venue.contracts.oracle.address, TIMING, False)
    assert oracle.signer_set_epoch == venue.contracts.oracle.call(venue.stamp, "signerSetEpoch")
    assert oracle.signer_set_hash == venue.contracts.oracle.call(venue.stamp, "signerSetHash")
    assert (oracle.last_sequence, oracle.last_reference_block, oracle.last_reference_timestamp) == (0, 0, 0)
    assert [market.market_id for market in oracle.markets] == [1, 2, 3, 4, 5, 6]
    for market in oracle.markets:
        assert (market.reference_timestamp, market.pending, market.is_corrected) == (0, None, False)
        assert market.margin.values() == (0, 0, 0, 0, 0, 0)
        configured = Market(market.market_id)
        assert (market.initial, market.maintenance, market.slope) == (
            configured.initial,
            configured.maintenance,
            configured.slope,
        )
        assert market.fallback_initial_ppm == configured.fallback_initial_ppm
    since = last_hour_of(venue) * 3_600
    assert all(int(rounds.timestamp[0]) <= since < int(rounds.timestamp[1]) for rounds in snapshot.rounds)


def test_the_calibrations_last_hour_must_lie_between_the_first_round_and_the_block(
    client: ChainClient, venue: Venue
) -> None:
    with pytest.raises(BadArtefact, match="after block"):
        read_snapshot(client, venue.settings(), venue.stamp, venue.stamp.timestamp // 3_600 + 1)
    first = venue.first_round_timestamp
    with pytest.raises(BadHistory, match=f"BTC feed .* reaches back to {first} in its phase 0"):
        read_snapshot(client, venue.settings(), venue.stamp, (first - 1) // 3_600)


def test_a_market_that_the_oracle_does_not_know_is_refused(
    client: ChainClient, venue: Venue, deployer: Transactor
) -> None:
    execute(deployer, venue.exchange, "listInstrument", 0, 0, 77, 0, 0)
    with pytest.raises(BadBook, match="lists market 77.*configureMarket"):
        read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


# ---------------------------------------------------------------------- bad prices and surfaces


def test_incident_i3_a_feed_that_stopped_is_refused(client: ChainClient, venue: Venue, deployer: Transactor) -> None:
    """LUNA, 2022-05: one feed went silent while the others went on; no snapshot is made of the rest."""
    late = mine_at(client, venue.stamp.timestamp + 2 * 3_600)
    execute(deployer, venue.feeds[0], "push", 5_900_000_000_000, late.timestamp)
    with pytest.raises(BadPrice, match="ETH price .* s old, 3900 s allowed"):
        read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


def test_incident_i11_the_largest_age_is_the_configured_one(client: ChainClient, venue: Venue) -> None:
    """Flatmoney #155: the reader's limit is the operator's key, whatever the venue itself would still accept."""
    strict = venue.settings(prices=PriceSettings(maximum_price_age_seconds=300))
    venue.exchange.call(venue.stamp, "markE8", 0)
    with pytest.raises(BadPrice, match="300 s allowed"):
        read_snapshot(client, strict, venue.stamp, last_hour_of(venue))


@pytest.mark.parametrize("answer", [0, -1])
def test_incident_i7_a_price_that_is_not_positive_is_refused(
    client: ChainClient, venue: Venue, deployer: Transactor, answer: int
) -> None:
    """Pyth, 2021-09-20: a price became 0 and was used."""
    execute(deployer, venue.feeds[1], "push", answer, client.head().timestamp)
    with pytest.raises(BadPrice, match=f"ETH price {answer}e-8.*not positive"):
        read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


def test_incident_i8_like_a_thousandfold_price_is_refused(
    client: ChainClient, venue: Venue, deployer: Transactor
) -> None:
    """Synthetix sKRW, 2019-06: the right number in the wrong unit; refused even after the feed has come back."""
    execute(deployer, venue.feeds[0], "push", 6_000_000_000_000_000, client.head().timestamp)
    execute(deployer, venue.feeds[0], "push", 6_000_000_000_000, client.head().timestamp)
    with pytest.raises(BadPrice, match="BTC round 6000000000000000e-8 .* differs more than 10 times"):
        read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


def test_a_feed_without_a_round_is_refused(client: ChainClient, venue: Venue, deployer: Transactor) -> None:
    empty = deploy(deployer, load_artefact("DemoFeed"), deployer.address, "SOL / USD")
    execute(deployer, venue.exchange, "addUnderlying", "SOL", empty.address, 500, 10**12)
    with pytest.raises(BadPrice, match=f"SOL feed {empty.address} does not answer"):
        read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


def test_a_stale_surface_is_refused_and_one_that_was_never_pushed_is_left_to_the_valuation(
    client: ChainClient, venue: Venue, deployer: Transactor
) -> None:
    stale = PriceSettings(maximum_price_age_seconds=100_000, maximum_surface_age_seconds=60)
    with pytest.raises(BadSurface, match="s old, 60 s allowed"):
        read_snapshot(client, venue.settings(prices=stale), venue.stamp, last_hour_of(venue))
    execute(deployer, venue.exchange, "listInstrument", 2, 1, 5, 10**11, venue.expiries[0] + 86_400)
    read_snapshot(client, venue.settings(), client.head(), last_hour_of(venue))


def test_an_expired_instrument_that_is_held_stops_the_snapshot_until_it_is_settled(
    client: ChainClient, venue: Venue, deployer: Transactor
) -> None:
    near = venue.expiries[0]
    mine_at(client, near + 60)
    for feed, price in zip(venue.feeds, (6_000_000_000_000, 300_000_000_000), strict=True):
        execute(deployer, feed, "pushMany", [price, price + 1], [near, near + 30])
    push_surface(deployer, venue.contracts.surface, venue.expiries[1:])
    last_hour = near // 3_600 - 1
    with pytest.raises(BadBook, match="expired at .* call settle\\([23], roundId\\)"):
        read_snapshot(client, venue.settings(), client.head(), last_hour)
    for instrument in (2, 3):
        execute(deployer, venue.exchange, "settle", instrument, HOURS_OF_ROUNDS + 2)
    snapshot = read_snapshot(client, venue.settings(), client.head(), last_hour)
    assert snapshot.instruments[2].settlement_price_e8 == 6_000_000_000_000
    assert {item.expiry_timestamp for item in snapshot.slices} == {venue.expiries[1]}


# ---------------------------------------------------------------------- wrong contracts


def test_a_wrong_address_is_named(client: ChainClient, venue: Venue) -> None:
    stamp = venue.stamp
    with pytest.raises(WrongContract, match="no contract at 0x0+A1.*DemoExchange"):
        DemoExchangeReader(client, NOWHERE, Lens(client)).read_markets(stamp)
    with pytest.raises(WrongContract, match="BookLens.readMarkets returned 0 bytes"):
        reader_of(client, venue, Lens(client, NOWHERE)).read_markets(stamp)
    with pytest.raises((WrongContract, CallReverted)):
        DemoExchangeReader(client, venue.contracts.oracle.address, Lens(client)).read_book(stamp)
    with pytest.raises(WrongContract, match="no contract at 0x0+A1.*MarginOracle"):
        read_oracle_state(client, NOWHERE, [1], stamp)
    with pytest.raises(WrongContract, match="expected MarginOracle version 1"):
        read_oracle_state(client, venue.exchange.address, [1], stamp)


class ForgingLens(Lens):
    """Takes one micro-USD or one lot from what it was told."""

    def read_accounts(self, exchange: str, start: int, count: int, stamp: BlockStamp) -> bytes:
        packed = bytearray(super().read_accounts(exchange, start, count, stamp))
        for word in range(2 * count, len(packed) // 32):
            packed[32 * word + 31] ^= 1
        return bytes(packed)


def test_a_lens_that_forges_positions_is_found_out(client: ChainClient, venue: Venue) -> None:
    with pytest.raises(BadBook, match="at the venue and .* through the lens"):
        reader_of(client, venue, ForgingLens(client)).read_book(venue.stamp)


def test_a_venue_that_sees_another_price_than_its_feed_is_found_out(client: ChainClient, venue: Venue) -> None:
    underlying = reader_of(client, venue).read_markets(venue.stamp).underlyings[0]
    feed = Contract(client, venue.feeds[0].address, AGGREGATOR_V3)
    check_feed(feed, underlying, venue.stamp)
    with pytest.raises(BadPrice, match="says \\(round, answer, time\\)"):
        check_feed(feed, replace(underlying, price_e8=underlying.price_e8 + 1), venue.stamp)
