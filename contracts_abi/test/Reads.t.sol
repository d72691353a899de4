// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What consumers read: ages, requirements and their stale mode, account proofs and the window of the old root.
contract ReadsTest is OracleFixture {
    IMarginOracle.Purpose private constant OPENING = IMarginOracle.Purpose.Opening;
    IMarginOracle.Purpose private constant LIQUIDATING = IMarginOracle.Purpose.Liquidating;

    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
    }

    // ------------------------------------------------------------------ markets

    function test_never_posted_and_unknown_are_told_apart() external {
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 1));
        oracle.margin(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 5));
        oracle.margin(5);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 1));
        oracle.requirement(1, true, 1e18, OPENING);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 5));
        oracle.requirement(5, true, 1e18, LIQUIDATING);
        (bool ok, IMarginOracle.CurrentMargin memory current) = oracle.tryMargin(1);
        vm.assertTrue(!ok, "ok before any post");
        vm.assertEq(current.initialLong, 0);
        vm.assertEq(oracle.marginUnsafe(1).referenceTimestamp, 0);
    }

    function test_age_runs_from_the_reference_time() external {
        IMarginOracle.Report memory report = draft(1);
        pass(9 minutes);
        postReport(report);
        vm.warp(report.referenceTimestamp + HEARTBEAT);
        oracle.margin(1);
        (bool ok,) = oracle.tryMargin(1);
        vm.assertTrue(ok, "fresh at exactly the heartbeat");
        vm.warp(report.referenceTimestamp + HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        oracle.margin(1);
        IMarginOracle.CurrentMargin memory current;
        (ok, current) = oracle.tryMargin(1);
        vm.assertTrue(!ok, "ok though stale");
        vm.assertEq(current.initialLong, 100_000);
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
    }

    function test_each_market_has_its_own_age() external {
        postDefaults(2);
        pass(50 minutes);
        postDefaults(1);
        pass(50 minutes);
        oracle.margin(1);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        oracle.margin(2);
    }

    function test_requirement_by_side_and_purpose() external {
        postDefaults(1);
        uint256 notional = 1_000e18;
        // Slopes add 2,000 and 3,000 ppm for each million: 2 and 3 ppm at a thousand.
        vm.assertEq(oracle.requirement(1, true, notional, OPENING), 100.002e18);
        vm.assertEq(oracle.requirement(1, false, notional, OPENING), 120.003e18);
        vm.assertEq(oracle.requirement(1, true, notional, LIQUIDATING), 50.002e18);
        vm.assertEq(oracle.requirement(1, false, notional, LIQUIDATING), 60.003e18);
        vm.assertEq(oracle.requirement(1, true, 0, OPENING), 0);
        vm.assertEq(oracle.requirement(1, true, 1, OPENING), 1);
    }

    function testFuzz_requirement_is_the_exact_quotient_rounded_up(uint256 notional, bool isLong) external {
        postDefaults(1);
        notional = bound(notional, 0, type(uint128).max);
        uint256 ratio = isLong ? 100_000 : 120_000;
        uint256 slope = isLong ? 2_000 : 3_000;
        uint256 asked = oracle.requirement(1, isLong, notional, OPENING);
        (uint256 high, uint256 low) = Math.mul512(notional, ratio * 1e24 + slope * notional);
        (uint256 askedHigh, uint256 askedLow) = Math.mul512(asked, 1e30);
        vm.assertTrue(askedHigh > high || (askedHigh == high && askedLow >= low), "below the exact figure");
        if (asked > 0) {
            (askedHigh, askedLow) = Math.mul512(asked - 1, 1e30);
            vm.assertTrue(askedHigh < high || (askedHigh == high && askedLow < low), "more than one unit above");
        }
    }

    function test_stale_opening_costs_the_fallback_or_the_last_posted() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[1].initialLong = 400_000; // above the fallback
        postReport(report);
        pass(2 hours);
        vm.assertEq(oracle.requirement(1, true, 1e18, OPENING), 0.3e18 + 2e9);
        vm.assertTrue(oracle.requirement(1, true, 1e18, OPENING) > 0.3e18, "the fallback does not bind");
        vm.assertTrue(oracle.requirement(2, true, 1e18, OPENING) > 0.4e18, "the last posted does not bind");
    }

    function test_stale_liquidating_keeps_the_last_posted() external {
        postDefaults(1);
        uint256 fresh = oracle.requirement(1, true, 1e24, LIQUIDATING);
        pass(365 days);
        vm.assertEq(oracle.requirement(1, true, 1e24, LIQUIDATING), fresh);
    }

    // ------------------------------------------------------------------ accounts

    function leafOf(uint256 key, uint64 referenceBlock) internal pure returns (IMarginOracle.AccountLeaf memory) {
        return IMarginOracle.AccountLeaf(bytes32(key), 3, 200e18, 100e18, referenceBlock);
    }

    /// @dev A report with the accounts 1 ... 4; returns the leaf and proof of account 2.
    function postAccounts() internal returns (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) {
        IMarginOracle.Report memory report = draft(1);
        bytes32[4] memory leaves;
        for (uint256 i = 0; i < 4; ++i) {
            leaves[i] = oracle.hashAccount(leafOf(i + 1, report.referenceBlock));
        }
        (report.accountsRoot, proof) = MerkleTree.ofFour(leaves, 1);
        leaf = leafOf(2, report.referenceBlock);
        postReport(report);
    }

    function test_leaf_hash_is_as_documented() external view {
        IMarginOracle.AccountLeaf memory leaf = leafOf(7, 9);
        (, string memory name, string memory version, uint256 chainId, address place,,) = oracle.eip712Domain();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256(bytes(version)),
                chainId,
                place
            )
        );
        bytes32 inner = keccak256(
            abi.encode(
                domain, leaf.accountKey, leaf.positionVersion, leaf.initialWad, leaf.maintenanceWad, leaf.referenceBlock
            )
        );
        vm.assertEq(oracle.hashAccount(leaf), keccak256(abi.encodePacked(inner)));
        vm.assertEq(name, "MarginOracle");
        vm.assertEq(version, "1");
    }

    function test_latest_root_proves_an_account() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        oracle.verifyAccount(leaf, proof, false);
        oracle.verifyAccount(leaf, proof, true);
        vm.assertTrue(!oracle.accountsStale(), "stale");
    }

    function test_every_field_of_the_leaf_counts() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        bytes memory reason = abi.encodeWithSelector(IMarginOracle.InvalidProof.selector, leaf.accountKey);
        ++leaf.positionVersion;
        vm.expectRevert(reason);
        oracle.verifyAccount(leaf, proof, false);
        --leaf.positionVersion;
        --leaf.initialWad;
        vm.expectRevert(reason);
        oracle.verifyAccount(leaf, proof, false);
        ++leaf.initialWad;
        ++leaf.maintenanceWad;
        vm.expectRevert(reason);
        oracle.verifyAccount(leaf, proof, false);
        --leaf.maintenanceWad;
        leaf.accountKey = bytes32(uint256(3));
        vm.expectPartialRevert(IMarginOracle.InvalidProof.selector);
        oracle.verifyAccount(leaf, proof, false);
        leaf.accountKey = bytes32(uint256(2));
        proof[0] = ~proof[0];
        vm.expectRevert(reason);
        oracle.verifyAccount(leaf, proof, false);
    }

    function test_a_stale_root_proves_nothing() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        pass(HEARTBEAT);
        oracle.verifyAccount(leaf, proof, false);
        vm.assertTrue(!oracle.accountsStale(), "stale a second early");
        pass(1);
        vm.assertTrue(oracle.accountsStale(), "not stale");
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_the_root_before_serves_risk_reduction_for_five_minutes() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        bytes memory unknown = abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, leaf.referenceBlock);
        pass(10 minutes);
        postDefaults(1);
        oracle.verifyAccount(leaf, proof, true);
        vm.expectRevert(unknown);
        oracle.verifyAccount(leaf, proof, false);
        pass(5 minutes);
        oracle.verifyAccount(leaf, proof, true);
        pass(1);
        vm.expectRevert(unknown);
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_two_reports_later_the_root_is_gone() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        pass(12);
        postDefaults(1);
        pass(12);
        postDefaults(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.InvalidProof.selector, leaf.accountKey));
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_a_new_report_does_not_revive_a_stale_root() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        pass(3 days);
        postDefaults(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, leaf.referenceBlock));
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_the_old_root_ends_with_its_own_heartbeat_if_sooner() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        pass(58 minutes);
        postDefaults(1);
        pass(2 minutes);
        oracle.verifyAccount(leaf, proof, true);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, leaf.referenceBlock));
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_skipped_sequences_keep_the_root_before() external {
        (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof) = postAccounts();
        pass(12);
        IMarginOracle.Report memory report = draft(1);
        report.sequence += 1;
        postReport(report);
        oracle.verifyAccount(leaf, proof, true);
    }

    function test_no_root_no_proof() external {
        vm.assertTrue(oracle.accountsStale(), "fresh before any post");
        IMarginOracle.Report memory report = draft(1);
        report.accountsRoot = 0;
        postReport(report);
        vm.assertTrue(oracle.accountsStale(), "fresh without a root");
        IMarginOracle.AccountLeaf memory leaf = leafOf(2, report.referenceBlock);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, report.referenceBlock));
        oracle.verifyAccount(leaf, new bytes32[](0), false);
        leaf.referenceBlock = 0;
        vm.expectPartialRevert(IMarginOracle.UnknownRoot.selector);
        oracle.verifyAccount(leaf, new bytes32[](0), true);
    }
}
