"""SVI slices of total variance in their three parametrisations, exact conversions, and when they are free of arbitrage.

    raw       w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))
    natural   w(k) = delta + omega/2 (1 + zeta rho (k - mu) + sqrt((zeta (k - mu) + rho)^2 + 1 - rho^2))
    jump-wings: variance, skew and wings of a slice as they are traded

k is ln(K/F), w total variance (sigma^2 T). A slice takes only + - * / sqrt and so has the same bits everywhere.
Source: J. Gatheral and A. Jacquier (2014), Arbitrage-free SVI volatility surfaces, Quantitative Finance 14, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInput

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RawSvi:
    """The raw parametrisation; b >= 0, |rho| < 1, sigma > 0 and total variance nowhere negative."""

    a: float
    b: float
    rho: float
    m: float
    sigma: float

    def __post_init__(self) -> None:
        finite = all(math.isfinite(value) for value in (self.a, self.b, self.rho, self.m, self.sigma))
        if not (finite and self.b >= 0.0 and abs(self.rho) < 1.0 and self.sigma > 0.0):
            raise InvalidInput(f"{self}: finite numbers with b >= 0, |rho| < 1 and sigma > 0 are needed")
        if self.least < 0.0:
            raise InvalidInput(f"{self}: total variance falls to {self.least}; raise a")

    @property
    def least(self) -> float:
        """Smallest total variance of the slice."""
        return self.a + self.b * self.sigma * math.sqrt(1.0 - self.rho * self.rho)


@dataclass(frozen=True, slots=True)
class NaturalSvi:
    """The natural parametrisation; omega >= 0, |rho| < 1, zeta > 0."""

    delta: float
    mu: float
    rho: float
    omega: float
    zeta: float


@dataclass(frozen=True, slots=True)
class JumpWings:
    """A slice as it is traded.

    Attributes
    ----------
    variance : float
        v, at the money, a year.
    skew : float
        psi, d sqrt(w) / dk at the money.
    put_slope, call_slope : float
        p and c: asymptotic slopes of w over sqrt(w at the money), on the left and on the right.
    least_variance : float
        v tilde, smallest variance a year.
    """

    variance: float
    skew: float
    put_slope: float
    call_slope: float
    least_variance: float


@dataclass(frozen=True, slots=True)
class TotalVariance:
    """Total variance and its first two derivatives by k; float64 arrays of one shape."""

    level: Vector
    slope: Vector
    curvature: Vector


def total_variance(svi: RawSvi, k: Vector) -> TotalVariance:
    """Return total variance and its derivatives at log moneyness `k`, in its shape."""
    distance = k - svi.m
    root = np.sqrt(distance * distance + svi.sigma * svi.sigma)
    return TotalVariance(
        level=svi.a + svi.b * (svi.rho * distance + root),
        slope=svi.b * (svi.rho + distance / root),
        curvature=svi.b * svi.sigma * svi.sigma / (root * root * root),
    )


def natural_from_raw(raw: RawSvi) -> NaturalSvi:
    """Return the same slice in natural parameters."""
    across = math.sqrt(1.0 - raw.rho * raw.rho)
    omega = 2.0 * raw.b * raw.sigma / across
    delta = raw.a - 0.5 * omega * (1.0 - raw.rho * raw.rho)
    return NaturalSvi(delta, raw.m + raw.rho * raw.sigma / across, raw.rho, omega, across / raw.sigma)


def raw_from_natural(natural: NaturalSvi) -> RawSvi:
    """Return the same slice in raw parameters; raise `InvalidInput` when it is none."""
    if not (abs(natural.rho) < 1.0 and natural.zeta > 0.0):
        raise InvalidInput(f"{natural}: |rho| < 1 and zeta > 0 are needed")
    rest = 1.0 - natural.rho * natural.rho
    return RawSvi(
        a=natural.delta + 0.5 * natural.omega * rest,
        b=0.5 * natural.omega * natural.zeta,
        rho=natural.rho,
        m=natural.mu - natural.rho / natural.zeta,
        sigma=math.sqrt(rest) / natural.zeta,
    )


def jump_wings_from_raw(raw: RawSvi, years: float) -> JumpWings:
    """Return the same slice in jump-wings; raise `InvalidInput` when there is no variance at the money."""
    root = math.sqrt(raw.m * raw.m + raw.sigma * raw.sigma)
    at_the_money = raw.a + raw.b * (root - raw.rho * raw.m)
    if not (at_the_money > 0.0 and years > 0.0):
        raise InvalidInput(f"{raw}: variance at the money {at_the_money} and time {years} must be positive")
    deviation = math.sqrt(at_the_money)
    return JumpWings(
        variance=at_the_money / years,
        skew=0.5 * raw.b / deviation * (raw.rho - raw.m / root),
        put_slope=raw.b * (1.0 - raw.rho) / deviation,
        call_slope=raw.b * (1.0 + raw.rho) / deviation,
        least_variance=raw.least / years,
    )


def raw_from_jump_wings(wings: JumpWings, years: float) -> RawSvi:
    """Return the same slice in raw parameters.

    With s = sqrt(m^2 + sigma^2) and beta = m/s, the skew gives beta and the depth of the smile gives s:
    (v - v tilde) T = b s (1 - rho beta - sqrt(1 - rho^2) sqrt(1 - beta^2)).

    Raises
    ------
    InvalidInput
        If no slice has these wings, or several have: without skew the depth says nothing of the width.
    """
    slopes = wings.put_slope + wings.call_slope
    if not (wings.variance > 0.0 and years > 0.0 and slopes > 0.0):
        raise InvalidInput(f"{wings}: variance, time {years} and the sum of the slopes must be positive")
    deviation = math.sqrt(wings.variance * years)
    b = 0.5 * deviation * slopes
    rho = 1.0 - 2.0 * wings.put_slope / slopes
    beta = rho - 4.0 * wings.skew / slopes
    if not (abs(rho) < 1.0 and abs(beta) < 1.0):
        raise InvalidInput(f"{wings}: no slice has these slopes and this skew")
    across, along = math.sqrt(1.0 - rho * rho), math.sqrt(1.0 - beta * beta)
    depth = b * (1.0 - rho * beta - across * along)
    if not depth > 0.0:
        raise InvalidInput(f"{wings}: a slice without skew is not told apart by its jump-wings; give raw parameters")
    s = (wings.variance - wings.least_variance) * years / depth
    sigma = s * along
    return RawSvi(wings.least_variance * years - b * sigma * across, b, rho, beta * s, sigma)


def without_butterflies(wings: JumpWings) -> JumpWings:
    """Return the slice with the call wing and the least variance of an arbitrage-free one, the rest kept.

    c' = p + 2 psi and v' = v 4 p c' / (p + c')^2: the natural slice with delta = mu = 0. Free of butterflies when also
    `butterfly_free` holds of it. Source: Gatheral and Jacquier (2014), section 5.1.
    """
    call = wings.put_slope + 2.0 * wings.skew
    if not (call > 0.0 and wings.put_slope > 0.0):
        raise InvalidInput(f"{wings}: p and p + 2 psi must be positive")
    slopes = wings.put_slope + call
    least = wings.variance * 4.0 * wings.put_slope * call / (slopes * slopes)
    return JumpWings(wings.variance, wings.skew, wings.put_slope, call, least)


def power_law_curvature(theta: float, eta: float, gamma: float) -> float:
    """Return phi = eta / (theta^gamma (1 + theta)^(1 - gamma)) of a surface SVI; theta is variance at the money."""
    if not (theta > 0.0 and eta > 0.0 and 0.0 <= gamma <= 1.0):
        raise InvalidInput(f"theta {theta} and eta {eta} must be positive, gamma {gamma} within [0, 1]")
    return float(eta / (theta**gamma * (1.0 + theta) ** (1.0 - gamma)))


def butterfly_free(theta: float, phi: float, rho: float) -> tuple[float, float, bool]:
    """Return theta phi (1 + |rho|), theta phi^2 (1 + |rho|), and whether the first is below 4, the second at most 4.

    Sufficient for the natural slice (0, 0, rho, theta, phi) to have no butterfly arbitrage (theorem 4.2).
    """
    wing = theta * phi * (1.0 + abs(rho))
    return wing, wing * phi, wing < 4.0 and wing * phi <= 4.0
