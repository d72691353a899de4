"""Evaluation of measured one-day dynamics of volatility surfaces, against how our surface is said to move.

The observations are not published, so each figure is predicted from those of the other tenors of its currency by our
response: shocks of the level by its tenor powers, skews by its coordinate, in which the shape per standard deviation is
the same at every tenor. What a power law leaves of six measured tenors sets the tolerances; the flat powers of venues
(0.30, 0.13) miss these by multiples. Changes of the basis are predicted by the form that the model gives them,
d ln(F/S) = b0 e1 + b1 T e2. Changes of the skew are not compared: our surface has no factor of its own for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import nnls
from scipy.stats import t as student

from engine.configuration import CalibrationSettings
from engine.surface.response import DAYS_A_YEAR, parallel_response
from engine.validation.closed_forms.tails import student_scale, student_tail
from engine.validation.truth.case import Case, Computed, Every, NotUnderstood, Tree, Within
from engine.validation.truth.measured_surface import MeasuredSurface, measured_surface

POWER_LAW_TOLERANCE = 0.25
"""Relative. The power law with our exponents leaves up to 21 % of a tenor's deviation or 1 % quantile."""
EXTREME_TOLERANCE = 0.60
"""Relative. An extreme is one observation of one tenor: up to 57 % are left."""
MOMENTS_EXCESS = 0.40
"""Relative. Days of high volatility weigh more in the regression that gives the skew-stickiness ratio than in the
quotient of means; it is 5 to 35 % above, most at short tenors."""
STUDENT_TOLERANCE = 0.15
"""Relative, of a 0.5 % quantile by the Student law that has the sample's deviation and kurtosis: about one order
statistic in 227 days. Up to 11 % are left."""
BASIS_TOLERANCE = 0.35
"""Relative, of a 1 % quantile of the yield: two factors fitted to five tenors leave up to 32 % of the sixth where that
is the longest or shortest."""
WINDOWS_A_DAY = 4
"""Windows of 24 h that start in one day; the sample is worth a quarter of its size."""
QUANTILE = EXTREME_CHANCE = 0.005

SETTINGS = CalibrationSettings()


def surface_statistic(case: Case) -> Mapping[str, Tree]:
    """Evaluate a tenor's dynamics, or the distribution of returns where the case names no tenor."""
    return _tenor_case(case) if "tenor_days" in case else _returns_case(case)


def _tenor_case(case: Case) -> dict[str, Tree]:
    surface = measured_surface(case.word("currency"), case.others())
    place = surface.index(case.integer("tenor_days"))
    response = parallel_response(surface.market(), SETTINGS)
    larger = np.maximum(response.level_body, response.level_tail)
    case.number("mean_atm_iv")
    case.integer("n_obs")
    case.remark("d_rr_1sd_q01", "d_rr_1sd_q99")
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
    return computed


def _from_others(surface: MeasuredSurface, place: int, field: str, response: list[float], tolerance: float) -> Computed:
    """Geometric mean of the other tenors' figures, each brought to this tenor by the response."""

    def scaled(other: int) -> float:
        return surface.tenors[other].case.number(field) * response[place] / response[other]

    return Computed(_mean_of_others(surface, place, scaled), relative_tolerance=tolerance)


def _basis_yield(surface: MeasuredSurface, place: int, field: str) -> Computed:
    """(yield T)^2 = b0^2 + (b1 T)^2, fitted to the other tenors by least squares of relative errors, not negative."""
    others = [tenor for slot, tenor in enumerate(surface.tenors) if slot != place]
    if len(others) < 2:
        raise NotUnderstood(f"two factors of the basis need two other tenors of {surface.currency}")
    years = np.array([tenor.days for tenor in others]) / DAYS_A_YEAR
    yields = np.array([tenor.case.number(field) for tenor in others])
    if not (np.all(yields > 0.0) or np.all(yields < 0.0)):
        raise NotUnderstood(f"{field} of {surface.currency} is not of one sign")
    square = (yields * years) ** 2
    (level, slope), _ = nnls(np.stack([np.ones(years.size), years**2], axis=1) / square[:, None], np.ones(years.size))
    own = surface.tenors[place].days / DAYS_A_YEAR
    predicted = float(np.sign(yields[0]) * np.sqrt(level + slope * own**2) / own)
    return Computed(predicted, relative_tolerance=BASIS_TOLERANCE)


def _skew(surface: MeasuredSurface, place: int) -> Computed:
    """The same for the skew that our response reads where every tenor has the shape of another one."""

    def reshaped(other: int) -> float:
        slopes = np.full(len(surface.tenors), surface.slopes()[other])
        return float(parallel_response(surface.market(slopes), SETTINGS).skew[place])

    return Computed(_mean_of_others(surface, place, reshaped), relative_tolerance=POWER_LAW_TOLERANCE)


def _mean_of_others(surface: MeasuredSurface, place: int, predicted: Callable[[int], float]) -> float:
    values = np.array([predicted(other) for other in range(len(surface.tenors)) if other != place])
    if values.size == 0:
        raise NotUnderstood(f"no other tenor of {surface.currency} to predict this one from")
    if not (np.all(values > 0.0) or np.all(values < 0.0)):
        raise NotUnderstood(f"the other tenors of {surface.currency} are not of one sign")
    return float(np.sign(values[0]) * np.exp(np.mean(np.log(np.abs(values)))))


def _stickiness(case: Case, surface: MeasuredSurface) -> Every:
    """Between our ratios of rises and falls, less and plus a standard error; and what the moments say of it."""
    correlation, windows = case.number("corr_dsigma_return"), case.integer("n_obs")
    if windows <= 0 or not 0.0 < abs(correlation) <= 1.0:
        raise NotUnderstood(f"no standard error of a ratio at correlation {correlation} over {windows} windows")
    error = math.sqrt((1.0 / correlation**2 - 1.0) * WINDOWS_A_DAY / windows)
    low, high = SETTINGS.skew_stickiness_rise * (1.0 - error), SETTINGS.skew_stickiness_fall * (1.0 + error)
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
