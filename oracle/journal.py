"""The journal: what was decided, intended, sent and settled; written before it is done, durable when a call returns.

One SQLite file in WAL mode. Each table mirrors one frozen row type, column for field. The journal is a record and
a means to settle after a restart; no report is ever computed from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.types import TypeEngine

from oracle.errors import StorageFailure
from oracle.journal_columns import Uint256

SCHEMA_VERSION = 2
_EXTENDED_VERSIONS = (0, 1)
"""An empty file, and schemas that only lack tables of the present one."""
_LOCK_WAIT_SECONDS = 5

Row = TypeVar("Row")


class TransactionState(StrEnum):
    """Where a transaction is on its way; see `OPEN_STATES`."""

    INTENDED = "intended"
    SENT = "sent"
    UNKNOWN = "unknown"
    MINED = "mined"
    FAILED = "failed"
    REPLACED = "replaced"


OPEN_STATES = (TransactionState.INTENDED, TransactionState.SENT, TransactionState.UNKNOWN)
"""What a restart has to settle before anything else is sent."""


@dataclass(frozen=True, slots=True)
class CycleRow:
    """One cycle: what was decided at which block, and why. Times are Unix seconds as given by the scheduler."""

    started_timestamp: int
    finished_timestamp: int
    block_number: int
    block_hash: bytes
    decision: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A signed report as packed for the contract, with the details behind its hash as canonical JSON."""

    digest: bytes
    sequence: int
    packed: bytes
    details: str
    details_hash: bytes


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A transaction that posts a report, or only frees the nonce of one that got stuck."""

    transaction_hash: bytes
    digest: bytes
    sequence: int
    nonce: int
    raw: bytes
    frees_nonce: bool
    urgent: bool
    state: TransactionState
    block_number: int | None = None
    gas_used: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A calibration artefact that was in use."""

    content_hash: str
    path: str


@dataclass(frozen=True, slots=True)
class RecalibrationRow:
    """A new calibration that was tried: the artefact in use before, the one fitted, and what became of it."""

    started_timestamp: int
    finished_timestamp: int
    hash_before: str
    hash_after: str
    outcome: str
    reason: str


_METADATA = sa.MetaData()
_COLUMN_TYPES: dict[str, TypeEngine[Any]] = {
    "int": Uint256(),
    "int | None": Uint256(),
    "bytes": sa.LargeBinary(),
    "str": sa.String(),
    "bool": sa.Boolean(),
    "TransactionState": sa.Enum(
        TransactionState, native_enum=False, values_callable=lambda states: [state.value for state in states]
    ),
}


def _table(name: str, row_type: type[Any], unique: str = "") -> sa.Table:
    """Return the table that mirrors a row type, in the order in which rows are written."""
    columns = (
        sa.Column(
            field.name,
            _COLUMN_TYPES[str(field.type)],
            nullable="None" in str(field.type),
            unique=field.name == unique,
        )
        for field in fields(row_type)
    )
    return sa.Table(name, _METADATA, sa.Column("id", sa.Integer, primary_key=True), *columns)


_CYCLES = _table("cycles", CycleRow)
_REPORTS = _table("reports", ReportRow, unique="digest")
_TRANSACTIONS = _table("transactions", TransactionRow, unique="transaction_hash")
_CALIBRATIONS = _table("calibrations", CalibrationRow, unique="content_hash")
_RECALIBRATIONS = _table("recalibrations", RecalibrationRow)


