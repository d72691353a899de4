// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {Test} from "../Test.sol";

/// @title Encodings: the right figure, the right unit, and never less margin than was posted.
contract RiskContentsTest is Test {
    /// @dev Reverts are expected of calls, so the library is called through this contract.
    function encodeValue(RiskContents.Content content, uint32 first, uint32 second, uint16 bonusBps)
        external
        pure
        returns (bytes memory)
    {
        return RiskContents.encodeValue(content, first, second, bonusBps);
    }

    function test_each_content_takes_its_own_figure() external pure {
        IMarginOracle.CurrentMargin memory current = IMarginOracle.CurrentMargin(11, 22, 3, 4, 55, 66, 0);
        uint32[8] memory expected = [uint32(11), 22, 3, 4, 55, 66, 22, 4];
        for (uint8 i = 0; i < 8; ++i) {
            (uint32 first, uint32 second) = RiskContents.figuresOf(RiskContents.Content(i), current);
            vm.assertEq(first, expected[i]);
            vm.assertEq(second, 0);
        }
        (uint32 initial, uint32 maintenance) = RiskContents.figuresOf(RiskContents.Content.AaveEModeCategory, current);
        vm.assertEq(initial, 11);
        vm.assertEq(maintenance, 3);
    }

    function test_fuzz_gmx_takes_the_larger_side(uint32 long, uint32 short) external pure {
        IMarginOracle.CurrentMargin memory current = IMarginOracle.CurrentMargin(long, short, long, short, 0, 0, 0);
        (uint32 initial,) = RiskContents.figuresOf(RiskContents.Content.GmxMinCollateralFactor, current);
        (uint32 maintenance,) =
            RiskContents.figuresOf(RiskContents.Content.GmxMinCollateralFactorForLiquidation, current);
        vm.assertEq(initial, Math.max(long, short));
        vm.assertEq(maintenance, Math.max(long, short));
    }

    function test_fuzz_generic_values_are_ppm(uint8 content, uint32 ppm) external view {
        content = uint8(bound(content, 0, 5));
        vm.assertEq(this.encodeValue(RiskContents.Content(content), ppm, 0, 0), abi.encode(uint256(ppm)));
        vm.assertEq(RiskContents.additionalData(RiskContents.Content(content), address(1)), "");
    }

    function test_fuzz_gmx_values_are_exact_factors(uint32 ppm) external view {
        bytes memory value = this.encodeValue(RiskContents.Content.GmxMinCollateralFactor, ppm, 0, 0);
        vm.assertEq(abi.decode(value, (uint256)), uint256(ppm) * 1e30 / 1e6);
    }

    function test_gmx_data_names_key_and_market() external pure {
        string[2] memory keys = ["MIN_COLLATERAL_FACTOR", "MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"];
        for (uint8 i = 0; i < 2; ++i) {
            bytes memory additional = RiskContents.additionalData(RiskContents.Content(6 + i), address(0x63A7));
            (bytes32 baseKey, bytes memory data) = abi.decode(additional, (bytes32, bytes));
            vm.assertEq(baseKey, keccak256(abi.encode(keys[i])));
            vm.assertEq(data, abi.encode(address(0x63A7)));
        }
    }

    /// @dev What may be lent, with the margin asked, is at most the whole; and less than a basis point is given away.
    function test_fuzz_aave_values_are_rounded_down(uint32 initial, uint32 maintenance, uint16 bonusBps) external view {
        initial = uint32(bound(initial, 0, 1e6));
        maintenance = uint32(bound(maintenance, 0, 1e6));
        bytes memory value = this.encodeValue(RiskContents.Content.AaveEModeCategory, initial, maintenance, bonusBps);
        (uint256 ltv, uint256 threshold, uint256 bonus) = abi.decode(value, (uint256, uint256, uint256));
        vm.assertTrue(ltv * 100 + initial <= 1e6 && (ltv + 1) * 100 + initial > 1e6, "loan to value");
        vm.assertTrue(
            threshold * 100 + maintenance <= 1e6 && (threshold + 1) * 100 + maintenance > 1e6, "liquidation threshold"
        );
        vm.assertEq(bonus, bonusBps);
        vm.assertEq(value.length, 96);
    }

    function test_an_aave_category_beyond_the_whole_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(RiskContents.RatioAboveOne.selector, 1_000_001));
        this.encodeValue(RiskContents.Content.AaveEModeCategory, 1_000_001, 0, 100);
        vm.expectRevert(abi.encodeWithSelector(RiskContents.RatioAboveOne.selector, 1_000_001));
        this.encodeValue(RiskContents.Content.AaveEModeCategory, 0, 1_000_001, 100);
    }
}
