"""Volatility-index files (Deribit's DVOL layout), daily and hourly, into one series a symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory
from oracle.readers.price_files import csv_rows, decimals, open_hours, refuse_row, whole_seconds

DAILY_FILE = "dvol_1d.csv.gz"
HOURS_PER_DAY = 24

LARGEST_POINTS = Decimal(1000)
_PPM_PER_POINT = 10_000
_EPOCH = date(1970, 1, 1).toordinal()

_Levels = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class HourlyVolatility:
    """A volatility index: the hour since the Unix epoch at which a level is known, and the level in ppm a year."""

    symbol: str
    hour: NDArray[np.int64]
    level_ppm: NDArray[np.int64]


def read_volatility(directory: Path, symbols: Sequence[str]) -> tuple[HourlyVolatility, ...]:
    """Return the index of each symbol that has one in the directory.

    Parameters
    ----------
    directory : Path
        With `dvol_1d.csv.gz` (symbol, date, close) and `dvol_SYMBOL_1h.csv.gz` (ts, close), symbol in lower case;
        either may be absent. Closes are in volatility points: 84.8 is 848,000 ppm.
    symbols : sequence of str
        In the order wanted; one without a file is left out.

    Returns
    -------
    tuple of HourlyVolatility
        Hourly closes, and daily ones (known at the following midnight UTC) where the hour is missing.

    Raises
    ------
    BadHistory
        As `price_files.read_bars`; also if the two files disagree about an hour.
    """
    found = []
    for symbol in symbols:
        hourly_path = directory / f"dvol_{symbol.lower()}_1h.csv.gz"
        hourly = _read_hourly(hourly_path) if hourly_path.exists() else _nothing()
        daily_path = directory / DAILY_FILE
        daily = _read_daily(daily_path, symbol) if daily_path.exists() else _nothing()
        hour, level = _merge(symbol, directory, hourly, daily)
        if len(hour):
            found.append(HourlyVolatility(symbol, hour, level))
    return tuple(found)


def _read_hourly(path: Path) -> _Levels:
    rows = list(csv_rows(path, (("ts", "time"), ("close",))))
    seconds = whole_seconds(path, np.array([row[0] for row in rows], dtype=np.str_))
    return open_hours(path, seconds) + 1, _levels_ppm(path, [row[1] for row in rows])


def _read_daily(path: Path, symbol: str) -> _Levels:
    rows = list(csv_rows(path, (("symbol",), ("date",), ("close",))))
    hours = []
    for row, (name, day, _) in enumerate(rows):
        if name == symbol:
            hours.append(_midnight_after(path, row, day))
            if len(hours) > 1 and hours[-1] <= hours[-2]:
                refuse_row(path, row, f"the date of {symbol} is not after the one before", day)
    levels = _levels_ppm(path, [level for _, _, level in rows])
    wanted = np.array([name == symbol for name, _, _ in rows], dtype=np.bool_)
    return np.array(hours, dtype=np.int64), levels[wanted]


def _midnight_after(path: Path, row: int, day: str) -> int:
    try:
        return (date.fromisoformat(day).toordinal() - _EPOCH + 1) * HOURS_PER_DAY
    except ValueError:
        refuse_row(path, row, "date is not YYYY-MM-DD", repr(day))


def _levels_ppm(path: Path, points: list[str]) -> NDArray[np.int64]:
    levels = decimals(path, "close", np.array(points, dtype=np.str_))
    for row, level in enumerate(levels):
        if not (level.is_finite() and 0 < level <= LARGEST_POINTS):
            refuse_row(path, row, f"close is not a volatility of up to {LARGEST_POINTS} points", level)
    return np.array([int((level * _PPM_PER_POINT).to_integral_value(ROUND_HALF_EVEN)) for level in levels], np.int64)


def _merge(symbol: str, directory: Path, hourly: _Levels, daily: _Levels) -> _Levels:
    _, in_hourly, in_daily = np.intersect1d(hourly[0], daily[0], return_indices=True)
    different = np.flatnonzero(hourly[1][in_hourly] != daily[1][in_daily])
    if len(different):
        at = different[0]
        raise BadHistory(
            f"{directory}: daily and hourly volatility of {symbol} disagree at hour {hourly[0][in_hourly[at]]}: "
            f"{daily[1][in_daily[at]]} and {hourly[1][in_hourly[at]]} ppm",
            "keep the file that is right",
        )
    added = ~np.isin(daily[0], hourly[0])
    hour = np.concatenate([hourly[0], daily[0][added]])
    order = np.argsort(hour, kind="stable")
    return hour[order], np.concatenate([hourly[1], daily[1][added]])[order]


def _nothing() -> _Levels:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
