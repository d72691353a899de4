"""Optional files beside the prices: funding, basis, rates, and ratios of collateral tokens, as integers by the hour.

Each is NAME.csv or NAME.csv.gz in the directory of the price files; `ts` is in Unix seconds UTC, all else fractions:

    funding   venue, symbol, ts, rate      paid at ts by longs to shorts, of notional, for the interval before
    basis     symbol, ts, days, basis      forward over spot less one; days to expiry, 0 for a perpetual
    rates     ts, level, slope             zero rate of the quote currency a year, and a year per year of tenor
    ratios    token, base, ts, ratio       base units a token; base is a symbol or USD; of one hour the last counts
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadHistory
from oracle.readers.price_files import LATEST_SECONDS, csv_rows, refuse_row
from oracle.units import PPM, SECONDS_PER_HOUR

PPB = 1_000_000_000
LARGEST_INTEGER = 2**53
USD = "USD"

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FundingRates:
    """Funding of one perpetual at one venue: hours of payment, parts per billion for so many hours."""

    symbol: str
    hour: Integers
    rate_ppb: Integers
    interval_hours: Integers


@dataclass(frozen=True, slots=True)
class ForwardBasis:
    """Forwards over spot of one symbol; `days_milli` are thousandths of days to expiry, 0 for a perpetual."""

    symbol: str
    hour: Integers
    days_milli: Integers
    basis_ppm: Integers


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Level and slope of the quote currency's zero rates, ppm a year."""

    symbol: str
    hour: Integers
    level_ppm: Integers
    slope_ppm: Integers


@dataclass(frozen=True, slots=True)
class TokenRatios:
    """Base units a collateral token, ppm, at the hours at which they are known."""

    symbol: str
    base: str
    hour: Integers
    ratio_ppm: Integers


@dataclass(frozen=True, slots=True)
class CarryFiles:
    """What the directory holds of it, for the symbols asked for."""

    funding: tuple[FundingRates, ...] = ()
    basis: tuple[ForwardBasis, ...] = ()
    rates: RateCurve | None = None
    ratios: tuple[TokenRatios, ...] = ()


def read_carry_files(directory: Path, symbols: Sequence[str]) -> CarryFiles:
    """Return what the directory holds; rows of other symbols, and tokens on other bases, are left out.

    Raises
    ------
    BadHistory
        If a file is there twice, cannot be read, lacks a column, or holds a value that is no number or a time that is
        not on the hour (ratios: any second); the message names file and row.
    """
    funding = _grouped(directory, "funding", ("symbol", "venue"), (("ts", _hour), ("rate", _parts(PPB))))
    basis = _grouped(directory, "basis", ("symbol",), (("ts", _hour), ("days", _parts(1_000)), ("basis", _parts(PPM))))
    rates = _grouped(directory, "rates", (), (("ts", _hour), ("level", _parts(PPM)), ("slope", _parts(PPM))))
    ratios = _grouped(directory, "ratios", ("token", "base"), (("ts", _next_hour), ("ratio", _parts(PPM))))
    return CarryFiles(
        funding=tuple(_funding(key[0], *columns) for key, columns in funding.items() if key[0] in symbols),
        basis=tuple(ForwardBasis(key[0], *columns) for key, columns in basis.items() if key[0] in symbols),
        rates=RateCurve(USD, *rates[()]) if rates else None,
        ratios=tuple(
            _ratios(token, base, *columns) for (token, base), columns in ratios.items() if base in (USD, *symbols)
        ),
    )


Parse = Callable[[Path, int, str, str], int]


def _grouped(
    directory: Path, name: str, keys: tuple[str, ...], columns: tuple[tuple[str, Parse], ...]
) -> dict[tuple[str, ...], list[Integers]]:
    """Read a file into integer columns by key, in the order of their first rows; empty where there is no file."""
    found = [path for path in (directory / f"{name}.csv", directory / f"{name}.csv.gz") if path.is_file()]
    if len(found) > 1:
        raise BadHistory(f"{directory} holds both {found[0].name} and {found[1].name}", "keep one of them")
    groups: dict[tuple[str, ...], list[list[int]]] = {}
    for path in found:
        titles = [(title,) for title in (*keys, *(title for title, _ in columns))]
        for row, fields in enumerate(csv_rows(path, titles)):
            values = zip(columns, fields[len(keys) :], strict=True)
            parsed = [parse(path, row, title, text) for (title, parse), text in values]
            groups.setdefault(tuple(fields[: len(keys)]), []).append(parsed)
    return {key: list(np.array(rows, dtype=np.int64).T) for key, rows in groups.items()}


def _seconds(path: Path, row: int, title: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= LATEST_SECONDS):
        refuse_row(path, row, f"{title} is not Unix seconds before 2100", repr(text))
    return int(text)


def _hour(path: Path, row: int, title: str, text: str) -> int:
    seconds = _seconds(path, row, title, text)
    if seconds % SECONDS_PER_HOUR:
        refuse_row(path, row, f"{title} is not on the hour", seconds)
    return seconds // SECONDS_PER_HOUR


def _next_hour(path: Path, row: int, title: str, text: str) -> int:
    """The first full hour at which what was said then is known."""
    return -(-_seconds(path, row, title, text) // SECONDS_PER_HOUR)


def _parts(scale: int) -> Parse:
    def parse(path: Path, row: int, title: str, text: str) -> int:
        try:
            scaled = Decimal(text) * scale
            value = int(scaled.to_integral_value(ROUND_HALF_EVEN))
        except (InvalidOperation, ValueError, OverflowError):
            refuse_row(path, row, f"{title} is not a number", repr(text))
        if abs(value) > LARGEST_INTEGER:
            refuse_row(path, row, f"{title} is out of any range", text)
        return value

    return parse


def _funding(symbol: str, hour: Integers, rate_ppb: Integers) -> FundingRates:
    """A payment is for the hours since the one before, at most the venue's usual interval: a hole lengthens none."""
    since = np.diff(hour)
    usual = int(np.bincount(since[since > 0]).argmax()) if np.any(since > 0) else 1
    interval = np.clip(np.concatenate([[usual], since]), 1, usual)
    return FundingRates(symbol, hour, rate_ppb, interval)


def _ratios(token: str, base: str, hour: Integers, ratio_ppm: Integers) -> TokenRatios:
    last = np.append(np.diff(hour) != 0, True)
    return TokenRatios(token, base, hour[last], ratio_ppm[last])
