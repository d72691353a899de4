"""The calibration artefact: what keepers agree on first, so that they then agree on every report.

Canonical JSON: sorted keys, one space of indent, floats rounded to `SIGNIFICANT_DIGITS`, hourly tables as base64 of
little-endian integers. The content hash covers every other byte of the text.
"""

from __future__ import annotations

import binascii
import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings
from engine.dynamics.carry import Carry, CarryRange
from engine.dynamics.encoding import decode, encode
from engine.dynamics.joint import JointDynamics
from engine.dynamics.ratios import TokenState
from engine.dynamics.seasonality import HOURS_A_WEEK
from engine.dynamics.surface_moves import SurfaceMoves
from engine.errors import BadArtefact, InvalidInput

FORMAT = "margin-oracle-calibration-2"
SIGNIFICANT_DIGITS = 12
Record = TypeVar("Record", Carry, CarryRange, TokenState)
ARCHETYPES = ("long", "short", "short_straddle", "short_put", "short_call")

_TABLES = {
    "clock_hour": "<i4",
    "residual_micro": "<i4",
    "volatility_move_micro": "<i4",
    "hour_factor_ppm": "<i4",
    "recent_close_e8": "<i8",
}


@dataclass(frozen=True, slots=True)
class AssetState:
    """One asset at the artefact's last hour, with the counts of what its history held.

    Variances are of hourly log returns. `month_variance` is the mean over the last thirty days of the variance used
    then, `stress_variance` the highest such mean of the library; see `engine.procyclicality`. `stress_volume` is
    the 1 % quantile of a day's volume over the last year, in base units; a collateral token's is assumed. Of the
    `compared_bars`, which a further source knows, the `disagreeing_bars` were dropped because none confirms them;
    `bars` are those that are left. `filled_hours` of the library come from the reference asset and the pool, because
    the asset's own history is shorter; `fallback` says that its level of variance does too.
    """

    symbol: str
    long_run_variance: float
    slow_variance: float
    fast_variance: float
    largest_variance: float
    month_variance: float
    stress_variance: float
    stress_volume: float
    first_hour: int
    bars: int
    sources: int
    compared_bars: int
    disagreeing_bars: int
    gap_count: int
    missing_hours: int
    suspicious_bars: int
    zero_volume_bars: int
    off_clock_bars: int
    filled_hours: int
    volatility_hours: int
    fallback: bool


@dataclass(frozen=True, slots=True)
class Bound:
    """The upper bound of one archetype book's ES: ratio = point / quantile of the bootstrap (pivotal), at least 1."""

    symbol: str
    horizon_hours: int
    archetype: str
    point: float
    replicate_quantile: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything a valuation needs from the past; see the module's header for its text form.

    Attributes
    ----------
    settings : CalibrationSettings
    symbols : tuple of str
        U assets, in the order of every table.
    assets : tuple of AssetState
    bounds : tuple of Bound
    kappa : float
        Factor on the bootstrap ratio that makes its coverage what is claimed (`engine.dynamics.kappa`).
    kappa_days : int
        Length of history that kappa was looked up at, the shortest of the assets' own.
    kappa_coverage : float or None
        Share of simulated bounds that were not below the truth in the worst market of the study; None where the study
        did not measure such a bound.
    joint : JointDynamics
        What Monte Carlo draws from.
    clock_hour : int64 array, shape (n,)
        The common clock of the library, hours since the Unix epoch.
    residual_micro, volatility_move_micro : int64 arrays, shape (U, n)
    recent_close_e8 : int64 array, shape (U, m)
        Closes at the last m hours of the clock, for the trend.
    hour_factor_ppm : int64 array, shape (U, 168)
        Hour-of-week factor on variance, see `engine.dynamics.seasonality`.
    carry : tuple of Carry
        Basis, rates and funding of each asset.
    carry_ranges : tuple of CarryRange
        What the measured ones rest on.
    tokens : tuple of TokenState
        Those assets that are collateral tokens.
    surface : SurfaceMoves
        Published figures unless surface histories were given.
    """

    settings: CalibrationSettings
    symbols: tuple[str, ...]
    assets: tuple[AssetState, ...]
    bounds: tuple[Bound, ...]
    kappa: float
    kappa_days: int
    kappa_coverage: float | None
    joint: JointDynamics
    clock_hour: NDArray[np.int64]
    residual_micro: NDArray[np.int64]
    volatility_move_micro: NDArray[np.int64]
    recent_close_e8: NDArray[np.int64]
    hour_factor_ppm: NDArray[np.int64]
    carry: tuple[Carry, ...]
    carry_ranges: tuple[CarryRange, ...]
    tokens: tuple[TokenState, ...]
    surface: SurfaceMoves = SurfaceMoves()

    @property
    def last_hour(self) -> int:
        """Hour of the last close, since the Unix epoch; `RecentPrices` start after it."""
        return int(self.clock_hour[-1])

    @property
    def first_hour(self) -> int:
        """Hour of the first return of the library."""
        return int(self.clock_hour[0])

    @property
    def content_hash(self) -> str:
        """Sha256 (hex) of the canonical text without its own hash line."""
        return _hash(self._body())

    def index_of(self, symbol: str) -> int:
        """Return the row of the symbol, or raise `InvalidInput` naming it."""
        if symbol not in self.symbols:
            raise InvalidInput(f"{symbol} is not in the calibration, which holds {', '.join(self.symbols)}")
        return self.symbols.index(symbol)

    def bound_ratio(self, symbol: str, horizon_hours: int, archetype: str) -> float:
        """Return kappa times the ratio of the archetype, or raise `InvalidInput` when it was not computed."""
        for bound in self.bounds:
            if (bound.symbol, bound.horizon_hours, bound.archetype) == (symbol, horizon_hours, archetype):
                return self.kappa * bound.ratio
        raise InvalidInput(f"the calibration holds no bound for {symbol}, {horizon_hours} h, {archetype}")

    def to_json(self) -> str:
        """Return the canonical text, ending in a newline; `from_json` of it gives the same text back."""
        body = self._body()
        return _dump({"content_hash": _hash(body), **body})

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read an artefact and check it against its own content hash.

        Raises
        ------
        BadArtefact
            If the text is not such an artefact, was altered, or is not in canonical form.
        """
        try:
            body = json.loads(text)
            claimed = body.pop("content_hash")
            calibration = _read(cls, body)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise BadArtefact(f"not a calibration artefact of format {FORMAT}: {error}") from error
        if claimed != calibration.content_hash or text != calibration.to_json():
            raise BadArtefact(
                f"the artefact's content hash {calibration.content_hash} is not the stated {claimed}, or its text is "
                "not canonical: fetch it again from a keeper you trust"
            )
        return calibration

    def _body(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "symbols": list(self.symbols),
            "assets": [asdict(asset) for asset in self.assets],
            "bounds": [asdict(bound) for bound in self.bounds],
            "carry": [asdict(carry) for carry in self.carry],
            "carry_ranges": [asdict(one) for one in self.carry_ranges],
            "tokens": [asdict(token) for token in self.tokens],
            "kappa": self.kappa,
            "kappa_days": self.kappa_days,
            "kappa_coverage": self.kappa_coverage,
            "surface": asdict(self.surface),
            "joint": self.joint.body(),
            "first_hour": self.first_hour,
            "last_hour": self.last_hour,
            "hours": int(self.clock_hour.size),
            "tables": {name: encode(getattr(self, name), kind) for name, kind in _TABLES.items()},
        }


