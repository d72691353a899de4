// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title How a market lies in storage: a tuple in one word, its limits in two.
/// @dev Packed by hand, so that a post moves words and not fields.
///
/// Tuple, from the top: 24 bits unused, six values of 32 bits in the order of `MarketMargin`, time of 40 bits.
/// Limits of a group, five lanes of 32 bits, the highest first: minimum, maximum, stepRelativePpm (maintenance:
/// riseHourly), stepMinimum, fallHourly.
/// First word of limits: fallback (32 bits), initial (160), maintenance's minimum and maximum (64).
/// Second word: maintenance's other three (96), slope (160).
/// A first word of zero means that the market does not exist.
library MarginWords {
    /// @dev Slots: 0 the tuple in force; 1 the looser tuple that waits for its time (the same layout, its time that
    /// of taking effect; nothing writes it while every report takes effect at once); 2 and 3 the limits.
    struct Market {
        uint256 current;
        uint256 pending;
        uint256 firstLimits;
        uint256 secondLimits;
    }

    // ------------------------------------------------------------------ tuple

    /// @notice A tuple's word.
    /// @param values The six values, as in the low 192 bits of a market in calldata.
    function packTuple(uint256 values, uint256 referenceTimestamp) internal pure returns (uint256) {
        return uint256(uint192(values)) << 40 | uint40(referenceTimestamp);
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
            return uint32(tuple >> (200 - 32 * field));
        }
    }

    /// @notice Reference time of a tuple; zero when there is none.
    function time(uint256 tuple) internal pure returns (uint256) {
        return uint40(tuple);
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
