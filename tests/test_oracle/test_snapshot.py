"""The pure checks of a snapshot: every input that cannot be valued is refused with its name and a remedy."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.config import PriceSettings
from oracle.errors import BadBook, BadData, BadPrice, BadSurface
from oracle.snapshot import check_positions, check_snapshot, describe_book, describe_snapshot
from oracle.types import (
    AccountBook,
    BlockStamp,
    Instrument,
    InstrumentKind,
    OracleState,
    PriceRounds,
    Snapshot,
    SurfaceSlice,
    Timing,
    Underlying,
)

pytestmark = pytest.mark.fast

NOW = 1_700_000_000
EXPIRY = NOW + 7 * 86_400
LIMITS = PriceSettings()
PERPETUAL = Instrument(0, InstrumentKind.PERPETUAL, 0, 1, 0, 0, 0)
FUTURE = Instrument(1, InstrumentKind.FUTURE, 0, 2, 0, EXPIRY, 0)
CALL = Instrument(2, InstrumentKind.CALL, 0, 3, 6_000_000_000_000, EXPIRY, 0)
SLICE = SurfaceSlice(0, EXPIRY, (700_000, 650_000, 620_000, 600_000, 610_000, 640_000, 680_000), 50_000, NOW - 60)
BTC = Underlying("BTC", "0x" + "11" * 20, 6_000_000_000_000, NOW - 60, 3, 10, 100)
STAMP = BlockStamp(7, bytes(32), bytes(32), NOW)
ORACLE = OracleState("0x" + "22" * 20, 1, bytes(32), 0, 0, 0, Timing(3_600, 0, 0), False, ())


def book_of(*held: list[tuple[int, int]]) -> AccountBook:
    positions = [one for account in held for one in account]
    return AccountBook(
        address=np.array([[0] * 19 + [index + 1] for index in range(len(held))], dtype=np.uint8).reshape(-1, 20),
        position_version=np.ones(len(held), dtype=np.uint64),
        cash_micro=np.full(len(held), 10**9, dtype=np.int64),
        indptr=np.cumsum([0, *(len(account) for account in held)], dtype=np.int64),
        instrument_id=np.array([one[0] for one in positions], dtype=np.int32),
        size_lots=np.array([one[1] for one in positions], dtype=np.int64),
    )


def snapshot_of(**changes: object) -> Snapshot:
    rounds = PriceRounds(
        np.array([NOW - 7_200, NOW - 60], dtype=np.int64),
        np.array([5_900_000_000_000, 6_000_000_000_000], dtype=np.int64),
    )
    snapshot = Snapshot(
        chain_id=31337,
        stamp=STAMP,
        oracle=ORACLE,
        underlyings=(BTC,),
        instruments=(PERPETUAL, FUTURE, CALL),
        slices=(SLICE,),
        rounds=(rounds,),
        book=book_of([(0, 10**8), (2, -(10**8))], [], [(1, 5)]),
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


def test_a_sound_snapshot_passes() -> None:
    check_snapshot(snapshot_of(), LIMITS)


def test_a_settled_or_unheld_expired_instrument_passes() -> None:
    settled = replace(FUTURE, expiry_timestamp=NOW, settlement_price_e8=6_000_000_000_000)
    unheld = replace(CALL, instrument_id=3, expiry_timestamp=NOW - 1)
    check_snapshot(snapshot_of(instruments=(PERPETUAL, settled, CALL, unheld)), LIMITS)


def test_an_unknown_instrument_is_refused_with_its_holder() -> None:
    with pytest.raises(BadBook, match=f"account 0x{'00' * 19}03 holds instrument 9, which is not listed"):
        check_positions(book_of([(0, 1)], [], [(1, 5), (9, 5)]), (PERPETUAL, FUTURE), NOW)


@pytest.mark.parametrize("expiry", [NOW, NOW - 1])
def test_an_expired_unsettled_instrument_is_refused_with_the_remedy(expiry: int) -> None:
    expired = replace(FUTURE, expiry_timestamp=expiry)
    with pytest.raises(BadBook, match=f"0x{'00' * 19}03 holds instrument 1, expired at {expiry}") as caught:
        check_snapshot(snapshot_of(instruments=(PERPETUAL, expired, CALL)), LIMITS)
    assert "settle(1, roundId)" in caught.value.remedy


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"updated_timestamp": NOW + 1}, "1 s in the future"),
        ({"updated_timestamp": NOW - 7_201}, "7201 s old, 7200 s allowed"),
        ({"nodes_ppm": (1, 1, 1, 0, 1, 1, 1)}, "node 0 ppm"),
        ({"carry_ppm": -60_000_000}, "no positive forward"),
    ],
)
def test_a_bad_slice_is_refused_with_value_and_remedy(fault: dict[str, object], words: str) -> None:
    with pytest.raises(BadSurface, match=words) as caught:
        check_snapshot(snapshot_of(slices=(replace(SLICE, **fault),)), LIMITS)  # type: ignore[arg-type]
    assert caught.value.remedy


@pytest.mark.parametrize("fault", [{"updated_timestamp": 0}, {"expiry_timestamp": EXPIRY + 1}, {"underlying": 1}])
def test_what_has_no_slice_is_left_to_the_valuation(fault: dict[str, int]) -> None:
    check_snapshot(snapshot_of(slices=(replace(SLICE, **fault),)), LIMITS)  # type: ignore[arg-type]


def test_perpetuals_alone_need_no_slice() -> None:
    check_snapshot(snapshot_of(instruments=(PERPETUAL,), slices=(), book=book_of([(0, 1)])), LIMITS)


@pytest.mark.parametrize(
    ("instrument", "words"),
    [
        (replace(PERPETUAL, underlying=1), "names underlying 1 of 1"),
        (replace(PERPETUAL, strike_e8=5), r"\(perpetual\) has strike 5e-8"),
        (replace(PERPETUAL, expiry_timestamp=EXPIRY), f"has expiry {EXPIRY}"),
        (replace(CALL, instrument_id=0, strike_e8=0), r"\(call\) has strike 0e-8"),
        (replace(FUTURE, instrument_id=0, expiry_timestamp=0), r"\(future\) has expiry 0"),
        (replace(PERPETUAL, instrument_id=1), "instrument id 1 is listed twice"),
    ],
)
def test_a_listing_that_contradicts_itself_is_refused(instrument: Instrument, words: str) -> None:
    with pytest.raises(BadBook, match=words):
        check_snapshot(snapshot_of(instruments=(instrument, FUTURE, CALL)), LIMITS)


def test_an_empty_listing_and_a_repeated_symbol_are_refused() -> None:
    with pytest.raises(BadBook, match="lists no instrument"):
        check_snapshot(snapshot_of(instruments=(), book=book_of()), LIMITS)
    with pytest.raises(BadBook, match="symbol BTC is listed twice"):
        check_snapshot(snapshot_of(underlyings=(BTC, BTC)), LIMITS)


def test_rounds_that_do_not_end_at_the_venues_price_are_refused() -> None:
    rounds = snapshot_of().rounds[0]
    other = PriceRounds(rounds.timestamp, rounds.price_e8 - np.array([0, 1]))
    with pytest.raises(BadPrice, match="the feed's last round is \\(5999999999999"):
        check_snapshot(snapshot_of(rounds=(other,)), LIMITS)
    with pytest.raises(BadPrice, match="last round is None"):
        check_snapshot(snapshot_of(rounds=(PriceRounds(rounds.timestamp[:0], rounds.price_e8[:0]),)), LIMITS)
    with pytest.raises(BadPrice, match="0 price series for 1 underlyings"):
        check_snapshot(snapshot_of(rounds=()), LIMITS)


def test_incident_i3_one_stopped_feed_stops_the_snapshot() -> None:
    """LUNA, 2022-05: the feed stopped at its floor and consumers went on with the last value."""
    stopped = replace(BTC, price_e8=10_700_000, price_timestamp=NOW - LIMITS.maximum_price_age_seconds - 1)
    with pytest.raises(BadPrice, match="BTC price 10700000e-8.*old"):
        check_snapshot(snapshot_of(underlyings=(stopped,)), LIMITS)


def test_incident_i11_the_largest_age_is_the_configured_one() -> None:
    """Flatmoney #155: a heartbeat of 1 day typed for a feed of 1,200 s; one key rules and its name is in the error."""
    old = replace(BTC, price_timestamp=NOW - 1_201)
    rounds = PriceRounds(np.array([NOW - 1_201], dtype=np.int64), np.array([BTC.price_e8], dtype=np.int64))
    check_snapshot(snapshot_of(underlyings=(old,), rounds=(rounds,)), LIMITS)
    with pytest.raises(BadPrice, match="1201 s old, 1200 s allowed.*prices.maximum_price_age_seconds"):
        check_snapshot(
            snapshot_of(underlyings=(old,), rounds=(rounds,)), PriceSettings(maximum_price_age_seconds=1_200)
        )


