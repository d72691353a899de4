// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {DemoFeed} from "../../src/demo/DemoFeed.sol";
import {DemoMarkets} from "../../src/demo/DemoMarkets.sol";
import {DemoSurfaceFeed} from "../../src/demo/DemoSurfaceFeed.sol";
import {ExchangeFixture} from "./ExchangeFixture.sol";

/// @title Listing, marks, funding and settlement.
contract MarketsTest is ExchangeFixture {
    function setUp() external {
        deployVenue();
        exchange.open();
        fund(TRADER, 10_000e6);
    }

    // ------------------------------------------------------------------ listing

    function refusesListing(DemoMarkets.Kind kind, uint8 underlying, uint64 strike, uint40 expiry_) internal {
        vm.expectRevert(DemoMarkets.InvalidListing.selector);
        exchange.listInstrument(kind, underlying, 1, strike, expiry_);
    }

    function test_listings_that_are_refused() external {
        refusesListing(DemoMarkets.Kind.Perpetual, 2, 0, 0);
        refusesListing(DemoMarkets.Kind.Perpetual, ETH, 1, 0);
        refusesListing(DemoMarkets.Kind.Perpetual, ETH, 0, expiry);
        refusesListing(DemoMarkets.Kind.Future, ETH, 0, 0);
        refusesListing(DemoMarkets.Kind.Future, ETH, 1, expiry);
        refusesListing(DemoMarkets.Kind.Call, ETH, 0, expiry);
        refusesListing(DemoMarkets.Kind.Put, ETH, 1, uint40(vm.getBlockTimestamp()));
        vm.expectRevert(DemoMarkets.InvalidListing.selector);
        exchange.addUnderlying("SOL", ethFeed, 100, 0);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        exchange.listInstrument(DemoMarkets.Kind.Perpetual, ETH, 1, 0, 0);
    }

    // ------------------------------------------------------------------ marks

    function test_marks() external view {
        vm.assertEq(exchange.markE8(ETH_PERPETUAL), ETH_PRICE);
        uint256 forward = ETH_PRICE + ETH_PRICE * 30 * 50_000 / 365 / 1e6;
        vm.assertApproxEqAbs(exchange.markE8(ETH_FUTURE), forward, 1);
        uint256 call = exchange.markE8(ETH_CALL);
        uint256 put = exchange.markE8(ETH_PUT);
        vm.assertTrue(call > 100e8 && call < 200e8, "call out of all proportion");
        vm.assertTrue(put > 80e8 && put < 200e8, "put out of all proportion");
    }

    function test_call_and_put_of_one_strike_differ_by_the_forward() external {
        exchange.listInstrument(DemoMarkets.Kind.Call, ETH, 1, 2_800e8, expiry);
        uint256 difference = exchange.markE8(5) - exchange.markE8(ETH_PUT);
        vm.assertApproxEqAbs(difference, exchange.markE8(ETH_FUTURE) - 2_800e8, 2);
    }

    function test_dated_marks_need_a_recent_surface() external {
        uint256 updatedAt = vm.getBlockTimestamp();
        pass(1 days + 1);
        ethFeed.push(int256(ETH_PRICE), uint40(vm.getBlockTimestamp()));
        exchange.markE8(ETH_PERPETUAL);
        bytes memory reason = abi.encodeWithSelector(DemoMarkets.StaleSurface.selector, ETH, expiry, updatedAt);
        vm.expectRevert(reason);
        exchange.markE8(ETH_FUTURE);
        vm.expectRevert(reason);
        exchange.markE8(ETH_CALL);
        exchange.listInstrument(DemoMarkets.Kind.Future, ETH, 1, 0, expiry + 1);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.StaleSurface.selector, ETH, expiry + 1, 0));
        exchange.markE8(5);
    }

    // ------------------------------------------------------------------ funding

    function test_longs_pay_when_longs_prevail() external {
        trade(TRADER, ETH_PERPETUAL, 10 * ONE); // one hundredth of the scale, so 1 ppm an hour
        vm.assertEq(exchange.fundingRatePpmHourly(ETH), 1);
        pass(1 hours);
        vm.assertEq(exchange.fundingIndexWad(ETH), 0.003e18); // 1 ppm of 3,000
        vm.assertEq(exchange.equityMicro(TRADER), 10_000e6 - 30_000);
        trade(TRADER, ETH_PERPETUAL, -10 * ONE);
        vm.assertEq(cashOf(TRADER), 10_000e6 - 30_000);
        vm.assertEq(exchange.fundingRatePpmHourly(ETH), 0);
    }

    function test_shorts_pay_when_shorts_prevail_and_the_other_side_receives() external {
        fund(STRANGER, 100_000e6);
        trade(STRANGER, ETH_PERPETUAL, -100 * ONE);
        trade(TRADER, ETH_PERPETUAL, 10 * ONE);
        vm.assertEq(exchange.fundingRatePpmHourly(ETH), -9);
        pass(1 hours);
        vm.assertEq(exchange.equityMicro(TRADER), 10_000e6 + 270_000);
        vm.assertEq(exchange.equityMicro(STRANGER), 100_000e6 - 2_700_000);
    }

    function test_funding_is_capped() external {
        fund(TRADER, 10_000_000e6);
        trade(TRADER, ETH_PERPETUAL, 2_000 * ONE);
        vm.assertEq(exchange.fundingRatePpmHourly(ETH), 100);
        trade(TRADER, ETH_PERPETUAL, -4_000 * ONE);
        vm.assertEq(exchange.fundingRatePpmHourly(ETH), -100);
    }

    function test_time_before_a_trade_is_charged_at_the_rate_before_it() external {
        trade(TRADER, ETH_PERPETUAL, 10 * ONE);
        pass(1 hours);
        trade(TRADER, ETH_PERPETUAL, 10 * ONE); // from here 2 ppm
        pass(1 hours);
        price(ETH_PRICE, BTC_PRICE);
        vm.assertEq(exchange.equityMicro(TRADER), 10_000e6 - 30_000 - 120_000);
    }

    function test_funding_rounds_against_the_account() external {
        trade(TRADER, ETH_PERPETUAL, 10 * ONE + 7);
        pass(1001);
        int256 exact = int256(10 * ONE + 7) * exchange.fundingIndexWad(ETH);
        vm.assertTrue(exact % 1e20 != 0, "the case is exact");
        int256 value = int256(10 * ONE + 7) * int256(ETH_PRICE);
        vm.assertEq(exchange.equityMicro(TRADER), cashOf(TRADER) + value / 1e10 - exact / 1e20 - 1);
    }

    function test_genesis_pays_no_funding() external {
        deployVenue();
        exchange.seedAccounts(abi.encodePacked(TRADER, int64(0), uint8(1), ETH_PERPETUAL, 500 * ONE));
        pass(1 hours);
        exchange.open();
        vm.assertEq(exchange.fundingIndexWad(ETH), 0);
        pass(1 hours);
        vm.assertEq(exchange.fundingIndexWad(ETH), 0.15e18);
    }

    // ------------------------------------------------------------------ settlement

    /// @dev Rounds around expiry: 2 ten seconds before, 3 at it, 4 ten seconds after.
    function passExpiry(uint256 settlementE8) internal {
        vm.warp(expiry + 10);
        ethFeed.push(1, expiry - 10);
        ethFeed.push(int256(settlementE8), expiry);
        ethFeed.push(int256(ETH_PRICE), expiry + 10);
    }

    function test_settlement_takes_the_last_round_at_or_before_expiry() external {
        passExpiry(3_500e8);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.AwaitingSettlement.selector, ETH_CALL));
        exchange.markE8(ETH_CALL);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.NotTheLastRoundBeforeExpiry.selector, 2));
        exchange.settle(ETH_CALL, 2);
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.NoDataPresent.selector, 5));
        exchange.settle(ETH_CALL, 4);
        vm.prank(STRANGER);
        exchange.settle(ETH_CALL, 3);
        vm.assertEq(exchange.markE8(ETH_CALL), 300e8);
        exchange.settle(ETH_PUT, 3);
        vm.assertEq(exchange.markE8(ETH_PUT), 0);
        exchange.settle(ETH_FUTURE, 3);
        vm.assertEq(exchange.markE8(ETH_FUTURE), 3_500e8);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.CannotSettle.selector, ETH_CALL));
        exchange.settle(ETH_CALL, 3);
    }

    function test_settlement_needs_a_round_after_expiry() external {
        vm.warp(expiry);
        ethFeed.push(int256(3_500e8), expiry);
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.NoDataPresent.selector, 3));
        exchange.settle(ETH_CALL, 2);
    }

    function test_settlement_refuses_a_bad_price() external {
        vm.warp(expiry + 10);
        ethFeed.push(0, expiry);
        ethFeed.push(int256(ETH_PRICE), expiry + 10);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.BadPrice.selector, ETH, 0));
        exchange.settle(ETH_CALL, 2);
    }

    function test_what_cannot_be_settled() external {
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.CannotSettle.selector, ETH_CALL));
        exchange.settle(ETH_CALL, 1);
        vm.expectRevert(abi.encodeWithSelector(DemoMarkets.CannotSettle.selector, ETH_PERPETUAL));
        exchange.settle(ETH_PERPETUAL, 1);
    }

    function test_settled_positions_need_no_margin_and_become_cash() external {
        trade(TRADER, ETH_CALL, -ONE);
        trade(TRADER, ETH_PUT, ONE);
        passExpiry(3_500e8);
        exchange.settle(ETH_CALL, 3);
        exchange.settle(ETH_PUT, 3);
        int256 equity = exchange.equityMicro(TRADER);
        vm.assertEq(exchange.initialByRatiosWad(TRADER), 0);
        uint64 version = versionOf(TRADER);
        vm.prank(STRANGER);
        exchange.collect(TRADER);
        vm.assertEq(cashOf(TRADER), equity);
        vm.assertEq(exchange.equityMicro(TRADER), equity);
        vm.assertEq(versionOf(TRADER), version);
        vm.assertEq(sizeOf(TRADER, ETH_CALL), 0);
    }

    function test_collecting_leaves_the_rest() external {
        trade(TRADER, ETH_CALL, ONE);
        trade(TRADER, ETH_PERPETUAL, ONE);
        passExpiry(3_500e8);
        exchange.settle(ETH_CALL, 3);
        exchange.collect(TRADER);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), ONE);
        vm.assertEq(sizeOf(TRADER, ETH_CALL), 0);
    }

    // ------------------------------------------------------------------ feeds

    function test_feed_rounds_stay_readable_and_in_order() external {
        uint40 timestamp = uint40(vm.getBlockTimestamp());
        int256[] memory answers = new int256[](2);
        uint40[] memory times = new uint40[](2);
        (answers[0], answers[1], times[0], times[1]) = (5, -6, timestamp, timestamp);
        ethFeed.pushMany(answers, times);
        (uint80 id, int256 answer,, uint256 updatedAt,) = ethFeed.latestRoundData();
        vm.assertEq(id, 3);
        vm.assertEq(answer, -6);
        vm.assertEq(updatedAt, timestamp);
        (, answer,,,) = ethFeed.getRoundData(1);
        vm.assertEq(answer, int256(ETH_PRICE));
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.RoundOutOfOrder.selector, timestamp, timestamp - 1));
        ethFeed.push(1, timestamp - 1);
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.RoundInFuture.selector, timestamp + 1, timestamp));
        ethFeed.push(1, timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.AnswerOutOfRange.selector, int256(1) << 191));
        ethFeed.push(int256(1) << 191, timestamp);
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.LengthsDiffer.selector, 2, 0));
        ethFeed.pushMany(answers, new uint40[](0));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        ethFeed.push(1, timestamp);
    }

    function test_an_empty_feed_has_no_data() external {
        DemoFeed feed = newFeed("empty");
        vm.expectRevert(abi.encodeWithSelector(DemoFeed.NoDataPresent.selector, 0));
        feed.latestRoundData();
    }

    function test_surface_takes_no_zero_volatility() external {
        uint24[7] memory nodes = [uint24(1), 1, 1, 1, 0, 1, 1];
        vm.expectRevert(abi.encodeWithSelector(DemoSurfaceFeed.ZeroVolatility.selector, ETH, expiry, 4));
        surface.push(ETH, expiry, nodes, 0);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        surface.push(ETH, expiry, nodes, 0);
    }
}
