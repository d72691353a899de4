// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Several markets in one report: what is found of one says nothing of the next.
contract TogetherTest is OracleFixture {
    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        configure(3);
        postDefaults(2);
        pass(1 hours);
    }

    function test_a_fall_does_not_make_the_next_markets_first_tuple_wait() external {
        setTiming(HEARTBEAT, 2 hours, 0);
        IMarginOracle.Report memory report = draft(3);
        report.markets[1].initialLong = 90_000;
        postReport(report);
        vm.assertTrue(oracle.marketState(2).pendingTimestamp != 0, "the fall does not wait");
        vm.assertEq(oracle.marketState(3).pendingTimestamp, 0);
        vm.assertEq(oracle.margin(3).initialLong, 100_000);
    }

    function test_a_correction_does_not_make_the_next_markets_rise_one() external {
        setTiming(HEARTBEAT, 0, 1 hours);
        IMarginOracle.Report memory report = draft(1);
        report.markets[0].initialLong = 101_000;
        postReport(report);
        pass(10 minutes);
        report = draft(2);
        (report.markets[0].initialLong, report.markets[1].initialLong) = (102_000, 101_000);
        postReport(report);
        vm.assertTrue(oracle.marketState(1).isCorrected, "no correction");
        vm.assertTrue(!oracle.marketState(2).isCorrected, "the first rise of a market is a correction");
    }
}
