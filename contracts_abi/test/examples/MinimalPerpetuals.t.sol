// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {FeedPrice} from "../../src/examples/FeedPrice.sol";
import {MarginAccounts} from "../../src/examples/MarginAccounts.sol";
import {MinimalPerpetuals} from "../../src/examples/MinimalPerpetuals.sol";
import {ExamplesFixture} from "./ExamplesFixture.sol";

/// @title The minimal perpetual exchange: Alice trades, Bob offers, and the liquidator has plenty.
contract MinimalPerpetualsTest is ExamplesFixture {
    int256 private constant ONE = 1e18;
    MinimalPerpetuals private exchange;

    function setUp() external {
        deployMarkets();
        exchange = MinimalPerpetuals(
            deploy("MinimalPerpetuals", abi.encode(oracle, dollar, uint32(1), feed, MAXIMUM_PRICE_AGE))
        );
        fund(ALICE, 1_000e6);
        fund(BOB, 100_000e6);
        fund(LIQUIDATOR, 100_000e6);
        vm.prank(BOB);
        exchange.offer(100e18, 100e18);
    }

    function venue() internal view override returns (MarginAccounts) {
        return exchange;
    }

    function trade(int256 size) internal {
        vm.prank(ALICE);
        exchange.trade(BOB, size);
    }

    function tradeWithProof(int256 size) internal {
        vm.prank(ALICE);
        exchange.tradeWithProof(BOB, size, leaf, proof);
    }

    function liquidate(int256 size) internal {
        vm.prank(LIQUIDATOR);
        exchange.liquidate(ALICE, size);
    }

    function liquidateWithProof(int256 size) internal {
        vm.prank(LIQUIDATOR);
        exchange.liquidateWithProof(ALICE, size, leaf, proof);
    }

    /// @dev Five contracts on 1,000: 1,500 by ratios, 750 of it to keep.
    function openByProof() internal {
        postLeaf(ALICE, 0, 0);
        tradeWithProof(3 * ONE);
        postLeaf(ALICE, 300e18, 150e18);
        tradeWithProof(2 * ONE); // 300 + 600
        vm.assertTrue(isByProof(ALICE), "not by proof");
    }

    // ------------------------------------------------------------------ trading by ratios

    function test_opening_needs_initial_margin() external {
        trade(3 * ONE); // 900
        expectInsufficient(ALICE, 1_000e18, 1_200e18);
        trade(ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 3 * ONE);
        vm.assertEq(exchange.sizeOf(BOB), -3 * ONE);
    }

    function test_what_one_gains_the_other_loses() external {
        trade(3 * ONE);
        price(3_100e8);
        vm.assertEq(exchange.equityWad(ALICE), 1_300e18);
        vm.assertEq(exchange.equityWad(BOB), 99_700e18);
    }

    function test_the_maker_needs_initial_margin_too() external {
        withdraw(BOB, 99_990e6);
        expectInsufficient(BOB, 10e18, 360e18); // short: 12 %
        trade(ONE);
    }

    function test_a_maker_trades_within_its_offer() external {
        vm.prank(BOB);
        exchange.offer(0, 2e18);
        trade(2 * ONE);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.BeyondOffer.selector, BOB, -3 * ONE));
        trade(ONE);
        trade(-2 * ONE);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.BeyondOffer.selector, BOB, ONE));
        trade(-ONE);
    }

    function test_nobody_is_closed_against_its_will() external {
        trade(3 * ONE);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.BeyondOffer.selector, ALICE, int256(0)));
        exchange.trade(ALICE, 3 * ONE);
        vm.prank(BOB);
        exchange.offer(0, 0);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.BeyondOffer.selector, BOB, int256(0)));
        trade(-3 * ONE);
    }

    function test_a_maker_that_reduces_needs_no_margin() external {
        trade(3 * ONE);
        withdraw(BOB, 98_920e6); // 1,080 left
        price(3_100e8); // Bob's equity 780 on 1,116
        vm.expectPartialRevert(MarginAccounts.InsufficientMargin.selector);
        trade(1);
        trade(-ONE);
        vm.assertEq(exchange.sizeOf(BOB), -2 * ONE);
    }

    function test_reducing_is_free_however_short_of_margin() external {
        trade(3 * ONE);
        price(2_700e8); // equity 100
        trade(-ONE);
        vm.expectPartialRevert(MarginAccounts.InsufficientMargin.selector);
        trade(-3 * ONE); // closes two and opens one the other way
        trade(-2 * ONE);
        withdraw(ALICE, 100e6);
        vm.assertEq(dollar.balanceOf(ALICE), 100e6);
    }

    function test_withdrawing_needs_initial_margin() external {
        trade(3 * ONE);
        expectInsufficient(ALICE, 899e18, 900e18);
        withdraw(ALICE, 101e6);
        withdraw(ALICE, 100e6);
    }

    function test_without_a_position_neither_price_nor_oracle_is_asked() external {
        pass(30 days);
        sequencer(1, vm.getBlockTimestamp());
        withdraw(ALICE, 1_000e6);
    }

    function test_nobody_trades_with_oneself() external {
        vm.prank(BOB);
        vm.expectRevert(MinimalPerpetuals.WithOneself.selector);
        exchange.trade(BOB, ONE);
        trade(3 * ONE);
        price(2_700e8);
        vm.prank(ALICE);
        vm.expectRevert(MinimalPerpetuals.WithOneself.selector);
        exchange.liquidate(ALICE, ONE);
        vm.expectRevert(MinimalPerpetuals.NothingToTrade.selector);
        trade(0);
    }

    // ------------------------------------------------------------------ prices

    function test_no_price_is_used_that_is_old_or_not_positive() external {
        pass(MAXIMUM_PRICE_AGE);
        trade(ONE);
        pass(1);
        vm.expectPartialRevert(FeedPrice.StalePrice.selector);
        trade(ONE);
        price(0);
        vm.expectRevert(abi.encodeWithSelector(FeedPrice.BadPrice.selector, address(feed), int256(0)));
        trade(ONE);
        feed.push(-1, uint40(vm.getBlockTimestamp()));
        vm.expectRevert(abi.encodeWithSelector(FeedPrice.BadPrice.selector, address(feed), int256(-1)));
        trade(ONE);
    }

    function test_a_price_from_the_future_is_none() external {
        uint256 later = vm.getBlockTimestamp() + 1;
        vm.mockCall(
            address(feed),
            abi.encodeWithSignature("latestRoundData()"),
            abi.encode(uint80(1), int256(PRICE), later, later, uint80(1))
        );
        vm.expectRevert(abi.encodeWithSelector(FeedPrice.StalePrice.selector, address(feed), later));
        trade(ONE);
    }

    // ------------------------------------------------------------------ stale mode

    function test_while_stale_opening_costs_the_fallback() external {
        silence(HEARTBEAT + 1);
        expectInsufficient(ALICE, 1_000e18, 1_800e18); // 30 % of 6,000
        trade(2 * ONE);
        trade(ONE);
    }

    function test_an_outage_of_the_sequencer_makes_opening_dear_and_liquidates_nobody() external {
        trade(3 * ONE);
        pass(12);
        price(2_700e8); // equity 100, maintenance 405
        sequencer(1, vm.getBlockTimestamp());
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        liquidate(3 * ONE);
        uint256 back = vm.getBlockTimestamp() + 60;
        sequencer(0, back);
        pass(60);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.SequencerGracePeriod.selector, back + GRACE));
        liquidate(3 * ONE);
        fund(STRANGER, 1_000e6);
        expectInsufficient(STRANGER, 1_000e18, 1_620e18); // 30 % of 5,400
        vm.prank(STRANGER);
        exchange.trade(BOB, 2 * ONE);
        pass(GRACE);
        price(2_700e8);
        liquidate(3 * ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 0);
    }

    function testFuzz_silence_liquidates_nobody(uint256 silentSeconds) external {
        trade(3 * ONE);
        silence(bound(silentSeconds, 0, 365 days));
        expectNotLiquidatable(ALICE, 1_000e18, 450e18);
        liquidate(3 * ONE);
    }

    function testFuzz_silence_liquidates_nobody_by_proof(uint256 silentSeconds) external {
        openByProof();
        silence(bound(silentSeconds, HEARTBEAT + 1, 365 days));
        expectNotLiquidatable(ALICE, 1_000e18, 450e18); // 150 + 300 at last; by ratios 750
        liquidate(5 * ONE);
    }

    // ------------------------------------------------------------------ liquidating by ratios

    function test_liquidation_below_maintenance_and_not_at_it() external {
        trade(3 * ONE);
        price(280702e6); // 2,807.02: equity 421.06, maintenance 421.053
        expectNotLiquidatable(ALICE, 42106e16, 421053e15);
        liquidate(3 * ONE);
        price(280701e6);
        liquidate(3 * ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 0);
        vm.assertEq(exchange.sizeOf(LIQUIDATOR), 3 * ONE);
        uint256 fee = uint256(3 * 280701e16) * 5 / 1000;
        vm.assertEq(exchange.equityWad(LIQUIDATOR), int256(100_000e18 + fee));
        vm.assertEq(exchange.equityWad(ALICE), int256(42103e16 - fee));
    }

    function test_liquidation_in_part_and_no_more_than_is_held() external {
        trade(3 * ONE);
        price(2_800e8);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.NotHeld.selector, ALICE, 4 * ONE));
        liquidate(4 * ONE);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.NotHeld.selector, ALICE, -ONE));
        liquidate(-ONE);
        vm.expectRevert(abi.encodeWithSelector(MinimalPerpetuals.NotHeld.selector, ALICE, int256(0)));
        liquidate(0);
        liquidate(ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 2 * ONE);
        vm.expectPartialRevert(MarginAccounts.NotLiquidatable.selector); // 386 on 280
        liquidate(ONE);
    }

    function test_the_liquidator_needs_margin_for_what_it_takes() external {
        trade(3 * ONE);
        price(2_800e8);
        fund(STRANGER, 100e6);
        vm.prank(STRANGER);
        expectInsufficient(STRANGER, 142e18, 840e18); // with the fee of 42
        exchange.liquidate(ALICE, 3 * ONE);
    }

    function test_a_liquidated_account_keeps_its_debt() external {
        trade(3 * ONE);
        price(2_500e8); // equity -500
        liquidate(3 * ONE);
        vm.assertEq(exchange.equityWad(LIQUIDATOR), 100_000e18);
        vm.assertEq(exchange.equityWad(ALICE), -500e18);
        fund(ALICE, 600e6);
        expectInsufficient(ALICE, -1e18, 0);
        withdraw(ALICE, 101e6);
        withdraw(ALICE, 100e6);
    }

    // ------------------------------------------------------------------ by proof

    function test_a_proof_opens_what_ratios_refuse() external {
        postLeaf(ALICE, 0, 0);
        expectInsufficient(ALICE, 1_000e18, 1_200e18);
        tradeWithProof(4 * ONE); // all of it changed since
        tradeWithProof(3 * ONE);
        postLeaf(ALICE, 300e18, 150e18);
        tradeWithProof(2 * ONE); // 300 + 600
        expectInsufficient(ALICE, 1_000e18, 1_200e18);
        tradeWithProof(ONE);
    }

    function test_a_proof_never_counts_below_a_fifth_of_the_ratios() external {
        for (uint256 i = 0; i < 5; ++i) {
            postLeaf(ALICE, 0, 0);
            tradeWithProof(3 * ONE);
        }
        postLeaf(ALICE, 0, 0);
        expectInsufficient(ALICE, 1_000e18, 1_080e18); // a fifth of 5,400; proof and change say 900
        tradeWithProof(3 * ONE);
    }

    function test_a_proof_is_bound_to_account_version_root_and_age() external {
        postLeaf(ALICE, 0, 0);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.WrongLeaf.selector, leaf.accountKey));
        exchange.tradeWithProof(BOB, ONE, leaf, proof);
        leaf.maintenanceWad = 1;
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.InvalidProof.selector, leaf.accountKey));
        tradeWithProof(ONE);
        leaf.positionVersion = 2;
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.LeafFromTheFuture.selector, 2, 1));
        tradeWithProof(ONE);
        postLeaf(ALICE, 0, 0);
        pass(12);
        postFlat();
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, leaf.referenceBlock));
        tradeWithProof(ONE);
        postLeaf(ALICE, 0, 0);
        silence(HEARTBEAT + 1);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        tradeWithProof(ONE);
    }

    function test_by_proof_an_account_is_liquidated_by_proof_alone() external {
        openByProof();
        postLeaf(ALICE, 1_300e18, 1_001e18);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.ProofRequired.selector, ALICE));
        liquidate(5 * ONE);
        liquidateWithProof(5 * ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 0);
        vm.assertEq(exchange.equityWad(ALICE), 925e18); // less the fee of 0.5 % of 15,000
    }

    function test_above_proven_maintenance_nobody_is_liquidated() external {
        openByProof();
        postLeaf(ALICE, 1_300e18, 1_000e18);
        expectNotLiquidatable(ALICE, 1_000e18, 1_000e18);
        liquidateWithProof(5 * ONE);
        postLeaf(ALICE, 0, 0);
        expectNotLiquidatable(ALICE, 1_000e18, 150e18); // a fifth of 750
        liquidateWithProof(5 * ONE);
    }

    function test_a_new_version_neither_dodges_nor_is_punished() external {
        openByProof();
        postLeaf(ALICE, 1_300e18, 1_050e18);
        trade(-ONE); // what was sold is 6 % of 3,000
        expectNotLiquidatable(ALICE, 1_000e18, 870e18);
        liquidateWithProof(4 * ONE);
        for (uint256 i = 0; i < 20; ++i) {
            trade(-1);
        }
        price(2_960e8); // equity 840, of 4 contracts
        liquidateWithProof(4 * ONE - 20);
    }

    function test_accounts_by_ratios_are_not_liquidated_by_proof() external {
        trade(3 * ONE);
        postLeaf(ALICE, 2_000e18, 2_000e18);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.NotMarginedByProof.selector, ALICE));
        liquidateWithProof(3 * ONE);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.NotMarginedByProof.selector, ALICE));
        exchange.prove(ALICE, leaf, proof);
    }

    function test_once_the_root_is_stale_the_last_proof_counts() external {
        openByProof();
        postLeaf(ALICE, 700e18, 600e18);
        exchange.prove(ALICE, leaf, proof);
        silence(HEARTBEAT + 1);
        expectNotLiquidatable(ALICE, 1_000e18, 600e18);
        liquidate(5 * ONE);
        price(2_919e8); // equity 595
        liquidate(ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 4 * ONE);
    }

    function test_only_a_leaf_of_the_present_version_is_remembered() external {
        openByProof();
        postLeaf(ALICE, 700e18, 600e18);
        trade(-1);
        vm.expectRevert(abi.encodeWithSelector(MarginAccounts.LeafOutdated.selector, 2, 3));
        exchange.prove(ALICE, leaf, proof);
    }

    function test_a_voided_root_returns_to_ratios() external {
        openByProof();
        price(2_900e8); // equity 500, by ratios 725, proven 435
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        liquidate(5 * ONE);
        vm.assertEq(exchange.sizeOf(ALICE), 0);
    }

    function test_passing_by_ratios_returns_an_account_to_ratios() external {
        openByProof();
        fund(ALICE, 1_000e6);
        trade(1);
        vm.assertTrue(!isByProof(ALICE), "still by proof");
    }

    function test_liquidation_by_proof_waits_for_the_sequencer() external {
        openByProof();
        postLeaf(ALICE, 1_300e18, 1_001e18);
        sequencer(1, vm.getBlockTimestamp());
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        liquidateWithProof(5 * ONE);
    }

    // ------------------------------------------------------------------ rounding

    function testFuzz_rounding_is_against_the_account(uint256 first, uint256 second, uint256 priceE8, bool isLong)
        external
    {
        price(bound(priceE8, 1, 8_000e8));
        int256 side = isLong ? int256(1) : int256(-1);
        // In two parts: what is rounded on the way in must not come back on the whole.
        trade(side * int256(bound(first, 1, 5e17)));
        trade(side * int256(bound(second, 1, 5e17)));
        vm.assertTrue(exchange.equityWad(ALICE) <= 1_000e18, "the taker gained by rounding");
        vm.assertTrue(exchange.equityWad(BOB) <= 100_000e18, "the maker gained by rounding");
        vm.assertTrue(exchange.equityWad(ALICE) >= 1_000e18 - 3, "more than rounding was lost");
        vm.assertTrue(exchange.equityWad(BOB) >= 100_000e18 - 3, "more than rounding was lost");
    }
}