class Journal:
    """The journal in one file, created where there is none.

    Parameters
    ----------
    path : Path
        The SQLite file; its folder must exist.

    Raises
    ------
    StorageFailure
        Here and from every method: disk full, file locked by another process, corrupt, not writable, or written by
        another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": _LOCK_WAIT_SECONDS}
        )
        sa.event.listen(self._engine, "connect", _set_up_connection)
        with self._writing() as connection:
            self._require_version(connection)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; all that was recorded is in it already."""
        self._engine.dispose()

    # ------------------------------------------------------------------ cycles

    def record_cycle(self, row: CycleRow) -> None:
        """Record what a cycle decided."""
        self._insert(_CYCLES, row)

    def cycles(self, newest: int) -> tuple[CycleRow, ...]:
        """Return the newest so many cycles, the newest first."""
        return self._rows(CycleRow, _CYCLES, sa.select(_CYCLES).order_by(_CYCLES.c.id.desc()).limit(newest))

    # ------------------------------------------------------------------ reports

    def record_report(self, row: ReportRow) -> None:
        """Record a signed report; a second time with the same digest changes nothing."""
        self._insert(_REPORTS, row)

    def reports(self, sequence: int) -> tuple[ReportRow, ...]:
        """Return the reports of a sequence number, the newest first; more than one where the first were not posted."""
        query = sa.select(_REPORTS).where(_REPORTS.c.sequence == sequence).order_by(_REPORTS.c.id.desc())
        return self._rows(ReportRow, _REPORTS, query)

    # ------------------------------------------------------------------ transactions

    def record_transaction(self, row: TransactionRow) -> None:
        """Record a transaction before it is sent; the same bytes a second time are open again."""
        statement = insert(_TRANSACTIONS).values(asdict(row))
        with self._writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[_TRANSACTIONS.c.transaction_hash],
                    set_={"state": statement.excluded.state, "note": statement.excluded.note},
                )
            )

    def change_transaction(
        self,
        transaction_hash: bytes,
        state: TransactionState,
        block_number: int | None = None,
        gas_used: int | None = None,
        note: str = "",
    ) -> None:
        """Record where a transaction is now."""
        change = {"state": state, "block_number": block_number, "gas_used": gas_used, "note": note}
        with self._writing() as connection:
            connection.execute(
                _TRANSACTIONS.update().where(_TRANSACTIONS.c.transaction_hash == transaction_hash).values(change)
            )

    def open_transactions(self) -> tuple[TransactionRow, ...]:
        """Return what is not settled, in the order in which it was intended."""
        return self.transactions(OPEN_STATES)

    def transactions(self, states: Sequence[TransactionState] = tuple(TransactionState)) -> tuple[TransactionRow, ...]:
        """Return the transactions in the given states, in the order in which they were intended."""
        query = sa.select(_TRANSACTIONS).where(_TRANSACTIONS.c.state.in_(states)).order_by(_TRANSACTIONS.c.id)
        return self._rows(TransactionRow, _TRANSACTIONS, query)

    # ------------------------------------------------------------------ calibrations

    def record_calibration(self, row: CalibrationRow) -> None:
        """Record an artefact in use; a second time with the same hash changes nothing."""
        self._insert(_CALIBRATIONS, row)

    def calibrations(self) -> tuple[CalibrationRow, ...]:
        """Return the artefacts in the order of their first use."""
        return self._rows(CalibrationRow, _CALIBRATIONS, sa.select(_CALIBRATIONS).order_by(_CALIBRATIONS.c.id))

    def record_recalibration(self, row: RecalibrationRow) -> None:
        """Record what became of a new calibration."""
        self._insert(_RECALIBRATIONS, row)

    def recalibrations(self, newest: int) -> tuple[RecalibrationRow, ...]:
        """Return the newest so many tries, the newest first."""
        query = sa.select(_RECALIBRATIONS).order_by(_RECALIBRATIONS.c.id.desc()).limit(newest)
        return self._rows(RecalibrationRow, _RECALIBRATIONS, query)

    # ------------------------------------------------------------------ inside

    def _insert(self, table: sa.Table, row: Any) -> None:
        with self._writing() as connection:
            connection.execute(insert(table).values(asdict(row)).on_conflict_do_nothing())

    def _rows(self, row_type: type[Row], table: sa.Table, query: sa.Select[Any]) -> tuple[Row, ...]:
        columns = [table.c[field.name] for field in fields(row_type)]  # type: ignore[arg-type]
        with self._reporting_failures(), self._engine.connect() as connection:
            return tuple(row_type(*row) for row in connection.execute(query.with_only_columns(*columns)))

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._reporting_failures(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reporting_failures(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise StorageFailure(
                f"journal {self._path}: {error.orig}",
                "check disk space, permissions and that no other process holds the file",
            ) from None

    def _require_version(self, connection: sa.Connection) -> None:
        found = connection.execute(sa.text("PRAGMA user_version")).scalar_one()
        if found in _EXTENDED_VERSIONS:
            _METADATA.create_all(connection)
            connection.execute(sa.text(f"PRAGMA user_version = {SCHEMA_VERSION}"))
        elif found != SCHEMA_VERSION:
            raise StorageFailure(
                f"journal {self._path} has schema {found}, this version writes {SCHEMA_VERSION}",
                "use the release that wrote it, or start a new journal",
            )


def _set_up_connection(connection: Any, _: object) -> None:
    # FULL: a row that says "intended" has to survive a power cut before the transaction leaves.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
