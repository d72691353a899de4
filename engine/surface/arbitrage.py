"""Where a surface allows a riskless gain: butterflies by Durrleman's g, calendars by falling total variance.

    g(k) = (1 - k w'/(2 w))^2 - w'^2/4 (1/w + 1/4) + w''/2

g < 0 is a negative probability of ending at K; total variance that falls with time at one k sells time below zero.
The engine's own slices are seven nodes: their derivatives are central differences over one standard deviation, at the
five inner nodes (the outer two stand for all that lies beyond them). Only + - * / sqrt.
Source: V. Durrleman (2003), From implied to spot volatilities; Gatheral and Jacquier (2014), section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.market import AT_THE_MONEY, SLICE_NODES, MarketState
from engine.surface.svi import RawSvi, TotalVariance, total_variance

Vector = NDArray[np.float64]

X_NODES = np.arange(SLICE_NODES, dtype=np.float64) - AT_THE_MONEY
FARTHEST = float(AT_THE_MONEY)
SECONDS_A_YEAR = 365.0 * 86_400.0
ROUNDING = 1e-12
"""Relative: by how much a variance that should not fall may, since it went through a root and back."""


@dataclass(frozen=True, slots=True)
class NodeSlice:
    """One expiry of the engine's surface.

    Attributes
    ----------
    volatility : float64 array, shape (7,)
        A year, at x = -3 ... 3, x = k / (atm sqrt(T)); linear between, flat beyond; positive.
    years : float
        Time to expiry, positive.
    """

    volatility: Vector
    years: float

    @property
    def deviation(self) -> float:
        """Standard deviation at the money, by which k is divided to give x."""
        return float(self.volatility[AT_THE_MONEY] * np.sqrt(self.years))

    @property
    def node_k(self) -> Vector:
        """Log moneyness of the nodes, shape (7,)."""
        return X_NODES * self.deviation

    def total_variance_at(self, k: Vector) -> Vector:
        """Return total variance at log moneyness `k`, in its shape."""
        position = np.clip(k / self.deviation, -FARTHEST, FARTHEST) + FARTHEST
        lower = np.minimum(position.astype(np.int64), SLICE_NODES - 2)
        step = self.volatility[lower + 1] - self.volatility[lower]
        volatility = self.volatility[lower] + (position - lower) * step
        result: Vector = volatility * volatility * self.years
        return result


@dataclass(frozen=True, slots=True)
class Failure:
    """A place where a market's surface allows arbitrage; `kind` is "butterfly" or "calendar"."""

    slice: int
    kind: str
    x: float


def durrleman(k: Vector, w: TotalVariance) -> Vector:
    """Return g at log moneyness `k`, in its shape; total variance must be positive."""
    tilt = 1.0 - k * w.slope / (2.0 * w.level)
    result: Vector = tilt * tilt - 0.25 * w.slope * w.slope * (1.0 / w.level + 0.25) + 0.5 * w.curvature
    return result


def svi_butterflies(svi: RawSvi, k: Vector) -> Vector:
    """Return those of the grid's points `k` at which g of an SVI slice is negative."""
    return k[durrleman(k, total_variance(svi, k)) < 0.0]


def svi_calendars(near: RawSvi, far: RawSvi, k: Vector) -> Vector:
    """Return those of the grid's points `k` at which the later slice has less total variance than the earlier."""
    return k[total_variance(far, k).level < total_variance(near, k).level]


def svi_nodes(svi: RawSvi, years: float) -> NodeSlice:
    """Return an SVI slice, its variance at the money positive, as the seven nodes that the engine uses."""
    deviation = np.sqrt(total_variance(svi, np.zeros(1)).level[0])
    return NodeSlice(np.sqrt(total_variance(svi, X_NODES * deviation).level / years), years)


def node_butterflies(nodes: NodeSlice) -> Vector:
    """Return the inner nodes, as x, at which g is negative."""
    deviation, w = nodes.deviation, nodes.volatility * nodes.volatility * nodes.years
    differences = TotalVariance(
        level=w[1:-1],
        slope=(w[2:] - w[:-2]) / (2.0 * deviation),
        curvature=(w[2:] - 2.0 * w[1:-1] + w[:-2]) / (deviation * deviation),
    )
    return X_NODES[1:-1][durrleman(nodes.node_k[1:-1], differences) < 0.0]


def node_calendars(near: NodeSlice, far: NodeSlice) -> Vector:
    """Return the later slice's nodes, as x, at which it has less total variance than the earlier at the same k."""
    k = far.node_k
    return X_NODES[far.total_variance_at(k) < near.total_variance_at(k) * (1.0 - ROUNDING)]


def slices_in_time(market: MarketState, underlying: int) -> list[int]:
    """Return the underlying's slices, soonest first; of equal expiries the first listed."""
    owned = np.flatnonzero(market.slice_underlying == underlying)
    return [int(i) for i in owned[np.argsort(market.slice_seconds[owned], kind="stable")]]


def node_slice(market: MarketState, slice_: int) -> NodeSlice:
    """Return one slice of a market."""
    return NodeSlice(market.vol_nodes[slice_], float(market.slice_seconds[slice_]) / SECONDS_A_YEAR)


def failures(market: MarketState) -> list[Failure]:
    """Return every place where the market's surface allows arbitrage, by underlying and time; empty when nowhere."""
    found = []
    for underlying in range(len(market.symbols)):
        near = None
        for slice_ in slices_in_time(market, underlying):
            nodes = node_slice(market, slice_)
            found += [Failure(slice_, "butterfly", float(x)) for x in node_butterflies(nodes)]
            if near is not None:
                found += [Failure(slice_, "calendar", float(x)) for x in node_calendars(near, nodes)]
            near = nodes
    return found
