// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title OpenZeppelin's `min` and `max` by a comparison, in their place while proofs are run.
/// @dev Theirs multiply to save a jump, and a product of unknowns is what a solver is slowest at.
library Math {
    function min(uint256 left, uint256 right) internal pure returns (uint256) {
        return left < right ? left : right;
    }

    function max(uint256 left, uint256 right) internal pure returns (uint256) {
        return left > right ? left : right;
    }
}
