"""Portfolio margin of Derive v2: `PMRM.sol` and `PMRMLib.sol` of derivexyz/v2-core at 7736900d.

Everything is an integer with 18 decimals unless its name says otherwise, multiplied in the contract's order and
truncated toward zero. A margin is net of equity: negative means that the account falls short.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from engine.rules.derive_options import Option, exponential_wad, power_wad, value_wad, years_wad
from engine.rules.fixed_point import WAD, divide_wad, multiply_wad, product_wad

SHORT_TERM_SECONDS = 30 * 86_400
"""Up to and including this time to expiry the short-term power holds."""


class VolatilityShock(Enum):
    """Which way a scenario moves volatilities."""

    NONE = "None"
    UP = "Up"
    DOWN = "Down"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Spot times a factor, with a move of volatility."""

    spot_factor_wad: int
    volatility: VolatilityShock


@dataclass(frozen=True, slots=True)
class Parameters:
    """The four parameter structs of `PMRMLib` and the scenarios of `PMRM`; the contract's names are in the comments."""

    scenarios: tuple[Scenario, ...]
    basis_spot_up_wad: int  # scenarioSpotUp
    basis_spot_down_wad: int  # scenarioSpotDown
    basis_add_factor_wad: int  # basisContAddFactor
    basis_multiply_factor_wad: int  # basisContMultFactor
    peg_loss_threshold_wad: int
    peg_loss_factor_wad: int
    confidence_threshold_wad: int  # confThreshold
    confidence_margin_wad: int  # confMargin
    base_share_wad: int  # basePercent
    perpetual_share_wad: int  # perpPercent
    option_share_wad: int  # optionPercent
    initial_factor_wad: int  # imFactor
    rate_multiply_scale_wad: int  # rateMultScale
    rate_add_scale_wad: int
    base_static_discount_wad: int
    volatility_range_up_wad: int  # volRangeUp
    volatility_range_down_wad: int
    short_term_power_wad: int
    long_term_power_wad: int
    shortest_seconds: int  # dteFloor


