"""How basis, rates and funding move: measured where a history is given, stated defaults where not (DESIGN 3.6).

    d ln(F_T / S) = b0 e_1 + b1 T e_2,   d rate(T) = level e_3 + slope T e_4,   T in years

Each figure is a standard deviation over a day, to be scaled by sqrt(h / 24). Measured changes have fatter tails than
a normal and revert, so it is the largest, over the artefact's horizons, of the measured deviation and of the 99.5 %
range over 2.576, each scaled to a day by the root of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.observations import PPM, BasisHistory, Observations, RateHistory
from engine.errors import InvalidInput

HOURS_A_DAY = 24
DAYS_A_YEAR = 365.0
RANGE_QUANTILE = 0.995
NORMAL_RANGE = 2.5758293035489
"""The 99.5 % quantile of a standard normal."""
FUNDING_QUANTILE = 0.99
PPB = 1_000_000_000
LEAST_CHANGES = 240
"""Fewer changes than this say nothing of a 99.5 % quantile."""

DEFAULT_B0_DAILY = 0.0015
DEFAULT_B1_DAILY = 0.0021
"""From the 99 % quantiles of daily changes of the basis yield of Deribit's BTC and ETH futures, 931 snapshots of
December 2025 to August 2026: times tenor they are 0.27 to 0.37 % at 7 days and 0.36 to 0.38 % at 180. Over 2.326, the
larger coin's at 7 days is b0 (ETH), and b1 (BTC) is what 180 days add to 7 in quadrature."""
DEFAULT_RATE_LEVEL_DAILY = 0.005
DEFAULT_RATE_SLOPE_DAILY = 0.002
"""Assumptions. The level is about that of the yield of a 90-day future in the same snapshots (99 % quantile 1.0 to
1.5 % a year from day to day), which holds the rate of the quote token and more."""


@dataclass(frozen=True, slots=True)
class Carry:
    """Carry factors of one asset; `measured` flags are False where a default stands in.

    Attributes
    ----------
    symbol : str
    b0_daily : float
        Standard deviation over a day of ln(F/S), the same at every tenor.
    b1_daily : float
        The same for each year of tenor.
    rate_level_daily, rate_slope_daily : float
        Of the quote currency's zero rate, a year, and for each year of tenor.
    funding_change_hourly : float
        99 % quantile of the change over a day of the hourly funding rate, either way; 0 where not measured.
    b0_measured, b1_measured, rate_measured, funding_measured : bool
    """

    symbol: str
    b0_daily: float
    b1_daily: float
    rate_level_daily: float
    rate_slope_daily: float
    funding_change_hourly: float
    b0_measured: bool
    b1_measured: bool
    rate_measured: bool
    funding_measured: bool


@dataclass(frozen=True, slots=True)
class CarryRange:
    """Measured changes of one factor over one horizon: deviation, and the 0.5 % and 99.5 % quantiles.

    `symbol` is the asset, or the quote currency for the rates.
    """

    symbol: str
    factor: str
    horizon_hours: int
    deviation: float
    low: float
    high: float
    changes: int


def carry_of(
    symbols: Sequence[str], observations: Observations, horizon_hours: Sequence[int]
) -> tuple[tuple[Carry, ...], tuple[CarryRange, ...]]:
    """Return the carry of each asset, and the ranges that it was measured from.

    Raises
    ------
    InvalidInput
        If a history is of an unknown asset, comes twice, or has too few changes; the message names it.
    """
    _check_symbols(symbols, observations)
    basis = {history.symbol: _basis_ranges(history, horizon_hours) for history in observations.basis}
    rates = _rate_ranges(observations.rates, horizon_hours) if observations.rates else ()
    funding = {symbol: _funding_change(symbol, observations) for symbol in symbols}
    ranges = (*(one for symbol in symbols for one in basis.get(symbol, ())), *rates)
    carry = tuple(_carry(symbol, basis.get(symbol, ()), rates, funding[symbol]) for symbol in symbols)
    return carry, ranges


def _carry(
    symbol: str, basis: Sequence[CarryRange], rates: Sequence[CarryRange], funding_change: float | None
) -> Carry:
    b0, b1 = _daily(basis, "b0"), _daily(basis, "b1")
    level, slope = _daily(rates, "rate_level"), _daily(rates, "rate_slope")
    return Carry(
        symbol=symbol,
        b0_daily=DEFAULT_B0_DAILY if b0 is None else b0,
        b1_daily=DEFAULT_B1_DAILY if b1 is None else b1,
        rate_level_daily=DEFAULT_RATE_LEVEL_DAILY if level is None else level,
        rate_slope_daily=DEFAULT_RATE_SLOPE_DAILY if slope is None else slope,
        funding_change_hourly=0.0 if funding_change is None else funding_change,
        b0_measured=b0 is not None,
        b1_measured=b1 is not None,
        rate_measured=level is not None,
        funding_measured=funding_change is not None,
    )


