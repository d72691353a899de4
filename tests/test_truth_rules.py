"""Truth files of venues and regulation: an own document of each kind passes, with a wrong figure it fails.

The figures are small enough to be checked by hand; nothing here reads ../shared.
"""

from __future__ import annotations

import copy
import re

import pytest

from engine.validation.truth import Status, evaluate_document
from engine.validation.truth.rule_kinds import RULE_KINDS

pytestmark = pytest.mark.fast


def wad(value: float) -> str:
    return str(round(value * 10**6) * 10**12)


PMRM_DOCUMENT = {
    "parameter_sets": {
        "plain": {
            "basis_contingency": {
                "scenarioSpotUp": wad(1.05), "scenarioSpotDown": wad(0.95), "basisContAddFactor": wad(1),
                "basisContMultFactor": wad(1.2),
            },
            "other_contingency": {
                "pegLossThreshold": wad(0.99), "pegLossFactor": wad(4), "confThreshold": wad(0.55),
                "confMargin": wad(1), "basePercent": wad(0.03), "perpPercent": wad(0.02), "optionPercent": wad(0.01),
            },
            "margin": {
                "imFactor": wad(1.25), "rateMultScale": wad(1), "rateAddScale": wad(0.12),
                "baseStaticDiscount": wad(0.95),
            },
            "vol_shock": {
                "volRangeUp": wad(0.6), "volRangeDown": wad(0.3), "shortTermPower": wad(0.3),
                "longTermPower": wad(0.13), "dteFloor": 86_400,
            },
            "scenarios": [
                {"spotShock": wad(1.2), "volShock": "Up"}, {"spotShock": wad(0.8), "volShock": "None"},
            ],
        }
    },
    "cases": [
        {
            "name": "long perpetual", "parameter_set": "plain", "block_timestamp": 1_700_000_000, "note": None,
            "inputs": {
                "spot_price": wad(1_000), "spot_confidence": wad(1), "stable_price": wad(1), "perp_price": wad(1_010),
                "perp_confidence": wad(1), "expiries": [], "cash": wad(500), "base": "0", "perp": wad(2),
                "perp_unrealised_pnl": wad(7), "perp_unrealised_funding": "0", "options": [],
            },
            "outputs": {
                "initial_margin": wad(-48), "maintenance_margin": wad(63), "mark_to_market": wad(507),
                "worst_scenario_index": 1, "scenario_pnl": [wad(404), wad(-404)], "base_value": "0",
                "static_contingency": wad(40), "min_confidence": wad(1), "expiries": [],
            },
            "upstream_expected": None,
        }
    ],
}  # fmt: skip

