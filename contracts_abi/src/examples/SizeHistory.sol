// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";

/// @title The signed size of a position at every version of its account.
/// @notice A proof speaks of an older version; the size then says what has changed since, in one lookup and with no
/// limit to the number of changes between, so that many small ones make no proof useless.
library SizeHistory {
    using Checkpoints for Checkpoints.Trace208;
    using SafeCast for int256;
    using SafeCast for uint256;

    struct History {
        Checkpoints.Trace208 trace;
    }

    /// @notice Whether the position was never touched.
    function isEmpty(History storage history) internal view returns (bool) {
        return history.trace.length() == 0;
    }

    function latest(History storage history) internal view returns (int256) {
        return int208(history.trace.latest());
    }

    /// @notice The size at a version: that of the last change up to it, 0 before the first.
    function sizeAt(History storage history, uint256 version) internal view returns (int256) {
        return int208(history.trace.upperLookupRecent(version.toUint48()));
    }

    /// @param version Not below that of the last change.
    function push(History storage history, uint256 version, int256 size) internal {
        history.trace.push(version.toUint48(), uint208(size.toInt208()));
    }
}
