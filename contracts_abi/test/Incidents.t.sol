// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What went wrong elsewhere, tried here. Numbers are those of the incident list in the documentation.
contract IncidentsTest is OracleFixture {
    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        postDefaults(2);
        pass(1 hours);
    }

    /// @dev A cap was clamped to a limit while its time was not: linked fields drifted apart. Here a tuple that
    /// breaks a limit is refused whole, its time with it, and what follows is measured from the true tuple in force.
    function test_incident_i1_a_value_beyond_its_limit_is_refused_with_its_time_never_clamped() external {
        IMarginOracle.CurrentMargin memory before = oracle.marginUnsafe(1);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 200_000;
        report.markets[0].maintenanceLong = 60_000; // within its own limit, refused with the rest
        postReport(report);
        vm.assertEq(keccak256(abi.encode(oracle.marginUnsafe(1))), keccak256(abi.encode(before)));
        pass(1 hours);
        report = draft(2);
        report.markets[0].maintenanceLong = 50_000 + 2 * 18_000; // two hours since the tuple in force, not one
        postReport(report);
        vm.assertEq(oracle.margin(1).maintenanceLong, 86_000);
    }

    /// @dev The same incident's other half: a report built on an old state must not act on the new one.
    function test_incident_i1_a_report_from_a_stale_start_is_refused() external {
        bytes memory old = packSigned(draft(2));
        pass(12);
        postDefaults(2);
        vm.expectPartialRevert(IMarginOracle.SequenceNotIncreasing.selector);
        oracle.post(old);
    }

    /// @dev A feed stopped and its consumers read on. Here the plain read reverts and opening costs the fallback,
    /// without any help from the consumer; a value at a bound is refused, not used.
    function test_incident_i3_staleness_is_enforced_in_the_read() external {
        pass(1 hours);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        oracle.margin(1);
        vm.assertTrue(
            oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Opening) >= 0.3e18, "opening at a stale price"
        );
    }

    function test_incident_i3_a_value_beyond_its_bound_is_invalid_and_not_the_bound() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) = (5_000, 5_000);
        postReport(report);
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
    }

    /// @dev A price became zero by a lost exponent. No configuration lets a zero ratio in, whatever the quorum.
    function test_incident_i7_zero_is_never_a_margin() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        report.markets[0] = IMarginOracle.MarketMargin(1, 0, 0, 0, 0, 0, 0);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, IMarginOracle.Refusal.BelowMinimum, 100_000, 0);
        postReport(report);
        IMarginOracle.MarketConfig memory config = defaultConfig();
        config.initial.minimum = 0;
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.configureMarket(1, "market", config);
    }

    /// @dev What was simulated was not what was submitted. Here both are the same bytes and the same code, and the
    /// digest that the simulation returns is that of the event.
    function test_incident_i9_preview_and_post_agree_on_the_same_bytes() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 200_000;
        bytes memory packed = packSigned(report);
        (bytes32 digest, uint256 refusals) = oracle.preview(packed);
        vm.assertEq(refusals, 1);
        uint256[] memory margins = new uint256[](1);
        margins[0] = uint256(2) << 192 | uint256(100_000) << 160 | uint256(120_000) << 128 | uint256(50_000) << 96
            | uint256(60_000) << 64 | uint256(2_000) << 32 | 3_000;
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, IMarginOracle.Refusal.InitialStepUp, 100_000, 200_000);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.ReportPosted(
            report.sequence,
            digest,
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

    /// @dev A consumer copied the heartbeat by hand, wrongly. Here it lives in the oracle alone: a change reaches
    /// every read at once.
    function test_incident_i11_the_heartbeat_lives_in_the_oracle() external {
        oracle.margin(1);
        setTiming(20 minutes, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, 1 hours, 20 minutes));
        oracle.margin(1);
        vm.assertTrue(oracle.accountsStale(), "the accounts kept the old heartbeat");
    }

    /// @dev The same message in another encoding, and padding that somebody pays for. One report has one encoding.
    function test_incident_i12_one_report_has_one_encoding() external {
        bytes memory packed = packSigned(draft(1));
        bytes memory zeros = new bytes(32 - packed.length % 32);
        bytes memory detour = bytes.concat(
            oracle.post.selector, bytes32(uint256(64)), bytes32(uint256(0)), bytes32(packed.length), packed, zeros
        );
        bytes memory oversized = bytes.concat(abi.encodeCall(oracle.post, (packed)), new bytes(320));
        (bool success,) = address(oracle).call(detour);
        vm.assertTrue(!success, "accepted through a detour");
        (success,) = address(oracle).call(oversized);
        vm.assertTrue(!success, "accepted with a tail");
        (success,) = address(oracle).call(abi.encodeCall(oracle.post, (packed)));
        vm.assertTrue(success, "the one encoding is refused");
    }
}
