"""A surface without arbitrage near the one that is quoted (DESIGN 3.5).

Slices are taken soonest first. One that fails is flattened toward its own level at the money, in 64 steps, and raised
to the total variance of the slice before it, until neither butterflies nor calendars are left; a flat slice above
everything before it is the last resort, so that a repair always exists. The repaired surface is nearer to a fair one
but not always dearer for a book, hence the worse of the two is charged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.market import AT_THE_MONEY, MarketState
from engine.surface.arbitrage import (
    X_NODES,
    NodeSlice,
    failures,
    node_butterflies,
    node_calendars,
    node_slice,
    slices_in_time,
)

FLATTENING_STEPS = 64


def repaired_market(market: MarketState) -> MarketState | None:
    """Return the market with slices free of arbitrage, or None when they are already.

    Forwards, discounts, spots and funding stay as they are; so do slices that do not fail.
    """
    if not failures(market):
        return None
    volatility = market.vol_nodes.copy()
    for underlying in range(len(market.symbols)):
        near = None
        for slice_ in slices_in_time(market, underlying):
            near = repaired_slice(node_slice(market, slice_), near)
            volatility[slice_] = near.volatility
    return replace(market, vol_nodes=volatility)


def repaired_slice(nodes: NodeSlice, near: NodeSlice | None) -> NodeSlice:
    """Return the first slice in order of flattening that has no butterflies, nor calendars after `near`.

    Parameters
    ----------
    nodes : NodeSlice
    near : NodeSlice or None
        The underlying's slice before it, already repaired; None for the soonest.
    """
    for candidate in _candidates(nodes, near):
        if node_butterflies(candidate).size == 0 and (near is None or node_calendars(near, candidate).size == 0):
            return candidate
    return _flat_above(nodes, near)


def _candidates(nodes: NodeSlice, near: NodeSlice | None) -> Iterator[NodeSlice]:
    yield nodes
    atm = nodes.volatility[AT_THE_MONEY]
    for step in range(FLATTENING_STEPS, -1, -1):
        flatter = NodeSlice(atm + step / FLATTENING_STEPS * (nodes.volatility - atm), nodes.years)
        yield flatter if near is None else _raised(flatter, near)


def _raised(nodes: NodeSlice, near: NodeSlice) -> NodeSlice:
    """Sample the larger total variance of two slices at the nodes of a slice with its level at the money."""
    middle = np.zeros(1)
    deviation = np.sqrt(np.maximum(nodes.total_variance_at(middle), near.total_variance_at(middle)))
    k = X_NODES * deviation
    variance = np.maximum(nodes.total_variance_at(k), near.total_variance_at(k))
    return NodeSlice(np.sqrt(variance / nodes.years), nodes.years)


def _flat_above(nodes: NodeSlice, near: NodeSlice | None) -> NodeSlice:
    """A flat slice has g = 1 everywhere; at the largest variance before it no calendar is left either."""
    highest = float(nodes.total_variance_at(np.zeros(1))[0])
    if near is not None:
        peak = float(np.max(near.volatility))
        highest = max(highest, peak * peak * near.years)
    return NodeSlice(np.full(nodes.volatility.size, np.sqrt(highest / nodes.years)), nodes.years)
