// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title A custodian replaces the one signer that it answers for, at once, once a day.
contract RotationTest is OracleFixture {
    address private constant CUSTODIAN = address(0xC057);
    uint256 private constant PAUSE = 1 days;

    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        grant(CUSTODIAN, set.addresses[1]);
    }

    function grant(address custodian, address signer) internal {
        vm.prank(OWNER);
        oracle.grantRotation(custodian, signer);
    }

    /// @dev The custodian's rotation of signer `index` to `key`; the fixture's set follows.
    function rotate(address custodian, uint256 index, uint256 key) internal {
        IMarginOracle.SignerSet memory current = signerSet(set);
        SignerSet memory next = replaced(index, key);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.SignerRotated(custodian, set.addresses[index], vm.addr(key));
        vm.expectEmit(address(oracle));
        emit IMarginOracle.SignerSetChanged(
            oracle.signerSetEpoch() + 1, set.threshold, set.stepThreshold, next.addresses
        );
        vm.prank(custodian);
        oracle.rotateSigner(current, vm.addr(key));
        set = next;
        vm.assertEq(oracle.signerSetHash(), keccak256(abi.encodePacked(oracle.signerSetEpoch(), packSet(set))));
    }

    function refusesRotation(address custodian, address to, bytes memory reason) internal {
        IMarginOracle.SignerSet memory current = signerSet(set);
        vm.prank(custodian);
        vm.expectRevert(reason);
        oracle.rotateSigner(current, to);
    }

    function notCustodian(address custodian, address signer) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IMarginOracle.NotCustodian.selector, custodian, signer);
    }

    /// @dev The fixture's set with the signer at `index` replaced, sorted anew; written apart from the contract.
    function replaced(uint256 index, uint256 key) internal view returns (SignerSet memory made) {
        made = set;
        made.keys[index] = key;
        made.addresses[index] = vm.addr(key);
        for (uint256 swaps = 0; swaps < 25; ++swaps) {
            uint256 i = swaps % 4;
            if (made.addresses[i] > made.addresses[i + 1]) {
                (made.addresses[i], made.addresses[i + 1]) = (made.addresses[i + 1], made.addresses[i]);
                (made.keys[i], made.keys[i + 1]) = (made.keys[i + 1], made.keys[i]);
            }
        }
    }

    function indexOf(uint256 key) internal view returns (uint256 index) {
        while (set.keys[index] != key) ++index;
    }

    // ------------------------------------------------------------------ what it does

    function test_a_custodian_replaces_its_signer_and_kills_signatures_in_flight() external {
        bytes memory inFlight = packSigned(draft(1));
        uint256 former = set.keys[1];
        rotate(CUSTODIAN, 1, 77);
        vm.assertEq(oracle.signerSetEpoch(), 2);
        refuses(inFlight, abi.encodeWithSelector(IMarginOracle.WrongEpoch.selector, 2, 1));
        SignerSet memory forged = set;
        uint256 place = indexOf(77);
        forged.keys[place] = former;
        refuses(
            packWith(draft(1), forged, 0x1f), abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, place)
        );
        oracle.post(packWith(draft(1), set, 0x1f));
        vm.assertEq(oracle.lastSequence(), 1);
    }

    function test_the_grant_follows_the_signers_new_key() external {
        rotate(CUSTODIAN, 1, 77);
        (address signer, uint40 allowed) = oracle.rotation(CUSTODIAN);
        vm.assertEq(signer, vm.addr(77));
        vm.assertEq(allowed, vm.getBlockTimestamp() + PAUSE);
        pass(PAUSE);
        rotate(CUSTODIAN, indexOf(77), 78);
        vm.assertEq(oracle.signerSetEpoch(), 3);
    }

    function test_it_may_do_so_once_a_day() external {
        rotate(CUSTODIAN, 1, 77);
        uint256 allowed = vm.getBlockTimestamp() + PAUSE;
        pass(PAUSE - 1);
        refusesRotation(
            CUSTODIAN, vm.addr(78), abi.encodeWithSelector(IMarginOracle.RotationTooSoon.selector, allowed, allowed - 1)
        );
        pass(1);
        rotate(CUSTODIAN, indexOf(77), 78);
    }

    function test_the_first_and_the_last_signer_can_be_replaced_by_any_key() external {
        for (uint256 key = 100; key < 110; ++key) {
            grant(CUSTODIAN, set.addresses[0]);
            rotate(CUSTODIAN, 0, key);
            grant(CUSTODIAN, set.addresses[4]);
            rotate(CUSTODIAN, 4, key + 100);
        }
        oracle.post(packWith(draft(1), set, 0x1f));
        vm.assertEq(oracle.lastSequence(), 1);
    }

    function test_the_thresholds_stay() external {
        rotate(CUSTODIAN, 1, 77);
        IMarginOracle.Report memory report = draft(1);
        refuses(packWith(report, set, 0x03), abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 3, 2));
        report.exceedsStep = true;
        refuses(packWith(report, set, 0x07), abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 4, 3));
    }

    function test_it_works_at_once_however_long_the_owner_waits() external {
        vm.prank(OWNER);
        oracle.setOwnerDelay(30 days);
        postDefaults(1);
        pass(12);
        rotate(CUSTODIAN, 1, 77);
        oracle.post(packWith(draft(1), set, 0x1f));
        vm.assertEq(oracle.lastSequence(), 2);
    }

    // ------------------------------------------------------------------ what it does not

    function test_who_has_no_grant_replaces_nobody() external {
        refusesRotation(STRANGER, vm.addr(77), notCustodian(STRANGER, address(0)));
        refusesRotation(OWNER, vm.addr(77), notCustodian(OWNER, address(0)));
        refusesRotation(GUARDIAN, vm.addr(77), notCustodian(GUARDIAN, address(0)));
        refusesRotation(set.addresses[1], vm.addr(77), notCustodian(set.addresses[1], address(0)));
    }

    function test_a_grant_taken_back_is_none() external {
        vm.expectEmit(address(oracle));
        emit IMarginOracle.RotationGranted(CUSTODIAN, address(0));
        grant(CUSTODIAN, address(0));
        refusesRotation(CUSTODIAN, vm.addr(77), notCustodian(CUSTODIAN, address(0)));
    }

    function test_a_custodian_has_one_signer() external {
        address former = set.addresses[1];
        grant(CUSTODIAN, set.addresses[2]);
        rotate(CUSTODIAN, 2, 77);
        bool isStillIn = false;
        for (uint256 i = 0; i < 5; ++i) {
            isStillIn = isStillIn || set.addresses[i] == former;
        }
        vm.assertTrue(isStillIn, "the former grant was used");
    }

    function test_two_custodians_replace_their_own_signers_on_the_same_day() external {
        uint256 secondKey = set.keys[3];
        grant(STRANGER, set.addresses[3]);
        rotate(CUSTODIAN, 1, 77);
        rotate(STRANGER, indexOf(secondKey), 78);
        vm.assertEq(oracle.signerSetEpoch(), 3);
        oracle.post(packWith(draft(1), set, 0x1f));
    }

    function test_of_two_custodians_of_one_signer_the_second_is_left_without() external {
        address signer = set.addresses[1];
        grant(STRANGER, signer);
        rotate(CUSTODIAN, 1, 77);
        refusesRotation(STRANGER, vm.addr(78), notCustodian(STRANGER, signer));
    }

    function test_a_signer_that_the_owner_removed_is_not_replaced() external {
        address signer = set.addresses[1];
        set = replaced(1, 77);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        refusesRotation(CUSTODIAN, vm.addr(78), notCustodian(CUSTODIAN, signer));
    }

    function test_no_signer_counts_twice() external {
        for (uint256 i = 0; i < 5; ++i) {
            if (i == 1) continue;
            refusesRotation(
                CUSTODIAN, set.addresses[i], abi.encodeWithSelector(IMarginOracle.InvalidSignerSet.selector)
            );
        }
    }

    function test_nobody_is_no_signer() external {
        refusesRotation(CUSTODIAN, address(0), abi.encodeWithSelector(IMarginOracle.InvalidSignerSet.selector));
    }

    function test_the_set_must_be_the_one_in_force() external {
        IMarginOracle.SignerSet memory weaker = signerSet(set);
        weaker.threshold = 1;
        bytes32 claimed = keccak256(abi.encodePacked(uint32(1), packSet(SignerSet(1, 4, set.keys, set.addresses))));
        vm.prank(CUSTODIAN);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.WrongSignerSet.selector, oracle.signerSetHash(), claimed));
        oracle.rotateSigner(weaker, vm.addr(77));
        IMarginOracle.SignerSet memory former = signerSet(set);
        rotate(CUSTODIAN, 1, 77);
        pass(PAUSE);
        vm.prank(CUSTODIAN);
        vm.expectPartialRevert(IMarginOracle.WrongSignerSet.selector);
        oracle.rotateSigner(former, vm.addr(78));
    }
}
