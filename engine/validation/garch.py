"""GARCH and GJR models by maximum likelihood: the benchmark next to which the engine's own filter is judged.

    y_t = mu + e_t,   h_t = omega + (alpha + gamma 1[e_{t-1} < 0]) e_{t-1}^2 + beta h_{t-1},   e_t / sqrt(h_t) standard

The engine itself fits nothing of the kind (DESIGN 3.3). Sources: T. Bollerslev (1986), J. Econometrics 31; L. Glosten,
R. Jagannathan and D. Runkle (1993), J. Finance 48; B. Hansen (1994), International Economic Review 35.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.signal import lfilter
from scipy.special import gammaln

from engine.errors import InvalidInput, NonFiniteResult

Vector = NDArray[np.float64]

LEAST_OBSERVATIONS = 100
LEAST_DEGREES, MOST_DEGREES = 2.05, 500.0
BACKCAST_DECAY, BACKCAST_OBSERVATIONS = 0.94, 75
RESTARTS = 20
STILL = 1e-10
"""A restart that gains less log-likelihood than this is the last."""
REFUSED = 1e10
"""In place of minus the log-likelihood where the parameters are none."""


class Start(Enum):
    """What the squared residual and the variance before the first observation are taken to be."""

    RESIDUALS = "mean square of the residuals at the current mean"
    SAMPLE = "variance of the sample"
    STEADY = "unconditional variance of the model"
    BACKCAST = "exponentially weighted squares of the first observations"


class Innovation(Enum):
    """Distribution of the standardised residuals, with the names of its shape parameters."""

    NORMAL = ()
    STUDENT = ("nu",)
    SKEWED_STUDENT = ("eta", "lambda")


@dataclass(frozen=True, slots=True)
class GarchModel:
    """A model to be fitted; `asymmetric` adds the GJR term."""

    asymmetric: bool = False
    innovation: Innovation = Innovation.NORMAL
    start: Start = Start.BACKCAST

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of the vector that is fitted."""
        leverage = ("gamma",) if self.asymmetric else ()
        shape: tuple[str, ...] = self.innovation.value
        return ("mu", "omega", "alpha", *leverage, "beta", *shape)


@dataclass(frozen=True, slots=True)
class GarchFit:
    """Estimates by name, the log-likelihood, and the variance of the observation after the last."""

    model: GarchModel
    parameters: dict[str, float]
    log_likelihood: float
    next_variance: float


def fit_garch(returns: Vector, model: GarchModel) -> GarchFit:
    """Return the maximum of the likelihood over stationary parameters, omega > 0, alpha, beta, alpha + gamma >= 0.

    Parameters
    ----------
    returns : float64 array, shape (n,)
        Best in percent, so that variances are near 1; at least 100, finite, not constant.
    model : GarchModel

    Raises
    ------
    InvalidInput
        If the returns cannot be fitted.
    NonFiniteResult
        If the search does not settle.
    """
    if returns.size < LEAST_OBSERVATIONS or not np.all(np.isfinite(returns)) or np.ptp(returns) == 0.0:
        raise InvalidInput(
            f"{returns.size} returns: at least {LEAST_OBSERVATIONS}, finite and not constant, are needed"
        )
    bounds = _bounds(model, returns)

    def refusal(point: Vector) -> float:
        total = float(-np.sum(log_likelihoods(returns, model, point)))
        return total if math.isfinite(total) else REFUSED

    best = optimize.minimize(refusal, _first_guess(model, returns), method="L-BFGS-B", bounds=bounds)
    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4_000, "maxfev": 4_000, "adaptive": True}
    for _ in range(RESTARTS):
        before = best.fun
        best = optimize.minimize(refusal, best.x, method="Nelder-Mead", bounds=bounds, options=options)
        if before - best.fun < STILL:
            break
    else:
        raise NonFiniteResult(f"the likelihood of {model} has not settled after {RESTARTS} searches")
    parameters = dict(zip(model.names, (float(value) for value in best.x), strict=True))
    return GarchFit(model, parameters, -float(best.fun), float(_variances(returns, model, best.x)[-1]))


def robust_errors(returns: Vector, fit: GarchFit) -> dict[str, float]:
    """Return the standard errors that hold when residuals are not normal, by name.

    Notes
    -----
    T. Bollerslev and J. Wooldridge (1992), Econometric Reviews 11: inverse Hessian times the outer product of scores
    times the inverse Hessian; derivatives by central differences. Of an interior maximum only.
    """
    point = np.array(list(fit.parameters.values()))
    step = 1e-4 * np.maximum(np.abs(point), 1e-2)

    def contribution(offset: Vector) -> Vector:
        return log_likelihoods(returns, fit.model, point + offset)

    axes = np.diag(step)
    scores = np.column_stack([(contribution(h) - contribution(-h)) / (2.0 * np.max(h)) for h in axes])
    count = point.size
    hessian = np.empty((count, count))
    for i in range(count):
        for j in range(count):
            corners = [
                np.sum(contribution(a * axes[i] + b * axes[j])) * a * b for a in (1.0, -1.0) for b in (1.0, -1.0)
            ]
            hessian[i, j] = sum(corners) / (4.0 * step[i] * step[j])
    inverse = np.linalg.inv(hessian)
    covariance = inverse @ (scores.T @ scores) @ inverse
    return dict(zip(fit.model.names, np.sqrt(np.diag(covariance)).tolist(), strict=True))


