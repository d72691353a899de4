"""Hourly log moves of thirty-day volatility on the library's clock, where a volatility history exists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.history import VolatilityHistory
from engine.dynamics.recursions import MICRO, NO_MOVE
from engine.errors import InvalidInput
from engine.kernels.special import log_array

LARGEST_GAP_HOURS = 48
"""Between observations further apart than this nothing is interpolated."""


def volatility_moves_micro(
    hour: NDArray[np.int64], symbols: tuple[str, ...], histories: Sequence[VolatilityHistory]
) -> NDArray[np.int64]:
    """Return each hour's change of log volatility, in millionths, the same dates as the returns.

    Parameters
    ----------
    hour : int64 array, shape (n + 1,)
        The clock, one hour longer than the library.
    symbols : tuple of str
        U assets.
    histories : sequence of VolatilityHistory
        At most one an asset; a daily history is spread evenly over the hours between two observations.

    Returns
    -------
    int64 array, shape (U, n)
        `NO_MOVE` where there is no history.
    """
    moves = np.full((len(symbols), hour.size - 1), NO_MOVE, dtype=np.int64)
    given = [history.symbol for history in histories]
    if len(set(given)) != len(given) or not set(given) <= set(symbols):
        raise InvalidInput(f"volatility histories {given} must each belong to one of {list(symbols)}, none twice")
    for history in histories:
        if history.hour.size < 2:
            raise InvalidInput(f"volatility history of {history.symbol} has {history.hour.size} observations; 2 needed")
        moves[symbols.index(history.symbol)] = _moves(hour, history)
    return moves


def _moves(hour: NDArray[np.int64], history: VolatilityHistory) -> NDArray[np.int64]:
    level = np.interp(hour, history.hour, log_array(history.level_ppm / 1e6))
    after = np.searchsorted(history.hour, hour, side="left").clip(1, history.hour.size - 1)
    inside = (hour >= history.hour[0]) & (hour <= history.hour[-1])
    known = inside & (history.hour[after] - history.hour[after - 1] <= LARGEST_GAP_HOURS)
    moves = np.rint(np.diff(level) * MICRO).astype(np.int64)
    return np.where(known[:-1] & known[1:], moves, NO_MOVE)
