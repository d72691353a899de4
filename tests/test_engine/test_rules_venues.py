"""Rules of venues on inputs whose results can be done by hand, and what they refuse."""

from __future__ import annotations

import pytest

from engine.errors import InvalidInput
from engine.rules import aevo, deribit, deribit_2019, drift, dydx, gmx, hyperliquid, okx, opyn, span, synthetix

pytestmark = pytest.mark.fast


class TestDeribit:
    PARAMETERS = deribit.Parameters(
        price_range=0.2, profit_offset=0.5, least_annual_move=0.01, annual_move_risk=0.1, maintenance_factor=0.8
    )

    def test_nine_moves_span_the_range(self):
        assert deribit.price_moves(0.2) == pytest.approx((-0.2, -0.15, -0.1, -0.05, 0, 0.05, 0.1, 0.15, 0.2))

    def test_inverse_profit_is_curved_against_the_long(self):
        assert deribit.inverse_profit_coin(3.0, -0.25) == pytest.approx(-1.0)
        assert deribit.inverse_profit_coin(3.0, 0.5) == pytest.approx(1.0)

    def test_a_long_loses_most_in_the_first_bucket(self):
        found = deribit.futures_margin([4.0], [0.0], self.PARAMETERS)
        assert (found.worst_case_coin, found.worst_bucket) == (pytest.approx(1.0), 1)
        assert found.initial_coin == pytest.approx(1.04)
        assert found.maintenance_coin == pytest.approx(0.832)
        assert found.aggregated_coin[8] == pytest.approx(0.5 * 4.0 * (1 - 1 / 1.2))

    def test_a_short_loses_most_in_the_last_bucket(self):
        found = deribit.futures_margin([-6.0], [0.0], self.PARAMETERS)
        assert (found.worst_case_coin, found.worst_bucket) == (pytest.approx(1.0), 9)

    def test_positions_net_but_each_pays_its_roll_by_its_expiry(self):
        found = deribit.futures_margin([2.0, -2.0], [0.0, 0.5], self.PARAMETERS)
        assert found.worst_case_coin == 0.0
        assert found.roll_shock_coin == pytest.approx(2.0 * 0.01 + 2.0 * 0.05)

    def test_volatility_moves_more_near_expiry(self):
        assert deribit.volatility_shock(0.4, 30.0, 0.3) == pytest.approx(0.4)
        assert deribit.volatility_shock(0.4, 7.5, 0.5) == pytest.approx(0.8)

    def test_refuses(self):
        for refused in (
            lambda: deribit.price_moves(1.0),
            lambda: deribit.inverse_profit_coin(1.0, -1.0),
            lambda: deribit.volatility_shock(0.4, 0.0, 0.3),
        ):
            with pytest.raises(InvalidInput):
                refused()


class TestDydx:
    TIER = dydx.LiquidityTier(base_initial_ppm=200_000, open_interest_lower=100, open_interest_upper=400)

    @pytest.mark.parametrize(
        ("open_notional", "ppm"), [(0, 200_000), (100, 200_000), (101, 202_666), (250, 600_000), (400, 1_000_000)]
    )
    def test_ratio_grows_between_the_caps_and_is_truncated(self, open_notional, ppm):
        assert dydx.adjusted_initial_ppm(self.TIER, open_notional) == ppm

    def test_an_upper_cap_of_zero_switches_growth_off(self):
        assert dydx.adjusted_initial_ppm(dydx.LiquidityTier(50_000, 0, 0), 10**18) == 50_000

    def test_margin_is_rounded_up_for_either_side(self):
        assert dydx.initial_margin_quantums(self.TIER, 0, 6) == 2
        assert dydx.initial_margin_quantums(self.TIER, 0, -6) == 2
        assert dydx.initial_margin_quantums(self.TIER, 0, 5) == 1

    def test_refuses_falling_caps_and_ratios_above_one(self):
        for fields in ((200_000, 5, 4), (1_000_001, 0, 0), (1, -1, 4)):
            with pytest.raises(InvalidInput):
                dydx.LiquidityTier(*fields)


class TestHyperliquid:
    TIERS = (hyperliquid.Tier(0.0, 50.0), hyperliquid.Tier(1_000.0, 25.0), hyperliquid.Tier(5_000.0, 10.0))

    @pytest.mark.parametrize(("notional", "margin"), [(0, 0), (500, 5), (1_000, 10), (2_000, 30), (6_000, 140)])
    def test_margin_is_continuous_across_tiers(self, notional, margin):
        assert hyperliquid.maintenance_margin_usd(float(notional), self.TIERS) == pytest.approx(margin)

    def test_refuses_tiers_that_do_not_ascend_from_zero(self):
        for tiers in ((), self.TIERS[1:], (self.TIERS[0], self.TIERS[2], self.TIERS[1])):
            with pytest.raises(InvalidInput):
                hyperliquid.maintenance_margin_usd(1.0, tiers)
        with pytest.raises(InvalidInput):
            hyperliquid.maintenance_margin_usd(-1.0, self.TIERS)


class TestGmx:
    RULE = gmx.CollateralRule(opening_factor=10**28, liquidation_factor=5 * 10**27, least_usd=10**30)

    def test_required_is_the_factor_of_size_but_not_below_the_least(self):
        assert gmx.required_collateral_usd(self.RULE, 1_000 * 10**30, opening=True) == 10 * 10**30
        assert gmx.required_collateral_usd(self.RULE, 1_000 * 10**30, opening=False) == 5 * 10**30
        assert gmx.required_collateral_usd(self.RULE, 50 * 10**30, opening=True) == 10**30

    def test_liquidation_is_strictly_below_and_always_at_nothing(self):
        size = 1_000 * 10**30
        assert not gmx.is_liquidatable(self.RULE, size, 5 * 10**30)
        assert gmx.is_liquidatable(self.RULE, size, 5 * 10**30 - 1)
        free = gmx.CollateralRule(0, 0, 0)
        assert gmx.is_liquidatable(free, size, 0)
        assert not gmx.is_liquidatable(free, size, 1)

    def test_refuses_negative_factors(self):
        with pytest.raises(InvalidInput):
            gmx.CollateralRule(-1, 0, 0)