def log_likelihoods(returns: Vector, model: GarchModel, point: Vector) -> Vector:
    """Return each observation's log-likelihood, shape (n,); NaN where the parameters are none."""
    value = dict(zip(model.names, point.tolist(), strict=True))
    half = 0.5 * value.get("gamma", 0.0)
    stationary = value["alpha"] + half + value["beta"] < 1.0
    if not (stationary and value["omega"] > 0.0 and value["alpha"] + 2.0 * half >= 0.0):
        return np.full(returns.size, np.nan)
    variance = _variances(returns, model, point)[:-1]
    z = (returns - value["mu"]) / np.sqrt(variance)
    result: Vector = _log_density(z, model, value) - 0.5 * np.log(variance)
    return result


def _variances(returns: Vector, model: GarchModel, point: Vector) -> Vector:
    """Variance of each observation and of the one after the last, shape (n + 1,)."""
    value = dict(zip(model.names, point.tolist(), strict=True))
    residual = returns - value["mu"]
    gamma, square = value.get("gamma", 0.0), residual * residual
    reaction = value["alpha"] + gamma * (residual < 0.0)
    before = _start(returns, square, model, value)
    drive = np.append((value["alpha"] + 0.5 * gamma) * before, reaction * square) + value["omega"]
    filtered, _ = lfilter([1.0], [1.0, -value["beta"]], drive, zi=[value["beta"] * before])
    result: Vector = filtered
    return result


def _start(returns: Vector, square: Vector, model: GarchModel, value: dict[str, float]) -> float:
    if model.start is Start.RESIDUALS:
        return float(np.mean(square))
    if model.start is Start.SAMPLE:
        return float(np.var(returns))
    if model.start is Start.STEADY:
        return value["omega"] / (1.0 - value["alpha"] - 0.5 * value.get("gamma", 0.0) - value["beta"])
    early = (returns - np.mean(returns))[:BACKCAST_OBSERVATIONS] ** 2
    weight = BACKCAST_DECAY ** np.arange(early.size)
    return float(np.sum(weight * early) / np.sum(weight))


def _log_density(z: Vector, model: GarchModel, value: dict[str, float]) -> Vector:
    """Log density of a standardised residual: mean 0, variance 1."""
    if model.innovation is Innovation.NORMAL:
        return -0.5 * (math.log(2.0 * math.pi) + z * z)
    skewed = model.innovation is Innovation.SKEWED_STUDENT
    degrees, skew = (value["eta"], value["lambda"]) if skewed else (value["nu"], 0.0)
    log_c = gammaln(0.5 * (degrees + 1.0)) - gammaln(0.5 * degrees) - 0.5 * math.log(math.pi * (degrees - 2.0))
    a = 4.0 * skew * math.exp(log_c) * (degrees - 2.0) / (degrees - 1.0)
    b = math.sqrt(1.0 + 3.0 * skew * skew - a * a)
    scaled = (b * z + a) / (1.0 + skew * np.sign(b * z + a))
    result: Vector = math.log(b) + log_c - 0.5 * (degrees + 1.0) * np.log1p(scaled * scaled / (degrees - 2.0))
    return result


def _first_guess(model: GarchModel, returns: Vector) -> Vector:
    guess = {
        "mu": float(np.mean(returns)), "omega": 0.05 * float(np.var(returns)), "alpha": 0.06, "gamma": 0.06,
        "beta": 0.86, "nu": 8.0, "eta": 8.0, "lambda": 0.0,
    }  # fmt: skip
    return np.array([guess[name] for name in model.names])


def _bounds(model: GarchModel, returns: Vector) -> list[tuple[float, float]]:
    spread, variance = float(np.std(returns)), float(np.var(returns))
    bounds = {
        "mu": (float(np.mean(returns)) - spread, float(np.mean(returns)) + spread),
        "omega": (1e-8 * variance, variance), "alpha": (0.0, 1.0), "gamma": (-1.0, 2.0), "beta": (0.0, 1.0),
        "nu": (LEAST_DEGREES, MOST_DEGREES), "eta": (LEAST_DEGREES, MOST_DEGREES), "lambda": (-0.99, 0.99),
    }  # fmt: skip
    return [bounds[name] for name in model.names]
