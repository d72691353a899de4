"""Backtests of VaR and ES: zones, coverage and independence of exceptions, overlapping windows, Acerbi-Szekely.

An exception is a loss beyond its VaR. Levels of VaR are given as the probability of an exception, such as 0.01.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import binom, chi2, norm
from scipy.stats import t as student

from engine.errors import InvalidInput
from engine.validation.closed_forms.tails import normal_tail, student_tail

GREEN_BELOW, RED_FROM = 0.95, 0.9999
"""Cumulative probabilities between which the Basel Committee's yellow zone lies."""

BASEL_OBSERVATIONS, BASEL_PROBABILITY = 250, 0.01
PLUS_FACTORS = (0.0, 0.0, 0.0, 0.0, 0.0, 0.40, 0.50, 0.65, 0.75, 0.85, 1.0)
"""By exceptions among 250 at 1 %, from ten on the last: bcbs22 (January 1996), table 2."""

OVERLAP_PATHS = 200_000
_PATHS_AT_ONCE = 10_000
_GRID_PER_SHORTFALL = 400
_GRID_POINTS = 1 << 17


class Zone(Enum):
    """Traffic lights of bcbs22."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A test statistic and the probability of a larger one under the hypothesis."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class TransitionCounts:
    """How often a day without (0) or with (1) an exception was followed by one without or with."""

    none_to_none: int
    none_to_one: int
    one_to_none: int
    one_to_one: int

    def __post_init__(self) -> None:
        if min(self.none_to_none, self.none_to_one, self.one_to_none, self.one_to_one) < 0:
            raise InvalidInput(f"{self} has a negative count")


def basel_zone(observations: int, probability: float, exceptions: int) -> tuple[float, Zone]:
    """Return the probability of so many exceptions or fewer, and the zone that it puts them in."""
    _require(observations, probability, exceptions)
    cumulative = float(binom.cdf(exceptions, observations, probability))
    if cumulative < GREEN_BELOW:
        return cumulative, Zone.GREEN
    return cumulative, Zone.RED if cumulative >= RED_FROM else Zone.YELLOW


def largest_green_count(observations: int, probability: float) -> int:
    """Return the largest number of exceptions that `basel_zone` calls green, -1 when not even none is."""
    _require(observations, probability, 0)
    return int(binom.ppf(GREEN_BELOW, observations, probability)) - 1


def basel_plus_factor(exceptions: int) -> float:
    """Return the addition to the multiplier for exceptions among 250 at 1 %; the Committee states no other."""
    _require(BASEL_OBSERVATIONS, BASEL_PROBABILITY, exceptions)
    return PLUS_FACTORS[min(exceptions, len(PLUS_FACTORS) - 1)]


def kupiec(observations: int, exceptions: int, probability: float) -> LikelihoodRatio:
    """Return Kupiec's test (1995) that the share of exceptions is `probability`, one degree of freedom."""
    _require(observations, probability, exceptions)
    hits, misses, share = exceptions, observations - exceptions, exceptions / observations
    observed = xlogy(misses, 1.0 - share) + xlogy(hits, share)
    return _ratio(observed - xlogy(misses, 1.0 - probability) - xlogy(hits, probability), 1)


def kupiec_acceptance(observations: int, probability: float, confidence: float = 0.95) -> tuple[int, int]:
    """Return the least and the largest number of exceptions that Kupiec's test does not reject."""
    limit = chi2_quantile(1, confidence)
    accepted = [n for n in range(observations + 1) if kupiec(observations, n, probability).statistic < limit]
    return accepted[0], accepted[-1]


def christoffersen_independence(counts: TransitionCounts) -> LikelihoodRatio:
    """Return Christoffersen's test (1998) that exceptions do not follow exceptions, one degree of freedom."""
    after_none = counts.none_to_none + counts.none_to_one
    after_one = counts.one_to_none + counts.one_to_one
    ones, total = counts.none_to_one + counts.one_to_one, after_none + after_one
    if total == 0:
        raise InvalidInput("no transitions are counted")
    separate = _best_log_likelihood(counts.none_to_one, after_none) + _best_log_likelihood(counts.one_to_one, after_one)
    return _ratio(separate - _best_log_likelihood(ones, total), 1)


def conditional_coverage(coverage: LikelihoodRatio, independence: LikelihoodRatio) -> LikelihoodRatio:
    """Return the joint test of coverage and independence, two degrees of freedom."""
    statistic = coverage.statistic + independence.statistic
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 2)))


def chi2_quantile(degrees: float, level: float) -> float:
    """Return the critical value of a likelihood ratio."""
    return float(chi2.ppf(level, degrees))


