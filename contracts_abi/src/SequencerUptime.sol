// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev Chainlink's uptime feed of an L2 sequencer, as far as it is used here.
interface ISequencerUptimeFeed {
    /// @dev `answer` is 0 while the sequencer is up and 1 while it is down; `startedAt` since when, 0 while the feed
    /// knows nothing yet.
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}

/// @title Whether an L2 sequencer has been up for long enough that everybody could act.
library SequencerUptime {
    /// @notice Since when a read may be acted on again.
    /// @return isUp False while the sequencer is down, or where the feed does not answer.
    /// @return until End of the grace period after the last outage.
    function stateOf(address feed, uint256 graceSeconds) internal view returns (bool isUp, uint256 until) {
        // Not try and catch: an answer that is too short would revert outside of it.
        (bool success, bytes memory answered) =
            feed.staticcall(abi.encodeCall(ISequencerUptimeFeed.latestRoundData, ()));
        if (!success || answered.length < 160) return (false, 0);
        uint256 answer;
        uint256 startedAt;
        assembly ("memory-safe") {
            answer := mload(add(answered, 64))
            startedAt := mload(add(answered, 96))
        }
        // A start in the future is no start: only what has been up for the whole period counts.
        if (answer != 0 || startedAt == 0 || startedAt > block.timestamp) return (false, 0);
        return (true, startedAt + graceSeconds);
    }
}
