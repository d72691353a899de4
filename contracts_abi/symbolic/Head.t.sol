// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {HeadWords} from "../src/HeadWords.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {Test} from "../test/Test.sol";

/// @title Proofs for all inputs: no field of the head touches another.
contract HeadProofs is Test {
    uint256 private constant TIMING_MASK = uint256(type(uint64).max) << 176;

    function check_succeed_takes_the_report_and_keeps_the_timing(
        uint256 head,
        uint48 sequence,
        uint48 referenceBlock,
        uint40 referenceTimestamp,
        uint40 previousRootUntil
    ) external pure {
        vm.assume(HeadWords.rootIndex(head) < 2);
        IMarginOracle.Report memory report;
        report.sequence = sequence;
        report.referenceBlock = referenceBlock;
        report.referenceTimestamp = referenceTimestamp;
        uint256 next = HeadWords.succeed(head, report, previousRootUntil);
        assert(HeadWords.sequence(next) == sequence);
        assert(HeadWords.referenceBlock(next) == referenceBlock);
        assert(HeadWords.referenceTimestamp(next) == referenceTimestamp);
        assert(HeadWords.previousRootUntil(next) == previousRootUntil);
        assert(HeadWords.rootIndex(next) == 1 - HeadWords.rootIndex(head));
        assert(next & TIMING_MASK == head & TIMING_MASK);
        assert(!HeadWords.isPaused(next));
    }

    function check_timing_round_trip(uint256 head, IMarginOracle.Timing memory timing) external pure {
        uint256 next = HeadWords.withTiming(head, timing);
        assert(HeadWords.heartbeatSeconds(next) == timing.heartbeatSeconds);
        assert(HeadWords.dwellSeconds(next) == timing.dwellSeconds);
        assert(HeadWords.minimumDelaySeconds(next) == timing.minimumDelaySeconds);
        assert(next & ~TIMING_MASK == head & ~TIMING_MASK);
    }

    function check_a_pause_changes_nothing_else(uint256 head, bool paused) external pure {
        uint256 next = HeadWords.withPause(head, paused);
        assert(HeadWords.isPaused(next) == paused);
        assert(next & ~uint256(1 << 248) == head & ~uint256(1 << 248));
    }
}
