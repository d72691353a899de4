"""Scenario matrices of venues as published: Deribit, Derive PMRM, SPAN 16, Paradex.

Each is a set of instant moves of spot and of thirty-day volatility with the venue's own rule for other tenors,

    vol'(K, T) = vol(K, T) max(0, 1 + range (30 / max(days, least))^p),   p by days < 30 or not,

at the strike, not the moneyness. `engine.matrix_margin` values books on them. Only the matrix: contingencies, minimum
charges and extended tables of a venue are its further rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput
from engine.kernels.special import exp_array, log_array
from engine.scenarios.scenario_set import ScenarioSet

PIVOT_DAYS = 30.0


@dataclass(frozen=True, slots=True)
class Shock:
    """One cell: simple move of spot, relative move of thirty-day volatility, share of the loss that counts."""

    spot: float
    volatility: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        moves = all(-1.0 < move < float("inf") for move in (self.spot, self.volatility))
        if not (moves and 0.0 <= self.weight <= 1.0):
            raise InvalidInput(f"{self}: moves must be finite and above -1, the weight within [0, 1]")


@dataclass(frozen=True, slots=True)
class VenueMatrix:
    """A venue's scenarios and its rule for the tenors of volatility.

    Attributes
    ----------
    scenarios : ScenarioSet
        One point at hour 0; `volatility_shock` is the log move of thirty-day volatility.
    power_short, power_long : float
        Exponents of 30 / days below 30 days and from there on.
    least_days : float
        Shorter tenors are shocked like this one.
    least_raised_volatility : float
        A volatility that is raised is raised to this at least; 0 when the venue has no such rule.
    """

    scenarios: ScenarioSet
    power_short: float = 0.30
    power_long: float = 0.13
    least_days: float = 1.0
    least_raised_volatility: float = 0.0

    def volatility_factor(self, underlying: int, days: float) -> NDArray[np.float64]:
        """Return the factor on volatility at a tenor in each scenario, shape (S,), at least 0."""
        power = self.power_short if days < PIVOT_DAYS else self.power_long
        tenor = exp_array(power * log_array(PIVOT_DAYS / max(days, self.least_days)))
        move = exp_array(self.scenarios.volatility_shock[underlying, 0]) - 1.0
        result: NDArray[np.float64] = np.maximum(1.0 + move * tenor, 0.0)
        return result


@dataclass(frozen=True, slots=True)
class Ranges:
    """How far a venue moves one underlying: spot both ways, thirty-day volatility up and down, as fractions."""

    price: float
    volatility_up: float
    volatility_down: float

    def __post_init__(self) -> None:
        up = 0.0 < self.volatility_up < float("inf")
        if not (0.0 < self.price < 1.0 and up and 0.0 < self.volatility_down < 1.0):
            raise InvalidInput(f"{self}: price and volatility_down within (0, 1), volatility_up above 0 and finite")


DERIBIT_RANGES: Mapping[str, Ranges] = {"BTC": Ranges(0.16, 0.50, 0.25), "ETH": Ranges(0.18, 0.40, 0.25)}
"""Deribit portfolio margin, parameters of 2026."""
DERIBIT_STEPS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)

DERIVE_RANGES = Ranges(0.20, 0.60, 0.30)
"""Derive PMRM, volShockParams and outer scenarios of June 2024."""
DERIVE_INNER_MOVES = (0.15, 0.10, 0.05, 0.0, -0.05, -0.10, -0.15)

PARADEX_VOLATILITY = (0.40, -0.22)
PARADEX_OUTER_MOVES = (0.16, -0.16)
PARADEX_INNER_MOVES = (0.12, 0.08, 0.04, 0.0, -0.04, -0.08, -0.12)
PARADEX_EXTENDED = (
    Shock(-0.66, 0.40, 0.24), Shock(-0.33, 0.40, 0.48), Shock(0.5, 0.40, 0.32), Shock(1.0, 0.40, 0.16),
    Shock(2.0, 0.40, 0.08), Shock(3.0, 0.40, 0.0533), Shock(4.0, 0.40, 0.04), Shock(5.0, 0.40, 0.032),
)  # fmt: skip
"""docs.paradex.trade, risk, portfolio margin."""

SPAN_STEPS = (0.0, 1.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0, -2.0 / 3.0, 1.0, -1.0)
SPAN_EXTREME_STEPS = (2.0, -2.0)
SPAN_EXTREME_WEIGHT = 0.35


def deribit_matrix(symbols: Sequence[str], ranges: Mapping[str, Ranges] = DERIBIT_RANGES) -> VenueMatrix:
    """Return nine prices times volatility up, unchanged and down: 27 scenarios, each underlying by its own ranges."""
    return VenueMatrix(_assemble("Deribit", symbols, [_deribit_cells(_of(ranges, symbol)) for symbol in symbols]))


def derive_matrix(symbols: Sequence[str], ranges: Ranges = DERIVE_RANGES) -> VenueMatrix:
    """Return PMRM's scenarios: seven prices times three volatilities between the two outer moves, volatility up: 23."""
    inner = [
        Shock(move, volatility)
        for move in DERIVE_INNER_MOVES
        for volatility in (ranges.volatility_up, 0.0, -ranges.volatility_down)
    ]
    outer = [Shock(sign * ranges.price, ranges.volatility_up) for sign in (1.0, -1.0)]
    cells = [outer[0], *inner, outer[1]]
    return VenueMatrix(_assemble("Derive PMRM", symbols, [cells] * len(symbols)))


