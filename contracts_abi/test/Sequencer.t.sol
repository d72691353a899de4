// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title While the L2 sequencer is down, and for a grace period after: opening is stale, liquidating waits.
contract SequencerTest is OracleFixture {
    IMarginOracle.Purpose private constant OPENING = IMarginOracle.Purpose.Opening;
    IMarginOracle.Purpose private constant LIQUIDATING = IMarginOracle.Purpose.Liquidating;
    address private constant FEED = address(0xFEED);
    uint32 private constant GRACE = 20 minutes;
    uint256 private constant FRESH_OPENING = 0.1e18 + 2e9;
    uint256 private constant FALLBACK_OPENING = 0.3e18 + 2e9;

    IMarginOracle.AccountLeaf private leaf;

    function setUp() external {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.timing.dwellSeconds = 5 minutes;
        (setup.sequencerUptimeFeed, setup.sequencerGraceSeconds) = (FEED, GRACE);
        oracle = newOracle(setup);
        set = newSignerSet(3, 2, 3);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        IMarginOracle.Report memory report = draft(1);
        leaf = IMarginOracle.AccountLeaf(keccak256("account"), 3, 200e18, 100e18, report.referenceBlock);
        report.accountsRoot = oracle.hashAccount(leaf);
        postReport(report);
        pass(12);
        feedSays(0, vm.getBlockTimestamp() - 1 days);
    }

    function feedSays(int256 answer, uint256 startedAt) internal {
        feedAnswers(abi.encode(uint80(7), answer, startedAt, vm.getBlockTimestamp(), uint80(7)));
    }

    function feedAnswers(bytes memory answer) internal {
        vm.mockCall(FEED, abi.encodeWithSignature("latestRoundData()"), answer);
    }

    function verify(bool reducesRisk) internal view {
        oracle.verifyAccount(leaf, new bytes32[](0), reducesRisk);
    }

    function isUp() internal view {
        oracle.requireSequencerUp();
        oracle.requireFresh(1);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
        (bool ok,) = oracle.tryMargin(1);
        vm.assertTrue(ok, "not usable though up");
        vm.assertEq(oracle.requirement(1, true, 1e18, OPENING), FRESH_OPENING);
        vm.assertEq(oracle.requirement(1, true, 1e18, LIQUIDATING), 0.05e18 + 2e9);
        verify(false);
        verify(true);
    }

    function isOut(bytes memory reason) internal {
        vm.expectRevert(reason);
        oracle.requireSequencerUp();
        vm.expectRevert(reason);
        oracle.requireFresh(1);
        vm.expectRevert(reason);
        oracle.margin(1);
        (bool ok, IMarginOracle.CurrentMargin memory current) = oracle.tryMargin(1);
        vm.assertTrue(!ok, "usable though out");
        vm.assertEq(current.initialLong, 100_000);
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
        vm.assertEq(oracle.requirement(1, true, 1e18, OPENING), FALLBACK_OPENING);
        vm.expectRevert(reason);
        oracle.requirement(1, true, 1e18, LIQUIDATING);
        vm.expectRevert(reason);
        verify(false);
        verify(true);
    }

    function isDown() internal {
        isOut(abi.encodeWithSelector(IMarginOracle.SequencerDown.selector));
    }

    function test_up_for_long_is_up() external view {
        isUp();
    }

    function test_down_is_down_however_short() external {
        feedSays(1, vm.getBlockTimestamp());
        isDown();
        feedSays(1, vm.getBlockTimestamp() - 1 days);
        isDown();
    }

    function test_after_an_outage_the_grace_period_counts_as_one() external {
        uint256 back = vm.getBlockTimestamp();
        feedSays(0, back);
        isOut(abi.encodeWithSelector(IMarginOracle.SequencerGracePeriod.selector, back + GRACE));
        vm.warp(back + GRACE - 1);
        isOut(abi.encodeWithSelector(IMarginOracle.SequencerGracePeriod.selector, back + GRACE));
        vm.warp(back + GRACE);
        isUp();
    }

    function test_a_feed_that_is_silent_means_down() external {
        vm.mockCallRevert(FEED, abi.encodeWithSignature("latestRoundData()"), "no data");
        isDown();
    }

    function test_a_feed_without_code_means_down() external {
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.sequencerUptimeFeed = STRANGER;
        oracle = newOracle(setup);
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        oracle.requireSequencerUp();
    }

    function test_an_answer_too_short_means_down() external {
        feedAnswers("");
        isDown();
        feedAnswers(abi.encode(uint80(7), int256(0), vm.getBlockTimestamp() - 1 days, vm.getBlockTimestamp()));
        isDown();
        bytes memory answer = abi.encode(uint80(7), int256(0), vm.getBlockTimestamp() - 1 days, 1, uint80(7));
        assembly ("memory-safe") {
            mstore(answer, 159)
        }
        feedAnswers(answer);
        isDown();
    }

    function test_a_feed_that_knows_no_start_means_down() external {
        feedSays(0, 0);
        isDown();
    }

    function test_a_start_in_the_future_means_down() external {
        feedSays(0, vm.getBlockTimestamp() + 1);
        isDown();
    }

    function test_any_answer_but_zero_means_down() external {
        feedSays(-1, vm.getBlockTimestamp() - 1 days);
        isDown();
        feedSays(2, vm.getBlockTimestamp() - 1 days);
        isDown();
    }

    function test_a_stale_figure_is_stale_before_it_is_anything_else() external {
        pass(HEARTBEAT);
        feedSays(1, vm.getBlockTimestamp());
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        oracle.margin(1);
        vm.assertEq(oracle.requirement(1, true, 1e18, OPENING), FALLBACK_OPENING);
    }

    function test_reports_are_taken_while_the_sequencer_is_out_but_nothing_waiting_is_applied() external {
        feedSays(0, vm.getBlockTimestamp());
        IMarginOracle.Report memory report = draft(1);
        report.markets[0].initialLong = 99_000;
        postReport(report);
        pass(5 minutes);
        vm.expectPartialRevert(IMarginOracle.SequencerGracePeriod.selector);
        oracle.applyPending(1);
        pass(GRACE);
        oracle.applyPending(1);
        vm.assertEq(oracle.margin(1).initialLong, 99_000);
    }

    function test_a_chain_without_a_sequencer_is_never_out() external {
        oracle = newOracle(IMarginOracle.BlockHashSource.Evm);
        oracle.requireSequencerUp();
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        postDefaults(1);
        (bool ok,) = oracle.tryMargin(1);
        vm.assertTrue(ok, "not usable");
        vm.assertEq(oracle.requirement(1, true, 1e18, LIQUIDATING), 0.05e18 + 2e9);
    }
}
