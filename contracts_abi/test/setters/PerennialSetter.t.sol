// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {PerennialSetter} from "../../src/setters/PerennialSetter.sol";
import {
    PerennialCoordinator,
    PerennialFactory,
    PerennialMarket,
    PerennialProtocolParameter,
    PerennialRiskParameter
} from "../standins/PerennialMarket.sol";
import {PerennialNext} from "../standins/PerennialNext.sol";
import {RatioSetterBehaviour} from "./RatioSetterBehaviour.sol";

/// @title Perennial's risk parameter: two fields change, the rest stays to the bit, in any release.
contract PerennialSetterTest is RatioSetterBehaviour {
    PerennialCoordinator private coordinator;
    PerennialFactory private factory;
    PerennialMarket private market;

    function deployProtocolAndSetter() internal override returns (MarginSetter, bytes32) {
        coordinator = new PerennialCoordinator();
        factory = new PerennialFactory();
        factory.updateParameter(PerennialProtocolParameter(11, 12, 13, 14, 6_000, 16));
        market = new PerennialMarket(factory, address(coordinator));
        market.updateRiskParameter(held());
        PerennialSetter made = PerennialSetter(
            deploy(
                "PerennialSetter",
                abi.encode(
                    oracle,
                    OWNER,
                    DELAY,
                    coordinator,
                    factory,
                    PerennialSetter.Release(coordinator.updateRiskParameter.selector, 4)
                )
            )
        );
        coordinator.setCoordinator(address(made));
        return (made, made.targetOf(address(market)));
    }

    /// @dev Every field its own value, negative and boolean ones among them.
    function held() private pure returns (PerennialRiskParameter memory) {
        return PerennialRiskParameter({
            margin: 95_000,
            maintenance: 45_000,
            takerFee: [uint256(101), 102, 103, 104],
            makerFee: [uint256(111), 112, 113],
            makerLimit: 121,
            efficiencyLimit: 122,
            liquidationFee: 123,
            utilizationCurve: [uint256(131), 132, 133, 134],
            pControllerK: 141,
            pControllerMin: -142,
            pControllerMax: 143,
            minMargin: 152,
            minMaintenance: 151,
            staleAfter: 7200,
            makerReceiveOnly: true
        });
    }

    function bindCall(uint32 marketId, uint128 sizeWad) internal view override returns (bytes memory) {
        return abi.encodeCall(PerennialSetter.bind, (address(market), marketId, sizeWad));
    }

    function settingOfFitting() internal pure override returns (MarginSetter.Setting memory) {
        return MarginSetter.Setting({initial: 40_500, maintenance: 9_000});
    }

    function limits() internal pure override returns (Limits memory) {
        return Limits({unit: 1e6, maintenanceMinimum: 6_000, maintenanceMaximum: 1e6, initialMaximum: 1e6});
    }

    function takeRoleAway() internal override {
        coordinator.setCoordinator(STRANGER);
    }

    function perennial() private view returns (PerennialSetter) {
        return PerennialSetter(address(setter));
    }

    function test_two_fields_change_and_the_rest_stays() external {
        post(fitting(1));
        setter.applyMargin(target);
        PerennialRiskParameter memory expected = held();
        (expected.margin, expected.maintenance) = (40_500, 9_000);
        vm.assertEq(abi.encode(market.riskParameter()), abi.encode(expected));
    }

    function test_what_others_changed_since_is_kept() external {
        post(fitting(1));
        setter.applyMargin(target);
        PerennialRiskParameter memory changed = held();
        changed.makerLimit = 777;
        market.updateRiskParameter(changed);
        setter.applyMargin(target);
        vm.assertEq(market.riskParameter().makerLimit, 777);
        vm.assertEq(market.riskParameter().margin, 40_500);
    }

    function test_the_protocols_minimum_is_read_and_kept() external {
        factory.updateParameter(PerennialProtocolParameter(11, 12, 13, 14, 9_001, 16));
        post(fitting(1));
        refusesToApply(
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Maintenance, 9_000, 9_001, 40_500
            )
        );
        factory.updateParameter(PerennialProtocolParameter(11, 12, 13, 14, 9_000, 16));
        setter.applyMargin(target);
    }

    function test_a_fraction_of_a_part_per_million_is_rounded_up() external {
        IMarginOracle.MarketMargin memory margin = fitting(1);
        (margin.slopeLong, margin.slopeShort) = (1, 1);
        post(margin);
        setter.applyMargin(target);
        vm.assertEq(market.riskParameter().margin, 40_001);
        vm.assertEq(market.riskParameter().maintenance, 8_001);
    }

    function test_a_market_without_a_risk_parameter_is_not_bound() external {
        PerennialMarket empty = new PerennialMarket(factory, address(coordinator));
        bytes memory call = abi.encodeCall(PerennialSetter.bind, (address(empty), 1, SIZE));
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(
            abi.encodeWithSelector(MarginSetter.UnknownTarget.selector, bytes32(uint256(uint160(address(empty)))))
        );
        setter.executeChange(call);
    }

    function test_incident_i9_what_is_read_back_must_be_what_was_set() external {
        post(fitting(1));
        vm.mockCall(address(market), abi.encodeCall(market.riskParameter, ()), abi.encode(held()));
        vm.expectRevert(abi.encodeWithSelector(PerennialSetter.ParameterNotTaken.selector, target));
        setter.applyMargin(target);
    }

    function test_a_release_with_another_risk_parameter_is_served() external {
        PerennialNext next = new PerennialNext(address(this));
        setter = MarginSetter(
            deploy(
                "PerennialSetter",
                abi.encode(
                    oracle, OWNER, DELAY, next, next, PerennialSetter.Release(next.updateRiskParameter.selector, 1)
                )
            )
        );
        next.setCoordinator(address(setter));
        target = perennial().targetOf(address(next));
        change(abi.encodeCall(PerennialSetter.bind, (address(next), 1, SIZE)));
        post(fitting(1));
        setter.applyMargin(target);
        vm.assertEq(abi.encode(next.riskParameter()), abi.encode(PerennialNext.RiskParameter(40_500, 9_000, -7)));
    }

    function test_a_parameter_too_short_for_the_minimum_is_refused() external {
        setter = MarginSetter(
            deploy(
                "PerennialSetter",
                abi.encode(
                    oracle,
                    OWNER,
                    DELAY,
                    coordinator,
                    factory,
                    PerennialSetter.Release(coordinator.updateRiskParameter.selector, 6)
                )
            )
        );
        change(bindCall(1, SIZE));
        post(fitting(1));
        refusesToApply(abi.encodeWithSelector(PerennialSetter.WrongLength.selector, 7 * 32, 6 * 32));
    }

    // ------------------------------------------------------------------ the role

    function test_the_owner_sets_the_rest_alone() external {
        PerennialRiskParameter memory others = held();
        (others.margin, others.maintenance) = (0, 0);
        others.liquidationFee = 999;
        vm.expectEmit(address(setter));
        emit PerennialSetter.OthersUpdated(target, abi.encode(others));
        vm.prank(OWNER);
        perennial().updateOthers(address(market), abi.encode(others));
        (others.margin, others.maintenance) = (95_000, 45_000);
        vm.assertEq(abi.encode(market.riskParameter()), abi.encode(others));
    }

    function test_the_owner_does_not_set_margin_or_maintenance() external {
        PerennialRiskParameter memory others = held();
        others.margin = 0;
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(PerennialSetter.LeftToTheOracle.selector, 0, 45_000));
        perennial().updateOthers(address(market), abi.encode(others));
        (others.margin, others.maintenance) = (95_000, 0);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(PerennialSetter.LeftToTheOracle.selector, 95_000, 0));
        perennial().updateOthers(address(market), abi.encode(others));
    }

    function test_the_rest_comes_whole_and_from_the_owner() external {
        PerennialRiskParameter memory others = held();
        bytes memory short = new bytes(22 * 32);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(PerennialSetter.WrongLength.selector, 23 * 32, 22 * 32));
        perennial().updateOthers(address(market), short);
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        perennial().updateOthers(address(market), abi.encode(others));
    }
}
