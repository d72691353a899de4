// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title What is known of the last report, and what every report and read is timed by, in one word.
/// @dev From the lowest bit: sequence 48, reference block 48, reference time 40, end of the root before 40, heartbeat
/// 24, dwell 24, minimum delay 16, which accounts root is the latest 8, pause 8.
library HeadWords {
    uint256 private constant TIMING_SHIFT = 176;
    uint256 private constant TIMING_MASK = uint256(type(uint64).max) << TIMING_SHIFT;
    uint256 private constant ROOT_INDEX_SHIFT = 240;
    uint256 private constant PAUSE_FLAG = 1 << 248;

    function sequence(uint256 head) internal pure returns (uint64) {
        return uint48(head);
    }

    function referenceBlock(uint256 head) internal pure returns (uint64) {
        return uint48(head >> 48);
    }

    function referenceTimestamp(uint256 head) internal pure returns (uint40) {
        return uint40(head >> 96);
    }

    function previousRootUntil(uint256 head) internal pure returns (uint40) {
        return uint40(head >> 136);
    }

    function heartbeatSeconds(uint256 head) internal pure returns (uint24) {
        return uint24(head >> TIMING_SHIFT);
    }

    function dwellSeconds(uint256 head) internal pure returns (uint24) {
        return uint24(head >> 200);
    }

    function minimumDelaySeconds(uint256 head) internal pure returns (uint16) {
        return uint16(head >> 224);
    }

    /// @notice Place of the latest accounts root, 0 or 1.
    function rootIndex(uint256 head) internal pure returns (uint256) {
        return uint8(head >> ROOT_INDEX_SHIFT);
    }

    function isPaused(uint256 head) internal pure returns (bool) {
        return head & PAUSE_FLAG != 0;
    }

    function withPause(uint256 head, bool paused) internal pure returns (uint256) {
        return paused ? head | PAUSE_FLAG : head & ~PAUSE_FLAG;
    }

    function withTiming(uint256 head, IMarginOracle.Timing memory timing) internal pure returns (uint256) {
        uint256 word =
            timing.heartbeatSeconds | uint256(timing.dwellSeconds) << 24 | uint256(timing.minimumDelaySeconds) << 48;
        return head & ~TIMING_MASK | word << TIMING_SHIFT;
    }

    /// @notice The head after a report; the latest root moves to the other place.
    /// @dev A block whose hash is known and a time that is not in the future fit their fields.
    function succeed(uint256 head, IMarginOracle.Report memory report, uint256 newPreviousRootUntil)
        internal
        pure
        returns (uint256)
    {
        return report.sequence | uint256(report.referenceBlock) << 48 | uint256(report.referenceTimestamp) << 96
            | newPreviousRootUntil << 136 | head & TIMING_MASK | (1 - rootIndex(head)) << ROOT_INDEX_SHIFT;
    }
}
