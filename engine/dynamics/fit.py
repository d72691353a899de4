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
from engine.dynamics.fallback import fill_short_histories
from engine.dynamics.history import PriceHistory, VolatilityHistory
from engine.dynamics.joint_fit import Library, fit_joint
from engine.dynamics.kappa import kappa_of
from engine.dynamics.liquidity import count_bars, stress_volume
from engine.dynamics.observations import Observations
from engine.dynamics.ratios import TokenState, token_histories, token_volumes
from engine.dynamics.recursions import MICRO, Memory
from engine.dynamics.seasonality import hour_factors_ppm
from engine.dynamics.sources import MergedSources, merged_sources
from engine.dynamics.stress_level import month_means
from engine.dynamics.surface_moves import SurfaceHistory, SurfaceMoves, fit_surface_moves
from engine.dynamics.variance import rule_of, run_filter, start_memory, variance_now
from engine.dynamics.volatility_moves import volatility_moves_micro
from engine.errors import InvalidInput

RECENT_HOURS = 31 * 24
"""Hours of closes kept for the trend, which looks thirty days back."""
NO_OBSERVATIONS = Observations()
LARGEST_MICRO = 2**31 - 1
"""Tables hold 32-bit integers."""


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
    own_share = returns.log_return.shape[1] - returns.first_return
    log_return = fill_short_histories(returns, symbols, settings)
    hours = log_return.shape[1]
    long_run = _long_run_variances(log_return, own_share, symbols, settings)
    variance, warm, memories = _filtered(returns, log_return, long_run, settings)
    moves, known = volatility_moves_micro(returns.hour[-hours - 1 :], symbols, volatility, variance)
    filled, implied = np.maximum(hours - own_share, 0), np.count_nonzero(known, axis=1)
    residuals = _residuals_micro(log_return, variance)
    factors = _hour_factors(returns.hour[-hours - 1 :], residuals, filled)
    clock = returns.hour[-hours:]
    library = Library(symbols, len(prices), clock, factors, log_return, variance[:, :-1], moves, warm, memories)
    kappa = kappa_of(int(hours - np.max(filled)) // HOURS_A_DAY, settings)
    states = tuple(
        _asset(
            one,
            row >= len(prices),
            memories[row],
            variance[row, :-1],
            returns,
            (int(filled[row]), int(implied[row])),
            settings,
        )
        for row, one in enumerate(merged)
    )
    return Calibration(
        settings=settings,
        symbols=symbols,
        assets=_with_token_volumes(states, tokens, symbols, returns.close_e8[:, -1]),
        bounds=bootstrap_bounds(symbols, log_return, moves, memories, settings),
        kappa=rounded(kappa.factor),
        kappa_days=kappa.days,
        kappa_coverage=kappa.coverage,
        joint=fit_joint(library, settings),
        clock_hour=_frozen(clock),
        residual_micro=_frozen(residuals),
        volatility_move_micro=_frozen(moves),
        recent_close_e8=_frozen(returns.close_e8[:, -min(RECENT_HOURS, hours) :]),
        hour_factor_ppm=_frozen(factors),
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


def _hour_factors(
    clock: NDArray[np.int64], residuals: NDArray[np.int64], filled: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Factors of each asset from its own hours alone, shape (U, 168)."""
    return np.stack(
        [hour_factors_ppm(clock[start:], residuals[row, start:]) for row, start in enumerate(filled.tolist())]
    )


def _rounded_moves(moves: SurfaceMoves) -> SurfaceMoves:
    figures: dict[str, Any] = {
        name: value if name == "days" else rounded(value) for name, value in asdict(moves).items()
    }
    return SurfaceMoves(**figures)


def _long_run_variances(
    log_return: NDArray[np.float64], own: NDArray[np.int64], symbols: tuple[str, ...], settings: CalibrationSettings
) -> list[float]:
    """Mean square over the library; for a short history not below that of its own hours."""
    variances = []
    for row, symbol in enumerate(symbols):
        own_square = log_return[row, -min(int(own[row]), log_return.shape[1]) :] ** 2
        if not np.any(own_square > 0.0):
            raise InvalidInput(f"history of {symbol} is constant: it has no variance to calibrate")
        variance = float(np.mean(log_return[row] ** 2))
        if own[row] < settings.minimum_history_hours:
            variance = max(variance, float(np.mean(own_square)))
        variances.append(rounded(variance))
    return variances


def _filtered(
    returns: ClockReturns, log_return: NDArray[np.float64], long_run: list[float], settings: CalibrationSettings
) -> tuple[NDArray[np.float64], tuple[Memory, ...], tuple[Memory, ...]]:
    """Variance at each hour of the library's clock, shape (U, n + 1), and the memories at its start and end.

    The filter warms up on whatever lies before the library.
    """
    rule = rule_of(settings)
    hours = log_return.shape[1]
    table = np.empty((log_return.shape[0], hours + 1))
    warm_memories, memories = [], []
    for row, level in enumerate(long_run):
        before = returns.log_return[row, int(returns.first_return[row]) : returns.log_return.shape[1] - hours]
        _, warm = run_filter(before, rule, start_memory(level))
        table[row, :-1], memory = run_filter(log_return[row], rule, warm)
        table[row, -1] = variance_now(rule, memory)
        warm_memories.append(warm)
        memories.append(Memory(*(rounded(value) for value in memory)))
    return table, tuple(warm_memories), tuple(memories)


def _residuals_micro(log_return: NDArray[np.float64], variance: NDArray[np.float64]) -> NDArray[np.int64]:
    table = np.rint(log_return / np.sqrt(variance[:, :-1]) * MICRO).astype(np.int64)
    if np.max(np.abs(table)) > LARGEST_MICRO:
        raise InvalidInput("a return is more than 2,147 deviations of its own filter: a bad bar, or a dead asset")
    return table


def _asset(
    merged: MergedSources,
    is_token: bool,
    memory: Memory,
    variance: NDArray[np.float64],
    returns: ClockReturns,
    filled_and_volatility_hours: tuple[int, int],
    settings: CalibrationSettings,
) -> AssetState:
    history = merged.history
    counts = count_bars(history, settings.suspicious_deviations)
    on_clock = np.isin(history.hour, returns.hour, assume_unique=True)
    own_hours = int(np.count_nonzero(on_clock)) - 1
    months = month_means(variance)
    return AssetState(
        symbol=history.symbol,
        long_run_variance=memory.long_run,
        slow_variance=memory.slow,
        fast_variance=memory.fast,
        largest_variance=memory.largest,
        month_variance=rounded(months[-1]),
        stress_variance=rounded(np.max(months)),
        stress_volume=0.0 if is_token else rounded(stress_volume(history)),
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
        filled_hours=filled_and_volatility_hours[0],
        volatility_hours=filled_and_volatility_hours[1],
        fallback=own_hours < settings.minimum_history_hours,
    )


def _frozen(table: NDArray[np.int64]) -> NDArray[np.int64]:
    copy = np.ascontiguousarray(table, dtype=np.int64).copy()
    copy.flags.writeable = False
    return copy
