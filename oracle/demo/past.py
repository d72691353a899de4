"""The past of the demonstration: real files or a simulated history, cut in two.

The first part calibrates; the last hours are replayed as rounds of the price feeds, so that a cycle has something to
read that happened since.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oracle.demo.catalogue import SYMBOLS
from oracle.errors import BadHistory
from oracle.readers.history import HourlyPrices, read_history
from oracle.readers.volatility_files import HourlyVolatility
from oracle.valuation import SIMULATED_LABEL, simulate_history

REPLAYED_HOURS = 48
SIMULATED_HOURS = 4 * 365 * 24
SIMULATED_SEED = 20_260_101
REAL_LABEL = "real history"


@dataclass(frozen=True, slots=True)
class Past:
    """What happened before the demonstration starts; `last_hour` is the hour of the last replayed price."""

    label: str
    prices: tuple[HourlyPrices, ...]
    volatility: tuple[HourlyVolatility, ...]
    replayed: tuple[HourlyPrices, ...]

    @property
    def last_hour(self) -> int:
        """Hours since the Unix epoch."""
        return int(self.replayed[0].hour[-1])


def real_past(directory: Path) -> Past:
    """Return the past from a directory of hourly price files; see `oracle.readers.history` for the layouts.

    Raises
    ------
    BadHistory
        If the files are not sound, or the symbols do not end together.
    """
    history = read_history(directory, SYMBOLS)
    ends = {int(prices.hour[-1]) for prices in history.prices}
    if len(ends) > 1:
        raise BadHistory(f"the histories of {', '.join(SYMBOLS)} end at hours {sorted(ends)}", "cut them to one end")
    return _cut(REAL_LABEL, history.prices, history.volatility)


def simulated_past(last_hour: int) -> Past:
    """Return a simulated past that ends at an hour; the seed is fixed, so the prices are always the same."""
    prices, volatility = simulate_history(SYMBOLS, last_hour - SIMULATED_HOURS + 1, SIMULATED_HOURS, SIMULATED_SEED)
    return _cut(SIMULATED_LABEL, prices, volatility)


def _cut(label: str, prices: tuple[HourlyPrices, ...], volatility: tuple[HourlyVolatility, ...]) -> Past:
    last_hour = int(prices[0].hour[-1]) - REPLAYED_HOURS
    return Past(
        label,
        tuple(_part(series, 0, last_hour) for series in prices),
        tuple(
            HourlyVolatility(
                series.symbol, series.hour[series.hour <= last_hour], series.level_ppm[series.hour <= last_hour]
            )
            for series in volatility
        ),
        # The first round lies at the calibration's end, from which the next hour's return is counted.
        tuple(_part(series, last_hour, last_hour + REPLAYED_HOURS) for series in prices),
    )


def _part(series: HourlyPrices, first_hour: int, last_hour: int) -> HourlyPrices:
    kept = np.flatnonzero((series.hour >= first_hour) & (series.hour <= last_hour))
    return HourlyPrices(series.symbol, series.hour[kept], series.close_e8[kept], series.volume[kept])
