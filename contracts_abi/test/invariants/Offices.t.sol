// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {Actors} from "./Actors.sol";
import {Observed} from "./Observed.sol";

/// @title What owner, guardian and strangers change: limits, times and offices, and after what wait.
contract OfficesInvariants is Observed {
    uint256 private constant LIFETIME = 14 days;

    function changesByTheOwnerAlone(bytes memory left, bytes memory right, bytes4 selector) internal view {
        if (keccak256(left) == keccak256(right)) return;
        vm.assertTrue(isOwnerCall(actors.act(), actors.before(), selector), "changed by another act");
    }

    function invariant_limits_change_by_the_owner_alone() external view {
        (Actors.State memory before, Actors.State memory now_) = (actors.before(), actors.state());
        changesByTheOwnerAlone(
            abi.encode(before.limits), abi.encode(now_.limits), IMarginOracle.configureMarket.selector
        );
    }

    function invariant_timing_changes_by_the_owner_alone() external view {
        (Actors.State memory before, Actors.State memory now_) = (actors.before(), actors.state());
        changesByTheOwnerAlone(abi.encode(before.timing), abi.encode(now_.timing), IMarginOracle.setTiming.selector);
        vm.assertTrue(now_.timing.heartbeatSeconds > 0, "no heartbeat");
    }

    function invariant_guardian_changes_by_the_owner_alone() external view {
        changesByTheOwnerAlone(
            abi.encode(actors.before().guardian), abi.encode(oracle.guardian()), IMarginOracle.setGuardian.selector
        );
    }

    function invariant_owner_delay_changes_by_the_owner_alone() external view {
        changesByTheOwnerAlone(
            abi.encode(actors.before().ownerDelaySeconds),
            abi.encode(oracle.ownerDelaySeconds()),
            IMarginOracle.setOwnerDelay.selector
        );
    }

    function invariant_grant_changes_by_the_owner_or_with_its_signers_key() external view {
        Actors.Act memory act = actors.act();
        Actors.State memory before = actors.before();
        (address signer, uint40 allowed) = oracle.rotation(actors.CUSTODIAN());
        if (act.success && act.kind == Actors.Kind.Rotate) return;
        changesByTheOwnerAlone(
            abi.encode(before.granted, before.rotationAllowed),
            abi.encode(signer, allowed),
            IMarginOracle.grantRotation.selector
        );
    }

    function invariant_owner_changes_by_a_transfer_that_was_accepted() external view {
        Actors.Act memory act = actors.act();
        (Actors.State memory before, Actors.State memory now_) = (actors.before(), actors.state());
        bool isAccepted = act.success && act.kind == Actors.Kind.Accept && act.by == before.pendingOwner;
        vm.assertEq(now_.owner, isAccepted ? before.pendingOwner : before.owner);
        if (now_.pendingOwner == before.pendingOwner || isAccepted) return;
        vm.assertTrue(isOwnerCall(act, before, IMarginOracle.transferOwnership.selector), "offered by another act");
    }

    function invariant_owner_waits_from_the_first_report_on() external view {
        Actors.Act memory act = actors.act();
        if (act.kind != Actors.Kind.OwnerAtOnce || !act.success) return;
        vm.assertEq(actors.before().sequence, 0);
    }

    function invariant_change_is_made_after_its_delay_and_before_it_expires() external view {
        Actors.Act memory act = actors.act();
        if (act.kind != Actors.Kind.Execute || !act.success) return;
        bytes32 id = keccak256(actors.carried(act.data));
        uint256 ready = actors.announcedTimestamp(id) + actors.announcedDelay(id);
        vm.assertTrue(vm.getBlockTimestamp() >= ready, "before its delay");
        vm.assertTrue(vm.getBlockTimestamp() <= ready + LIFETIME, "after it expired");
        vm.assertTrue(actors.announcedTimestamp(id) != 0, "never announced");
        vm.assertEq(oracle.readyTimestamp(id), 0);
    }

    function invariant_guardian_moves_no_value_in_force_and_no_limit() external view {
        Actors.Act memory act = actors.act();
        if (act.kind != Actors.Kind.Guardian) return;
        (Actors.State memory before, Actors.State memory now_) = (actors.before(), actors.state());
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(
                keccak256(abi.encode(before.markets[i].current)), keccak256(abi.encode(now_.markets[i].current))
            );
            // What waits is dropped, or left as it was.
            if (now_.markets[i].pendingTimestamp == 0) continue;
            vm.assertEq(
                keccak256(abi.encode(before.markets[i].pending)), keccak256(abi.encode(now_.markets[i].pending))
            );
        }
        (before.markets, before.isPaused, before.accountsRoot) = (now_.markets, now_.isPaused, now_.accountsRoot);
        vm.assertEq(hashOf(before), hashOf(now_));
    }

    function invariant_stranger_changes_nothing() external view {
        Actors.Act memory act = actors.act();
        bool isOutside = act.kind == Actors.Kind.Intrusion || act.kind == Actors.Kind.Forgery
            || act.kind == Actors.Kind.Silence || !act.success;
        if (isOutside) vm.assertEq(hashOf(actors.before()), hashOf(actors.state()));
    }
}