class TestDrift:
    def test_without_a_factor_weights_stay(self):
        assert drift.scaled_asset_weight(10**15, 0, 9_000) == 9_000
        assert drift.scaled_liability_weight(10**15, 0, 11_000) == 11_000

    def test_large_sizes_weigh_less_as_assets_and_more_as_liabilities(self):
        # 10,000 tokens, factor 0.01: sqrt is 100, so 1.1/(1 + 1) and 0.8 x 1.1 + 1.
        assert drift.scaled_asset_weight(10**13, 10_000, 9_000) == 5_500
        assert drift.scaled_liability_weight(10**13, 10_000, 11_000) == 8_800 + 10_000

    def test_small_sizes_keep_their_weights(self):
        assert drift.scaled_asset_weight(1, 10_000, 9_000) == 9_000
        assert drift.scaled_liability_weight(1, 10_000, 11_000) == 11_000

    def test_refuses_negative_sizes(self):
        with pytest.raises(InvalidInput):
            drift.scaled_asset_weight(-1, 1, 9_000)


class TestSynthetix:
    MARKET = synthetix.Market(
        skew_scale=1_000.0,
        initial_ratio=1.0,
        least_initial_ratio=0.02,
        maintenance_scalar=0.5,
        least_position_margin_usd=10.0,
    )

    @pytest.mark.parametrize("size", [80.0, -80.0])
    def test_ratio_grows_with_size_over_the_skew_scale(self, size):
        found = synthetix.margins(self.MARKET, size, 5.0)
        assert (found.initial_ratio, found.maintenance_ratio) == pytest.approx((0.1, 0.05))
        assert (found.initial_usd, found.maintenance_usd) == pytest.approx((50.0, 30.0))

    def test_refuses_a_scale_of_zero(self):
        with pytest.raises(InvalidInput):
            synthetix.Market(0.0, 1.0, 0.02, 0.5, 10.0)


class TestOpyn:
    def test_put(self):
        assert opyn.naked_margin(True, 100.0, 90.0, 0.8, 0.25) == pytest.approx(0.25 * 80 + 10)
        assert opyn.naked_margin(True, 100.0, 40.0, 0.8, 0.25) == pytest.approx(0.25 * 40)

    def test_call_in_the_underlying(self):
        assert opyn.naked_margin(False, 100.0, 50.0, 0.8, 0.25) == pytest.approx(0.25 * 0.4 + 0.6)
        assert opyn.naked_margin(False, 100.0, 200.0, 0.8, 0.25) == pytest.approx(0.25)

    def test_refuses_a_spot_of_zero(self):
        with pytest.raises(InvalidInput):
            opyn.naked_margin(False, 0.0, 50.0, 0.8, 0.25)


class TestSpan:
    def test_a_linear_loss_is_worst_at_a_full_range_not_at_the_doubled_move(self):
        array = span.risk_array(lambda price, volatility: -100.0 * price)
        assert len(array) == 16
        assert span.scanning_risk([array]) == pytest.approx(100.0)
        assert array[-1] == pytest.approx(0.35 * 200.0)

    def test_a_far_option_is_worst_at_the_doubled_move(self):
        array = span.risk_array(lambda price, volatility: 1_000.0 * max(price - 1.5, 0.0) + volatility)
        assert span.scanning_risk([array]) == pytest.approx(0.35 * 500.0)

    def test_positions_offset_scenario_by_scenario_and_gains_are_no_credit(self):
        long, short = (span.risk_array(lambda price, volatility, side=side: side * price) for side in (-3.0, 2.0))
        assert span.scanning_risk([long, short]) == pytest.approx(1.0)
        assert span.scanning_risk([[-1.0] * 16]) == 0.0
        assert span.scanning_risk([]) == 0.0

    def test_refuses_an_array_of_another_length(self):
        with pytest.raises(InvalidInput):
            span.scanning_risk([[1.0] * 15])


def test_aevo_crosses_five_moves_with_three_shifts():
    assert len(set(aevo.SCENARIOS)) == 15
    assert aevo.SCENARIOS[0] == (0.2, 0.5)
    assert aevo.shifted_volatility(0.6, -0.25) == pytest.approx(0.35)
    assert aevo.shifted_volatility(0.1, -0.25) == 0.0
    with pytest.raises(InvalidInput):
        aevo.shifted_volatility(-0.1, 0.0)


@pytest.mark.parametrize(("size", "multiplier"), [(0, 1), (9_999, 1), (10_000, 2), (299_999, 6), (10**9, 12)])
def test_okx_multiplies_the_minimum_charge_by_size(size, multiplier):
    assert okx.minimum_charge_multiplier(size) == multiplier


def test_okx_tiers_join_without_gaps():
    tiers = okx.MINIMUM_CHARGE_TIERS
    assert [tier.below_usd for tier in tiers[:-1]] == [tier.from_usd for tier in tiers[1:]]
    with pytest.raises(InvalidInput):
        okx.minimum_charge_multiplier(-1.0)


def test_deribits_older_contingencies():
    # 200 options, 100 long and 150 short futures: 2 and 2.
    assert deribit_2019.contingency(200.0, 100.0, 150.0) == pytest.approx(4.0)
    assert deribit_2019.largest_volatility_move(15.0) == pytest.approx(0.4 * 2**0.5)