def _daily(ranges: Sequence[CarryRange], factor: str) -> float | None:
    """Largest daily deviation over the horizons; None where the factor was not measured."""
    scaled = [
        max(one.deviation, max(-one.low, one.high) / NORMAL_RANGE) / np.sqrt(one.horizon_hours / HOURS_A_DAY)
        for one in ranges
        if one.factor == factor
    ]
    return float(max(scaled)) if scaled else None


def _basis_ranges(history: BasisHistory, horizon_hours: Sequence[int]) -> tuple[CarryRange, ...]:
    """Ranges of level and slope: of the curve where an hour has two tenors or more, else of the perpetual alone."""
    hour, first, count = np.unique(history.hour, return_index=True, return_counts=True)
    log_basis = np.log1p(history.basis_ppm / PPM)
    if np.any(count > 1):
        curves = [
            np.polyfit(history.days[a : a + n] / DAYS_A_YEAR, log_basis[a : a + n], 1)
            for a, n in zip(first, count, strict=True)
            if n > 1
        ]
        slope, level = np.array(curves).T
        kept = hour[count > 1]
        series = {"b0": level, "b1": slope}
    elif np.all(history.days == 0):
        kept, series = hour, {"b0": log_basis}
    else:
        raise InvalidInput(f"basis history of {history.symbol}: one dated tenor an hour shows no level: add another")
    return tuple(
        _range(history.symbol, factor, hours, kept, values)
        for factor, values in series.items()
        for hours in _observed_horizons(kept, horizon_hours)
    )


def _rate_ranges(history: RateHistory, horizon_hours: Sequence[int]) -> tuple[CarryRange, ...]:
    return tuple(
        _range(history.symbol, factor, hours, history.hour, column / PPM)
        for factor, column in (("rate_level", history.level_ppm), ("rate_slope", history.slope_ppm))
        for hours in _observed_horizons(history.hour, horizon_hours)
    )


def _observed_horizons(hour: NDArray[np.int64], horizon_hours: Sequence[int]) -> list[int]:
    """Horizons at which a history, hourly or daily, shows changes; a day where it shows none of them."""
    shown = [hours for hours in horizon_hours if np.isin(hour + hours, hour).any()]
    return shown or [HOURS_A_DAY]


def _funding_change(symbol: str, observations: Observations) -> float | None:
    """The largest over the asset's venues; None where there is none."""
    found = []
    for history in observations.funding:
        if history.symbol == symbol:
            hourly = history.rate_ppb / (PPB * history.interval_hours)
            change = np.abs(_changes(f"funding history of {symbol}", history.hour, hourly, HOURS_A_DAY))
            found.append(_upper_quantile(change, FUNDING_QUANTILE))
    return max(found) if found else None


def _range(symbol: str, factor: str, hours: int, hour: NDArray[np.int64], values: NDArray[np.float64]) -> CarryRange:
    change = _changes(f"{factor} of {symbol}", hour, values, hours)
    low, high = -_upper_quantile(-change, RANGE_QUANTILE), _upper_quantile(change, RANGE_QUANTILE)
    return CarryRange(symbol, factor, hours, float(np.std(change)), low, high, change.size)


def _changes(what: str, hour: NDArray[np.int64], values: NDArray[np.float64], hours: int) -> NDArray[np.float64]:
    """Changes between observations exactly so many hours apart; overlapping."""
    _, later, earlier = np.intersect1d(hour - hours, hour, assume_unique=True, return_indices=True)
    if later.size < LEAST_CHANGES:
        raise InvalidInput(f"{what} shows {later.size} changes over {hours} h, {LEAST_CHANGES} needed: leave it out")
    change: NDArray[np.float64] = values[later] - values[earlier]
    return change


def _upper_quantile(values: NDArray[np.float64], level: float) -> float:
    """The upper order statistic: never below the interpolated quantile."""
    return float(np.sort(values)[min(int(np.ceil(level * values.size)), values.size - 1)])


def _check_symbols(symbols: Sequence[str], observations: Observations) -> None:
    basis = [history.symbol for history in observations.basis]
    if len(set(basis)) != len(basis):
        raise InvalidInput(f"an asset has two basis histories in {basis}")
    for symbol in (*basis, *(history.symbol for history in observations.funding)):
        if symbol not in symbols:
            raise InvalidInput(f"basis or funding history of {symbol}, which has no price history: leave it out")
