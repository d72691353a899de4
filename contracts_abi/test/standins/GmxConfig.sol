// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title GMX v2's role store, as far as roles are granted and taken.
contract GmxRoleStore {
    address private immutable _admin = msg.sender;
    mapping(address account => mapping(bytes32 role => bool)) public hasRole;

    function grantRole(address account, bytes32 role) external {
        require(msg.sender == _admin);
        hasRole[account][role] = true;
    }

    function revokeRole(address account, bytes32 role) external {
        require(msg.sender == _admin);
        hasRole[account][role] = false;
    }
}

/// @title GMX v2's data store, as far as numbers go.
contract GmxDataStore {
    bytes32 private constant CONTROLLER = keccak256(abi.encode("CONTROLLER"));
    GmxRoleStore private immutable _roleStore;
    mapping(bytes32 key => uint256) public getUint;

    error Unauthorized(address sender, string role);

    constructor(GmxRoleStore roleStore) {
        _roleStore = roleStore;
    }

    function setUint(bytes32 key, uint256 value) external returns (uint256) {
        if (!_roleStore.hasRole(msg.sender, CONTROLLER)) revert Unauthorized(msg.sender, "CONTROLLER");
        return getUint[key] = value;
    }
}

/// @title GMX v2's configuration, as far as collateral factors go.
/// @dev Written from the published interface and not from the setter's, so that the two check each other. Its traps:
/// `data` is not checked, so a market that is packed instead of encoded lands in a key that nobody reads.
contract GmxConfig {
    bytes32 private constant CONFIG_KEEPER = keccak256(abi.encode("CONFIG_KEEPER"));
    bytes32 private constant LIMITED_CONFIG_KEEPER = keccak256(abi.encode("LIMITED_CONFIG_KEEPER"));
    bytes32 private constant MIN_COLLATERAL_FACTOR = keccak256(abi.encode("MIN_COLLATERAL_FACTOR"));
    bytes32 private constant MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION =
        keccak256(abi.encode("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"));
    bytes32 private constant MIN_COLLATERAL_USD = keccak256(abi.encode("MIN_COLLATERAL_USD"));

    GmxRoleStore private immutable _roleStore;
    GmxDataStore public immutable dataStore;

    error Unauthorized(address sender, string role);
    error InvalidBaseKey(bytes32 baseKey);
    error ConfigValueExceedsAllowedRange(bytes32 baseKey, uint256 value);

    constructor(GmxRoleStore roleStore, GmxDataStore dataStore_) {
        _roleStore = roleStore;
        dataStore = dataStore_;
    }

    function setUint(bytes32 baseKey, bytes memory data, uint256 value) external {
        bool isKeeper = _roleStore.hasRole(msg.sender, CONFIG_KEEPER);
        if (!isKeeper && !_roleStore.hasRole(msg.sender, LIMITED_CONFIG_KEEPER)) {
            revert Unauthorized(msg.sender, "LIMITED / CONFIG KEEPER");
        }
        // None of these three is among the keys of the limited role.
        if (!isKeeper) revert InvalidBaseKey(baseKey);
        uint256 maximum;
        if (baseKey == MIN_COLLATERAL_FACTOR) maximum = 5 * 1e30 / 100;
        else if (baseKey == MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION) maximum = 1e30 / 100;
        else if (baseKey == MIN_COLLATERAL_USD) maximum = 10 * 1e30;
        else revert InvalidBaseKey(baseKey);
        if (value > maximum) revert ConfigValueExceedsAllowedRange(baseKey, value);
        dataStore.setUint(keccak256(bytes.concat(baseKey, data)), value);
    }

    /// @notice What a position of a market is held to.
    function factorsOf(address market) external view returns (uint256 initial, uint256 maintenance) {
        initial = dataStore.getUint(keccak256(abi.encode(MIN_COLLATERAL_FACTOR, market)));
        maintenance = dataStore.getUint(keccak256(abi.encode(MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION, market)));
    }
}
