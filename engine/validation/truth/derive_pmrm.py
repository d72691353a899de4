"""Evaluation of accounts that were run on Derive's PMRM contract, by `rules.derive_pmrm`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from engine.rules import derive_pmrm as rules
from engine.validation.truth.case import Case, Computed, Tree
from engine.validation.truth.derive_holdings import (
    HeldExpiry,
    Holdings,
    exactly,
    near,
    read_holdings,
    tolerance_wad,
    upstream,
)

FACTOR_TOLERANCE_WAD = 10_000
"""1e-14 for factors that are exponentials of a logarithm."""


def portfolio_margin(case: Case) -> Mapping[str, Tree]:
    """Evaluate an account: margins, profit in every scenario, and what the contract precomputes."""
    parameters = _parameters(case.shared("parameter_sets", case.word("parameter_set")))
    inputs = case.record("inputs")
    holdings = read_holdings(inputs, case.integer("block_timestamp"))
    portfolio = _portfolio(inputs, holdings)
    found = rules.margin(portfolio, parameters)
    trusted = rules.margin(portfolio, replace(parameters, scenarios=rules.trusted_scenarios(parameters)))
    others = abs(portfolio.perpetual_wad) + portfolio.base_wad
    notional = holdings.notional_wad(portfolio.spot_wad, others)

    def close(value_wad: int) -> Computed:
        return near(value_wad, notional)

    def worst(result: rules.Margin) -> Computed:
        equals = rules.equally_bad(result, tolerance_wad(notional))
        return Computed(result.worst_scenario, 0.0, indistinguishable=equals)

    outputs: dict[str, Tree] = {
        "initial_margin": close(found.initial_wad),
        "maintenance_margin": close(found.maintenance_wad),
        "mark_to_market": close(found.mark_wad),
        "worst_scenario_index": worst(found),
        "scenario_pnl": [close(profit) for profit in found.scenario_profits_wad],
        "atm_maintenance_margin": close(trusted.maintenance_wad),
        "atm_worst_scenario_index": worst(trusted),
        "base_value": exactly(found.base_value_wad),
        "total_mtm_excl_cash": close(found.mark_wad - portfolio.cash_wad),
        "basis_contingency": close(found.basis_contingency_wad),
        "static_contingency": exactly(found.static_contingency_wad),
        "confidence_contingency": exactly(found.confidence_contingency_wad),
        "min_confidence": exactly(portfolio.least_confidence_wad),
        "expiries": [
            _expiry_outputs(expiry, detail, close)
            for expiry, detail in zip(portfolio.expiries, found.expiries, strict=True)
        ],
    }
    computed: dict[str, Tree] = {"inputs": holdings.checked, "outputs": outputs}
    return computed | upstream(case, outputs)


def _expiry_outputs(
    expiry: rules.Expiry, detail: rules.ExpiryDetail, close: Callable[[int], Computed]
) -> dict[str, Tree]:
    return {
        "expiry": exactly(expiry.expiry),
        "secToExpiry": exactly(expiry.seconds_to_expiry),
        "rate": exactly(expiry.rate_wad),
        "minConfidence": exactly(detail.least_confidence_wad),
        "netOptions": exactly(expiry.net_options_wad),
        "mtm": close(detail.mark_wad),
        "basisScenarioUpMtM": close(detail.basis_up_mark_wad),
        "basisScenarioDownMtM": close(detail.basis_down_mark_wad),
        "volShockUp": Computed(detail.volatility_up_wad, FACTOR_TOLERANCE_WAD),
        "volShockDown": Computed(detail.volatility_down_wad, FACTOR_TOLERANCE_WAD),
        "staticDiscount": Computed(detail.static_discount_wad, FACTOR_TOLERANCE_WAD),
    }


def _portfolio(inputs: Case, holdings: Holdings) -> rules.Portfolio:
    expiries = [_expiry(one) for one in holdings.expiries]
    return rules.Portfolio(
        spot_wad=inputs.big_integer("spot_price"),
        spot_confidence_wad=inputs.big_integer("spot_confidence"),
        stable_wad=inputs.big_integer("stable_price"),
        perpetual_price_wad=inputs.big_integer("perp_price"),
        perpetual_confidence_wad=inputs.big_integer("perp_confidence"),
        cash_wad=inputs.big_integer("cash"),
        base_wad=inputs.big_integer("base"),
        perpetual_wad=inputs.big_integer("perp"),
        perpetual_value_wad=inputs.big_integer("perp_unrealised_pnl") + inputs.big_integer("perp_unrealised_funding"),
        expiries=tuple(expiry for expiry in expiries if expiry.options),
    )


def _expiry(held: HeldExpiry) -> rules.Expiry:
    record = held.record
    confidences = ("forward_confidence", "rate_confidence", "vol_confidence")
    return rules.Expiry(
        expiry=held.expiry,
        seconds_to_expiry=held.seconds_to_expiry,
        forward_fixed_wad=record.big_integer("forward_fixed_portion"),
        forward_variable_wad=record.big_integer("forward_variable_portion"),
        rate_wad=record.big_integer("rate"),
        least_confidence_wad=min(record.big_integer(name) for name in confidences),
        options=held.options,
    )


def _parameters(table: Case) -> rules.Parameters:
    basis, other = table.record("basis_contingency"), table.record("other_contingency")
    margin, volatility = table.record("margin"), table.record("vol_shock")
    return rules.Parameters(
        scenarios=tuple(_scenario(one) for one in table.records("scenarios")),
        basis_spot_up_wad=basis.big_integer("scenarioSpotUp"),
        basis_spot_down_wad=basis.big_integer("scenarioSpotDown"),
        basis_add_factor_wad=basis.big_integer("basisContAddFactor"),
        basis_multiply_factor_wad=basis.big_integer("basisContMultFactor"),
        peg_loss_threshold_wad=other.big_integer("pegLossThreshold"),
        peg_loss_factor_wad=other.big_integer("pegLossFactor"),
        confidence_threshold_wad=other.big_integer("confThreshold"),
        confidence_margin_wad=other.big_integer("confMargin"),
        base_share_wad=other.big_integer("basePercent"),
        perpetual_share_wad=other.big_integer("perpPercent"),
        option_share_wad=other.big_integer("optionPercent"),
        initial_factor_wad=margin.big_integer("imFactor"),
        rate_multiply_scale_wad=margin.big_integer("rateMultScale"),
        rate_add_scale_wad=margin.big_integer("rateAddScale"),
        base_static_discount_wad=margin.big_integer("baseStaticDiscount"),
        volatility_range_up_wad=volatility.big_integer("volRangeUp"),
        volatility_range_down_wad=volatility.big_integer("volRangeDown"),
        short_term_power_wad=volatility.big_integer("shortTermPower"),
        long_term_power_wad=volatility.big_integer("longTermPower"),
        shortest_seconds=volatility.integer("dteFloor"),
    )


def _scenario(record: Case) -> rules.Scenario:
    shocks = {shock.value: shock for shock in rules.VolatilityShock}
    return rules.Scenario(record.big_integer("spotShock"), shocks[record.word("volShock", *shocks)])
