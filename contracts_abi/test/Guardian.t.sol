// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title The guardian stops: posts, what waits, roots, the owner's changes. It starts nothing and keeps no office.
contract GuardianTest is OracleFixture {
    uint32 private constant DELAY = 48 hours;

    function setUp() external {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.ownerDelaySeconds = DELAY;
        setup.timing.dwellSeconds = HEARTBEAT;
        oracle = newOracle(setup);
        set = newSignerSet(3, 2, 3);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        configure(2);
        postDefaults(2);
        pass(30 minutes);
    }

    function pause() internal {
        vm.prank(GUARDIAN);
        oracle.pause();
    }

    function unpause() internal {
        vm.prank(GUARDIAN);
        oracle.unpause();
    }

    /// @dev A report that is looser for both markets.
    function loosen() internal {
        IMarginOracle.Report memory report = draft(2);
        (report.markets[0].initialLong, report.markets[1].initialLong) = (90_000, 91_000);
        postReport(report);
    }

    function propose(bytes memory change) internal {
        vm.prank(OWNER);
        oracle.proposeChange(change);
    }

    function test_nobody_else_is_the_guardian() external {
        address[3] memory others = [STRANGER, OWNER, set.addresses[0]];
        loosen();
        for (uint256 i = 0; i < others.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IMarginOracle.NotGuardian.selector, others[i]);
            vm.prank(others[i]);
            vm.expectRevert(reason);
            oracle.pause();
            vm.prank(others[i]);
            vm.expectRevert(reason);
            oracle.unpause();
            vm.prank(others[i]);
            vm.expectRevert(reason);
            oracle.cancelPending(1);
            vm.prank(others[i]);
            vm.expectRevert(reason);
            oracle.voidAccounts();
        }
    }

    function test_a_zero_guardian_is_nobody() external {
        bytes memory change = abi.encodeCall(oracle.setGuardian, (address(0)));
        propose(change);
        pass(DELAY);
        vm.prank(OWNER);
        oracle.executeChange(change);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotGuardian.selector, GUARDIAN));
        oracle.pause();
        vm.assertEq(oracle.guardian(), address(0));
    }

    // ------------------------------------------------------------------ pause

    function test_while_paused_nothing_is_posted() external {
        bytes memory packed = packSigned(draft(2));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.Paused();
        pause();
        vm.assertTrue(oracle.isPaused(), "not paused");
        refuses(packed, abi.encodeWithSelector(IMarginOracle.PostsPaused.selector));
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.PostsPaused.selector));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.Unpaused();
        unpause();
        vm.assertTrue(!oracle.isPaused(), "still paused");
        oracle.post(packed);
        vm.assertEq(oracle.lastSequence(), 2);
    }

    function test_a_pause_changes_no_read_until_the_figures_are_stale() external {
        bytes32 before = keccak256(abi.encode(oracle.margin(1)));
        pause();
        vm.assertEq(keccak256(abi.encode(oracle.margin(1))), before);
        pass(HEARTBEAT);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        oracle.margin(1);
        vm.assertTrue(
            oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Opening) >= 0.3e18, "opening below the fallback"
        );
        vm.assertEq(oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Liquidating), 0.05e18 + 2e9);
    }

    function test_a_pause_leaves_the_rest_of_the_head() external {
        bytes32 before = keccak256(abi.encode(oracle.timing(), oracle.lastSequence(), oracle.lastReferenceBlock()));
        pause();
        pause();
        vm.assertTrue(oracle.isPaused(), "pausing twice does not pause");
        vm.assertEq(keccak256(abi.encode(oracle.timing(), oracle.lastSequence(), oracle.lastReferenceBlock())), before);
    }

    function test_a_new_timing_ends_no_pause() external {
        bytes memory change = abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(HEARTBEAT, 2 * HEARTBEAT, 60)));
        propose(change);
        pause();
        pass(DELAY);
        vm.prank(OWNER);
        oracle.executeChange(change);
        vm.assertTrue(oracle.isPaused(), "the owner ended the pause");
        vm.assertEq(oracle.timing().minimumDelaySeconds, 60);
    }

    // ------------------------------------------------------------------ what waits

    function test_the_guardian_drops_what_waits_in_one_market() external {
        loosen();
        uint256 word = uint256(1) << 192 | uint256(90_000) << 160 | uint256(120_000) << 128 | uint256(50_000) << 96
            | uint256(60_000) << 64 | uint256(2_000) << 32 | 3_000;
        bytes32 inForce = keccak256(abi.encode(oracle.marginUnsafe(1)));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.PendingCancelled(1, word);
        vm.prank(GUARDIAN);
        oracle.cancelPending(1);
        vm.assertEq(oracle.marketState(1).pendingTimestamp, 0);
        vm.assertEq(keccak256(abi.encode(oracle.marginUnsafe(1))), inForce);
        pass(HEARTBEAT);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 1));
        oracle.applyPending(1);
        oracle.applyPending(2);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
        vm.assertEq(oracle.margin(2).initialLong, 91_000);
    }

    function test_what_was_dropped_waits_anew_from_the_next_report() external {
        loosen();
        pass(50 minutes);
        vm.prank(GUARDIAN);
        oracle.cancelPending(1);
        loosen();
        vm.assertEq(oracle.marketState(1).pendingTimestamp, vm.getBlockTimestamp() + HEARTBEAT);
        vm.assertEq(oracle.marketState(2).pendingTimestamp, vm.getBlockTimestamp() + 10 minutes);
    }

    function test_where_nothing_waits_nothing_is_dropped() external {
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 1));
        oracle.cancelPending(1);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 9));
        oracle.cancelPending(9);
        loosen();
        pass(HEARTBEAT);
        oracle.applyPending(1);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NothingPending.selector, 1));
        oracle.cancelPending(1);
    }

    // ------------------------------------------------------------------ roots

    /// @dev A report whose tree is one leaf, at its own block.
    function postLeaf() internal returns (IMarginOracle.AccountLeaf memory leaf) {
        IMarginOracle.Report memory report = draft(0);
        leaf = IMarginOracle.AccountLeaf(keccak256("account"), 3, 200e18, 100e18, report.referenceBlock);
        report.accountsRoot = oracle.hashAccount(leaf);
        postReport(report);
    }

    function test_the_guardian_voids_both_roots() external {
        bytes32[] memory proof = new bytes32[](0);
        IMarginOracle.AccountLeaf memory former = postLeaf();
        pass(12);
        IMarginOracle.AccountLeaf memory latest = postLeaf();
        oracle.verifyAccount(former, proof, true);
        oracle.verifyAccount(latest, proof, false);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.AccountsVoided(latest.referenceBlock);
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        vm.assertTrue(oracle.accountsStale(), "fresh after the void");
        (bytes32 root,,) = oracle.latestAccounts();
        vm.assertEq(root, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, former.referenceBlock));
        oracle.verifyAccount(former, proof, true);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, latest.referenceBlock));
        oracle.verifyAccount(latest, proof, true);
    }

    function test_a_voided_root_does_not_come_back_with_the_next_report() external {
        bytes32[] memory proof = new bytes32[](0);
        IMarginOracle.AccountLeaf memory voided = postLeaf();
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        pass(12);
        IMarginOracle.AccountLeaf memory leaf = postLeaf();
        oracle.verifyAccount(leaf, proof, false);
        vm.assertTrue(!oracle.accountsStale(), "stale after a new report");
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownRoot.selector, voided.referenceBlock));
        oracle.verifyAccount(voided, proof, true);
    }

    function test_a_void_leaves_the_ratios() external {
        bytes32 before = keccak256(abi.encode(oracle.marketState(1), oracle.marketState(2)));
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        vm.assertEq(keccak256(abi.encode(oracle.marketState(1), oracle.marketState(2))), before);
    }

    // ------------------------------------------------------------------ the owner's changes

    function changeOfTiming() internal view returns (bytes memory) {
        return abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(2 hours, 0, 0)));
    }

    function test_the_guardian_cancels_a_change_even_when_it_is_ready() external {
        bytes memory change = changeOfTiming();
        bytes32 id = keccak256(change);
        for (uint256 wait = 0; wait <= DELAY; wait += DELAY) {
            propose(change);
            pass(wait);
            vm.expectEmit(address(oracle));
            emit IMarginOracle.ChangeCancelled(id, GUARDIAN);
            vm.prank(GUARDIAN);
            oracle.cancelChange(change);
            vm.assertEq(oracle.readyTimestamp(id), 0);
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotProposed.selector, id));
            oracle.executeChange(change);
        }
    }

    function test_what_is_not_announced_cannot_be_cancelled() external {
        bytes memory change = changeOfTiming();
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotProposed.selector, keccak256(change)));
        oracle.cancelChange(change);
    }

    function test_the_guardian_cannot_keep_office() external {
        bytes memory change = abi.encodeCall(oracle.setGuardian, (STRANGER));
        propose(change);
        vm.prank(GUARDIAN);
        vm.expectRevert(IMarginOracle.GuardianCannotKeepOffice.selector);
        oracle.cancelChange(change);
        pause(); // nothing else that it can do holds the change up either
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        pass(DELAY);
        vm.prank(OWNER);
        oracle.executeChange(change);
        vm.assertEq(oracle.guardian(), STRANGER);
        vm.prank(GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotGuardian.selector, GUARDIAN));
        oracle.pause();
        vm.prank(STRANGER);
        oracle.unpause();
        postDefaults(2);
    }

    /// @dev The change of a guardian in other bytes is still that change.
    function test_the_guardian_cannot_keep_office_by_another_encoding() external {
        bytes memory change = bytes.concat(abi.encodeCall(oracle.setGuardian, (STRANGER)), hex"00");
        propose(change);
        vm.prank(GUARDIAN);
        vm.expectRevert(IMarginOracle.GuardianCannotKeepOffice.selector);
        oracle.cancelChange(change);
    }

    /// @dev Every function of the guardian's, in the worst order, moves no ratio and no limit.
    function test_no_act_of_the_guardian_sets_a_ratio() external {
        loosen();
        bytes32 before = keccak256(
            abi.encode(
                oracle.marginUnsafe(1),
                oracle.marginUnsafe(2),
                oracle.marketConfig(1),
                oracle.timing(),
                oracle.signerSetHash(),
                oracle.ownerDelaySeconds()
            )
        );
        pause();
        vm.prank(GUARDIAN);
        oracle.cancelPending(1);
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        unpause();
        vm.assertEq(
            keccak256(
                abi.encode(
                    oracle.marginUnsafe(1),
                    oracle.marginUnsafe(2),
                    oracle.marketConfig(1),
                    oracle.timing(),
                    oracle.signerSetHash(),
                    oracle.ownerDelaySeconds()
                )
            ),
            before
        );
    }
}
