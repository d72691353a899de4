// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginWords} from "../src/MarginWords.sol";
import {Test} from "../test/Test.sol";

/// @title Proofs for all inputs: no field of a market's words touches another.
contract WordsProofs is Test {
    uint256 private constant ROSE_MAXIMUM = 65_535;
    uint256 private constant ORDINAL_MAXIMUM = 63;

    function ordinal(uint256 tuple) internal pure returns (uint256) {
        return MarginWords.roundId(tuple) & ORDINAL_MAXIMUM;
    }

    function rose(uint256 tuple) internal pure returns (uint256) {
        return MarginWords.roseSecondsBefore(tuple, MarginWords.time(tuple));
    }

    // ------------------------------------------------------------------ tuple

    function check_tuple_round_trip(IMarginOracle.CurrentMargin calldata given, uint64 above) external pure {
        uint256 values = uint256(given.initialLong) << 160 | uint256(given.initialShort) << 128
            | uint256(given.maintenanceLong) << 96 | uint256(given.maintenanceShort) << 64 | uint256(given.slopeLong)
            << 32 | given.slopeShort;
        // A market in calldata has its identifier above the values.
        uint256 tuple = MarginWords.packTuple(uint256(above) << 192 | values, given.referenceTimestamp);
        assert(MarginWords.valuesOf(tuple) == values);
        assert(MarginWords.time(tuple) == given.referenceTimestamp);
        assert(MarginWords.valueAt(tuple, 0) == given.initialLong);
        assert(MarginWords.valueAt(tuple, 1) == given.initialShort);
        assert(MarginWords.valueAt(tuple, 2) == given.maintenanceLong);
        assert(MarginWords.valueAt(tuple, 3) == given.maintenanceShort);
        assert(MarginWords.valueAt(tuple, 4) == given.slopeLong);
        assert(MarginWords.valueAt(tuple, 5) == given.slopeShort);
        assert(!MarginWords.isPending(tuple) && !MarginWords.isCorrected(tuple) && ordinal(tuple) == 0);
        IMarginOracle.CurrentMargin memory read = MarginWords.unpackTuple(tuple);
        assert(keccak256(abi.encode(read)) == keccak256(abi.encode(given)));
    }

    function check_maximum_is_componentwise(uint256 left, uint256 right, uint256 field) external pure {
        vm.assume(field < 6);
        uint256 larger = MarginWords.maximum(left, right);
        uint256 value = MarginWords.valueAt(larger, field);
        assert(value >= MarginWords.valueAt(left, field));
        assert(value >= MarginWords.valueAt(right, field));
        assert(value == MarginWords.valueAt(left, field) || value == MarginWords.valueAt(right, field));
        assert(larger == MarginWords.valuesOf(larger) << 40);
    }

    // ------------------------------------------------------------------ succession

    function check_succeed_sets_values_and_time_and_nothing_waits(
        uint256 before,
        uint256 values,
        uint256 offered,
        bool rises,
        bool isCorrection
    ) external pure {
        vm.assume(MarginWords.time(offered) >= MarginWords.time(before));
        uint256 word = MarginWords.succeed(before, values, offered, rises, isCorrection);
        assert(MarginWords.valuesOf(word) == MarginWords.valuesOf(values));
        assert(MarginWords.time(word) == MarginWords.time(offered));
        assert(!MarginWords.isPending(word));
    }

    function check_succeed_remembers_the_last_rise(
        uint256 before,
        uint256 values,
        uint256 offered,
        bool rises,
        bool isCorrection
    ) external pure {
        vm.assume(before != 0);
        vm.assume(MarginWords.time(offered) >= MarginWords.time(before));
        uint256 word = MarginWords.succeed(before, values, offered, rises, isCorrection);
        if (rises) {
            assert(rose(word) == 0 && MarginWords.isCorrected(word) == isCorrection);
        } else {
            uint256 ago = rose(before) + MarginWords.time(offered) - MarginWords.time(before);
            assert(rose(word) == (ago > ROSE_MAXIMUM ? ROSE_MAXIMUM : ago));
            assert(MarginWords.isCorrected(word) == MarginWords.isCorrected(before));
        }
    }

    function check_the_first_tuple_is_no_rise(uint256 values, uint256 offered, bool rises, bool isCorrection)
        external
        pure
    {
        uint256 word = MarginWords.succeed(0, values, offered, rises, isCorrection);
        assert(rose(word) == ROSE_MAXIMUM && !MarginWords.isCorrected(word) && ordinal(word) == 0);
    }

    /// @dev Equal only for the 65th tuple of one second.
    function check_round_ids_rise(uint256 before, uint256 values, uint256 offered, bool rises, bool isCorrection)
        external
        pure
    {
        vm.assume(before != 0);
        vm.assume(MarginWords.time(offered) >= MarginWords.time(before));
        uint256 next = MarginWords.roundId(MarginWords.succeed(before, values, offered, rises, isCorrection));
        bool isFull = MarginWords.time(offered) == MarginWords.time(before) && ordinal(before) == ORDINAL_MAXIMUM;
        assert(isFull ? next == MarginWords.roundId(before) : next > MarginWords.roundId(before));
    }

    function check_with_values_changes_values_and_ordinal_only(uint256 tuple, uint256 values) external pure {
        uint256 word = MarginWords.withValues(tuple, values);
        assert(MarginWords.valuesOf(word) == MarginWords.valuesOf(values));
        assert(MarginWords.time(word) == MarginWords.time(tuple));
        assert(rose(word) == rose(tuple));
        assert(MarginWords.isCorrected(word) == MarginWords.isCorrected(tuple));
        assert(MarginWords.isPending(word) == MarginWords.isPending(tuple));
        uint256 next = ordinal(tuple) == ORDINAL_MAXIMUM ? ORDINAL_MAXIMUM : ordinal(tuple) + 1;
        assert(ordinal(word) == next);
    }

    function check_with_time_changes_the_time_only(uint256 tuple, uint40 time) external pure {
        uint256 word = MarginWords.withTime(tuple, time);
        assert(MarginWords.valuesOf(word) == MarginWords.valuesOf(tuple) && MarginWords.time(word) == time);
    }

    function check_announced_is_market_and_values(uint32 marketId, uint256 tuple) external pure {
        uint256 word = MarginWords.announced(marketId, tuple);
        assert(word >> 192 == marketId && uint192(word) == MarginWords.valuesOf(tuple));
    }

    // ------------------------------------------------------------------ lanes

    function check_sides_hold_the_values_in_lanes(uint256 tuple) external pure {
        uint256 long = MarginWords.longSide(tuple);
        uint256 short = MarginWords.shortSide(tuple);
        assert(MarginWords.initialOf(long) == MarginWords.valueAt(tuple, 0));
        assert(MarginWords.initialOf(short) == MarginWords.valueAt(tuple, 1));
        assert(MarginWords.maintenanceOf(long) == MarginWords.valueAt(tuple, 2));
        assert(MarginWords.maintenanceOf(short) == MarginWords.valueAt(tuple, 3));
        assert(MarginWords.slopeOf(long) == MarginWords.valueAt(tuple, 4));
        assert(MarginWords.slopeOf(short) == MarginWords.valueAt(tuple, 5));
    }

    function check_lacking_is_three_comparisons(uint256[3] calldata left, uint256[3] calldata right) external pure {
        for (uint256 i = 0; i < 3; ++i) {
            vm.assume(left[i] < 1 << 63);
            vm.assume(right[i] < 1 << 63);
        }
        uint256 lacks = MarginWords.lacking(
            MarginWords.lanes(left[0], left[1], left[2]), MarginWords.lanes(right[0], right[1], right[2])
        );
        assert((lacks >> 191 & 1 == 1) == (left[0] < right[0]));
        assert((lacks >> 127 & 1 == 1) == (left[1] < right[1]));
        assert((lacks >> 63 & 1 == 1) == (left[2] < right[2]));
        assert(lacks & ~uint256(1 << 191 | 1 << 127 | 1 << 63) == 0);
    }

    function check_rises_if_any_value_does(uint256 from, uint256 to) external pure {
        bool any = false;
        for (uint256 field = 0; field < 6; ++field) {
            if (MarginWords.valueAt(to, field) > MarginWords.valueAt(from, field)) {
                any = true;
                break;
            }
        }
        assert(MarginWords.rises(from, to) == any);
    }

    // ------------------------------------------------------------------ limits

    function check_limits_round_trip(IMarginOracle.MarketConfig calldata given) external pure {
        vm.assume(given.exists && given.fallbackInitialPpm > 0);
        vm.assume(given.initial.riseHourly == 0 && given.slope.riseHourly == 0);
        vm.assume(given.maintenance.stepRelativePpm == 0 && given.maintenance.stepMinimum == 0);
        (uint256 first, uint256 second) = MarginWords.packLimits(given);
        IMarginOracle.MarketConfig memory read = MarginWords.unpackLimits(first, second);
        assert(keccak256(abi.encode(read)) == keccak256(abi.encode(given)));
        assert(MarginWords.fallbackInitialPpm(first) == given.fallbackInitialPpm);
    }
}
