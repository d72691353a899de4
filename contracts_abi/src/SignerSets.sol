// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title Which signer sets are sound, and the hash that commits to one.
library SignerSets {
    uint256 private constant MAXIMUM_SIGNERS = 32;

    /// @notice The commitment to a set in an epoch, as in `IMarginOracle.signerSetHash`.
    function hash(IMarginOracle.SignerSet memory set, uint32 epoch) internal pure returns (bytes32) {
        bytes memory preimage = abi.encodePacked(epoch, set.threshold, set.stepThreshold);
        for (uint256 i = 0; i < set.signers.length; ++i) {
            preimage = bytes.concat(preimage, bytes20(set.signers[i]));
        }
        return keccak256(preimage);
    }

    /// @notice Reverts on a set in which a minority could sign, a signer could count twice, or nobody could sign.
    function requireSound(IMarginOracle.SignerSet memory set) internal pure {
        uint256 count = set.signers.length;
        bool isSound = count <= MAXIMUM_SIGNERS && 2 * uint256(set.threshold) > count
            && set.stepThreshold > set.threshold && set.stepThreshold <= count;
        address previous = address(0);
        for (uint256 i = 0; isSound && i < count; ++i) {
            isSound = set.signers[i] > previous;
            previous = set.signers[i];
        }
        if (!isSound) revert IMarginOracle.InvalidSignerSet();
    }

    /// @notice Puts `to` in the place of `from` and restores the order, in memory.
    /// @return isMember Whether `from` was in the set; if not, nothing changed.
    function replace(IMarginOracle.SignerSet memory set, address from, address to)
        internal
        pure
        returns (bool isMember)
    {
        address[] memory signers = set.signers;
        uint256 place = 0;
        while (place < signers.length && signers[place] != from) ++place;
        if (place == signers.length) return false;
        for (; place > 0 && signers[place - 1] > to; --place) {
            signers[place] = signers[place - 1];
        }
        for (; place + 1 < signers.length && signers[place + 1] < to; ++place) {
            signers[place] = signers[place + 1];
        }
        signers[place] = to;
        return true;
    }
}
