// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title How a market lies in storage: a tuple in one word, its limits in two.
/// @dev Packed by hand, so that a post moves words and not fields.
///
/// Tuple, from the top: seconds from its last rise to its time (16 bits, stopping at 65,535), ordinal among the tuples
/// of its time (6 bits, stopping at 63), whether that rise was a correction (1), whether a looser tuple waits (1), six
/// values of 32 bits in the order of `MarketMargin`, time of 40 bits. A tuple that is offered or waits has only values
/// and time.
/// Limits of a group, five lanes of 32 bits, the highest first: minimum, maximum, stepRelativePpm (maintenance:
/// riseHourly), stepMinimum, fallHourly.
/// First word of limits: fallback (32 bits), initial (160), maintenance's minimum and maximum (64).
/// Second word: maintenance's other three (96), slope (160).
/// A first word of zero means that the market does not exist.
library MarginWords {
    /// @dev Slots: 0 the tuple in force; 1 the looser tuple that waits, its time that of taking effect, without meaning
    /// unless the tuple in force says that one waits (so a report with nothing pending never reads it); 2 and 3 the
    /// limits.
    struct Market {
        uint256 current;
        uint256 pending;
        uint256 firstLimits;
        uint256 secondLimits;
    }

    uint256 internal constant PENDING_FLAG = 1 << 232;
    uint256 private constant CORRECTED_FLAG = 1 << 233;
    uint256 private constant ORDINAL_SHIFT = 234;
    uint256 private constant ORDINAL_MAXIMUM = 63;
    uint256 private constant ROSE_SHIFT = 240;
    uint256 private constant ROSE_MAXIMUM = type(uint16).max;
    uint256 private constant TIME_BITS = 40;
    uint256 private constant TIME_MASK = type(uint40).max;
    uint256 private constant VALUES_MASK = uint256(type(uint192).max) << TIME_BITS;
    uint256 private constant VALUE_BITS = 32;
    uint256 private constant LONG_SHIFT = TIME_BITS + VALUE_BITS;
    uint256 private constant SIDE_MASK = 0xffffffff * (1 | 1 << 64 | 1 << 128);
    uint256 private constant SPARE_BITS = 1 << 63 | 1 << 127 | 1 << 191;

    // ------------------------------------------------------------------ tuple

    /// @notice A tuple's word.
    /// @param values The six values, as in the low 192 bits of a market in calldata.
    function packTuple(uint256 values, uint256 referenceTimestamp) internal pure returns (uint256) {
        return uint256(uint192(values)) << TIME_BITS | uint40(referenceTimestamp);
    }

    function unpackTuple(uint256 tuple) internal pure returns (IMarginOracle.CurrentMargin memory) {
        return IMarginOracle.CurrentMargin({
            initialLong: uint32(tuple >> 200),
            initialShort: uint32(tuple >> 168),
            maintenanceLong: uint32(tuple >> 136),
            maintenanceShort: uint32(tuple >> 104),
            slopeLong: uint32(tuple >> 72),
            slopeShort: uint32(tuple >> 40),
            referenceTimestamp: uint40(tuple)
        });
    }

    /// @notice Value `field` (0 ... 5, in the order of `MarketMargin`) of a tuple.
    function valueAt(uint256 tuple, uint256 field) internal pure returns (uint256) {
        unchecked {
            return uint32(tuple >> (200 - VALUE_BITS * field));
        }
    }

    /// @notice The six values, as in the low 192 bits of a market in calldata.
    function valuesOf(uint256 tuple) internal pure returns (uint256) {
        return uint192(tuple >> TIME_BITS);
    }

    /// @notice Time of a tuple; zero when there is none.
    function time(uint256 tuple) internal pure returns (uint256) {
        return uint40(tuple);
    }

    function withTime(uint256 tuple, uint256 newTime) internal pure returns (uint256) {
        return packTuple(valuesOf(tuple), newTime);
    }

    /// @notice The tuple in force with other values, as its next ordinal.
    function withValues(uint256 tuple, uint256 values) internal pure returns (uint256) {
        return _nextOrdinal(tuple) & ~VALUES_MASK | values & VALUES_MASK;
    }

    /// @notice Values of both, each the larger of the two; no time.
    function maximum(uint256 left, uint256 right) internal pure returns (uint256 larger) {
        unchecked {
            for (uint256 shift = TIME_BITS; shift < 232; shift += VALUE_BITS) {
                uint256 lane = uint256(type(uint32).max) << shift;
                (uint256 a, uint256 b) = (left & lane, right & lane);
                larger |= a > b ? a : b;
            }
        }
    }

    // ------------------------------------------------------------------ lanes

    /// @notice The three values of the long side in lanes of 64 bits: initial, maintenance, slope, the first highest.
    function longSide(uint256 tuple) internal pure returns (uint256) {
        return tuple >> LONG_SHIFT & SIDE_MASK;
    }

    function shortSide(uint256 tuple) internal pure returns (uint256) {
        return tuple >> TIME_BITS & SIDE_MASK;
    }

    /// @notice Three values, each below 2^63, in lanes.
    function lanes(uint256 initial, uint256 maintenance, uint256 slope) internal pure returns (uint256) {
        return initial << 128 | maintenance << 64 | slope;
    }

    function initialOf(uint256 side) internal pure returns (uint256) {
        return side >> 128;
    }

    function maintenanceOf(uint256 side) internal pure returns (uint256) {
        return uint64(side >> 64);
    }

    function slopeOf(uint256 side) internal pure returns (uint256) {
        return uint64(side);
    }

    /// @notice The top bit of each lane in which `left` is below `right`.
    /// @dev With the spare top bit of a lane set, subtracting what is not larger leaves it set: three comparisons in
    /// one. Lanes below 2^63.
    function lacking(uint256 left, uint256 right) internal pure returns (uint256) {
        unchecked {
            return ~((left | SPARE_BITS) - right) & SPARE_BITS;
        }
    }

    /// @notice Whether any value of `to` is above that of `from`.
    function rises(uint256 from, uint256 to) internal pure returns (bool) {
        return lacking(longSide(from), longSide(to)) | lacking(shortSide(from), shortSide(to)) != 0;
    }

    // ------------------------------------------------------------------ succession

    /// @notice The word in force after `before`: given values, the time of `offered`; nothing waits.
    function succeed(uint256 before, uint256 values, uint256 offered, bool isRise, bool isCorrection)
        internal
        pure
        returns (uint256 word)
    {
        word = values & VALUES_MASK | offered & TIME_MASK;
        if (before == 0) return word | ROSE_MAXIMUM << ROSE_SHIFT;
        if (time(offered) == time(before)) {
            word |= _nextOrdinal(before) & (ORDINAL_MAXIMUM << ORDINAL_SHIFT);
        }
        if (isRise) return isCorrection ? word | CORRECTED_FLAG : word;
        uint256 ago = roseSecondsBefore(before, time(offered));
        if (ago > ROSE_MAXIMUM) ago = ROSE_MAXIMUM;
        return word | ago << ROSE_SHIFT | before & CORRECTED_FLAG;
    }

    /// @notice Seconds from the last rise of the tuple in force to a time not before its own.
    function roseSecondsBefore(uint256 tuple, uint256 timestamp) internal pure returns (uint256) {
        unchecked {
            return (tuple >> ROSE_SHIFT) + timestamp - time(tuple);
        }
    }

    /// @notice A tuple as events carry it: its market and its values.
    function announced(uint32 marketId, uint256 tuple) internal pure returns (uint256) {
        return uint256(marketId) << 192 | valuesOf(tuple);
    }

    function isPending(uint256 tuple) internal pure returns (bool) {
        return tuple & PENDING_FLAG != 0;
    }

    function isCorrected(uint256 tuple) internal pure returns (bool) {
        return tuple & CORRECTED_FLAG != 0;
    }

    /// @notice Reference time times 64 plus the ordinal.
    function roundId(uint256 tuple) internal pure returns (uint80) {
        return uint80(time(tuple) << 6 | tuple >> ORDINAL_SHIFT & ORDINAL_MAXIMUM);
    }

    function _nextOrdinal(uint256 tuple) private pure returns (uint256) {
        bool isLast = tuple >> ORDINAL_SHIFT & ORDINAL_MAXIMUM == ORDINAL_MAXIMUM;
        return isLast ? tuple : tuple + (1 << ORDINAL_SHIFT);
    }

    // ------------------------------------------------------------------ limits

    function packLimits(IMarginOracle.MarketConfig calldata config)
        internal
        pure
        returns (uint256 first, uint256 second)
    {
        IMarginOracle.Bounds calldata maintenance = config.maintenance;
        uint256 middle = _packGroup(maintenance, maintenance.riseHourly, 0);
        uint256 initial = _packGroup(config.initial, config.initial.stepRelativePpm, config.initial.stepMinimum);
        uint256 slope = _packGroup(config.slope, config.slope.stepRelativePpm, config.slope.stepMinimum);
        first = uint256(config.fallbackInitialPpm) << 224 | initial << 64 | middle >> 96;
        second = middle << 160 | slope;
    }

    function unpackLimits(uint256 first, uint256 second)
        internal
        pure
        returns (IMarginOracle.MarketConfig memory config)
    {
        config.exists = first != 0;
        config.fallbackInitialPpm = uint32(fallbackInitialPpm(first));
        config.initial = _unpackSteps(initialLimits(first));
        config.slope = _unpackSteps(slopeLimits(second));
        uint256 middle = maintenanceLimits(first, second);
        config.maintenance.minimum = uint32(minimum(middle));
        config.maintenance.maximum = uint32(maximum(middle));
        config.maintenance.riseHourly = uint32(riseHourly(middle));
        config.maintenance.fallHourly = uint32(fallHourly(middle));
    }

    function fallbackInitialPpm(uint256 first) internal pure returns (uint256) {
        return first >> 224;
    }

    function initialLimits(uint256 first) internal pure returns (uint256) {
        return first >> 64;
    }

    function maintenanceLimits(uint256 first, uint256 second) internal pure returns (uint256) {
        return first << 96 | second >> 160;
    }

    function slopeLimits(uint256 second) internal pure returns (uint256) {
        return second;
    }

    function minimum(uint256 limits) internal pure returns (uint256) {
        return uint32(limits >> 128);
    }

    function maximum(uint256 limits) internal pure returns (uint256) {
        return uint32(limits >> 96);
    }

    /// @notice Of initial and slope.
    function stepRelativePpm(uint256 limits) internal pure returns (uint256) {
        return uint32(limits >> 64);
    }

    /// @notice Of maintenance.
    function riseHourly(uint256 limits) internal pure returns (uint256) {
        return uint32(limits >> 64);
    }

    /// @notice Of initial and slope.
    function stepMinimum(uint256 limits) internal pure returns (uint256) {
        return uint32(limits >> 32);
    }

    function fallHourly(uint256 limits) internal pure returns (uint256) {
        return uint32(limits);
    }

    /// @notice The three groups' minima, in lanes.
    function minima(uint256 first, uint256 second) internal pure returns (uint256) {
        return lanes(minimum(initialLimits(first)), minimum(maintenanceLimits(first, second)), minimum(second));
    }

    /// @notice The three groups' maxima, in lanes.
    function maxima(uint256 first, uint256 second) internal pure returns (uint256) {
        return lanes(maximum(initialLimits(first)), maximum(maintenanceLimits(first, second)), maximum(second));
    }

    function _packGroup(IMarginOracle.Bounds calldata bounds, uint256 third, uint256 fourth)
        private
        pure
        returns (uint256)
    {
        return uint256(bounds.minimum) << 128 | uint256(bounds.maximum) << 96 | third << 64 | fourth << 32
            | bounds.fallHourly;
    }

    function _unpackSteps(uint256 limits) private pure returns (IMarginOracle.Bounds memory bounds) {
        bounds.minimum = uint32(minimum(limits));
        bounds.maximum = uint32(maximum(limits));
        bounds.stepRelativePpm = uint32(stepRelativePpm(limits));
        bounds.stepMinimum = uint32(stepMinimum(limits));
        bounds.fallHourly = uint32(fallHourly(limits));
    }
}
