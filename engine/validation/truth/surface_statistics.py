"""Evaluation of measured one-day dynamics of volatility surfaces, against how our surface is said to move.

The observations are not published, so each figure is predicted from those of the other tenors of its currency by our
response: shocks of the level by its tenor powers, skews by its coordinate, in which the shape per standard deviation is
the same at every tenor. What that leaves of six measured tenors sets the tolerances; the flat powers of venues
(0.30, 0.13) miss these by multiples. Changes of the basis are predicted by the form that the model gives them,
d ln(F/S) = b0 e1 + b1 T e2, and those of the skew by its published deviation, the same for both coins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from engine.dynamics.surface_moves import SurfaceMoves
from engine.kernels.revalue import SurfaceResponse
from engine.scenarios.scenario_set import SKEW
from engine.surface.response import DAYS_A_YEAR, parallel_response
from engine.validation.closed_forms.tails import student_scale, student_tail
from engine.validation.truth.case import Case, Computed, Every, NotUnderstood, Tree, Within
from engine.validation.truth.measured_surface import MeasuredSurface, measured_surface

POWER_LAW_TOLERANCE = 0.25
"""Relative. The power law with our exponents leaves up to 22 % of a tenor's deviation, 1 % quantile or skew."""
EXTREME_TOLERANCE = 0.60
"""Relative. An extreme is one observation of one tenor: up to 59 % are left."""
MOMENTS_EXCESS = 0.40
"""Relative. Days of high volatility weigh more in the regression that gives the skew-stickiness ratio than in the
quotient of means; it is 5 to 35 % above, most at short tenors."""
STUDENT_TOLERANCE = 0.15
"""Relative, of a 0.5 % quantile by the Student law that has the sample's deviation and kurtosis: about one order
statistic in 227 days. Up to 11 % are left."""
BASIS_TOLERANCE = 0.35
"""Relative, of a 1 % quantile of the yield: two factors through pairs of other tenors leave up to 30 %, most of the
longest and the shortest."""
LEAST_TILT, LARGEST_TILT = 0.4, 1.4
"""Shares of our skew shock. ETH's skew moves by half of BTC's, which is ours, and 60 days by a third more than the root
of time says: 0.46 to 1.33 were measured."""
SHOCK_QUANTILE = 0.01
WINDOWS_A_DAY = 4
"""Windows of 24 h that start in one day; the sample is worth a quarter of its size."""
LEAST_TO_TRIM = 4
QUANTILE = EXTREME_CHANCE = 0.005

MOVES = SurfaceMoves()


def surface_statistic(case: Case) -> Mapping[str, Tree]:
    """Evaluate a tenor's dynamics, or the distribution of returns where the case names no tenor."""
    return _tenor_case(case) if "tenor_days" in case else _returns_case(case)


def _tenor_case(case: Case) -> dict[str, Tree]:
    surface = measured_surface(case.word("currency"), case.others())
    place = surface.index(case.integer("tenor_days"))
    response = parallel_response(surface.market(), MOVES)
    larger = np.maximum(response.level_body, response.level_tail)
    case.number("mean_atm_iv")
    case.integer("n_obs")
    tilt = _risk_reversal(surface.tenors[place].atm, response, place)
    computed: dict[str, Tree] = {"mean_skew_dsigma_dk": _skew(surface, place)}
    if "skew_stickiness_ratio" in case:
        computed["skew_stickiness_ratio"] = _stickiness(case, surface)
    for field in ("basis_yield_change_q01", "basis_yield_change_q99"):
        if field in case:
            computed[field] = _basis_yield(surface, place, field)
    shocks = {"sd": larger, "q01": larger, "q99": larger, "min": response.level_tail, "max": response.level_tail}
    for name, powers in shocks.items():
        field = f"dln_atm_1d_{name}"
        if field in case:
            tolerance = EXTREME_TOLERANCE if powers is response.level_tail else POWER_LAW_TOLERANCE
            computed[field] = _from_others(surface, place, field, powers.tolist(), tolerance)
    most, least = (share * tilt for share in (LARGEST_TILT, LEAST_TILT))
    meaning = "our skew shock of 1 % at this tenor, by shares"
    computed["d_rr_1sd_q01"] = Within(-most, -least, meaning)
    computed["d_rr_1sd_q99"] = Within(least, most, meaning)
    return computed


def _risk_reversal(atm: float, response: SurfaceResponse, place: int) -> float:
    """Change of vol(+1) - vol(-1), in deviations of the log price, by a skew shock of 1 %: 2 atm g(T) e_G."""
    gain = 0.0 if response.shape is None else float(response.shape[SKEW, place])
    return 2.0 * atm * gain * MOVES.skew_deviation * float(norm.ppf(1.0 - SHOCK_QUANTILE))


def _from_others(surface: MeasuredSurface, place: int, field: str, response: list[float], tolerance: float) -> Computed:
    """What the other tenors' figures say of this one's, each brought to it by the response."""
    own = response[place]
    values = [value * own / response[other] for other, value in _others(surface, place, field)]
    return Computed(_middle(values, field), relative_tolerance=tolerance)


