"""What a valuation returns: market ratios and account requirements, with the component that binds each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPONENTS = (
    "none",
    "historical",
    "historical_trend",
    "stress",
    "gross",
    "leg_floor",
    "sum_of_ratios",
    "maintenance",
    "monte_carlo",
    "monte_carlo_correlated",
    "monte_carlo_independent",
    "collateral",
    "unmodelled",
    "monte_carlo_trend",
)
"""What can bind a requirement; the int8 codes of an `Evaluation` index this table."""
POINT, SAMPLING, BOUND = range(3)
"""The three figures that are kept of everything charged: estimate, with the sampling error of Monte Carlo added, and
with that of the parameters too, which is what is posted."""
FIGURES = ("_point", "_sampling", "")
"""Suffixes of their fields, in that order."""


@dataclass(frozen=True, slots=True)
class MarketRatios:
    """Ratios of M markets, `market_id` ascending; float64 arrays of shape (M,) unless said otherwise.

    A ratio is a fraction of the underlying notional (|contracts| x units x spot) for every kind of instrument; of
    inverse ones in coin, which is what a coin-margined market asks. A slope is what is added to it per USD 1e6 of that
    notional. What is posted is the one without a suffix, the full bound; `_sampling` leaves the parameters' part of it
    away, `_point` all of it. `worst_` is the instrument (int32) of the market that gave the initial ratio, `binding_`
    its component (int8, an index into `COMPONENTS`).
    """

    market_id: NDArray[np.int32]
    initial_long: NDArray[np.float64]
    initial_short: NDArray[np.float64]
    maintenance_long: NDArray[np.float64]
    maintenance_short: NDArray[np.float64]
    slope_long: NDArray[np.float64]
    slope_short: NDArray[np.float64]
    initial_long_sampling: NDArray[np.float64]
    initial_short_sampling: NDArray[np.float64]
    maintenance_long_sampling: NDArray[np.float64]
    maintenance_short_sampling: NDArray[np.float64]
    initial_long_point: NDArray[np.float64]
    initial_short_point: NDArray[np.float64]
    maintenance_long_point: NDArray[np.float64]
    maintenance_short_point: NDArray[np.float64]
    binding_long: NDArray[np.int8]
    binding_short: NDArray[np.int8]
    worst_long: NDArray[np.int32]
    worst_short: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Haircuts:
    """Stand-alone haircuts of T tokens; float64 arrays of shape (T,) unless said otherwise.

    A haircut is the fraction of a token's value that does not count when nothing offsets it: what one unit may lose
    over the horizon, plus the cost of selling it, at most 1. The slope is added to it per USD 1e6 of value.
    Suffixes and `binding` as in `MarketRatios`; initial >= maintenance (1 + d), as far as 1 allows.

    Attributes
    ----------
    underlying : int32 array, shape (T,)
        Of the tokens, ascending.
    """

    underlying: NDArray[np.int32]
    initial: NDArray[np.float64]
    maintenance: NDArray[np.float64]
    initial_sampling: NDArray[np.float64]
    maintenance_sampling: NDArray[np.float64]
    initial_point: NDArray[np.float64]
    maintenance_point: NDArray[np.float64]
    slope: NDArray[np.float64]
    binding: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class AccountRequirements:
    """Requirements of A accounts in the order of the book; USD, finite, at least 0.

    Attributes
    ----------
    initial, maintenance : float64 arrays, shape (A,)
        initial >= maintenance (1 + d).
    initial_sampling, maintenance_sampling : float64 arrays, shape (A,)
        The same with the sampling error of Monte Carlo added to the point estimate, and no more.
    initial_point, maintenance_point : float64 arrays, shape (A,)
        The same with the point estimate of the measure.
    stress_unweighted : float64 array, shape (A,)
        Worst loss over the stress list with every weight 1, and closing at the depth that a crash leaves
        (`scenarios.stress.DEPTH_LEFT`) on top; reported, not charged.
    value : float64 array, shape (A,)
        Mark value of the positions and of the collateral; an account's equity is its cash plus this.
    binding : int8 array, shape (A,)
        Component that binds the initial requirement, an index into `COMPONENTS`.
    """

    initial: NDArray[np.float64]
    maintenance: NDArray[np.float64]
    initial_sampling: NDArray[np.float64]
    maintenance_sampling: NDArray[np.float64]
    initial_point: NDArray[np.float64]
    maintenance_point: NDArray[np.float64]
    stress_unweighted: NDArray[np.float64]
    value: NDArray[np.float64]
    binding: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Two products of one computation, with what they rest on.

    Attributes
    ----------
    markets : MarketRatios
    accounts : AccountRequirements
    haircuts : Haircuts
        Of the tokens among the instruments, whether an account has pledged any or not.
    unmodelled : int64 array
        Accounts that hold what has no model, ascending; they are charged its worst case.
    scenario_set_hash : str
        Sha256 (hex) of every scenario that was used, in order.
    assumptions : tuple of str
        What the figures rest on and do not cover, one sentence each.
    """

    markets: MarketRatios
    accounts: AccountRequirements
    haircuts: Haircuts
    unmodelled: NDArray[np.int64]
    scenario_set_hash: str
    assumptions: tuple[str, ...]
