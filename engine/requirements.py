"""From portfolios at two horizons to what an account is asked: collateral, the cap by ratios, what has no model.

asked(h) = min( portfolio(h) with collateral, sum of market ratios for linear books of cash )  + worst cases
MM       = asked(maintenance),   IM = max( asked(initial), MM (1 + d) )
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.addons import LiquidityCurve
from engine.book import Collateral
from engine.collateral import Pledge, Pledged, pledged_rows, with_collateral
from engine.evaluation import BOUND, COMPONENTS, FIGURES, AccountRequirements, Haircuts, MarketRatios
from engine.margin import Portfolio, portfolio, require_finite, sum_of_ratios
from engine.priced import PricedHorizon, Problem
from engine.rows import BookRows
from engine.unmodelled import WorstCases


def account_requirements(
    problem: Problem,
    rows: BookRows,
    initial: PricedHorizon,
    maintenance: PricedHorizon,
    curve: LiquidityCurve,
    markets: MarketRatios,
    haircuts: Haircuts,
    collateral: Collateral | None = None,
    worst: WorstCases | None = None,
) -> AccountRequirements:
    """Return the requirements of every account.

    Raises
    ------
    NonFiniteResult
        If a figure of an account is not finite; the message names it. No account is dropped.
    """
    pledged = None if collateral is None else pledged_rows(problem.instruments, rows, collateral)
    charge = np.zeros(rows.account_parts.size - 1) if worst is None else worst.charge

    def asked_at(priced: PricedHorizon, name: str, fee: float) -> tuple[NDArray[np.float64], Portfolio]:
        whole = portfolio(problem, rows, rows, priced, curve, fee)
        ratios = sum_of_ratios(problem, rows, markets, name)
        if pledged is not None:
            whole = with_collateral(problem, priced, curve, whole, Pledge.at(problem, pledged, haircuts, name), fee)
            ratios[:, pledged.holders] = np.inf
        return np.minimum(whole.required, ratios) + charge, whole

    least, _ = asked_at(maintenance, "maintenance", problem.model.liquidation_fee_fraction)
    start, whole = asked_at(initial, "initial", 0.0)
    asked = np.maximum(start, least * (1.0 + problem.model.initial_over_maintenance))
    binding = np.where(start[BOUND] < whole.required[BOUND] + charge, COMPONENTS.index("sum_of_ratios"), whole.binding)
    binding = np.where(asked[BOUND] > start[BOUND], COMPONENTS.index("maintenance"), binding)
    if worst is not None:
        binding = np.where(worst.holds, COMPONENTS.index("unmodelled"), binding)
    result = AccountRequirements(
        **{f"initial{suffix}": asked[figure] for figure, suffix in enumerate(FIGURES)},
        **{f"maintenance{suffix}": least[figure] for figure, suffix in enumerate(FIGURES)},
        stress_unweighted=whole.stress_unweighted,
        value=_value(problem, rows, initial, pledged, worst),
        binding=binding.astype(np.int8),
    )
    for name in ("initial", "maintenance", "initial_point", "value"):
        require_finite(np.isfinite(getattr(result, name)), name)
    return result


def _value(
    problem: Problem, rows: BookRows, priced: PricedHorizon, pledged: Pledged | None, worst: WorstCases | None
) -> NDArray[np.float64]:
    """Mark of positions, collateral, and what has no model, for each account."""
    value = rows.sum_parts(rows.sum_positions(priced.value))
    if pledged is not None:
        for tokens in (pledged.free, pledged.apart):
            value[pledged.holders] += tokens.sum_parts(tokens.sum_positions(priced.value))
    return value if worst is None else value + worst.value
