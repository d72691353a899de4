// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {DeriveSetter} from "../../src/setters/DeriveSetter.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {ProtocolOwner} from "../../src/setters/ProtocolOwner.sol";
import {DeriveManager} from "../standins/DeriveManager.sol";
import {RatioSetterBehaviour} from "./RatioSetterBehaviour.sol";

/// @title Derive's perpetual margins: order, scale, bounds, and an owner who owns all but the figure.
contract DeriveSetterTest is RatioSetterBehaviour {
    DeriveManager private manager;

    function deployProtocolAndSetter() internal override returns (MarginSetter, bytes32) {
        manager = new DeriveManager();
        manager.createMarket("BTC");
        manager.createMarket("ETH");
        manager.setPerpMarginRequirements(2, 0.065e18, 0.1e18);
        DeriveSetter made = DeriveSetter(deploy("DeriveSetter", abi.encode(oracle, OWNER, DELAY, manager)));
        manager.transferOwnership(address(made));
        vm.prank(OWNER);
        made.forward(abi.encodeCall(manager.acceptOwnership, ()));
        return (made, bytes32(uint256(2)));
    }

    function bindCall(uint32 marketId, uint128 sizeWad) internal pure override returns (bytes memory) {
        return abi.encodeCall(DeriveSetter.bind, (2, marketId, sizeWad));
    }

    function settingOfFitting() internal pure override returns (MarginSetter.Setting memory) {
        return MarginSetter.Setting({initial: 0.0405e18, maintenance: 0.009e18});
    }

    function limits() internal pure override returns (Limits memory) {
        return Limits({unit: 1e18, maintenanceMinimum: 1, maintenanceMaximum: 1e18 - 1, initialMaximum: 1e18 - 1});
    }

    function takeRoleAway() internal override {
        change(abi.encodeCall(ProtocolOwner.handOver, (STRANGER)));
        vm.prank(STRANGER);
        manager.acceptOwnership();
        post(fitting(1));
    }

    function derive() private view returns (DeriveSetter) {
        return DeriveSetter(address(setter));
    }

    function test_maintenance_and_initial_land_where_the_manager_reads_them() external {
        post(fitting(1));
        vm.expectEmit(address(manager));
        emit DeriveManager.PerpMarginRequirementsSet(2, 0.009e18, 0.0405e18);
        setter.applyMargin(target);
        (uint256 maintenance, uint256 initial) = manager.perpMarginRequirements(2);
        vm.assertEq(maintenance, 0.009e18);
        vm.assertEq(initial, 0.0405e18);
    }

    function test_a_market_that_the_manager_does_not_have_is_not_bound() external {
        bytes memory call = abi.encodeCall(DeriveSetter.bind, (3, 1, SIZE));
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(MarginSetter.UnknownTarget.selector, bytes32(uint256(3))));
        setter.executeChange(call);
    }

    /// @dev A figure that was read back is not the one that was sent: everything is undone.
    function test_incident_i9_what_is_read_back_must_be_what_was_set() external {
        post(fitting(1));
        vm.mockCall(
            address(manager),
            abi.encodeCall(manager.perpMarginRequirements, (2)),
            abi.encode(settingOfFitting().initial, settingOfFitting().maintenance)
        );
        vm.expectPartialRevert(MarginSetter.NotTaken.selector);
        setter.applyMargin(target);
    }

    // ------------------------------------------------------------------ the role

    function test_all_else_of_the_manager_is_the_owners() external {
        bytes memory call = abi.encodeCall(manager.setBorrowingEnabled, (true));
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        derive().forward(call);
        vm.expectEmit(address(setter));
        emit ProtocolOwner.Forwarded(call);
        vm.prank(OWNER);
        derive().forward(call);
        vm.assertTrue(manager.borrowingEnabled(), "not forwarded");
        vm.prank(OWNER);
        bytes memory returned = derive().forward(abi.encodeCall(manager.createMarket, ("SOL")));
        vm.assertEq(returned, abi.encode(3));
    }

    function test_the_figure_and_the_ownership_are_not_forwarded() external {
        bytes[4] memory kept = [
            abi.encodeCall(manager.setPerpMarginRequirements, (2, 1, 1)),
            abi.encodeCall(manager.transferOwnership, (OWNER)),
            abi.encodeCall(manager.renounceOwnership, ()),
            bytes(hex"a1b2c3")
        ];
        for (uint256 i = 0; i < kept.length; ++i) {
            vm.prank(OWNER);
            vm.expectRevert(abi.encodeWithSelector(ProtocolOwner.NotForwarded.selector, bytes4(kept[i])));
            derive().forward(kept[i]);
        }
    }

    function test_what_the_manager_refuses_is_refused_with_its_reason() external {
        bytes memory call = abi.encodeWithSignature("unknown()");
        vm.prank(OWNER);
        (bool success,) = address(setter).call(abi.encodeCall(derive().forward, (call)));
        vm.assertTrue(!success, "an unknown call was swallowed");
    }

    function test_the_ownership_is_handed_over_after_the_delay() external {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.MustWait.selector, DELAY));
        derive().handOver(OWNER);
        bytes memory call = abi.encodeCall(ProtocolOwner.handOver, (OWNER));
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.expectEmit(address(setter));
        emit ProtocolOwner.HandedOver(OWNER);
        vm.prank(OWNER);
        setter.executeChange(call);
        vm.assertEq(manager.owner(), address(setter));
        vm.prank(OWNER);
        manager.acceptOwnership();
        vm.assertEq(manager.owner(), OWNER);
    }

    function test_the_ownership_is_not_handed_to_nobody() external {
        bytes memory call = abi.encodeCall(ProtocolOwner.handOver, (address(0)));
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(ProtocolOwner.NewOwnerMissing.selector);
        setter.executeChange(call);
    }
}
