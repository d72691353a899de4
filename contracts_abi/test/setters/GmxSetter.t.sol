// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {GmxSetter, IGmxConfig, IGmxDataStore} from "../../src/setters/GmxSetter.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {GmxConfig, GmxDataStore, GmxRoleStore} from "../standins/GmxConfig.sol";
import {RatioSetterBehaviour} from "./RatioSetterBehaviour.sol";

/// @title GMX's collateral factors: keys, scale, caps, and a role that GMX grants and takes.
contract GmxSetterTest is RatioSetterBehaviour {
    address private constant MARKET = address(0x70d95587d40A2caf56bd97485aB3Eec10Bee6336);
    bytes32 private constant CONFIG_KEEPER = keccak256(abi.encode("CONFIG_KEEPER"));
    bytes32 private constant LIMITED_CONFIG_KEEPER = keccak256(abi.encode("LIMITED_CONFIG_KEEPER"));
    bytes32 private constant INITIAL_KEY = keccak256(abi.encode("MIN_COLLATERAL_FACTOR"));
    bytes32 private constant MAINTENANCE_KEY = keccak256(abi.encode("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"));

    GmxRoleStore private roles;
    GmxConfig private config;

    function deployProtocolAndSetter() internal override returns (MarginSetter, bytes32) {
        roles = new GmxRoleStore();
        GmxDataStore dataStore = new GmxDataStore(roles);
        config = new GmxConfig(roles, dataStore);
        roles.grantRole(address(config), keccak256(abi.encode("CONTROLLER")));
        roles.grantRole(address(this), CONFIG_KEEPER);
        config.setUint(INITIAL_KEY, abi.encode(MARKET), 1e28);
        config.setUint(MAINTENANCE_KEY, abi.encode(MARKET), 5e27);
        GmxSetter made = GmxSetter(deploy("GmxSetter", abi.encode(oracle, OWNER, DELAY, config, dataStore)));
        roles.grantRole(address(made), CONFIG_KEEPER);
        return (made, made.targetOf(MARKET));
    }

    function bindCall(uint32 marketId, uint128 sizeWad) internal pure override returns (bytes memory) {
        return abi.encodeCall(GmxSetter.bind, (MARKET, marketId, sizeWad, false));
    }

    function settingOfFitting() internal pure override returns (MarginSetter.Setting memory) {
        return MarginSetter.Setting({initial: 4.05e28, maintenance: 9e27});
    }

    function limits() internal pure override returns (Limits memory) {
        return Limits({unit: 1e30, maintenanceMinimum: 1, maintenanceMaximum: 1e28, initialMaximum: 5e28});
    }

    function takeRoleAway() internal override {
        roles.revokeRole(address(setter), CONFIG_KEEPER);
    }

    function test_a_delay_of_more_than_thirty_days_is_refused() external {
        GmxDataStore dataStore = config.dataStore();
        new GmxSetter(oracle, OWNER, 30 days, IGmxConfig(address(config)), IGmxDataStore(address(dataStore)));
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        new GmxSetter(oracle, OWNER, 30 days + 1, IGmxConfig(address(config)), IGmxDataStore(address(dataStore)));
    }

    function test_both_factors_land_where_positions_read_them() external {
        post(fitting(1));
        setter.applyMargin(target);
        (uint256 initial, uint256 maintenance) = config.factorsOf(MARKET);
        vm.assertEq(initial, 4.05e28);
        vm.assertEq(maintenance, 9e27);
    }

    /// @dev 1.0001 % is too much for liquidating: opening, which would fit, is not raised alone.
    function test_what_exceeds_one_cap_changes_neither() external {
        IMarginOracle.MarketMargin memory margin = fitting(1);
        margin.maintenanceShort = 9_001; // and a thousand for size
        post(margin);
        refusesToApply(
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Maintenance, 1.0001e28, 1, 1e28
            )
        );
        margin = fitting(1);
        margin.initialLong = 49_501; // and five hundred for size
        pass(1 days); // maintenance falls slowly
        post(margin);
        refusesToApply(
            abi.encodeWithSelector(MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Initial, 5.0001e28, 1, 5e28)
        );
    }

    function test_exactly_the_caps_are_set() external {
        IMarginOracle.MarketMargin memory margin = fitting(1);
        (margin.initialLong, margin.maintenanceShort) = (49_500, 9_000);
        post(margin);
        setter.applyMargin(target);
        (uint256 initial, uint256 maintenance) = config.factorsOf(MARKET);
        vm.assertEq(initial, 5e28);
        vm.assertEq(maintenance, 1e28);
    }

    /// @dev What GMX holds there may be more than its caps allow today; it is not even written again.
    function test_opening_alone_leaves_liquidating_to_gmx() external {
        roles.grantRole(address(this), keccak256(abi.encode("CONTROLLER")));
        config.dataStore().setUint(keccak256(abi.encode(MAINTENANCE_KEY, MARKET)), 2e28);
        change(abi.encodeCall(GmxSetter.bind, (MARKET, 1, SIZE, true)));
        IMarginOracle.MarketMargin memory margin = fitting(1);
        margin.maintenanceLong = 30_000; // three times the cap
        post(margin);
        setter.applyMargin(target);
        (uint256 initial, uint256 maintenance) = config.factorsOf(MARKET);
        vm.assertEq(initial, 4.05e28);
        vm.assertEq(maintenance, 2e28);
        refusesToApply(abi.encodeWithSelector(MarginSetter.NothingToChange.selector, target));
    }

    function test_opening_alone_is_never_below_liquidating() external {
        config.setUint(MAINTENANCE_KEY, abi.encode(MARKET), 1e28);
        change(abi.encodeCall(GmxSetter.bind, (MARKET, 1, SIZE, true)));
        post(fitting(1));
        IMarginOracle.CurrentMargin memory low = oracle.margin(1);
        (low.initialLong, low.initialShort, low.slopeLong, low.slopeShort) = (9_999, 9_999, 0, 0);
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(low));
        refusesToApply(
            abi.encodeWithSelector(MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Initial, 9.999e27, 1e28, 5e28)
        );
    }

    function test_the_choice_of_opening_alone_is_announced_and_can_be_undone() external {
        change(abi.encodeCall(GmxSetter.bind, (MARKET, 1, SIZE, true)));
        vm.assertTrue(GmxSetter(address(setter)).openingOnly(target), "not bound for opening alone");
        bytes memory both = abi.encodeCall(GmxSetter.bind, (MARKET, 1, SIZE, false));
        vm.prank(OWNER);
        setter.proposeChange(both);
        pass(DELAY);
        vm.expectEmit(address(setter));
        emit GmxSetter.OpeningOnly(target, false);
        vm.prank(OWNER);
        setter.executeChange(both);
        post(fitting(1));
        setter.applyMargin(target);
        vm.assertEq(abi.encode(setter.inPlace(target)), abi.encode(settingOfFitting()));
    }

    function test_the_limited_role_is_not_enough() external {
        post(fitting(1));
        roles.revokeRole(address(setter), CONFIG_KEEPER);
        roles.grantRole(address(setter), LIMITED_CONFIG_KEEPER);
        vm.expectRevert(abi.encodeWithSelector(GmxConfig.InvalidBaseKey.selector, INITIAL_KEY));
        setter.applyMargin(target);
    }

    function test_what_another_keeper_set_is_set_back() external {
        post(fitting(1));
        setter.applyMargin(target);
        config.setUint(MAINTENANCE_KEY, abi.encode(MARKET), 5e27);
        setter.applyMargin(target);
        vm.assertEq(abi.encode(setter.inPlace(target)), abi.encode(settingOfFitting()));
    }

    function test_a_market_without_a_factor_is_not_bound() external {
        bytes memory call = abi.encodeCall(GmxSetter.bind, (address(0xDEAD), 1, SIZE, false));
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(
            abi.encodeWithSelector(MarginSetter.UnknownTarget.selector, bytes32(uint256(uint160(address(0xDEAD)))))
        );
        setter.executeChange(call);
    }

    /// @dev The adapter was given the data store of another deployment: what it set cannot be seen there.
    function test_incident_i9_what_is_read_back_must_be_what_was_set() external {
        post(fitting(1));
        GmxDataStore dataStore = config.dataStore();
        bytes32 key = keccak256(abi.encode(MAINTENANCE_KEY, MARKET));
        vm.mockCall(address(dataStore), abi.encodeCall(dataStore.getUint, (key)), abi.encode(5e27));
        vm.expectPartialRevert(MarginSetter.NotTaken.selector);
        setter.applyMargin(target);
    }
}
