"""calibrate: histories in, artefact out; each step is a module of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings
from engine.dynamics.bootstrap import HOURS_A_DAY, SAMPLING_SHARE, bootstrap_bounds
from engine.dynamics.calibration import AssetState, Calibration, rounded, rounded_record
from engine.dynamics.carry import carry_of
from engine.dynamics.clock import ClockReturns, common_clock
from engine.dynamics.history import PriceHistory, VolatilityHistory
from engine.dynamics.joint_fit import fit_joint
from engine.dynamics.kappa import kappa_of
from engine.dynamics.library import Library, library_of
from engine.dynamics.liquidity import count_bars, stress_volume
from engine.dynamics.observations import Observations
from engine.dynamics.ratios import TokenState, token_histories, token_volumes
from engine.dynamics.sources import MergedSources, merged_sources
from engine.dynamics.stress_level import month_means
from engine.dynamics.surface_moves import SurfaceHistory, SurfaceMoves, fit_surface_moves
from engine.errors import InvalidInput

RECENT_HOURS = 31 * 24
"""Hours of closes kept for the trend, which looks thirty days back."""
NO_OBSERVATIONS = Observations()


def calibrate(
    prices: Sequence[PriceHistory],
    volatility: Sequence[VolatilityHistory] = (),
    settings: CalibrationSettings | None = None,
    surfaces: Sequence[SurfaceHistory] = (),
    observations: Observations = NO_OBSERVATIONS,
) -> Calibration:
    """Turn histories into the artefact that keepers agree on.

    Parameters
    ----------
    prices : sequence of PriceHistory
        One an asset. All end within a week of each other; the artefact ends at the earliest last hour.
    volatility : sequence of VolatilityHistory
        Optional; where there is none, the filter's own variance ratio moves implied volatility.
    settings : CalibrationSettings, optional
    surfaces : sequence of SurfaceHistory
        Optional; where there is none, the surface moves by published figures.
    observations : Observations, optional
        Further venues, funding, basis, rates, and ratios of collateral tokens, which join the assets at the end.

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidInput
        If a history is too short, constant, or cannot be put on the common clock; the message names the asset.

    Notes
    -----
    NumPy and SciPy may differ in the last digits between machines: numbers are rounded to twelve digits, and what
    counts is the artefact's hash, which keepers compare before they use it.
    """
    settings = _checked(settings or CalibrationSettings())
    merged, tokens = _assets(prices, observations)
    symbols = tuple(one.history.symbol for one in merged)
    carry, carry_ranges = carry_of(symbols, observations, settings.horizon_hours)
    returns = common_clock([one.history for one in merged])
    library = library_of(symbols, len(prices), returns, volatility, settings)
    states = tuple(_asset(one, row, library, returns, settings) for row, one in enumerate(merged))
    kappa = kappa_of(int(library.hours - np.max(library.filled_hours)) // HOURS_A_DAY, settings)
    return Calibration(
        settings=settings,
        symbols=symbols,
        assets=_with_token_volumes(states, tokens, symbols, returns.close_e8[:, -1]),
        bounds=bootstrap_bounds(symbols, library.log_return, library.move_micro, library.memories, settings),
        kappa=rounded(kappa.factor),
        kappa_days=kappa.days,
        kappa_coverage=kappa.coverage,
        joint=fit_joint(library, settings),
        clock_hour=_frozen(library.clock_hour),
        residual_micro=_frozen(library.residual_micro),
        volatility_move_micro=_frozen(library.move_micro),
        recent_close_e8=_frozen(returns.close_e8[:, -min(RECENT_HOURS, library.hours) :]),
        hour_factor_ppm=_frozen(library.hour_factor_ppm),
        carry=tuple(map(rounded_record, carry)),
        carry_ranges=tuple(map(rounded_record, carry_ranges)),
        tokens=tuple(map(rounded_record, tokens)),
        surface=_rounded_moves(fit_surface_moves(surfaces)),
    )


def _checked(settings: CalibrationSettings) -> CalibrationSettings:
    if settings.bound_confidence + SAMPLING_SHARE >= 1.0:
        raise InvalidInput(f"bound_confidence {settings.bound_confidence} leaves no room for the sampling share")
    return settings


def _assets(
    prices: Sequence[PriceHistory], observations: Observations
) -> tuple[list[MergedSources], tuple[TokenState, ...]]:
    """Every asset as its sources agree on it, collateral tokens last."""
    given = {history.symbol for history in prices}
    for witness in observations.witnesses:
        if witness.symbol not in given:
            raise InvalidInput(f"a further source of {witness.symbol}, which has no history of its own: leave it out")
    merged = [
        merged_sources(history, [one for one in observations.witnesses if one.symbol == history.symbol])
        for history in prices
    ]
    histories, tokens = token_histories(observations.ratios, [one.history for one in merged])
    return merged + [merged_sources(history, []) for history in histories], tokens


def _with_token_volumes(
    states: tuple[AssetState, ...],
    tokens: tuple[TokenState, ...],
    symbols: tuple[str, ...],
    price_e8: NDArray[np.int64],
) -> tuple[AssetState, ...]:
    volume = token_volumes(tokens, symbols, np.array([state.stress_volume for state in states]), price_e8)
    return tuple(
        replace(state, stress_volume=rounded(float(of_day))) for state, of_day in zip(states, volume, strict=True)
    )


def _rounded_moves(moves: SurfaceMoves) -> SurfaceMoves:
    figures: dict[str, Any] = {
        name: value if name == "days" else rounded(value) for name, value in asdict(moves).items()
    }
    return SurfaceMoves(**figures)


def _asset(
    merged: MergedSources, row: int, library: Library, returns: ClockReturns, settings: CalibrationSettings
) -> AssetState:
    history, memory = merged.history, library.memories[row]
    counts = count_bars(history, settings.suspicious_deviations)
    on_clock = np.isin(history.hour, returns.hour, assume_unique=True)
    own_hours = int(np.count_nonzero(on_clock)) - 1
    months = month_means(library.variance[row])
    return AssetState(
        symbol=history.symbol,
        long_run_variance=memory.long_run,
        slow_variance=memory.slow,
        fast_variance=memory.fast,
        largest_variance=memory.largest,
        month_variance=rounded(months[-1]),
        stress_variance=rounded(np.max(months)),
        stress_volume=0.0 if row >= library.markets else rounded(stress_volume(history)),
        first_hour=int(history.hour[0]),
        bars=int(history.hour.size),
        sources=merged.sources,
        compared_bars=merged.compared_bars,
        disagreeing_bars=merged.disagreeing_bars,
        gap_count=counts.gap_count,
        missing_hours=counts.missing_hours,
        suspicious_bars=counts.suspicious_bars,
        zero_volume_bars=counts.zero_volume_bars,
        off_clock_bars=int(np.count_nonzero(~on_clock)),
        filled_hours=int(library.filled_hours[row]),
        volatility_hours=int(library.volatility_hours[row]),
        fallback=own_hours < settings.minimum_history_hours,
    )


def _frozen(table: NDArray[np.int64]) -> NDArray[np.int64]:
    copy = np.ascontiguousarray(table, dtype=np.int64).copy()
    copy.flags.writeable = False
    return copy
