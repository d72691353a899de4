"""One account scenario by scenario: which ones make its tail, what each leg loses in them, and the worst of all sets.

The tables of all accounts keep no single scenario; here those of one account's instruments are opened again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.configuration import EXPECTED_SHORTFALL, ModelConfiguration
from engine.errors import InvalidInput
from engine.kernels.profit import ProfitTable
from engine.priced import PricedHorizon, Problem, SampledTable
from engine.rows import BookRows
from engine.scenarios.scenario_set import ScenarioSet
from engine.sums import segment_sums

Vector = NDArray[np.float64]

WORST = 10
WORST_OF_A_FAMILY = 4
"""History, Monte Carlo, stress: so that no family of sets crowds out the others."""
MASS_SLACK = 1e-9
"""As in `engine.kernels.tail`."""


@dataclass(frozen=True, slots=True)
class ScenarioLoss:
    """What an account loses in one scenario.

    Attributes
    ----------
    component : str
        The set it is of, an entry of `COMPONENTS`.
    label : str
        The scenario's own: a name, or the hour at which its block of history begins.
    number : int
        Its place in its set.
    hour : int
        Hours from now at which the loss is counted; 0 when the move is instant.
    log_return, volatility_shock : tuple of float
        Moves of each underlying of the market until then: spot, and thirty-day volatility; logs.
    loss_usd, counted_usd : float
        The whole loss, and the part that counts by the weights of a stress; equal for what was drawn.
    probability : float
        Of the scenario within its set; 0 for a stress, which has none.
    """

    component: str
    label: str
    number: int
    hour: int
    log_return: tuple[float, ...]
    volatility_shock: tuple[float, ...]
    loss_usd: float
    counted_usd: float
    probability: float


@dataclass(frozen=True, slots=True)
class TailShares:
    """A loss in USD, and the part of each position in it, shape (positions,), which add up to the loss."""

    loss_usd: float
    of_position: Vector


@dataclass(frozen=True, slots=True)
class _Profits:
    """Profits of an account's positions in each scenario, shape (positions, S), and the step that counts in each."""

    of_position: Vector
    total: Vector
    step: NDArray[np.int64]


def tail_shares(problem: Problem, priced: PricedHorizon, rows: BookRows, component: str) -> TailShares:
    """Return the Euler shares of an account's positions in the loss of the set or list that binds.

    Parameters
    ----------
    problem : Problem
    priced : PricedHorizon
    rows : BookRows
        Of one account.
    component : str
        The name of a drawn set, "stress", or "none" for an account without positions.

    Returns
    -------
    TailShares
        For a drawn set the mean loss over the scenarios of its tail, the one on the boundary counted in part, averaged
        over the set's replications; for the stress list the weighted loss in its worst scenario. The loss is negative
        where even the tail is a gain.

    Notes
    -----
    The share of position i in ES(sum) is E[loss_i | the sum is in its tail]: D. Tasche (1999), Risk contributions and
    performance measurement, section 4. With maintenance each scenario counts at the step at which the sum is worst.
    """
    if component == "none":
        return TailShares(0.0, np.zeros(rows.instrument.size))
    if component == "stress":
        return _stress_shares(priced, rows)
    found = [sampled for sampled in priced.sampled if sampled.component == component]
    if not found:
        raise InvalidInput(f"no set is called {component}: there are {[s.component for s in priced.sampled]}")
    return _drawn_shares(found[0], rows, problem.model)


def worst_scenarios(problem: Problem, priced: PricedHorizon, rows: BookRows) -> tuple[ScenarioLoss, ...]:
    """Return the scenarios in which one account loses most, by what counts, at most `WORST`.

    At most `WORST_OF_A_FAMILY` of one family; of blocks of history that overlap, and of one draw in several sets, the
    worst; none without a loss. Draws of unequal probability are chosen by what they add to the measure: the very worst
    of them may be one of a billion.
    """
    if not rows.instrument.size:
        return ()
    drawn = len(priced.sampled)
    found: list[ScenarioLoss] = []
    for sampled, scenarios in zip(priced.sampled, priced.sets[:drawn], strict=True):
        found += _worst_drawn(sampled, scenarios, rows, problem.model)
    for number, scenarios in enumerate(priced.sets[drawn:]):
        found += _worst_stress(priced.stress[number], priced.stress_weighted[number], scenarios, rows)
    chosen: list[ScenarioLoss] = []
    for one in sorted(found, key=lambda one: -one.counted_usd):
        crowded = sum(_family(one) == _family(other) for other in chosen) >= WORST_OF_A_FAMILY
        if not crowded and not any(_one_event(one, other, priced.hours) for other in chosen):
            chosen.append(one)
    return tuple(chosen[:WORST])


def _drawn_shares(sampled: SampledTable, rows: BookRows, model: ModelConfiguration) -> TailShares:
    count = len(sampled.replicates)
    loss, share = 0.0, np.zeros(rows.instrument.size)
    for table, probability in zip(sampled.replicates, sampled.probability, strict=True):
        profits = _profits(table, rows)
        weight = _tail_weight(profits.total, probability, model)
        tail = np.flatnonzero(weight)
        loss -= _added(weight[tail] * profits.total[tail]) / count
        for position in range(share.size):
            share[position] -= _added(weight[tail] * profits.of_position[position, tail]) / count
    return TailShares(loss, share)


