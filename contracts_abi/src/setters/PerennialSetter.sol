// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginSetter} from "./MarginSetter.sol";

/// @title Sets margin and maintenance in the risk parameters of Perennial v2's markets.
/// @notice A target is a market. 1e6 is the whole notional, rounded up; the dearer side counts, since Perennial does not
/// tell sides apart.
/// Bounds of Perennial: protocol minimum <= maintenance <= margin <= 1e6.
///
/// A risk parameter is set whole: it is read, its margin and maintenance are replaced, and all else goes back byte for
/// byte. What the rest is differs between releases and is not looked at; margin and maintenance come first in each.
/// The rest stays with this contract's owner: `updateOthers`.
/// @dev This contract needs to be the `coordinator` of Perennial's `Coordinator`, which can do this one thing, and whose
/// owner takes it back there.
contract PerennialSetter is MarginSetter {
    /// @notice What differs between Perennial's releases.
    /// @param updateSelector Of `Coordinator.updateRiskParameter(address,RiskParameter)`.
    /// @param minimumMaintenanceWord Place of `minMaintenance` in the protocol's parameter, counted from 0.
    struct Release {
        bytes4 updateSelector;
        uint8 minimumMaintenanceWord;
    }

    uint256 private constant WHOLE_E6 = 1e6;
    uint256 private constant E30_PER_E6 = 1e24;
    bytes4 private constant RISK_PARAMETER = bytes4(keccak256("riskParameter()"));
    bytes4 private constant PROTOCOL_PARAMETER = bytes4(keccak256("parameter()"));

    address public immutable coordinator;
    address public immutable marketFactory;
    bytes4 private immutable _updateSelector;
    uint256 private immutable _minimumMaintenanceWord;

    event OthersUpdated(bytes32 indexed target, bytes parameter);

    /// @notice Margin and maintenance are the oracle's: leave both 0.
    error LeftToTheOracle(uint256 margin, uint256 maintenance);
    /// @notice Not a risk parameter of this market's release.
    error WrongLength(uint256 expected, uint256 actual);
    /// @notice The market holds another risk parameter than it was sent: this adapter is not made for it.
    error ParameterNotTaken(bytes32 target);

    constructor(
        IMarginOracle oracle_,
        address owner,
        uint32 ownerDelaySeconds_,
        address coordinator_,
        address marketFactory_,
        Release memory release
    ) MarginSetter(oracle_, owner, ownerDelaySeconds_) {
        coordinator = coordinator_;
        marketFactory = marketFactory_;
        _updateSelector = release.updateSelector;
        _minimumMaintenanceWord = release.minimumMaintenanceWord;
    }

    /// @notice Feeds a market whose risk parameter was set before; owner, after the delay.
    /// @param sizeWad Largest notional, in USD wad, that the ratios set are enough for.
    function bind(address market, uint32 marketId, uint128 sizeWad) external afterDelay {
        bytes32 target = targetOf(market);
        if (inPlace(target).initial == 0) revert UnknownTarget(target);
        _bind(target, marketId, sizeWad);
    }

    /// @notice Sets all of a market's risk parameter but margin and maintenance, which stay. Owner only, at once.
    /// @param parameter The ABI-encoded risk parameter, its first two fields 0.
    function updateOthers(address market, bytes calldata parameter) external onlyOwner {
        bytes32 target = targetOf(market);
        bytes memory held = _riskParameter(target);
        if (parameter.length != held.length) revert WrongLength(held.length, parameter.length);
        (uint256 margin, uint256 maintenance) = abi.decode(parameter, (uint256, uint256));
        if (margin != 0 || maintenance != 0) revert LeftToTheOracle(margin, maintenance);
        emit OthersUpdated(target, parameter);
        _update(target, parameter, _marginsOf(held));
    }

    function targetOf(address market) public pure returns (bytes32) {
        return bytes32(uint256(uint160(market)));
    }

    /// @inheritdoc MarginSetter
    function inPlace(bytes32 target) public view override returns (Setting memory) {
        return _marginsOf(_riskParameter(target));
    }

    function _settingOf(bytes32, Charge memory charge) internal view override returns (Setting memory next) {
        next = _dearerSideUp(charge, E30_PER_E6);
        _requireWithin(Figure.Initial, next.initial, 1, WHOLE_E6);
        _requireWithin(Figure.Maintenance, next.maintenance, Math.max(1, _minimumMaintenanceE6()), next.initial);
    }

    function _set(bytes32 target, Setting memory next) internal override {
        _update(target, _riskParameter(target), next);
    }

    function _update(bytes32 target, bytes memory parameter, Setting memory margins) private {
        (uint256 margin, uint256 maintenance) = (margins.initial, margins.maintenance);
        assembly ("memory-safe") {
            mstore(add(parameter, 32), margin)
            mstore(add(parameter, 64), maintenance)
        }
        // Every field of a risk parameter is one word, so its encoding stands in the call as it is.
        Address.functionCall(coordinator, bytes.concat(_updateSelector, target, parameter));
        if (keccak256(_riskParameter(target)) != keccak256(parameter)) revert ParameterNotTaken(target);
    }

    function _riskParameter(bytes32 target) private view returns (bytes memory parameter) {
        address market = address(uint160(uint256(target)));
        parameter = Address.functionStaticCall(market, bytes.concat(RISK_PARAMETER));
        if (parameter.length < 64) revert UnknownTarget(target);
    }

    function _minimumMaintenanceE6() private view returns (uint256 minimumE6) {
        bytes memory parameter = Address.functionStaticCall(marketFactory, bytes.concat(PROTOCOL_PARAMETER));
        uint256 place = 32 * (_minimumMaintenanceWord + 1);
        if (parameter.length < place) revert WrongLength(place, parameter.length);
        assembly ("memory-safe") {
            minimumE6 := mload(add(parameter, place))
        }
    }

    function _marginsOf(bytes memory parameter) private pure returns (Setting memory margins) {
        (margins.initial, margins.maintenance) = abi.decode(parameter, (uint256, uint256));
    }
}
