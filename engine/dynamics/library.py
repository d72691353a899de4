"""Histories on one clock -> the library: returns, the variance in use at each hour, residuals and volatility moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings
from engine.dynamics.calibration import rounded
from engine.dynamics.clock import ClockReturns
from engine.dynamics.fallback import fill_short_histories
from engine.dynamics.history import VolatilityHistory
from engine.dynamics.recursions import MICRO, Memory
from engine.dynamics.seasonality import hour_factors_ppm
from engine.dynamics.variance import rule_of, run_filter, start_memory, variance_now
from engine.dynamics.volatility_moves import volatility_moves_micro
from engine.errors import InvalidInput

LARGEST_MICRO = 2**31 - 1
"""Tables hold 32-bit integers."""


class Library(NamedTuple):
    """What everything is fitted to, U assets over n hours; the first `markets` trade by themselves, tokens follow.

    Attributes
    ----------
    symbols : tuple of str
    markets : int
    clock_hour : int64 array, shape (n,)
        The hours at which the returns end.
    hour_factor_ppm : int64 array, shape (U, 168)
    log_return, variance : float64 arrays, shape (U, n)
        Gap-scaled returns, and the variance in use for each.
    residual_micro, move_micro : int64 arrays, shape (U, n)
    warm, memories : tuple of Memory
        Before the first hour and after the last.
    filled_hours, volatility_hours : int64 arrays, shape (U,)
        Hours that are not the asset's own, and hours with a volatility history.
    """

    symbols: tuple[str, ...]
    markets: int
    clock_hour: NDArray[np.int64]
    hour_factor_ppm: NDArray[np.int64]
    log_return: NDArray[np.float64]
    variance: NDArray[np.float64]
    residual_micro: NDArray[np.int64]
    move_micro: NDArray[np.int64]
    warm: tuple[Memory, ...]
    memories: tuple[Memory, ...]
    filled_hours: NDArray[np.int64]
    volatility_hours: NDArray[np.int64]

    @property
    def hours(self) -> int:
        """n."""
        return int(self.clock_hour.size)


def library_of(
    symbols: tuple[str, ...],
    markets: int,
    returns: ClockReturns,
    volatility: Sequence[VolatilityHistory],
    settings: CalibrationSettings,
) -> Library:
    """Return the library of returns on the common clock.

    Raises
    ------
    InvalidInput
        If a history is too short, constant or absurd; the message names the asset.
    """
    own_share = returns.log_return.shape[1] - returns.first_return
    log_return = fill_short_histories(returns, symbols, settings)
    hours = log_return.shape[1]
    clock = returns.hour[-hours - 1 :]
    long_run = _long_run_variances(log_return, own_share, symbols, settings)
    variance, warm, memories = _filtered(returns, log_return, long_run, settings)
    moves, known = volatility_moves_micro(clock, symbols, volatility, variance)
    filled = np.maximum(hours - own_share, 0)
    residuals = _residuals_micro(log_return, variance)
    return Library(
        symbols=symbols,
        markets=markets,
        clock_hour=clock[1:],
        hour_factor_ppm=_hour_factors(clock, residuals, filled),
        log_return=log_return,
        variance=variance[:, :-1],
        residual_micro=residuals,
        move_micro=moves,
        warm=warm,
        memories=memories,
        filled_hours=filled,
        volatility_hours=np.count_nonzero(known, axis=1),
    )


def _long_run_variances(
    log_return: NDArray[np.float64], own: NDArray[np.int64], symbols: tuple[str, ...], settings: CalibrationSettings
) -> list[float]:
    """Mean square over the library; for a short history not below that of its own hours."""
    variances = []
    for row, symbol in enumerate(symbols):
        own_square = log_return[row, -min(int(own[row]), log_return.shape[1]) :] ** 2
        if not np.any(own_square > 0.0):
            raise InvalidInput(f"history of {symbol} is constant: it has no variance to calibrate")
        variance = float(np.mean(log_return[row] ** 2))
        if own[row] < settings.minimum_history_hours:
            variance = max(variance, float(np.mean(own_square)))
        variances.append(rounded(variance))
    return variances


def _filtered(
    returns: ClockReturns, log_return: NDArray[np.float64], long_run: list[float], settings: CalibrationSettings
) -> tuple[NDArray[np.float64], tuple[Memory, ...], tuple[Memory, ...]]:
    """Variance at each hour of the library's clock, shape (U, n + 1), and the memories at its start and end.

    The filter warms up on whatever lies before the library.
    """
    rule = rule_of(settings)
    hours = log_return.shape[1]
    table = np.empty((log_return.shape[0], hours + 1))
    warm_memories, memories = [], []
    for row, level in enumerate(long_run):
        before = returns.log_return[row, int(returns.first_return[row]) : returns.log_return.shape[1] - hours]
        _, warm = run_filter(before, rule, start_memory(level))
        table[row, :-1], memory = run_filter(log_return[row], rule, warm)
        table[row, -1] = variance_now(rule, memory)
        warm_memories.append(warm)
        memories.append(Memory(*(rounded(value) for value in memory)))
    return table, tuple(warm_memories), tuple(memories)


def _residuals_micro(log_return: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.int64]:
    table = np.rint(log_return / np.sqrt(variance[:, :-1]) * MICRO).astype(np.int64)
    if np.max(np.abs(table)) > LARGEST_MICRO:
        raise InvalidInput("a return is more than 2,147 deviations of its own filter: a bad bar, or a dead asset")
    return table


def _hour_factors(
    clock: NDArray[np.int64], residuals: NDArray[np.int64], filled: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Factors of each asset from its own hours alone, shape (U, 168)."""
    return np.stack(
        [hour_factors_ppm(clock[start:], residuals[row, start:]) for row, start in enumerate(filled.tolist())]
    )
