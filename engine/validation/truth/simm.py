"""Evaluation of published SIMM FX delta margins, by `rules.simm` with the parameters that the document states."""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.rules.simm import Parameters, fx_delta_margin_usd
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

MILLION = 1_000_000.0


def fx_delta(case: Case) -> Mapping[str, Tree]:
    """Evaluate the margin in USD of net sensitivities per 1 %."""
    parameters = _parameters(case.shared("parameters"))
    held = case.record("net_sensitivities_per_1pct")
    sensitivities = {name: held.number(name) for name in held.fields}
    margin = fx_delta_margin_usd(sensitivities, parameters)
    if "reproduced_here" in case:
        case.flag("reproduced_here")  # a remark of the file's author
    return {"expected_margin_usd": Computed(margin)}


def _parameters(table: Case) -> Parameters:
    currency = re.fullmatch(r"([A-Z]{3}) \(regular\)", table.word("calc_ccy"))
    if currency is None:
        raise NotUnderstood("the calculation currency is not one of regular volatility")
    correlation, threshold = table.record("corr"), table.record("threshold_mm")
    return Parameters(
        calculation_currency=currency[1],
        high_volatility=frozenset(table.words("high_vol")),
        regular_weight=table.number("rw_regular"),
        high_weight=table.number("rw_high"),
        regular_correlation=correlation.number("RR"),
        mixed_correlation=correlation.number("RH"),
        high_correlation=correlation.number("HH"),
        significant_threshold_usd=threshold.number("cat1") * MILLION,
        frequent_threshold_usd=threshold.number("cat2") * MILLION,
        other_threshold_usd=threshold.number("cat3") * MILLION,
    )