def _tail_weight(profit: Vector, probability: Vector | None, model: ModelConfiguration) -> Vector:
    """Weight of each scenario in the measure, shape (S,), adding up to 1; see `engine.kernels.tail` for the rule."""
    each = np.ones(profit.size) if probability is None else probability
    order = np.argsort(profit, kind="stable")
    reached = np.cumsum(each[order])
    mass = (1.0 - model.es_level) * float(reached[-1])
    weight = np.zeros(profit.size)
    if model.measure != EXPECTED_SHORTFALL:
        weight[order[int(np.searchsorted(reached, mass * (1.0 - MASS_SLACK)))]] = 1.0
        return weight
    weight[order] = np.clip(mass - (reached - each[order]), 0.0, each[order]) / mass
    return weight


def _stress_shares(priced: PricedHorizon, rows: BookRows) -> TailShares:
    worst = TailShares(-np.inf, np.zeros(rows.instrument.size))
    for table in priced.stress_weighted:
        profits = _profits(table, rows)
        at = int(np.argmin(profits.total))
        if -profits.total[at] > worst.loss_usd:
            worst = TailShares(float(-profits.total[at]), -profits.of_position[:, at])
    return worst


def _worst_drawn(
    sampled: SampledTable, scenarios: ScenarioSet, rows: BookRows, model: ModelConfiguration
) -> list[ScenarioLoss]:
    profits = [_profits(table, rows) for table in sampled.replicates]
    total = np.concatenate([one.total for one in profits])
    step = np.concatenate([one.step for one in profits])
    points = scenarios.hours.size
    # a table has every point of the path, or its end alone
    point = step + points - sampled.replicates[0].tiles.shape[1]
    each = np.ones(total.size) if scenarios.probability is None else scenarios.probability
    mass = float(np.cumsum(each)[-1])
    counts = np.ones(total.size)
    if scenarios.probability is not None:
        replicates = zip(profits, sampled.probability, strict=True)
        counts = np.concatenate([_tail_weight(one.total, probability, model) for one, probability in replicates])
    chosen: list[ScenarioLoss] = []
    for at in _descending(-total * counts):
        one = _scenario(sampled.component, scenarios, at, int(point[at]), -total[at], -total[at], each[at] / mass)
        if not any(_one_event(one, other, int(scenarios.hours[-1])) for other in chosen):
            chosen.append(one)
        if len(chosen) == WORST_OF_A_FAMILY:
            break
    return chosen


def _worst_stress(
    table: ProfitTable, weighted: ProfitTable, scenarios: ScenarioSet, rows: BookRows
) -> list[ScenarioLoss]:
    plain, counted = _profits(table, rows), _profits(weighted, rows)
    return [
        _scenario("stress", scenarios, at, 0, -plain.total[at], -counted.total[at], 0.0)
        for at in list(_descending(-counted.total))[:WORST_OF_A_FAMILY]
    ]


def _descending(loss: Vector) -> Iterator[int]:
    """Scenarios that lose, the largest loss first, ties in their order."""
    return (int(at) for at in np.argsort(-loss, kind="stable") if loss[at] > 0.0)


def _scenario(
    component: str, scenarios: ScenarioSet, at: int, point: int, loss: float, counted: float, probability: float
) -> ScenarioLoss:
    return ScenarioLoss(
        component=component,
        label=scenarios.label[at],
        number=at,
        hour=int(scenarios.hours[point]),
        log_return=tuple(scenarios.log_return[:, point, at].tolist()),
        volatility_shock=tuple(scenarios.volatility_shock[:, point, at].tolist()),
        loss_usd=float(loss),
        counted_usd=float(counted),
        probability=float(probability),
    )


def _family(one: ScenarioLoss) -> str:
    return next((name for name in ("historical", "monte_carlo") if one.component.startswith(name)), one.component)


def _one_event(one: ScenarioLoss, other: ScenarioLoss, hours: int) -> bool:
    """Whether two are one: blocks that share an hour, or the same draw; as they are, stretched or otherwise joined."""
    if _family(one) != _family(other):
        return False
    if _family(one) == "historical":
        return abs(int(one.label) - int(other.label)) < hours
    return one.label == other.label


def _profits(table: ProfitTable, rows: BookRows) -> _Profits:
    """Open the table for the account's instruments; of several steps, the one at which the account is worst."""
    tiles = table.tiles[:, :, rows.instrument]
    each = ProfitTable(tiles, table.scenario_count, table.largest, table.value).dense()
    each *= rows.quantity[:, None, None]
    total = np.zeros((each.shape[1], each.shape[2]))
    for position in each:
        total += position
    step = np.argmin(total, axis=0)
    every = np.arange(total.shape[1])
    return _Profits(each[:, step, every], total[step, every], step)


def _added(value: Vector) -> float:
    return float(segment_sums(np.array([0, value.size], dtype=np.int64), value)[0])
