"""The mean volatility surface of a currency as measured, read from the cases of `deribit_surface_stats`, as a market.

Spot, forwards and discount factors are 1, so that amounts are per unit of spot. Node volatilities are
atm (1 + s x + c x^2) at x standard deviations, s from the measured skew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.market import SLICE_NODES, MarketState
from engine.surface.response import DAYS_A_YEAR, SECONDS_A_DAY
from engine.validation.truth.case import Case, NotUnderstood
from engine.validation.truth.reference_surface import reference_cases

Vector = NDArray[np.float64]

STATISTICS = "deribit_surface_stats"
"""The kind of file that states the cases."""
CURVATURE = 0.05
"""c, per square standard deviation: 0.053 (BTC) and 0.046 (ETH) on the mean of seven Deribit expiries each of 20 to 60
days, 30 December 2025 to 27 January 2026, where it hardly depends on the tenor; the statistics do not state it."""

LEAST_SHAPE = 0.1
"""Of the volatility at the money; a skew so steep that nodes would fall below is a wrong figure, and still compared."""


@dataclass(frozen=True, slots=True)
class Tenor:
    """One measured tenor: days, mean at-the-money volatility, mean d sigma / d ln K there, and its case."""

    days: int
    atm: float
    skew: float
    case: Case

    @property
    def deviation(self) -> float:
        """Standard deviation of the log price to expiry."""
        return self.atm * math.sqrt(self.days / DAYS_A_YEAR)


@dataclass(frozen=True, slots=True)
class MeasuredSurface:
    """The tenors of a currency, ascending, and the case of its daily returns where there is one."""

    currency: str
    tenors: tuple[Tenor, ...]
    returns: Case | None

    def tenor(self, days: int) -> Tenor:
        """Return a tenor, or raise `NotUnderstood` naming it."""
        return self.tenors[self.index(days)]

    def index(self, days: int) -> int:
        """Return the slice of a tenor in `market`."""
        found = next((place for place, tenor in enumerate(self.tenors) if tenor.days == days), None)
        if found is None:
            raise NotUnderstood(f"no statistics of {self.currency} at {days} days")
        return found

    def slopes(self) -> Vector:
        """Return s of each tenor: relative volatility per standard deviation at the money."""
        return np.array([tenor.skew * tenor.deviation / tenor.atm for tenor in self.tenors])

    def market(self, slopes: Vector | None = None) -> MarketState:
        """Return the surface as the market of one underlying, with its own slopes unless others are given."""
        count, x = len(self.tenors), np.arange(SLICE_NODES) - 0.5 * (SLICE_NODES - 1)
        atm = np.array([tenor.atm for tenor in self.tenors])
        shape = 1.0 + (self.slopes() if slopes is None else slopes)[:, None] * x + CURVATURE * x * x
        shape = np.maximum(shape, LEAST_SHAPE)
        seconds = np.array([tenor.days * SECONDS_A_DAY for tenor in self.tenors], dtype=np.int64)
        one, each = np.ones(1), np.ones(count)
        return MarketState(
            (self.currency,), one, np.zeros(count, np.int32), seconds, each, atm[:, None] * shape, each, 0.0 * one, one
        )


def measured_surface(currency: str, cases: Sequence[Case]) -> MeasuredSurface:
    """Return what the cases say of a currency, and what is on record where they say nothing.

    Raises
    ------
    NotUnderstood
        If no tenor of it is known, one is stated twice, or a figure is not a number.
    """
    recorded = [Case(fields) for fields in reference_cases(currency)]
    stated = [case for case in cases if "currency" in case and case.word("currency") == currency]
    tenors = _tenors(recorded) | _tenors(stated)
    if not tenors:
        raise NotUnderstood(f"no statistics of the surface of {currency}: state them in {STATISTICS}.json beside")
    returns = _returns(stated) or _returns(recorded)
    if len(returns) > 1:
        raise NotUnderstood(f"the returns of {currency} are stated {len(returns)} times")
    return MeasuredSurface(currency, tuple(tenors[days] for days in sorted(tenors)), returns[0] if returns else None)


def _tenors(cases: Sequence[Case]) -> dict[int, Tenor]:
    needed = ("tenor_days", "mean_atm_iv", "mean_skew_dsigma_dk")
    found = [_tenor(case) for case in cases if all(field in case for field in needed)]
    by_days = {tenor.days: tenor for tenor in found}
    if len(by_days) < len(found):
        raise NotUnderstood("a tenor is stated twice")
    return by_days


def _returns(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if "tenor_days" not in case and "sd" in case]


def _tenor(case: Case) -> Tenor:
    days, atm, skew = case.integer("tenor_days"), case.number("mean_atm_iv"), case.number("mean_skew_dsigma_dk")
    if days <= 0 or atm <= 0.0:
        raise NotUnderstood(f"{case.name}: a tenor or a volatility that is not positive")
    return Tenor(days, atm, skew, case)
