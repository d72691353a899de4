// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {SetterBehaviour} from "./SetterBehaviour.sol";

/// @title What setters of ratios do alike: the dearer side, rounded up, enough up to the size, within bounds.
abstract contract RatioSetterBehaviour is SetterBehaviour {
    struct Limits {
        uint256 unit;
        uint256 maintenanceMinimum;
        uint256 maintenanceMaximum;
        uint256 initialMaximum;
    }

    /// @dev What the protocol accepts, in its unit; `unit` is the whole notional.
    function limits() internal pure virtual returns (Limits memory);

    /// @dev Counted apart from the setter: the charge of one side in the protocol's unit, as a quotient rounded up.
    function chargedUp(uint256 ratioPpm, uint256 slope, uint256 sizeWad, uint256 unit) internal pure returns (uint256) {
        return Math.mulDiv(ratioPpm * 1e24 + slope * sizeWad, unit, 1e30, Math.Rounding.Ceil);
    }

    function expectedSetting(IMarginOracle.MarketMargin memory margin, uint256 sizeWad)
        internal
        pure
        returns (MarginSetter.Setting memory)
    {
        uint256 unit = limits().unit;
        return MarginSetter.Setting({
            initial: Math.max(
                chargedUp(margin.initialLong, margin.slopeLong, sizeWad, unit),
                chargedUp(margin.initialShort, margin.slopeShort, sizeWad, unit)
            ),
            maintenance: Math.max(
                chargedUp(margin.maintenanceLong, margin.slopeLong, sizeWad, unit),
                chargedUp(margin.maintenanceShort, margin.slopeShort, sizeWad, unit)
            )
        });
    }

    /// @dev Any tuple that the oracle takes, small ones as often as large ones.
    function randomMargin(uint256 seed) internal pure returns (IMarginOracle.MarketMargin memory margin) {
        bool isSmall = seed % 2 == 0;
        margin.marketId = 1;
        margin.maintenanceLong =
            uint32(bound(uint256(keccak256(abi.encode(seed, 1))), 5_000, isSmall ? 11_000 : 800_000));
        margin.maintenanceShort =
            uint32(bound(uint256(keccak256(abi.encode(seed, 2))), 5_000, isSmall ? 11_000 : 800_000));
        margin.initialLong = uint32(
            bound(
                uint256(keccak256(abi.encode(seed, 3))),
                Math.max(10_000, margin.maintenanceLong),
                isSmall ? 55_000 : 900_000
            )
        );
        margin.initialShort = uint32(
            bound(
                uint256(keccak256(abi.encode(seed, 4))),
                Math.max(10_000, margin.maintenanceShort),
                isSmall ? 55_000 : 900_000
            )
        );
        margin.slopeLong = uint32(bound(uint256(keccak256(abi.encode(seed, 5))), 0, isSmall ? 1_000 : 500_000));
        margin.slopeShort = uint32(bound(uint256(keccak256(abi.encode(seed, 6))), 0, isSmall ? 1_000 : 500_000));
    }

    function testFuzz_what_fits_is_set_exactly_and_what_does_not_is_refused(uint256 seed) external {
        IMarginOracle.MarketMargin memory margin = randomMargin(seed);
        post(margin);
        MarginSetter.Setting memory expected = expectedSetting(margin, SIZE);
        Limits memory l = limits();
        bool fits = expected.initial <= l.initialMaximum && expected.maintenance <= l.maintenanceMaximum
            && expected.maintenance >= l.maintenanceMinimum;
        bytes32 before = inPlace();
        (bool success, bytes memory reason) = address(setter).call(abi.encodeCall(setter.applyMargin, (target)));
        vm.assertTrue(success == fits, "within bounds and refused, or out of bounds and set");
        if (fits) {
            vm.assertEq(abi.encode(setter.inPlace(target)), abi.encode(expected));
        } else {
            vm.assertEq(bytes32(bytes4(reason)), bytes32(MarginSetter.OutOfBounds.selector));
            vm.assertEq(inPlace(), before);
        }
    }

    function testFuzz_every_position_up_to_the_size_is_asked_enough(uint256 notional, bool isLong) external {
        post(fitting(1));
        setter.applyMargin(target);
        notional = bound(notional, 0, SIZE);
        MarginSetter.Setting memory held = setter.inPlace(target);
        uint256 unit = limits().unit;
        vm.assertLe(
            oracle.requirement(1, isLong, notional, IMarginOracle.Purpose.Opening),
            Math.ceilDiv(notional * held.initial, unit),
            "opening"
        );
        vm.assertLe(
            oracle.requirement(1, isLong, notional, IMarginOracle.Purpose.Liquidating),
            Math.ceilDiv(notional * held.maintenance, unit),
            "liquidating"
        );
    }

    function test_incident_i1_nothing_is_clamped_to_a_bound() external {
        IMarginOracle.MarketMargin memory margin = fitting(1);
        // 90 % and 25 % for size: 115 % is more than any protocol takes.
        (margin.initialLong, margin.slopeLong) = (900_000, 500_000);
        post(margin);
        uint256 value = chargedUp(900_000, 500_000, SIZE, limits().unit);
        vm.assertEq(value, limits().unit / 100 * 115);
        refusesToApply(
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Initial, value, 1, limits().initialMaximum
            )
        );
    }

    /// @dev A sound oracle never says this; an adapter that believed it would liquidate what it just let open.
    function test_an_initial_below_maintenance_is_refused() external {
        post(fitting(1));
        IMarginOracle.CurrentMargin memory odd = oracle.margin(1);
        (odd.initialLong, odd.initialShort) = (5_000, 5_000);
        (odd.maintenanceLong, odd.maintenanceShort) = (6_000, 6_000);
        (odd.slopeLong, odd.slopeShort) = (0, 0);
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(odd));
        uint256 unit = limits().unit;
        refusesToApply(
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector,
                MarginSetter.Figure.Maintenance,
                unit * 6 / 1000,
                limits().maintenanceMinimum,
                unit * 5 / 1000
            )
        );
    }

    function test_zeros_are_refused() external {
        post(fitting(1));
        IMarginOracle.CurrentMargin memory zeros;
        zeros.referenceTimestamp = uint40(vm.getBlockTimestamp());
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(zeros));
        refusesToApply(
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Initial, 0, 1, limits().initialMaximum
            )
        );
    }
}
