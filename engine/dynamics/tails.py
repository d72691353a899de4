"""Marginals: an empirical body with generalised Pareto tails, as a table from t variates to values.

Beyond the 7.5 % quantiles, with excess y over the threshold,

    P(Y > y) = (1 + shape y / scale)^(-1 / shape),   shape within [0, 0.45], at 0 the exponential

fitted by maximum likelihood. A log return with a Pareto tail of positive shape has no finite mean of exp: without an
end a short position has no expected shortfall, and a drawn one of millions of percent (DOGE, LUNA). So no value is
drawn beyond `REACH` times the largest seen in its direction, as no path's variance exceeds the largest seen, nor beyond
that of `LEAST_PROBABILITY`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from engine.errors import InvalidInput

Vector = NDArray[np.float64]

TAIL_SHARE = 0.075
LARGEST_SHAPE = 0.45
LEAST_EXCEEDANCES = 30
LEAST_PROBABILITY = 1e-7
"""Once in 27,000 years at a horizon of a day."""
REACH = 2.0
TAIL_KNOTS = 80
BODY_KNOTS = 118
"""Even, so that no knot sits on the median, where an excursion steps from the minimum to the maximum."""


class Pareto(NamedTuple):
    """Shape and scale of the excess over the threshold, its exceedances, and their standard errors.

    Notes
    -----
    R. L. Smith (1987), Estimating tails of probability distributions, Annals of Statistics 15, 1174-1207: asymptotic
    variances (1 + shape)^2 / n and 2 scale^2 (1 + shape) / n, n the independent exceedances.
    """

    threshold: float
    shape: float
    scale: float
    exceedances: int
    shape_error: float
    scale_error: float


class Marginal(NamedTuple):
    """Values at `knot_probabilities`, with the two tails that they rest on."""

    value: Vector
    lower: Pareto
    upper: Pareto


def knot_probabilities() -> Vector:
    """Return the probabilities of the table's knots, ascending: geometric in the tails, even in the body."""
    tail = np.geomspace(LEAST_PROBABILITY, TAIL_SHARE, TAIL_KNOTS)
    body = np.linspace(TAIL_SHARE, 1.0 - TAIL_SHARE, BODY_KNOTS + 2)[1:-1]
    return np.concatenate([tail, body, 1.0 - tail[::-1]])


def knot_scores(degrees: int) -> Vector:
    """Return the t variates at `knot_probabilities`, symmetric about 0."""
    tail = -stats.t.isf(np.geomspace(LEAST_PROBABILITY, TAIL_SHARE, TAIL_KNOTS), degrees)
    body = stats.t.ppf(np.linspace(TAIL_SHARE, 1.0 - TAIL_SHARE, BODY_KNOTS + 2)[1:-1], degrees)
    return np.concatenate([tail, body, -tail[::-1]])


def marginal(lower_sample: Vector, upper_sample: Vector, overlap: float) -> Marginal:
    """Return the marginal whose lower half is that of one sample and whose upper half is that of another.

    Parameters
    ----------
    lower_sample, upper_sample : float64 arrays, shape (n,)
        The same array for a value at the horizon; minimum and maximum of the path for an excursion.
    overlap : float
        Observations for each independent one, at least 1; widens the standard errors.

    Raises
    ------
    InvalidInput
        If a tail holds fewer than `LEAST_EXCEEDANCES`.
    """
    lower = _mirrored(fit_pareto(-lower_sample, overlap))
    upper = fit_pareto(upper_sample, overlap)
    tail = np.geomspace(LEAST_PROBABILITY, TAIL_SHARE, TAIL_KNOTS) / TAIL_SHARE
    body = np.linspace(TAIL_SHARE, 1.0 - TAIL_SHARE, BODY_KNOTS + 2)[1:-1]
    half = BODY_KNOTS // 2
    value = np.concatenate(
        [
            lower.threshold - excess(lower, tail),
            np.quantile(lower_sample, body[:half]),
            np.quantile(upper_sample, body[half:]),
            upper.threshold + excess(upper, tail[::-1]),
        ]
    )
    least, most = float(np.min(lower_sample)), float(np.max(upper_sample))
    limited = np.clip(value, least - (REACH - 1.0) * abs(least), most + (REACH - 1.0) * abs(most))
    return Marginal(np.maximum.accumulate(limited), lower, upper)


def excess(tail: Pareto, share: Vector) -> Vector:
    """Return the excess that the given share of exceedances lies beyond."""
    if tail.shape == 0.0:
        return np.asarray(-tail.scale * np.log(share))
    return np.asarray(tail.scale / tail.shape * (share**-tail.shape - 1.0))


def fit_pareto(sample: Vector, overlap: float = 1.0) -> Pareto:
    """Return the Pareto tail above the sample's upper `TAIL_SHARE` quantile; a tail without spread has scale 0.

    Raises
    ------
    InvalidInput
        If fewer than `LEAST_EXCEEDANCES` values lie there, or one is not finite.
    """
    if not np.all(np.isfinite(sample)) or TAIL_SHARE * sample.size < LEAST_EXCEEDANCES:
        raise InvalidInput(
            f"{sample.size} observations of a horizon's move: a tail needs {LEAST_EXCEEDANCES} beyond "
            f"{TAIL_SHARE:.1%}, all finite; give a longer history"
        )
    threshold = float(np.quantile(sample, 1.0 - TAIL_SHARE))
    beyond = sample[sample > threshold] - threshold
    if beyond.size < 2:
        return Pareto(threshold, 0.0, 0.0, int(beyond.size), 0.0, 0.0)
    mean = float(np.mean(beyond))
    shape, scale = _most_likely(beyond / mean)
    independent = beyond.size / overlap
    errors = (1.0 + shape) / np.sqrt(independent), mean * scale * np.sqrt(2.0 * (1.0 + shape) / independent)
    return Pareto(threshold, shape, mean * scale, int(beyond.size), float(errors[0]), float(errors[1]))


def _most_likely(unit: Vector) -> tuple[float, float]:
    """Shape and scale of excesses of mean 1."""

    def loss(parameters: Vector) -> float:
        shape, log_scale = parameters
        scaled = unit / np.exp(log_scale)
        if shape < 1e-8:
            return float(log_scale + np.mean(scaled))
        return float(log_scale + (1.0 + 1.0 / shape) * np.mean(np.log1p(shape * scaled)))

    fitted = optimize.minimize(loss, [0.15, -0.15], method="L-BFGS-B", bounds=[(0.0, LARGEST_SHAPE), (-5.0, 5.0)])
    shape = float(fitted.x[0])
    return (shape if shape >= 1e-8 else 0.0), float(np.exp(fitted.x[1]))


def _mirrored(tail: Pareto) -> Pareto:
    return tail._replace(threshold=-tail.threshold)
