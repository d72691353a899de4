"""Evaluations of published grids and parameters of other venues: ours must hold the same scenarios and numbers.

The id of a case names the venue and the version of its rules; there is nothing else in it to tell them by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from engine.rules import aevo, deribit_2019, okx, span
from engine.scenarios.matrix import paradex_matrix
from engine.validation.truth.case import Case, Computed, Sentence, Tree

ROUNDING = 1e-12
"""Absolute: moves are stored as logarithms."""

SHOCKED_VOLATILITY = "IV*(1+vol*(30/max({},dte))^p), p={} if dte<30 else {}"
PARADEX_MAINTENANCE_SHARE = 0.5


def venue_case(case: Case) -> Mapping[str, Tree]:
    """Evaluate the grid or the parameters that the case's id names."""
    case.word("kind", "scenario_grid", "parameters")
    venues = {
        "paradex_scan_grid": _paradex,
        "aevo_15": _aevo,
        "okx_params_2025_01": _okx,
        "span_16": _span,
        "okx_deribit_contingency_2019": _deribit_2019,
    }
    return venues[case.word("id", *venues)](case)


def _paradex(case: Case) -> dict[str, Tree]:
    case.word("im", "max(SCAN risk, min delta requirement)+fees")
    matrix = paradex_matrix(["BTC"])
    cells = matrix.scenarios
    spot, volatility = (np.expm1(moves[0, 0]) for moves in (cells.log_return, cells.volatility_shock))
    scenarios: list[Tree] = [
        {"spot": _near(move), "vol": _near(shock), "weight": _near(share)}
        for move, shock, share in zip(spot.tolist(), volatility.tolist(), cells.weight[0].tolist(), strict=True)
    ]
    tenor = (matrix.least_days, matrix.power_short, matrix.power_long)
    return {
        "scenarios": scenarios,
        "iv_rule": Sentence(SHOCKED_VOLATILITY, tenor),
        "mm": Sentence("{}% of net portfolio IM + fees", (100.0 * PARADEX_MAINTENANCE_SHARE,)),
    }


def _aevo(_: Case) -> dict[str, Tree]:
    return {
        "spot_moves": _list(aevo.SPOT_MOVES),
        "iv_additive_shift": _list(aevo.VOLATILITY_SHIFTS),
        "count": Computed(len(aevo.SCENARIOS)),
    }


def _okx(_: Case) -> dict[str, Tree]:
    return {
        "mr1_spot_shock": {group: _list(moves) for group, moves in okx.SPOT_SHOCKS.items()},
        "mr6_extreme": {group: Computed(move) for group, move in okx.EXTREME_MOVES.items()},
        "mr4_annualised_basis_move": {group: Computed(move) for group, move in okx.ANNUAL_BASIS_MOVES.items()},
        "mr7_min_charge_multiplier_tiers_usd": [
            [Computed(tier.from_usd), Computed(tier.below_usd), Computed(tier.multiplier)]
            for tier in okx.MINIMUM_CHARGE_TIERS
        ],
    }


def _span(_: Case) -> dict[str, Tree]:
    columns = ["price move in scan ranges", "vol move in scan ranges", "fraction of loss"]
    return {
        "columns": [Computed(name) for name in columns],
        "scenarios": [[_near(point.price), _near(point.volatility), _near(point.share)] for point in span.SCAN_POINTS],
    }


def _deribit_2019(_: Case) -> dict[str, Tree]:
    template = (
        "older Deribit rule set kept for regression of a parametric matrix: +-{}% price, sqrt(30/dte)*{}% vol, "
        "{}% option and {}% offsetting-futures contingency, {}% for offsetting vega across expiries"
    )
    shares = (
        deribit_2019.PRICE_RANGE,
        deribit_2019.largest_volatility_move(30.0),
        deribit_2019.OPTION_CONTINGENCY,
        deribit_2019.OFFSETTING_FUTURES_CONTINGENCY,
        deribit_2019.OFFSETTING_VEGA_CONTINGENCY,
    )
    return {"note": Sentence(template, tuple(100.0 * share for share in shares))}


def _list(values: Iterable[float]) -> list[Tree]:
    return [Computed(value) for value in values]


def _near(value: float) -> Computed:
    return Computed(value, ROUNDING)
