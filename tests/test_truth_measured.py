"""Truth files of what was observed in markets: an own document of each kind passes, with a wrong figure it fails.

The surface is invented: levels move by our own powers of the tenor, skews are the same per standard deviation. Margins
of the matrix are worked out here from Black-76, cell by cell.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from engine.validation.closed_forms.own_kernels import black76_price
from engine.validation.truth import Status, evaluate_document

pytestmark = pytest.mark.fast

ATM, SHOCK, RETURN_DEVIATION, SLOPE = 0.5, 0.05, 0.03, -0.1


def tenor_case(days: int) -> dict[str, object]:
    power = (30.0 / days) ** (0.54 if days < 30 else 0.64)
    tail = (30.0 / days) ** (0.36 if days < 30 else 0.64)
    skew = SLOPE / math.sqrt(days / 365.0)
    correlation = -0.5
    ratio = correlation * ATM * SHOCK * power / (skew * RETURN_DEVIATION)
    return {
        "id": f"XYZ {days}", "currency": "XYZ", "tenor_days": days, "n_obs": 800, "mean_atm_iv": ATM,
        "dln_atm_1d_sd": SHOCK * power, "dln_atm_1d_q01": -2.2 * SHOCK * power, "dln_atm_1d_q99": 3.0 * SHOCK * power,
        "dln_atm_1d_min": -6.0 * SHOCK * tail, "dln_atm_1d_max": 8.0 * SHOCK * tail,
        "corr_dsigma_return": correlation, "mean_skew_dsigma_dk": skew,
        "skew_stickiness_ratio": max(1.2 * ratio, 1.3), "d_rr_1sd_q01": -0.05 * math.sqrt(30.0 / days),
        "basis_yield_change_q01": -0.003 / (days / 365.0),
    }  # fmt: skip


RETURNS = {
    "id": "returns", "currency": "XYZ", "n": 900, "sd": RETURN_DEVIATION, "excess_kurtosis": 3.0,
    "min": -0.15, "max": 0.16, "q005": -0.091, "q995": 0.092,
}  # fmt: skip

STATISTICS = {"cases": [*(tenor_case(days) for days in (7, 30, 180)), RETURNS]}


def straddle(spot: float, volatility: float, years: float) -> float:
    forward, variance = np.array([spot]), np.array([volatility**2 * years])
    return float(sum(black76_price(is_call, 1.0, forward, variance, 1.0)[0] for is_call in (True, False)))


def straddle_margin(days: int, powers: tuple[float, float] = (0.30, 0.13), days_gone: int = 0, sign: int = -1) -> float:
    """Worst of nine prices times volatility up 40 %, unchanged and down 20 %, price range 10 %; strike 1."""
    tenor = (30.0 / days) ** powers[0 if days < 30 else 1]
    now = straddle(1.0, ATM, days / 365.0)
    cells = [
        straddle(1.0 + 0.1 * step / 4.0, ATM * (1.0 + move * tenor), (days - days_gone) / 365.0)
        for step in range(-4, 5)
        for move in (0.4, 0.0, -0.2)
    ]
    return max(sign * (now - cell) for cell in cells)


SHORT_STRADDLE = {
    "id": "plain", "currency": "XYZ", "portfolio": "short straddle 30d", "n_24h_windows": 900,
    "mean_matrix_margin_per_S": straddle_margin(30), "realised_es99_per_S": 0.045, "realised_max_loss_per_S": 0.075,
    "breaches": 2,
}  # fmt: skip
BROKEN = {
    "id": "broken", "currency": "XYZ", "portfolio": "calendar: long 7d short 180d vega-neutral",
    "n_24h_windows": 900, "realised_es99_per_S": 0.08, "realised_max_loss_per_S": 0.1, "breaches": 20,
}  # fmt: skip


def variant(margin: float, breaches: int, days: int, ratio: float) -> dict[str, float]:
    return {
        "mean_margin_per_S": margin, "breaches_of_900": breaches, "distinct_breach_days": days,
        "worst_loss_over_margin": ratio,
    }  # fmt: skip


MEASURED_POWERS = (0.5, 0.6)
VARIANTS = {
    "id": "variants", "currency": "XYZ", "portfolio": "short straddle 30d",
    "legend": "std = as above; powers = tenor exponents 0.5 (<30d) / 0.6 (>=30d) instead of 0.30/0.13; both",
    "variants": {
        "std": variant(straddle_margin(30), 2, 1, 1.02),
        "decay": variant(straddle_margin(30, days_gone=1), 0, 0, 0.9),
        "powers": variant(straddle_margin(30, MEASURED_POWERS), 0, 0, 0.8),
        "both": variant(straddle_margin(30, MEASURED_POWERS, 1), 5, 2, 1.1),
    },
}  # fmt: skip

BACKTEST = {
    "method": "range 10%/+40%/-20% (XYZ) and 18%/+40%/-25% (ETH)", "cases": [SHORT_STRADDLE, BROKEN, VARIANTS],
}  # fmt: skip

EVENTS = {
    "cases": [
        {"date": "2025-10-10/11", "asset": "BTC", "high": 100.0, "low": 86.0, "move": -0.14},
        {"id": "oct2025_all", "average_token": -0.47, "may2021_average": -0.41, "perp_oi_usd_bn": [2, 1]},
        {"asset": "USDC", "kraken_price": 0.88, "lesson": "in words"},
        {"asset": "FTT", "from_price": 22.0, "to_price": 0.9, "venue": "a venue"},
        {"order_book_depth_change": -0.9},
        {"asset": "DOGE", "move": 4.0},
    ]
}

DOCUMENTS = {"deribit_matrix_backtest": BACKTEST, "deribit_surface_stats": STATISTICS, "stress_events": EVENTS}

WRONG = {
    "deribit_surface_stats": [
        *((0, f"dln_atm_1d_{name}", factor) for name in ("sd", "q01", "q99") for factor in (1.5, 0.7)),
        *((1, f"dln_atm_1d_{name}", factor) for name in ("min", "max") for factor in (3.0, 0.4)),
        (2, "mean_skew_dsigma_dk", 1.5), (2, "mean_skew_dsigma_dk", -1.0), (1, "skew_stickiness_ratio", 1.6),
        (1, "skew_stickiness_ratio", 0.5), (1, "basis_yield_change_q01", 2.0), (0, "d_rr_1sd_q01", 3.0),
        (1, "d_rr_1sd_q01", 0.3), (3, "q005", 1.3), (3, "q995", 0.7),
        (3, "min", 4.0), (3, "max", 0.2),
    ],
    "deribit_matrix_backtest": [
        (0, "mean_matrix_margin_per_S", 1.15), (0, "mean_matrix_margin_per_S", 0.85), (0, "realised_es99_per_S", 2.0),
        (0, "realised_es99_per_S", 0.2), (0, "realised_max_loss_per_S", 4.0), (0, "breaches", 10), (1, "breaches", 0),
        (2, "variants", "std", "mean_margin_per_S", 1.2), (2, "variants", "decay", "mean_margin_per_S", 0.8),
        (2, "variants", "powers", "breaches_of_900", 7), (2, "variants", "both", "distinct_breach_days", 3),
        (2, "variants", "both", "distinct_breach_days", 0), (2, "variants", "decay", "worst_loss_over_margin", 2.0),
        (2, "variants", "std", "worst_loss_over_margin", 0.9),
    ],
    "stress_events": [
        (0, "move", 1.01), (0, "high", 3.0), (1, "average_token", 1.4), (1, "may2021_average", 1.2),
        (2, "kraken_price", 0.5), (2, "kraken_price", 1.5), (3, "to_price", 1e-4), (3, "to_price", 1000.0),
        (4, "order_book_depth_change", 1.1), (5, "move", 1.5), (5, "move", -1.0),
    ],
}  # fmt: skip
"""A case, the way to a figure, and the factor that spoils it (2 + factor times where it is a count)."""


def evaluated(kind, document):
    return evaluate_document(kind, document, {"deribit_surface_stats": STATISTICS})


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_own_document_passes(kind):
    assert [one for one in evaluated(kind, DOCUMENTS[kind]) if one.status is not Status.PASSED] == []


@pytest.mark.parametrize(("kind", "change"), [(kind, change) for kind in WRONG for change in WRONG[kind]])
def test_a_wrong_figure_fails(kind, change):
    document = copy.deepcopy(DOCUMENTS[kind])
    case, *way, factor = change
    place = document["cases"][case]
    for step in way[:-1]:
        place = place[step]
    stated = place[way[-1]]
    place[way[-1]] = int(2 + factor * stated) if "breach" in way[-1] and factor else stated * factor
    found = evaluated(kind, document)[case]
    assert found.status is Status.FAILED, found
    assert found.detail


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_field_without_meaning_is_not_covered(kind):
    document = copy.deepcopy(DOCUMENTS[kind])
    for case in document["cases"]:
        case["an_input_of_tomorrow"] = 1
    assert {one.status for one in evaluated(kind, document)} == {Status.NOT_COVERED}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_whatever_is_missing_or_malformed_is_never_an_error(kind):
    for number, case in enumerate(DOCUMENTS[kind]["cases"]):
        for field in case:
            for value in (None, "x", [], {}, -1, 1e300):
                document = copy.deepcopy(DOCUMENTS[kind])
                document["cases"][number][field] = value
                assert len(evaluated(kind, {**document, "cases": document["cases"][number:][:1]})) == 1
            del document["cases"][number][field]
            assert len(evaluated(kind, document)) == len(document["cases"])


def test_powers_of_venues_do_not_pass_for_measured_ones():
    document = copy.deepcopy(STATISTICS)
    for case in document["cases"][:3]:
        days = case["tenor_days"]
        for name in ("sd", "q01", "q99"):
            factor = (30.0 / days) ** (0.30 if days < 30 else 0.13)
            case[f"dln_atm_1d_{name}"] = (-1.0 if name == "q01" else 1.0) * SHOCK * factor
    assert [one.status for one in evaluate_document("deribit_surface_stats", document)][::2] == [Status.FAILED] * 2


def test_what_rests_on_other_figures_is_not_covered_without_them():
    (found, *_) = evaluate_document("deribit_matrix_backtest", BACKTEST)
    assert (found.status, "deribit_surface_stats.json" in found.detail) == (Status.NOT_COVERED, True)
    (found,) = evaluate_document("deribit_surface_stats", {"cases": [tenor_case(30)]})
    assert (found.status, "other tenors" in found.detail) == (Status.NOT_COVERED, True)


def test_a_part_of_what_is_on_record_stands_by_itself():
    """Of BTC and ETH the other tenors are on record: here two cases, each alone in its document."""
    eth = {
        "currency": "ETH", "tenor_days": 60, "n_obs": 908, "mean_atm_iv": 0.59, "dln_atm_1d_q99": 0.072,
        "mean_skew_dsigma_dk": -0.14,
    }  # fmt: skip
    margin = {
        "currency": "ETH", "portfolio": "short straddle 180d", "n_24h_windows": 908, "breaches": 0,
        "mean_matrix_margin_per_S": 0.169, "realised_max_loss_per_S": 0.08,
    }  # fmt: skip
    asked = {
        "deribit_surface_stats": (eth, "dln_atm_1d_q99"),
        "deribit_matrix_backtest": (margin, "mean_matrix_margin_per_S"),
    }
    for kind, (case, field) in asked.items():
        (found,) = evaluate_document(kind, {"cases": [case]})
        assert found.status is Status.PASSED, found
        (found,) = evaluate_document(kind, {"cases": [{**case, field: 1.5 * case[field]}]})
        assert found.status is Status.FAILED, found


def test_one_wrong_tenor_leaves_the_others_alone():
    document = copy.deepcopy(STATISTICS)
    document["cases"][:0] = [tenor_case(days) for days in (14, 60, 90)]
    document["cases"][1]["dln_atm_1d_sd"] *= 100.0
    found = evaluate_document("deribit_surface_stats", document)
    assert [one.status for one in found].count(Status.PASSED) == len(found) - 1
    assert found[1].status is Status.FAILED


@pytest.mark.parametrize(
    "words", ["short straddle 60d", "straddle", "calendar: long 7d long 180d 1:1", "short 1sd 30d"]
)
def test_a_portfolio_or_tenor_that_is_not_known_is_not_covered(words):
    (found,) = evaluated("deribit_matrix_backtest", {"cases": [{**SHORT_STRADDLE, "portfolio": words}]})
    assert found.status is Status.NOT_COVERED


def test_what_is_not_compared_is_said():
    assert evaluated("stress_events", EVENTS)[1].detail == "not compared: perp_oi_usd_bn"
