// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MarginBounds} from "./MarginBounds.sol";
import {MarginWords} from "./MarginWords.sol";

/// @title How an accepted tuple comes in force: what is tighter at once, what is looser after the dwell.
library MarginDwell {
    /// @notice The market's words after a tuple that `MarginBounds.judge` accepted.
    /// @param before The tuple in force, zero when none was posted.
    /// @param verdict That of the tuple: which way it moves, and whether it is a correction.
    /// @return inForce The tuple in force from now on; its flag says whether one waits.
    /// @return pending The tuple that waits, zero when none does; the slot then keeps what it holds, without meaning.
    function settle(
        MarginWords.Market storage market,
        uint256 before,
        uint256 offered,
        MarginBounds.Verdict memory verdict,
        uint256 dwellSeconds
    ) internal view returns (uint256 inForce, uint256 pending) {
        uint256 values = offered;
        if (verdict.falls && dwellSeconds != 0) (values, pending) = _wait(market, before, offered, dwellSeconds);
        inForce = MarginWords.succeed(before, values, offered, verdict.rises, verdict.isCorrection);
        if (pending != 0) inForce |= MarginWords.PENDING_FLAG;
    }

    /// @notice The word in force once its pending tuple is applied.
    function applied(uint256 current, uint256 pending) internal pure returns (uint256) {
        return MarginWords.withValues(current, pending) & ~MarginWords.PENDING_FLAG;
    }

    /// @return values A tuple with the values that are in force.
    /// @return pending The tuple that waits, zero when the report brought in force all that it asks for.
    function _wait(MarginWords.Market storage market, uint256 before, uint256 offered, uint256 dwellSeconds)
        private
        view
        returns (uint256 values, uint256 pending)
    {
        uint256 effective = block.timestamp + dwellSeconds;
        if (before & MarginWords.PENDING_FLAG == 0) {
            return (MarginWords.maximum(before, offered), MarginWords.withTime(offered, effective));
        }
        uint256 waiting = market.pending;
        uint256 raised = MarginWords.maximum(waiting, offered);
        if (block.timestamp < MarginWords.time(waiting)) {
            return (MarginWords.maximum(before, offered), MarginWords.withTime(raised, MarginWords.time(waiting)));
        }
        // Its time has come: what every report since then asked for is in force; what this one asks below it waits.
        bool isAllGiven = MarginWords.valuesOf(raised) == MarginWords.valuesOf(offered);
        return (raised, isAllGiven ? 0 : MarginWords.withTime(offered, effective));
    }
}
