"""How far and in which ways a volatility surface moves in a day: published figures, or fitted to a surface history.

    d ln atm(T) = ssr(sign r) psi(T)/atm(T) r + (30/days)^p (e_L + v2(T) e_2),   v2(T) = (30 - days)/(30 + days)
    d ln [vol(x,T)/atm(T)] = (30/days)^(1/2) (e_G x + e_Q x^2)

The exponents p are fitted twice, over all days and over those of a crash, below and above thirty days; at each tenor
the larger shock is taken (`engine.surface.response`). Calibration only; the valuation takes the rounded numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput

Table = NDArray[np.float64]

PIVOT_DAYS = 30.0
CRASH_DEVIATIONS = 2.5
"""A day whose return lies lower than this many deviations counts as a crash."""
LEAST_DAYS = 60
"""Of changes; with fewer a tail exponent is noise and the published figures stay."""
LEAST_CRASHES = 5
HOURS_A_DAY = 24
WING_POWER = 0.5
"""Skew and curvature shocks shrink with the root of time; measured 0.27 to 0.55 below and above thirty days."""


@dataclass(frozen=True, slots=True)
class SurfaceMoves:
    """Dynamics of the surface, the same for all underlyings; deviations are of a day's shock at thirty days.

    Attributes
    ----------
    exponent_body_short, exponent_body_long, exponent_tail_short, exponent_tail_long : float
        Tenor exponents of a volatility shock below and above thirty days, over all days and over crashes.
    skew_stickiness_fall, skew_stickiness_rise : float
    term_deviation, skew_deviation, curvature_deviation : float
        Of e_2, e_G and e_Q, per root of a day.
    days : int
        Daily changes behind the figures; 0 when they are the published ones.

    Notes
    -----
    Defaults: 931 snapshots of Deribit's BTC and ETH surfaces, December 2025 to August 2026. Exponents: the middles of
    the ranges over both coins. Skew: the 1 % and 99 % quantiles of a day's change of the one-deviation risk reversal
    over twice the volatility at the money, over 2.33 (BTC at 30 days; ETH has three fifths of it). Term and curvature:
    from the shares of the first factor across tenors (95 %) and of the third across strikes (1 % against 4 to 7 % of
    the second).
    """

    exponent_body_short: float = 0.54
    exponent_body_long: float = 0.66
    exponent_tail_short: float = 0.36
    exponent_tail_long: float = 0.64
    skew_stickiness_fall: float = 1.6
    skew_stickiness_rise: float = 1.25
    term_deviation: float = 0.014
    skew_deviation: float = 0.023
    curvature_deviation: float = 0.006
    days: int = 0

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0.0 <= value < float("inf"):
                raise InvalidInput(f"surface moves: {one.name} {value} must be at least 0 and finite")


@dataclass(frozen=True, slots=True)
class SurfaceHistory:
    """Snapshots of one underlying's surface at fixed tenors.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch, strictly ascending; changes are taken over exactly 24 h.
    spot : float64 array, shape (n,)
        Quote currency per unit, positive.
    days : float64 array, shape (m,)
        Tenors, ascending, positive, thirty days among them.
    volatility : float64 array, shape (n, m, 3)
        A year, at x = -1, 0, 1 (deviations of ln(K/F) at the money), positive; NaN where a tenor was not quoted.
    """

    symbol: str
    hour: NDArray[np.int64]
    spot: Table
    days: Table
    volatility: Table

    def __post_init__(self) -> None:
        rows, tenors = np.shape(self.hour)[0], np.shape(self.days)[0]
        if np.shape(self.volatility) != (rows, tenors, 3) or np.shape(self.spot) != (rows,):
            raise InvalidInput(
                f"surface history of {self.symbol}: volatility has shape {np.shape(self.volatility)}, spot "
                f"{np.shape(self.spot)}, for {rows} hours and {tenors} tenors"
            )
        if np.any(np.diff(self.hour) <= 0) or np.any(np.diff(self.days) <= 0.0) or not np.any(self.days == PIVOT_DAYS):
            raise InvalidInput(f"surface history of {self.symbol}: hours and tenors must ascend, 30 days among these")
        known = self.volatility[np.isfinite(self.volatility)]
        if not (np.all(np.isfinite(self.spot)) and np.all(self.spot > 0.0) and np.all(known > 0.0)):
            raise InvalidInput(f"surface history of {self.symbol}: a spot or a volatility is not positive")


@dataclass(frozen=True, slots=True)
class _Changes:
    """A day's changes: return (n,); of ln atm, ln tilt and ln bend (n, m); skew over level before it (n, m)."""

    log_return: Table
    level: Table
    tilt: Table
    bend: Table
    link: Table


