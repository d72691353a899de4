// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @dev What a market holds, after version 2.3. Fractions of 1e6.
struct PerennialRiskParameter {
    uint256 margin;
    uint256 maintenance;
    uint256[4] takerFee;
    uint256[3] makerFee;
    uint256 makerLimit;
    uint256 efficiencyLimit;
    uint256 liquidationFee;
    uint256[4] utilizationCurve;
    uint256 pControllerK;
    int256 pControllerMin;
    int256 pControllerMax;
    uint256 minMargin;
    uint256 minMaintenance;
    uint256 staleAfter;
    bool makerReceiveOnly;
}

/// @dev What the protocol holds, after version 2.3.
struct PerennialProtocolParameter {
    uint256 maxFee;
    uint256 maxLiquidationFee;
    uint256 maxCut;
    uint256 maxRate;
    uint256 minMaintenance;
    uint256 minEfficiency;
}

/// @title Perennial v2's market factory, as far as the protocol's parameter goes.
contract PerennialFactory is Ownable {
    PerennialProtocolParameter private _parameter;

    constructor() Ownable(msg.sender) {}

    function updateParameter(PerennialProtocolParameter calldata newParameter) external onlyOwner {
        _parameter = newParameter;
    }

    function parameter() external view returns (PerennialProtocolParameter memory) {
        return _parameter;
    }
}

/// @title Perennial v2's coordinator: whoever is its `coordinator` updates risk parameters.
contract PerennialCoordinator is Ownable {
    address public coordinator;

    error NotCoordinator();

    constructor() Ownable(msg.sender) {}

    function setCoordinator(address newCoordinator) external onlyOwner {
        coordinator = newCoordinator;
    }

    function updateRiskParameter(PerennialMarket market, PerennialRiskParameter calldata riskParameter) external {
        if (msg.sender != coordinator) revert NotCoordinator();
        market.updateRiskParameter(riskParameter);
    }
}

/// @title Perennial v2's market, as far as its risk parameter goes.
/// @dev Its trap: a risk parameter is replaced whole, so that whoever sends zeros for the rest wipes it.
contract PerennialMarket {
    PerennialFactory public immutable factory;
    address public immutable coordinator;
    PerennialRiskParameter private _riskParameter;

    error MarketNotCoordinatorError();
    error RiskParameterStorageInvalidError();

    constructor(PerennialFactory factory_, address coordinator_) {
        factory = factory_;
        coordinator = coordinator_;
    }

    function updateRiskParameter(PerennialRiskParameter calldata next) external {
        if (msg.sender != coordinator && msg.sender != factory.owner()) revert MarketNotCoordinatorError();
        bool isValid = next.maintenance >= factory.parameter().minMaintenance && next.margin >= next.maintenance
            && next.margin <= 1e6 && next.minMargin >= next.minMaintenance && next.staleAfter <= type(uint24).max;
        if (!isValid) revert RiskParameterStorageInvalidError();
        _riskParameter = next;
    }

    function riskParameter() external view returns (PerennialRiskParameter memory) {
        return _riskParameter;
    }
}