def _skew(surface: MeasuredSurface, place: int) -> Computed:
    """The same for the skew that our response reads where every tenor has the shape of another one."""
    values = []
    for other in range(len(surface.tenors)):
        slopes = np.full(len(surface.tenors), surface.slopes()[other])
        if other != place:
            values.append(float(parallel_response(surface.market(slopes), MOVES).skew[place]))
    return Computed(_middle(values, "mean_skew_dsigma_dk"), relative_tolerance=POWER_LAW_TOLERANCE)


def _basis_yield(surface: MeasuredSurface, place: int, field: str) -> Computed:
    """(yield T)^2 = b0^2 + (b1 T)^2 through each pair of other tenors, neither square negative."""
    own = surface.tenors[place].days / DAYS_A_YEAR
    others = _others(surface, place, field)
    values = []
    for (first, one), (second, two) in itertools.combinations(others, 2):
        near, far = (surface.tenors[slot].days / DAYS_A_YEAR for slot in (first, second))
        low, high = (one * near) ** 2, (two * far) ** 2
        slope = min(max((high - low) / (far**2 - near**2), 0.0), high / far**2)
        values.append(math.copysign(math.sqrt(max(low + slope * (own**2 - near**2), 0.0)) / own, one))
    return Computed(_middle(values, field), relative_tolerance=BASIS_TOLERANCE)


def _others(surface: MeasuredSurface, place: int, field: str) -> list[tuple[int, float]]:
    """Return (slice, figure) of the other tenors that state it."""
    stated = [(slot, tenor.case) for slot, tenor in enumerate(surface.tenors) if slot != place and field in tenor.case]
    return [(slot, case.number(field)) for slot, case in stated]


def _middle(values: Sequence[float], field: str) -> float:
    """Return the geometric mean without the least and largest quarters: one wrong tenor hardly moves it."""
    moving = [value for value in values if value != 0.0]
    if not moving:
        raise NotUnderstood(f"too few other tenors state {field}")
    if len({math.copysign(1.0, value) for value in moving}) > 1:
        raise NotUnderstood(f"{field} of the other tenors is not of one sign")
    size = np.sort(np.abs(moving))
    trimmed = int(size.size / 4 + 0.5) if size.size >= LEAST_TO_TRIM else 0
    kept = size[trimmed : size.size - trimmed]
    return math.copysign(float(np.exp(np.mean(np.log(kept)))), moving[0])


def _stickiness(case: Case, surface: MeasuredSurface) -> Every:
    """Between our ratios of rises and falls, less and plus a standard error; and what the moments say of it."""
    correlation, windows = case.number("corr_dsigma_return"), case.integer("n_obs")
    if windows <= 0 or not 0.0 < abs(correlation) <= 1.0:
        raise NotUnderstood(f"no standard error of a ratio at correlation {correlation} over {windows} windows")
    error = math.sqrt((1.0 / correlation**2 - 1.0) * WINDOWS_A_DAY / windows)
    low, high = MOVES.skew_stickiness_rise * (1.0 - error), MOVES.skew_stickiness_fall * (1.0 + error)
    demands = [Within(low, high, "our ratios of rises and falls, with a standard error")]
    if surface.returns is not None:
        tenor = surface.tenor(case.integer("tenor_days"))
        moved = correlation * tenor.atm * case.number("dln_atm_1d_sd")
        ratio = moved / (tenor.skew * surface.returns.number("sd"))
        demands.append(Within(ratio, ratio * (1.0 + MOMENTS_EXCESS), "what correlation, deviations and skew say of it"))
    return Every(tuple(demands))


def _returns_case(case: Case) -> dict[str, Tree]:
    """Quantiles and extremes of the Student law that has the deviation and the kurtosis of the sample."""
    case.word("currency")
    count, deviation, kurtosis = case.integer("n"), case.number("sd"), case.number("excess_kurtosis")
    if count < WINDOWS_A_DAY or deviation <= 0.0 or kurtosis <= 0.0:
        raise NotUnderstood("no Student law has these moments")
    degrees = 4.0 + 6.0 / kurtosis
    scale = student_scale(deviation, degrees)
    tail = student_tail(1.0 - QUANTILE, degrees).scaled(scale).value_at_risk
    least = scale * student.ppf(EXTREME_CHANCE ** (WINDOWS_A_DAY / count), degrees)
    most = scale * student.ppf((1.0 - EXTREME_CHANCE) ** (1.0 / count), degrees)
    meaning = f"the largest of {count // WINDOWS_A_DAY} to {count} days in 99 % of samples"
    return {
        "q005": Computed(-tail, relative_tolerance=STUDENT_TOLERANCE),
        "q995": Computed(tail, relative_tolerance=STUDENT_TOLERANCE),
        "min": Within(-most, -least, meaning),
        "max": Within(least, most, meaning),
    }