def fit_surface_moves(histories: Sequence[SurfaceHistory]) -> SurfaceMoves:
    """Return the dynamics of the surfaces: of each figure the largest over the underlyings, exponents their mean.

    Parameters
    ----------
    histories : sequence of SurfaceHistory
        None, or all too short (`LEAST_DAYS`): the published figures are returned.

    Notes
    -----
    Exponents are slopes through the origin of ln(deviation of d ln atm(T) / that at 30 days) on ln(30/T), in a crash
    of the mean absolute changes; the stickiness is the regression of d atm on psi r, by the sign of r, averaged over
    tenors (Bergomi 2009, Smile dynamics IV, defines the ratio). Overlapping days are used; no error is claimed.
    """
    fitted = [_fit(history) for history in histories]
    known = [one for one in fitted if one is not None]
    if not known:
        return SurfaceMoves()
    merged: dict[str, Any] = {}
    for one in fields(SurfaceMoves):
        values = [getattr(moves, one.name) for moves in known]
        mean = one.name.startswith("exponent")
        merged[one.name] = sum(values) / len(values) if mean else max(values)
    return SurfaceMoves(**merged)


def _fit(history: SurfaceHistory) -> SurfaceMoves | None:
    changes = _changes(history)
    count = changes.log_return.size
    if count < LEAST_DAYS:
        return None
    days, pivot = history.days, int(np.flatnonzero(history.days == PIVOT_DAYS)[0])
    crash = changes.log_return < -CRASH_DEVIATIONS * np.std(changes.log_return)
    default = SurfaceMoves()
    body = np.sqrt(np.nanmean(changes.level**2, axis=0))
    short, long = _exponents(days, body / body[pivot], default.exponent_body_short, default.exponent_body_long)
    tail_short, tail_long = default.exponent_tail_short, default.exponent_tail_long
    if np.count_nonzero(crash) >= LEAST_CRASHES:
        tail = np.nanmean(np.abs(changes.level[crash]), axis=0)
        tail_short, tail_long = _exponents(days, tail / tail[pivot], tail_short, tail_long)
    fall, rise = (_stickiness(changes, sign) for sign in (-1.0, 1.0))
    gain = (PIVOT_DAYS / days) ** np.where(days < PIVOT_DAYS, short, long)
    stuck = np.where(changes.log_return[:, None] < 0.0, fall, rise) * changes.link * changes.log_return[:, None]
    rest = (changes.level - stuck) / gain
    rest = rest - rest[:, [pivot]]
    twist = (PIVOT_DAYS - days) / (PIVOT_DAYS + days)
    wing = (PIVOT_DAYS / days) ** WING_POWER
    return SurfaceMoves(
        short, long, tail_short, tail_long, fall, rise,
        term_deviation=_projected(rest, twist),
        skew_deviation=_projected(changes.tilt, wing),
        curvature_deviation=_projected(changes.bend, wing),
        days=count,
    )  # fmt: skip


def _changes(history: SurfaceHistory) -> _Changes:
    before = np.searchsorted(history.hour, history.hour - HOURS_A_DAY)
    rows = np.flatnonzero(history.hour[before] == history.hour - HOURS_A_DAY)
    start = before[rows]
    put, atm, call = (np.log(history.volatility[:, :, side]) for side in range(3))
    deviation = history.volatility[:, :, 1] * np.sqrt(history.days / 365.0)
    slope = 0.5 * (history.volatility[:, :, 2] - history.volatility[:, :, 0]) / history.volatility[:, :, 1]
    tilt, bend = 0.5 * (call - put), 0.5 * (call + put) - atm
    return _Changes(
        log_return=np.log(history.spot[rows] / history.spot[start]),
        level=atm[rows] - atm[start],
        tilt=tilt[rows] - tilt[start],
        bend=bend[rows] - bend[start],
        link=(slope / deviation)[start],
    )


def _exponents(days: Table, ratio: Table, short: float, long: float) -> tuple[float, float]:
    """Slopes through the origin of ln ratio on ln(30/days), below and above thirty; not below 0, or the given ones."""
    x, y = np.log(PIVOT_DAYS / days), np.log(ratio)
    slopes = []
    for side, default in ((days < PIVOT_DAYS, short), (days > PIVOT_DAYS, long)):
        use = side & np.isfinite(y)
        slopes.append(max(float(x[use] @ y[use] / (x[use] @ x[use])), 0.0) if np.any(use) else default)
    return slopes[0], slopes[1]


def _stickiness(changes: _Changes, sign: float) -> float:
    """Mean over tenors of the regression of d ln atm on (psi/atm) r, through the origin; at least 0."""
    days = np.sign(changes.log_return) == sign
    x, y = changes.link[days] * changes.log_return[days, None], changes.level[days]
    ratio = np.nansum(x * y, axis=0) / np.nansum(np.where(np.isfinite(y), x * x, 0.0), axis=0)
    return max(float(np.mean(ratio[np.isfinite(ratio)])), 0.0) if np.any(np.isfinite(ratio)) else 0.0


def _projected(change: Table, pattern: Table) -> float:
    """Deviation of the coefficient with which a pattern over tenors explains each day's change, NaN left out."""
    known = np.isfinite(change)
    weight = np.where(known, pattern, 0.0)
    square = np.sum(weight * weight, axis=1)
    coefficient = np.sum(weight * np.where(known, change, 0.0), axis=1)[square > 0.0] / square[square > 0.0]
    return float(np.sqrt(np.mean(coefficient**2))) if coefficient.size else 0.0
