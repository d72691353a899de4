"""Joint dynamics of all assets at each horizon, as the artefact holds them: marginals, copula, jumps (DESIGN 3.4).

Coordinates 0 ... U - 1 are the assets' returns, U ... 2U - 1 their thirty-day volatilities. Everything that is not made
of + - * / sqrt is a table here, in whole billionths, so that a valuation only interpolates:

    score      t variate x -> standardised return (or log move of volatility), piecewise linear, flat outside
    mixing     normal score -> sqrt(nu / chi-square), on the grid `MIXING_SCORES`
    root       normal variates -> correlated ones, one matrix for each of `CASES`; column 0 is the market factor
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.encoding import decode, encode

NANO = 1_000_000_000
CASES = ("plain", "toward one", "toward zero")
"""Correlation as estimated, pulled toward the market's signs of one, and toward independence."""
MIXING_LIMIT = 8.0
"""The table of the mixing variable covers normal scores from minus to plus this, in equal steps."""
MIXING_STEPS = 640

_TABLES = ("score_nano", "end_nano", "excursion_nano", "mixing_nano", "root_nano")


@dataclass(frozen=True, slots=True)
class TailFit:
    """A generalised Pareto tail beyond a threshold, with the standard errors of its two parameters.

    `coordinate` is ``return`` (in deviations) or ``volatility`` (in logs), `marginal` is ``end`` or ``excursion``.
    """

    symbol: str
    coordinate: str
    marginal: str
    side: str
    exceedances: int
    threshold: float
    shape: float
    scale: float
    shape_error: float
    scale_error: float


@dataclass(frozen=True, slots=True)
class Jumps:
    """Common jumps: Poisson in time, double-exponential in size, felt by each asset with its loading.

    Attributes
    ----------
    threshold_deviations : float
        What counted as a jump; 0 means that none is modelled.
    count, hours : int
        Jumps seen in so many hours.
    intensity_hourly : float
        Upper 95 % bound of the intensity; 0 when none is modelled.
    up_probability : float
    least_size, excess_up, excess_down : float
        Absolute common log move: the least, and the mean of the exponential excess of rises and of falls.
    loading, volatility_co_jump : tuple of float
        For each asset: log return per common log move, and log move of volatility per absolute common log move.
    """

    threshold_deviations: float
    count: int
    hours: int
    intensity_hourly: float
    up_probability: float
    least_size: float
    excess_up: float
    excess_down: float
    loading: tuple[float, ...]
    volatility_co_jump: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "loading", tuple(self.loading))
        object.__setattr__(self, "volatility_co_jump", tuple(self.volatility_co_jump))


@dataclass(frozen=True, slots=True)
class HorizonDynamics:
    """Marginals and t copula over one horizon, with how they were fitted.

    Attributes
    ----------
    hours : int
    degrees : int
        nu of the copula; `log_likelihood` is its profile over `copula.DEGREES`.
    shrinkage : float
    clipped_eigenvalues : int
        Eigenvalues of the shrunk rank correlation that were below the least.
    sample_count : int
        Non-overlapping observations of the dependence.
    sign : tuple of int
        Of each coordinate when all move with the market.
    tails : tuple of TailFit
    score_nano : int64 array, shape (K,)
        Ascending.
    end_nano, excursion_nano : int64 arrays, shape (2U, K)
        At the horizon, and at the worst point on the way there: lower half of the path's minimum, upper half of its
        maximum. Non-decreasing.
    mixing_nano : int64 array, shape (MIXING_STEPS + 1,)
    root_nano : int64 array, shape (3, 2U, 2U)
    """

    hours: int
    degrees: int
    log_likelihood: tuple[float, ...]
    shrinkage: float
    clipped_eigenvalues: int
    sample_count: int
    sign: tuple[int, ...]
    tails: tuple[TailFit, ...]
    score_nano: NDArray[np.int64]
    end_nano: NDArray[np.int64]
    excursion_nano: NDArray[np.int64]
    mixing_nano: NDArray[np.int64]
    root_nano: NDArray[np.int64]

    def body(self) -> dict[str, Any]:
        """Return the record as JSON primitives."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in _TABLES}
        plain["tails"] = [asdict(tail) for tail in self.tails]
        return {
            **plain,
            "log_likelihood": list(self.log_likelihood),
            "sign": list(self.sign),
            "tables": {name: encode(getattr(self, name), "<i8") for name in _TABLES},
        }

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> HorizonDynamics:
        """Read what `body` gave; raise ValueError, KeyError or TypeError when it is something else."""
        given = dict(body)
        tables: dict[str, Any] = {name: decode(given["tables"][name], "<i8") for name in _TABLES}
        if set(given.pop("tables")) != set(_TABLES):
            raise ValueError("joint dynamics hold other tables")
        count = len(given["sign"])
        for name in ("end_nano", "excursion_nano"):
            tables[name] = tables[name].reshape(count, tables["score_nano"].size)
        tables["root_nano"] = tables["root_nano"].reshape(len(CASES), count, count)
        if tables["mixing_nano"].size != MIXING_STEPS + 1:
            raise ValueError("mixing_nano does not fit its grid")
        given["tails"] = tuple(TailFit(**tail) for tail in given["tails"])
        given["sign"], given["log_likelihood"] = tuple(given["sign"]), tuple(given["log_likelihood"])
        return cls(**given, **tables)


@dataclass(frozen=True, slots=True)
class JointDynamics:
    """The artefact's section ``joint``: jumps, and the dynamics at each of its horizons."""

    jumps: Jumps
    horizons: tuple[HorizonDynamics, ...]

    def body(self) -> dict[str, Any]:
        """Return the section as JSON primitives."""
        return {"jumps": asdict(self.jumps), "horizons": [horizon.body() for horizon in self.horizons]}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> JointDynamics:
        """Read what `body` gave; raise ValueError, KeyError or TypeError when it is something else."""
        if set(body) != {"jumps", "horizons"}:
            raise ValueError(f"joint dynamics hold {sorted(body)}")
        horizons = tuple(HorizonDynamics.from_body(horizon) for horizon in body["horizons"])
        return cls(Jumps(**body["jumps"]), horizons)