def paradex_matrix(symbols: Sequence[str]) -> VenueMatrix:
    """Return 16 moves within 16 % and eight far ones that count in part: 24 scenarios."""
    inner = [Shock(move, volatility) for move in PARADEX_INNER_MOVES for volatility in PARADEX_VOLATILITY]
    outer = [Shock(move, PARADEX_VOLATILITY[0]) for move in PARADEX_OUTER_MOVES]
    cells = [outer[0], *inner, outer[1], *PARADEX_EXTENDED]
    return VenueMatrix(_assemble("Paradex", symbols, [cells] * len(symbols)))


def span_matrix(symbols: Sequence[str], ranges: Mapping[str, Ranges]) -> VenueMatrix:
    """Return SPAN's 16 scenarios: seven prices times volatility up and down, and two doubled moves that count by 35 %.

    Parameters
    ----------
    symbols : sequence of str
    ranges : mapping
        The clearing house's scan ranges of each symbol; its volatility moves all tenors alike.
    """
    cells = [_span_cells(_of(ranges, symbol)) for symbol in symbols]
    return VenueMatrix(_assemble("SPAN", symbols, cells), power_short=0.0, power_long=0.0)


def _deribit_cells(ranges: Ranges) -> list[Shock]:
    volatilities = (ranges.volatility_up, 0.0, -ranges.volatility_down)
    return [Shock(step * ranges.price, volatility) for step in DERIBIT_STEPS for volatility in volatilities]


def _span_cells(ranges: Ranges) -> list[Shock]:
    extreme = [step * ranges.price for step in SPAN_EXTREME_STEPS]
    if min(extreme) <= -1.0:
        raise InvalidInput(f"{ranges}: twice the price range takes the price to 0 or below")
    inner = [
        Shock(step * ranges.price, volatility)
        for step in SPAN_STEPS
        for volatility in (ranges.volatility_up, -ranges.volatility_down)
    ]
    return [*inner, *(Shock(move, 0.0, SPAN_EXTREME_WEIGHT) for move in extreme)]


def _of(ranges: Mapping[str, Ranges], symbol: str) -> Ranges:
    if symbol not in ranges:
        raise InvalidInput(f"no ranges for {symbol}: they are given for {', '.join(sorted(ranges))}")
    return ranges[symbol]


def _assemble(name: str, symbols: Sequence[str], cells: list[list[Shock]]) -> ScenarioSet:
    """Stack the cells of each underlying; labels are those of the first, whose cells stand for the grid."""
    if not symbols:
        raise InvalidInput(f"{name}: no underlying is given")
    spot = np.array([[cell.spot for cell in row] for row in cells])
    volatility = np.array([[cell.volatility for cell in row] for row in cells])
    return ScenarioSet(
        name=name,
        hours=np.zeros(1, dtype=np.int64),
        log_return=log_array(1.0 + spot)[:, None, :],
        volatility_shock=log_array(1.0 + volatility)[:, None, :],
        weight=np.array([[cell.weight for cell in row] for row in cells]),
        label=tuple(f"spot {cell.spot:+.4g}, volatility {cell.volatility:+.4g}" for cell in cells[0]),
    )