SRM_DOCUMENT = {
    "parameter_sets": {
        "plain": {
            "depeg": {"threshold": wad(0.99), "depegFactor": wad(2)},
            "markets": {
                "eth": {
                    "perp_margin": {"mmPerpReq": wad(0.05), "imPerpReq": wad(0.1)},
                    "option_margin": {
                        "maxSpotReq": wad(0.15), "minSpotReq": wad(0.13), "mmCallSpotReq": wad(0.09),
                        "mmPutSpotReq": wad(0.08), "MMPutMtMReq": wad(0.5), "unpairedIMScale": wad(1.2),
                        "unpairedMMScale": wad(1.1), "mmOffsetScale": wad(1.05),
                    },
                    "oracle_contingency": {
                        "perpThreshold": wad(0.6), "optionThreshold": wad(0.5), "baseThreshold": wad(0.4),
                        "OCFactor": wad(0.5),
                    },
                    "base_margin": {"marginFactor": wad(0.8), "IMScale": wad(0.9)},
                }
            },
        }
    },
    "cases": [
        {
            "name": "short call and perpetual", "parameter_set": "plain", "block_timestamp": 1_700_000_000,
            "inputs": {
                "stable_price": wad(1), "cash": wad(500),
                "markets": {
                    "eth": {
                        "market_id": 1, "spot_price": wad(1_000), "spot_confidence": wad(1),
                        "perp_price": wad(1_010), "perp_confidence": wad(1), "base": "0", "perp": wad(1),
                        "perp_unrealised_pnl": "0", "perp_unrealised_funding": wad(9),
                        "expiries": [
                            {
                                "expiry": 1_700_000_000, "sec_to_expiry": 0, "forward_price": wad(1_000),
                                "forward_confidence": wad(1), "vol_confidence": wad(1),
                                "vols": [{"strike": wad(1_010), "vol": wad(0.5)}],
                            }
                        ],
                        "options": [
                            {
                                "expiry": 1_700_000_000, "strike": wad(1_010), "is_call": True, "amount": wad(-1),
                                "sub_id": str(2**95 + 1_010 * 10**8 * 2**32 + 1_700_000_000),
                            }
                        ],
                    }
                },
            },
            "outputs": {
                "initial_margin": wad(268), "maintenance_margin": wad(368.5), "mark_to_market": wad(509),
                "components": [
                    {
                        "market": "eth", "part": "options", "expiry": 1_700_000_000, "initial_margin": wad(-140),
                        "maintenance_margin": wad(-90), "mark_to_market": "0",
                    },
                    {
                        "market": "eth", "part": "perp", "initial_margin": wad(-92), "maintenance_margin": wad(-41.5),
                        "mark_to_market": wad(9),
                    },
                    {
                        "market": "eth", "part": "all", "initial_margin": wad(-232),
                        "maintenance_margin": wad(-131.5), "mark_to_market": wad(9),
                    },
                ],
                "arranged": [
                    {
                        "market_id": 1, "depeg_penalty_position": wad(2),
                        "expiries": [
                            {
                                "expiry": 1_700_000_000, "net_calls": wad(-1), "total_short_positions": wad(1),
                            }
                        ],
                    }
                ],
            },
            "upstream_expected": {"initial_margin_truncated_to_integer": "268"},
        }
    ],
}  # fmt: skip

DERIBIT_DOCUMENT = {
    "cases": [
        {
            "kind": "risk_vector", "contract": "inverse perpetual", "position_coin": 3.0, "price_range": 0.5,
            "moves": [-0.5, -0.375, -0.25, -0.125, 0, 0.125, 0.25, 0.375, 0.5],
            "expected_pnl_coin": [-3, -1.8, -1, -3 / 7, 0, 1 / 3, 0.6, 9 / 11, 1],
        },
        {
            "kind": "margin", "positions_coin": {"A-PERPETUAL": 5.0, "A-1JAN30": -1.0}, "price_range": 0.2,
            "pnl_offset": 0.6, "min_annualised_move": 0.01, "annualised_move_risk": 0.05, "mm_factor": 0.8,
            "expected": {
                "worst_case": 1.0, "worst_bucket": 1, "delta_shock": 0, "roll_shock": 0.06,
                "risk_matrix_margin": 1.06, "risk_matrix_mm": 0.848, "maintenance_margin": 0.848,
            },
        },
        {"id": "deribit_params_eth_2026", "kind": "parameters", "params": {"price_range": 0.18, "mm_factor": 0.8}},
        {
            "kind": "formula", "formula": "in words",
            "worked": [{"dte": 7.5, "range_up": 0.4, "power": 0.5, "expected_multiplier_minus_1": 0.8}],
        },
    ]
}  # fmt: skip

