"""The journal: exact, durable, and loud when the disk is not."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import journal as journal_module
from oracle.errors import StorageFailure
from oracle.journal import (
    OPEN_STATES,
    CalibrationRow,
    CycleRow,
    Journal,
    RecalibrationRow,
    ReportRow,
    TransactionRow,
    TransactionState,
)
from oracle.journal_columns import Uint256

pytestmark = pytest.mark.fast

CYCLE = CycleRow(1_000, 1_001, 2**64 - 1, b"\x01" * 32, "hold", "nothing moved")
REPORT = ReportRow(b"\x02" * 32, 8, b"\x00packed\xff", '{"seed":5}', b"\x03" * 32)
TRANSACTION = TransactionRow(
    b"\x04" * 32, REPORT.digest, 8, 3, b"\x02raw", frees_nonce=False, urgent=True, state=TransactionState.INTENDED
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_everything_comes_back_as_written_after_a_restart(path: Path) -> None:
    with Journal(path) as journal:
        journal.record_cycle(CYCLE)
        journal.record_cycle(replace(CYCLE, decision="update"))
        journal.record_report(REPORT)
        journal.record_transaction(TRANSACTION)
        journal.record_calibration(CalibrationRow("ab", "calibration.json"))
    with Journal(path) as journal:
        assert journal.cycles(5) == (replace(CYCLE, decision="update"), CYCLE)
        assert journal.cycles(1) == (replace(CYCLE, decision="update"),)
        assert journal.reports(8) == (REPORT,)
        assert journal.reports(9) == ()
        assert journal.open_transactions() == (TRANSACTION,)
        assert journal.calibrations() == (CalibrationRow("ab", "calibration.json"),)


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_integers_of_256_bits_are_exact_and_sort_as_they_count(first: int, second: int) -> None:
    column = Uint256()
    texts = [column.process_bind_param(value, None) for value in (first, second)]  # type: ignore[arg-type]
    assert [column.process_result_value(text, None) for text in texts] == [first, second]  # type: ignore[arg-type]
    assert (str(texts[0]) < str(texts[1])) == (first < second)


@pytest.mark.parametrize("value", [0, 2**63, 2**200 + 1, 2**256 - 1])
def test_large_integers_survive_the_file(path: Path, value: int) -> None:
    with Journal(path) as journal:
        journal.record_report(replace(REPORT, sequence=value))
        assert journal.reports(value)[0].sequence == value


@pytest.mark.parametrize("value", [-1, 2**256])
def test_what_is_not_256_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="not an unsigned integer of 256 bits"):
        Uint256().process_bind_param(value, None)  # type: ignore[arg-type]


def test_transactions_are_open_until_settled_and_keep_their_order(path: Path) -> None:
    with Journal(path) as journal:
        rows = [replace(TRANSACTION, transaction_hash=bytes([n]) * 32, nonce=n) for n in range(10, 16)]
        for row in rows:
            journal.record_transaction(row)
        for row, state in zip(rows, TransactionState, strict=True):
            journal.change_transaction(row.transaction_hash, state, block_number=5, gas_used=60_000, note="noted")
        assert [row.state for row in journal.open_transactions()] == list(OPEN_STATES)
        assert journal.transactions() == tuple(
            replace(row, state=state, block_number=5, gas_used=60_000, note="noted")
            for row, state in zip(rows, TransactionState, strict=True)
        )


def test_the_same_report_or_calibration_twice_is_one_row(path: Path) -> None:
    with Journal(path) as journal:
        for _ in range(2):
            journal.record_report(REPORT)
            journal.record_calibration(CalibrationRow("ab", "calibration.json"))
        journal.record_report(replace(REPORT, digest=b"\x09" * 32))
        assert [row.digest for row in journal.reports(8)] == [b"\x09" * 32, REPORT.digest]
        assert len(journal.calibrations()) == 1


def test_the_same_transaction_again_is_open_again(path: Path) -> None:
    with Journal(path) as journal:
        journal.record_transaction(TRANSACTION)
        journal.change_transaction(TRANSACTION.transaction_hash, TransactionState.FAILED, note="given up")
        assert journal.open_transactions() == ()
        journal.record_transaction(TRANSACTION)
        assert journal.open_transactions() == journal.transactions() == (TRANSACTION,)


def test_the_file_is_in_wal_mode_and_flushed_at_each_commit(path: Path) -> None:
    with Journal(path) as journal, journal._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2


# ---------------------------------------------------------------------- a disk that fails


def test_a_full_disk_is_a_storage_failure(path: Path) -> None:
    with Journal(path) as journal:
        with journal._engine.begin() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageFailure, match="database or disk is full"):
            journal.record_report(replace(REPORT, packed=bytes(1_000_000)))
        assert journal.reports(8) == ()


def test_a_locked_file_is_a_storage_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_LOCK_WAIT_SECONDS", 0)
    with Journal(path) as journal:
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFailure, match="database is locked"):
            journal.record_cycle(CYCLE)
        other.rollback()
        other.close()
        journal.record_cycle(CYCLE)
        assert journal.cycles(9) == (CYCLE,)


def test_a_file_that_is_no_database_is_a_storage_failure(path: Path) -> None:
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(StorageFailure, match="file is not a database"):
        Journal(path)


def test_a_missing_folder_is_a_storage_failure(tmp_path: Path) -> None:
    with pytest.raises(StorageFailure, match="unable to open database file"):
        Journal(tmp_path / "missing" / "journal.sqlite")


def test_the_journal_of_another_version_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(StorageFailure, match="has schema 99, this version writes 2"):
        Journal(path)


def test_recalibrations_come_back_newest_first(path: Path) -> None:
    rows = [RecalibrationRow(1_000 * i, 1_000 * i + 60, "before", "after", "held back", f"r{i}") for i in range(3)]
    with Journal(path) as journal:
        for row in rows:
            journal.record_recalibration(row)
    with Journal(path) as journal:
        assert journal.recalibrations(2) == (rows[2], rows[1])


def test_a_journal_of_the_first_version_gains_the_new_table_and_keeps_its_rows(path: Path) -> None:
    with Journal(path) as journal:
        journal.record_cycle(CYCLE)
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE recalibrations")
        other.execute("PRAGMA user_version = 1")
    with Journal(path) as journal:
        assert journal.cycles(9) == (CYCLE,) and journal.recalibrations(9) == ()
