"""Evaluations of published order-statistic bounds, quantile estimates and the sampling error of ES."""

from __future__ import annotations

import math
import re

import numpy as np

from engine.validation import order_statistics
from engine.validation.truth.case import Case, Computed, NotUnderstood
from engine.validation.truth.risk_measures import named_tail

SAMPLING_DEVIATIONS = 4.0
"""How far, in binomial standard errors, a coverage that the source simulated may lie from the exact one."""


def quantile_confidence(case: Case) -> dict[str, Computed]:
    """Evaluate by what the case holds: a Wilks size, data for Harrell-Davis, a distribution, or a rank."""
    if "order_from_top" in case:
        return _wilks(case)
    if "data" in case:
        return {"expected": Computed(order_statistics.harrell_davis(_data(case), case.number("quantile")))}
    if "distribution" in case:
        return _shortfall_sampling(case)
    return _rank(case)


def _wilks(case: Case) -> dict[str, Computed]:
    size = order_statistics.wilks_sample_size(
        case.number("quantile"), case.number("confidence"), case.integer("order_from_top")
    )
    return {"expected_min_n": Computed(size)}


def _rank(case: Case) -> dict[str, Computed]:
    count, quantile = case.integer("n"), case.number("quantile")
    rank = order_statistics.upper_bound_rank(count, quantile, case.number("confidence"))
    return {
        "expected_rank_ascending": Computed(rank),
        "point_rank": Computed(order_statistics.point_rank(count, quantile)),
        "achieved": Computed(order_statistics.rank_coverage(count, quantile, rank or count)),
        "feasible": Computed(rank is not None),
    }


def _data(case: Case) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers, or the formula "i^POWER for i=FIRST..LAST"."""
    if not case.comment("data").startswith("i"):
        return np.array(case.numbers("data"))
    formula = case.word("data")
    match = re.fullmatch(r"i\^([0-9.]+) for i=(\d+)\.\.(\d+)", formula)
    if match is None:
        raise NotUnderstood(f"data {formula!r} is not of the known form")
    return np.arange(int(match[2]), int(match[3]) + 1, dtype=np.float64) ** float(match[1])


def _shortfall_sampling(case: Case) -> dict[str, Computed]:
    """The standard error of an empirical ES, and the coverage of the order-statistic bound of VaR."""
    level, count = case.number("level"), case.integer("n")
    measures, _ = named_tail(case.word("distribution"), level)
    computed = {
        "true_var": Computed(measures.value_at_risk),
        "true_es": Computed(measures.expected_shortfall),
        "expected_sd_of_es_estimator": Computed(measures.shortfall_standard_error(level, count)),
    }
    repetitions = re.search(r"([\d,]+) repetitions", case.comment("source"))
    if "nominal" in case and repetitions:
        rank = order_statistics.upper_bound_rank(count, level, case.number("nominal"))
        exact = order_statistics.rank_coverage(count, level, rank or count)
        spread = math.sqrt(exact * (1.0 - exact) / int(repetitions[1].replace(",", "")))
        computed["coverage_of_order_stat_var_upper_bound"] = Computed(exact, SAMPLING_DEVIATIONS * spread)
    return computed
