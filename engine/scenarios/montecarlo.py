"""Monte Carlo: one step to the horizon from calibrated tails, dependence and jumps, in independent scrambles.

One set for each correlation case, all on the same points. A set is `SCRAMBLES` consecutive blocks of equal length, each
a scrambled Sobol net and so an independent replication: the figure's own error is measured between blocks, which is
what `risk.sampling_bound` does (DESIGN 3.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.configuration import LEAST_POINTS
from engine.dynamics.calibration import Calibration
from engine.dynamics.history import RecentPrices
from engine.dynamics.joint import CASES, NANO, HorizonDynamics, Jumps
from engine.dynamics.seasonality import season_roots
from engine.dynamics.today import last_hour_of, memory_today
from engine.dynamics.variance import expected_variance, rule_of
from engine.errors import InvalidInput
from engine.kernels.interpolation import joint_values
from engine.risk import REPLICATIONS
from engine.scenarios.scenario_set import SHAPE_FACTORS, ScenarioSet, severity_order
from engine.scenarios.sobol import scrambled_points
from engine.scenarios.variates import Inflation, Variates, dimensions, variates

Table = NDArray[np.float64]

SCRAMBLES = REPLICATIONS
POINTS = 512
INFLATION = Inflation(mixing_power=3, market_width=1.5, level_width=1.3, jump_share=0.2)


class Step(NamedTuple):
    """One step to the horizon.

    `deviation`, shape (U,), is the root of each asset's variance expected over it. `excursion` tells moves at the worst
    point on the way from moves at its end.
    """

    horizon: HorizonDynamics
    jumps: Jumps
    deviation: Table
    excursion: bool


def monte_carlo_sets(
    calibration: Calibration,
    recent: Sequence[RecentPrices],
    hours: int,
    excursion: bool,
    seed: int,
    points: int = POINTS,
    shape_deviation: Table | None = None,
) -> tuple[ScenarioSet, ...]:
    """Return one set for each correlation case; the largest requirement of them counts.

    Parameters
    ----------
    calibration : Calibration
    recent : sequence of RecentPrices
        One an underlying, in the market's order.
    hours : int
        One of the artefact's horizons.
    excursion : bool
        False: moves at the horizon. True: at the worst point on the way, so that one step stands for the path.
    seed : int
        At least 0; the same seed gives the same points, whatever the calibration.
    points : int
        Of one scramble: a power of two, at least 128.
    shape_deviation : float64 array, shape (7, U), optional
        Standard deviations of the shape factors over the horizon, in the order of `ScenarioSet.shape_shock`.

    Raises
    ------
    InvalidInput
        If the artefact has no such horizon, an asset is missing, or `points` is not such a number.
    """
    if points < LEAST_POINTS or points & (points - 1):
        raise InvalidInput(f"{points} points of a scramble: a power of two is needed, {LEAST_POINTS} at least")
    step = Step(
        _horizon_of(calibration, hours), calibration.joint.jumps, _deviations(calibration, recent, hours), excursion
    )
    rows = np.array([calibration.index_of(prices.symbol) for prices in recent], dtype=np.int64)
    draws = _draws(step, seed, points)
    shape = _shape_shocks(draws.shape, shape_deviation, rows.size)
    return tuple(_set(step, case, draws, rows, shape) for case in range(len(CASES)))


def joint_moves(step: Step, case: int, draws: Variates) -> tuple[Table, Table]:
    """Return log returns and volatility shocks of all the artefact's assets in one of `CASES`, each of shape (U, S)."""
    horizon, jumps, assets = step.horizon, step.jumps, step.deviation.size
    table = horizon.excursion_nano if step.excursion else horizon.end_nano
    value = joint_values(
        horizon.root_nano[case] / NANO, draws.normal, draws.mixing, horizon.score_nano / NANO, table / NANO
    )
    ordinary, jump = step.deviation[:, None] * value[:assets], np.array(jumps.loading)[:, None] * draws.jump
    moved = ordinary + jump
    if step.excursion:
        # of two against each other nobody knows which came first: neither takes anything off the larger one
        larger = np.where(np.abs(jump) > np.abs(ordinary), jump, ordinary)
        moved = np.where(ordinary * jump < 0.0, larger, moved)
    shock = value[assets:] + np.array(jumps.volatility_co_jump)[:, None] * draws.jump_size
    return moved, shock


