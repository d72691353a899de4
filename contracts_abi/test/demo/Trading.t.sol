// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {DemoExchange} from "../../src/demo/DemoExchange.sol";
import {DemoGenesis} from "../../src/demo/DemoGenesis.sol";
import {DemoLedger} from "../../src/demo/DemoLedger.sol";
import {DemoMarkets} from "../../src/demo/DemoMarkets.sol";
import {ExchangeFixture} from "./ExchangeFixture.sol";

/// @title Cash, trading and liquidation by ratios.
contract TradingTest is ExchangeFixture {
    function setUp() external {
        deployVenue();
        exchange.open();
        fund(TRADER, 1_000e6);
    }

    function expectInsufficient() internal {
        vm.expectPartialRevert(DemoExchange.InsufficientMargin.selector);
    }

    // ------------------------------------------------------------------ cash

    function test_deposit_and_withdraw() external {
        vm.assertEq(cashOf(TRADER), 1_000e6);
        vm.prank(TRADER);
        exchange.withdraw(400e6);
        vm.assertEq(cashOf(TRADER), 600e6);
        vm.assertEq(dollar.balanceOf(TRADER), 400e6);
        vm.prank(TRADER);
        expectInsufficient();
        exchange.withdraw(600e6 + 1);
    }

    function test_withdraw_leaves_initial_margin() external {
        trade(TRADER, ETH_PERPETUAL, ONE); // 3,000 of notional, 300 of margin
        vm.prank(TRADER);
        expectInsufficient();
        exchange.withdraw(700e6 + 1);
        vm.prank(TRADER);
        exchange.withdraw(700e6);
    }

    // ------------------------------------------------------------------ opening

    function test_a_trade_moves_value_between_cash_and_position() external {
        trade(TRADER, ETH_PERPETUAL, ONE);
        vm.assertEq(cashOf(TRADER), 1_000e6 - 3_000e6);
        vm.assertEq(exchange.equityMicro(TRADER), 1_000e6);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), ONE);
        vm.assertEq(versionOf(TRADER), 1);
        price(3_100e8, BTC_PRICE);
        vm.assertEq(exchange.equityMicro(TRADER), 1_100e6);
        trade(TRADER, ETH_PERPETUAL, -ONE);
        vm.assertEq(cashOf(TRADER), 1_100e6);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
    }

    function test_opening_needs_initial_margin_by_ratios() external {
        int64 most = 333_333_333; // 3.33333333 ETH: 999.999999 of margin
        trade(TRADER, ETH_PERPETUAL, most);
        vm.assertEq(exchange.initialByRatiosWad(TRADER), 999.999999e18);
        vm.assertEq(exchange.maintenanceByRatiosWad(TRADER), 499.9999995e18);
        vm.prank(TRADER);
        vm.expectRevert(
            abi.encodeWithSelector(
                DemoExchange.InsufficientMargin.selector, TRADER, int256(1_000e18), uint256(1_000.000002e18)
            )
        );
        exchange.trade(ETH_PERPETUAL, 1);
    }

    function test_short_costs_its_own_ratio() external {
        trade(TRADER, ETH_PERPETUAL, -2 * ONE);
        vm.assertEq(exchange.initialByRatiosWad(TRADER), 720e18);
        vm.prank(TRADER);
        expectInsufficient();
        exchange.trade(ETH_PERPETUAL, -ONE);
    }

    function test_options_pay_their_ratio_of_the_underlying() external {
        trade(TRADER, ETH_CALL, -ONE);
        vm.assertEq(exchange.initialByRatiosWad(TRADER), 360e18);
        vm.assertTrue(cashOf(TRADER) > 1_000e6, "no premium received");
        vm.assertEq(exchange.equityMicro(TRADER), 1_000e6 - 1); // rounded down twice
    }

    function test_reducing_is_allowed_below_margin_when_it_does_not_hurt() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE);
        price(2_750e8, BTC_PRICE); // equity 250, initial 825
        vm.prank(TRADER);
        expectInsufficient();
        exchange.trade(ETH_PERPETUAL, 1);
        trade(TRADER, ETH_PERPETUAL, -ONE);
        trade(TRADER, ETH_PERPETUAL, -2 * ONE);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
    }

    function test_turning_a_position_is_not_reducing_it() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE);
        price(2_750e8, BTC_PRICE);
        vm.prank(TRADER);
        expectInsufficient();
        exchange.trade(ETH_PERPETUAL, -6 * ONE);
    }

    function test_while_the_oracle_is_silent_opening_costs_the_fallback() external {
        pass(2 hours);
        price(ETH_PRICE, BTC_PRICE);
        vm.prank(TRADER);
        expectInsufficient(); // 30 % of 4,000
        exchange.trade(ETH_PERPETUAL, 4 * ONE / 3);
        trade(TRADER, ETH_PERPETUAL, ONE);
        vm.assertEq(exchange.initialByRatiosWad(TRADER), 900e18);
    }

    function test_what_cannot_be_traded() external {
        vm.prank(TRADER);
        vm.expectRevert(DemoExchange.NothingToTrade.selector);
        exchange.trade(ETH_PERPETUAL, 0);
        vm.prank(TRADER);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.UnknownInstrument.selector, 5));
        exchange.trade(5, ONE);
        pass(30 days);
        price(ETH_PRICE, BTC_PRICE);
        vm.prank(TRADER);
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.NotTradable.selector, ETH_CALL));
        exchange.trade(ETH_CALL, ONE);
    }

    function test_positions_are_bounded() external {
        for (uint256 i = 0; i < 40; ++i) {
            exchange.listInstrument(DemoMarkets.Kind.Perpetual, ETH, 1, 0, 0);
        }
        for (uint32 i = 0; i < 32; ++i) {
            trade(TRADER, 5 + i, 1000);
        }
        vm.prank(TRADER);
        vm.expectRevert(abi.encodeWithSelector(DemoLedger.TooManyPositions.selector, TRADER));
        exchange.trade(ETH_PERPETUAL, 1000);
        trade(TRADER, 5, -1000);
        trade(TRADER, ETH_PERPETUAL, 1000);
    }

    // ------------------------------------------------------------------ prices

    function test_bad_and_stale_prices_stop_everything() external {
        trade(TRADER, ETH_PERPETUAL, ONE);
        price(0, BTC_PRICE);
        vm.prank(TRADER);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.BadPrice.selector, ETH, 0));
        exchange.trade(ETH_PERPETUAL, ONE);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.BadPrice.selector, ETH, 0));
        exchange.liquidate(TRADER);
        price(ETH_PRICE, BTC_PRICE);
        uint256 updatedAt = vm.getBlockTimestamp();
        pass(3900);
        exchange.equityMicro(TRADER);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.StalePrice.selector, ETH, updatedAt));
        exchange.equityMicro(TRADER);
        exchange.setMaximumPriceAge(ETH, 3901);
        exchange.equityMicro(TRADER);
    }

    // ------------------------------------------------------------------ liquidating

    function test_liquidation_below_maintenance_by_ratios() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE); // maintenance 5 %
        price(2_806e8, BTC_PRICE); // equity 418, maintenance 420.9
        vm.prank(LIQUIDATOR);
        exchange.liquidate(TRADER);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
        int256 fee = 42_090_000; // 0.5 % of 8,418
        vm.assertEq(cashOf(LIQUIDATOR), fee);
        vm.assertEq(cashOf(TRADER), 418e6 - fee);
        vm.assertEq(exchange.badDebtMicro(), 0);
    }

    function test_no_liquidation_at_or_above_maintenance() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE);
        price(2_850e8, BTC_PRICE); // equity 550, maintenance 427.5
        vm.expectRevert(
            abi.encodeWithSelector(DemoExchange.NotLiquidatable.selector, TRADER, int256(550e18), uint256(427.5e18))
        );
        exchange.liquidate(TRADER);
    }

    function test_bad_debt_is_counted_and_never_owed_by_cash() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE);
        price(2_600e8, BTC_PRICE); // equity -200
        vm.prank(LIQUIDATOR);
        exchange.liquidate(TRADER);
        vm.assertEq(cashOf(TRADER), 0);
        vm.assertEq(exchange.badDebtMicro(), 200e6 + 39e6); // and the fee, 0.5 % of 7,800
    }

    function test_a_silent_oracle_liquidates_nobody() external {
        trade(TRADER, ETH_PERPETUAL, 3 * ONE);
        pass(3 days);
        price(ETH_PRICE, BTC_PRICE);
        vm.expectPartialRevert(DemoExchange.NotLiquidatable.selector);
        exchange.liquidate(TRADER);
    }

    function test_an_empty_account_is_not_liquidated() external {
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.NotLiquidatable.selector, STRANGER, int256(0), uint256(0)));
        exchange.liquidate(STRANGER);
    }

    // ------------------------------------------------------------------ rounding

    function testFuzz_going_round_never_pays(int64 size, uint256 ethE8) external {
        size = int64(int256(bound(uint64(size), 1, 3 * 1e8)));
        fund(TRADER, 100_000e6);
        price(bound(ethE8, 100e8, 10_000e8), BTC_PRICE);
        trade(TRADER, ETH_PERPETUAL, size);
        vm.assertTrue(exchange.equityMicro(TRADER) <= 101_000e6, "equity out of nothing");
        trade(TRADER, ETH_PERPETUAL, -size);
        int256 cash = cashOf(TRADER);
        vm.assertTrue(cash <= 101_000e6 && cash >= 101_000e6 - 2, "cash out of nothing");
    }

    // ------------------------------------------------------------------ genesis

    function newVenue() internal returns (DemoExchange venue) {
        venue = newExchange();
        venue.addUnderlying("ETH", ethFeed, 100, 1_000 * 1e8);
        venue.listInstrument(DemoMarkets.Kind.Perpetual, ETH, 1, 0, 0);
        venue.listInstrument(DemoMarkets.Kind.Future, ETH, 1, 0, expiry);
    }

    function test_seeding_creates_accounts_with_positions() external {
        DemoExchange venue = newVenue();
        bytes memory packed = abi.encodePacked(
            abi.encodePacked(TRADER, int64(500e6), uint8(2), uint32(0), int64(-2 * ONE), uint32(1), ONE),
            abi.encodePacked(STRANGER, int64(-7), uint8(0))
        );
        venue.seedAccounts(packed);
        vm.assertEq(venue.accountCount(), 2);
        vm.assertEq(venue.accountAt(1), STRANGER);
        (int64 cash, uint64 version, bool byProof) = venue.accountState(TRADER);
        vm.assertEq(cash, 500e6);
        vm.assertEq(version, 1);
        vm.assertTrue(!byProof, "by proof");
        (uint32[] memory ids, int64[] memory sizes) = venue.positionsOf(TRADER);
        vm.assertEq(ids.length, 2);
        vm.assertEq(sizes[0], -2 * ONE);
        vm.assertEq(venue.underlyingAt(0).netPerpetualLots, -2 * ONE);
        (cash,,) = venue.accountState(STRANGER);
        vm.assertEq(cash, -7);
    }

    function test_malformed_seeds_are_refused() external {
        DemoExchange venue = newVenue();
        bytes memory one = abi.encodePacked(TRADER, int64(1), uint8(1), uint32(0), ONE);
        bytes[5] memory bad = [
            abi.encodePacked(TRADER, int64(1)),
            abi.encodePacked(TRADER, int64(1), uint8(1), uint32(0)),
            bytes.concat(one, one),
            abi.encodePacked(TRADER, int64(1), uint8(1), uint32(0), int64(0)),
            abi.encodePacked(TRADER, int64(1), uint8(2), uint32(0), ONE, uint32(0), ONE)
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.expectRevert(DemoGenesis.MalformedSeed.selector);
            venue.seedAccounts(bad[i]);
        }
        vm.expectPartialRevert(DemoMarkets.UnknownInstrument.selector);
        venue.seedAccounts(abi.encodePacked(TRADER, int64(1), uint8(1), uint32(2), ONE));
    }

    function test_genesis_ends_when_the_venue_opens() external {
        DemoExchange venue = newVenue();
        vm.expectRevert(DemoGenesis.NotOpen.selector);
        venue.trade(0, ONE);
        vm.expectRevert(DemoGenesis.NotOpen.selector);
        venue.liquidate(TRADER);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        venue.open();
        venue.open();
        vm.expectRevert(DemoGenesis.AlreadyOpen.selector);
        venue.open();
        vm.expectRevert(DemoGenesis.AlreadyOpen.selector);
        venue.seedAccounts("");
    }
}
