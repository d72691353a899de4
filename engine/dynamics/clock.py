"""One hourly clock for all assets, and the returns on it.

An hour is on the clock when every asset that has begun trading has a close there. A return spans two neighbouring
hours of the clock; across a gap of k hours it enters once, divided by sqrt(k) (DESIGN 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.history import PriceHistory
from engine.errors import InvalidInput
from engine.kernels.special import log_array

LARGEST_TRUNCATION_HOURS = 168
"""An asset that ends earlier than the others by more than this is dead, not late."""


@dataclass(frozen=True, slots=True)
class ClockReturns:
    """Returns of U assets on the common clock.

    Attributes
    ----------
    hour : int64 array, shape (n + 1,)
        The clock; return j leads from hour[j] to hour[j + 1].
    close_e8 : int64 array, shape (U, n + 1)
        0 before the asset began.
    log_return : float64 array, shape (U, n)
        Natural log return divided by the root of the hours it spans; 0 before the asset began.
    first_return : int64 array, shape (U,)
        Index of the asset's first own return.
    """

    hour: NDArray[np.int64]
    close_e8: NDArray[np.int64]
    log_return: NDArray[np.float64]
    first_return: NDArray[np.int64]


def common_clock(histories: Sequence[PriceHistory]) -> ClockReturns:
    """Put the histories on one clock that ends at the earliest of their last hours.

    Raises
    ------
    InvalidInput
        If there is no history, a symbol comes twice, an asset ends a week before the others, or fewer than two hours
        are common.
    """
    symbols = [history.symbol for history in histories]
    if not histories:
        raise InvalidInput("no price history given")
    if len(set(symbols)) != len(symbols):
        raise InvalidInput(f"a symbol has two histories in {symbols}")
    last_hours = [int(history.hour[-1]) for history in histories]
    last_hour = min(last_hours)
    if max(last_hours) - last_hour > LARGEST_TRUNCATION_HOURS:
        late = symbols[last_hours.index(last_hour)]
        raise InvalidInput(
            f"history of {late} ends at hour {last_hour}, {max(last_hours) - last_hour} hours before another: "
            "leave it out or extend it"
        )
    hour = _clock_hours(histories, last_hour)
    if hour.size < 2:
        raise InvalidInput(f"the histories of {', '.join(symbols)} share {hour.size} hours, at least 2 are needed")
    close_e8 = np.stack([_on_clock(history, hour) for history in histories])
    first_return = np.array([int(np.flatnonzero(row > 0)[0]) if row.any() else hour.size for row in close_e8])
    return ClockReturns(hour, close_e8, gap_scaled_returns(hour, close_e8), first_return)


def gap_scaled_returns(hour: NDArray[np.int64], close_e8: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return log returns between neighbouring closes, divided by sqrt(hours between); 0 where a close is 0.

    Parameters
    ----------
    hour : int64 array, shape (n + 1,)
    close_e8 : int64 array, shape (..., n + 1)

    Returns
    -------
    float64 array, shape (..., n)
    """
    before, after = close_e8[..., :-1], close_e8[..., 1:]
    known = (before > 0) & (after > 0)
    ratio = np.where(known, after, 1) / np.where(known, before, 1)
    return log_array(ratio) / np.sqrt(np.diff(hour).astype(np.float64))


def _clock_hours(histories: Sequence[PriceHistory], last_hour: int) -> NDArray[np.int64]:
    hour = np.unique(np.concatenate([history.hour for history in histories]))
    on_clock = hour <= last_hour
    for history in histories:
        on_clock &= (hour < history.hour[0]) | np.isin(hour, history.hour, assume_unique=True)
    return hour[on_clock]


def _on_clock(history: PriceHistory, hour: NDArray[np.int64]) -> NDArray[np.int64]:
    close = np.zeros(hour.size, dtype=np.int64)
    _, own, clock = np.intersect1d(history.hour, hour, assume_unique=True, return_indices=True)
    close[clock] = history.close_e8[own]
    return close
