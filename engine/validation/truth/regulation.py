"""Evaluations of published regulatory minimums, facts of clearing houses and small worked examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.rules import regulation
from engine.rules.regulation import Fact
from engine.validation import worked_measures
from engine.validation.truth.case import Case, Computed, NotUnderstood, Sentence, Tree


def regulatory_case(case: Case) -> Mapping[str, Tree]:
    """Evaluate by the case's `kind`."""
    kinds = {
        "rule": _facts,
        "apc": _procyclicality,
        "method": _lch,
        "worked": _worked,
        "formula": _span2,
        "property": _impact,
    }
    return kinds[case.word("kind", *kinds)](case)


def _facts(case: Case) -> dict[str, Tree]:
    """The id names the rule; what it says in words is not compared."""
    if case.name not in regulation.FACTS:
        raise NotUnderstood(f"no rule {case.name}")
    for remark in ("requirement", "quantile"):
        if remark in case:
            case.word(remark)
    return {name: _tree(fact) for name, fact in regulation.FACTS[case.name].items()}


def _tree(fact: Fact) -> Tree:
    if isinstance(fact, Mapping):
        return {name: _tree(part) for name, part in fact.items()}
    return [_tree(part) for part in fact] if isinstance(fact, tuple) else Computed(fact)


def _procyclicality(case: Case) -> dict[str, Tree]:
    option = case.word("option", "a", "b", "c")
    if option == "a":
        return _buffer(case)
    if option == "b":
        margin = regulation.stress_weighted_margin(
            case.number("unstressed_margin"), case.number("stressed_margin"), case.number("min_stress_weight")
        )
        return {"expected_min_margin": Computed(margin)}
    margin = regulation.floored_margin(case.number("calculated_margin"), case.number("ten_year_vol_margin"))
    return {"expected_margin": Computed(margin)}


def _buffer(case: Case) -> dict[str, Tree]:
    """While the buffer may be released, the margin lies between the calculated one and the buffered one."""
    share = case.number("min_buffer_share")
    path: list[Tree] = []
    for row in case.records("worked_path") if "worked_path" in case else []:
        calculated = row.number("calculated")
        buffered = regulation.buffered_margin(calculated, share)
        if "buffer_open" in row:
            path.append({"expected": Computed(buffered if row.flag("buffer_open") else calculated)})
        else:
            path.append({"expected_range": [Computed(calculated), Computed(buffered)]})
    calm = regulation.buffered_margin(case.number("calculated_margin"), share)
    return {"expected_calm_margin": Computed(calm), "worked_path": path}


def _lch(case: Case) -> dict[str, Tree]:
    case.word("before", "worst loss of 1250 scenarios")
    case.word("after", "average of the six worst of 2,500 scenarios (10y, absolute shocks)")
    return {
        "implied_level": Computed(1.0 - regulation.LCH_TAIL_SCENARIOS / regulation.LCH_SCENARIOS),
        "ewma_lambda_legacy": Computed(regulation.LCH_LEGACY_DECAY),
    }


def _span2(_: Case) -> dict[str, Tree]:
    template = (
        "x*HVaR + (1-x)*Stress + Liquidity + Concentration; HVaR lookback >= {} years with volatility and correlation "
        "scaling; implied-vol surface including skew as risk factors"
    )
    return {"formula": Sentence(template, (regulation.SPAN2_LEAST_LOOKBACK_YEARS,))}


def _worked(case: Case) -> dict[str, Tree]:
    if "scenario_losses_desc" in case:
        mean = worked_measures.mean_of_worst(case.numbers("scenario_losses_desc"), case.integer("tail_count"))
        return {"expected": Computed(mean)}
    if "lam" in case:
        variances = worked_measures.ewma_variances(case.number("var0"), case.numbers("returns"), case.number("lam"))
        return {"expected_var": [Computed(variance) for variance in variances]}
    if "bid" in case:
        position = case.number("position")
        plain = abs(position) * case.number("daily_vol") * case.number("z")
        cost = worked_measures.half_spread_cost(position, case.number("bid"), case.number("ask"))
        return {"expected_var": Computed(plain), "expected_lvar": Computed(plain + cost)}
    weights, deviations = np.array(case.numbers("weights")), np.array(case.numbers("vols_daily"))
    if len(weights) != 2 or len(deviations) != 2:
        raise NotUnderstood("one correlation belongs to two assets")
    rho = case.number("rho")
    covariance = np.array([[1.0, rho], [rho, 1.0]]) * np.outer(deviations, deviations)
    return {"expected": Computed(worked_measures.normal_value_at_risk(weights, covariance, case.number("z")))}


def _impact(case: Case) -> dict[str, Tree]:
    worked: list[Tree] = []
    for row in case.records("worked"):
        impact = worked_measures.square_root_impact(row.number("Y"), row.number("sigma"), row.number("Q_over_V"))
        worked.append({"expected": Computed(impact)})
    return {"worked": worked}
