// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title Opyn Gamma's margin calculator, as far as its spot shocks go.
/// @dev Written from the published interface and not from the setter's, so that the two check each other. Its traps:
/// any order of the three assets is taken, the value has no upper limit, and a smaller one asks more.
contract OpynCalculator is Ownable {
    uint256 private constant ONE = 1e27;

    mapping(bytes32 productHash => uint256) private _spotShock;
    uint256 public oracleDeviation;

    event SpotShockUpdated(bytes32 indexed product, uint256 spotShock);

    constructor() Ownable(msg.sender) {}

    function setSpotShock(address underlying, address strike, address collateral, bool isPut, uint256 shockValue)
        external
        onlyOwner
    {
        require(shockValue > 0, "MarginCalculator: invalid spot shock value");
        bytes32 product = keccak256(abi.encode(underlying, strike, collateral, isPut));
        _spotShock[product] = shockValue;
        emit SpotShockUpdated(product, shockValue);
    }

    function setOracleDeviation(uint256 deviation) external onlyOwner {
        oracleDeviation = deviation;
    }

    function getSpotShock(address underlying, address strike, address collateral, bool isPut)
        external
        view
        returns (uint256)
    {
        return _spotShock[keccak256(abi.encode(underlying, strike, collateral, isPut))];
    }

    /// @notice Naked margin of one option, all 1e27: a put's in the strike asset, a call's in the underlying.
    /// @param upperBound Of the time value, from the product's curve.
    function nakedMargin(bool isPut, uint256 shock, uint256 spot, uint256 strike, uint256 upperBound)
        external
        pure
        returns (uint256)
    {
        if (isPut) {
            uint256 shocked = shock * spot / ONE;
            uint256 kept = strike < shocked ? strike : shocked;
            return upperBound * kept / ONE + strike - kept;
        }
        uint256 moneyness = strike * shock / spot;
        uint256 part = moneyness < ONE ? moneyness : ONE;
        return upperBound * part / ONE + ONE - part;
    }
}
