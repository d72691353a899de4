// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {Actors} from "./Actors.sol";
import {Observed} from "./Observed.sol";

/// @title What is in force and what waits: by whom, how fast, how low.
contract MarketsInvariants is Observed {
    uint256 private constant FIELDS = 6;

    /// @dev The last step of one market: what it was, what it is, what was asked of it.
    struct Step {
        Actors.Act act;
        IMarginOracle.MarketConfig limits;
        IMarginOracle.MarketState before;
        IMarginOracle.MarketState now_;
        bool isChanged;
        bool isNamed;
        uint32[6] left;
        uint32[6] right;
        uint32[6] offered;
    }

    function stepOf(uint32 market) internal view returns (Step memory step) {
        step.act = actors.act();
        Actors.State memory before = actors.before();
        (step.limits, step.before) = (before.limits[market], before.markets[market]);
        step.now_ = oracle.marketState(market + 1);
        step.isChanged = keccak256(abi.encode(step.before)) != keccak256(abi.encode(step.now_));
        (step.left, step.right) = (valuesOf(step.before.current), valuesOf(step.now_.current));
        step.isNamed = isReport(step.act) && market < step.act.report.markets.length;
        if (step.isNamed) step.offered = actors.valuesOf(step.act.report.markets[market]);
    }

    function isTaken(Step memory step) internal pure returns (bool) {
        return step.isNamed && step.isChanged;
    }

    function boundsOf(IMarginOracle.MarketConfig memory limits, uint256 field)
        internal
        pure
        returns (IMarginOracle.Bounds memory)
    {
        return field < 2 ? limits.initial : field < 4 ? limits.maintenance : limits.slope;
    }

    // ------------------------------------------------------------------ in force

    function invariant_value_in_force_changes_by_a_report_or_by_what_one_left_waiting() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            if (keccak256(abi.encode(step.left)) == keccak256(abi.encode(step.right))) continue;
            bool isApplied = step.act.success && step.act.kind == Actors.Kind.Apply;
            vm.assertTrue(step.isNamed || isApplied, "changed by another act");
            if (!isApplied) continue;
            uint32[6] memory waited = valuesOf(step.before.pending);
            vm.assertEq(keccak256(abi.encode(step.right)), keccak256(abi.encode(waited)));
            vm.assertTrue(vm.getBlockTimestamp() >= step.before.pendingTimestamp, "applied early");
        }
    }

    function invariant_value_in_force_is_taken_whole_or_not_at_all() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            if (!isTaken(step)) continue;
            vm.assertEq(step.now_.current.referenceTimestamp, step.act.report.referenceTimestamp);
            for (uint256 field = 0; field < FIELDS; ++field) {
                uint32 most = step.left[field] > step.offered[field] ? step.left[field] : step.offered[field];
                vm.assertTrue(step.right[field] >= step.offered[field], "below what was asked for");
                vm.assertTrue(step.right[field] <= most, "above what is in force and what was asked for");
            }
        }
    }

    function invariant_value_in_force_was_within_its_limits_when_it_was_accepted() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            if (!isTaken(step)) continue;
            for (uint256 field = 0; field < FIELDS; ++field) {
                IMarginOracle.Bounds memory bounds = boundsOf(step.limits, field);
                vm.assertTrue(step.offered[field] >= bounds.minimum, "below the minimum");
                vm.assertTrue(step.offered[field] <= bounds.maximum, "above the maximum");
            }
        }
    }

    function invariant_value_in_force_rises_within_its_step_or_by_the_higher_quorum() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            if (step.before.current.referenceTimestamp == 0 || (step.isNamed && step.act.report.exceedsStep)) continue;
            uint256 elapsed = step.now_.current.referenceTimestamp - step.before.current.referenceTimestamp;
            for (uint256 field = 0; field < FIELDS; ++field) {
                if (step.right[field] <= step.left[field]) continue;
                IMarginOracle.Bounds memory bounds = boundsOf(step.limits, field);
                uint256 rise = step.right[field] - step.left[field];
                bool isWithin = field == 2 || field == 3
                    ? rise * 3600 <= bounds.riseHourly * elapsed
                    : rise <= bounds.stepMinimum || rise * 1e6 <= uint256(step.left[field]) * bounds.stepRelativePpm;
                vm.assertTrue(isWithin, "rose by more");
            }
        }
    }

    /// @dev With a dwell of zero since, at once.
    function invariant_value_in_force_falls_a_dwell_after_it_was_asked_for() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            Actors.Asked[] memory asked = actors.asked(market);
            for (uint256 field = 0; field < FIELDS; ++field) {
                if (step.right[field] >= step.left[field]) continue;
                bool wasAsked = false;
                for (uint256 i = 0; i < asked.length; ++i) {
                    bool isLongAgo = asked[i].timestamp + asked[i].shortestDwell <= vm.getBlockTimestamp();
                    wasAsked = wasAsked || (isLongAgo && asked[i].values[field] <= step.right[field]);
                }
                vm.assertTrue(wasAsked, "fell sooner");
            }
        }
    }

    function invariant_value_in_force_covers_every_report_of_the_last_dwell() external view {
        for (uint32 market = 0; market < 2; ++market) {
            uint32[6] memory inForce = valuesOf(oracle.marginUnsafe(market + 1));
            Actors.Asked[] memory asked = actors.asked(market);
            for (uint256 i = 0; i < asked.length; ++i) {
                if (asked[i].timestamp + asked[i].shortestDwell <= vm.getBlockTimestamp()) continue;
                for (uint256 field = 0; field < FIELDS; ++field) {
                    vm.assertTrue(inForce[field] >= asked[i].values[field], "below a report within the dwell");
                }
            }
        }
    }

    /// @dev All falls since the first tuple together, over the time since then and one dwell.
    function invariant_value_in_force_falls_no_faster_than_the_hourly_rate() external view {
        for (uint32 market = 0; market < 2; ++market) {
            uint40 time = oracle.marginUnsafe(market + 1).referenceTimestamp;
            if (time == 0) continue;
            uint256 allowedSeconds = time - actors.firstTimestamp(market) + actors.LONGEST_DWELL();
            for (uint256 field = 0; field < FIELDS; ++field) {
                vm.assertTrue(
                    actors.fallen(market, field) * 3600 <= actors.FASTEST_FALL() * allowedSeconds, "fell faster"
                );
            }
        }
    }

    function invariant_initial_is_never_below_maintenance() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            IMarginOracle.MarketState memory state = oracle.marketState(market);
            vm.assertTrue(state.current.initialLong >= state.current.maintenanceLong, "long");
            vm.assertTrue(state.current.initialShort >= state.current.maintenanceShort, "short");
            vm.assertTrue(state.pending.initialLong >= state.pending.maintenanceLong, "long that waits");
            vm.assertTrue(state.pending.initialShort >= state.pending.maintenanceShort, "short that waits");
        }
    }

    function invariant_market_time_never_falls_and_is_never_past_the_last_reports() external view {
        Actors.State memory before = actors.before();
        for (uint32 market = 0; market < 2; ++market) {
            uint40 time = oracle.marginUnsafe(market + 1).referenceTimestamp;
            vm.assertTrue(time >= before.markets[market].current.referenceTimestamp, "fell");
            vm.assertTrue(time <= oracle.lastReferenceTimestamp(), "past the last report's");
        }
    }

    function invariant_round_id_rises_with_every_tuple_and_nothing_else() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            bool rose = step.now_.roundId > step.before.roundId;
            bool isTuple = isTaken(step) || (step.isChanged && step.act.kind == Actors.Kind.Apply);
            vm.assertTrue(rose == isTuple, "rose without a tuple, or a tuple did not raise it");
            vm.assertTrue(rose || step.now_.roundId == step.before.roundId, "fell");
        }
    }

    // ------------------------------------------------------------------ waiting

    function invariant_pending_value_is_never_above_the_one_in_force() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            IMarginOracle.MarketState memory state = oracle.marketState(market);
            (uint32[6] memory waits, uint32[6] memory inForce) = (valuesOf(state.pending), valuesOf(state.current));
            for (uint256 field = 0; field < FIELDS; ++field) {
                vm.assertTrue(waits[field] <= inForce[field], "above");
            }
        }
    }

    function invariant_pending_value_rises_by_reports_and_never_falls_while_it_waits() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            if (step.before.pendingTimestamp == 0 || step.now_.pendingTimestamp != step.before.pendingTimestamp) {
                continue;
            }
            (uint32[6] memory left, uint32[6] memory right) =
                (valuesOf(step.before.pending), valuesOf(step.now_.pending));
            for (uint256 field = 0; field < FIELDS; ++field) {
                vm.assertTrue(right[field] >= left[field], "fell while it waited");
                vm.assertTrue(right[field] == left[field] || step.isNamed, "changed without a report");
            }
        }
    }

    function invariant_pending_time_is_set_by_a_report_and_stays_until_it_has_come() external view {
        for (uint32 market = 0; market < 2; ++market) {
            Step memory step = stepOf(market);
            uint40 time = step.now_.pendingTimestamp;
            if (time == 0 || time == step.before.pendingTimestamp) continue;
            vm.assertTrue(step.isNamed, "set without a report");
            vm.assertTrue(vm.getBlockTimestamp() >= step.before.pendingTimestamp, "moved before it had come");
            vm.assertEq(time, vm.getBlockTimestamp() + actors.before().timing.dwellSeconds);
        }
    }
}