def test_the_description_is_json_and_tells_every_change() -> None:
    snapshot = snapshot_of()
    described = json.dumps(describe_snapshot(snapshot), sort_keys=True)
    assert described == json.dumps(describe_snapshot(snapshot_of()), sort_keys=True)
    changed = [
        snapshot_of(underlyings=(replace(BTC, price_e8=BTC.price_e8 + 1),)),
        snapshot_of(slices=(replace(SLICE, carry_ppm=SLICE.carry_ppm + 1),)),
        snapshot_of(instruments=(PERPETUAL, FUTURE, replace(CALL, strike_e8=CALL.strike_e8 + 1))),
        snapshot_of(book=book_of([(0, 10**8), (2, -(10**8))], [(1, 5)], [])),
        snapshot_of(stamp=replace(STAMP, number=8)),
        snapshot_of(rounds=(PriceRounds(snapshot.rounds[0].timestamp, snapshot.rounds[0].price_e8 + 1),)),
    ]
    assert len({described, *(json.dumps(describe_snapshot(one), sort_keys=True) for one in changed)}) == 7


def test_the_digest_of_a_book_does_not_depend_on_byte_order() -> None:
    book = book_of([(0, 1)], [(1, 2)])
    swapped = replace(book, size_lots=book.size_lots.astype(">i8"), cash_micro=book.cash_micro.astype(">i8"))
    assert describe_book(book) == describe_book(swapped)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(-(2**63) + 1, 2**63 - 1)), max_size=3), min_size=1, max_size=4
    ),
    st.sampled_from([0, 1, NOW - 4_000, NOW, EXPIRY]),
    st.sampled_from([-1, 0, 6_000_000_000_000]),
)
def test_any_book_passes_or_is_refused_by_type(held: list[list[tuple[int, int]]], time: int, price: int) -> None:
    underlying = replace(BTC, price_e8=price, price_timestamp=time)
    try:
        check_snapshot(snapshot_of(underlyings=(underlying,), book=book_of(*held)), LIMITS)
    except BadData as refusal:
        assert refusal.remedy
