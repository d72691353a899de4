// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginSetter} from "./MarginSetter.sol";

/// @dev GMX v2's `Config`: the setter for holders of the role CONFIG_KEEPER.
interface IGmxConfig {
    function setUint(bytes32 baseKey, bytes calldata data, uint256 value) external;
}

/// @dev GMX v2's `DataStore`: what the protocol itself reads.
interface IGmxDataStore {
    function getUint(bytes32 key) external view returns (uint256);
}

/// @title Sets the minimum collateral factors of GMX v2's markets, for opening and for liquidating.
/// @notice A target is a market token. A factor of 1e30 is the whole size; the dearer side counts, since GMX does not
/// tell sides apart. Nothing is rounded: 1e30 holds the oracle's figure exactly.
/// Bounds of GMX's `ConfigUtils`: 5 % for opening, 1 % for liquidating. Where either is exceeded neither is set. Over an
/// hour 5 % is enough for few coins and 1 % for none, hence the choice to bind opening alone.
/// @dev This contract needs the role CONFIG_KEEPER from GMX's role store, uses it for these two keys alone, and loses it
/// there; other holders of the role can still set them.
contract GmxSetter is MarginSetter {
    uint256 private constant INITIAL_MAXIMUM_E30 = 5e28;
    uint256 private constant MAINTENANCE_MAXIMUM_E30 = 1e28;
    uint256 private constant E30_PER_FACTOR = 1;
    bytes32 private constant INITIAL_KEY = keccak256(abi.encode("MIN_COLLATERAL_FACTOR"));
    bytes32 private constant MAINTENANCE_KEY = keccak256(abi.encode("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"));

    IGmxConfig public immutable config;
    IGmxDataStore public immutable dataStore;
    /// @notice Whether a target's factor for liquidating is left to GMX.
    mapping(bytes32 target => bool) public openingOnly;

    event OpeningOnly(bytes32 indexed target, bool openingOnly);

    constructor(
        IMarginOracle oracle_,
        address owner,
        uint32 ownerDelaySeconds_,
        IGmxConfig config_,
        IGmxDataStore dataStore_
    ) MarginSetter(oracle_, owner, ownerDelaySeconds_) {
        config = config_;
        dataStore = dataStore_;
    }

    /// @notice Feeds a market that GMX holds a factor for already; owner, after the delay.
    /// @param sizeWad Largest notional, in USD wad, that the factors set are enough for.
    /// @param openingOnly_ Leaves the factor for liquidating to GMX; opening is never set below it.
    function bind(address marketToken, uint32 marketId, uint128 sizeWad, bool openingOnly_) external afterDelay {
        bytes32 target = targetOf(marketToken);
        if (inPlace(target).initial == 0) revert UnknownTarget(target);
        openingOnly[target] = openingOnly_;
        emit OpeningOnly(target, openingOnly_);
        _bind(target, marketId, sizeWad);
    }

    function targetOf(address marketToken) public pure returns (bytes32) {
        return bytes32(uint256(uint160(marketToken)));
    }

    /// @inheritdoc MarginSetter
    function inPlace(bytes32 target) public view override returns (Setting memory) {
        // A target is the ABI encoding of its market token: one word, the argument of both keys.
        return Setting({
            initial: dataStore.getUint(keccak256(bytes.concat(INITIAL_KEY, target))),
            maintenance: dataStore.getUint(keccak256(bytes.concat(MAINTENANCE_KEY, target)))
        });
    }

    function _settingOf(bytes32 target, Charge memory charge) internal view override returns (Setting memory next) {
        next = _dearerSideUp(charge, E30_PER_FACTOR);
        if (openingOnly[target]) {
            next.maintenance = inPlace(target).maintenance;
            _requireWithin(Figure.Initial, next.initial, Math.max(1, next.maintenance), INITIAL_MAXIMUM_E30);
            return next;
        }
        _requireWithin(Figure.Initial, next.initial, 1, INITIAL_MAXIMUM_E30);
        uint256 maintenanceMaximum = Math.min(next.initial, MAINTENANCE_MAXIMUM_E30);
        _requireWithin(Figure.Maintenance, next.maintenance, 1, maintenanceMaximum);
    }

    function _set(bytes32 target, Setting memory next) internal override {
        bytes memory data = bytes.concat(target);
        config.setUint(INITIAL_KEY, data, next.initial);
        if (!openingOnly[target]) config.setUint(MAINTENANCE_KEY, data, next.maintenance);
    }
}
