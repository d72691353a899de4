// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

/// @title Derive v2's standard manager, as far as its perpetual margins go.
/// @dev Written from the published interface and not from the setter's, so that the two check each other. Its traps:
/// maintenance before initial; a market that does not exist is taken.
contract DeriveManager is Ownable2Step {
    struct PerpMarginRequirements {
        uint256 mmPerpReq;
        uint256 imPerpReq;
    }

    mapping(uint256 marketId => PerpMarginRequirements) public perpMarginRequirements;
    uint256 public lastMarketId;
    bool public borrowingEnabled;

    event PerpMarginRequirementsSet(uint256 marketId, uint256 perpMMRequirement, uint256 perpIMRequirement);

    error SRM_InvalidPerpMarginParams();

    constructor() Ownable(msg.sender) {}

    function createMarket(string calldata) external onlyOwner returns (uint256 marketId) {
        return ++lastMarketId;
    }

    function setBorrowingEnabled(bool enabled) external onlyOwner {
        borrowingEnabled = enabled;
    }

    function setPerpMarginRequirements(uint256 marketId, uint256 mmPerpReq, uint256 imPerpReq) external onlyOwner {
        if (mmPerpReq > imPerpReq || mmPerpReq == 0 || mmPerpReq >= 1e18 || imPerpReq >= 1e18) {
            revert SRM_InvalidPerpMarginParams();
        }
        perpMarginRequirements[marketId] = PerpMarginRequirements(mmPerpReq, imPerpReq);
        emit PerpMarginRequirementsSet(marketId, mmPerpReq, imPerpReq);
    }
}
