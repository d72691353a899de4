"""The portfolios of a published back-test of a venue's matrix, from their words to a book on a measured surface."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.book import Instruments, Kind, Positions
from engine.market import MarketState
from engine.surface.arbitrage import node_slice
from engine.validation.closed_forms.options import european_greeks
from engine.validation.truth.case import NotUnderstood
from engine.validation.truth.measured_surface import MeasuredSurface


@dataclass(frozen=True, slots=True)
class Leg:
    """A quantity of an option, its strike so many standard deviations of the log price above the forward."""

    kind: Kind
    days: int
    deviations: float
    quantity: float


@dataclass(frozen=True, slots=True)
class Portfolio:
    """Options, and whether spot makes their delta 0."""

    legs: tuple[Leg, ...]
    hedged: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """A portfolio as one account on the market of its surface."""

    instruments: Instruments
    positions: Positions

    def on(self, seconds_gone: int) -> Holding:
        """Return the same holding with so much less time to expiry, for a market that is as much later."""
        listed = self.instruments
        left = np.where(listed.slice >= 0, listed.seconds_to_expiry - seconds_gone, 0)
        later = Instruments(
            listed.kind, listed.underlying, listed.market_id, listed.slice, left, listed.strike, listed.multiplier,
            listed.inverse,
        )  # fmt: skip
        return Holding(later, self.positions)


_SIGNS = {"short": -1.0, "long": 1.0}
_SIDE, _DAYS, _WIDTH = r"(short|long)", r"(\d+)d", r"(\d+(?:\.\d+)?)sd"


def _straddle(side: str, days: str, size: float = 1.0) -> tuple[Leg, ...]:
    return tuple(Leg(kind, int(days), 0.0, _SIGNS[side] * size) for kind in (Kind.CALL, Kind.PUT))


def _strangle(side: str, width: str, days: str) -> Portfolio:
    far = float(width)
    call, put = Leg(Kind.CALL, int(days), far, _SIGNS[side]), Leg(Kind.PUT, int(days), -far, _SIGNS[side])
    return Portfolio((call, put))


def _single(side: str, width: str, kind: str, days: str) -> Portfolio:
    is_call = kind == "call"
    far = float(width) if is_call else -float(width)
    return Portfolio((Leg(Kind.CALL if is_call else Kind.PUT, int(days), far, _SIGNS[side]),))


def _calendar(first: str, near: str, second: str, far: str, weights: str) -> Portfolio:
    """Straddles of two tenors; vega-neutral weighs the first by the root of far over near."""
    if first == second or int(near) >= int(far):
        raise NotUnderstood("a calendar has a short and a long side, the nearer tenor first")
    size = math.sqrt(int(far) / int(near)) if weights == "vega-neutral" else 1.0
    return Portfolio((*_straddle(first, near, size), *_straddle(second, far)))


def _risk_reversal(side: str, days: str) -> Portfolio:
    """Short: the put at one deviation is sold, the call bought."""
    sign = _SIGNS[side]
    return Portfolio((Leg(Kind.CALL, int(days), 1.0, -sign), Leg(Kind.PUT, int(days), -1.0, sign)), hedged=True)


_FORMS: dict[str, Callable[..., Portfolio]] = {
    rf"{_SIDE} straddle {_DAYS}": lambda side, days: Portfolio(_straddle(side, days)),
    rf"{_SIDE} strangle {_WIDTH} {_DAYS}": _strangle,
    rf"{_SIDE} {_WIDTH} (call|put) {_DAYS}": _single,
    rf"calendar: {_SIDE} {_DAYS} {_SIDE} {_DAYS} (vega-neutral|1:1)": _calendar,
    rf"{_SIDE} risk reversal {_DAYS} delta-hedged": _risk_reversal,
}


def portfolio_of(words: str) -> Portfolio:
    """Return the portfolio that the words name; raise `NotUnderstood` for any other words."""
    for form, build in _FORMS.items():
        match = re.fullmatch(form, words)
        if match is not None:
            return build(*match.groups())
    raise NotUnderstood(f"portfolio {words!r} is not of a known form")


def holding_of(portfolio: Portfolio, surface: MeasuredSurface, market: MarketState) -> Holding:
    """Return the portfolio as one account; spot is 1, deltas are of Black-76 at the volatility of the strike."""
    rows = [_Row(leg.kind, surface.index(leg.days), _strike(leg, surface), leg.quantity) for leg in portfolio.legs]
    if portfolio.hedged:
        delta = sum(row.quantity * _delta(market, row) for row in rows)
        rows.append(_Row(Kind.SPOT, -1, 0.0, -delta))
    count, place = len(rows), np.array([row.slice for row in rows])
    seconds = np.where(place >= 0, market.slice_seconds[place], 0)
    nothing, every = np.zeros(count, np.int32), np.arange(count, dtype=np.int32)
    listed = Instruments(
        np.array([row.kind for row in rows]), nothing, every, place, seconds, np.array([row.strike for row in rows]),
        np.ones(count), np.zeros(count, np.bool_),
    )  # fmt: skip
    return Holding(listed, Positions(np.array([0, count]), every, np.array([row.quantity for row in rows])))


class _Row(NamedTuple):
    kind: Kind
    slice: int
    strike: float
    quantity: float


def _strike(leg: Leg, surface: MeasuredSurface) -> float:
    return math.exp(leg.deviations * surface.tenor(leg.days).deviation)


def _delta(market: MarketState, row: _Row) -> float:
    nodes = node_slice(market, row.slice)
    k = np.array([math.log(row.strike / market.forward[row.slice])])
    volatility = math.sqrt(float(nodes.total_variance_at(k)[0]) / nodes.years)
    return european_greeks(row.kind is Kind.CALL, 1.0, row.strike, 0.0, 0.0, nodes.years, volatility).delta
