"""Truth files of venues and regulation: an own document of each kind passes, with a wrong figure it fails.

The figures are small enough to be checked by hand; nothing here reads ../shared.
"""

from __future__ import annotations

import copy

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

DOCUMENTS = {"derive_pmrm_vectors": [PMRM_DOCUMENT], "derive_srm_vectors": [SRM_DOCUMENT]}
"""Documents of each kind."""

EXPECTED = {
    "derive_pmrm_vectors": [("outputs", name) for name in PMRM_DOCUMENT["cases"][0]["outputs"] if name != "expiries"],
    "derive_srm_vectors": [
        ("inputs", "markets", "eth", "options", 0, "sub_id"),
        ("outputs", "initial_margin"),
        ("outputs", "components", 0, "part"),
        ("outputs", "components", 1, "maintenance_margin"),
        ("outputs", "arranged", 0, "depeg_penalty_position"),
        ("upstream_expected", "initial_margin_truncated_to_integer"),
    ],
}
"""Where in a kind's first case something is expected."""


def statuses(kind, document):
    return [(one.name, one.status, one.detail) for one in evaluate_document(kind, document)]


def spoiled(value):
    """The same with every number in it wrong."""
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return str(int(value) + 10**9) if value.lstrip("-").isdigit() else f"not {value}"
    return value * 1.5 + 1


def test_every_kind_has_a_document():
    assert set(DOCUMENTS) == set(EXPECTED) == set(RULE_KINDS)


@pytest.mark.parametrize("kind", sorted(RULE_KINDS))
def test_own_documents_pass(kind):
    for document in DOCUMENTS[kind]:
        assert [one for one in statuses(kind, document) if one[1] is not Status.PASSED] == []


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind in EXPECTED for path in EXPECTED[kind]])
def test_a_wrong_figure_fails(kind, path):
    document = copy.deepcopy(DOCUMENTS[kind][0])
    place = document["cases"][0]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = spoiled(place[path[-1]])
    first = evaluate_document(kind, document)[0]
    assert first.status is Status.FAILED
    assert str(next(step for step in reversed(path) if isinstance(step, str))) in first.detail


@pytest.mark.parametrize("kind", sorted(RULE_KINDS))
def test_a_field_without_meaning_is_not_covered(kind):
    for document in DOCUMENTS[kind]:
        changed = copy.deepcopy(document)
        for case in changed["cases"]:
            case["an_input_of_tomorrow"] = 1
        assert {one.status for one in evaluate_document(kind, changed)} == {Status.NOT_COVERED}


@pytest.mark.parametrize("kind", ["derive_pmrm_vectors", "derive_srm_vectors"])
def test_a_parameter_without_meaning_is_not_covered(kind):
    changed = copy.deepcopy(DOCUMENTS[kind][0])
    changed["parameter_sets"]["plain"]["skew"] = wad(1)
    assert [one.status for one in evaluate_document(kind, changed)] == [Status.NOT_COVERED]
