"""What the model does not cover: the accounts that hold it are charged its worst case, the others are as they were."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import engine
from oracle.config import ModelSettings
from oracle.errors import BadData
from oracle.report import canonical_json
from oracle.types import InstrumentKind, Snapshot, Valuation
from oracle.valuation import Calibration, evaluate, simulate_history
from oracle.valuation.inputs import to_positions
from oracle.valuation.listing import listing_of
from tests.report_bytes import LAST_HOUR, snapshot

pytestmark = pytest.mark.fast

SMALL = engine.CalibrationSettings(library_hours=3_000, minimum_history_hours=2_000, replicates=20)
MODEL = ModelSettings()
MICRO = 1_000_000


@cache
def calibrated(*symbols: str) -> Calibration:
    prices, volatility = simulate_history(symbols, LAST_HOUR - 3_499, 3_500, seed=11)
    histories = [engine.PriceHistory(p.symbol, p.hour, p.close_e8, p.volume) for p in prices]
    levels = [engine.VolatilityHistory(v.symbol, v.hour, v.level_ppm) for v in volatility]
    return engine.calibrate(histories, levels, SMALL)


@cache
def whole() -> Snapshot:
    return snapshot()


def with_book(taken: Snapshot, *held: dict[int, int]) -> Snapshot:
    """Return the snapshot with these accounts alone; lots by instrument."""
    some = [position for account in held for position in account.items()]
    book = replace(
        taken.book,
        address=taken.book.address[: len(held)],
        position_version=taken.book.position_version[: len(held)],
        cash_micro=np.full(len(held), 10**12, np.int64),
        indptr=np.cumsum([0, *(len(account) for account in held)], dtype=np.int64),
        instrument_id=np.array([instrument for instrument, _ in some], np.int32),
        size_lots=np.array([lots for _, lots in some], np.int64),
    )
    return replace(taken, book=book)


def an_instrument(kind: InstrumentKind, underlying: int) -> int:
    """Return the id of the last such instrument: of the far expiry where it is dated."""
    return [i.instrument_id for i in whole().instruments if i.kind is kind and i.underlying == underlying][-1]


def without_slice(taken: Snapshot, expiry: int, never_pushed: bool = False) -> Snapshot:
    """Return the snapshot without ETH's slice of an expiry."""
    gone = [s for s in taken.slices if (s.underlying, s.expiry_timestamp) == (0, expiry)]
    rest = tuple(s for s in taken.slices if s not in gone)
    return replace(taken, slices=(*rest, *(replace(s, updated_timestamp=0) for s in gone if never_pushed)))


ONE = 10**8
PERPETUAL, PUT, CALL = (
    an_instrument(k, 0) for k in (InstrumentKind.PERPETUAL, InstrumentKind.PUT, InstrumentKind.CALL)
)
BTC_PERPETUAL = an_instrument(InstrumentKind.PERPETUAL, 1)
FAR = whole().instruments[PUT].expiry_timestamp
STRIKE_MICRO = whole().instruments[PUT].strike_e8 // 100
ACCOUNTS = ({PERPETUAL: ONE}, {PERPETUAL: ONE, PUT: -2 * ONE}, {CALL: ONE}, {BTC_PERPETUAL: -ONE})


def valued(taken: Snapshot, *symbols: str) -> Valuation:
    return evaluate(taken, calibrated(*(symbols or ("ETH", "BTC"))), MODEL)


@pytest.mark.parametrize("never_pushed", [False, True])
def test_an_expiry_without_slice_is_charged_its_worst_case_and_the_rest_is_as_before(never_pushed: bool) -> None:
    taken = with_book(whole(), *ACCOUNTS)
    before = valued(taken)
    after = valued(without_slice(taken, FAR, never_pushed))
    for row in (0, 3):
        for name in ("initial_micro", "maintenance_micro", "equity_micro"):
            assert getattr(after.accounts, name)[row] == getattr(before.accounts, name)[row]
    # two puts cost at most their strikes, on top of the perpetual alone; the long call counts for nothing
    worst = 2 * STRIKE_MICRO
    assert after.accounts.maintenance_micro[1] == pytest.approx(before.accounts.maintenance_micro[0] + worst, abs=2)
    assert after.accounts.equity_micro[1] == after.accounts.equity_micro[0]
    assert after.accounts.initial_micro[2] == 0 and after.accounts.equity_micro[2] == 10**12
    assert after.accounts.binding[1] == after.accounts.binding[2] == "unmodelled" != after.accounts.binding[0]


def test_the_details_list_accounts_instruments_and_markets_left_out() -> None:
    taken = without_slice(with_book(whole(), *ACCOUNTS), FAR)
    after = valued(taken)
    listed = after.details["unmodelled"]
    assert isinstance(listed, dict) and listed["count"] == 2
    assert listed["accounts"] == ["0x" + taken.book.address[row].tobytes().hex() for row in (1, 2)]
    lacking = [i for i in taken.instruments if i.underlying == 0 and i.expiry_timestamp == FAR]
    assert [row[0] for row in listed["instruments"]] == [i.instrument_id for i in lacking]
    assert all(f"ETH has no volatility slice of expiry {FAR}" == row[1] for row in listed["instruments"])
    left_out = {i.market_id for i in lacking}
    assert listed["markets_left_out"] == sorted(left_out)
    assert {m.market_id for m in after.markets} == {i.market_id for i in taken.instruments} - left_out
    posted = after.details["markets"]
    assert isinstance(posted, list) and [row["market_id"] for row in posted] == [m.market_id for m in after.markets]
    canonical_json(after.details)