ONCHAIN_DOCUMENT = {
    "cases": [
        {
            "kind": "imf_ppm", "base_imf_ppm": 200_000, "oi_lower": 100, "oi_upper": 400, "open_notional": 101,
            "expected_ppm": 202_666,
        },
        {
            "kind": "im_quote_quantums", "base_imf_ppm": 200_000, "oi_lower": 0, "oi_upper": 0, "open_notional": 7,
            "position_quote_quantums": 6, "rounding": "up", "expected_im": 2,
        },
        {
            "kind": "tiered_mm", "asset": "A", "notional": 2_000, "expected_mm": 30,
            "tiers": [{"lower_bound": 0, "max_leverage": 50}, {"lower_bound": 1_000, "max_leverage": 25}],
        },
        {
            "kind": "sqrt_size_weight", "imf_factor_1e6": 10_000, "size_tokens": 10_000, "decimals": 6,
            "initial_asset_weight_1e4": 9_000, "initial_liability_weight_1e4": 11_000,
            "expected_asset_weight": 5_500, "expected_liability_weight": 18_800,
        },
        {
            "kind": "skew_scaled_im", "size": -80, "price": 5, "skew_scale": 1_000, "initial_margin_ratio": 1,
            "minimum_imr": 0.02, "maintenance_scalar": 0.5, "minimum_position_margin": 10,
            "expected": {"imr": 0.1, "mmr": 0.05, "im": 50, "mm": 30},
        },
        {
            "kind": "naked_option", "is_put": True, "underlying": 100, "strike": 90, "spot_shock": 0.8,
            "upper_bound_value": 0.25, "expected_published": 30,
        },
    ]
}  # fmt: skip

VENUE_DOCUMENT = {
    "cases": [
        {
            "id": "aevo_15", "kind": "scenario_grid", "count": 15, "iv_additive_shift": [0.5, 0, -0.25],
            "spot_moves": [0.2, 0.1, 0, -0.1, -0.2],
        },
        {"id": "okx_params_2025_01", "kind": "parameters", "mr6_extreme": {"BTC,ETH": 0.24, "others": 0.5}},
        {
            "id": "okx_deribit_contingency_2019", "kind": "parameters",
            "note": "older Deribit rule set kept for regression of a parametric matrix: +-12.5% price, sqrt(30/dte)"
            "*40% vol, 1% option and 2% offsetting-futures contingency, 25% for offsetting vega across expiries",
        },
        {
            "id": "paradex_scan_grid", "kind": "scenario_grid", "mm": "50% of net portfolio IM + fees",
            "im": "max(SCAN risk, min delta requirement)+fees",
            "iv_rule": "IV*(1+vol*(30/max(1,dte))^p), p=0.30 if dte<30 else 0.13",
        },
        {"id": "span_16", "kind": "scenario_grid", "columns": [
            "price move in scan ranges", "vol move in scan ranges", "fraction of loss"]},
    ]
}  # fmt: skip

SIMM_DOCUMENT = {
    "parameters": {
        "rw_regular": 7.4, "rw_high": 13.6, "corr": {"RR": 0.5, "RH": 0.27, "HH": 0.42},
        "threshold_mm": {"cat1": 5_100, "cat2": 1_200, "cat3": 190}, "calc_ccy": "USD (regular)",
        "high_vol": ["BRL", "TRY"], "formula": "in words",
    },
    "cases": [{"net_sensitivities_per_1pct": {"EUR": -100.0, "USD": 5.0}, "expected_margin_usd": 740}],
}  # fmt: skip

BACKTEST_DOCUMENT = {
    "cases": [
        {"n": 250, "p": 0.01, "exceptions": 4, "expected_cumulative": 0.8922, "abs_tol": 1e-4, "zone": "green",
         "plus_factor": 0},
        {"observations": 250, "overlap_days": 1, "level": 0.99, "stoplight_probabilities": [0.95, 0.9999],
         "expected_max_green": 4, "expected_max_amber": 9},
        {"n": 100, "failures": 10, "p": 0.1, "n00": 81, "n01": 9, "n10": 9, "n11": 1,
         "expected": {"LR_pof": 0, "p_pof": 1, "LR_cci": 0, "p_cci": 1, "LR_cc": 0, "p_cc": 1}, "abs_tol": 1e-9},
        {"n": 255, "p": 0.01, "expected_region": "N<7", "expected_min_accept": 1, "expected_max_accept": 6,
         "matches_textbook": True},
        {"df": 2, "level": 0.95, "expected": 5.991, "abs_tol": 5e-4},
        {"T": 250, "alpha": 0.025, "nu": None, "expected_z2_crit_5pct": -0.7, "expected_z2_crit_0_01pct": -1.8,
         "abs_tol_5pct": 0.02, "abs_tol_0_01pct": 0.1, "mean_under_h0": 0, "literature_5pct": -0.7},
    ]
}  # fmt: skip

