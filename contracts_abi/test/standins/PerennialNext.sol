// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title A Perennial of another release, with all of its contracts in one: the rest of its risk parameter differs.
contract PerennialNext {
    struct RiskParameter {
        uint256 margin;
        uint256 maintenance;
        int256 rest;
    }

    address public coordinator;
    RiskParameter private _riskParameter = RiskParameter(90_000, 45_000, -7);

    constructor(address coordinator_) {
        coordinator = coordinator_;
    }

    function setCoordinator(address newCoordinator) external {
        coordinator = newCoordinator;
    }

    function updateRiskParameter(PerennialNext market, RiskParameter calldata next) external {
        require(msg.sender == coordinator && address(market) == address(this));
        _riskParameter = next;
    }

    function riskParameter() external view returns (RiskParameter memory) {
        return _riskParameter;
    }

    /// @dev The minimum maintenance is the second of the protocol's words here.
    function parameter() external pure returns (uint256, uint256) {
        return (5, 4_000);
    }
}
