"""How far one calibration may stand from the one before it without anybody looking: a band for every number in it.

The artefact's text is read as a flat list of parameters (`assets.ETH.long_run_variance`), tables aside: they follow
from the same histories, and their lengths are parameters too. The first band whose pattern fits a name counts; what
fits none takes the last one, so that nothing new escapes. A parameter that only one of the two has is drift.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeGuard

from engine.dynamics.calibration import Calibration
from engine.dynamics.seasonality import PPM

Scalar = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Band:
    """What a parameter may do: `relative` is the larger over the smaller less one, `absolute` a difference.

    Within either of the two is within the band. With neither, and where it is not a number, it may not change.
    """

    pattern: str
    reason: str
    relative: float = 0.0
    absolute: float = 0.0

    def __str__(self) -> str:
        allowed = [f"x {1.0 + self.relative:g}"] if self.relative else []
        allowed += [f"+- {self.absolute:g}"] if self.absolute else []
        return f"{' or '.join(allowed) or 'no change'} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Drift:
    """A parameter outside its band; None where an artefact does not have it."""

    parameter: str
    before: Scalar
    after: Scalar
    band: Band

    def __str__(self) -> str:
        return f"{self.parameter}: {self.before} -> {self.after}, allowed {self.band}"


_AGE_HOURS = 45 * 24.0
"""The oldest artefact that a keeper accepts by default, so the most that a window moves between two."""
BANDS = (
    Band("first_hour", "the window moves on", absolute=_AGE_HOURS),
    Band("last_hour", "the window moves on", absolute=_AGE_HOURS),
    Band("hours", "a library grows with its age", absolute=_AGE_HOURS),
    Band("assets.*.long_run_variance", "a mean over years", relative=0.25),
    Band("assets.*.slow_variance", "today's state, no fit: a memory of a month", relative=5.0),
    Band("assets.*.fast_variance", "today's state, no fit: beyond it is a unit error", relative=200.0),
    Band("assets.*.month_variance", "today's state, no fit: a mean over a month", relative=5.0),
    Band("assets.*.stress_variance", "the highest month: a new one, or an old one that left", relative=1.0),
    Band("assets.*.largest_variance", "the largest so far: a new crash, or an old one that left", relative=3.0),
    Band("assets.*.stress_volume", "a low quantile of a year of days", relative=1.0),
    Band("assets.*.first_hour", "a history is extended, not rewritten"),
    Band("assets.*.bars", "a history grows with its age", absolute=_AGE_HOURS),
    Band("assets.*.compared_bars", "a history grows with its age", absolute=_AGE_HOURS),
    Band("assets.*.gap_count", "a feed that begins to fail", absolute=10.0),
    Band("assets.*.missing_hours", "a feed that begins to fail", absolute=48.0),
    Band("assets.*.suspicious_bars", "bad prints", absolute=5.0),
    Band("assets.*.disagreeing_bars", "sources that part", relative=0.5, absolute=30.0),
    Band("assets.*.zero_volume_bars", "halts; a token's every bar", relative=0.1, absolute=48.0),
    Band("assets.*.off_clock_bars", "gaps of another asset", absolute=48.0),
    Band("assets.*.filled_hours", "a young asset grows with its age", absolute=_AGE_HOURS),
    Band("assets.*.volatility_hours", "an index that begins to fail", absolute=_AGE_HOURS),
    Band("assets.*.fallback", "an asset that comes of age becomes cheaper"),
    Band("bounds.*.ratio", "moves by up to a tenth in a week (BTC, ETH, 2023-2024)", relative=0.25),
    Band("bounds.*", "follows today's variance", relative=5.0),
    Band("carry.*_measured", "a history that appears or vanishes"),
    Band("carry.*", "a quantile of a year or more", relative=0.5),
    Band("carry_ranges.*.changes", "a history grows with its age", absolute=_AGE_HOURS),
    Band("carry_ranges.*", "a quantile of a year or more", relative=0.5),
    Band("hour_factors.*", "moves by up to 0.15 in a month (BTC, ETH, 2023-2024)", absolute=0.25),
    Band("tokens.*.hours", "a history grows with its age", absolute=_AGE_HOURS),
    Band("tokens.*.least_ratio_ppm", "a token that slips is for people to look at", absolute=20_000.0),
    Band("tokens.*", "a token that slips is for people to look at", absolute=0.02),
    Band("surface.days", "a history grows with its age", absolute=45.0),
    Band("surface.*", "a quantile of months; exponents within their measured ranges", relative=0.35),
    Band("joint.jumps.threshold_deviations", "a choice, never a fit"),
    Band("joint.jumps.count", "a crash has several", absolute=5.0),
    Band("joint.*hours", "a history grows with its age", absolute=_AGE_HOURS),
    Band("joint.jumps.*", "means of few jumps", relative=0.5, absolute=0.1),
    Band("joint.*.degrees", "one step of the grid", relative=0.7),
    Band("joint.*.log_likelihood.*", "grows with the sample", relative=0.5, absolute=100.0),
    Band("joint.*.shrinkage", "estimated with an error of its own size", absolute=0.1),
    Band("joint.*.clipped_eigenvalues", "as many as near duplicates", absolute=2.0),
    Band("joint.*.sample_count", "a history grows with its age", absolute=_AGE_HOURS),
    Band("joint.*.exceedances", "a history grows with its age", relative=0.35),
    Band("joint.*.shape", "its standard error in a long history is about 0.05", absolute=0.15),
    Band("joint.*_error", "an error of an error", relative=1.0),
    Band("joint.*", "a quantile of years", relative=0.35),
    Band("settings.*", "a choice, never a fit"),
    Band("kappa", "fixed by simulation", relative=0.05),
    Band("kappa_days", "a history grows with its age", absolute=_AGE_HOURS / 24.0),
    Band("kappa_coverage", "fixed by simulation", absolute=0.05),
    Band("*", "no band of its own", relative=0.25),
)
"""Ordered: the first that fits counts."""

_IDENTITY = ("symbol", "factor", "horizon_hours", "archetype", "coordinate", "marginal", "side")
"""Fields that tell the records of a list apart; they become part of the names."""
_NOT_PARAMETERS = ("content_hash", "tables")


def drifts(before: Calibration, after: Calibration) -> tuple[Drift, ...]:
    """Return every parameter of the two artefacts that left its band, in the order of their names.

    Parameters
    ----------
    before : Calibration
        In use.
    after : Calibration
        Fitted since.
    """
    old, new = parameters(before), parameters(after)
    found = [Drift(name, old.get(name), new.get(name), band_of(name)) for name in sorted(old.keys() | new.keys())]
    return tuple(
        one
        for one in found
        if one.parameter not in old or one.parameter not in new or not _within(one.band, one.before, one.after)
    )


def parameters(calibration: Calibration) -> dict[str, Scalar]:
    """Return every scalar of an artefact by its name, and the hour-of-week factors as fractions."""
    body = json.loads(calibration.to_json())
    factors = zip(calibration.symbols, calibration.hour_factor_ppm, strict=True)
    body["hour_factors"] = {symbol: [int(ppm) / PPM for ppm in row] for symbol, row in factors}
    return dict(_leaves("", body))


def band_of(parameter: str) -> Band:
    """Return the first band whose pattern fits the name."""
    return next(band for band in BANDS if fnmatchcase(parameter, band.pattern))


def _within(band: Band, before: Scalar, after: Scalar) -> bool:
    if before == after:
        return True
    if not _is_number(before) or not _is_number(after):
        return False
    small, large = sorted((abs(before), abs(after)))
    same_sign = before * after > 0
    return abs(after - before) <= band.absolute or (same_sign and large <= small * (1.0 + band.relative))


def _is_number(value: Scalar) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if isinstance(value, dict):
        items = [(key, part) for key, part in value.items() if key not in _NOT_PARAMETERS]
    elif isinstance(value, list):
        items = list(zip(_labels(value), map(_without_identity, value), strict=True))
    else:
        yield name, value
        return
    for key, part in items:
        yield from _leaves(f"{name}.{key}" if name else key, part)


def _labels(records: list[Any]) -> list[str]:
    """Names for the entries of a list: what identifies them, else their place."""
    named = [".".join(str(one[key]) for key in _IDENTITY if key in one) for one in records if isinstance(one, dict)]
    if len(named) == len(records) and all(named) and len(set(named)) == len(named):
        return named
    return [str(place) for place in range(len(records))]


def _without_identity(record: Any) -> Any:
    return {k: v for k, v in record.items() if k not in _IDENTITY} if isinstance(record, dict) else record