REGULATION_DOCUMENT = {
    "cases": [
        {"id": "emir_24_confidence", "kind": "rule", "otc": 0.995, "other": 0.99},
        {"id": "ice_clear_europe", "kind": "rule", "energy": {"model": "FHS", "lookback_days": [250, 500, 1_000]}},
        {"kind": "apc", "option": "a", "calculated_margin": 80, "min_buffer_share": 0.25, "expected_calm_margin": 100,
         "worked_path": [
             {"calculated": 80, "buffer_open": True, "expected": 100},
             {"calculated": 120, "note": "may be released", "expected_range": [120, 150]}]},
        {"kind": "apc", "option": "b", "unstressed_margin": 100, "stressed_margin": 300, "min_stress_weight": 0.5,
         "expected_min_margin": 200},
        {"kind": "apc", "option": "c", "calculated_margin": 80, "ten_year_vol_margin": 70, "expected_margin": 80},
        {"kind": "method", "before": "worst loss of 1250 scenarios",
         "after": "average of the six worst of 2,500 scenarios (10y, absolute shocks)", "implied_level": 0.9976},
        {"kind": "worked", "scenario_losses_desc": [9, 5, 1], "tail_count": 2, "expected": 7},
        {"kind": "worked", "lam": 0.5, "var0": 0.04, "returns": [0.0, 0.2], "expected_var": [0.02, 0.03]},
        {"kind": "worked", "position": -1_000, "daily_vol": 0.01, "z": 2, "bid": 9, "ask": 11, "expected_var": 20,
         "expected_lvar": 120},
        {"kind": "worked", "weights": [3, -4], "vols_daily": [0.1, 0.1], "rho": 0.0, "z": 2, "expected": 1},
        {"kind": "property", "worked": [{"Y": 1, "sigma": 0.1, "Q_over_V": 0.25, "expected": 0.05}]},
        {"kind": "formula",
         "formula": "x*HVaR + (1-x)*Stress + Liquidity + Concentration; HVaR lookback >= 10 years with volatility and "
         "correlation scaling; implied-vol surface including skew as risk factors"},
    ]
}  # fmt: skip

DOCUMENTS = {
    "backtests": BACKTEST_DOCUMENT,
    "deribit_pm": DERIBIT_DOCUMENT,
    "derive_pmrm_vectors": PMRM_DOCUMENT,
    "derive_srm_vectors": SRM_DOCUMENT,
    "onchain_margin_rules": ONCHAIN_DOCUMENT,
    "regulatory_rules": REGULATION_DOCUMENT,
    "simm_fx_delta": SIMM_DOCUMENT,
    "venue_rules": VENUE_DOCUMENT,
}

