"""What leaves the engine as integers: nothing wraps around, whatever a book holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import engine
from engine.validation.simulated_history import simulate_history
from oracle.config import ModelSettings
from oracle.errors import NonFiniteResult
from oracle.types import AccountBook, Instrument, InstrumentKind, Labels, Snapshot
from oracle.valuation import evaluate
from oracle.valuation.results import account_requirements
from tests import report_bytes
from tests.model_cases import SMALL
from tests.posting_cases import STAMP, state

pytestmark = pytest.mark.fast

SETTLED = Instrument(0, InstrumentKind.FUTURE, 0, 1, 0, STAMP.timestamp, 300_000_000_000)


def equity_micro(size_lots: int, cash_micro: int, value_usd: float, settled: Instrument = SETTLED) -> int:
    """Return the equity of one account that holds one settled future and live positions of a value."""
    book = AccountBook(
        address=np.zeros((1, 20), np.uint8),
        position_version=np.zeros(1, np.uint64),
        cash_micro=np.array([cash_micro], np.int64),
        indptr=np.array([0, 1], np.int64),
        instrument_id=np.zeros(1, np.int32),
        size_lots=np.array([size_lots], np.int64),
    )
    nothing = np.zeros(1)
    accounts = engine.AccountRequirements(
        initial=nothing,
        maintenance=nothing,
        initial_sampling=nothing,
        maintenance_sampling=nothing,
        initial_point=nothing,
        maintenance_point=nothing,
        stress_unweighted=nothing,
        value=np.array([value_usd]),
        binding=np.zeros(1, np.int8),
    )
    snapshot = Snapshot(1, STAMP, state(), (), (settled,), (), (), book)
    return int(account_requirements(snapshot, accounts).equity_micro[0])


def test_settled_positions_are_cash_rounded_down() -> None:
    assert equity_micro(50_000_000, 7, 0.0) == 1_500_000_007
    assert equity_micro(-1, 0, 0.0) == -30
    assert equity_micro(-1, 0, 0.0, replace(SETTLED, settlement_price_e8=300_000_000_001)) == -31
    assert equity_micro(0, 0, -1e-7) == -1


@pytest.mark.parametrize(
    ("size_lots", "cash_micro", "value_usd"),
    [(2**62, 0, 0.0), (10**8, 2**63 - 10, 0.0), (1, 2**63 - 1, 4e12), (-(10**8), -(2**63) + 1, 0.0)],
)
def test_an_equity_beyond_its_column_is_refused(size_lots: int, cash_micro: int, value_usd: float) -> None:
    with pytest.raises(NonFiniteResult, match="beyond int64"):
        equity_micro(size_lots, cash_micro, value_usd)


def test_the_parts_of_a_book_give_the_bytes_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    past = simulate_history(report_bytes.SYMBOLS, report_bytes.LAST_HOUR - 6_999, 7_000, seed=11)
    calibration = engine.calibrate(past.prices, past.volatility, SMALL)
    taken = report_bytes.snapshot()
    whole = evaluate(taken, calibration, ModelSettings())
    monkeypatch.setattr("oracle.valuation.ACCOUNTS_AT_ONCE", 37)
    parted = evaluate(taken, calibration, ModelSettings())
    assert len(whole.accounts.binding) == len(taken.book) == 400
    assert len(set(whole.accounts.binding)) > 2
    for name in ("initial_micro", "maintenance_micro", "equity_micro"):
        assert getattr(parted.accounts, name).tobytes() == getattr(whole.accounts, name).tobytes()
    assert list(parted.accounts.binding) == list(whole.accounts.binding)
    assert parted.details == whole.details and parted.markets == whole.markets


def test_labels_read_as_a_sequence_of_names() -> None:
    labels = Labels(("none", "gross", "stress"), np.array([2, 0, 0, 1], np.int8))
    assert list(labels) == ["stress", "none", "none", "gross"] and labels[-1] == "gross"
    assert ",".join(labels[1:]) == "none,none,gross"


def test_a_part_of_a_book_is_its_accounts_and_their_positions() -> None:
    book = report_bytes.snapshot().book
    part = book.part(7, 20)
    assert len(part) == 13 and part.address.tobytes() == book.address[7:20].tobytes()
    for account in range(13):
        held = slice(part.indptr[account], part.indptr[account + 1])
        whole = slice(book.indptr[7 + account], book.indptr[8 + account])
        assert part.size_lots[held].tobytes() == book.size_lots[whole].tobytes()
        assert part.instrument_id[held].tobytes() == book.instrument_id[whole].tobytes()
    assert len(book.part(5, 5)) == 0 and book.part(5, 5).indptr.tolist() == [0]
