// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {HeadWords} from "../src/HeadWords.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginBounds} from "../src/MarginBounds.sol";
import {MarginWords} from "../src/MarginWords.sol";
import {Test} from "../test/Test.sol";

/// @title Proofs for all limits, tuples and times: what `MarginBounds.judge` accepts is within every limit, field by
/// field.
/// @dev The rules stand here once more, plainly: one field at a time, no lanes. Long: run by name, see docs/audit.md.
contract BoundsProofs is Test {
    using MarginBounds for MarginWords.Market;

    MarginWords.Market private market;

    /// @dev Everything that a tuple is judged by.
    struct Case {
        uint256 first;
        uint256 second;
        uint256 inForce;
        uint256 offered;
        uint256 head;
        bool liftsRises;
    }

    function judged(Case calldata given) internal returns (MarginBounds.Verdict memory verdict) {
        vm.assume(given.first != 0);
        vm.assume(MarginWords.time(given.offered) >= MarginWords.time(given.inForce));
        (market.firstLimits, market.secondLimits) = (given.first, given.second);
        market.judge(given.inForce, given.offered, given.head, given.liftsRises, verdict);
    }

    function limitsOf(Case calldata given, uint256 field) internal pure returns (uint256) {
        if (field < 2) return MarginWords.initialLimits(given.first);
        if (field < 4) return MarginWords.maintenanceLimits(given.first, given.second);
        return MarginWords.slopeLimits(given.second);
    }

    function largestRise(Case calldata given, uint256 field) internal pure returns (uint256) {
        uint256 limits = limitsOf(given, field);
        if (field == 2 || field == 3) {
            uint256 elapsed = MarginWords.time(given.offered) - MarginWords.time(given.inForce);
            return MarginWords.riseHourly(limits) * elapsed / 3600;
        }
        uint256 step = MarginWords.stepRelativePpm(limits) * MarginWords.valueAt(given.inForce, field) / 1e6;
        return step > MarginWords.stepMinimum(limits) ? step : MarginWords.stepMinimum(limits);
    }

    function largestFall(Case calldata given, uint256 field) internal pure returns (uint256) {
        uint256 elapsed = MarginWords.time(given.offered) - MarginWords.time(given.inForce);
        uint256 dwell = HeadWords.dwellSeconds(given.head);
        return MarginWords.fallHourly(limitsOf(given, field)) * (elapsed > dwell ? elapsed : dwell) / 3600;
    }

    function isWithinEveryLimit(Case calldata given, uint256 field) internal pure returns (bool) {
        uint256 before = MarginWords.valueAt(given.inForce, field);
        uint256 value = MarginWords.valueAt(given.offered, field);
        uint256 limits = limitsOf(given, field);
        if (value < MarginWords.minimum(limits) || value > MarginWords.maximum(limits)) return false;
        if (given.inForce == 0 || value == before) return true;
        if (value < before) return before - value <= largestFall(given, field);
        return given.liftsRises || value - before <= largestRise(given, field);
    }

    function provesField(Case calldata given, uint256 field) internal {
        if (judged(given).accepted) assert(isWithinEveryLimit(given, field));
    }

    function check_accepted_initial_long_is_within_every_limit(Case calldata given) external {
        provesField(given, 0);
    }

    function check_accepted_initial_short_is_within_every_limit(Case calldata given) external {
        provesField(given, 1);
    }

    function check_accepted_maintenance_long_is_within_every_limit(Case calldata given) external {
        provesField(given, 2);
    }

    function check_accepted_maintenance_short_is_within_every_limit(Case calldata given) external {
        provesField(given, 3);
    }

    function check_accepted_slope_long_is_within_every_limit(Case calldata given) external {
        provesField(given, 4);
    }

    function check_accepted_slope_short_is_within_every_limit(Case calldata given) external {
        provesField(given, 5);
    }

    function check_accepted_initial_covers_maintenance(Case calldata given) external {
        if (!judged(given).accepted) return;
        assert(MarginWords.valueAt(given.offered, 0) >= MarginWords.valueAt(given.offered, 2));
        assert(MarginWords.valueAt(given.offered, 1) >= MarginWords.valueAt(given.offered, 3));
    }

    function check_the_unknown_market_is_never_accepted(Case calldata given) external {
        (market.firstLimits, market.secondLimits) = (0, given.second);
        MarginBounds.Verdict memory verdict;
        market.judge(given.inForce, given.offered, given.head, given.liftsRises, verdict);
        assert(!verdict.accepted && verdict.reason == IMarginOracle.Refusal.UnknownMarket);
    }

    function check_rises_and_falls_are_told(Case calldata given, uint256 field) external {
        vm.assume(field < 6);
        vm.assume(given.inForce != 0);
        MarginBounds.Verdict memory verdict = judged(given);
        vm.assume(verdict.accepted);
        uint256 before = MarginWords.valueAt(given.inForce, field);
        uint256 value = MarginWords.valueAt(given.offered, field);
        if (value > before) assert(verdict.rises);
        if (value < before) assert(verdict.falls);
    }

    /// @dev Within the minimum delay of the last rise one correction is accepted and no second.
    function check_a_rise_too_soon_is_one_correction(Case calldata given) external {
        vm.assume(given.inForce != 0);
        vm.assume(!given.liftsRises);
        MarginBounds.Verdict memory verdict = judged(given);
        vm.assume(verdict.accepted);
        uint256 since = MarginWords.roseSecondsBefore(given.inForce, MarginWords.time(given.offered));
        bool isTooSoon = verdict.rises && since < HeadWords.minimumDelaySeconds(given.head);
        assert(verdict.isCorrection == isTooSoon);
        if (isTooSoon) assert(!MarginWords.isCorrected(given.inForce));
    }
}
