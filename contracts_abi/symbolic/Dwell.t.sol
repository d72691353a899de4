// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MarginBounds} from "../src/MarginBounds.sol";
import {MarginDwell} from "../src/MarginDwell.sol";
import {MarginWords} from "../src/MarginWords.sol";
import {Test} from "../test/Test.sol";

/// @title Proofs for all tuples and times: a margin rises at once and falls only after the dwell.
/// @dev Of the six values the first and the last are anything and the other four zero: each comparison doubles the
/// paths, and `WordsProofs` shows for all six that they do not touch each other. That what waits is nowhere above what
/// is in force is assumed before a step where it matters and proven after it, for a report and for an application: so
/// it holds always.
contract DwellProofs is Test {
    using MarginDwell for MarginWords.Market;

    uint256 private constant FIRST = 0;
    uint256 private constant LAST = 5;

    MarginWords.Market private market;

    /// @dev A market, a tuple that was accepted, and when it arrives.
    struct Case {
        uint256 before;
        uint256 waiting;
        uint256 offered;
        uint40 arrival;
        uint24 dwellSeconds;
        bool isCorrection;
    }

    function settled(Case calldata given) internal returns (uint256 inForce, uint256 pending) {
        vm.assume(given.before != 0);
        vm.assume((given.before | given.waiting | given.offered) << 56 >> 128 == 0);
        vm.assume(MarginWords.time(given.offered) >= MarginWords.time(given.before));
        vm.assume(given.arrival > 0 && given.arrival < type(uint40).max - type(uint24).max);
        vm.warp(given.arrival);
        market.pending = given.waiting;
        MarginBounds.Verdict memory verdict;
        verdict.accepted = true;
        verdict.rises = MarginWords.rises(given.before, given.offered);
        verdict.falls = MarginWords.rises(given.offered, given.before);
        verdict.isCorrection = given.isCorrection;
        return market.settle(given.before, given.offered, verdict, given.dwellSeconds);
    }

    function isDue(Case calldata given) internal pure returns (bool) {
        return MarginWords.isPending(given.before) && given.arrival >= MarginWords.time(given.waiting);
    }

    function check_in_force_is_never_below_what_is_offered(Case calldata given, uint256 field) external {
        vm.assume(field == FIRST || field == LAST);
        (uint256 inForce,) = settled(given);
        assert(MarginWords.valueAt(inForce, field) >= MarginWords.valueAt(given.offered, field));
        assert(MarginWords.time(inForce) == MarginWords.time(given.offered));
    }

    function check_nothing_falls_before_its_time(Case calldata given, uint256 field) external {
        vm.assume((field == FIRST || field == LAST) && given.dwellSeconds != 0);
        vm.assume(!isDue(given));
        (uint256 inForce,) = settled(given);
        assert(MarginWords.valueAt(inForce, field) >= MarginWords.valueAt(given.before, field));
    }

    function check_what_is_due_falls_to_what_waited_or_is_offered(Case calldata given, uint256 field) external {
        vm.assume((field == FIRST || field == LAST) && given.dwellSeconds != 0);
        vm.assume(isDue(given));
        vm.assume(MarginWords.rises(given.offered, given.before));
        (uint256 inForce,) = settled(given);
        uint256 value = MarginWords.valueAt(inForce, field);
        uint256 waited = MarginWords.valueAt(given.waiting, field);
        uint256 offered = MarginWords.valueAt(given.offered, field);
        assert(value == (waited > offered ? waited : offered));
    }

    function check_without_a_dwell_the_offer_is_in_force(Case calldata given) external {
        vm.assume(given.dwellSeconds == 0);
        (uint256 inForce, uint256 pending) = settled(given);
        assert(MarginWords.valuesOf(inForce) == MarginWords.valuesOf(given.offered));
        assert(pending == 0 && !MarginWords.isPending(inForce));
    }

    function check_what_falls_nowhere_clears_what_waits(Case calldata given) external {
        vm.assume(!MarginWords.rises(given.offered, given.before));
        (uint256 inForce, uint256 pending) = settled(given);
        assert(pending == 0 && !MarginWords.isPending(inForce));
        assert(MarginWords.valuesOf(inForce) == MarginWords.valuesOf(given.offered));
    }

    function check_the_flag_says_whether_something_waits(Case calldata given) external {
        (uint256 inForce, uint256 pending) = settled(given);
        assert(MarginWords.isPending(inForce) == (pending != 0));
    }

    function check_what_waits_is_nowhere_above_what_is_in_force(Case calldata given, uint256 field) external {
        vm.assume(field == FIRST || field == LAST);
        vm.assume(MarginWords.valueAt(given.waiting, field) <= MarginWords.valueAt(given.before, field));
        (uint256 inForce, uint256 pending) = settled(given);
        if (pending != 0) assert(MarginWords.valueAt(pending, field) <= MarginWords.valueAt(inForce, field));
    }

    function check_what_waits_is_nowhere_below_what_is_offered(Case calldata given, uint256 field) external {
        vm.assume(field == FIRST || field == LAST);
        (, uint256 pending) = settled(given);
        vm.assume(pending != 0);
        assert(MarginWords.valueAt(pending, field) >= MarginWords.valueAt(given.offered, field));
        if (MarginWords.isPending(given.before) && !isDue(given)) {
            assert(MarginWords.valueAt(pending, field) >= MarginWords.valueAt(given.waiting, field));
        }
    }

    function check_a_later_report_leaves_the_time(Case calldata given) external {
        (, uint256 pending) = settled(given);
        vm.assume(pending != 0);
        bool continues = MarginWords.isPending(given.before) && !isDue(given);
        uint256 effective = continues ? MarginWords.time(given.waiting) : uint256(given.arrival) + given.dwellSeconds;
        assert(MarginWords.time(pending) == effective);
    }

    function check_an_application_brings_in_force_what_waited(uint256 current, uint256 pending) external pure {
        uint256 inForce = MarginDwell.applied(current, pending);
        assert(MarginWords.valuesOf(inForce) == MarginWords.valuesOf(pending));
        assert(MarginWords.time(inForce) == MarginWords.time(current));
        assert(!MarginWords.isPending(inForce));
        assert(MarginWords.isCorrected(inForce) == MarginWords.isCorrected(current));
        assert(MarginWords.roundId(inForce) >= MarginWords.roundId(current));
    }
}
