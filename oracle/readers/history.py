"""Price history from a directory of files: calibration and dry runs read it; a cycle at a block never does.

Layouts: DIR/SYMBOL.parquet, DIR/SYMBOL.csv, DIR/SYMBOL.csv.gz or DIR/spot_1h/SYMBOL.parquet, one of them a symbol;
hourly bars with the columns ts (or time: when the bar opens, Unix seconds UTC), open, high, low, close, volume. A
bar's close is known an hour after it opens. Volatility-index files are read where present, see `volatility_files`, and
so are those of funding, basis, rates and token ratios, see `carry_files`. Further sources of the same symbols are
directories of the same layouts, one a venue, whose closes only witness those of the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory
from oracle.readers.carry_files import CarryFiles, read_carry_files
from oracle.readers.price_files import read_bars
from oracle.readers.volatility_files import HourlyVolatility, read_volatility

MINIMUM_ROWS = 30 * 24
LAST_HOUR = 2**31
"""Later than any hour of a file."""
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
    """Prices and their reports in the order asked for, and what else there is of those symbols.

    `witnesses` are the prices of the further sources, several of one symbol one after the other.
    """

    prices: tuple[HourlyPrices, ...]
    volatility: tuple[HourlyVolatility, ...]
    reports: tuple[HistoryReport, ...]
    witnesses: tuple[HourlyPrices, ...] = ()
    carry: CarryFiles = CarryFiles()


def read_history(
    directory: Path,
    symbols: Sequence[str],
    minimum_rows: int = MINIMUM_ROWS,
    sources: Sequence[Path] = (),
    last_hour: int = LAST_HOUR,
) -> History:
    """Return the hourly history of some symbols.

    Parameters
    ----------
    directory : Path
        See the module's first lines for its layout.
    symbols : sequence of str
        File names without ending, each once; at least one.
    minimum_rows : int
        A shorter file is refused.
    sources : sequence of Path
        Directories of further sources; a symbol that one of them lacks has a source less.
    last_hour : int
        Closes known after this hour since the Unix epoch are left out.

    Raises
    ------
    BadHistory
        If the directory or a symbol's file is missing or ambiguous, or the file is not as `read_bars` asks; the
        message names file, row, value and remedy. Also if a further source knows none of the symbols.
    """
    for folder in (directory, *sources):
        if not folder.is_dir():
            raise BadHistory(f"{folder} is not a directory", "give a directory of price files")
    if not symbols or len(set(symbols)) != len(symbols):
        raise BadHistory(f"symbols {', '.join(symbols) or 'none'}", "name at least one symbol, each once")
    read = [_read_symbol(_find(directory, symbol), symbol, minimum_rows, last_hour) for symbol in symbols]
    return History(
        prices=tuple(prices for prices, _ in read),
        volatility=read_volatility(directory, symbols),
        reports=tuple(report for _, report in read),
        witnesses=tuple(
            prices for source in sources for prices in _read_source(source, symbols, minimum_rows, last_hour)
        ),
        carry=read_carry_files(directory, symbols),
    )


def _read_source(directory: Path, symbols: Sequence[str], minimum_rows: int, last_hour: int) -> list[HourlyPrices]:
    known = [symbol for symbol in symbols if _candidates(directory, symbol)]
    if not known:
        raise BadHistory(f"{directory} holds no file of {', '.join(symbols)}", "leave this source out")
    return [_read_symbol(_find(directory, symbol), symbol, minimum_rows, last_hour)[0] for symbol in known]


def _candidates(directory: Path, symbol: str) -> list[Path]:
    paths = (directory / layout.format(symbol=symbol) for layout in LAYOUTS)
    return [path for path in paths if path.is_file()]


def _find(directory: Path, symbol: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", symbol):
        raise BadHistory(f"symbol {symbol!r} cannot name a file", "use letters, digits, hyphens and underscores")
    found = _candidates(directory, symbol)
    if len(found) != 1:
        problem = "no file" if not found else "more than one file"
        listed = ", ".join(
            [str(path.relative_to(directory)) for path in found] or [n.format(symbol=symbol) for n in LAYOUTS]
        )
        raise BadHistory(f"{directory} has {problem} for {symbol}: {listed}", "keep exactly one of these files")
    return found[0]


def _read_symbol(path: Path, symbol: str, minimum_rows: int, last_hour: int) -> tuple[HourlyPrices, HistoryReport]:
    bars = read_bars(path)
    kept = bars.open_hour < last_hour
    hour, close_e8, volume = bars.open_hour[kept] + 1, bars.close_e8[kept], bars.volume[kept]
    if len(hour) < minimum_rows:
        raise BadHistory(f"{path} holds {len(hour)} rows", f"at least {minimum_rows} are needed")
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
        zero_volume_hours=int(np.count_nonzero(volume == 0.0)),
    )
    return HourlyPrices(symbol, hour, close_e8, volume), report
