"""Every choice of the model as two frozen records of JSON primitives: one for a calibration, one for a valuation."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from engine.errors import InvalidInput

HORIZON_BUCKETS_HOURS = (1, 4, 24, 72)
LEAST_POINTS = 128
"""Of a scramble: it fills a tile of the kernels."""
EXPECTED_SHORTFALL, VALUE_AT_RISK = MEASURES = ("expected_shortfall", "value_at_risk")


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """How a history becomes an artefact; defaults are those of the design, with their sources there.

    Attributes
    ----------
    library_hours : int
        Length of the residual library, four years where there are four years.
    minimum_history_hours : int
        An asset with less falls back on the reference asset and pooled residuals, and is named.
    long_run_weight, slow_weight, fast_weight : float
        Mixture of the three variance memories; they add up to 1.
    slow_decay_daily : float
        Decay of the slow memory a day.
    fast_half_life_hours : float
    variance_floor : float
        Fraction of the long-run variance below which the mixture never falls.
    fallback_inflation : float
        Factor on the idiosyncratic deviation of a short history.
    horizon_hours : tuple of int
        Horizons for which a bound is computed, from `HORIZON_BUCKETS_HOURS`.
    path_step_hours : int
        Distance of the starts of the historical paths.
    measure : str
        One of `MEASURES`; what the bound is of.
    es_level, bound_confidence : float
        Level of the measure, and of its upper bound.
    replicates, mean_block_days : int
        Stationary bootstrap of whole days.
    suspicious_deviations : float
        A bar that moves by more long-run deviations than this and reverts at once is counted.
    jump_threshold_deviations : float
        An hour whose cross-section's median residual exceeds it is a common jump; 0 models none.
    """

    library_hours: int = 35_040
    minimum_history_hours: int = 8_760
    long_run_weight: float = 0.2
    slow_weight: float = 0.4
    fast_weight: float = 0.4
    slow_decay_daily: float = 0.97
    fast_half_life_hours: float = 24.0
    variance_floor: float = 0.49
    fallback_inflation: float = 1.5
    horizon_hours: tuple[int, ...] = (4, 24)
    path_step_hours: int = 4
    measure: str = EXPECTED_SHORTFALL
    es_level: float = 0.99
    bound_confidence: float = 0.95
    replicates: int = 200
    mean_block_days: int = 5
    suspicious_deviations: float = 10.0
    jump_threshold_deviations: float = 8.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "horizon_hours", tuple(self.horizon_hours))
        _require_measure(self.measure)
        _require_fractions(self, "es_level", "bound_confidence", "slow_decay_daily", "variance_floor")
        _require_positive(self, "library_hours", "minimum_history_hours", "fast_half_life_hours", "path_step_hours")
        _require_positive(self, "mean_block_days", "suspicious_deviations", "fallback_inflation")
        for name in ("jump_threshold_deviations", "long_run_weight", "slow_weight", "fast_weight"):
            _require_not_negative(self, name)
        if not abs(self.long_run_weight + self.slow_weight + self.fast_weight - 1.0) <= 1e-12:
            raise InvalidInput("the three variance weights do not add up to 1")
        if len(set(self.horizon_hours)) != len(self.horizon_hours):
            raise InvalidInput(f"horizon_hours {self.horizon_hours} names a horizon twice")
        if not self.horizon_hours or any(hours not in HORIZON_BUCKETS_HOURS for hours in self.horizon_hours):
            raise InvalidInput(f"horizon_hours {self.horizon_hours}: choose from {HORIZON_BUCKETS_HOURS}")
        if self.replicates < 20:
            raise InvalidInput(f"replicates {self.replicates}: a bound needs at least 20")


@dataclass(frozen=True, slots=True)
class ModelConfiguration:
    """How an artefact becomes requirements; its hash is part of what keepers sign.

    Attributes
    ----------
    measure : str
        One of `MEASURES`; must be the artefact's, as the next two.
    es_level, bound_confidence : float
        Level of the measure, and of its upper bound.
    initial_horizon_hours, maintenance_horizon_hours : int
        Initial: loss at the end of the horizon. Maintenance: worst loss on the path over the liquidation horizon.
    monte_carlo_points : int
        Points of each of the 16 scrambles of a Monte Carlo set, a power of two from 128 on; 0 leaves Monte Carlo out.
    gross_weight : float
        Share of the gross requirement (sum over underlyings) that no offset between underlyings takes away.
    leg_floor_fraction : float
        Least requirement, as a fraction of the underlying notional of all legs.
    initial_over_maintenance : float
        d in initial >= maintenance (1 + d).
    trend_addon : bool
    trend_strength : float
        Strength of the trend add-on's stretch.
    stress_weight, stress_cap : float
        Anti-procyclicality (DESIGN 3.11): share of the most stressed month in what is charged, which is never more than
        `stress_cap` times what is asked now. A weight of 0 turns it off; see `engine.procyclicality`.
    liquidation_fee_fraction : float
        Of the underlying notional of all legs; maintenance only.
    reference_size_usd : float
        Size N* at which the tangent to the cost curve is taken.
    spread_fraction : float
        99 % quantile of the bid-ask spread as a fraction of the price; an input, not measured by the calibration.
    impact_coefficient : float
        Y of the square-root cost.
    participation_fraction : float
        Share of a stressed day's volume that can be sold within a day; the rest waits and is charged as concentration.
    funding_change_hourly : float
        99 % quantile of the change over a day of the funding rate, fraction an hour, for assets whose artefact has
        none measured. Default: that of BTC on Binance 2019-2024 (ETH 1.5e-4, SOL 9e-4).
    """

    measure: str = EXPECTED_SHORTFALL
    es_level: float = 0.99
    bound_confidence: float = 0.95
    initial_horizon_hours: int = 24
    maintenance_horizon_hours: int = 4
    monte_carlo_points: int = 512
    gross_weight: float = 0.2
    leg_floor_fraction: float = 0.002
    initial_over_maintenance: float = 0.1
    trend_addon: bool = True
    trend_strength: float = 0.3
    stress_weight: float = 0.25
    stress_cap: float = 1.25
    liquidation_fee_fraction: float = 0.005
    reference_size_usd: float = 1_000_000.0
    spread_fraction: float = 0.001
    impact_coefficient: float = 1.0
    participation_fraction: float = 0.1
    funding_change_hourly: float = 0.0001

    def __post_init__(self) -> None:
        _require_measure(self.measure)
        _require_fractions(self, "es_level", "bound_confidence", "participation_fraction")
        _require_positive(self, "reference_size_usd")
        for name in ("leg_floor_fraction", "initial_over_maintenance", "trend_strength", "liquidation_fee_fraction"):
            _require_not_negative(self, name)
        for name in ("spread_fraction", "impact_coefficient", "funding_change_hourly", "gross_weight"):
            _require_not_negative(self, name)
        _require_not_negative(self, "stress_weight")
        for name in ("gross_weight", "stress_weight"):
            if getattr(self, name) > 1.0:
                raise InvalidInput(f"{name} {getattr(self, name)} is above 1")
        points = self.monte_carlo_points
        if not isinstance(points, int) or (points and (points < LEAST_POINTS or points & (points - 1))):
            raise InvalidInput(f"monte_carlo_points {points}: a power of two from {LEAST_POINTS} on, or 0")
        if not 1.0 <= self.stress_cap < float("inf"):
            raise InvalidInput(f"stress_cap {self.stress_cap} must be at least 1 and finite: the lever never lowers")
        for name in ("initial_horizon_hours", "maintenance_horizon_hours"):
            if getattr(self, name) not in HORIZON_BUCKETS_HOURS:
                raise InvalidInput(f"{name} {getattr(self, name)}: choose from {HORIZON_BUCKETS_HOURS}")
        if self.maintenance_horizon_hours > self.initial_horizon_hours:
            raise InvalidInput("maintenance_horizon_hours is longer than initial_horizon_hours")

    @property
    def parts_bound_the_whole(self) -> bool:
        """Whether the measure is subadditive: the value at risk of a book may exceed the sum of its parts'."""
        return self.measure == EXPECTED_SHORTFALL

    def content_hash(self) -> str:
        """Return the sha256 (hex) of the configuration's canonical JSON."""
        return settings_hash(self)


def settings_hash(settings: CalibrationSettings | ModelConfiguration) -> str:
    """Return the sha256 (hex) of the record as canonical JSON: sorted keys, no blanks."""
    text = json.dumps(asdict(settings), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _require_measure(measure: str) -> None:
    if measure not in MEASURES:
        raise InvalidInput(f"measure {measure}: choose from {', '.join(MEASURES)}")


def _require_fractions(record: object, *names: str) -> None:
    for name in names:
        if not 0.0 < getattr(record, name) < 1.0:
            raise InvalidInput(f"{name} {getattr(record, name)} must lie between 0 and 1")


def _require_positive(record: object, *names: str) -> None:
    for name in names:
        if not 0.0 < getattr(record, name) < float("inf"):
            raise InvalidInput(f"{name} {getattr(record, name)} must be positive and finite")


def _require_not_negative(record: object, name: str) -> None:
    if not 0.0 <= getattr(record, name) < float("inf"):
        raise InvalidInput(f"{name} {getattr(record, name)} must be at least 0 and finite")