@dataclass(frozen=True, slots=True)
class Expiry:
    """The options held at one expiry, with its forward in two parts: a shock moves only the variable one."""

    expiry: int
    seconds_to_expiry: int
    forward_fixed_wad: int
    forward_variable_wad: int
    rate_wad: int
    least_confidence_wad: int
    """Of forward, rate and volatility."""
    options: tuple[Option, ...]

    @property
    def net_options_wad(self) -> int:
        """The sum of the amounts' magnitudes."""
        return sum(abs(option.amount_wad) for option in self.options)

    def value_wad(self, spot_factor_wad: int, volatility_factor_wad: int = WAD) -> int:
        """Return the mark of the options after a move."""
        forward = multiply_wad(self.forward_variable_wad, spot_factor_wad) + self.forward_fixed_wad
        return value_wad(self.options, forward, volatility_factor_wad, self.seconds_to_expiry)


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account of one underlying with its prices; `perpetual_value_wad` is unrealised profit and funding."""

    spot_wad: int
    spot_confidence_wad: int
    stable_wad: int
    perpetual_price_wad: int
    perpetual_confidence_wad: int
    cash_wad: int
    base_wad: int
    perpetual_wad: int
    perpetual_value_wad: int
    expiries: tuple[Expiry, ...]

    @property
    def least_confidence_wad(self) -> int:
        """Of the spot, and of the perpetual if one is held."""
        return min(self.spot_confidence_wad, self.perpetual_confidence_wad if self.perpetual_wad else WAD)


@dataclass(frozen=True, slots=True)
class ExpiryDetail:
    """What the contract computes once for an expiry."""

    mark_wad: int
    basis_up_mark_wad: int
    basis_down_mark_wad: int
    volatility_up_wad: int
    volatility_down_wad: int
    static_discount_wad: int
    least_confidence_wad: int


@dataclass(frozen=True, slots=True)
class Margin:
    """The result with its parts; `worst_scenario` is the number of scenarios when the basis contingency was worst."""

    initial_wad: int
    maintenance_wad: int
    mark_wad: int
    worst_scenario: int
    scenario_profits_wad: tuple[int, ...]
    base_value_wad: int
    basis_contingency_wad: int
    static_contingency_wad: int
    confidence_contingency_wad: int
    expiries: tuple[ExpiryDetail, ...]


def margin(portfolio: Portfolio, parameters: Parameters) -> Margin:
    """Return initial and maintenance margin of an account, net of equity, as `getMarginAndMarkToMarket` does."""
    details = tuple(_detail(expiry, portfolio, parameters) for expiry in portfolio.expiries)
    base_value = _base_value(portfolio, WAD)
    mark = base_value + portfolio.perpetual_value_wad + sum(one.mark_wad for one in details) + portfolio.cash_wad
    basis = _basis_contingency(portfolio, details, parameters)
    profits = tuple(_scenario_profit(portfolio, details, one) for one in parameters.scenarios)
    worst = min((basis, -1), *((profit, number) for number, profit in enumerate(profits)))
    static = _static_contingency(portfolio, parameters)
    confidence = _confidence_contingency(portfolio, details, parameters)
    loss = worst[0] - static
    return Margin(
        initial_wad=multiply_wad(loss, _initial_factor(portfolio, parameters)) - confidence + mark,
        maintenance_wad=loss + mark,
        mark_wad=mark,
        worst_scenario=worst[1] if worst[1] >= 0 else len(profits),
        scenario_profits_wad=profits,
        base_value_wad=base_value,
        basis_contingency_wad=basis,
        static_contingency_wad=static,
        confidence_contingency_wad=confidence,
        expiries=details,
    )


def equally_bad(result: Margin, tolerance_wad: float) -> tuple[int, ...]:
    """Return the indices whose profit is within a tolerance of the worst; the last stands for the basis contingency."""
    candidates = (*result.scenario_profits_wad, result.basis_contingency_wad)
    limit = min(candidates) + tolerance_wad
    return tuple(number for number, profit in enumerate(candidates) if profit <= limit)


def trusted_scenarios(parameters: Parameters) -> tuple[Scenario, ...]:
    """Return the three scenarios by which a trusted assessor passes: the basis moves, and no move at all."""
    spots = (parameters.basis_spot_up_wad, parameters.basis_spot_down_wad, WAD)
    return tuple(Scenario(spot, VolatilityShock.NONE) for spot in spots)


def _detail(expiry: Expiry, portfolio: Portfolio, parameters: Parameters) -> ExpiryDetail:
    seconds = expiry.seconds_to_expiry
    power = parameters.short_term_power_wad if seconds <= SHORT_TERM_SECONDS else parameters.long_term_power_wad
    tenor = power_wad(SHORT_TERM_SECONDS * WAD // max(seconds, parameters.shortest_seconds), power)
    rate = multiply_wad(max(expiry.rate_wad, 0), parameters.rate_multiply_scale_wad) + parameters.rate_add_scale_wad
    discount = exponential_wad(-multiply_wad(years_wad(seconds), rate))
    return ExpiryDetail(
        mark_wad=expiry.value_wad(WAD),
        basis_up_mark_wad=expiry.value_wad(parameters.basis_spot_up_wad),
        basis_down_mark_wad=expiry.value_wad(parameters.basis_spot_down_wad),
        volatility_up_wad=WAD + multiply_wad(parameters.volatility_range_up_wad, tenor),
        volatility_down_wad=max(WAD - multiply_wad(parameters.volatility_range_down_wad, tenor), 0),
        static_discount_wad=multiply_wad(parameters.base_static_discount_wad, discount),
        least_confidence_wad=min(portfolio.least_confidence_wad, expiry.least_confidence_wad),
    )


def _scenario_profit(portfolio: Portfolio, details: Sequence[ExpiryDetail], scenario: Scenario) -> int:
    """Discount what an expiry is worth after the move when that is positive, after netting within the expiry."""
    profit = 0
    for expiry, detail in zip(portfolio.expiries, details, strict=True):
        factor = {
            VolatilityShock.NONE: WAD,
            VolatilityShock.UP: detail.volatility_up_wad,
            VolatilityShock.DOWN: detail.volatility_down_wad,
        }[scenario.volatility]
        value = expiry.value_wad(scenario.spot_factor_wad, factor)
        profit += (multiply_wad(value, detail.static_discount_wad) if value > 0 else value) - detail.mark_wad
    move = multiply_wad(scenario.spot_factor_wad - WAD, portfolio.perpetual_price_wad)
    base = _base_value(portfolio, scenario.spot_factor_wad) - _base_value(portfolio, WAD)
    return profit + base + multiply_wad(portfolio.perpetual_wad, move)


def _base_value(portfolio: Portfolio, spot_factor_wad: int) -> int:
    return divide_wad(product_wad(portfolio.base_wad, portfolio.spot_wad, spot_factor_wad), portfolio.stable_wad)


def _basis_contingency(portfolio: Portfolio, details: Sequence[ExpiryDetail], parameters: Parameters) -> int:
    total = 0
    for expiry, detail in zip(portfolio.expiries, details, strict=True):
        loss = min(detail.basis_up_mark_wad - detail.mark_wad, detail.basis_down_mark_wad - detail.mark_wad, 0)
        years = years_wad(expiry.seconds_to_expiry)
        factor = parameters.basis_add_factor_wad + multiply_wad(parameters.basis_multiply_factor_wad, years)
        total += multiply_wad(loss, factor)
    return total


def _static_contingency(portfolio: Portfolio, parameters: Parameters) -> int:
    linear = multiply_wad(abs(portfolio.perpetual_wad), parameters.perpetual_share_wad) + multiply_wad(
        portfolio.base_wad, parameters.base_share_wad
    )
    total = multiply_wad(linear, portfolio.spot_wad)
    for expiry in portfolio.expiries:
        total += product_wad(_naked_shorts(expiry), parameters.option_share_wad, portfolio.spot_wad)
    return total


def _naked_shorts(expiry: Expiry) -> int:
    """Count shorts that no long at their strike covers, calls and puts together."""
    at_strike: dict[int, list[int]] = defaultdict(list)
    for option in expiry.options:
        at_strike[option.strike_wad].append(option.amount_wad)
    return sum(max(-sum(amounts), 0) for amounts in at_strike.values())


def _confidence_contingency(portfolio: Portfolio, details: Sequence[ExpiryDetail], parameters: Parameters) -> int:
    affected = [(portfolio.least_confidence_wad, abs(portfolio.perpetual_wad) + portfolio.base_wad)]
    for expiry, detail in zip(portfolio.expiries, details, strict=True):
        affected.append((detail.least_confidence_wad, expiry.net_options_wad))
    return sum(
        product_wad(WAD - confidence, parameters.confidence_margin_wad, amount, portfolio.spot_wad)
        for confidence, amount in affected
        if confidence < parameters.confidence_threshold_wad
    )


def _initial_factor(portfolio: Portfolio, parameters: Parameters) -> int:
    shortfall = max(parameters.peg_loss_threshold_wad - portfolio.stable_wad, 0)
    return parameters.initial_factor_wad + multiply_wad(shortfall, parameters.peg_loss_factor_wad)
