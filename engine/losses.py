"""The losses of books on one horizon's tables: tail of what was drawn, weighted stress, effective size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.configuration import EXPECTED_SHORTFALL, ModelConfiguration
from engine.evaluation import COMPONENTS
from engine.kernels.replicates import replicated_shortfall
from engine.kernels.tail import expected_shortfall, worst_stress
from engine.priced import PricedHorizon, Problem, SampledTable
from engine.risk import sampling_bound
from engine.sums import segment_products

Book = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]
"""indptr, instrument and quantity of rows of positions."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of rows of positions in USD, shape (rows,) each, at least 0.

    Attributes
    ----------
    tail : float64 array
        Largest ES (or VaR, by the model's measure) over the sets that were drawn.
    tail_sampling : float64 array
        The same with each set's own sampling error added; what is charged rests on it.
    tail_component : int8 array
        Component of the set that gave `tail_sampling`, an index into `COMPONENTS`.
    stress, stress_unweighted : float64 arrays
    finite : bool array
        False where a profit of the row is not a number or overflows: its figures mean nothing.
    """

    tail: NDArray[np.float64]
    tail_sampling: NDArray[np.float64]
    tail_component: NDArray[np.int8]
    stress: NDArray[np.float64]
    stress_unweighted: NDArray[np.float64]
    finite: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Tail:
    """Measure of each row over one drawn set: its estimate, with the sampling error added, and what is finite."""

    point: NDArray[np.float64]
    sampling: NDArray[np.float64]
    finite: NDArray[np.bool_]


def losses_of(
    problem: Problem,
    priced: PricedHorizon,
    indptr: NDArray[np.int64],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
) -> Losses:
    """Return the losses of rows of positions; a gain counts as 0. Check `finite` before use."""
    rows, threads = indptr.size - 1, problem.threads
    book = indptr, instrument, quantity
    tail, sampling, finite = np.zeros(rows), np.zeros(rows), np.ones(rows, dtype=np.bool_)
    component = np.full(rows, COMPONENTS.index(priced.sampled[0].component), dtype=np.int8)
    for sampled in priced.sampled:
        result = _tail(sampled, book, problem.model, threads)
        component = np.where(result.sampling > sampling, np.int8(COMPONENTS.index(sampled.component)), component)
        tail, sampling = np.maximum(tail, result.point), np.maximum(sampling, result.sampling)
        finite &= result.finite
    weighted, unweighted = np.zeros(rows), np.zeros(rows)
    for tables, worst in ((priced.stress_weighted, weighted), (priced.stress, unweighted)):
        for table in tables:
            stressed = worst_stress(table, *book, None, threads)
            np.maximum(worst, stressed.loss, out=worst)
            finite &= stressed.finite
    return Losses(tail, sampling, component, weighted, unweighted, finite)


def _tail(sampled: SampledTable, book: Book, model: ModelConfiguration, threads: int) -> _Tail:
    probability, shortfall = 1.0 - model.es_level, model.measure == EXPECTED_SHORTFALL
    if len(sampled.replicates) > 1:
        drawn = replicated_shortfall(sampled.replicates, *book, probability, sampled.probability, threads)
        point, sampling = sampling_bound(drawn.expected_shortfall if shortfall else drawn.value_at_risk)
        return _Tail(point, sampling, drawn.finite)
    whole = expected_shortfall(sampled.replicates[0], *book, probability, sampled.probability[0], threads)
    figure = whole.expected_shortfall if shortfall else whole.value_at_risk
    return _Tail(figure, figure, whole.finite)


def effective_size_usd(
    priced: PricedHorizon,
    indptr: NDArray[np.int64],
    underlying: NDArray[np.int32],
    instrument: NDArray[np.int32],
    quantity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return what has to be traded to close each row of one underlying, in USD of spot.

    The largest delta within the 99.5 % range (`engine.slopes`), and not below the mean delta over the whole of either
    side: the net size of a linear book, about 0 for a box, and not 0 for a straddle, whose delta is 0 only while
    nothing moves, nor for a butterfly, which is flat at both ends and not between.
    """
    rise = np.abs(segment_products(indptr, instrument, quantity, priced.rise_profit))
    fall = np.abs(segment_products(indptr, instrument, quantity, priced.fall_profit))
    ends = np.maximum(rise / priced.ranges.rise[underlying], fall / priced.ranges.fall[underlying])
    return np.maximum(ends, priced.slopes.largest(indptr, instrument, quantity))