EXPECTED = {
    "backtests": [
        (0, "expected_cumulative"), (0, "zone"), (0, "plus_factor"), (1, "expected_max_green"),
        (1, "expected_max_amber"), (2, "expected", "LR_cci"), (3, "expected_region"), (3, "expected_max_accept"),
        (4, "expected"), (5, "expected_z2_crit_5pct"), (5, "expected_z2_crit_0_01pct"), (5, "mean_under_h0"),
    ],
    "deribit_pm": [
        (0, "moves", 2), (0, "expected_pnl_coin", 8), (1, "expected", "worst_bucket"), (1, "expected", "roll_shock"),
        (1, "expected", "risk_matrix_mm"), (2, "params", "mm_factor"), (3, "worked", 0, "expected_multiplier_minus_1"),
    ],
    "derive_pmrm_vectors": [
        (0, "outputs", name) for name in PMRM_DOCUMENT["cases"][0]["outputs"] if name != "expiries"
    ],
    "derive_srm_vectors": [
        (0, "inputs", "markets", "eth", "options", 0, "sub_id"), (0, "outputs", "initial_margin"),
        (0, "outputs", "components", 0, "part"), (0, "outputs", "components", 1, "maintenance_margin"),
        (0, "outputs", "arranged", 0, "depeg_penalty_position"),
        (0, "upstream_expected", "initial_margin_truncated_to_integer"),
    ],
    "onchain_margin_rules": [
        (0, "expected_ppm"), (1, "expected_im"), (2, "expected_mm"), (3, "expected_asset_weight"),
        (3, "expected_liability_weight"), (4, "expected", "mmr"), (4, "expected", "im"), (5, "expected_published"),
    ],
    "regulatory_rules": [
        (0, "otc"), (1, "energy", "lookback_days", 2), (1, "energy", "model"), (2, "expected_calm_margin"),
        (2, "worked_path", 0, "expected"), (2, "worked_path", 1, "expected_range", 1), (3, "expected_min_margin"),
        (4, "expected_margin"), (5, "implied_level"), (6, "expected"), (7, "expected_var", 1), (8, "expected_lvar"),
        (9, "expected"), (10, "worked", 0, "expected"), (11, "formula"),
    ],
    "simm_fx_delta": [(0, "expected_margin_usd")],
    "venue_rules": [
        (0, "spot_moves", 1), (0, "count"), (1, "mr6_extreme", "others"), (2, "note"), (3, "mm"), (3, "iv_rule"),
        (4, "columns", 0),
    ],
}  # fmt: skip
"""Where inmething is expected: the number of the case, then the way into it."""


def statuses(kind, document):
    return [(one.name, one.status, one.detail) for one in evaluate_document(kind, document)]


def spoiled(value):
    """The same with every number in it wrong."""
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        if value.lstrip("-").isdigit():
            return str(int(value) + 10**9)
        return re.sub(r"\d+(?=%|\D*$)", "77", value) if re.search(r"\d", value) else f"not {value}"
    return value * 1.5 + 2


def test_every_kind_has_a_document():
    assert set(DOCUMENTS) == set(EXPECTED) == set(RULE_KINDS)


@pytest.mark.parametrize("kind", sorted(RULE_KINDS))
def test_own_document_passes(kind):
    assert [one for one in statuses(kind, DOCUMENTS[kind]) if one[1] is not Status.PASSED] == []


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind in EXPECTED for path in EXPECTED[kind]])
def test_a_wrong_figure_fails(kind, path):
    document = copy.deepcopy(DOCUMENTS[kind])
    place = document["cases"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = spoiled(place[path[-1]])
    (found,) = evaluate_document(kind, {**document, "cases": [document["cases"][path[0]]]})
    assert found.status is Status.FAILED
    assert str(next(step for step in reversed(path) if isinstance(step, str))) in found.detail


@pytest.mark.parametrize("kind", sorted(RULE_KINDS))
def test_a_field_without_meaning_is_not_covered(kind):
    changed = copy.deepcopy(DOCUMENTS[kind])
    for case in changed["cases"]:
        case["an_input_of_tomorrow"] = 1
    assert {one.status for one in evaluate_document(kind, changed)} == {Status.NOT_COVERED}


def test_a_sentence_of_another_form_is_not_covered():
    changed = copy.deepcopy(VENUE_DOCUMENT)
    changed["cases"][3]["mm"] = "half of net portfolio IM + fees"
    found = evaluate_document("venue_rules", changed)[3]
    assert found.status is Status.NOT_COVERED
    assert "does not read" in found.detail


@pytest.mark.parametrize("kind", ["derive_pmrm_vectors", "derive_srm_vectors"])
def test_a_parameter_without_meaning_is_not_covered(kind):
    changed = copy.deepcopy(DOCUMENTS[kind])
    changed["parameter_sets"]["plain"]["skew"] = wad(1)
    assert [one.status for one in evaluate_document(kind, changed)] == [Status.NOT_COVERED]
