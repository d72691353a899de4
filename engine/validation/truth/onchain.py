"""Evaluations of published margin rules of on-chain venues, by one file of `rules` each."""

from __future__ import annotations

from collections.abc import Mapping

from engine.rules import drift, dydx, hyperliquid, opyn, synthetix
from engine.validation.truth.case import Case, Computed, Tree

NANO_PER_TOKEN = 10**9


def onchain_case(case: Case) -> Mapping[str, Tree]:
    """Evaluate by the case's `kind`, which names the rule."""
    kinds = {
        "imf_ppm": _dydx_ratio,
        "im_quote_quantums": _dydx_margin,
        "tiered_mm": _hyperliquid,
        "sqrt_size_weight": _drift,
        "skew_scaled_im": _synthetix,
        "naked_option": _opyn,
    }
    return kinds[case.word("kind", *kinds)](case)


def _dydx_tier(case: Case) -> dydx.LiquidityTier:
    return dydx.LiquidityTier(case.integer("base_imf_ppm"), case.integer("oi_lower"), case.integer("oi_upper"))


def _dydx_ratio(case: Case) -> dict[str, Tree]:
    ratio = dydx.adjusted_initial_ppm(_dydx_tier(case), case.integer("open_notional"))
    return {"expected_ppm": Computed(ratio, 0.0)}


def _dydx_margin(case: Case) -> dict[str, Tree]:
    case.word("rounding", "up")
    margin = dydx.initial_margin_quantums(
        _dydx_tier(case), case.integer("open_notional"), case.integer("position_quote_quantums")
    )
    return {"expected_im": Computed(margin, 0.0)}


def _hyperliquid(case: Case) -> dict[str, Tree]:
    case.word("asset")  # says whose tiers these are; the tiers themselves follow
    tiers = [hyperliquid.Tier(row.number("lower_bound"), row.number("max_leverage")) for row in case.records("tiers")]
    return {"expected_mm": Computed(hyperliquid.maintenance_margin_usd(case.number("notional"), tiers))}


def _drift(case: Case) -> dict[str, Tree]:
    case.integer("decimals")  # of the token's own amounts; sizes are taken to 1e-9 before the rule
    size, factor = round(case.number("size_tokens") * NANO_PER_TOKEN), case.integer("imf_factor_1e6")
    asset = drift.scaled_asset_weight(size, factor, case.integer("initial_asset_weight_1e4"))
    liability = drift.scaled_liability_weight(size, factor, case.integer("initial_liability_weight_1e4"))
    return {"expected_asset_weight": Computed(asset, 0.0), "expected_liability_weight": Computed(liability, 0.0)}


def _synthetix(case: Case) -> dict[str, Tree]:
    market = synthetix.Market(
        skew_scale=case.number("skew_scale"),
        initial_ratio=case.number("initial_margin_ratio"),
        least_initial_ratio=case.number("minimum_imr"),
        maintenance_scalar=case.number("maintenance_scalar"),
        least_position_margin_usd=case.number("minimum_position_margin"),
    )
    found = synthetix.margins(market, case.number("size"), case.number("price"))
    return {
        "expected": {
            "imr": Computed(found.initial_ratio),
            "mmr": Computed(found.maintenance_ratio),
            "im": Computed(found.initial_usd),
            "mm": Computed(found.maintenance_usd),
        }
    }


def _opyn(case: Case) -> dict[str, Tree]:
    case.number_or("test_tolerance_relative", 0.0)  # of the source's own test; ours is the case's rel_tol
    margin = opyn.naked_margin(
        case.flag("is_put"),
        case.number("underlying"),
        case.number("strike"),
        case.number("spot_shock"),
        case.number("upper_bound_value"),
    )
    return {"expected_published": Computed(margin)}
