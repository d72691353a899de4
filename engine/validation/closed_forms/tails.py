"""Closed-form VaR and ES of normal, Student t and lognormal losses, delta-gamma P&L, and tail dependence.

A loss is positive; `level` is the confidence, such as 0.99. What keeps another sign or side says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t as student

from engine.errors import InvalidInput
from engine.validation.closed_forms.own_kernels import normal_cdf, normal_density, normal_quantile


@dataclass(frozen=True, slots=True)
class TailMeasures:
    """VaR, ES, and the mean square beyond VaR, E[L^2 | L > VaR], of a loss at one level."""

    value_at_risk: float
    expected_shortfall: float
    tail_mean_square: float

    def scaled(self, factor: float) -> TailMeasures:
        """Return the measures of `factor` (positive) times the loss."""
        if not factor > 0.0:
            raise InvalidInput(f"scale {factor} is not positive")
        return TailMeasures(
            self.value_at_risk * factor, self.expected_shortfall * factor, self.tail_mean_square * factor**2
        )

    def shortfall_standard_error(self, level: float, count: int) -> float:
        """Return the asymptotic standard error of the empirical ES of `count` independent draws.

        sqrt((Var[L | L > VaR] + level (ES - VaR)^2) / (count (1 - level))), Manistre and Hancock (2005).
        """
        if count < 1:
            raise InvalidInput(f"{count} observations are fewer than 1")
        excess = self.expected_shortfall - self.value_at_risk
        tail_variance = self.tail_mean_square - self.expected_shortfall**2
        return math.sqrt((tail_variance + level * excess**2) / (count * (1.0 - level)))


def normal_tail(level: float) -> TailMeasures:
    """Return the tail of a standard normal loss: z, phi(z)/(1 - level), 1 + z phi(z)/(1 - level)."""
    _require_level(level)
    quantile = normal_quantile(level)
    hazard = normal_density(quantile) / (1.0 - level)
    return TailMeasures(quantile, hazard, 1.0 + quantile * hazard)


def student_tail(level: float, degrees: float) -> TailMeasures:
    """Return the tail of a standard Student t loss (scale 1, so of variance nu/(nu - 2)).

    Parameters
    ----------
    level : float
        Strictly between 0 and 1.
    degrees : float
        Degrees of freedom nu, above 1 for ES to exist; up to 2 the mean square is infinite.

    Returns
    -------
    TailMeasures
        ES = f(q) (nu + q^2) / ((1 - level)(nu - 1)) (McNeil, Frey, Embrechts, equation 2.24). The mean square uses
        that f times (1 + x^2/nu) is a rescaled t density of nu - 2 degrees.

    Raises
    ------
    InvalidInput
        If an argument is out of range.
    """
    _require_level(level)
    if not degrees > 1.0 or not math.isfinite(degrees):
        raise InvalidInput(f"{degrees} degrees of freedom: the expected shortfall needs more than 1")
    quantile = float(student.ppf(level, degrees))
    beyond = 1.0 - level
    shortfall = float(student.pdf(quantile, degrees)) * (degrees + quantile**2) / (beyond * (degrees - 1.0))
    if degrees <= 2.0:
        return TailMeasures(quantile, shortfall, math.inf)
    fewer = degrees - 2.0
    tilted = (degrees - 1.0) / fewer * float(student.sf(quantile * math.sqrt(fewer / degrees), fewer))
    return TailMeasures(quantile, shortfall, degrees * (tilted / beyond - 1.0))


def student_scale(standard_deviation: float, degrees: float) -> float:
    """Return the scale that gives a Student t loss this standard deviation; needs more than 2 degrees."""
    if not degrees > 2.0:
        raise InvalidInput(f"{degrees} degrees of freedom: the standard deviation needs more than 2")
    return standard_deviation * math.sqrt((degrees - 2.0) / degrees)


@dataclass(frozen=True, slots=True)
class LognormalTail:
    """VaR and ES of holding (long) or owing (short) one unit of S = exp(N(mu, sigma^2)).

    The loss is minus the value held: a long's figures are negative (at best all of S is lost), a short's positive.
    """

    long_value_at_risk: float
    long_expected_shortfall: float
    short_value_at_risk: float
    short_expected_shortfall: float


def lognormal_tail(mu: float, sigma: float, tail: float) -> LognormalTail:
    """Return VaR and ES of a lognormal price at tail probability `tail` (0.01 for a level of 99 %).

    Long: VaR = -exp(mu + sigma z), ES = -exp(mu + sigma^2/2) N(z - sigma)/tail, z = N^-1(tail).
    Short: VaR = exp(mu - sigma z), ES = exp(mu + sigma^2/2) N(z + sigma)/tail.

    Raises `InvalidInput` if `tail` is not in (0, 1), `sigma` is negative or a parameter is not finite.
    """
    _require_level(tail)
    if not (math.isfinite(mu) and math.isfinite(sigma) and sigma >= 0.0):
        raise InvalidInput(f"lognormal with mu {mu} and sigma {sigma}: both finite, sigma not negative")
    quantile = normal_quantile(tail)
    mean = math.exp(mu + 0.5 * sigma**2)
    return LognormalTail(
        long_value_at_risk=-math.exp(mu + sigma * quantile),
        long_expected_shortfall=-mean * normal_cdf(quantile - sigma) / tail,
        short_value_at_risk=math.exp(mu - sigma * quantile),
        short_expected_shortfall=mean * normal_cdf(quantile + sigma) / tail,
    )


def forward_risk_factors(drift: float, volatility: float, tail: float, years: float) -> tuple[float, float]:
    """Return the margin of one unit of notional, long and short, when the price is a geometric Brownian motion.

    (1 + ES(S_t/S), ES(-S_t/S) - 1) with ln S_t/S ~ N((drift - volatility^2/2) t, volatility^2 t).
    """
    if not years >= 0.0:
        raise InvalidInput(f"horizon of {years} years is negative")
    price = lognormal_tail((drift - 0.5 * volatility**2) * years, volatility * math.sqrt(years), tail)
    return 1.0 + price.long_expected_shortfall, price.short_expected_shortfall - 1.0


def delta_gamma_quantile(level: float, delta: float, gamma: float, variance: float) -> float:
    """Return the `level` quantile of the profit delta u + gamma u^2/2, u ~ N(0, variance); exact.

    Parameters
    ----------
    level : float
        Strictly between 0 and 1: 0.99 is the gain that is exceeded once in a hundred.
    delta, gamma : float
        In money per unit of u and of u^2.
    variance : float
        Of u, positive.

    Notes
    -----
    Completing the square gives gamma s^2 (Z + c)^2/2 less a constant, c = delta/(gamma s), and
    P(|Z + c| <= w) = N(w - c) - N(-w - c) is inverted in w. Raises `InvalidInput` when out of range.
    """
    _require_level(level)
    if not (math.isfinite(delta) and math.isfinite(gamma) and variance > 0.0 and math.isfinite(variance)):
        raise InvalidInput(f"delta {delta}, gamma {gamma}, variance {variance}: finite, the variance positive")
    deviation = math.sqrt(variance)
    if gamma == 0.0:
        return abs(delta) * deviation * normal_quantile(level)
    shift = abs(delta / (gamma * deviation))
    probability = level if gamma > 0.0 else 1.0 - level

    def excess(width: float) -> float:
        return normal_cdf(width - shift) - normal_cdf(-width - shift) - probability

    width = float(brentq(excess, 0.0, shift + normal_quantile(0.5 + 0.5 * probability) + 1.0, xtol=1e-300, rtol=1e-14))
    return 0.5 * gamma * variance * (width**2 - shift**2)


def delta_gamma_moments(
    delta: NDArray[np.float64], gamma: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    """Return mean, variance, skewness and excess kurtosis of d'u + u'Gu/2, u ~ N(0, covariance).

    Shapes (n,), (n, n), (n, n), `gamma` and `covariance` symmetric. Cumulants of a quadratic form in normals:
    tr(A)/2, d'Cd + tr(A^2)/2, 3 d'CGCd + tr(A^3), 12 d'CGCGCd + 3 tr(A^4) with A = GC.

    Raises `InvalidInput` if the shapes do not fit, or the variance is not positive.
    """
    size = len(delta)
    if delta.shape != (size,) or gamma.shape != (size, size) or covariance.shape != (size, size):
        raise InvalidInput(f"shapes {delta.shape}, {gamma.shape}, {covariance.shape} do not fit")
    product = gamma @ covariance
    square = product @ product
    spread = covariance @ delta
    variance = float(delta @ spread + 0.5 * np.trace(square))
    if not (variance > 0.0 and math.isfinite(variance)):
        raise InvalidInput(f"variance {variance} of the profit is not positive and finite")
    third = float(3.0 * spread @ gamma @ spread + np.trace(square @ product))
    fourth = float(12.0 * spread @ (product @ gamma) @ spread + 3.0 * np.trace(square @ square))
    return 0.5 * float(np.trace(product)), variance, third / variance**1.5, fourth / variance**2


def cornish_fisher_quantile(
    level: float, mean: float, variance: float, skewness: float, excess_kurtosis: float
) -> float:
    """Return the quantile of a distribution from four moments by the third-order Cornish-Fisher expansion.

    z + (z^2 - 1) s/6 + (z^3 - 3z) k/24 - (2z^3 - 5z) s^2/36, times the deviation, plus the mean.
    """
    _require_level(level)
    if not variance > 0.0:
        raise InvalidInput(f"variance {variance} is not positive")
    z = normal_quantile(level)
    adjusted = (
        z
        + (z**2 - 1.0) * skewness / 6.0
        + (z**3 - 3.0 * z) * excess_kurtosis / 24.0
        - (2.0 * z**3 - 5.0 * z) * skewness**2 / 36.0
    )
    return mean + math.sqrt(variance) * adjusted


def t_copula_tail_dependence(degrees: float, correlation: float) -> float:
    """Return the coefficient of tail dependence of a t copula, 2 t_{nu+1}(-sqrt((nu+1)(1-rho)/(1+rho)))."""
    if not degrees > 0.0 or not -1.0 <= correlation <= 1.0:
        raise InvalidInput(f"t copula with {degrees} degrees of freedom and correlation {correlation}")
    if correlation == -1.0:
        return 0.0
    distance = math.sqrt((degrees + 1.0) * (1.0 - correlation) / (1.0 + correlation))
    return 2.0 * float(student.cdf(-distance, degrees + 1.0))


def _require_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise InvalidInput(f"level {level} is not strictly between 0 and 1")
