// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {FeedPrice} from "../../src/examples/FeedPrice.sol";
import {MarginAccounts} from "../../src/examples/MarginAccounts.sol";
import {MinimalOptionsVault} from "../../src/examples/MinimalOptionsVault.sol";
import {OptionSeries} from "../../src/examples/OptionSeries.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";

/// @title The minimal options vault: Alice writes, Bob buys.
/// @dev Markets: 1 for calls and 2 for puts of up to a week, 3 for both up to 90 days; a short asks 12 % and 6 % of 3,000.
contract MinimalOptionsVaultTest is ExamplesFixture {
    uint128 private constant ONE = 1e18;
    uint256 private constant PREMIUM = 100e6;
    MinimalOptionsVault private vault;
    OptionSeries.Series private call;
    OptionSeries.Series private put;

    function setUp() external {
        deployMarkets();
        vault = newVault(buckets());
        uint40 expiry = uint40(vm.getBlockTimestamp() + 30 days);
        call = OptionSeries.Series(true, expiry, 3_200e18);
        put = OptionSeries.Series(false, expiry, 2_800e18);
        fund(ALICE, 1_000e6);
        fund(LIQUIDATOR, 100_000e6);
        dollar.mint(BOB, 1e12);
        vm.prank(BOB);
        dollar.approve(address(vault), type(uint256).max);
    }

    function venue() internal view override returns (MarginAccounts) {
        return vault;
    }

    function buckets() internal pure returns (OptionSeries.Bucket[] memory made) {
        made = new OptionSeries.Bucket[](2);
        made[0] = OptionSeries.Bucket(7 days, 1, 2);
        made[1] = OptionSeries.Bucket(90 days, 3, 3);
    }

    function newVault(OptionSeries.Bucket[] memory with) internal returns (MinimalOptionsVault) {
        return
            MinimalOptionsVault(
                deploy("MinimalOptionsVault", abi.encode(oracle, dollar, feed, MAXIMUM_PRICE_AGE, with))
            );
    }

    function bid(address buyer, OptionSeries.Series memory series, uint128 amount) internal returns (uint256 bidId) {
        vm.prank(buyer);
        return vault.bid(series, amount, PREMIUM);
    }

    function write(OptionSeries.Series memory series, uint128 amount) internal {
        uint256 bidId = bid(BOB, series, amount);
        vm.prank(ALICE);
        vault.write(bidId);
    }

    function writeWithProof(OptionSeries.Series memory series, uint128 amount) internal {
        uint256 bidId = bid(BOB, series, amount);
        vm.prank(ALICE);
        vault.writeWithProof(bidId, leaf, proof);
    }

    function liquidate(OptionSeries.Series memory series, uint128 amount) internal {
        vm.prank(LIQUIDATOR);
        vault.liquidate(ALICE, series, amount);
    }

    function liquidateWithProof(OptionSeries.Series memory series, uint128 amount) internal {
        vm.prank(LIQUIDATOR);
        vault.liquidateWithProof(ALICE, series, amount, leaf, proof);
    }

    /// @dev Rounds at expiry and a minute after, and the settlement between them.
    function settleAt(uint256 priceE8) internal {
        vm.warp(call.expiry);
        price(priceE8);
        pass(60);
        price(PRICE);
        vault.settle(call.expiry, lastRound() - 1);
    }

    function lastRound() internal view returns (uint80 id) {
        (id,,,,) = feed.latestRoundData();
    }

    /// @dev A call and a put, 720 by ratios, on 1,200; 300 of them are proven.
    function openByProof() internal {
        write(call, ONE);
        write(put, ONE);
        postLeaf(ALICE, 300e18, 150e18);
        writeWithProof(call, 2 * ONE);
        vm.assertTrue(isByProof(ALICE), "not by proof");
    }

    // ------------------------------------------------------------------ trading by ratios

    function test_writing_needs_initial_margin_and_the_premium_counts() external {
        write(call, 3 * ONE); // 1,080 on 1,100
        vm.assertEq(vault.sizeOf(ALICE, call), -3e18);
        vm.assertEq(vault.sizeOf(BOB, call), 3e18);
        vm.assertEq(vault.equityWad(ALICE), 1_100e18);
        uint256 bidId = bid(BOB, put, ONE);
        expectInsufficient(ALICE, 1_200e18, 1_440e18);
        vm.prank(ALICE);
        vault.write(bidId);
    }

    function test_a_short_counts_at_intrinsic_value_and_a_long_as_nothing() external {
        write(call, ONE);
        price(3_500e8);
        vm.assertEq(vault.equityWad(ALICE), 800e18);
        vm.assertEq(vault.equityWad(BOB), 0);
    }

    function test_the_whole_premium_is_paid_with_the_bid_and_returned_on_cancelling() external {
        uint256 before = dollar.balanceOf(BOB);
        uint256 bidId = bid(BOB, call, ONE);
        vm.assertEq(before - dollar.balanceOf(BOB), PREMIUM);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.NotTheBuyer.selector, bidId));
        vault.cancel(bidId);
        vm.prank(BOB);
        vault.cancel(bidId);
        withdraw(BOB, PREMIUM);
        vm.assertEq(dollar.balanceOf(BOB), before);
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.NotTheBuyer.selector, bidId));
        vault.cancel(bidId);
        vm.prank(ALICE);
        vm.expectRevert(MinimalOptionsVault.NothingToTrade.selector);
        vault.write(bidId);
    }

    function test_a_bid_is_taken_once_and_not_by_its_buyer() external {
        uint256 bidId = bid(BOB, call, ONE);
        vm.prank(BOB);
        vm.expectRevert(MinimalOptionsVault.WithOneself.selector);
        vault.write(bidId);
        vm.prank(ALICE);
        vault.write(bidId);
        vm.prank(ALICE);
        vm.expectRevert(MinimalOptionsVault.NothingToTrade.selector);
        vault.write(bidId);
    }

    function test_a_bid_names_what_can_be_traded() external {
        vm.expectRevert(MinimalOptionsVault.NothingToTrade.selector);
        bid(BOB, call, 0);
        OptionSeries.Series memory other = call;
        other.strikeWad = 0;
        vm.expectRevert(OptionSeries.NoStrike.selector);
        bid(BOB, other, ONE);
        other = call;
        other.expiry = uint40(vm.getBlockTimestamp() + 90 days + 1);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.NoMarket.selector, other.expiry));
        bid(BOB, other, ONE);
        other.expiry = uint40(vm.getBlockTimestamp());
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.Expired.selector, other.expiry));
        bid(BOB, other, ONE);
    }

    function test_buying_back_is_free_however_short_of_margin() external {
        write(call, 3 * ONE);
        price(3_500e8); // equity 200 on 1,260
        dollar.mint(ALICE, PREMIUM);
        vm.prank(ALICE);
        dollar.approve(address(vault), PREMIUM);
        uint256 bidId = bid(ALICE, call, 2 * ONE);
        vm.prank(BOB);
        vault.write(bidId);
        vm.assertEq(vault.sizeOf(ALICE, call), -1e18);
        vm.assertEq(vault.sizeOf(BOB, call), 1e18);
        vm.assertEq(vault.equityWad(ALICE), 800e18);
    }

    function test_a_put_is_asked_for_its_strike_at_most() external {
        price(100e8);
        fund(ALICE, 1_700e6);
        put.strikeWad = 5e18;
        write(put, 100 * ONE); // 12 % of 10,000 would be 1,200; the strike is 500
        withdraw(ALICE, 2_300e6);
        expectInsufficient(ALICE, 499e18, 500e18);
        withdraw(ALICE, 1e6);
    }

    function test_the_market_follows_side_and_tenor() external {
        vm.assertEq(vault.marketOf(call), 3);
        vm.warp(call.expiry - 7 days - 1);
        vm.assertEq(vault.marketOf(put), 3);
        pass(1);
        vm.assertEq(vault.marketOf(call), 1);
        vm.assertEq(vault.marketOf(put), 2);
    }

    function test_tenors_ascend() external {
        OptionSeries.Bucket[] memory wrong = buckets();
        wrong[1].maximumTenorSeconds = 7 days;
        vm.expectRevert(OptionSeries.BucketsNotAscending.selector);
        this.deployVault(wrong);
    }

    function deployVault(OptionSeries.Bucket[] memory with) external {
        new MinimalOptionsVault(oracle, dollar, feed, MAXIMUM_PRICE_AGE, with);
    }

    function test_an_account_holds_sixteen_series_at_most() external {
        for (uint256 i = 0; i < 16; ++i) {
            call.strikeWad += 1e18;
            write(call, 1);
        }
        call.strikeWad += 1e18;
        uint256 bidId = bid(BOB, call, 1);
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.TooManySeries.selector, BOB));
        vault.write(bidId);
    }

    // ------------------------------------------------------------------ stale mode

    function test_while_stale_writing_costs_the_fallback() external {
        silence(HEARTBEAT + 1);
        write(call, ONE);
        uint256 bidId = bid(BOB, call, ONE);
        expectInsufficient(ALICE, 1_200e18, 1_800e18);
        vm.prank(ALICE);
        vault.write(bidId);
    }

    function test_no_old_price_is_used() external {
        write(call, ONE);
        pass(MAXIMUM_PRICE_AGE + 1);
        vm.expectPartialRevert(FeedPrice.StalePrice.selector);
        liquidate(call, ONE);
        uint256 bidId = bid(BOB, call, ONE);
        vm.prank(ALICE);
        vm.expectPartialRevert(FeedPrice.StalePrice.selector);
        vault.write(bidId);
    }

    function testFuzz_silence_liquidates_nobody(uint256 silentSeconds) external {
        write(call, 3 * ONE);
        silence(bound(silentSeconds, 0, 30 days - 1));
        expectNotLiquidatable(ALICE, 1_100e18, 540e18);
        liquidate(call, ONE);
    }

    function testFuzz_silence_liquidates_nobody_by_proof(uint256 silentSeconds) external {
        openByProof();
        silence(bound(silentSeconds, HEARTBEAT + 1, 30 days - 1));
        expectNotLiquidatable(ALICE, 1_300e18, 510e18); // 150 + 360 at last; by ratios 720
        liquidate(call, ONE);
    }

    function test_an_outage_of_the_sequencer_liquidates_nobody() external {
        write(call, 3 * ONE);
        price(3_500e8);
        sequencer(1, vm.getBlockTimestamp());
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        liquidate(call, ONE);
    }

    // ------------------------------------------------------------------ liquidating

    function test_liquidation_pays_intrinsic_value_and_the_share_of_margin() external {
        write(call, 3 * ONE);
        price(3_400e8); // equity 500 on 612
        liquidate(call, ONE);
        vm.assertEq(vault.sizeOf(ALICE, call), -2e18);
        vm.assertEq(vault.sizeOf(LIQUIDATOR, call), -1e18);
        uint256 share = uint256(500e18) / 3;
        vm.assertEq(vault.accountOf(LIQUIDATOR).cashWad, int256(100_000e18 + 200e18 + share));
        vm.assertEq(vault.equityWad(ALICE), int256(500e18 - share));
        liquidate(call, 2 * ONE);
        vm.assertEq(vault.equityWad(ALICE), 0);
    }

    function test_above_maintenance_nobody_is_liquidated() external {
        write(call, 3 * ONE);
        price(3_364e8);
        expectNotLiquidatable(ALICE, 608e18, 60552e16);
        liquidate(call, ONE);
        price(3_365e8); // 605 on 605.7
        liquidate(call, ONE);
        vm.assertEq(vault.sizeOf(ALICE, call), -2e18);
    }

    function test_no_more_is_taken_over_than_is_short() external {
        write(call, 3 * ONE);
        price(3_500e8);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.NotHeld.selector, ALICE, vault.seriesId(call)));
        liquidate(call, 3 * ONE + 1);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.NotHeld.selector, ALICE, vault.seriesId(put)));
        liquidate(put, 1);
        vm.expectRevert(abi.encodeWithSelector(MinimalOptionsVault.NotHeld.selector, ALICE, vault.seriesId(call)));
        liquidate(call, 0);
        vm.prank(ALICE);
        vm.expectRevert(MinimalOptionsVault.WithOneself.selector);
        vault.liquidate(ALICE, call, ONE);
    }

    function test_the_liquidator_needs_margin_for_what_it_takes() external {
        write(call, 3 * ONE);
        price(3_600e8); // nothing left
        vm.prank(STRANGER);
        expectInsufficient(STRANGER, 0, 432e18);
        vault.liquidate(ALICE, call, ONE);
    }

    // ------------------------------------------------------------------ by proof

    function test_a_proof_writes_what_ratios_refuse() external {
        write(call, ONE);
        write(put, ONE);
        postLeaf(ALICE, 300e18, 150e18);
        uint256 bidId = bid(BOB, call, 2 * ONE);
        expectInsufficient(ALICE, 1_300e18, 1_440e18);
        vm.prank(ALICE);
        vault.write(bidId);
        vm.prank(ALICE);
        vault.writeWithProof(bidId, leaf, proof); // 300 + 720
        bidId = bid(BOB, call, 2 * ONE);
        expectInsufficient(ALICE, 1_400e18, 1_740e18);
        vm.prank(ALICE);
        vault.writeWithProof(bidId, leaf, proof);
    }

    function test_what_was_closed_since_the_proof_is_charged_too() external {
        openByProof();
        postLeaf(ALICE, 600e18, 300e18);
        dollar.mint(ALICE, PREMIUM);
        vm.prank(ALICE);
        dollar.approve(address(vault), PREMIUM);
        uint256 bidId = bid(ALICE, put, ONE);
        vm.prank(BOB);
        vault.write(bidId);
        vm.assertEq(vault.sizeOf(ALICE, put), 0);
        bidId = bid(BOB, call, 2 * ONE);
        expectInsufficient(ALICE, 1_400e18, 600e18 + 360e18 + 720e18);
        vm.prank(ALICE);
        vault.writeWithProof(bidId, leaf, proof);
    }

    function test_by_proof_an_account_is_liquidated_by_proof_alone() external {
        openByProof();
        postLeaf(ALICE, 1_400e18, 1_301e18);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.ProofRequired.selector, ALICE));
        liquidate(call, ONE);
        liquidateWithProof(call, ONE);
        vm.assertEq(vault.sizeOf(ALICE, call), -2e18);
        vm.assertEq(vault.equityWad(ALICE), 1_300e18 * 3 / 4);
    }

    function test_above_proven_maintenance_nobody_is_liquidated() external {
        openByProof();
        postLeaf(ALICE, 1_400e18, 1_300e18);
        expectNotLiquidatable(ALICE, 1_300e18, 1_300e18);
        liquidateWithProof(call, ONE);
    }

    // ------------------------------------------------------------------ settlement

    function test_settled_in_cash() external {
        write(call, ONE);
        write(put, ONE);
        settleAt(3_300e8);
        vault.collect(ALICE);
        vault.collect(BOB);
        vm.assertEq(vault.equityWad(ALICE), 1_100e18);
        vm.assertEq(vault.equityWad(BOB), 100e18);
        vm.assertEq(vault.heldBy(ALICE).length, 0);
        withdraw(BOB, 100e6);
        withdraw(ALICE, 1_100e6);
    }

    function test_what_is_settled_counts_before_it_is_collected() external {
        write(call, ONE);
        write(put, ONE);
        settleAt(2_500e8);
        vm.assertEq(vault.equityWad(ALICE), 900e18);
        vm.assertEq(vault.equityWad(BOB), 300e18);
        withdraw(BOB, 300e6);
        vault.collect(BOB);
        vm.assertEq(vault.equityWad(BOB), 0);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.Expired.selector, put.expiry));
        liquidate(put, ONE);
    }

    function test_the_price_is_that_of_the_last_round_before_expiry() external {
        write(call, ONE);
        vm.warp(call.expiry - 10);
        price(3_300e8);
        uint80 round = lastRound();
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.CannotSettle.selector, call.expiry));
        vault.settle(call.expiry, round);
        pass(20);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.AwaitingSettlement.selector, call.expiry));
        vault.equityWad(ALICE);
        price(3_400e8);
        pass(10);
        price(3_500e8);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.NotTheLastRoundBeforeExpiry.selector, round - 1));
        vault.settle(call.expiry, round - 1);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.NotTheLastRoundBeforeExpiry.selector, round + 1));
        vault.settle(call.expiry, round + 1);
        vault.settle(call.expiry, round);
        vm.assertEq(vault.settlementPriceWad(call.expiry), 3_300e18);
        vm.expectRevert(abi.encodeWithSelector(OptionSeries.CannotSettle.selector, call.expiry));
        vault.settle(call.expiry, round);
    }

    function test_where_the_last_round_was_too_old_the_next_gives_the_price() external {
        vm.warp(call.expiry - MAXIMUM_PRICE_AGE - 1);
        price(3_300e8);
        pass(MAXIMUM_PRICE_AGE + 2);
        price(3_400e8);
        vault.settle(call.expiry, lastRound() - 1);
        vm.assertEq(vault.settlementPriceWad(call.expiry), 3_400e18);
    }

    function test_no_settlement_at_a_bad_price() external {
        vm.warp(call.expiry);
        feed.push(0, uint40(vm.getBlockTimestamp()));
        pass(60);
        price(PRICE);
        uint80 round = lastRound() - 1;
        vm.expectRevert(abi.encodeWithSelector(FeedPrice.BadPrice.selector, address(feed), int256(0)));
        vault.settle(call.expiry, round);
    }

    // ------------------------------------------------------------------ rounding

    function testFuzz_rounding_is_against_the_account(uint256 amount, uint256 strike, uint256 settlement) external {
        uint128 size = uint128(bound(amount, 1, 1e18));
        call.strikeWad = uint128(bound(strike, 2_500e18, 3_500e18));
        write(call, size);
        settleAt(bound(settlement, 2_000e8, 4_000e8));
        vault.collect(ALICE);
        vault.collect(BOB);
        uint256 payoff = size * vault.payoffWad(call);
        uint256 paid = uint256(1_100e18 - vault.accountOf(ALICE).cashWad);
        uint256 received = uint256(vault.accountOf(BOB).cashWad);
        vm.assertTrue(paid * 1e18 >= payoff && received * 1e18 <= payoff, "gained by rounding");
        vm.assertTrue(paid - received <= 1, "more than rounding was lost");
    }
}