def _horizon_of(calibration: Calibration, hours: int) -> HorizonDynamics:
    for horizon in calibration.joint.horizons:
        if horizon.hours == hours:
            return horizon
    known = ", ".join(str(horizon.hours) for horizon in calibration.joint.horizons)
    raise InvalidInput(f"the calibration holds joint dynamics over {known} h, not {hours} h")


def _deviations(calibration: Calibration, recent: Sequence[RecentPrices], hours: int) -> Table:
    """Root of the expected variance of every asset of the artefact; of those without recent prices, as they stood."""
    rule = rule_of(calibration.settings)
    given = {prices.symbol: prices for prices in recent}
    nothing = np.array([], dtype=np.int64)
    deviations = np.empty(len(calibration.symbols))
    for row, symbol in enumerate(calibration.symbols):
        prices = given.get(symbol, RecentPrices(symbol, nothing, nothing))
        last_hour = last_hour_of(calibration, prices)
        ahead, _ = season_roots(calibration.hour_factor_ppm[row], calibration.clock_hour, last_hour, hours)
        deviations[row] = np.sqrt(expected_variance(rule, memory_today(calibration, prices), ahead * ahead))
    return deviations


def _draws(step: Step, seed: int, points: int) -> Variates:
    """All scrambles' draws, one block after the other."""
    count = dimensions(step.deviation.size)
    blocks = [
        variates(scrambled_points(seed, scramble, count, points), step.horizon, step.jumps, INFLATION)
        for scramble in range(SCRAMBLES)
    ]
    return Variates(*(np.concatenate(parts, axis=-1) for parts in zip(*blocks, strict=True)))


def _shape_shocks(normal: Table, shape_deviation: Table | None, underlyings: int) -> Table:
    if shape_deviation is None:
        return np.empty((0, underlyings, 1, normal.shape[1]))
    if shape_deviation.shape != (SHAPE_FACTORS, underlyings):
        raise InvalidInput(f"shape_deviation of shape {shape_deviation.shape}, not {(SHAPE_FACTORS, underlyings)}")
    if not (np.all(np.isfinite(shape_deviation)) and np.all(shape_deviation >= 0.0)):
        raise InvalidInput("shape_deviation must be finite and at least 0")
    shocks: Table = shape_deviation[:, :, None, None] * normal[:, None, None, :]
    return shocks


def _set(step: Step, case: int, draws: Variates, rows: NDArray[np.int64], shape: Table) -> ScenarioSet:
    """One case's set: the rows of the market's underlyings, each scramble's block worst first."""
    moved, shock = joint_moves(step, case, draws)
    log_return, volatility_shock = moved[rows], shock[rows]
    points = draws.mixing.size // SCRAMBLES
    order = np.concatenate(
        [
            begin + severity_order(log_return[:, begin : begin + points], step.deviation[rows])
            for begin in range(0, draws.mixing.size, points)
        ]
    )
    return ScenarioSet(
        name=f"Monte Carlo {step.horizon.hours} h, {CASES[case]}{', worst point' if step.excursion else ''}",
        hours=np.array([step.horizon.hours], dtype=np.int64),
        log_return=np.ascontiguousarray(log_return[:, None, order]),
        volatility_shock=np.ascontiguousarray(volatility_shock[:, None, order]),
        weight=np.ones((rows.size, order.size)),
        label=tuple(f"scramble {at // points} point {at % points}" for at in order.tolist()),
        probability=np.ascontiguousarray(draws.probability[order]),
        scrambles=SCRAMBLES,
        shape_shock=np.ascontiguousarray(shape[..., order]),
    )
