"""What one contract gains for each USD of spot, over each stretch of the 99.5 % range: its delta, far out too.

A book that is flat at both ends of the range, such as a butterfly, may still have to be unwound on the way: what has to
be traded to close it is the largest delta that it has anywhere within the range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.special import log_array
from engine.market import MarketState
from engine.rows import unit_notional
from engine.scenarios.stress import Ranges
from engine.sums import segment_products

STRETCHES = 4
"""Stretches of equal length from now to each end of the range."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """Deltas of one contract in USD of spot.

    Attributes
    ----------
    stretch : float64 array, shape (2 `STRETCHES`, I)
        Profit over a stretch of moves, divided by its length; from the far end of the fall to that of the rise.
    notional : float64 array, shape (I,)
        Underlying notional of one contract in USD.
    """

    stretch: NDArray[np.float64]
    notional: NDArray[np.float64]

    def largest(
        self, indptr: NDArray[np.int64], instrument: NDArray[np.int32], quantity: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the largest absolute delta of each row of one underlying, never above the notional of its legs."""
        legs = segment_products(indptr, instrument, np.abs(quantity), self.notional)
        steepest = np.zeros(indptr.size - 1)
        for stretch in self.stretch:
            np.maximum(steepest, np.abs(segment_products(indptr, instrument, quantity, stretch)), out=steepest)
        return np.minimum(steepest, legs)


def slopes_of(
    instruments: Instruments, market: MarketState, response: SurfaceResponse, ranges: Ranges, threads: int
) -> Slopes:
    """Price every instrument at the ends of the stretches, all underlyings moving by the same share of their range.

    Moves are instantaneous; the surface follows spot, its level is not shocked.
    """
    share = np.arange(-STRETCHES, STRETCHES + 1) / STRETCHES
    move = np.where(share < 0.0, ranges.fall[:, None], ranges.rise[:, None]) * share
    log_return = log_array(1.0 + move)[:, None, :]
    now = np.zeros(1, dtype=np.int64)
    profit = revalue(
        instruments, market, response, FactorPaths(now, log_return, now, np.zeros_like(log_return)), threads
    )
    length = np.diff(move, axis=1)[instruments.underlying]
    stretch = np.diff(profit.dense()[:, 0], axis=1) / length
    return Slopes(np.ascontiguousarray(stretch.T), unit_notional(instruments, market))
