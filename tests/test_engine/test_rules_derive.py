"""Derive's margin engines on portfolios whose figures can be done by hand: nothing left to expiry, or round numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from engine.errors import InvalidInput
from engine.rules import derive_pmrm as pmrm
from engine.rules import derive_srm as srm
from engine.rules.derive_options import Option, black76_price_wad, option_id
from engine.rules.fixed_point import WAD, divide_wad, multiply_wad, product_wad, wad_from_float

pytestmark = pytest.mark.fast

DAY = 86_400
MONEYNESS_STEP = 1_100
"""What truncating strike over forward to 18 decimals moves a price of a forward near 1,000 by."""


def wad(value: float) -> int:
    return round(value * 10**6) * 10**12


class TestFixedPoint:
    def test_truncates_toward_zero_on_both_sides(self):
        assert multiply_wad(1, WAD - 1) == 0
        assert multiply_wad(-1, WAD - 1) == 0
        assert multiply_wad(-3, WAD // 2) == -1
        assert divide_wad(-2 * WAD, 3 * WAD) == -666_666_666_666_666_666

    def test_each_step_of_a_product_is_truncated(self):
        assert product_wad(1, WAD // 2, 4 * WAD) == 0
        assert product_wad(4 * WAD, WAD // 2, 1) == 2

    def test_a_float_is_taken_as_the_fraction_that_it_is(self):
        assert wad_from_float(0.5) == WAD // 2
        assert wad_from_float(-0.1) == -100_000_000_000_000_005


class TestOptions:
    def test_id_packs_call_strike_and_expiry(self):
        assert option_id(1_700_000_000, wad(2_500), False) == 2_500 * 10**8 * 2**32 + 1_700_000_000
        assert option_id(1_700_000_000, wad(2_500), True) - option_id(1_700_000_000, wad(2_500), False) == 2**95
        with pytest.raises(InvalidInput):
            option_id(1_700_000_000, WAD + 1, True)

    def test_at_the_money_is_the_textbook_figure(self):
        # Deviation 0.2: 1000 (2 N(0.1) - 1), Hull's table.
        price = black76_price_wad(True, wad(1_000), wad(1_000), wad(0.2), 365 * DAY)
        assert price / WAD == pytest.approx(79.65567455405804, rel=1e-13)

    def test_put_call_parity_holds_but_for_truncation(self):
        both = [black76_price_wad(call, wad(1_010), wad(900), wad(0.7), 30 * DAY) for call in (True, False)]
        assert abs(both[0] - both[1] - wad(110)) <= 2 * MONEYNESS_STEP

    @pytest.mark.parametrize(
        ("forward", "strike", "volatility", "call", "put"),
        [(100, 0, 1, 100, 0), (0, 100, 1, 0, 100), (100, 90, 0, 10, 0), (100, 125, 0, 0, 25), (100, 125, 24, 100, 125)],
    )
    def test_limits(self, forward, strike, volatility, call, put):
        for is_call, price in ((True, call), (False, put)):
            assert black76_price_wad(is_call, wad(forward), wad(strike), wad(volatility), 365 * DAY) == wad(price)


PMRM = pmrm.Parameters(
    scenarios=tuple(pmrm.Scenario(wad(spot), shock) for spot in (1.2, 1.0, 0.8) for shock in pmrm.VolatilityShock),
    basis_spot_up_wad=wad(1.05),
    basis_spot_down_wad=wad(0.95),
    basis_add_factor_wad=wad(1),
    basis_multiply_factor_wad=wad(1.2),
    peg_loss_threshold_wad=wad(0.99),
    peg_loss_factor_wad=wad(4),
    confidence_threshold_wad=wad(0.55),
    confidence_margin_wad=wad(1),
    base_share_wad=wad(0.03),
    perpetual_share_wad=wad(0.02),
    option_share_wad=wad(0.01),
    initial_factor_wad=wad(1.25),
    rate_multiply_scale_wad=wad(1),
    rate_add_scale_wad=wad(0.12),
    base_static_discount_wad=wad(0.95),
    volatility_range_up_wad=wad(0.6),
    volatility_range_down_wad=wad(0.3),
    short_term_power_wad=wad(0.3),
    long_term_power_wad=wad(0.13),
    shortest_seconds=DAY,
)

FLAT = pmrm.Portfolio(
    spot_wad=wad(1_000),
    spot_confidence_wad=WAD,
    stable_wad=WAD,
    perpetual_price_wad=wad(1_000),
    perpetual_confidence_wad=WAD,
    cash_wad=wad(500),
    base_wad=0,
    perpetual_wad=0,
    perpetual_value_wad=0,
    expiries=(),
)


def option(strike: float, is_call: bool, amount: float, volatility: float = 0.0) -> Option:
    return Option(wad(strike), is_call, wad(amount), wad(volatility))


def pmrm_expiry(*options: Option, seconds: int = 0, **change: int) -> pmrm.Expiry:
    at = pmrm.Expiry(
        expiry=2_000_000_000,
        seconds_to_expiry=seconds,
        forward_fixed_wad=0,
        forward_variable_wad=wad(1_000),
        rate_wad=0,
        least_confidence_wad=WAD,
        options=options,
    )
    return replace(at, **change)


class TestPortfolioMargin:
    def test_cash_alone_is_its_own_margin_and_the_basis_wins_ties(self):
        found = pmrm.margin(FLAT, PMRM)
        assert (found.initial_wad, found.maintenance_wad) == (wad(500), wad(500))
        assert found.worst_scenario == len(PMRM.scenarios)
        assert pmrm.equally_bad(found, 0.0) == tuple(range(10))

    def test_perpetual_moves_by_its_price_and_its_contingency_by_spot(self):
        # Long 2 at 1,010, spot 1,000: loss 2 x 1,010 x 0.2 = 404, contingency 2 x 2 % x 1,000 = 40.
        held = replace(FLAT, perpetual_wad=wad(2), perpetual_price_wad=wad(1_010), perpetual_value_wad=wad(7))
        found = pmrm.margin(held, PMRM)
        assert found.maintenance_wad == wad(500 + 7 - 404 - 40)
        assert found.initial_wad == wad(500 + 7 - 444 * 1.25)
        assert found.worst_scenario == 6

    def test_base_is_worth_spot_over_the_stablecoin(self):
        found = pmrm.margin(replace(FLAT, base_wad=wad(1), stable_wad=wad(0.8)), PMRM)
        assert found.base_value_wad == wad(1_250)
        assert min(found.scenario_profits_wad) == wad(-250)

    def test_a_depeg_raises_the_factor_of_initial_margin_only(self):
        held = replace(FLAT, perpetual_wad=wad(1))
        at_threshold, below = (pmrm.margin(replace(held, stable_wad=wad(price)), PMRM) for price in (0.99, 0.94))
        assert at_threshold.initial_wad == wad(500 - 220 * 1.25)
        assert below.initial_wad == wad(500 - 220 * 1.45)
        assert below.maintenance_wad == at_threshold.maintenance_wad

    def test_confidence_is_compared_as_an_integer_and_strictly(self):
        held = replace(FLAT, perpetual_wad=wad(-1), spot_confidence_wad=wad(0.55))
        assert pmrm.margin(held, PMRM).confidence_contingency_wad == 0
        below = pmrm.margin(replace(held, spot_confidence_wad=wad(0.55) - 1), PMRM)
        assert below.confidence_contingency_wad == wad(450) + 1_000
        assert below.maintenance_wad == pmrm.margin(held, PMRM).maintenance_wad

    def test_the_perpetuals_confidence_counts_only_when_one_is_held(self):
        doubted = replace(FLAT, perpetual_confidence_wad=0)
        assert doubted.least_confidence_wad == WAD
        assert replace(doubted, perpetual_wad=1).least_confidence_wad == 0

    def test_a_long_expiry_is_discounted_after_netting_even_without_a_move(self):
        # Call spread 900/1000 worth 100 at expiry: 5 % of it is lost in the scenario that moves nothing.
        spread = pmrm_expiry(option(900, True, 1), option(1_000, True, -1))
        found = pmrm.margin(replace(FLAT, expiries=(spread,)), PMRM)
        assert found.scenario_profits_wad[3] == wad(-5)
        assert found.expiries[0].mark_wad == wad(100)

    def test_a_short_call_is_covered_by_a_put_of_its_strike_and_by_no_other(self):
        covered = pmrm_expiry(option(1_000, True, -3), option(1_000, False, 1), option(1_100, True, 5))
        found = pmrm.margin(replace(FLAT, expiries=(covered,)), PMRM)
        assert found.static_contingency_wad == wad(2 * 0.01 * 1_000)

    def test_basis_contingency_is_scaled_and_takes_the_place_of_a_milder_worst_scenario(self):
        still = replace(PMRM, scenarios=(pmrm.Scenario(WAD, pmrm.VolatilityShock.NONE),))
        short = pmrm_expiry(option(1_000, True, -1), seconds=0)
        found = pmrm.margin(replace(FLAT, expiries=(short,)), still)
        assert found.basis_contingency_wad == pytest.approx(wad(-50), abs=MONEYNESS_STEP)
        assert found.worst_scenario == 1
        assert found.maintenance_wad == pytest.approx(wad(500 - 50 - 10), abs=MONEYNESS_STEP)

    def test_shocks_move_only_the_variable_part_of_a_forward(self):
        half = pmrm_expiry(option(1_000, True, -1), forward_fixed_wad=wad(500), forward_variable_wad=wad(500))
        found = pmrm.margin(replace(FLAT, expiries=(half,)), PMRM)
        assert min(found.scenario_profits_wad) == pytest.approx(wad(-100), abs=MONEYNESS_STEP)

    def test_at_thirty_days_shocks_are_the_ranges_and_both_ends_are_bounded(self):
        far = replace(PMRM, long_term_power_wad=0, volatility_range_down_wad=wad(2))
        at, beyond, soon = (
            pmrm.margin(replace(FLAT, expiries=(pmrm_expiry(option(1_000, True, 1), seconds=seconds),)), change)
            for seconds, change in ((30 * DAY, PMRM), (60 * DAY, far), (1, PMRM))
        )
        assert at.expiries[0].volatility_up_wad == pytest.approx(1.6 * WAD, rel=1e-14)
        assert beyond.expiries[0].volatility_up_wad == pytest.approx(1.6 * WAD, rel=1e-14)
        assert beyond.expiries[0].volatility_down_wad == 0
        assert soon.expiries[0].volatility_up_wad == pytest.approx((1 + 0.6 * 30**0.3) * WAD, rel=1e-14)

    def test_long_and_short_power_part_just_beyond_thirty_days(self):
        details = [
            pmrm.margin(replace(FLAT, expiries=(pmrm_expiry(option(1_000, True, 1), seconds=s),)), PMRM).expiries[0]
            for s in (15 * DAY, 60 * DAY)
        ]
        assert details[0].volatility_up_wad == pytest.approx((1 + 0.6 * 2**0.3) * WAD, rel=1e-14)
        assert details[1].volatility_up_wad == pytest.approx((1 + 0.6 * 0.5**0.13) * WAD, rel=1e-14)

    def test_static_discount_takes_no_negative_rate(self):
        year = pmrm_expiry(option(1_000, True, 1), seconds=365 * DAY, rate_wad=wad(-0.5))
        detail = pmrm.margin(replace(FLAT, expiries=(year,)), PMRM).expiries[0]
        assert detail.static_discount_wad == pytest.approx(0.95 * math.exp(-0.12) * WAD, rel=1e-14)

    def test_a_trusted_assessor_looks_at_the_basis_moves_and_at_none(self):
        spots = [scenario.spot_factor_wad for scenario in pmrm.trusted_scenarios(PMRM)]
        assert spots == [wad(1.05), wad(0.95), WAD]


SRM = srm.MarketParameters(
    perpetual_maintenance_wad=wad(0.05),
    perpetual_initial_wad=wad(0.1),
    most_of_spot_wad=wad(0.15),
    least_of_spot_wad=wad(0.13),
    call_maintenance_of_spot_wad=wad(0.09),
    put_maintenance_of_spot_wad=wad(0.08),
    put_maintenance_of_mark_wad=wad(0.5),
    unpaired_initial_scale_wad=wad(1.2),
    unpaired_maintenance_scale_wad=wad(1.1),
    put_initial_over_maintenance_wad=wad(1.05),
    perpetual_confidence_threshold_wad=wad(0.6),
    option_confidence_threshold_wad=wad(0.5),
    base_confidence_threshold_wad=wad(0.4),
    confidence_factor_wad=wad(0.5),
    base_margin_factor_wad=wad(0.8),
    base_initial_scale_wad=wad(0.9),
)
PEGGED = srm.Depeg(wad(0.99), wad(2))
MARKET = srm.Market(
    parameters=SRM,
    spot_wad=wad(1_000),
    spot_confidence_wad=WAD,
    perpetual_price_wad=wad(1_010),
    perpetual_confidence_wad=WAD,
    base_wad=0,
    perpetual_wad=0,
    perpetual_value_wad=0,
    expiries=(),
)


def srm_market(*options: Option, **change: int) -> srm.Market:
    at = srm.Expiry(seconds_to_expiry=0, forward_wad=wad(1_000), least_confidence_wad=WAD, options=options)
    return replace(MARKET, **{"expiries": (at,) if options else (), **change})


def srm_dollars(market: srm.Market, stable: float = 1.0) -> tuple[float, float, float]:
    found = srm.market_margin(market, wad(stable), PEGGED)
    return found.initial_wad / WAD, found.maintenance_wad / WAD, found.mark_wad / WAD


class TestStandardMargin:
    def test_perpetual(self):
        assert srm_dollars(srm_market(perpetual_wad=wad(-2), perpetual_value_wad=wad(-30))) == (-232, -131, -30)

    def test_perpetuals_confidence_costs_initial_margin_strictly_below_its_threshold(self):
        held = srm_market(perpetual_wad=wad(2), perpetual_confidence_wad=wad(0.6))
        assert srm_dollars(held)[:2] == (-202, -101)
        doubted = replace(held, spot_confidence_wad=wad(0.4))
        assert srm_dollars(doubted)[:2] == (-202 - 0.6 * 0.5 * 2_000, -101)
        barely = srm.market_margin(replace(held, perpetual_confidence_wad=wad(0.6) - 1), WAD, PEGGED)
        assert barely.initial_wad < wad(-602) + wad(0.1)

    def test_base_counts_by_its_factor_and_its_mark_is_in_stablecoins(self):
        assert srm_dollars(srm_market(base_wad=wad(2)), stable=1.25) == (1_440, 1_600, 1_600)

    def test_base_without_margin_is_not_penalised(self):
        nothing = replace(SRM, base_margin_factor_wad=0)
        held = srm_market(base_wad=wad(2), spot_confidence_wad=0, parameters=nothing)
        assert srm_dollars(held)[0] == 0
        assert srm_dollars(srm_market(base_wad=wad(2), spot_confidence_wad=wad(0.2)))[0] == 1_440 - 0.8 * 0.5 * 2_000

    def test_short_call_by_itself(self):
        # Strike 1,010 is 1 % out of the money: 14 % of spot; far out, the least share.
        assert srm_dollars(srm_market(option(1_010, True, -1))) == (-140, -90, 0)
        assert srm_dollars(srm_market(option(1_500, True, -1))) == (-130, -90, 0)

    def test_short_put_by_itself(self):
        # Strike 990: 14 % of spot. Strike 2,000: maintenance 1,000 + 500 of the mark, initial 5 % above.
        assert srm_dollars(srm_market(option(990, False, -1))) == (-140, -80, 0)
        assert srm_dollars(srm_market(option(2_000, False, -1))) == (-1_575, -1_500, -1_000)

    def test_a_spread_costs_its_largest_loss_when_that_is_milder(self):
        assert srm_dollars(srm_market(option(900, True, -1), option(950, True, 1))) == (-50, -50, -50)

    def test_a_put_loses_most_at_zero(self):
        assert srm_dollars(srm_market(option(50, False, -1)))[:2] == (-50, -50)

    def test_unpaired_calls_add_the_forward_to_the_largest_loss(self):
        deep = option(1, True, -1)  # isolated: 150 + 999 and 90 + 999; largest loss: 1.2 or 1.1 forwards
        assert srm_dollars(srm_market(deep))[:2] == (-1_149, -1_089)
        dear = replace(SRM, most_of_spot_wad=wad(0.5), call_maintenance_of_spot_wad=wad(0.5))
        assert srm_dollars(srm_market(deep, parameters=dear))[:2] == (-1_200, -1_100)

    def test_doubted_options_cost_by_their_shorts_even_when_the_loss_is_bounded(self):
        spread = srm_market(option(900, True, -3), option(950, True, 3), spot_confidence_wad=wad(0.4))
        assert srm_dollars(spread)[:2] == (-150 - 0.6 * 0.5 * 1_000 * 3, -150)

    def test_a_depeg_counts_shorts_and_the_perpetual_initially(self):
        held = srm_market(option(1_500, True, -1), option(1_600, True, 2), perpetual_wad=wad(-3))
        assert held.penalised_wad == wad(4)
        milder, harsher = srm_dollars(held, 0.99), srm_dollars(held, 0.94)
        assert harsher[0] == pytest.approx(milder[0] - 0.05 * 2 * 4 * 1_000, rel=1e-14)
        assert harsher[1] == milder[1]

    def test_an_account_is_cash_and_its_markets(self):
        markets = [srm_market(perpetual_wad=wad(1)), srm_market(base_wad=wad(1))]
        found = srm.account_margin(wad(100), WAD, PEGGED, markets)
        assert found.initial_wad == wad(100 - 101 + 720)
        assert found.maintenance_wad == wad(100 - 50.5 + 800)

    def test_a_part_by_itself_holds_nothing_else(self):
        whole = srm_market(option(1_010, True, -1), perpetual_wad=wad(1), perpetual_value_wad=wad(9), base_wad=wad(1))
        assert srm_dollars(whole.only(perpetual=True)) == (-92, -41.5, 9)
        assert srm_dollars(whole.only(expiries=whole.expiries)) == (-140, -90, 0)
        assert srm_dollars(whole.only(base=True)) == (720, 800, 1_000)
