"""Filtered historical paths: blocks of consecutive residuals with the filter running inside the path (DESIGN 3.4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine._jit import read_only
from engine.dynamics.recursions import Memory, Rule, walk


def filtered_paths(
    residual_micro: NDArray[np.int64],
    move_micro: NDArray[np.int64],
    starts: NDArray[np.int64],
    hours: int,
    rule: Rule,
    memory: Memory,
    season: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    out: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Walk each block of residuals from today's variance.

    Parameters
    ----------
    residual_micro, move_micro : int64 arrays, shape (n,)
        One asset's library: residuals in millionths of a deviation, volatility moves in millionths of a log.
    starts : int64 array, shape (S,)
        First hour of each block; start + hours <= n.
    hours : int
        Length of a path.
    rule, memory : Rule, Memory
        The variance inside a path never exceeds `memory.largest`; without the cap the short side has no finite ES.
    season : pair of float64 arrays, shapes (hours,) and (n,), optional
        Roots of the hour-of-week factors ahead and of the library's hours, see `seasonality.season_roots`.
    out : pair of float64 arrays, shape (hours, S), optional
        Where to put the result; new arrays otherwise, whose fresh pages can cost more than the walk.

    Returns
    -------
    log_return : float64 array, shape (hours, S)
        Natural log of price over today's price after each hour.
    volatility_shock : float64 array, shape (hours, S)
        Cumulative log change of thirty-day volatility on the block's own dates.
    """
    log_return, volatility_shock = out or (np.empty((hours, starts.size)), np.empty((hours, starts.size)))
    ahead, own = season or (np.ones(hours), np.ones(residual_micro.size))
    library = read_only(residual_micro, np.int64), read_only(move_micro, np.int64), read_only(starts, np.int64)
    walk(*library, read_only(ahead, np.float64), read_only(own, np.float64), rule, memory, log_return, volatility_shock)
    return log_return, volatility_shock


def block_starts(library_hours: int, longest_path_hours: int, step_hours: int) -> NDArray[np.int64]:
    """Return the first hours of all blocks, every `step_hours`, counted back from the library's end."""
    last = library_hours - longest_path_hours
    return np.arange(last, -1, -step_hours, dtype=np.int64)[::-1].copy()