def rounded_record(record: Record) -> Record:
    """Return the record with every float rounded by `rounded`."""
    floats: dict[str, Any] = {name: rounded(value) for name, value in asdict(record).items() if type(value) is float}
    return replace(record, **floats)


def rounded(value: float) -> float:
    """Return the value rounded to the artefact's significant digits; raise `InvalidInput` when it is not finite."""
    if not np.isfinite(value):
        raise InvalidInput(f"the calibration produced {value}")
    return float(f"{float(value):.{SIGNIFICANT_DIGITS - 1}e}")


def _read(cls: type[Calibration], body: dict[str, Any]) -> Calibration:
    if body["format"] != FORMAT:
        raise ValueError(f"format {body['format']}")
    symbols = tuple(body["symbols"])
    tables = {name: decode(body["tables"][name], kind) for name, kind in _TABLES.items()}
    for name in ("residual_micro", "volatility_move_micro", "recent_close_e8", "hour_factor_ppm"):
        tables[name] = tables[name].reshape(len(symbols), -1)
    for name in ("residual_micro", "volatility_move_micro"):
        if tables[name].shape[1] != tables["clock_hour"].size:
            raise ValueError(f"{name} does not fit the clock")
    if tables["hour_factor_ppm"].shape[1] != HOURS_A_WEEK or tables["hour_factor_ppm"].min() <= 0:
        raise ValueError(f"hour_factor_ppm needs {HOURS_A_WEEK} positive factors an asset")
    return cls(
        settings=_record(CalibrationSettings, body["settings"]),
        symbols=symbols,
        assets=tuple(_record(AssetState, asset) for asset in body["assets"]),
        bounds=tuple(_record(Bound, bound) for bound in body["bounds"]),
        kappa=float(body["kappa"]),
        kappa_days=int(body["kappa_days"]),
        kappa_coverage=None if body["kappa_coverage"] is None else float(body["kappa_coverage"]),
        carry=tuple(_record(Carry, carry) for carry in body["carry"]),
        carry_ranges=tuple(_record(CarryRange, one) for one in body["carry_ranges"]),
        tokens=tuple(_record(TokenState, token) for token in body["tokens"]),
        surface=_record(SurfaceMoves, body["surface"]),
        joint=JointDynamics.from_body(body["joint"]),
        **tables,
    )


def _record(kind: Any, values: dict[str, Any]) -> Any:
    if set(values) != {field.name for field in fields(kind)}:
        raise ValueError(f"fields of {kind.__name__}: {sorted(values)}")
    return kind(**values)


def _dump(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _hash(body: dict[str, Any]) -> str:
    return hashlib.sha256(_dump(body).encode()).hexdigest()
