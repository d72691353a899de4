// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ConsumedRiskOracle} from "./ConsumedRiskOracle.sol";

/// @title The part of GMX's DataStore that its ConfigSyncer touches.
contract SyncerDataStoreStandIn {
    mapping(bytes32 key => uint256) public getUint;
    mapping(bytes32 key => bool) public getBool;

    function setUint(bytes32 key, uint256 value) external {
        getUint[key] = value;
    }

    function setBool(bytes32 key, bool value) external {
        getBool[key] = value;
    }
}

/// @title How GMX's ConfigSyncer behaves: an allow-list of keys, and completion by update id alone.
contract SyncerStandIn {
    bytes32 public constant LATEST_UPDATE_ID = keccak256(abi.encode("SYNC_CONFIG_LATEST_UPDATE_ID"));

    ConsumedRiskOracle public immutable riskOracle;
    SyncerDataStoreStandIn public immutable dataStore;
    mapping(bytes32 baseKey => bool) public isAllowed;

    error SyncConfigInvalidInputLengths(uint256 markets, uint256 parameters);
    error SyncConfigInvalidMarketFromData(address market, address marketFromData);
    error InvalidBaseKey(bytes32 baseKey);
    error Uint256AsBytesLengthExceeds32Bytes(uint256 length);

    constructor(ConsumedRiskOracle riskOracle_, SyncerDataStoreStandIn dataStore_, bytes32[] memory allowed) {
        riskOracle = riskOracle_;
        dataStore = dataStore_;
        for (uint256 i = 0; i < allowed.length; ++i) {
            isAllowed[allowed[i]] = true;
        }
    }

    function sync(address[] calldata markets, string[] calldata parameters) external {
        if (markets.length != parameters.length) {
            revert SyncConfigInvalidInputLengths(markets.length, parameters.length);
        }
        for (uint256 i = 0; i < markets.length; ++i) {
            _sync(markets[i], parameters[i]);
        }
    }

    function completedKey(uint256 updateId) public pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(abi.encode("SYNC_CONFIG_UPDATE_COMPLETED")), updateId));
    }

    function fullKey(bytes32 baseKey, address market) public pure returns (bytes32) {
        return keccak256(bytes.concat(baseKey, abi.encode(market)));
    }

    function toUint256(bytes memory value) public pure returns (uint256) {
        if (value.length == 0) return 0;
        if (value.length > 32) revert Uint256AsBytesLengthExceeds32Bytes(value.length);
        return uint256(bytes32(value)) >> (8 * (32 - value.length));
    }

    function _sync(address market, string memory parameter) private {
        ConsumedRiskOracle.RiskParameterUpdate memory update =
            riskOracle.getLatestUpdateByParameterAndMarket(parameter, market);
        if (dataStore.getBool(completedKey(update.updateId))) return;
        (bytes32 baseKey, bytes memory data) = abi.decode(update.additionalData, (bytes32, bytes));
        address marketFromData = abi.decode(data, (address));
        if (market != marketFromData) revert SyncConfigInvalidMarketFromData(market, marketFromData);
        if (!isAllowed[baseKey]) revert InvalidBaseKey(baseKey);
        dataStore.setUint(keccak256(bytes.concat(baseKey, data)), toUint256(update.newValue));
        dataStore.setBool(completedKey(update.updateId), true);
        if (update.updateId > dataStore.getUint(LATEST_UPDATE_ID)) {
            dataStore.setUint(LATEST_UPDATE_ID, update.updateId);
        }
    }
}
