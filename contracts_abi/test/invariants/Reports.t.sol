// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Actors} from "./Actors.sol";
import {Observed} from "./Observed.sol";

/// @title What is known of the last report, and when none is taken.
contract ReportsInvariants is Observed {
    function invariant_sequence_rises_with_every_report_and_nothing_else() external view {
        Actors.State memory before = actors.before();
        bool rose = oracle.lastSequence() > before.sequence;
        vm.assertTrue(rose == isReport(actors.act()), "rose without a report, or a report did not raise it");
        vm.assertTrue(rose || oracle.lastSequence() == before.sequence, "fell");
    }

    function invariant_reference_block_rises_with_every_report_and_nothing_else() external view {
        Actors.State memory before = actors.before();
        bool rose = oracle.lastReferenceBlock() > before.referenceBlock;
        vm.assertTrue(rose == isReport(actors.act()), "rose without a report, or a report did not raise it");
        vm.assertTrue(rose || oracle.lastReferenceBlock() == before.referenceBlock, "fell");
    }

    function invariant_reference_time_never_falls_and_is_never_in_the_future() external view {
        vm.assertTrue(oracle.lastReferenceTimestamp() >= actors.before().referenceTimestamp, "fell");
        vm.assertTrue(oracle.lastReferenceTimestamp() <= vm.getBlockTimestamp(), "in the future");
    }

    function invariant_accounts_root_is_the_last_reports_or_voided_by_the_guardian() external view {
        Actors.Act memory act = actors.act();
        Actors.State memory before = actors.before();
        (bytes32 root,,) = oracle.latestAccounts();
        if (isReport(act)) {
            vm.assertEq(root, act.report.accountsRoot);
        } else if (root != before.accountsRoot) {
            vm.assertEq(root, 0);
            vm.assertTrue(act.kind == Actors.Kind.Guardian && act.by == before.guardian, "voided by another");
        }
    }

    function invariant_pause_changes_by_the_guardian_alone() external view {
        Actors.Act memory act = actors.act();
        Actors.State memory before = actors.before();
        if (oracle.isPaused() == before.isPaused) return;
        vm.assertTrue(act.kind == Actors.Kind.Guardian && act.by == before.guardian, "by another");
    }

    function invariant_pause_lets_no_report_in_and_applies_nothing() external view {
        Actors.Act memory act = actors.act();
        if (!actors.before().isPaused) return;
        vm.assertTrue(!isReport(act), "a report was taken");
        vm.assertTrue(!(act.success && act.kind == Actors.Kind.Apply), "what waited was applied");
    }
}
