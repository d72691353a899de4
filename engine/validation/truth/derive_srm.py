"""Evaluation of accounts that were run on Derive's StandardManager contract, by `rules.derive_srm`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.rules import derive_srm as rules
from engine.rules.derive_options import option_id
from engine.validation.truth.case import Case, Computed, NotUnderstood, Tree
from engine.validation.truth.derive_holdings import HeldExpiry, Holdings, exactly, near, read_holdings, upstream


@dataclass(frozen=True, slots=True)
class _NamedMarket:
    """A market of an account, with its expiries by time."""

    name: str
    number: int
    holdings: Holdings
    expiries: Mapping[int, rules.Expiry]
    market: rules.Market

    @property
    def notional_wad(self) -> int:
        """What the tolerance is relative to."""
        others = abs(self.market.perpetual_wad) + self.market.base_wad
        return self.holdings.notional_wad(self.market.spot_wad, others)


def standard_margin(case: Case) -> Mapping[str, Tree]:
    """Evaluate an account: its margins, those of each part by itself, and each option's isolated margin."""
    table = case.shared("parameter_sets", case.word("parameter_set"))
    depeg = rules.Depeg(*(table.record("depeg").big_integer(name) for name in ("threshold", "depegFactor")))
    parameters = _parameters_by_market(table.record("markets"))
    inputs, now = case.record("inputs"), case.integer("block_timestamp")
    records, stable = inputs.record("markets"), inputs.big_integer("stable_price")
    markets = [_market(name, records.record(name), parameters, now) for name in records.fields]
    notional = sum(one.notional_wad for one in markets)

    def close(value_wad: int) -> Computed:
        return near(value_wad, notional)

    total = rules.account_margin(inputs.big_integer("cash"), stable, depeg, [one.market for one in markets])
    outputs: dict[str, Tree] = {
        **_margin(total, close),
        "components": [part for one in markets for part in _components(one, stable, depeg, close)],
        "isolated_options": {one.name: _isolated(one, close) for one in markets},
        "arranged": [_arranged(one) for one in markets],
    }
    checked: dict[str, Tree] = {one.name: one.holdings.checked for one in markets}
    computed: dict[str, Tree] = {"inputs": {"markets": checked}, "outputs": outputs}
    return computed | upstream(case, outputs)


def _components(
    named: _NamedMarket, stable_wad: int, depeg: rules.Depeg, close: Callable[[int], Computed]
) -> list[Tree]:
    """Return the margins of each expiry by itself, of the perpetual, of the base asset, and of all."""
    market = named.market
    parts: list[tuple[str, int | None, rules.Market]] = [
        ("options", expiry, market.only(expiries=[named.expiries[expiry]]))
        for expiry in named.holdings.listed
        if named.expiries[expiry].options
    ]
    if market.perpetual_wad:
        parts.append(("perp", None, market.only(perpetual=True)))
    if market.base_wad:
        parts.append(("base", None, market.only(base=True)))
    parts.append(("all", None, market))
    return [
        {
            "market": Computed(named.name),
            "part": Computed(part),
            **({} if expiry is None else {"expiry": exactly(expiry)}),
            **_margin(rules.market_margin(held, stable_wad, depeg), close),
        }
        for part, expiry, held in parts
    ]


def _isolated(named: _NamedMarket, close: Callable[[int], Computed]) -> list[Tree]:
    rows: list[Tree] = []
    for expiry, option in named.holdings.options:
        at = named.expiries[expiry]
        rows.append(
            {
                "sub_id": exactly(option_id(expiry, option.strike_wad, option.is_call)),
                "isolated_initial_margin": close(rules.isolated_margin(at, option, named.market, True)),
                "isolated_maintenance_margin": close(rules.isolated_margin(at, option, named.market, False)),
                "mark_to_market": close(at.mark_wad(option)),
            }
        )
    return rows


def _arranged(named: _NamedMarket) -> dict[str, Tree]:
    return {
        "market_id": exactly(named.number),
        "depeg_penalty_position": exactly(named.market.penalised_wad),
        "expiries": [
            {
                "expiry": exactly(held.expiry),
                "net_calls": exactly(named.expiries[held.expiry].net_calls_wad),
                "total_short_positions": exactly(named.expiries[held.expiry].shorts_wad),
            }
            for held in named.holdings.held
        ],
    }


def _margin(margin: rules.Margin, close: Callable[[int], Computed]) -> dict[str, Tree]:
    return {
        "initial_margin": close(margin.initial_wad),
        "maintenance_margin": close(margin.maintenance_wad),
        "mark_to_market": close(margin.mark_wad),
    }


def _market(name: str, record: Case, parameters: Mapping[str, rules.MarketParameters], now: int) -> _NamedMarket:
    if name not in parameters:
        raise NotUnderstood(f"no parameters for market {name}")
    holdings = read_holdings(record, now)
    expiries = {one.expiry: _expiry(one) for one in holdings.expiries}
    market = rules.Market(
        parameters=parameters[name],
        spot_wad=record.big_integer("spot_price"),
        spot_confidence_wad=record.big_integer("spot_confidence"),
        perpetual_price_wad=record.big_integer("perp_price"),
        perpetual_confidence_wad=record.big_integer("perp_confidence"),
        base_wad=record.big_integer("base"),
        perpetual_wad=record.big_integer("perp"),
        perpetual_value_wad=record.big_integer("perp_unrealised_pnl") + record.big_integer("perp_unrealised_funding"),
        expiries=tuple(expiries[one.expiry] for one in holdings.held),
    )
    return _NamedMarket(name, record.integer("market_id"), holdings, expiries, market)


def _expiry(held: HeldExpiry) -> rules.Expiry:
    confidences = (held.record.big_integer(name) for name in ("forward_confidence", "vol_confidence"))
    forward = held.record.big_integer("forward_price")
    return rules.Expiry(held.seconds_to_expiry, forward, min(confidences), held.options)


def _parameters_by_market(table: Case) -> dict[str, rules.MarketParameters]:
    return {name: _parameters(table.record(name)) for name in table.fields}


def _parameters(table: Case) -> rules.MarketParameters:
    perpetual, option = table.record("perp_margin"), table.record("option_margin")
    oracle, base = table.record("oracle_contingency"), table.record("base_margin")
    return rules.MarketParameters(
        perpetual_maintenance_wad=perpetual.big_integer("mmPerpReq"),
        perpetual_initial_wad=perpetual.big_integer("imPerpReq"),
        most_of_spot_wad=option.big_integer("maxSpotReq"),
        least_of_spot_wad=option.big_integer("minSpotReq"),
        call_maintenance_of_spot_wad=option.big_integer("mmCallSpotReq"),
        put_maintenance_of_spot_wad=option.big_integer("mmPutSpotReq"),
        put_maintenance_of_mark_wad=option.big_integer("MMPutMtMReq"),
        unpaired_initial_scale_wad=option.big_integer("unpairedIMScale"),
        unpaired_maintenance_scale_wad=option.big_integer("unpairedMMScale"),
        put_initial_over_maintenance_wad=option.big_integer("mmOffsetScale"),
        perpetual_confidence_threshold_wad=oracle.big_integer("perpThreshold"),
        option_confidence_threshold_wad=oracle.big_integer("optionThreshold"),
        base_confidence_threshold_wad=oracle.big_integer("baseThreshold"),
        confidence_factor_wad=oracle.big_integer("OCFactor"),
        base_margin_factor_wad=base.big_integer("marginFactor"),
        base_initial_scale_wad=base.big_integer("IMScale"),
    )
