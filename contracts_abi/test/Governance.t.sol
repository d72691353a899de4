// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title The owner's changes: at once before the first report, announced and delayed from then on.
contract GovernanceTest is OracleFixture {
    uint32 private constant DELAY = 48 hours;
    uint256 private constant LIFETIME = 14 days;

    function setUp() external {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.ownerDelaySeconds = DELAY;
        oracle = newOracle(setup);
        set = newSignerSet(3, 2, 3);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
    }

    function propose(bytes memory change) internal returns (bytes32 id) {
        vm.prank(OWNER);
        return oracle.proposeChange(change);
    }

    function execute(bytes memory change) internal {
        vm.prank(OWNER);
        oracle.executeChange(change);
    }

    function refusesExecution(bytes memory change, bytes memory reason) internal {
        vm.prank(OWNER);
        vm.expectRevert(reason);
        oracle.executeChange(change);
    }

    function timingChange() internal view returns (bytes memory) {
        return abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(2 hours, 3 hours, 60)));
    }

    /// @dev One call of each owner function.
    function allChanges() internal view returns (bytes[] memory changes) {
        changes = new bytes[](7);
        changes[0] = abi.encodeCall(oracle.setSigners, (signerSet(newSignerSet(5, 3, 4))));
        changes[1] = abi.encodeCall(oracle.configureMarket, (7, "new", defaultConfig()));
        changes[2] = timingChange();
        changes[3] = abi.encodeCall(oracle.grantRotation, (STRANGER, set.addresses[0]));
        changes[4] = abi.encodeCall(oracle.setGuardian, (STRANGER));
        changes[5] = abi.encodeCall(oracle.setOwnerDelay, (1 hours));
        changes[6] = abi.encodeCall(oracle.transferOwnership, (STRANGER));
    }

    /// @dev Everything that an owner function can change.
    function configuration() internal view returns (bytes32) {
        (address signer, uint40 allowed) = oracle.rotation(STRANGER);
        return keccak256(
            abi.encode(
                oracle.signerSetHash(),
                oracle.marketConfig(7),
                oracle.timing(),
                signer,
                allowed,
                oracle.guardian(),
                oracle.ownerDelaySeconds(),
                oracle.pendingOwner()
            )
        );
    }

    // ------------------------------------------------------------------ before the first report

    function test_before_the_first_report_the_owner_changes_at_once() external {
        bytes[] memory changes = allChanges();
        for (uint256 i = 0; i < changes.length; ++i) {
            bytes32 before = configuration();
            vm.prank(OWNER);
            (bool success,) = address(oracle).call(changes[i]);
            vm.assertTrue(success, "refused before the first report");
            vm.assertTrue(configuration() != before, "changed nothing");
        }
    }

    /// @dev What is announced before the first report waits no less than what is announced after it.
    function test_a_change_announced_before_the_first_report_waits_too() external {
        bytes memory change = timingChange();
        uint256 ready = vm.getBlockTimestamp() + DELAY;
        propose(change);
        postDefaults(1);
        pass(12);
        refusesExecution(
            change, abi.encodeWithSelector(IMarginOracle.ChangeNotReady.selector, ready, vm.getBlockTimestamp())
        );
    }

    // ------------------------------------------------------------------ from the first report on

    function test_from_the_first_report_on_no_change_is_made_at_once() external {
        postDefaults(1);
        bytes[] memory changes = allChanges();
        bytes32 before = configuration();
        for (uint256 i = 0; i < changes.length; ++i) {
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(IMarginOracle.MustWait.selector, DELAY));
            (bool ignored,) = address(oracle).call(changes[i]);
            ignored;
        }
        vm.assertEq(configuration(), before);
    }

    function test_a_change_waits_is_made_once_and_is_what_was_announced() external {
        postDefaults(1);
        bytes[] memory changes = allChanges();
        for (uint256 i = 0; i < changes.length; ++i) {
            bytes32 before = configuration();
            uint40 delay = oracle.ownerDelaySeconds();
            uint40 ready = uint40(vm.getBlockTimestamp()) + delay;
            vm.expectEmit(address(oracle));
            emit IMarginOracle.ChangeProposed(keccak256(changes[i]), ready, changes[i]);
            bytes32 id = propose(changes[i]);
            vm.assertEq(id, keccak256(changes[i]));
            vm.assertEq(oracle.readyTimestamp(id), ready);
            pass(delay - 1);
            refusesExecution(
                changes[i], abi.encodeWithSelector(IMarginOracle.ChangeNotReady.selector, ready, uint256(ready) - 1)
            );
            vm.assertEq(configuration(), before);
            pass(1);
            vm.expectEmit(address(oracle));
            emit IMarginOracle.ChangeExecuted(id);
            execute(changes[i]);
            vm.assertTrue(configuration() != before, "changed nothing");
            vm.assertEq(oracle.readyTimestamp(id), 0);
            refusesExecution(changes[i], abi.encodeWithSelector(IMarginOracle.NotProposed.selector, id));
        }
    }

    function test_a_change_emits_what_it_is() external {
        postDefaults(1);
        bytes[] memory changes = allChanges();
        for (uint256 i = 0; i < 6; ++i) {
            propose(changes[i]);
        }
        pass(DELAY);
        SignerSet memory five = newSignerSet(5, 3, 4);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.SignerSetChanged(2, 3, 4, five.addresses);
        execute(changes[0]);
        vm.assertEq(oracle.signerSetHash(), keccak256(abi.encodePacked(uint32(2), packSet(five))));
        vm.assertEq(oracle.signerSetEpoch(), 2);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketConfigured(7, "new", defaultConfig());
        execute(changes[1]);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.TimingChanged(IMarginOracle.Timing(2 hours, 3 hours, 60));
        execute(changes[2]);
        vm.assertEq(keccak256(abi.encode(oracle.timing())), keccak256(abi.encode(2 hours, 3 hours, 60)));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.RotationGranted(STRANGER, set.addresses[0]);
        execute(changes[3]);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.GuardianChanged(STRANGER);
        execute(changes[4]);
        vm.assertEq(oracle.guardian(), STRANGER);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.OwnerDelayChanged(1 hours);
        execute(changes[5]);
        vm.assertEq(oracle.ownerDelaySeconds(), 1 hours);
    }

    function test_a_shorter_delay_waits_for_the_longer_one() external {
        postDefaults(1);
        bytes memory shorter = abi.encodeCall(oracle.setOwnerDelay, (0));
        propose(shorter);
        bytes memory change = timingChange();
        bytes32 id = propose(change);
        pass(DELAY);
        execute(shorter);
        vm.prank(OWNER);
        oracle.setTiming(IMarginOracle.Timing(5 hours, 0, 0)); // no delay, no wait
        execute(change);
        vm.assertEq(oracle.readyTimestamp(id), 0);
        vm.assertEq(oracle.heartbeatSeconds(), 2 hours);
    }

    function test_a_longer_delay_leaves_what_waits_already() external {
        postDefaults(1);
        bytes memory longer = abi.encodeCall(oracle.setOwnerDelay, (30 days));
        propose(longer);
        pass(1);
        bytes memory change = timingChange();
        propose(change);
        pass(DELAY);
        execute(longer);
        execute(change);
        vm.assertEq(oracle.heartbeatSeconds(), 2 hours);
    }

    function test_a_change_expires() external {
        postDefaults(1);
        bytes memory change = timingChange();
        bytes32 id = propose(change);
        uint256 ready = oracle.readyTimestamp(id);
        vm.warp(ready + LIFETIME + 1);
        refusesExecution(
            change, abi.encodeWithSelector(IMarginOracle.ChangeExpired.selector, ready + LIFETIME, ready + LIFETIME + 1)
        );
        vm.warp(ready + LIFETIME);
        execute(change);
        vm.assertEq(oracle.heartbeatSeconds(), 2 hours);
    }

    function test_an_expired_change_is_cancelled_before_it_is_announced_again() external {
        postDefaults(1);
        bytes memory change = timingChange();
        bytes32 id = propose(change);
        pass(365 days);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.AlreadyProposed.selector, id));
        oracle.proposeChange(change);
        vm.prank(OWNER);
        oracle.cancelChange(change);
        propose(change);
        vm.assertEq(oracle.readyTimestamp(id), vm.getBlockTimestamp() + DELAY);
    }

    function test_a_change_that_fails_stays_announced_and_says_why() external {
        postDefaults(1);
        bytes memory change = abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(0, 0, 0)));
        bytes32 id = propose(change);
        pass(DELAY);
        refusesExecution(change, abi.encodeWithSelector(IMarginOracle.InvalidConfiguration.selector));
        vm.assertTrue(oracle.readyTimestamp(id) != 0, "a failed change is gone");
    }

    function test_what_is_executed_is_what_was_announced_byte_for_byte() external {
        postDefaults(1);
        propose(timingChange());
        pass(DELAY);
        bytes memory other = abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(2 hours, 3 hours, 61)));
        refusesExecution(other, abi.encodeWithSelector(IMarginOracle.NotProposed.selector, keccak256(other)));
    }

    // ------------------------------------------------------------------ what can be announced

    function refusesProposal(bytes memory change) internal {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotAnOwnerFunction.selector, bytes4(change)));
        oracle.proposeChange(change);
    }

    function test_only_changes_can_be_announced() external {
        bytes memory change = timingChange();
        refusesProposal("");
        refusesProposal(hex"a1b2c3");
        refusesProposal(hex"a1b2c3d4");
        refusesProposal(abi.encodeCall(oracle.proposeChange, (change)));
        refusesProposal(abi.encodeCall(oracle.executeChange, (change)));
        refusesProposal(abi.encodeCall(oracle.cancelChange, (change)));
        refusesProposal(abi.encodeCall(oracle.post, (change)));
        refusesProposal(abi.encodeCall(oracle.pause, ()));
        refusesProposal(abi.encodeCall(oracle.unpause, ()));
        refusesProposal(abi.encodeCall(oracle.cancelPending, (1)));
        refusesProposal(abi.encodeCall(oracle.voidAccounts, ()));
        refusesProposal(abi.encodeCall(oracle.applyPending, (1)));
        refusesProposal(abi.encodeCall(oracle.rotateSigner, (signerSet(set), STRANGER)));
        refusesProposal(abi.encodeCall(oracle.acceptOwnership, ()));
        refusesProposal(abi.encodeCall(oracle.renounceOwnership, ()));
        refusesProposal(abi.encodeCall(oracle.announceCalibration, (bytes32(0), "")));
    }

    function testFuzz_no_other_selector_can_be_announced(bytes4 selector) external {
        bytes[] memory changes = allChanges();
        for (uint256 i = 0; i < changes.length; ++i) {
            vm.assume(selector != bytes4(changes[i]));
        }
        refusesProposal(abi.encodeWithSelector(selector));
    }

    // ------------------------------------------------------------------ who

    function test_nobody_but_the_owner_changes_announces_or_executes() external {
        bytes[] memory changes = allChanges();
        address[3] memory others = [STRANGER, GUARDIAN, set.addresses[0]];
        for (uint256 round = 0; round < 2; ++round) {
            for (uint256 who = 0; who < others.length; ++who) {
                bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[who]);
                for (uint256 i = 0; i < changes.length; ++i) {
                    vm.prank(others[who]);
                    vm.expectRevert(reason);
                    (bool ignored,) = address(oracle).call(changes[i]);
                    ignored;
                }
                vm.prank(others[who]);
                vm.expectRevert(reason);
                oracle.proposeChange(changes[2]);
                vm.prank(others[who]);
                vm.expectRevert(reason);
                oracle.executeChange(changes[2]);
                vm.prank(others[who]);
                vm.expectRevert(reason);
                oracle.announceCalibration(bytes32(0), "");
            }
            if (round == 0) postDefaults(1);
        }
    }

    function test_a_stranger_cannot_cancel() external {
        bytes memory change = timingChange();
        propose(change);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        oracle.cancelChange(change);
    }

    function test_the_owner_cancels_its_own_change() external {
        bytes memory change = timingChange();
        bytes32 id = propose(change);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.ChangeCancelled(id, OWNER);
        vm.prank(OWNER);
        oracle.cancelChange(change);
        pass(DELAY);
        refusesExecution(change, abi.encodeWithSelector(IMarginOracle.NotProposed.selector, id));
    }

    function test_what_is_not_announced_cannot_be_cancelled() external {
        bytes memory change = timingChange();
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotProposed.selector, keccak256(change)));
        oracle.cancelChange(change);
    }

    function test_the_owner_cannot_resign() external {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.OwnerCannotResign.selector);
        oracle.renounceOwnership();
    }

    function test_ownership_waits_and_is_accepted() external {
        postDefaults(1);
        bytes memory change = abi.encodeCall(oracle.transferOwnership, (STRANGER));
        propose(change);
        pass(DELAY);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        oracle.acceptOwnership();
        execute(change);
        vm.assertEq(oracle.owner(), OWNER);
        vm.prank(STRANGER);
        oracle.acceptOwnership();
        vm.assertEq(oracle.owner(), STRANGER);
    }

    function test_a_calibration_is_announced_and_changes_nothing() external {
        bytes32 before = configuration();
        vm.expectEmit(address(oracle));
        emit IMarginOracle.CalibrationAnnounced(keccak256("calibration"), "https://calibration.example");
        vm.prank(OWNER);
        oracle.announceCalibration(keccak256("calibration"), "https://calibration.example");
        vm.assertEq(configuration(), before);
    }

    function test_deployment_sets_what_it_says() external {
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.ownerDelaySeconds = DELAY;
        setup.timing = IMarginOracle.Timing(1, 2, 3);
        setup.blockHashSource = IMarginOracle.BlockHashSource.Eip2935;
        (setup.sequencerUptimeFeed, setup.sequencerGraceSeconds) = (STRANGER, 4);
        oracle = newOracle(setup);
        vm.assertEq(oracle.owner(), OWNER);
        vm.assertEq(oracle.guardian(), GUARDIAN);
        vm.assertEq(oracle.ownerDelaySeconds(), DELAY);
        vm.assertEq(keccak256(abi.encode(oracle.timing())), keccak256(abi.encode(setup.timing)));
        vm.assertTrue(oracle.blockHashSource() == IMarginOracle.BlockHashSource.Eip2935, "source");
        vm.assertEq(oracle.sequencerUptimeFeed(), STRANGER);
        vm.assertEq(oracle.sequencerGraceSeconds(), 4);
        vm.assertEq(oracle.signerSetEpoch(), 0);
        vm.assertEq(oracle.signerSetHash(), 0);
    }
}
