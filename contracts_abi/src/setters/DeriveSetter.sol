// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginSetter} from "./MarginSetter.sol";
import {ProtocolOwner} from "./ProtocolOwner.sol";

/// @dev Derive v2's `StandardManager`, as far as it is used here. Ratios of 1e18; maintenance comes first, everywhere.
interface IDeriveStandardManager {
    function setPerpMarginRequirements(uint256 marketId, uint256 maintenanceWad, uint256 initialWad) external;
    function perpMarginRequirements(uint256 marketId) external view returns (uint256 maintenanceWad, uint256 initialWad);
    function lastMarketId() external view returns (uint256);
}

/// @title Sets the perpetual margins of Derive v2's standard manager.
/// @notice A target is a market id of the manager. Initial and maintenance are those of the dearer side, since the
/// manager does not tell sides apart; 1e18 is the whole notional, rounded up.
/// Bounds of the manager: 0 < maintenance <= initial < 1e18.
contract DeriveSetter is MarginSetter, ProtocolOwner {
    uint256 private constant WHOLE_WAD = 1e18;
    uint256 private constant E30_PER_WAD = 1e12;

    /// @param manager The standard manager; this contract must become its owner.
    constructor(IMarginOracle oracle_, address owner, uint32 ownerDelaySeconds_, IDeriveStandardManager manager)
        MarginSetter(oracle_, owner, ownerDelaySeconds_)
        ProtocolOwner(address(manager), IDeriveStandardManager.setPerpMarginRequirements.selector)
    {}

    /// @notice Feeds a market of the manager; owner, after the delay.
    /// @param sizeWad Largest notional, in USD wad, that the ratios set are enough for.
    function bind(uint256 deriveMarketId, uint32 marketId, uint128 sizeWad) external afterDelay {
        bytes32 target = bytes32(deriveMarketId);
        if (deriveMarketId == 0 || deriveMarketId > _manager().lastMarketId()) revert UnknownTarget(target);
        _bind(target, marketId, sizeWad);
    }

    /// @inheritdoc MarginSetter
    function inPlace(bytes32 target) public view override returns (Setting memory held) {
        (held.maintenance, held.initial) = _manager().perpMarginRequirements(uint256(target));
    }

    function _settingOf(bytes32, Charge memory charge) internal pure override returns (Setting memory next) {
        next = _dearerSideUp(charge, E30_PER_WAD);
        _requireWithin(Figure.Initial, next.initial, 1, WHOLE_WAD - 1);
        _requireWithin(Figure.Maintenance, next.maintenance, 1, next.initial);
    }

    function _set(bytes32 target, Setting memory next) internal override {
        _manager().setPerpMarginRequirements(uint256(target), next.maintenance, next.initial);
    }

    function _manager() private view returns (IDeriveStandardManager) {
        return IDeriveStandardManager(protocol);
    }
}
