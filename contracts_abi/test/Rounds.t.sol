// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What names a tuple in force, and what is held of a market.
contract RoundsTest is OracleFixture {
    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
    }

    function roundId() internal view returns (uint80) {
        return oracle.marketState(1).roundId;
    }

    /// @dev A report of market 1 with the reference time of the last one.
    function postAtTheSameTime() internal {
        uint64 time = oracle.lastReferenceTimestamp();
        pass(1);
        IMarginOracle.Report memory report = draft(1);
        report.referenceTimestamp = time;
        postReport(report);
    }

    function test_no_tuple_no_state() external view {
        IMarginOracle.MarketState memory none;
        vm.assertEq(keccak256(abi.encode(oracle.marketState(1))), keccak256(abi.encode(none)));
        vm.assertEq(keccak256(abi.encode(oracle.marketState(9))), keccak256(abi.encode(none)));
    }

    function test_a_round_is_named_by_its_reference_time_and_its_ordinal() external {
        postDefaults(1);
        uint80 first = uint80(oracle.lastReferenceTimestamp()) * 64;
        vm.assertEq(roundId(), first);
        postAtTheSameTime();
        vm.assertEq(roundId(), first + 1);
        postAtTheSameTime();
        vm.assertEq(roundId(), first + 2);
        pass(1);
        postDefaults(1);
        vm.assertEq(roundId(), uint80(oracle.lastReferenceTimestamp()) * 64);
    }

    function test_each_market_counts_its_own_rounds() external {
        postDefaults(2);
        uint80 first = oracle.marketState(2).roundId;
        postAtTheSameTime();
        vm.assertEq(oracle.marketState(2).roundId, first);
        vm.assertEq(roundId(), first + 1);
    }

    function test_what_is_applied_without_a_report_is_a_round_of_its_own() external {
        setTiming(HEARTBEAT, HEARTBEAT, 0);
        postDefaults(1);
        pass(12);
        IMarginOracle.Report memory report = draft(1);
        report.markets[0].initialLong = 90_000;
        postReport(report);
        uint80 before = roundId();
        pass(HEARTBEAT);
        oracle.applyPending(1);
        vm.assertEq(roundId(), before + 1);
        vm.assertEq(oracle.margin(1).initialLong, 90_000);
    }

    /// @dev The ordinal has six bits; at its end it stays, and the tuple is in force all the same.
    function test_the_sixty_fourth_tuple_of_one_time_keeps_the_last_ordinal() external {
        postDefaults(1);
        uint80 first = roundId();
        for (uint256 round = 1; round <= 63; ++round) {
            postAtTheSameTime();
        }
        vm.assertEq(roundId(), first + 63);
        postAtTheSameTime();
        vm.assertEq(roundId(), first + 63);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
        pass(1);
        postDefaults(1);
        vm.assertTrue(roundId() > first + 63, "the next time names a later round");
    }

    function test_a_refused_tuple_is_no_round() external {
        postDefaults(1);
        uint80 before = roundId();
        pass(1);
        IMarginOracle.Report memory report = draft(1);
        report.markets[0].initialLong = 900_001;
        postReport(report);
        vm.assertEq(roundId(), before);
    }

    function test_a_sequence_has_48_bits() external {
        IMarginOracle.Report memory report = draft(1);
        report.sequence = uint64(type(uint48).max) + 1;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.SequenceTooLarge.selector, report.sequence));
        report.sequence = type(uint48).max;
        postReport(report);
        vm.assertEq(oracle.lastSequence(), type(uint48).max);
        vm.assertEq(oracle.lastReferenceBlock(), report.referenceBlock);
        vm.assertEq(oracle.lastReferenceTimestamp(), report.referenceTimestamp);
        vm.assertEq(oracle.heartbeatSeconds(), HEARTBEAT);
    }

    function test_a_post_keeps_what_it_is_timed_by() external {
        setTiming(type(uint24).max, type(uint24).max - 1, type(uint16).max - 2);
        bytes32 before = keccak256(abi.encode(oracle.timing()));
        postDefaults(1);
        vm.assertEq(keccak256(abi.encode(oracle.timing())), before);
        vm.assertEq(oracle.timing().dwellSeconds, type(uint24).max - 1);
        vm.assertTrue(!oracle.isPaused(), "paused by a post");
    }

    function test_a_chain_whose_clock_is_young_has_a_state_too() external {
        deployOracle(3, 2, 3);
        configure(1);
        vm.warp(65_534);
        postDefaults(1);
        vm.assertEq(oracle.marketState(1).lastRiseTimestamp, 0);
    }
}
