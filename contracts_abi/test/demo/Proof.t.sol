// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {DemoExchange} from "../../src/demo/DemoExchange.sol";
import {ExchangeFixture} from "./ExchangeFixture.sol";

/// @title Margin by proof: opening, reducing and liquidating by an account's own requirement.
/// @dev The trader hedges: long perpetual, short future. By ratios that costs 300 + 360 for each pair.
contract ProofTest is ExchangeFixture {
    IMarginOracle.AccountLeaf private leaf;
    bytes32[] private proof;

    function setUp() external {
        deployVenue();
        exchange.open();
        fund(TRADER, 1_000e6);
        trade(TRADER, ETH_PERPETUAL, ONE);
        trade(TRADER, ETH_FUTURE, -ONE);
        pass(12);
    }

    function prove(uint256 initialWad, uint256 maintenanceWad) internal {
        (leaf, proof) = postLeaf(TRADER, initialWad, maintenanceWad);
    }

    function tradeWithProof(uint32 instrumentId, int64 sizeLots) internal {
        vm.prank(TRADER);
        exchange.tradeWithProof(instrumentId, sizeLots, leaf, proof);
    }

    function expectInsufficient(uint256 requiredWad) internal {
        vm.expectRevert(
            abi.encodeWithSelector(DemoExchange.InsufficientMargin.selector, TRADER, equityWad(), requiredWad)
        );
    }

    function expectNotLiquidatable(uint256 requiredWad) internal {
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.NotLiquidatable.selector, TRADER, equityWad(), requiredWad));
    }

    /// @dev A little above 1,000: the short future gains as its carry runs off.
    function equityWad() internal view returns (int256) {
        return exchange.equityMicro(TRADER) * 1e12;
    }

    /// @dev Two pairs: 1,320 by ratios, on equity of 1,000.
    function openByProof() internal {
        prove(100e18, 50e18);
        tradeWithProof(ETH_PERPETUAL, ONE);
        tradeWithProof(ETH_FUTURE, -ONE);
        pass(12);
        vm.assertTrue(livesByProof(TRADER), "not by proof");
    }

    // ------------------------------------------------------------------ opening

    function test_a_proof_opens_what_ratios_refuse() external {
        vm.prank(TRADER);
        vm.expectPartialRevert(DemoExchange.InsufficientMargin.selector);
        exchange.trade(ETH_PERPETUAL, 2 * ONE); // 900 + 360
        prove(100e18, 50e18);
        tradeWithProof(ETH_PERPETUAL, 2 * ONE); // 100 + 600
        vm.assertTrue(livesByProof(TRADER), "not by proof");
    }

    function test_what_changed_since_the_proof_is_charged_by_ratios() external {
        prove(100e18, 50e18);
        tradeWithProof(ETH_PERPETUAL, ONE); // 100 + 300
        tradeWithProof(ETH_FUTURE, -ONE); // 100 + 300 + 360
        expectInsufficient(100e18 + 300e18 + 360e18 + 300e18);
        tradeWithProof(ETH_PERPETUAL, ONE);
    }

    function test_changes_add_up_even_when_they_cancel() external {
        prove(100e18, 50e18);
        tradeWithProof(ETH_PERPETUAL, ONE);
        trade(TRADER, ETH_PERPETUAL, -ONE); // fits by ratios: 660
        expectInsufficient(100e18 + 300e18 + 360e18 + 300e18);
        tradeWithProof(ETH_PERPETUAL, ONE);
    }

    function test_a_proof_never_counts_below_a_fifth_of_the_ratios() external {
        for (uint256 pairs = 1; pairs < 7; ++pairs) {
            prove(0, 0);
            tradeWithProof(ETH_PERPETUAL, ONE);
            tradeWithProof(ETH_FUTURE, -ONE);
            pass(12);
        }
        prove(0, 0);
        tradeWithProof(ETH_PERPETUAL, ONE);
        vm.expectPartialRevert(DemoExchange.InsufficientMargin.selector);
        tradeWithProof(ETH_FUTURE, -ONE); // a fifth is 1,056 then, though proof and changes say 660
    }

    function test_opening_needs_the_latest_root() external {
        prove(100e18, 50e18);
        pass(12);
        postFlat();
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, leaf.referenceBlock));
        tradeWithProof(ETH_PERPETUAL, ONE);
    }

    function test_opening_needs_a_young_root() external {
        prove(100e18, 50e18);
        pass(HEARTBEAT + 1);
        price(ETH_PRICE, BTC_PRICE);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        tradeWithProof(ETH_PERPETUAL, ONE);
    }

    function test_the_leaf_must_be_ones_own() external {
        prove(100e18, 50e18);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.WrongLeaf.selector, keyOf(TRADER)));
        exchange.tradeWithProof(ETH_PERPETUAL, ONE, leaf, proof);
        --leaf.initialWad;
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.InvalidProof.selector, keyOf(TRADER)));
        tradeWithProof(ETH_PERPETUAL, ONE);
    }

    function test_opening_by_ratios_returns_an_account_to_ratios() external {
        openByProof();
        fund(TRADER, 10_000e6);
        trade(TRADER, ETH_PERPETUAL, 1);
        vm.assertTrue(!livesByProof(TRADER), "still by proof");
    }

    // ------------------------------------------------------------------ versions

    function test_sixteen_changes_may_lie_between_and_not_more() external {
        prove(100e18, 50e18);
        for (uint256 i = 0; i < 16; ++i) {
            tradeWithProof(ETH_PERPETUAL, 1000);
        }
        vm.expectRevert(
            abi.encodeWithSelector(DemoExchange.LeafTooOld.selector, leaf.positionVersion, leaf.positionVersion + 17)
        );
        tradeWithProof(ETH_PERPETUAL, 1000);
        pass(12);
        prove(100e18, 50e18);
        tradeWithProof(ETH_PERPETUAL, 1000);
    }

    function test_a_leaf_from_the_future_is_refused() external {
        IMarginOracle.Report memory report = flat();
        leaf = IMarginOracle.AccountLeaf(keyOf(TRADER), 9, 1, 1, report.referenceBlock);
        report.accountsRoot = oracle.hashAccount(leaf);
        delete proof;
        postReport(report);
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.LeafTooOld.selector, 9, 3));
        tradeWithProof(ETH_PERPETUAL, 1);
    }

    // ------------------------------------------------------------------ reducing

    function test_an_account_by_proof_cannot_drop_a_hedge_by_ratios() external {
        openByProof();
        vm.prank(TRADER);
        vm.expectPartialRevert(DemoExchange.InsufficientMargin.selector);
        exchange.trade(ETH_FUTURE, 100);
    }

    function test_reducing_by_proof_needs_maintenance_only() external {
        openByProof();
        prove(950e18, 400e18);
        vm.prank(TRADER);
        vm.expectPartialRevert(DemoExchange.InsufficientMargin.selector);
        exchange.tradeWithProof(ETH_PERPETUAL, ONE, leaf, proof); // 950 + 300
        tradeWithProof(ETH_FUTURE, ONE); // 400 + 5 % of 3,000
        vm.assertEq(sizeOf(TRADER, ETH_FUTURE), -ONE);
    }

    function test_reducing_by_proof_may_use_the_root_before() external {
        openByProof();
        prove(100e18, 50e18);
        pass(60);
        postFlat();
        tradeWithProof(ETH_FUTURE, ONE);
        pass(5 minutes + 1);
        vm.expectPartialRevert(IMarginOracle.UnknownRoot.selector);
        tradeWithProof(ETH_FUTURE, ONE);
    }

    function test_a_reduction_by_proof_does_not_move_an_account_from_ratios() external {
        prove(100e18, 50e18);
        pass(12);
        postFlat();
        vm.assertTrue(!livesByProof(TRADER), "by proof already");
        vm.expectPartialRevert(IMarginOracle.UnknownRoot.selector); // held to the rule of opening
        tradeWithProof(ETH_FUTURE, ONE);
    }

    function test_closing_everything_leaves_no_measure() external {
        openByProof();
        fund(TRADER, 1_000e6);
        trade(TRADER, ETH_FUTURE, 2 * ONE);
        prove(0, 0);
        tradeWithProof(ETH_PERPETUAL, -2 * ONE);
        vm.assertTrue(!livesByProof(TRADER), "by proof without a position");
    }

    // ------------------------------------------------------------------ liquidating

    function test_liquidation_by_proof() external {
        openByProof();
        prove(1_500e18, 1_100e18); // equity is 1,000
        vm.prank(LIQUIDATOR);
        exchange.liquidateWithProof(TRADER, leaf, proof);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
        vm.assertEq(sizeOf(TRADER, ETH_FUTURE), 0);
        vm.assertEq(cashOf(LIQUIDATOR), 60e6); // 0.5 % of 12,000
        vm.assertTrue(!livesByProof(TRADER), "still by proof");
    }

    function test_above_proven_maintenance_nobody_is_liquidated() external {
        openByProof();
        prove(1_500e18, 999e18);
        expectNotLiquidatable(999e18);
        exchange.liquidateWithProof(TRADER, leaf, proof);
    }

    function test_below_a_fifth_of_the_ratios_a_small_proof_does_not_help() external {
        openByProof();
        prove(1, 1);
        expectNotLiquidatable(2 * 330e18 / 5);
        exchange.liquidateWithProof(TRADER, leaf, proof);
    }

    function test_accounts_by_proof_are_not_liquidated_by_ratios() external {
        openByProof();
        prove(100e18, 50e18);
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.ProofRequired.selector, TRADER));
        exchange.liquidate(TRADER);
    }

    function test_unless_the_root_is_stale() external {
        openByProof();
        pass(HEARTBEAT + 1);
        price(ETH_PRICE, BTC_PRICE);
        expectNotLiquidatable(660e18); // by ratios, and covered
        exchange.liquidate(TRADER);
        uint24[7] memory nodes = [uint24(600_000), 600_000, 600_000, 600_000, 600_000, 600_000, 600_000];
        surface.push(ETH, expiry, nodes, 1_000_000);
        exchange.liquidate(TRADER);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
    }

    function test_accounts_by_ratios_are_not_liquidated_by_proof() external {
        prove(1_500e18, 1_100e18);
        vm.expectRevert(abi.encodeWithSelector(DemoExchange.NotMarginedByProof.selector, TRADER));
        exchange.liquidateWithProof(TRADER, leaf, proof);
    }

    function test_liquidation_needs_the_latest_root() external {
        openByProof();
        prove(1_500e18, 1_100e18);
        pass(12);
        postFlat();
        vm.expectPartialRevert(IMarginOracle.UnknownRoot.selector);
        exchange.liquidateWithProof(TRADER, leaf, proof);
    }

    function test_a_new_version_is_no_dodge() external {
        openByProof();
        prove(900e18, 850e18);
        tradeWithProof(ETH_PERPETUAL, 1000); // a tiny trade after the proof
        pass(12);
        vm.assertTrue(versionOf(TRADER) > leaf.positionVersion, "no new version");
        // The carry rises, and the short future loses against the perpetual.
        price(ETH_PRICE, BTC_PRICE);
        uint24[7] memory nodes = [uint24(600_000), 600_000, 600_000, 600_000, 600_000, 600_000, 600_000];
        surface.push(ETH, expiry, nodes, 500_000);
        vm.assertTrue(exchange.equityMicro(TRADER) < 849e6, "the loss is too small");
        exchange.liquidateWithProof(TRADER, leaf, proof);
        vm.assertEq(sizeOf(TRADER, ETH_PERPETUAL), 0);
    }

    function test_a_new_version_is_not_punished() external {
        openByProof();
        prove(400e18, 1_050e18); // would be liquidated at 1,000
        vm.prank(TRADER);
        exchange.tradeWithProof(ETH_FUTURE, -ONE, leaf, proof);
        // What was traded since counts in its favour: 1,050 - 6 % of 3,000.
        expectNotLiquidatable(870e18);
        exchange.liquidateWithProof(TRADER, leaf, proof);
    }
}
