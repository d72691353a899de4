"""Standard margin of Derive v2: `StandardManager.sol` of derivexyz/v2-core at 7736900d, position by position.

Everything is an integer with 18 decimals, multiplied in the contract's order and truncated toward zero. Margins are
negative requirements; an account's total is net of equity, so that a negative one means that it falls short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.rules.derive_options import Option, black76_price_wad
from engine.rules.fixed_point import WAD, divide_wad, multiply_wad, product_wad


@dataclass(frozen=True, slots=True)
class MarketParameters:
    """The parameter structs of one market; the contract's names are in the comments where they differ."""

    perpetual_maintenance_wad: int  # mmPerpReq
    perpetual_initial_wad: int  # imPerpReq
    most_of_spot_wad: int  # maxSpotReq
    least_of_spot_wad: int  # minSpotReq
    call_maintenance_of_spot_wad: int  # mmCallSpotReq
    put_maintenance_of_spot_wad: int  # mmPutSpotReq
    put_maintenance_of_mark_wad: int  # MMPutMtMReq
    unpaired_initial_scale_wad: int  # unpairedIMScale
    unpaired_maintenance_scale_wad: int  # unpairedMMScale
    put_initial_over_maintenance_wad: int  # mmOffsetScale
    perpetual_confidence_threshold_wad: int  # perpThreshold
    option_confidence_threshold_wad: int  # optionThreshold
    base_confidence_threshold_wad: int  # baseThreshold
    confidence_factor_wad: int  # OCFactor
    base_margin_factor_wad: int  # marginFactor
    base_initial_scale_wad: int  # IMScale


@dataclass(frozen=True, slots=True)
class Depeg:
    """From which price of the stablecoin down, and how strongly, initial margin is penalised."""

    threshold_wad: int
    factor_wad: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """The options held at one expiry."""

    seconds_to_expiry: int
    forward_wad: int
    least_confidence_wad: int
    """Of forward and volatility."""
    options: tuple[Option, ...]

    @property
    def net_calls_wad(self) -> int:
        """Calls long less calls short."""
        return sum(option.amount_wad for option in self.options if option.is_call)

    @property
    def shorts_wad(self) -> int:
        """The magnitude of all short amounts."""
        return sum(max(-option.amount_wad, 0) for option in self.options)

    def mark_wad(self, option: Option) -> int:
        """Return what a holding is worth at the forward."""
        price = black76_price_wad(
            option.is_call, self.forward_wad, option.strike_wad, option.volatility_wad, self.seconds_to_expiry
        )
        return multiply_wad(price, option.amount_wad)


@dataclass(frozen=True, slots=True)
class Market:
    """An account's holdings in one market with its prices; `perpetual_value_wad` is unrealised profit and funding."""

    parameters: MarketParameters
    spot_wad: int
    spot_confidence_wad: int
    perpetual_price_wad: int
    perpetual_confidence_wad: int
    base_wad: int
    perpetual_wad: int
    perpetual_value_wad: int
    expiries: tuple[Expiry, ...]

    @property
    def penalised_wad(self) -> int:
        """The amount that a de-peg of the stablecoin counts on: short options and the perpetual."""
        return abs(self.perpetual_wad) + sum(expiry.shorts_wad for expiry in self.expiries)

    def only(self, *, base: bool = False, perpetual: bool = False, expiries: Sequence[Expiry] = ()) -> Market:
        """Return the market with nothing held but what is named."""
        return replace(
            self,
            base_wad=self.base_wad if base else 0,
            perpetual_wad=self.perpetual_wad if perpetual else 0,
            perpetual_value_wad=self.perpetual_value_wad if perpetual else 0,
            expiries=tuple(expiries),
        )


@dataclass(frozen=True, slots=True)
class Margin:
    """Initial and maintenance margin, and the mark; requirements are negative."""

    initial_wad: int
    maintenance_wad: int
    mark_wad: int


def account_margin(cash_wad: int, stable_wad: int, depeg: Depeg, markets: Sequence[Market]) -> Margin:
    """Return the margin of an account net of equity, as `getMarginAndMarkToMarket` does."""
    each = [market_margin(market, stable_wad, depeg) for market in markets]
    return Margin(
        cash_wad + sum(one.initial_wad for one in each),
        cash_wad + sum(one.maintenance_wad for one in each),
        cash_wad + sum(one.mark_wad for one in each),
    )


