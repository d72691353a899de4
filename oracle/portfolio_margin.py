"""What a portfolio has to bring and why, in whole micro-USD and parts per million; every line says what it is.

Requirements round up; the components of one are differences of rounded running totals, so that they add up exactly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class LegMargin:
    """One position or token: its worth, its requirement alone, and its share of the loss that binds the model."""

    position: str
    quantity: str
    value_micro: int
    alone_micro: int
    share_micro: int


@dataclass(frozen=True, slots=True)
class UnderlyingMargin:
    """The part of the portfolio in one underlying; `alone_micro` is its model loss at the full bound.

    `charge_factor_ppm` is what turned its tail into what is charged.
    """

    symbol: str
    alone_micro: int
    charge_factor_ppm: int
    net_micro: int
    size_micro: int
    liquidity_micro: int
    concentration_micro: int
    funding_micro: int


@dataclass(frozen=True, slots=True)
class Move:
    """How far a scenario moves one underlying, in parts per million of the level before."""

    symbol: str
    price_ppm: int
    volatility_ppm: int


@dataclass(frozen=True, slots=True)
class ScenarioMargin:
    """A scenario in words and in numbers; `counted_micro` is what is left of the loss after a stress's weight."""

    words: str
    component: str
    label: str
    number: int
    hour: int
    moves: tuple[Move, ...]
    loss_micro: int
    counted_micro: int
    probability_ppb: int


@dataclass(frozen=True, slots=True)
class HorizonMargin:
    """A requirement at one horizon; `components` add up to `required_micro`, the legs' shares to `shared_micro`."""

    hours: int
    required_micro: int
    components: dict[str, int]
    model_binding: str
    binding: str
    shared_micro: int
    legs: tuple[LegMargin, ...]
    underlyings: tuple[UnderlyingMargin, ...]
    worst: tuple[ScenarioMargin, ...]


@dataclass(frozen=True, slots=True)
class VenueMargin:
    """What a venue's published matrix asks of the same portfolio; `required_micro` None says why in `note`."""

    venue: str
    required_micro: int | None
    note: str


@dataclass(frozen=True, slots=True)
class PortfolioMargin:
    """The answer to `margin-oracle margin`.

    `equity_micro` is cash plus the worth of spot, options and collateral: perpetuals and futures are entered at their
    marks, so that their profit so far is part of the cash.
    """

    name: str
    time: str
    calibration_label: str
    calibration_hash: str
    calibration_first: str
    calibration_last: str
    es_level_ppm: int
    bound_confidence_ppm: int
    equity_micro: int
    stress_unweighted_micro: int
    initial: HorizonMargin
    maintenance: HorizonMargin
    venues: tuple[VenueMargin, ...]
    assumptions: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return plain data: integers, strings and lists."""
        return asdict(self)
