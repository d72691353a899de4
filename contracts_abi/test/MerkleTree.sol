// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title A small Merkle tree with sorted pairs, written apart from the library that the contract uses.
library MerkleTree {
    function hashPair(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return left < right ? keccak256(abi.encode(left, right)) : keccak256(abi.encode(right, left));
    }

    /// @notice Root and proof of four leaves.
    function ofFour(bytes32[4] memory leaves, uint256 index)
        internal
        pure
        returns (bytes32 root, bytes32[] memory proof)
    {
        bytes32 left = hashPair(leaves[0], leaves[1]);
        bytes32 right = hashPair(leaves[2], leaves[3]);
        proof = new bytes32[](2);
        proof[0] = leaves[index ^ 1];
        proof[1] = index < 2 ? right : left;
        root = hashPair(left, right);
    }

    /// @notice Root of a tree of the given depth in which the other branches are arbitrary.
    function ofDepth(bytes32 leaf, uint256 depth) internal pure returns (bytes32 root, bytes32[] memory proof) {
        proof = new bytes32[](depth);
        root = leaf;
        for (uint256 i = 0; i < depth; ++i) {
            proof[i] = keccak256(abi.encode("sibling", i));
            root = hashPair(root, proof[i]);
        }
    }
}
