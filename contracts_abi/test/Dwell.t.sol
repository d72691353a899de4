// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What is tighter is in force at once; what is looser waits for the dwell, and for what is asked meanwhile.
/// @dev A heartbeat of one hour, a dwell of two; falls of 36,000 ppm an hour. In force at first: 100,000 / 120,000
/// initial, 50,000 / 60,000 maintenance, 2,000 / 3,000 slope.
contract DwellTest is OracleFixture {
    uint24 private constant DWELL = 2 hours;

    function setUp() external {
        deployOracle(3, 2, 3);
        setTiming(HEARTBEAT, DWELL, 0);
        configure(1);
        postDefaults(1);
        pass(1 hours);
    }

    /// @dev A report of market 1 with these initial ratios and the other values of the default.
    function offered(uint32 initialLong, uint32 initialShort)
        internal
        view
        returns (IMarginOracle.Report memory report)
    {
        report = draft(1);
        (report.markets[0].initialLong, report.markets[0].initialShort) = (initialLong, initialShort);
    }

    function offer(uint32 initialLong, uint32 initialShort) internal {
        postReport(offered(initialLong, initialShort));
    }

    function hasInForce(uint32 initialLong, uint32 initialShort) internal view {
        IMarginOracle.CurrentMargin memory current = oracle.marketState(1).current;
        vm.assertEq(current.initialLong, initialLong);
        vm.assertEq(current.initialShort, initialShort);
        vm.assertEq(keccak256(abi.encode(current)), keccak256(abi.encode(oracle.marginUnsafe(1))));
    }

    function hasWaiting(uint32 initialLong, uint32 initialShort, uint256 effective) internal view {
        IMarginOracle.MarketState memory state = oracle.marketState(1);
        vm.assertEq(state.pending.initialLong, initialLong);
        vm.assertEq(state.pending.initialShort, initialShort);
        vm.assertEq(state.pendingTimestamp, effective);
        vm.assertEq(state.pending.referenceTimestamp, state.current.referenceTimestamp);
    }

    function hasNothingWaiting() internal view {
        IMarginOracle.MarketState memory state = oracle.marketState(1);
        vm.assertEq(state.pendingTimestamp, 0);
        IMarginOracle.CurrentMargin memory none;
        vm.assertEq(keccak256(abi.encode(state.pending)), keccak256(abi.encode(none)));
    }

    function wordOf(IMarginOracle.MarketMargin memory m) internal pure returns (uint256) {
        return uint256(m.marketId) << 192 | uint256(m.initialLong) << 160 | uint256(m.initialShort) << 128
            | uint256(m.maintenanceLong) << 96 | uint256(m.maintenanceShort) << 64 | uint256(m.slopeLong) << 32
            | m.slopeShort;
    }

    // ------------------------------------------------------------------ the five rules

    function test_rule_1_what_is_refused_changes_neither_what_is_in_force_nor_what_waits() external {
        offer(90_000, 120_000);
        uint256 effective = vm.getBlockTimestamp() + DWELL;
        pass(30 minutes);
        offer(900_001, 80_000);
        hasInForce(100_000, 120_000);
        hasWaiting(90_000, 120_000, effective);
    }

    function test_rule_2_a_mixed_tuple_tightens_at_once_and_loosens_later() external {
        offer(90_000, 130_000);
        hasInForce(100_000, 130_000);
        hasWaiting(90_000, 130_000, vm.getBlockTimestamp() + DWELL);
    }

    function test_rule_2_holds_for_each_of_the_six_values() external {
        IMarginOracle.Report memory report = draft(1);
        report.markets[0] = IMarginOracle.MarketMargin(1, 90_000, 121_000, 49_000, 61_000, 1_900, 3_100);
        postReport(report);
        IMarginOracle.MarketState memory state = oracle.marketState(1);
        uint40 time = uint40(report.referenceTimestamp);
        IMarginOracle.CurrentMargin memory expected =
            IMarginOracle.CurrentMargin(100_000, 121_000, 50_000, 61_000, 2_000, 3_100, time);
        vm.assertEq(keccak256(abi.encode(state.current)), keccak256(abi.encode(expected)));
        expected = IMarginOracle.CurrentMargin(90_000, 121_000, 49_000, 61_000, 1_900, 3_100, time);
        vm.assertEq(keccak256(abi.encode(state.pending)), keccak256(abi.encode(expected)));
    }

    function test_rule_3_a_tuple_nowhere_below_what_is_in_force_drops_what_waits() external {
        offer(90_000, 120_000);
        pass(30 minutes);
        offer(100_000, 120_000);
        hasNothingWaiting();
        pass(DWELL);
        offer(100_000, 120_000);
        hasInForce(100_000, 120_000);
    }

    function test_rule_3_holds_also_once_the_time_has_come() external {
        offer(90_000, 120_000);
        pass(DWELL);
        offer(100_000, 121_000);
        hasInForce(100_000, 121_000);
        hasNothingWaiting();
    }

    function test_rule_4_the_first_looser_report_sets_the_time_and_later_ones_leave_it() external {
        offer(90_000, 110_000);
        uint256 effective = vm.getBlockTimestamp() + DWELL;
        pass(30 minutes);
        offer(80_000, 115_000);
        hasInForce(100_000, 120_000);
        hasWaiting(90_000, 115_000, effective);
        pass(30 minutes);
        offer(95_000, 100_000);
        hasWaiting(95_000, 115_000, effective);
    }

    function test_rule_4_what_rises_meanwhile_waits_at_its_risen_value() external {
        offer(90_000, 110_000);
        uint256 effective = vm.getBlockTimestamp() + DWELL;
        pass(30 minutes);
        offer(105_000, 110_000);
        hasInForce(105_000, 120_000);
        hasWaiting(105_000, 110_000, effective);
    }

    function test_rule_5_the_next_report_brings_in_force_what_has_waited() external {
        offer(90_000, 110_000);
        pass(DWELL - 1);
        offer(90_000, 110_000);
        hasInForce(100_000, 120_000);
        pass(1);
        offer(90_000, 110_000);
        hasInForce(90_000, 110_000);
        hasNothingWaiting();
    }

    function test_rule_5_what_the_next_report_asks_for_below_it_waits_anew() external {
        offer(90_000, 110_000);
        pass(DWELL);
        offer(85_000, 112_000);
        hasInForce(90_000, 112_000);
        hasWaiting(85_000, 112_000, vm.getBlockTimestamp() + DWELL);
    }

    function test_rule_5_a_report_between_the_two_is_in_force_whole() external {
        offer(90_000, 110_000);
        pass(DWELL);
        offer(95_000, 110_000);
        hasInForce(95_000, 110_000);
        hasNothingWaiting();
    }

    function test_rule_5_anyone_brings_in_force_what_has_waited() external {
        offer(90_000, 110_000);
        uint256 time = vm.getBlockTimestamp();
        pass(DWELL / 2);
        offer(90_000, 110_000);
        pass(DWELL / 2);
        IMarginOracle.MarketMargin memory expected = defaultMargin(1);
        (expected.initialLong, expected.initialShort) = (90_000, 110_000);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.PendingApplied(1, wordOf(expected));
        vm.prank(STRANGER);
        oracle.applyPending(1);
        hasInForce(90_000, 110_000);
        hasNothingWaiting();
        vm.assertEq(oracle.margin(1).referenceTimestamp, time + DWELL / 2);
    }

    // ------------------------------------------------------------------ in the long run

    function test_a_heartbeat_shorter_than_the_dwell_starves_nothing() external {
        for (uint256 round = 0; round < 4; ++round) {
            offer(70_000, 120_000);
            pass(HEARTBEAT);
        }
        hasInForce(70_000, 120_000);
    }

    function test_a_lasting_fall_arrives_at_the_hourly_rate() external {
        IMarginOracle.Report memory report = draft(1);
        report.exceedsStep = true;
        report.markets[0].initialLong = 700_000;
        postReport(report);
        uint256 start = vm.getBlockTimestamp();
        // Every half hour the most that may be asked for: two hours of the rate below what is in force.
        for (uint256 round = 0; round < 20; ++round) {
            pass(30 minutes);
            offer(uint32(oracle.marginUnsafe(1).initialLong - 72_000), 120_000);
            uint256 fallen = 700_000 - oracle.marginUnsafe(1).initialLong;
            vm.assertTrue(fallen * 3_600 <= 36_000 * (vm.getBlockTimestamp() - start), "faster than the rate");
        }
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 700_000 - 4 * 72_000);
    }

    /// @dev An hour has passed: with a dwell of two hours the fall may be that of two.
    function test_a_fall_may_use_the_dwell_where_less_time_has_passed() external {
        IMarginOracle.Report memory report = offered(27_999, 120_000);
        report.markets[0].maintenanceLong = 20_000;
        postReport(report);
        hasNothingWaiting();
        pass(0);
        report = offered(28_000, 120_000);
        report.markets[0].maintenanceLong = 20_000;
        postReport(report);
        hasWaiting(28_000, 120_000, vm.getBlockTimestamp() + DWELL);
    }

    function test_a_fall_may_use_the_time_that_passed_where_it_is_longer() external {
        pass(2 hours);
        IMarginOracle.Report memory report = offered(100_000, 11_999);
        report.markets[0].maintenanceShort = 10_000;
        postReport(report);
        hasNothingWaiting();
        pass(0);
        report = offered(100_000, 12_000);
        report.markets[0].maintenanceShort = 10_000;
        postReport(report);
        hasWaiting(100_000, 12_000, vm.getBlockTimestamp() + DWELL);
    }

    function test_the_higher_quorum_does_not_shorten_the_wait() external {
        IMarginOracle.Report memory report = offered(90_000, 120_000);
        report.exceedsStep = true;
        postReport(report);
        hasInForce(100_000, 120_000);
        hasWaiting(90_000, 120_000, vm.getBlockTimestamp() + DWELL);
    }

    function test_without_a_dwell_the_tuple_is_in_force_at_once_and_nothing_waits_any_longer() external {
        offer(90_000, 110_000);
        setTiming(HEARTBEAT, 0, 0);
        pass(1 hours);
        hasWaiting(90_000, 110_000, vm.getBlockTimestamp() + 1 hours);
        offer(95_000, 115_000);
        hasInForce(95_000, 115_000);
        hasNothingWaiting();
    }

    function test_a_longer_dwell_leaves_the_time_of_what_waits() external {
        offer(90_000, 120_000);
        uint256 effective = vm.getBlockTimestamp() + DWELL;
        setTiming(HEARTBEAT, 24 hours, 0);
        pass(30 minutes);
        offer(90_000, 120_000);
        hasWaiting(90_000, 120_000, effective);
    }

    function test_reconfiguration_drops_what_waits() external {
        IMarginOracle.Report memory report = offered(90_000, 120_000);
        postReport(report);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.PendingCancelled(1, wordOf(report.markets[0]));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketConfigured(1, "market", defaultConfig());
        configure(1);
        hasNothingWaiting();
        hasInForce(100_000, 120_000);
        pass(HEARTBEAT);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 1));
        oracle.applyPending(1);
        offer(90_000, 120_000);
        hasWaiting(90_000, 120_000, vm.getBlockTimestamp() + DWELL);
    }

    // ------------------------------------------------------------------ announced

    function test_a_loosening_is_announced_with_what_waits_and_the_round_with_what_is_in_force() external {
        IMarginOracle.Report memory report = offered(90_000, 130_000);
        uint256[] memory margins = new uint256[](1);
        margins[0] = wordOf(report.markets[0]) & ~(uint256(type(uint32).max) << 160) | uint256(100_000) << 160;
        uint40 effective = uint40(vm.getBlockTimestamp() + DWELL);
        bytes memory packed = packSigned(report);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.LooseningPending(1, report.sequence, effective, wordOf(report.markets[0]));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.ReportPosted(
            report.sequence,
            oracle.hashReport(report),
            report.referenceBlock,
            report.referenceTimestamp,
            report.modelHash,
            report.detailsHash,
            report.accountsRoot,
            report.accountCount,
            margins
        );
        oracle.post(packed);
    }

    // ------------------------------------------------------------------ applyPending

    function test_nothing_is_applied_where_nothing_waits() external {
        bytes4 selector = IMarginOracle.NothingPending.selector;
        postDefaults(1);
        vm.expectRevert(abi.encodeWithSelector(selector, 1));
        oracle.applyPending(1);
        configure(2);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 2));
        oracle.applyPending(2);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 9));
        oracle.applyPending(9);
    }

    function test_nothing_is_applied_early() external {
        offer(90_000, 120_000);
        uint256 effective = vm.getBlockTimestamp() + DWELL;
        pass(HEARTBEAT);
        vm.expectRevert(
            abi.encodeWithSelector(IMarginOracle.PendingNotReady.selector, effective, vm.getBlockTimestamp())
        );
        oracle.applyPending(1);
        offer(90_000, 120_000);
        vm.warp(effective - 1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.PendingNotReady.selector, effective, effective - 1));
        oracle.applyPending(1);
        vm.warp(effective);
        oracle.applyPending(1);
        hasInForce(90_000, 120_000);
    }

    function test_nothing_is_applied_twice() external {
        setTiming(HEARTBEAT, HEARTBEAT, 0);
        offer(90_000, 120_000);
        pass(HEARTBEAT);
        oracle.applyPending(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 1));
        oracle.applyPending(1);
    }

    function test_nothing_is_applied_while_stale() external {
        offer(90_000, 120_000);
        pass(DWELL);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, DWELL, HEARTBEAT));
        oracle.applyPending(1);
        hasInForce(100_000, 120_000);
    }

    function test_nothing_is_applied_while_paused() external {
        setTiming(HEARTBEAT, HEARTBEAT, 0);
        offer(90_000, 120_000);
        pass(HEARTBEAT);
        vm.prank(GUARDIAN);
        oracle.pause();
        vm.expectRevert(IMarginOracle.PostsPaused.selector);
        oracle.applyPending(1);
        vm.prank(GUARDIAN);
        oracle.unpause();
        oracle.applyPending(1);
        hasInForce(90_000, 120_000);
    }
}
