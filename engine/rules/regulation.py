"""Minimums of regulation and facts of clearing houses' models, for presets: EU 153/2013 (EMIR), CPSS-IOSCO PFMI, CCPs.

Levels are probabilities, shares and moves fractions, days business days.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import InvalidInput

Fact = float | str | tuple["Fact", ...] | Mapping[str, "Fact"]

FACTS: Mapping[str, Mapping[str, Fact]] = {
    "emir_24_confidence": {"otc": 0.995, "other": 0.99},
    "emir_25_lookback": {"min_lookback_months": 12},
    "emir_26_liquidation": {"otc_business_days": 5, "other_business_days": 2, "other_gross_client_days": 1},
    "pfmi_6": {"single_tailed_confidence": 0.99},
    "occ_stans": {
        "measure": "ES",
        "level": 0.99,
        "horizon_days": 2,
        "addons": ("model risk", "stress tests", "liquidation cost", "various add-ons"),
    },
    "ice_clear_europe": {
        "energy": {"model": "FHS", "conf": 0.99, "lookback_days": (250, 500, 1_000), "mpor": 2},
        "cds": {"conf": 0.995, "mpor_house": 5, "mpor_client": 7},
    },
    "prisma_stress_floor": {"stress_dates": (250, 252), "event_risk_example_move_down_up": (-0.533, 0.355)},
}
"""Articles 24 to 26 of EU 153/2013 as amended by 2016/822, PFMI principle 6, 86 FR 9410, ice.com, Eurex circulars."""

LEAST_BUFFER_SHARE = 0.25
LEAST_STRESS_WEIGHT = 0.25
"""Articles 28(1)(a) and (b) of EU 153/2013."""

LCH_TAIL_SCENARIOS, LCH_SCENARIOS = 6, 2_500
LCH_LEGACY_DECAY = 0.97
"""SwapClear since 2013: the mean of the six worst of 2,500; before, volatility by a decay of 0.97."""

SPAN2_LEAST_LOOKBACK_YEARS = 10


def buffered_margin(calculated: float, buffer_share: float = LEAST_BUFFER_SHARE) -> float:
    """Return the margin in calm times under option (a): the buffer on top, to be released while margins rise."""
    if buffer_share < LEAST_BUFFER_SHARE:
        raise InvalidInput(f"a buffer of {buffer_share} is below {LEAST_BUFFER_SHARE}")
    return calculated * (1.0 + buffer_share)


def stress_weighted_margin(unstressed: float, stressed: float, weight: float = LEAST_STRESS_WEIGHT) -> float:
    """Return the margin under option (b): stressed observations weigh a quarter at least."""
    if not LEAST_STRESS_WEIGHT <= weight <= 1.0:
        raise InvalidInput(f"a stress weight of {weight} is not between {LEAST_STRESS_WEIGHT} and 1")
    return (1.0 - weight) * unstressed + weight * stressed


def floored_margin(calculated: float, ten_year_margin: float) -> float:
    """Return the margin under option (c): not below that of the volatility of ten years."""
    return max(calculated, ten_year_margin)


def span2_margin(history: float, stress: float, liquidity: float, concentration: float, history_weight: float) -> float:
    """Return the margin of CME SPAN 2: historical VaR and stress by weights, liquidity and concentration on top."""
    if not 0.0 <= history_weight <= 1.0:
        raise InvalidInput(f"a weight of {history_weight} is not between 0 and 1")
    return history_weight * history + (1.0 - history_weight) * stress + liquidity + concentration
