"""Evaluations of published backtest statistics, zones and critical values, by `validation.backtests`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from engine.validation import backtests
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree

SAMPLING_DEVIATIONS = 3.0
"""How far, in standard errors, a simulated probability may be from a level that it is compared with."""
MEAN_TOLERANCE = 1e-4
"""What the grid of the compound distribution leaves of a mean of zero."""


def backtest_case(case: Case) -> Mapping[str, Tree]:
    """Evaluate by the inputs that a case has."""
    kinds = {
        "exceptions": _basel,
        "overlap_days": _overlapping,
        "n00": _christoffersen,
        "df": _critical_value,
        "alpha": _acerbi_szekely,
        "p": _kupiec_region,
    }
    found = next((name for name in kinds if name in case), None)
    if found is None:
        raise NotUnderstood(f"none of {', '.join(kinds)} is given")
    return kinds[found](case)


def _basel(case: Case) -> dict[str, Tree]:
    observations, probability, exceptions = case.integer("n"), case.number("p"), case.integer("exceptions")
    cumulative, zone = backtests.basel_zone(observations, probability, exceptions)
    computed: dict[str, Tree] = {"expected_cumulative": Computed(cumulative), "zone": Computed(zone.value)}
    if (observations, probability) == (backtests.BASEL_OBSERVATIONS, backtests.BASEL_PROBABILITY):
        computed["plus_factor"] = Computed(backtests.basel_plus_factor(exceptions), 0.0)
    return computed


def _overlapping(case: Case) -> dict[str, Tree]:
    levels = case.numbers("stoplight_probabilities")
    if len(levels) != 2:
        raise NotUnderstood(f"{len(levels)} stop light probabilities, 2 are needed")
    observations, days = case.integer("observations"), case.integer("overlap_days")
    cumulative = backtests.overlapping_counts(observations, days, 1.0 - case.number("level"))
    green, amber = (_bound(cumulative, level) for level in levels)
    return {"expected_max_green": green, "expected_max_amber": amber}


def _bound(cumulative: np.ndarray[tuple[int], np.dtype[np.float64]], level: float) -> Computed:
    """Our bound of a zone, with the others that a simulation of this size cannot tell from it."""
    error = SAMPLING_DEVIATIONS * math.sqrt(level * (1.0 - level) / backtests.OVERLAP_PATHS)
    low, high = (backtests.largest_count_below(cumulative, level + sign * error) for sign in (-1.0, 1.0))
    return Computed(backtests.largest_count_below(cumulative, level), 0.0, tuple(range(low, high + 1)))


def _christoffersen(case: Case) -> dict[str, Tree]:
    names = ("n00", "n01", "n10", "n11")
    coverage = backtests.kupiec(case.integer("n"), case.integer("failures"), case.number("p"))
    independence = backtests.christoffersen_independence(
        backtests.TransitionCounts(*(case.integer(name) for name in names))
    )
    tests = {"pof": coverage, "cci": independence, "cc": backtests.conditional_coverage(coverage, independence)}
    statistics = {f"LR_{name}": Computed(test.statistic) for name, test in tests.items()}
    return {"expected": statistics | {f"p_{name}": Computed(test.p_value) for name, test in tests.items()}}


def _critical_value(case: Case) -> dict[str, Tree]:
    return {"expected": Computed(backtests.chi2_quantile(case.number("df"), case.number("level")))}


def _kupiec_region(case: Case) -> dict[str, Tree]:
    """The region in words is the textbook's; where the case says that it is not what the test gives, it is a remark."""
    least, largest = backtests.kupiec_acceptance(case.integer("n"), case.number("p"))
    computed: dict[str, Tree] = {
        "expected_min_accept": Computed(least, 0.0),
        "expected_max_accept": Computed(largest, 0.0),
    }
    if "matches_textbook" in case and not case.flag("matches_textbook"):
        case.word("expected_region")
    else:
        lower = f"{least - 1}<" if least > 1 else ""
        computed["expected_region"] = Computed(f"{lower}N<{largest + 1}")
    return computed


def _acerbi_szekely(case: Case) -> dict[str, Tree]:
    degrees = None if case.is_null("nu") else case.number("nu")
    observations, probability = case.integer("T"), case.number("alpha")
    statistic, cumulative = backtests.acerbi_szekely_distribution(observations, probability, degrees)

    def critical(tail: float) -> Computed:
        return Computed(float(np.interp(tail, cumulative, statistic)))

    mean = float(np.sum(statistic * np.diff(cumulative, prepend=0.0)))
    if "literature_5pct" in case and not case.is_null("literature_5pct"):
        case.number("literature_5pct")  # rounded; the case's own figure is compared
    return {
        "expected_z2_crit_5pct": critical(0.05),
        "expected_z2_crit_0_01pct": critical(0.0001),
        "mean_under_h0": Computed(mean, MEAN_TOLERANCE),
    }
