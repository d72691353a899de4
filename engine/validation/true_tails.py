"""The true VaR and ES of a unit long or short in a simulated market, given the state at the end of its history.

In closed form where there is one, else from `TRUTH_PATHS` paths from each state of a grid, with common random numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.risk import tail_measure
from engine.validation.worlds import SIDES, World, stream

Vector = NDArray[np.float64]

TRUTH_BATCHES, TRUTH_BATCH_PATHS = 8, 131_072
TRUTH_PATHS = TRUTH_BATCHES * TRUTH_BATCH_PATHS
TRUTH_STREAM = 2**32
"""Stream of the random numbers behind the truth; histories use smaller ones."""


class Truth:
    """True measures of a world by state, simulated once and interpolated in logarithms.

    Beyond the grid the figure of its end counts, which for variance is more than a thousand times the mean.
    """

    def __init__(self, world: World, horizons: tuple[int, ...], measure: str, level: float) -> None:
        self._world, self._horizons, self._measure, self._level = world, horizons, measure, level
        batches = np.array([self._batch(batch) for batch in range(TRUTH_BATCHES)])
        self._figures: Vector = batches.mean(axis=0)
        self._errors: Vector = batches.std(axis=0, ddof=1) / math.sqrt(TRUTH_BATCHES) / self._figures

    def of(self, state: float, horizon_hours: int, side: str) -> tuple[float, float]:
        """Return the true measure given the state, a fraction of the price, and its relative standard error."""
        exact = self._world.exact(side, horizon_hours, self._measure, self._level)
        return (exact, 0.0) if exact is not None else self.simulated(state, horizon_hours, side)

    def simulated(self, state: float, horizon_hours: int, side: str) -> tuple[float, float]:
        """Return the same from the simulation, whether or not there is a closed form."""
        column = self._horizons.index(horizon_hours), SIDES.index(side)
        at, grid = np.log(state), np.log(self._world.grid)
        figure = float(np.exp(np.interp(at, grid, np.log(self._figures[:, *column]))))
        return figure, float(np.interp(at, grid, self._errors[:, *column]))

    def _batch(self, batch: int) -> Vector:
        """Figures of one batch of paths, shape (states, horizons, sides)."""
        move = self._world.moves(
            self._world.grid, self._horizons, TRUTH_BATCH_PATHS, stream(self._world, TRUTH_STREAM, batch)
        )
        return np.array(
            [
                [[tail_measure(sign * one, self._measure, self._level) for sign in (-1.0, 1.0)] for one in by_horizon]
                for by_horizon in move
            ]
        )