def market_margin(market: Market, stable_wad: int, depeg: Depeg) -> Margin:
    """Return the margin of one market without cash."""
    unrealised = market.perpetual_value_wad if market.perpetual_wad else 0
    penalty = multiply_wad(max(depeg.threshold_wad - stable_wad, 0), depeg.factor_wad)
    base = multiply_wad(market.base_wad, market.spot_wad)
    option_marks = sum(expiry.mark_wad(option) for expiry in market.expiries for option in expiry.options)

    def total(initial: bool) -> int:
        options = sum(expiry_margin(expiry, market, initial) for expiry in market.expiries)
        return _perpetual_margin(market, initial) + _base_margin(market, initial) + options + unrealised

    return Margin(
        total(True) - product_wad(market.penalised_wad, penalty, market.spot_wad),
        total(False),
        option_marks + unrealised + divide_wad(base, stable_wad),
    )


def expiry_margin(expiry: Expiry, market: Market, initial: bool) -> int:
    """Return the margin of one expiry: the milder of isolated margins and the largest loss at expiry, never above 0."""
    parameters = market.parameters
    isolated = sum(isolated_margin(expiry, option, market, initial) for option in expiry.options)
    largest_loss = min(_payoff(expiry, price) for price in (0, *(option.strike_wad for option in expiry.options)))
    bounded = min(largest_loss, 0)
    if expiry.net_calls_wad < 0:
        scale = parameters.unpaired_initial_scale_wad if initial else parameters.unpaired_maintenance_scale_wad
        bounded += product_wad(scale, expiry.forward_wad, expiry.net_calls_wad)
    margin = max(isolated, bounded)
    if not initial:
        return margin
    confidence = min(market.spot_confidence_wad, expiry.least_confidence_wad)
    threshold = parameters.option_confidence_threshold_wad
    return margin - _distrust(market, confidence, threshold, market.spot_wad, expiry.shorts_wad)


def isolated_margin(expiry: Expiry, option: Option, market: Market, initial: bool) -> int:
    """Return the margin of one holding by itself; a long one needs none."""
    if option.amount_wad > 0:
        return 0
    mark, parameters = expiry.mark_wad(option), market.parameters
    if option.is_call:
        share = _share_of_spot(option, market) if initial else parameters.call_maintenance_of_spot_wad
        return product_wad(share, market.spot_wad, option.amount_wad) + mark
    of_spot = product_wad(parameters.put_maintenance_of_spot_wad, market.spot_wad, option.amount_wad)
    maintenance = min(of_spot, multiply_wad(parameters.put_maintenance_of_mark_wad, mark)) + mark
    if not initial:
        return maintenance
    return min(
        product_wad(_share_of_spot(option, market), market.spot_wad, option.amount_wad) + mark,
        multiply_wad(maintenance, parameters.put_initial_over_maintenance_wad),
    )


def _share_of_spot(option: Option, market: Market) -> int:
    """Return the share of spot that a short needs initially: less the further out of the money, down to the least."""
    distance = option.strike_wad - market.spot_wad
    out_of_the_money = max(distance if option.is_call else -distance, 0)
    share = market.parameters.most_of_spot_wad - divide_wad(out_of_the_money, market.spot_wad)
    return max(share, market.parameters.least_of_spot_wad)


def _payoff(expiry: Expiry, price_wad: int) -> int:
    return sum(
        multiply_wad(max((price_wad - option.strike_wad) * (1 if option.is_call else -1), 0), option.amount_wad)
        for option in expiry.options
    )


def _perpetual_margin(market: Market, initial: bool) -> int:
    size, parameters = abs(market.perpetual_wad), market.parameters
    notional = multiply_wad(size, market.perpetual_price_wad)
    if not initial:
        return -multiply_wad(notional, parameters.perpetual_maintenance_wad)
    confidence = min(market.perpetual_confidence_wad, market.spot_confidence_wad)
    threshold = parameters.perpetual_confidence_threshold_wad
    distrust = _distrust(market, confidence, threshold, market.spot_wad, size)
    return -multiply_wad(notional, parameters.perpetual_initial_wad) - distrust


def _base_margin(market: Market, initial: bool) -> int:
    parameters = market.parameters
    notional = multiply_wad(market.base_wad, market.spot_wad)
    margin = multiply_wad(notional, parameters.base_margin_factor_wad)
    if not initial or margin == 0:
        return margin
    threshold = parameters.base_confidence_threshold_wad
    distrust = _distrust(market, market.spot_confidence_wad, threshold, notional)
    return multiply_wad(margin, parameters.base_initial_scale_wad) - distrust


def _distrust(market: Market, confidence_wad: int, threshold_wad: int, *amount_wad: int) -> int:
    """Return the penalty for a confidence below its threshold; a threshold of zero asks for nothing."""
    if confidence_wad >= threshold_wad:
        return 0
    return product_wad(WAD - confidence_wad, market.parameters.confidence_factor_wad, *amount_wad)
