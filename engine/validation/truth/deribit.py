"""Evaluations of Deribit's published portfolio margins, risk vectors and parameters, by `rules.deribit`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.rules import deribit
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree


def deribit_case(case: Case) -> Mapping[str, Tree]:
    """Evaluate by the case's `kind`."""
    kinds = {"risk_vector": _risk_vector, "margin": _margin, "parameters": _parameters, "formula": _tenor_rule}
    return kinds[case.word("kind", *kinds)](case)


def _risk_vector(case: Case) -> dict[str, Tree]:
    case.word("contract", "inverse perpetual", "inverse future")
    position = case.number("position_coin")
    moves = deribit.price_moves(case.number("price_range"))
    return {
        "moves": [Computed(move) for move in moves],
        "expected_pnl_coin": [Computed(deribit.inverse_profit_coin(position, move)) for move in moves],
    }


def _margin(case: Case) -> dict[str, Tree]:
    """The positions' expiries are not stated; they matter only where the roll shock exceeds its floor."""
    held = case.record("positions_coin")
    positions = [held.number(name) for name in held.fields]
    parameters = deribit.Parameters(
        price_range=case.number("price_range"),
        profit_offset=case.number("pnl_offset"),
        least_annual_move=case.number("min_annualised_move"),
        annual_move_risk=case.number("annualised_move_risk"),
        maintenance_factor=case.number("mm_factor"),
    )
    found = deribit.futures_margin(positions, [0.0] * len(positions), parameters)
    expected: dict[str, Tree] = {
        "aggregated_vector": [Computed(profit) for profit in found.aggregated_coin],
        "worst_case": Computed(found.worst_case_coin),
        "worst_bucket": Computed(found.worst_bucket),
        "delta_shock": Computed(0.0),
        "roll_shock": Computed(found.roll_shock_coin),
        "risk_matrix_margin": Computed(found.initial_coin),
        "risk_matrix_mm": Computed(found.maintenance_coin),
        "initial_margin": Computed(found.initial_coin),
        "maintenance_margin": Computed(found.maintenance_coin),
    }
    return {"expected": expected}


def _parameters(case: Case) -> dict[str, Tree]:
    """The id names the coin and the year whose parameters ours must equal."""
    match = re.fullmatch(r"deribit_params_([a-z]+)_(\d{4})", case.name)
    table = deribit.PUBLISHED_PARAMETERS.get((match[1], int(match[2]))) if match else None
    if table is None:
        raise NotUnderstood(f"no parameters for {case.name}")
    return {"params": {name: Computed(value) for name, value in table.items()}}


def _tenor_rule(case: Case) -> dict[str, Tree]:
    worked: list[Tree] = []
    for row in case.records("worked"):
        shock = deribit.volatility_shock(row.number("range_up"), row.number("dte"), row.number("power"))
        worked.append({"expected_multiplier_minus_1": Computed(shock)})
    return {"worked": worked}
