"""Evaluation of a published back-test of a venue's matrix on moves of a real surface.

Neither the surfaces nor the moves are published. What is, decides: the matrix margin of each portfolio on the mean
surface of `deribit_surface_stats`; our own loss at the moves that file measured, which says which portfolios the matrix
must fail on and which it must not; and what that leaves of the counts of breaches by the binomial allowance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.surface_moves import SurfaceMoves
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.market import MarketState
from engine.matrix_margin import matrix_margin, matrix_profits
from engine.scenarios.matrix import Ranges, VenueMatrix, deribit_matrix
from engine.surface.response import SECONDS_A_DAY, level_shock, parallel_response, thirty_day_answer, twist_response
from engine.validation.backtests import largest_green_count
from engine.validation.truth.case import Case, Computed, Every, NotUnderstood, Tree, Within
from engine.validation.truth.matrix_portfolios import Holding, holding_of, portfolio_of
from engine.validation.truth.measured_surface import STATISTICS, MeasuredSurface, measured_surface

MEASURED_DAYS = 30
"""The tenor whose measured shocks are those of a scenario."""
LEVEL = 0.99
WINDOWS_A_DAY = 4

MARGIN_TOLERANCE = 0.10
"""Relative. The margin of the mean surface for the mean of the margins: 5 % for what lies at the money, 9 % for puts at
two deviations, whose price is convex in volatility and rests on an assumed curvature of the smile."""
MARGIN_VARIATION = 0.25
"""How far, as a share of it, the margin may be below its mean when a loss comes."""
SHORTFALL_SHARE = 0.5
"""Least share of our loss at 1 % moves that the measured shortfall may be: the two factors of a book whose risk is in
both are seldom at their quantiles on one day. The measured shortfalls are 0.6 to 2.2 of it."""
EXTREME_SHORTAGE = 0.5
"""How far, relative, the worst loss may exceed ours at the extremes of return and 30-day volatility: single tenors
moved apart from the power law, and skews, which a delta-hedged risk reversal lives on, stand still here."""
WORST_SHARE = (0.45, 1.2)
"""The worst loss over its own day's margin, as a share of the worst loss over the mean margin: a margin that follows
volatility has mostly risen before. Measured: 0.5 to 1.1."""
LEAST_RATIO_ROUNDING = 0.005


class _OneDayOn(VenueMatrix):
    """The matrix for a market one day later, with each tenor's volatility shocked as it was the day before."""

    def volatility_factor(self, underlying: int, days: float) -> NDArray[np.float64]:
        return super().volatility_factor(underlying, days + 1.0)


def matrix_backtest(case: Case) -> Mapping[str, Tree]:
    """Evaluate a portfolio's back-test, or its variants: other tenor powers, and revaluation one day later."""
    surface = measured_surface(case.word("currency"), case.others(STATISTICS))
    words = case.word("portfolio")
    market = surface.market()
    holding = holding_of(portfolio_of(words), surface, market)
    usual, extreme = (_own_loss(holding, surface, market, which) for which in (("q01", "q99"), ("min", "max")))
    matrix = _matrix(case, surface.currency)
    if "variants" in case:
        return {"variants": _variants(case, matrix, holding, market, usual)}
    margin = float(matrix_margin(matrix, holding.instruments, market, holding.positions)[0])
    worst = case.number("realised_max_loss_per_S")
    margin_demands: list[Computed | Within] = [Computed(margin, relative_tolerance=MARGIN_TOLERANCE)]
    if re.search(r"straddle 180d$", words):
        margin_demands.append(Within(usual, math.inf, "at least our loss at moves of 1 %, by the file's own rule"))
    meaning = "our loss at 1 % and at extreme moves"
    return {
        "mean_matrix_margin_per_S": Every(tuple(margin_demands)),
        "realised_es99_per_S": Within(SHORTFALL_SHARE * usual, min(extreme, worst), meaning),
        "realised_max_loss_per_S": Within(SHORTFALL_SHARE * usual, extreme * (1.0 + EXTREME_SHORTAGE), meaning),
        "breaches": _breaches(usual > margin, margin, worst, case.integer("n_24h_windows")),
    }


def _variants(case: Case, matrix: VenueMatrix, holding: Holding, market: MarketState, usual: float) -> dict[str, Tree]:
    short, long = _powers(case)
    measured = replace(matrix, power_short=short, power_long=long)
    margins = {
        "std": float(matrix_margin(matrix, holding.instruments, market, holding.positions)[0]),
        "decay": _margin_one_day_on(matrix, holding, market),
        "powers": float(matrix_margin(measured, holding.instruments, market, holding.positions)[0]),
        "both": _margin_one_day_on(measured, holding, market),
    }
    worst = _worst_loss(case)
    stated = case.record("variants")
    return {name: _variant(stated.record(name), margins, name, usual, worst) for name in stated.fields}


