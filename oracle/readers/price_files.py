"""One file of hourly bars, CSV or Parquet, into checked columns; every refusal names file, row, value and remedy."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory
from oracle.units import PRICE_SCALE_E8, SECONDS_PER_HOUR

PRICE_NAMES = ("open", "high", "low", "close")
COLUMNS = (("ts", "time"), *((name,) for name in PRICE_NAMES), ("volume",))
"""The titles that each column may have."""

SMALLEST_PRICE = 1e-8
LARGEST_PRICE = 9e10
"""Beyond, eight decimals no longer fit an int64."""
LATEST_SECONDS = 4_102_444_800
"""2100-01-01; a larger number is milliseconds, not seconds."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Checked hourly bars: hour of opening since the Unix epoch, close in USD with 8 decimals, base volume."""

    open_hour: NDArray[np.int64]
    close_e8: NDArray[np.int64]
    volume: NDArray[np.float64]


def read_bars(path: Path) -> Bars:
    """Return the bars of one file.

    Parameters
    ----------
    path : Path
        `.parquet` (needs the extra `history`), `.csv` or `.csv.gz`, with the columns `ts` (or `time`), `open`,
        `high`, `low`, `close`, `volume` in any order; other columns are ignored.

    Returns
    -------
    Bars
        Open times on the hour, strictly ascending; gaps allowed. A close is the shortest decimal that names the
        stored number (62772.01 for the float32 62772.011719), rounded half to even at 8 decimals.

    Raises
    ------
    BadHistory
        If the file cannot be read, lacks or repeats a column, is empty, or holds a time off the hour, out of order
        or repeated, a price that is not a number from 1e-8 up, a high below its low, or a bad volume.
    """
    columns = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    if len(columns[0]) == 0:
        raise BadHistory(f"{path} holds no rows", "give a file of hourly bars")
    open_hour = open_hours(path, whole_seconds(path, columns[0]))
    prices = [decimals(path, name, column) for name, column in zip(PRICE_NAMES, columns[1:5], strict=True)]
    approximate = [np.array(values, dtype=np.float64) for values in prices]
    for name, values in zip(PRICE_NAMES, approximate, strict=True):
        usable = (values >= SMALLEST_PRICE) & (values <= LARGEST_PRICE)
        _refuse_where(path, ~usable, f"{name} is not a price from 1e-8 to 9e10", values)
    _refuse_where(path, approximate[1] < approximate[2], "high is below low", approximate[1])
    volume = np.array(decimals(path, "volume", columns[5]), dtype=np.float64)
    _refuse_where(path, ~(np.isfinite(volume) & (volume >= 0.0)), "volume is not a number from 0 up", volume)
    return Bars(open_hour, _to_e8(prices[3]), volume)


def refuse_row(path: Path, row: int, problem: str, value: object) -> NoReturn:
    """Raise `BadHistory` for a data row, counted from 0 here and from 1 in the message."""
    raise BadHistory(f"{path}, data row {row + 1}: {problem}, got {value}", "repair or remove the row at its source")


def csv_rows(path: Path, names: Sequence[tuple[str, ...]]) -> Iterator[list[str]]:
    """Yield the wanted columns of each row of a CSV or gzipped CSV file, as text.

    Parameters
    ----------
    path : Path
        Ends in `.gz` when compressed.
    names : sequence of tuples of str
        One tuple a column: the titles that it may have, of which the header must hold exactly one.

    Raises
    ------
    BadHistory
        If the file cannot be read, a column is missing or ambiguous, or a row is longer or shorter than the header.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            reader = csv.reader(lines)
            header = next(reader, [])
            where = [_column(path, header, titles) for titles in names]
            for row, fields in enumerate(reader):
                if len(fields) != len(header):
                    refuse_row(path, row, f"{len(header)} fields expected", len(fields))
                yield [fields[index] for index in where]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise BadHistory(f"{path} cannot be read: {error}", "check that it is a whole, readable CSV file") from error


def open_hours(path: Path, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return open times in Unix seconds as hours since the epoch; raise `BadHistory` unless ascending on the hour."""
    _refuse_where(path, (seconds < 0) | (seconds > LATEST_SECONDS), "time is not Unix seconds before 2100", seconds)
    _refuse_where(path, seconds % SECONDS_PER_HOUR != 0, "time is not on the hour", seconds)
    step = np.diff(seconds, prepend=-1)
    _refuse_where(path, step == 0, "time repeats the row before", seconds)
    _refuse_where(path, step < 0, "time is before the row before", seconds)
    return seconds // SECONDS_PER_HOUR


def whole_seconds(path: Path, column: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return a column of whole numbers, given as integers or as their text, as int64; raise `BadHistory` otherwise."""
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    if column.dtype.kind != "U":
        raise BadHistory(f"{path}: times are stored as {column.dtype}", "store whole Unix seconds")
    for row, text in enumerate(column):
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            refuse_row(path, row, "time is not whole Unix seconds", repr(str(text)))
    return column.astype(np.int64)


def decimals(path: Path, name: str, column: NDArray[np.generic]) -> list[Decimal]:
    """Return numbers (floats, integers or text) as the shortest decimals that name them; NaN where absent."""
    found = []
    for row, text in enumerate(column.astype(np.str_).tolist()):
        try:
            found.append(Decimal(text))
        except InvalidOperation:
            refuse_row(path, row, f"{name} is not a number", repr(text))
    return found


def _column(path: Path, header: Sequence[str], titles: tuple[str, ...]) -> int:
    found = [index for index, title in enumerate(header) if title in titles]
    if len(found) != 1:
        problem = "no column" if not found else f"{len(found)} columns"
        raise BadHistory(
            f"{path} has {problem} named {' or '.join(titles)}; its columns are {', '.join(header) or 'none'}",
            "name the columns as the documentation of the history files says",
        )
    return found[0]


def _read_csv(path: Path) -> list[NDArray[np.generic]]:
    rows = list(csv_rows(path, COLUMNS))
    return [np.array([row[index] for row in rows], dtype=np.str_) for index in range(len(COLUMNS))]


def _read_parquet(path: Path) -> list[NDArray[np.generic]]:
    try:
        import polars
    except ImportError as error:
        raise BadHistory(
            f"{path} is Parquet, and polars is not installed", "install margin-oracle[history] or give CSV files"
        ) from error
    try:
        frame = polars.read_parquet(path)
    except (OSError, polars.exceptions.PolarsError) as error:
        raise BadHistory(f"{path} cannot be read: {error}", "check that it is a whole Parquet file") from error
    columns = [frame.to_series(_column(path, frame.columns, titles)) for titles in COLUMNS]
    for column in columns:
        if not column.dtype.is_numeric():
            raise BadHistory(f"{path}: column {column.name} is {column.dtype}", "store numbers, times as Unix seconds")
        if column.null_count():
            refuse_row(path, int(column.is_null().arg_max() or 0), f"{column.name} is missing", "nothing")
    return [column.to_numpy() for column in columns]


def _refuse_where(path: Path, bad: NDArray[np.bool_], problem: str, values: NDArray[np.generic]) -> None:
    if np.any(bad):
        row = int(np.argmax(bad))
        refuse_row(path, row, problem, values[row])


def _to_e8(prices: list[Decimal]) -> NDArray[np.int64]:
    return np.array([int((price * PRICE_SCALE_E8).to_integral_value(ROUND_HALF_EVEN)) for price in prices], np.int64)