def test_a_market_with_one_instrument_left_out_is_not_posted() -> None:
    taken = with_book(whole(), {PERPETUAL: ONE})
    mixed = replace(taken.instruments[PUT], market_id=taken.instruments[PERPETUAL].market_id)
    taken = replace(taken, instruments=(*taken.instruments[:PUT], mixed, *taken.instruments[PUT + 1 :]))
    assert mixed.market_id in {m.market_id for m in valued(taken).markets}
    after = valued(without_slice(taken, FAR))
    assert mixed.market_id not in {m.market_id for m in after.markets}
    posted = after.details["markets"]
    assert isinstance(posted, list) and mixed.market_id not in {row["market_id"] for row in posted}
    by_id = {m.market_id: list(m.values()) for m in after.markets}
    assert all(by_id[row["market_id"]] == row["target_ppm"] for row in posted)
    assert after.accounts.initial_micro[0] > 0


def test_an_underlying_outside_the_calibration_goes_the_same_way() -> None:
    taken = with_book(whole(), {PERPETUAL: ONE}, {PERPETUAL: ONE, BTC_PERPETUAL: ONE}, {BTC_PERPETUAL: 3 * ONE})
    after, before = valued(taken, "ETH"), valued(taken)
    price = taken.underlyings[1].price_e8 // 100
    assert after.accounts.maintenance_micro[2] == pytest.approx(3 * price, abs=2)
    # rounded down, as every mark is
    assert after.accounts.equity_micro[2] == before.accounts.equity_micro[2] == 10**12 + 3 * price - 1
    alone = after.accounts.maintenance_micro[0]
    assert after.accounts.maintenance_micro[1] == pytest.approx(alone + price, abs=2)
    assert {m.market_id for m in after.markets} == {i.market_id for i in taken.instruments if i.underlying == 0}
    haircuts = after.details["haircuts"]
    assert isinstance(haircuts, list) and [row["symbol"] for row in haircuts] == ["ETH"]


def test_the_first_underlying_may_be_the_missing_one() -> None:
    taken = with_book(whole(), {BTC_PERPETUAL: ONE}, {PERPETUAL: ONE})
    after, before = valued(taken, "BTC"), valued(taken, "ETH", "BTC")
    assert tuple(after.accounts.binding) == (before.accounts.binding[0], "unmodelled")
    assert after.accounts.equity_micro[0] == before.accounts.equity_micro[0]
    assert after.accounts.initial_micro[0] == pytest.approx(before.accounts.initial_micro[0], rel=0.2)


@pytest.mark.parametrize("instrument", [CALL, BTC_PERPETUAL])
def test_a_short_that_nothing_bounds_publishes_nothing_and_names_the_account(instrument: int) -> None:
    taken = without_slice(with_book(whole(), {PERPETUAL: ONE}, {instrument: -ONE}), FAR)
    address = "0x" + taken.book.address[1].tobytes().hex()
    with pytest.raises(
        BadData, match=f"account {address}: it is short 1 of a (call|perpetual) that has no model"
    ) as caught:
        valued(taken, "ETH")
    assert caught.value.remedy == "nothing is published"


def test_a_calibration_of_none_of_the_underlyings_publishes_nothing() -> None:
    with pytest.raises(BadData, match="no instrument is listed"):
        valued(with_book(whole(), {}), "SOL")


def test_haircuts_of_every_underlying_are_in_the_details() -> None:
    haircuts = valued(with_book(whole(), {})).details["haircuts"]
    assert isinstance(haircuts, list) and [row["symbol"] for row in haircuts] == ["ETH", "BTC"]
    for row in haircuts:
        assert 0 < row["maintenance_ppm"] < row["initial_ppm"] < 1_000_000 and row["slope_ppm"] > 0
        assert row["initial_point_ppm"] <= row["initial_ppm"] and row["binding"] in engine.COMPONENTS


def test_positions_are_counted_in_the_order_of_the_instruments_asked_for() -> None:
    taken = with_book(whole(), {7: 5, 2: -3}, {}, {9: 1, 2: 4})
    some = (taken.instruments[9], taken.instruments[2])
    held = to_positions(taken.book, some)
    assert held.indptr.tolist() == [0, 1, 1, 3] and held.instrument.tolist() == [1, 0, 1]
    assert held.quantity.tolist() == [-3e-8, 1e-8, 4e-8]
    assert to_positions(taken.book, ()).instrument.size == 0


def test_a_listing_is_cut_in_two_without_loss() -> None:
    taken = without_slice(whole(), FAR)
    listing = listing_of(taken, calibrated("ETH", "BTC"))
    assert sorted(i.instrument_id for i in (*listing.modelled, *listing.unmodelled)) == list(
        range(len(taken.instruments))
    )
    assert len(listing.why) == len(listing.unmodelled) and listing.underlyings == (0, 1)
    settled = replace(taken.instruments[PUT], settlement_price_e8=1)
    rest = replace(taken, instruments=(*taken.instruments[:PUT], settled, *taken.instruments[PUT + 1 :]))
    assert PUT not in {i.instrument_id for i in listing_of(rest, calibrated("ETH", "BTC")).unmodelled}
