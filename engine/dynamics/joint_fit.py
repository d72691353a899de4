"""Residual library -> joint dynamics: samples of each horizon, their marginals, the copula, the jumps."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import lfilter

from engine.configuration import CalibrationSettings
from engine.dynamics.calibration import rounded
from engine.dynamics.copula import correlation_cases, fit_copula, market_signs, mixing_table, root
from engine.dynamics.joint import NANO, HorizonDynamics, JointDynamics, TailFit
from engine.dynamics.jumps import LARGEST_EXPECTED_JUMPS, taken_out
from engine.dynamics.library import Library
from engine.dynamics.paths import block_starts
from engine.dynamics.recursions import MICRO, Rule
from engine.dynamics.seasonality import season_roots
from engine.dynamics.tails import Marginal, Pareto, knot_scores, marginal
from engine.dynamics.variance import expected_variances, rule_of
from engine.errors import InvalidInput

Table = NDArray[np.float64]

COORDINATES = ("return", "volatility")


def fit_joint(library: Library, settings: CalibrationSettings) -> JointDynamics:
    """Fit the joint dynamics at every horizon of the settings.

    Raises
    ------
    InvalidInput
        If a horizon has too few observations, or what counts as a jump comes too often; the message says which.
    """
    level_move = library.move_micro / MICRO
    threshold = settings.jump_threshold_deviations
    jumps, ordinary, calm_level = taken_out(
        library.log_return, level_move, library.variance, threshold, library.markets
    )
    longest = max(settings.horizon_hours)
    expected = jumps.intensity_hourly * longest
    if expected > LARGEST_EXPECTED_JUMPS:
        raise InvalidInput(
            f"{jumps.count} jumps in {jumps.hours} h: as many as {expected:.2f} may be expected within {longest} h, "
            f"more than {LARGEST_EXPECTED_JUMPS:g}; raise jump_threshold_deviations {threshold:g}"
        )
    memories = _memories_before(library, rule_of(settings))
    horizons = tuple(
        _fit_horizon(hours, library, ordinary, calm_level, memories, settings) for hours in settings.horizon_hours
    )
    return JointDynamics(jumps, horizons)


def _memories_before(library: Library, rule: Rule) -> tuple[Table, Table]:
    """Slow and fast memory before each hour, shape (U, n); of all returns, jumps too, as a valuation's filter is."""
    slow, fast = np.empty_like(library.log_return), np.empty_like(library.log_return)
    for table, decay, name in ((slow, rule.slow_decay, "slow"), (fast, rule.fast_decay, "fast")):
        for row, warm in enumerate(library.warm):
            start = getattr(warm, name)
            square = library.log_return[row, :-1] ** 2
            after, _ = lfilter([1.0 - decay], [1.0, -decay], square, zi=[decay * start])
            table[row] = np.append(start, after)
    return slow, fast


def _fit_horizon(
    hours: int,
    library: Library,
    ordinary: Table,
    level: Table,
    memories: tuple[Table, Table],
    settings: CalibrationSettings,
) -> HorizonDynamics:
    starts = block_starts(ordinary.shape[1], hours, settings.path_step_hours)
    apart = block_starts(ordinary.shape[1], hours, hours)
    if apart.size < 3:
        raise InvalidInput(f"a library of {ordinary.shape[1]} h holds {apart.size} separate moves over {hours} h")
    deviation = _deviations(hours, library, memories, settings)
    moves = np.concatenate([ordinary, level])
    scale = np.concatenate([deviation, np.ones_like(deviation)])
    copula = fit_copula((_ends(moves, apart, hours) / scale[:, apart]).T)
    fitted = [_marginals(moves[row], starts, hours, scale[row, starts], settings) for row in range(len(moves))]
    sign = market_signs(copula.correlation, library.markets)
    cases = correlation_cases(copula.correlation, sign)
    return HorizonDynamics(
        hours=hours,
        degrees=copula.degrees,
        log_likelihood=tuple(rounded(value) for value in copula.log_likelihood),
        shrinkage=rounded(copula.shrinkage),
        clipped_eigenvalues=copula.clipped_eigenvalues,
        sample_count=int(apart.size),
        sign=tuple(int(one) for one in sign),
        tails=_tail_fits(fitted, library.symbols),
        score_nano=_nano(knot_scores(copula.degrees)),
        end_nano=_nano(np.stack([end.value for end, _ in fitted])),
        excursion_nano=_nano(np.stack([excursion.value for _, excursion in fitted])),
        mixing_nano=_nano(mixing_table(copula.degrees)),
        root_nano=_nano(np.stack([root(case, library.markets) for case in cases])),
    )


def _deviations(hours: int, library: Library, memories: tuple[Table, Table], settings: CalibrationSettings) -> Table:
    """Root of the variance expected over the horizon from each hour that it fits after, shape (U, n - hours + 1)."""
    rule, (slow, fast) = rule_of(settings), memories
    starts = slow.shape[1] - hours + 1
    deviations = np.empty((len(slow), starts))
    for row, memory in enumerate(library.memories):
        _, own = season_roots(library.hour_factor_ppm[row], library.clock_hour, 0, hours)
        season = sliding_window_view(own * own, hours).T
        states = slow[row, :starts], fast[row, :starts]
        deviations[row] = np.sqrt(expected_variances(rule, memory.long_run, *states, memory.largest, season))
    return deviations


def _marginals(
    hourly: Table, starts: NDArray[np.int64], hours: int, scale: Table, settings: CalibrationSettings
) -> tuple[Marginal, Marginal]:
    """The marginal at the horizon and that of the excursion, of one coordinate."""
    overlap = max(hours / settings.path_step_hours, 1.0)
    total = np.append(0.0, np.cumsum(hourly))
    path = sliding_window_view(total[1:], hours)[starts] - total[starts, None]
    end, lowest, highest = path[:, -1] / scale, path.min(axis=1) / scale, path.max(axis=1) / scale
    return marginal(end, end, overlap), marginal(lowest, highest, overlap)


def _ends(moves: Table, starts: NDArray[np.int64], hours: int) -> Table:
    total = np.concatenate([np.zeros((len(moves), 1)), np.cumsum(moves, axis=1)], axis=1)
    ends: Table = total[:, starts + hours] - total[:, starts]
    return ends


def _tail_fits(fitted: list[tuple[Marginal, Marginal]], symbols: tuple[str, ...]) -> tuple[TailFit, ...]:
    return tuple(
        _tail_fit(symbols[row % len(symbols)], COORDINATES[row // len(symbols)], name, side, tail)
        for row, pair in enumerate(fitted)
        for name, one in zip(("end", "excursion"), pair, strict=True)
        for side, tail in (("lower", one.lower), ("upper", one.upper))
    )


def _tail_fit(symbol: str, coordinate: str, name: str, side: str, tail: Pareto) -> TailFit:
    figures = (
        rounded(figure) for figure in (tail.threshold, tail.shape, tail.scale, tail.shape_error, tail.scale_error)
    )
    return TailFit(symbol, coordinate, name, side, tail.exceedances, *figures)


def _nano(values: Table) -> NDArray[np.int64]:
    table = np.rint(values * NANO).astype(np.int64)
    table.flags.writeable = False
    return table
