"""How far a figure of finite history may lie below the truth: stationary bootstrap of whole days, all re-estimated.

Days are runs of 24 hours of the library's clock, drawn in blocks of geometric length (mean 5), the same days for every
asset. Each replicate estimates the long-run variance, runs the filter, and takes residuals and the variance cap from
its own history; today's short memories are what was observed, so they stay. Replicates are keyed by the hash of the
settings: successive calibrations share their random numbers (DESIGN 3.8).

Source: D. Politis and J. Romano (1994), The stationary bootstrap, J. American Statistical Association 89, 1303-1313.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings, settings_hash
from engine.dynamics.archetypes import archetype_losses
from engine.dynamics.calibration import ARCHETYPES, Bound, rounded
from engine.dynamics.paths import block_starts, filtered_paths
from engine.dynamics.recursions import MICRO, Memory
from engine.dynamics.variance import rule_of, run_filter, start_memory, variance_now
from engine.risk import pivotal_ratio, tail_measure

HOURS_A_DAY = 24
SAMPLING_SHARE = 0.01
"""Part of the error probability set aside for Monte Carlo (DESIGN 3.8); so a 95 % bound takes the 96 % one here."""

Figures = dict[tuple[int, str], float]
"""The measure by horizon and archetype."""


def bootstrap_bounds(
    symbols: tuple[str, ...],
    log_return: NDArray[np.float64],
    move_micro: NDArray[np.int64],
    memories: tuple[Memory, ...],
    settings: CalibrationSettings,
    archetypes: tuple[str, ...] = ARCHETYPES,
) -> tuple[Bound, ...]:
    """Return the bound of every archetype book of every asset at every horizon.

    Parameters
    ----------
    symbols : tuple of str
    log_return : float64 array, shape (U, n)
        The library's gap-scaled returns.
    move_micro : int64 array, shape (U, n)
    memories : tuple of Memory
        At the library's end.
    settings : CalibrationSettings
    archetypes : tuple of str
    """
    estimate = _Estimator(settings, archetypes, log_return.shape[1])
    points = [estimate.figures(log_return[u], move_micro[u], memories[u], memories[u]) for u in range(len(symbols))]
    replicates: list[list[Figures]] = [[] for _ in symbols]
    for hours in drawn_hours(log_return.shape[1], settings):
        for u in range(len(symbols)):
            drawn = log_return[u, hours]
            start = start_memory(float(np.mean(drawn * drawn)))
            replicates[u].append(estimate.figures(drawn, move_micro[u, hours], start, memories[u]))
    return tuple(
        _bound(symbol, key, points[u][key], np.array([figures[key] for figures in replicates[u]]), settings)
        for u, symbol in enumerate(symbols)
        for key in sorted(points[u])
    )


def drawn_hours(library_hours: int, settings: CalibrationSettings) -> Iterator[NDArray[np.int64]]:
    """Yield, for each replicate, the library's hours in resampled order, shape (days x 24,)."""
    days = library_hours // HOURS_A_DAY
    seed = int(settings_hash(settings)[:32], 16)
    for replicate in range(settings.replicates):
        random = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, replicate]))
        begins = random.random(days) < 1.0 / settings.mean_block_days
        begins[0] = True
        first = random.integers(0, days, days)
        since = np.arange(days) - np.maximum.accumulate(np.where(begins, np.arange(days), 0))
        day = (first[np.maximum.accumulate(np.where(begins, np.arange(days), 0))] + since) % days
        # whole days counted back from the end, so that the most recent hour is in one
        offset = library_hours - days * HOURS_A_DAY
        yield (offset + day[:, None] * HOURS_A_DAY + np.arange(HOURS_A_DAY)).ravel()


class _Estimator:
    """The archetypes' figures of one history after the other, all paths in one piece of memory.

    A fresh array of this size for each replicate costs more than the walk that fills it.
    """

    def __init__(self, settings: CalibrationSettings, archetypes: tuple[str, ...], most_hours: int) -> None:
        self._settings, self._archetypes, self._rule = settings, archetypes, rule_of(settings)
        self._longest = max(settings.horizon_hours)
        self._room = np.empty(2 * self._longest * self._starts(most_hours).size)

    def figures(
        self, log_return: NDArray[np.float64], move_micro: NDArray[np.int64], start: Memory, today: Memory
    ) -> Figures:
        """Return the measure of each when this is the history and today's short memories are as observed."""
        rule, settings = self._rule, self._settings
        variance, after = run_filter(log_return, rule, start_memory(start.long_run))
        now = Memory(start.long_run, today.slow, today.fast, after.largest)
        now = now._replace(largest=max(now.largest, variance_now(rule, now)))
        residual = np.rint(log_return / np.sqrt(variance) * MICRO).astype(np.int64)
        starts = self._starts(residual.size)
        path, shock = self._room[: 2 * self._longest * starts.size].reshape(2, self._longest, starts.size)
        filtered_paths(residual, move_micro, starts, self._longest, rule, now, out=(path, shock))
        figures: Figures = {}
        for hours in settings.horizon_hours:
            losses = archetype_losses(path[hours - 1], shock[hours - 1], hours, start.long_run, self._archetypes)
            for name, loss in losses.items():
                figures[hours, name] = tail_measure(loss, settings.measure, settings.es_level)
        return figures

    def _starts(self, hours: int) -> NDArray[np.int64]:
        return block_starts(hours, self._longest, self._settings.path_step_hours)


def _bound(
    symbol: str, key: tuple[int, str], point: float, replicates: NDArray[np.float64], settings: CalibrationSettings
) -> Bound:
    confidence = settings.bound_confidence + SAMPLING_SHARE
    ratio, quantile = pivotal_ratio(point, replicates, confidence)
    return Bound(symbol, key[0], key[1], rounded(point), rounded(quantile), rounded(ratio))
