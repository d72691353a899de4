// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title The minimum delay between rises, and the one correction within it.
/// @dev A delay of one hour; initial rises by a quarter or 20,000 ppm. The first tuple is in, its delay long over.
contract CorrectionTest is OracleFixture {
    uint16 private constant DELAY = 1 hours;

    function setUp() external {
        deployOracle(3, 2, 3);
        setTiming(HEARTBEAT, 0, DELAY);
        configure(1);
        postDefaults(1);
        pass(1 hours);
    }

    function offered(uint32 initialLong) internal view returns (IMarginOracle.Report memory report) {
        report = draft(1);
        report.markets[0].initialLong = initialLong;
    }

    function passes(IMarginOracle.Report memory report, bool asCorrection) internal {
        postReport(report);
        IMarginOracle.MarketState memory state = oracle.marketState(1);
        vm.assertEq(state.current.initialLong, report.markets[0].initialLong);
        vm.assertEq(state.current.referenceTimestamp, report.referenceTimestamp);
        vm.assertTrue(state.isCorrected == asCorrection, "taken for a correction, or not");
    }

    function refuses(IMarginOracle.Report memory report, IMarginOracle.Refusal reason, uint256 left, uint256 right)
        internal
    {
        bytes32 before = keccak256(abi.encode(oracle.marketState(1)));
        bytes memory packed = packSigned(report);
        (, uint256 refusals) = oracle.preview(packed);
        vm.assertEq(refusals, 1);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, reason, left, right);
        oracle.post(packed);
        vm.assertEq(keccak256(abi.encode(oracle.marketState(1))), before);
    }

    function test_the_first_rise_is_no_correction() external {
        vm.assertEq(oracle.marketState(1).lastRiseTimestamp, oracle.lastReferenceTimestamp() - 65_535);
        passes(offered(110_000), false);
        vm.assertEq(oracle.marketState(1).lastRiseTimestamp, oracle.lastReferenceTimestamp());
    }

    function test_one_rise_within_the_delay_is_a_correction_and_the_next_one_waits() external {
        passes(offered(110_000), false);
        pass(DELAY - 1);
        passes(offered(120_000), true);
        pass(DELAY - 1);
        refuses(offered(121_000), IMarginOracle.Refusal.RiseTooSoon, DELAY - 1, DELAY);
        pass(1);
        passes(offered(121_000), false);
    }

    function test_a_rise_after_the_delay_is_never_a_correction() external {
        passes(offered(110_000), false);
        pass(DELAY);
        passes(offered(120_000), false);
        pass(DELAY);
        passes(offered(130_000), false);
    }

    function test_a_correction_stays_within_the_step() external {
        passes(offered(110_000), false);
        pass(12);
        refuses(offered(137_501), IMarginOracle.Refusal.InitialStepUp, 110_000, 137_501);
        pass(12);
        passes(offered(137_500), true);
    }

    function test_a_correction_of_maintenance_stays_within_the_hourly_rate() external {
        passes(offered(110_000), false);
        pass(60);
        IMarginOracle.Report memory report = offered(110_000);
        report.markets[0].maintenanceLong = 50_301; // 300 in a minute
        refuses(report, IMarginOracle.Refusal.MaintenanceRateUp, 50_000, 50_301);
    }

    function test_the_higher_quorum_never_waits() external {
        passes(offered(110_000), false);
        pass(12);
        passes(offered(120_000), true);
        pass(12);
        IMarginOracle.Report memory report = offered(600_000);
        report.exceedsStep = true;
        passes(report, false);
        pass(12);
        passes(offered(610_000), true);
        pass(12);
        refuses(offered(620_000), IMarginOracle.Refusal.RiseTooSoon, 12, DELAY);
    }

    function test_what_does_not_rise_never_waits_and_keeps_the_last_rise() external {
        passes(offered(110_000), false);
        uint256 rose = oracle.lastReferenceTimestamp();
        pass(12);
        passes(offered(120_000), true);
        rose += 12;
        for (uint32 round = 1; round <= 3; ++round) {
            pass(12);
            passes(offered(120_000 - 10 * round), true);
            vm.assertEq(oracle.marketState(1).lastRiseTimestamp, rose);
        }
        pass(12);
        refuses(offered(120_000), IMarginOracle.Refusal.RiseTooSoon, 48, DELAY);
    }

    function test_a_rise_of_any_value_counts() external {
        passes(offered(110_000), false);
        pass(60);
        IMarginOracle.Report memory report = offered(109_999);
        report.markets[0].slopeShort = 3_001;
        passes(report, true);
        pass(60);
        report = offered(109_999);
        (report.markets[0].slopeShort, report.markets[0].maintenanceShort) = (3_001, 60_001);
        refuses(report, IMarginOracle.Refusal.RiseTooSoon, 60, DELAY);
    }

    function test_each_market_has_its_own_delay() external {
        configure(2);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 110_000;
        passes(report, false);
        pass(12);
        report = draft(2);
        (report.markets[0].initialLong, report.markets[1].initialLong) = (120_000, 120_000);
        passes(report, true);
        vm.assertTrue(!oracle.marketState(2).isCorrected, "the second market was held to the delay of the first");
        vm.assertEq(oracle.marginUnsafe(2).initialLong, 120_000);
    }

    function test_a_rise_long_ago_is_long_enough_ago() external {
        setTiming(HEARTBEAT, 0, type(uint16).max);
        passes(offered(110_000), false);
        pass(40_000);
        passes(offered(110_000), false);
        pass(40_000); // 80,000 s in all: more than the word remembers
        passes(offered(110_000), false);
        vm.assertEq(oracle.marketState(1).lastRiseTimestamp, oracle.lastReferenceTimestamp() - 65_535);
        pass(1);
        passes(offered(120_000), false);
    }

    function test_the_delay_runs_over_reference_times() external {
        passes(offered(110_000), false);
        IMarginOracle.Report memory report = offered(120_000);
        report.referenceTimestamp += 12;
        report.validUntil += 2 hours;
        pass(2 hours); // posted late: by its reference time it rose 12 s after the first
        report.referenceBlock = draft(1).referenceBlock;
        report.referenceBlockHash = draft(1).referenceBlockHash;
        passes(report, true);
    }

    function test_without_a_delay_nothing_waits() external {
        setTiming(HEARTBEAT, 0, 0);
        for (uint32 round = 0; round < 3; ++round) {
            passes(offered(110_000 + round), false);
            pass(0);
        }
    }
}
