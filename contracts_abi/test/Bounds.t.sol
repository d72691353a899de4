// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title The limits of a market: what is let through, what is refused and with which reason; never clamped.
/// @dev In force: 100,000 / 120,000 initial, 50,000 / 60,000 maintenance, 2,000 / 3,000 slope; one hour ago.
contract BoundsTest is OracleFixture {
    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        postDefaults(2);
        pass(1 hours);
    }

    function tuple(IMarginOracle.Report memory report) internal pure returns (IMarginOracle.MarketMargin memory) {
        return report.markets[0];
    }

    function passes(IMarginOracle.Report memory report) internal {
        (, uint256 refusals) = oracle.preview(packSigned(report));
        vm.assertEq(refusals, 0);
        postReport(report);
        IMarginOracle.CurrentMargin memory current = oracle.marginUnsafe(1);
        vm.assertEq(current.referenceTimestamp, report.referenceTimestamp);
        vm.assertEq(current.initialLong, tuple(report).initialLong);
        vm.assertEq(current.initialShort, tuple(report).initialShort);
        vm.assertEq(current.maintenanceLong, tuple(report).maintenanceLong);
        vm.assertEq(current.maintenanceShort, tuple(report).maintenanceShort);
        vm.assertEq(current.slopeLong, tuple(report).slopeLong);
        vm.assertEq(current.slopeShort, tuple(report).slopeShort);
    }

    /// @dev The first market is refused and unchanged; the second goes through.
    function refuses(IMarginOracle.Report memory report, IMarginOracle.Refusal reason, uint256 inForce, uint256 offered)
        internal
    {
        bytes memory packed = packSigned(report);
        bytes32 before = keccak256(abi.encode(oracle.marginUnsafe(1)));
        (, uint256 refusals) = oracle.preview(packed);
        vm.assertEq(refusals, 1);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(tuple(report).marketId, report.sequence, reason, inForce, offered);
        oracle.post(packed);
        vm.assertEq(keccak256(abi.encode(oracle.marginUnsafe(1))), before);
        vm.assertEq(oracle.marginUnsafe(2).referenceTimestamp, report.referenceTimestamp);
    }

    // ------------------------------------------------------------------ range

    function test_range_below() external {
        IMarginOracle.Report memory report = draft(2);
        (report.markets[0].initialShort, report.markets[0].maintenanceShort) = (9_999, 9_999);
        refuses(report, IMarginOracle.Refusal.BelowMinimum, 120_000, 9_999);
    }

    function test_range_above() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 900_001;
        refuses(report, IMarginOracle.Refusal.AboveMaximum, 100_000, 900_001);
    }

    function test_range_holds_for_maintenance_and_slope() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].maintenanceLong = 4_999;
        refuses(report, IMarginOracle.Refusal.BelowMinimum, 50_000, 4_999);
        pass(1 hours);
        report = draft(2);
        report.markets[0].slopeShort = 500_001;
        refuses(report, IMarginOracle.Refusal.AboveMaximum, 3_000, 500_001);
    }

    function test_higher_quorum_does_not_lift_the_range() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        report.markets[0].initialLong = 900_001;
        refuses(report, IMarginOracle.Refusal.AboveMaximum, 100_000, 900_001);
    }

    function test_initial_covers_maintenance_on_each_side() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 49_999;
        refuses(report, IMarginOracle.Refusal.InitialBelowMaintenance, 100_000, 49_999);
        pass(1 hours);
        report = draft(2);
        report.exceedsStep = true;
        report.markets[0].maintenanceShort = 120_001;
        refuses(report, IMarginOracle.Refusal.InitialBelowMaintenance, 120_000, 120_000);
    }

    function test_initial_may_equal_maintenance() external {
        pass(100 hours);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 50_000;
        passes(report);
    }

    // ------------------------------------------------------------------ steps and rates

    function test_initial_rises_by_the_relative_step() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 125_001; // 25 % of 100,000 is 25,000
        refuses(report, IMarginOracle.Refusal.InitialStepUp, 100_000, 125_001);
        pass(1 hours);
        report = draft(2);
        report.markets[0].initialLong = 125_000;
        report.markets[0].initialShort = 150_000;
        passes(report);
    }

    function test_a_small_initial_rises_by_the_least_step() external {
        pass(100 hours);
        IMarginOracle.Report memory report = draft(2);
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) = (10_000, 5_000);
        passes(report);
        pass(1 hours);
        report = draft(2);
        report.markets[0].initialLong = 30_001;
        report.markets[0].maintenanceLong = 5_000;
        refuses(report, IMarginOracle.Refusal.InitialStepUp, 10_000, 30_001);
        pass(1 hours);
        report = draft(2);
        report.markets[0].initialLong = 30_000;
        report.markets[0].maintenanceLong = 5_000;
        passes(report);
    }

    function test_maintenance_rises_by_the_hour() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].maintenanceLong = 68_001;
        refuses(report, IMarginOracle.Refusal.MaintenanceRateUp, 50_000, 68_001);
        pass(0);
        report = draft(2);
        report.markets[0].maintenanceLong = 68_000; // one hour since the tuple in force
        passes(report);
    }

    function test_rates_run_over_reference_times_not_over_rounds() external {
        IMarginOracle.Report memory report = draft(2);
        pass(3 hours); // posted late: only the hour between the reference times counts
        report.validUntil = uint64(vm.getBlockTimestamp());
        report.markets[0].maintenanceShort = 78_001;
        refuses(report, IMarginOracle.Refusal.MaintenanceRateUp, 60_000, 78_001);
    }

    function test_slope_rises_by_its_step() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].slopeLong = 3_001; // 50 % of 2,000, and the least step, are 1,000
        refuses(report, IMarginOracle.Refusal.SlopeStepUp, 2_000, 3_001);
        pass(1 hours);
        report = draft(2);
        (report.markets[0].slopeLong, report.markets[0].slopeShort) = (3_000, 4_500);
        passes(report);
    }

    function test_everything_falls_by_the_hour() external {
        IMarginOracle.Report memory report = draft(2);
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) = (63_999, 50_000);
        refuses(report, IMarginOracle.Refusal.RateDown, 100_000, 63_999);
        pass(0);
        report = draft(2);
        (report.markets[0].maintenanceShort) = 23_999;
        refuses(report, IMarginOracle.Refusal.RateDown, 60_000, 23_999);
        pass(0);
        report = draft(2);
        report.markets[0] = IMarginOracle.MarketMargin(1, 64_000, 84_000, 14_000, 24_000, 0, 0);
        passes(report);
    }

    function test_slope_falls_by_the_hour_too() external {
        IMarginOracle.MarketConfig memory config = defaultConfig();
        config.slope.fallHourly = 500;
        vm.prank(OWNER);
        oracle.configureMarket(1, "market", config);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].slopeShort = 2_499;
        refuses(report, IMarginOracle.Refusal.RateDown, 3_000, 2_499);
    }

    function test_higher_quorum_lifts_the_limits_of_rises() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        report.markets[0] = IMarginOracle.MarketMargin(1, 900_000, 900_000, 800_000, 800_000, 500_000, 500_000);
        passes(report);
    }

    function test_no_quorum_lifts_the_limits_of_falls() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) = (10_000, 5_000);
        refuses(report, IMarginOracle.Refusal.RateDown, 100_000, 10_000);
    }

    function test_first_post_has_no_step_but_a_range() external {
        configure(3);
        IMarginOracle.Report memory report = draft(3);
        report.markets[2] = IMarginOracle.MarketMargin(3, 900_000, 900_001, 800_000, 800_000, 500_000, 500_000);
        postReport(report);
        vm.assertEq(oracle.marginUnsafe(3).referenceTimestamp, 0);
        pass(1 hours);
        report = draft(3);
        report.markets[2] = IMarginOracle.MarketMargin(3, 900_000, 900_000, 800_000, 800_000, 500_000, 500_000);
        postReport(report);
        vm.assertEq(oracle.margin(3).initialLong, 900_000);
    }

    function test_unknown_market_is_refused_alone() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].marketId = 0;
        refuses(report, IMarginOracle.Refusal.UnknownMarket, 0, 0);
    }

    /// @dev Written from the interface's text: the whole rule once more, and slower.
    function isAllowed(uint256 field, uint256 previous, uint256 offered, uint256 elapsed) internal pure returns (bool) {
        IMarginOracle.MarketConfig memory config = defaultConfig();
        IMarginOracle.Bounds memory b = field < 2 ? config.initial : field < 4 ? config.maintenance : config.slope;
        if (offered < b.minimum || offered > b.maximum) return false;
        if (offered < previous) return (previous - offered) * 3600 <= b.fallHourly * elapsed;
        uint256 rise = offered - previous;
        if (field == 2 || field == 3) return rise * 3600 <= b.riseHourly * elapsed;
        return rise <= b.stepMinimum || rise * 1e6 <= previous * b.stepRelativePpm;
    }

    function testFuzz_a_tuple_passes_whole_or_not_at_all(uint32[6] calldata random, uint256 elapsed) external {
        elapsed = bound(elapsed, 0, 4 hours);
        pass(elapsed);
        IMarginOracle.Report memory report = draft(1);
        uint256[6] memory offered;
        uint256[6] memory previous = [uint256(100_000), 120_000, 50_000, 60_000, 2_000, 3_000];
        bool allowed = true;
        for (uint256 i = 0; i < 6; ++i) {
            uint256 spread = i < 4 ? 40_000 : 1_600;
            offered[i] = bound(random[i], previous[i] - spread, previous[i] + spread);
            allowed = allowed && isAllowed(i, previous[i], offered[i], elapsed + 1 hours);
        }
        allowed = allowed && offered[0] >= offered[2] && offered[1] >= offered[3];
        report.markets[0] = IMarginOracle.MarketMargin(
            1,
            uint32(offered[0]),
            uint32(offered[1]),
            uint32(offered[2]),
            uint32(offered[3]),
            uint32(offered[4]),
            uint32(offered[5])
        );
        if (allowed) {
            passes(report);
        } else {
            postReport(report);
            vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
            vm.assertTrue(oracle.marginUnsafe(1).referenceTimestamp < report.referenceTimestamp, "half a tuple");
        }
    }
}
