"""Evaluations of published VaR, ES, delta-gamma, tail-dependence and lognormal figures by `closed_forms`."""

from __future__ import annotations

import re

import numpy as np

from engine.validation.closed_forms import tails
from engine.validation.truth.case import Case, Computed, NotUnderstood

_NUMBER = r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"


def risk_measure(case: Case) -> dict[str, Computed]:
    """Evaluate by the case's `kind`: a distribution's VaR and ES when it has none."""
    if "kind" not in case:
        return _distribution(case)
    kind = case.word("kind", "delta_gamma", "cornish_fisher", "tail_dependence")
    if kind == "delta_gamma":
        return _delta_gamma(case)
    if kind == "cornish_fisher":
        return _cornish_fisher(case)
    return {"expected": Computed(tails.t_copula_tail_dependence(case.number("nu"), case.number("rho")))}


def lognormal(case: Case) -> dict[str, Computed]:
    """Evaluate VaR and ES of a lognormal price, or the risk factors of a forward when a horizon is given."""
    mu, sigma, tail = case.number("mu"), case.number("sigma"), case.number("tail")
    if "tau_years" in case:
        long, short = tails.forward_risk_factors(mu, sigma, tail, case.number("tau_years"))
        return {"expected_long": Computed(long), "expected_short": Computed(short)}
    measures = tails.lognormal_tail(mu, sigma, tail)
    if case.word("position", "long", "short") == "long":
        pair = measures.long_value_at_risk, measures.long_expected_shortfall
    else:
        pair = measures.short_value_at_risk, measures.short_expected_shortfall
    return {"expected_var": Computed(pair[0]), "expected_es": Computed(pair[1])}


def named_tail(name: str, level: float, degrees: float | None = None) -> tuple[tails.TailMeasures, float | None]:
    """Return the standard tail of a distribution named "normal", "tN" or "standard t (unscaled)", and its degrees.

    Raises `NotUnderstood` for any other name.
    """
    if name in ("normal", "standard normal"):
        return tails.normal_tail(level), None
    if match := re.fullmatch(r"t(\d+(?:\.\d+)?)", name):
        degrees = float(match[1])
    elif name != "standard t (unscaled)" or degrees is None:
        raise NotUnderstood(f"distribution {name!r} is not known")
    return tails.student_tail(level, degrees), degrees


def _distribution(case: Case) -> dict[str, Computed]:
    """A loss of mean 0: standard when no `sd` is given, else scaled so that `sd` is its standard deviation."""
    degrees = case.number("nu") if "nu" in case else None
    measures, degrees = named_tail(case.word("distribution"), case.number("level"), degrees)
    if "sd" in case:
        deviation = case.number("sd")
        measures = measures.scaled(deviation if degrees is None else tails.student_scale(deviation, degrees))
    both = {"var": measures.value_at_risk, "es": measures.expected_shortfall}
    if "measure" in case:
        return {"expected": Computed(both[case.word("measure", *both)])}
    return {f"expected_{name}": Computed(value) for name, value in both.items()}


def _delta_gamma(case: Case) -> dict[str, Computed]:
    """A quantile of the profit of one factor; the file gives the profit as a formula with named numbers."""
    delta, gamma, variance = _one_factor(case.word("pnl")) if "pnl" in case else _one_factor_fields(case)
    level = case.number("level")
    method = case.word("method", "exact", "cornish_fisher", "normal") if "method" in case else "exact"
    if method == "exact":
        return {"expected_var": Computed(tails.delta_gamma_quantile(level, delta, gamma, variance))}
    mean, spread, skewness, kurtosis = tails.delta_gamma_moments(
        np.array([delta]), np.array([[gamma]]), np.array([[variance]])
    )
    if method == "normal":
        skewness = kurtosis = 0.0
    return {"expected_var": Computed(tails.cornish_fisher_quantile(level, mean, spread, skewness, kurtosis))}


def _one_factor_fields(case: Case) -> tuple[float, float, float]:
    variance = case.number("sd") ** 2 if "sd" in case else case.number("variance")
    return case.number_or("delta", 0.0), case.number_or("gamma", 0.0), variance


def _one_factor(formula: str) -> tuple[float, float, float]:
    """Return delta, gamma and the variance of u from "[delta*u + ]0.5*gamma*u^2 ... gamma=G ... u~N(0,V)"."""
    text = formula.replace(" ", "")
    head = re.match(r"(delta\*u\+)?0\.5\*gamma\*u\^2(?=,|with|$)", text)
    named = {name: float(value) for name, value in re.findall(rf"(delta|gamma|var\(u\))=({_NUMBER})", text)}
    if standard := re.search(rf"u~N\(0,({_NUMBER})\)", text):
        named["var(u)"] = float(standard[1])
    wanted = {"gamma", "var(u)"} | ({"delta"} if head and head[1] else set())
    if head is None or set(named) != wanted:
        raise NotUnderstood(f"profit {formula!r} is not of the known form")
    return named.get("delta", 0.0), named["gamma"], named["var(u)"]


def _cornish_fisher(case: Case) -> dict[str, Computed]:
    deviation = case.number_or("sd", 1.0)
    quantile = tails.cornish_fisher_quantile(
        case.number("level"),
        case.number_or("mean", 0.0),
        deviation**2,
        case.number("skewness"),
        case.number("excess_kurtosis"),
    )
    return {"expected": Computed(quantile), "expected_var": Computed(quantile)}
