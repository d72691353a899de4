// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What both consumers declare of a RiskOracle, written from their sources and not from ours.
interface ConsumedRiskOracle {
    struct RiskParameterUpdate {
        uint256 timestamp;
        bytes newValue;
        string referenceId;
        bytes previousValue;
        string updateType;
        uint256 updateId;
        address market;
        bytes additionalData;
    }

    function getLatestUpdateByParameterAndMarket(string memory updateType, address market)
        external
        view
        returns (RiskParameterUpdate memory);
}
