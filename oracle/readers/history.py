"""Price history from a directory of files: calibration and dry runs read it; a cycle at a block never does.

Layouts: DIR/SYMBOL.parquet, DIR/SYMBOL.csv, DIR/SYMBOL.csv.gz or DIR/spot_1h/SYMBOL.parquet, one of them a symbol;
hourly bars with the columns ts (or time: when the bar opens, Unix seconds UTC), open, high, low, close, volume. A
bar's close is known an hour after it opens. Volatility-index files are read where present, see `volatility_files`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory
from oracle.readers.price_files import read_bars
from oracle.readers.volatility_files import HourlyVolatility, read_volatility

MINIMUM_ROWS = 30 * 24
LAYOUTS = ("{symbol}.parquet", "{symbol}.csv", "{symbol}.csv.gz", "spot_1h/{symbol}.parquet")


@dataclass(frozen=True, slots=True)
class HourlyPrices:
    """Closes of one symbol.

    `hour` (int64, ascending) counts hours since the Unix epoch at which the close is known; `close_e8` (int64) is in
    USD with 8 decimals; `volume` (float64) is in base units over the hour before.
    """

    symbol: str
    hour: NDArray[np.int64]
    close_e8: NDArray[np.int64]
    volume: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What a file held: `missing_hours` over `gap_count` gaps were absent and stay so; nothing is filled in."""

    symbol: str
    path: str
    row_count: int
    first_hour: int
    last_hour: int
    gap_count: int
    missing_hours: int
    longest_gap_hours: int
    zero_volume_hours: int


@dataclass(frozen=True, slots=True)
class History:
    """Prices and their reports in the order asked for, and volatility of those symbols that have it."""

    prices: tuple[HourlyPrices, ...]
    volatility: tuple[HourlyVolatility, ...]
    reports: tuple[HistoryReport, ...]


def read_history(directory: Path, symbols: Sequence[str], minimum_rows: int = MINIMUM_ROWS) -> History:
    """Return the hourly history of some symbols.

    Parameters
    ----------
    directory : Path
        See the module's first lines for its layout.
    symbols : sequence of str
        File names without ending, each once; at least one.
    minimum_rows : int
        A shorter file is refused.

    Raises
    ------
    BadHistory
        If the directory or a symbol's file is missing or ambiguous, or the file is not as `read_bars` asks; the
        message names file, row, value and remedy.
    """
    if not directory.is_dir():
        raise BadHistory(f"{directory} is not a directory", "give a directory of price files")
    if not symbols or len(set(symbols)) != len(symbols):
        raise BadHistory(f"symbols {', '.join(symbols) or 'none'}", "name at least one symbol, each once")
    read = [_read_symbol(_find(directory, symbol), symbol, minimum_rows) for symbol in symbols]
    return History(
        prices=tuple(prices for prices, _ in read),
        volatility=read_volatility(directory, symbols),
        reports=tuple(report for _, report in read),
    )


def _find(directory: Path, symbol: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", symbol):
        raise BadHistory(f"symbol {symbol!r} cannot name a file", "use letters, digits, hyphens and underscores")
    candidates = [directory / layout.format(symbol=symbol) for layout in LAYOUTS]
    found = [path for path in candidates if path.is_file()]
    if len(found) != 1:
        problem = "no file" if not found else "more than one file"
        listed = ", ".join(str(path.relative_to(directory)) for path in found or candidates)
        raise BadHistory(f"{directory} has {problem} for {symbol}: {listed}", "keep exactly one of these files")
    return found[0]


def _read_symbol(path: Path, symbol: str, minimum_rows: int) -> tuple[HourlyPrices, HistoryReport]:
    bars = read_bars(path)
    if len(bars.open_hour) < minimum_rows:
        raise BadHistory(f"{path} holds {len(bars.open_hour)} rows", f"at least {minimum_rows} are needed")
    hour = bars.open_hour + 1
    missing = np.diff(hour) - 1
    report = HistoryReport(
        symbol=symbol,
        path=str(path),
        row_count=len(hour),
        first_hour=int(hour[0]),
        last_hour=int(hour[-1]),
        gap_count=int(np.count_nonzero(missing)),
        missing_hours=int(missing.sum()),
        longest_gap_hours=int(missing.max(initial=0)),
        zero_volume_hours=int(np.count_nonzero(bars.volume == 0.0)),
    )
    return HourlyPrices(symbol, hour, bars.close_e8, bars.volume), report
