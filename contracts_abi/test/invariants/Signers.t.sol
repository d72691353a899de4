// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {OracleFixture} from "../OracleFixture.sol";
import {Actors} from "./Actors.sol";
import {Observed} from "./Observed.sol";

/// @title Who signs: the set, its epoch and its quorum.
contract SignersInvariants is Observed {
    function invariant_signer_set_changes_by_the_owner_or_by_a_custodian() external view {
        (Actors.Act memory act, Actors.State memory before) = (actors.act(), actors.before());
        if (oracle.signerSetHash() == before.signerSetHash) return;
        bool isRotation = act.success && act.kind == Actors.Kind.Rotate && act.by == actors.CUSTODIAN();
        vm.assertTrue(isRotation || isOwnerCall(act, before, oracle.setSigners.selector), "changed by another act");
    }

    function invariant_signer_epoch_rises_by_one_with_every_set() external view {
        Actors.State memory before = actors.before();
        bool isChanged = oracle.signerSetHash() != before.signerSetHash;
        vm.assertEq(oracle.signerSetEpoch(), before.signerSetEpoch + (isChanged ? 1 : 0));
    }

    function invariant_signer_set_needs_a_majority_and_counts_nobody_twice() external view {
        (OracleFixture.SignerSet memory set,) = actors.signers();
        bytes memory preimage = abi.encodePacked(oracle.signerSetEpoch(), set.threshold, set.stepThreshold);
        address previous = address(0);
        for (uint256 i = 0; i < set.addresses.length; ++i) {
            vm.assertTrue(set.addresses[i] > previous, "not strictly ascending");
            previous = set.addresses[i];
            preimage = bytes.concat(preimage, bytes20(previous));
        }
        vm.assertEq(oracle.signerSetHash(), keccak256(preimage));
        vm.assertTrue(2 * uint256(set.threshold) > set.addresses.length, "a minority could sign");
        vm.assertTrue(set.stepThreshold > set.threshold, "no higher quorum");
        vm.assertTrue(set.stepThreshold <= set.addresses.length, "the higher quorum is out of reach");
    }

    function invariant_custodian_replaces_its_one_signer_and_waits_a_day() external view {
        Actors.Act memory act = actors.act();
        if (act.kind != Actors.Kind.Rotate || !act.success) return;
        Actors.State memory before = actors.before();
        (address signer, uint40 allowed) = oracle.rotation(act.by);
        vm.assertTrue(vm.getBlockTimestamp() >= before.rotationAllowed, "too soon");
        vm.assertEq(allowed, vm.getBlockTimestamp() + 1 days);
        (OracleFixture.SignerSet memory set, OracleFixture.SignerSet memory former) = actors.signers();
        vm.assertEq(set.threshold, former.threshold);
        vm.assertEq(set.stepThreshold, former.stepThreshold);
        vm.assertEq(set.addresses.length, former.addresses.length);
        for (uint256 i = 0; i < former.addresses.length; ++i) {
            bool isIn = contains(set.addresses, former.addresses[i]);
            vm.assertTrue(isIn == (former.addresses[i] != before.granted || signer == before.granted), "another signer");
        }
        vm.assertTrue(contains(set.addresses, signer), "the grant does not follow the key");
    }

    function invariant_report_needs_the_quorum_of_the_set_in_force() external view {
        Actors.Act memory act = actors.act();
        if (!isReport(act)) return;
        (OracleFixture.SignerSet memory set,) = actors.signers();
        vm.assertTrue(act.kind == Actors.Kind.Post, "a forgery was accepted");
        vm.assertTrue(
            act.signatures >= (act.report.exceedsStep ? set.stepThreshold : set.threshold), "fewer than the threshold"
        );
    }

    function contains(address[] memory addresses, address wanted) internal pure returns (bool found) {
        for (uint256 i = 0; i < addresses.length; ++i) {
            found = found || addresses[i] == wanted;
        }
    }
}
