"""What a calibration reads and what a valuation adds since: integer prices by hour, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class PriceHistory:
    """Hourly closes of one asset.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch at which the close is known (a bar opened at 10:00 is known at 11:00), strictly
        ascending; gaps are allowed and never filled.
    close_e8 : int64 array, shape (n,)
        Quote currency with 8 decimals, positive.
    volume : float64 array, shape (n,)
        Base units traded in the hour, at least 0.
    """

    symbol: str
    hour: NDArray[np.int64]
    close_e8: NDArray[np.int64]
    volume: NDArray[np.float64]

    def __post_init__(self) -> None:
        store_columns(self, "history", hour=np.int64, close_e8=np.int64, volume=np.float64)
        if self.hour.size == 0:
            raise InvalidInput(f"history of {self.symbol} is empty")
        require_positive(self, "history", "close_e8")
        bad = np.flatnonzero(~(np.isfinite(self.volume) & (self.volume >= 0)))
        if bad.size:
            raise InvalidInput(
                f"history of {self.symbol}: volume {self.volume[bad[0]]} at hour {self.hour[bad[0]]} must be at least 0"
            )


@dataclass(frozen=True, slots=True)
class VolatilityHistory:
    """Thirty-day at-the-money volatility of one asset (DVOL or surface nodes), hourly or daily.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch at which the level is known, strictly ascending.
    level_ppm : int64 array, shape (n,)
        Volatility a year in parts per million: 84.8 % is 848,000.
    """

    symbol: str
    hour: NDArray[np.int64]
    level_ppm: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "volatility history", hour=np.int64, level_ppm=np.int64)
        require_positive(self, "volatility history", "level_ppm")


@dataclass(frozen=True, slots=True)
class RecentPrices:
    """Hourly prices after the artefact's last hour, up to the last full hour at or before the reference block.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch, strictly ascending; gaps allowed; may be empty.
    close_e8 : int64 array, shape (n,)
        Last price known at the hour, 8 decimals, positive.
    """

    symbol: str
    hour: NDArray[np.int64]
    close_e8: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "recent prices", hour=np.int64, close_e8=np.int64)
        require_positive(self, "recent prices", "close_e8")


def store_columns(record: Any, what: str, ascending: bool = True, **types: type) -> None:
    """Replace a record's columns by checked read-only copies; raise `InvalidInput` naming the value that is wrong."""
    for name, dtype in types.items():
        given = np.asarray(getattr(record, name))
        if given.ndim != 1 or given.size != np.asarray(record.hour).size:
            raise InvalidInput(f"{what} of {record.symbol}: {name} has shape {given.shape}, hour another")
        if given.dtype.kind == "f" and not np.all(np.isfinite(given)):
            raise InvalidInput(f"{what} of {record.symbol}: {name} holds {given[~np.isfinite(given)][0]}")
        array: NDArray[Any] = np.array(given, dtype=dtype)
        if not np.array_equal(array, given):
            raise InvalidInput(f"{what} of {record.symbol}: {name} is not whole numbers")
        array.flags.writeable = False
        object.__setattr__(record, name, array)
    steps = np.flatnonzero(np.diff(record.hour) <= 0)
    if ascending and steps.size:
        row = int(steps[0])
        raise InvalidInput(
            f"{what} of {record.symbol}: hour {record.hour[row + 1]} follows {record.hour[row]}; hours must ascend "
            "without duplicates"
        )


def require_positive(record: Any, what: str, name: str) -> None:
    """Raise `InvalidInput` naming the first value of a column that is not positive."""
    values = getattr(record, name)
    bad = np.flatnonzero(values <= 0)
    if bad.size:
        raise InvalidInput(
            f"{what} of {record.symbol}: {name} {values[bad[0]]} at hour {record.hour[bad[0]]} is not positive"
        )