def overlapping_counts(observations: int, days: int, probability: float, seed: int = 0) -> NDArray[np.float64]:
    """Return the cumulative distribution of exceptions among windows of several days that are stepped daily.

    Daily moves are independent and normal; `OVERLAP_PATHS` paths are simulated.

    Parameters
    ----------
    observations, days : int
        Windows, and days in each; one day means no overlap.
    probability : float
        Of an exception in one window.
    seed : int
        Of the generator.

    Returns
    -------
    float64 array, shape (observations + 1,)
        The probability of at most so many exceptions.
    """
    _require(observations, probability, 0)
    if days < 1:
        raise InvalidInput(f"a window of {days} days is empty")
    generator = np.random.Generator(np.random.Philox(seed))
    limit = np.float32(norm.ppf(probability) * math.sqrt(days))
    found = np.zeros(observations + 1, dtype=np.int64)
    for _ in range(OVERLAP_PATHS // _PATHS_AT_ONCE):
        moves = generator.standard_normal((_PATHS_AT_ONCE, observations + days - 1), dtype=np.float32)
        levels = np.cumsum(moves, axis=1, dtype=np.float32)
        windows = levels[:, days - 1 :].copy()
        windows[:, 1:] -= levels[:, : observations - 1]
        found += np.bincount(np.sum(windows < limit, axis=1), minlength=observations + 1)
    cumulative: NDArray[np.float64] = np.cumsum(found) / float(OVERLAP_PATHS)
    return cumulative


def largest_count_below(cumulative: NDArray[np.float64], level: float) -> int:
    """Return the largest count whose cumulative probability is below a level: the upper end of a zone, -1 if none."""
    return int(np.searchsorted(cumulative, level, side="left")) - 1


def acerbi_szekely_second(losses: NDArray[np.float64], var: float, shortfall: float, probability: float) -> float:
    """Return Z2 of Acerbi and Szekely (2014), 1 - sum of losses beyond VaR over their expectation; 0 on average.

    Losses, VaR and ES are positive numbers; a negative Z2 says that the ES was too small.
    """
    _require(len(losses), probability, 0)
    if not shortfall > 0.0:
        raise InvalidInput(f"expected shortfall {shortfall} is not positive")
    return 1.0 - float(np.sum(losses[losses > var])) / (len(losses) * probability * shortfall)


def acerbi_szekely_distribution(
    observations: int, probability: float, degrees: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Z2 and its cumulative distribution when the model is true, without simulation.

    The sum of losses beyond VaR is a compound sum: its distribution on a grid is the transform of one day's to the
    power of the number of days.

    Parameters
    ----------
    observations : int
        Days.
    probability : float
        Of a loss beyond VaR.
    degrees : float or None
        Of a Student t loss, above 1; None for a normal one. Z2 does not depend on the scale.

    Returns
    -------
    (float64 array, float64 array)
        Z2 ascending, and the probability of at most that.
    """
    _require(observations, probability, 0)
    level = 1.0 - probability
    tail = normal_tail(level) if degrees is None else student_tail(level, degrees)
    loss = norm() if degrees is None else student(degrees)
    step = tail.expected_shortfall / _GRID_PER_SHORTFALL
    edges = np.maximum((np.arange(_GRID_POINTS + 1) - 0.5) * step, tail.value_at_risk)
    day = -np.diff(loss.sf(edges))
    day[0] += level
    days = np.maximum(np.fft.irfft(np.fft.rfft(day) ** observations, _GRID_POINTS), 0.0)
    beyond: NDArray[np.float64] = np.cumsum(days[::-1])
    sums = np.arange(_GRID_POINTS, dtype=np.float64)[::-1] * step
    statistic: NDArray[np.float64] = 1.0 - sums / (observations * probability * tail.expected_shortfall)
    return statistic, beyond


def _ratio(log_likelihood_gain: float, degrees: int) -> LikelihoodRatio:
    statistic = max(2.0 * float(log_likelihood_gain), 0.0)
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, degrees)))


def _best_log_likelihood(ones: int, total: int) -> float:
    if total == 0:
        return 0.0
    return float(xlogy(ones, ones / total) + xlogy(total - ones, 1.0 - ones / total))


def _require(observations: int, probability: float, exceptions: int) -> None:
    if observations < 1 or not 0 <= exceptions <= observations:
        raise InvalidInput(f"{exceptions} exceptions among {observations} observations")
    if not 0.0 < probability < 1.0:
        raise InvalidInput(f"probability {probability} is not between 0 and 1")
