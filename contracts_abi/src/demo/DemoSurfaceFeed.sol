// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title An on-chain volatility surface that its owner pushes, for local chains.
/// @notice One slice for each underlying and expiry, in one storage slot. Nodes are annual volatilities in ppm at
/// x = -3 ... 3 standard deviations, x = ln(K/F) / (atm sqrt(T)), atm = the middle node; carry is annual, in ppm.
contract DemoSurfaceFeed is Ownable2Step {
    struct Slice {
        uint24[7] nodesPpm;
        int32 carryPpm;
        uint40 updatedAt;
    }

    mapping(uint8 underlying => mapping(uint40 expiry => Slice)) private _slices;

    event SliceUpdated(uint8 indexed underlying, uint40 indexed expiry, uint24[7] nodesPpm, int32 carryPpm);

    error ZeroVolatility(uint8 underlying, uint40 expiry, uint256 node);

    constructor(address owner) Ownable(owner) {}

    /// @notice Sets a slice as of this block.
    function push(uint8 underlying, uint40 expiry, uint24[7] calldata nodesPpm, int32 carryPpm) external onlyOwner {
        for (uint256 i = 0; i < nodesPpm.length; ++i) {
            if (nodesPpm[i] == 0) revert ZeroVolatility(underlying, expiry, i);
        }
        _slices[underlying][expiry] = Slice(nodesPpm, carryPpm, uint40(block.timestamp));
        emit SliceUpdated(underlying, expiry, nodesPpm, carryPpm);
    }

    /// @notice A slice; all zeros, `updatedAt` too, when it was never pushed.
    function sliceOf(uint8 underlying, uint40 expiry) external view returns (Slice memory) {
        return _slices[underlying][expiry];
    }
}