def _variant(
    stated: Case, margins: Mapping[str, float], name: str, usual: float, worst: float | None
) -> dict[str, Tree]:
    if name not in margins:
        raise NotUnderstood(f"variant {name!r} is not known")
    margin = margins[name]
    counted = [field for field in stated.fields if re.fullmatch(r"breaches_of_\d+", field)]
    if len(counted) != 1:
        raise NotUnderstood(f"{len(counted)} counts of breaches in {name}, 1 is needed")
    windows, breaches = int(counted[0].rsplit("_", 1)[1]), stated.integer(counted[0])
    flagged = usual > margin
    broken = Within(1.0 - LEAST_RATIO_ROUNDING, math.inf, "a breach is a loss above its margin")
    held = Within(0.0, 1.0 + LEAST_RATIO_ROUNDING, "no breach is no loss above its margin")
    ratio = [broken if breaches else held]
    if worst is not None:
        low, high = (share * worst / margin for share in WORST_SHARE)
        ratio.append(Within(low, high, "the worst loss over our margin"))
    days = windows // WINDOWS_A_DAY
    return {
        "mean_margin_per_S": Computed(margin, relative_tolerance=MARGIN_TOLERANCE),
        counted[0]: _breaches(flagged, margin, worst, windows),
        "distinct_breach_days": Every((
            _breaches(flagged, margin, worst, days),
            Within(math.ceil(breaches / WINDOWS_A_DAY), breaches, "four windows start in one day"),
        )),
        "worst_loss_over_margin": Every(tuple(ratio)),
    }  # fmt: skip


def _breaches(flagged: bool, margin: float, worst: float | None, windows: int) -> Within:
    """Beyond the binomial allowance where our own loss exceeds the margin, within it where not.

    None where the margin, even at its lowest, covers the worst loss.
    """
    allowance = largest_green_count(windows, 1.0 - LEVEL)
    if flagged:
        return Within(allowance + 1, windows, "a margin below our loss at moves of 1 % breaks beyond the allowance")
    if worst is not None and margin * (1.0 - MARGIN_VARIATION) >= worst:
        return Within(0, 0, "the margin covers the worst loss")
    return Within(0, allowance, "a margin above our loss at moves of 1 % keeps to the binomial allowance")


def _margin_one_day_on(matrix: VenueMatrix, holding: Holding, market: MarketState) -> float:
    """The worst cell when the book is revalued a day later."""
    gone = int(SECONDS_A_DAY)
    if np.any(market.slice_seconds <= gone):
        raise NotUnderstood("a tenor of a day or less does not live a day longer")
    later = replace(market, slice_seconds=market.slice_seconds - gone)
    aged = _OneDayOn(
        matrix.scenarios, matrix.power_short, matrix.power_long, matrix.least_days, matrix.least_raised_volatility
    )
    now = matrix_profits(matrix, holding.instruments, market)
    then = matrix_profits(aged, holding.on(gone).instruments, later)
    profit = then.dense()[:, 0] + (then.value - now.value)[:, None]
    return max(0.0, -float(np.min(_weighted_sum(holding, profit))))


def _own_loss(holding: Holding, surface: MeasuredSurface, market: MarketState, which: tuple[str, str]) -> float:
    """Our worst loss over a day at the corners of measured returns and 30-day volatility, and in its twists."""
    low, high = which
    tenor, moves = surface.tenor(MEASURED_DAYS).case, SurfaceMoves()
    if surface.returns is None:
        raise NotUnderstood(f"no returns of {surface.currency} in {STATISTICS}")
    names = ("q005", "q995") if low == "q01" else ("min", "max")
    returns = [surface.returns.number(names[0]), 0.0, surface.returns.number(names[1])]
    shocks = [tenor.number(f"dln_atm_1d_{low}"), 0.0, tenor.number(f"dln_atm_1d_{high}")]
    spot, level = (grid.ravel()[None, None, :] for grid in np.meshgrid(returns, shocks, indexing="ij"))
    spread = level_shock(level, spot, thirty_day_answer(market), moves)
    turns = np.array(shocks)[None, None, :]
    return max(
        0.0,
        _worst(holding, market, parallel_response(market, moves), spot, spread),
        _worst(holding, market, twist_response(market, moves), np.zeros_like(turns), turns),
    )


def _worst(
    holding: Holding,
    market: MarketState,
    response: SurfaceResponse,
    spot: NDArray[np.float64],
    shock: NDArray[np.float64],
) -> float:
    paths = FactorPaths(np.array([24]), np.ascontiguousarray(spot), np.zeros(1, np.int64), shock)
    profit = revalue(holding.instruments, market, response, paths, 1).dense()[:, 0]
    return -float(np.min(_weighted_sum(holding, profit)))


def _weighted_sum(holding: Holding, profit: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(holding.positions.quantity[:, None] * profit, axis=0)
    return total


def _matrix(case: Case, currency: str) -> VenueMatrix:
    """The matrix by the ranges that the document's method states, by the venue's of 2026 where it states none."""
    stated = re.search(rf"(\d+)%/\+(\d+)%/-(\d+)% \({re.escape(currency)}\)", case.shared_text("method"))
    if stated is None:
        return deribit_matrix([currency])
    price, up, down = (int(percent) / 100.0 for percent in stated.groups())
    return deribit_matrix([currency], {currency: Ranges(price, up, down)})


def _powers(case: Case) -> tuple[float, float]:
    number = r"(\d+(?:\.\d+)?)"
    stated = re.search(rf"powers = tenor exponents {number} \(<30d\) / {number} \(>=30d\)", case.word("legend"))
    if stated is None:
        raise NotUnderstood("the legend does not state the tenor exponents")
    return float(stated[1]), float(stated[2])


def _worst_loss(case: Case) -> float | None:
    """The worst loss of the same portfolio, where the document states it."""
    for other in case.others():
        same = all(name in other and other.word(name) == case.word(name) for name in ("currency", "portfolio"))
        if same and "realised_max_loss_per_S" in other:
            return other.number("realised_max_loss_per_S")
    return None
