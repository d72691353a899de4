// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {OptionMath} from "../../src/demo/OptionMath.sol";
import {Test} from "../Test.sol";

/// @title Option prices against values computed with forty digits, and what any price must satisfy.
contract OptionMathTest is Test {
    uint256 private constant TOLERANCE_PARTS = 1e12;

    function near(uint256 price, uint256 exact, uint256 forward) internal pure {
        vm.assertApproxEqAbs(price, exact, 1 + forward / TOLERANCE_PARTS);
    }

    function test_normal_distribution_known_values() external pure {
        int256[8] memory arguments = [int256(0), 0.5e18, 1e18, -1e18, 1.96e18, -2.5e18, 3.7e18, -5e18];
        uint256[8] memory exact = [
            uint256(500000000000000000),
            691462461274013103,
            841344746068542948,
            158655253931457051,
            975002104851779565,
            6209665325776135,
            999892200266522611,
            286651571879
        ];
        for (uint256 i = 0; i < 8; ++i) {
            vm.assertApproxEqAbs(uint256(OptionMath.normalDistribution(arguments[i])), exact[i], 10);
        }
        vm.assertEq(OptionMath.normalDistribution(7e18), 1e18);
        vm.assertEq(OptionMath.normalDistribution(-7e18), 0);
        vm.assertApproxEqAbs(uint256(OptionMath.normalDistribution(6.9e18)), 999999999997399873, 10);
    }

    function test_prices_known_values() external pure {
        near(OptionMath.black76(true, 100e8, 100e8, 0.2e18), 796556745, 100e8);
        near(OptionMath.black76(false, 100e8, 100e8, 0.2e18), 796556745, 100e8);
        near(OptionMath.black76(true, 3_000e8, 3_200e8, 0.172e18), 12719430312, 3_000e8);
        near(OptionMath.black76(false, 3_000e8, 2_800e8, 0.2e18), 14455937285, 3_000e8);
        near(OptionMath.black76(false, 100_000e8, 50_000e8, 0.9e18), 760096474713, 100_000e8);
        near(OptionMath.black76(true, 100_000e8, 150_000e8, 0.05e18), 0, 100_000e8);
        near(OptionMath.black76(true, 100e8, 0.01e8, 0.3e18), 99.99e8, 100e8);
        near(OptionMath.black76(true, 100e8, 101e8, 0.0001e18), 0, 100e8);
    }

    function testFuzz_prices_keep_their_order(uint256 forward, uint256 strike, uint256 deviation) external pure {
        forward = bound(forward, 1e8, 1_000_000e8);
        strike = bound(strike, forward / 20, forward * 20);
        deviation = bound(deviation, 0.001e18, 4e18);
        uint256 call = OptionMath.black76(true, forward, strike, deviation);
        uint256 put = OptionMath.black76(false, forward, strike, deviation);
        uint256 slack = 2 + (forward + strike) / TOLERANCE_PARTS;
        vm.assertLe(call, forward + slack, "a call above the forward");
        vm.assertLe(put, strike + slack, "a put above the strike");
        if (forward > strike) vm.assertLe(forward - strike, call, "a call below intrinsic value");
        if (strike > forward) vm.assertLe(strike - forward, put, "a put below intrinsic value");
        vm.assertApproxEqAbs(call + strike, put + forward, slack);
        uint256 dearer = OptionMath.black76(true, forward, strike, deviation * 11 / 10);
        vm.assertLe(call, dearer + slack, "a call cheaper for more volatility");
    }

    function test_slice_is_linear_between_nodes_and_flat_beyond() external pure {
        uint24[7] memory nodes = [uint24(900_000), 800_000, 700_000, 600_000, 620_000, 660_000, 720_000];
        uint256 time = 365 days / 4; // so that one standard deviation is 0.3
        vm.assertApproxEqAbs(OptionMath.standardDeviation(nodes, 100e8, 100e8, time), 0.3e18, 10);
        // exp(0.45) is one and a half deviations up: half way from 620,000 to 660,000.
        vm.assertApproxEqAbs(OptionMath.standardDeviation(nodes, 100e8, 15_683_121_855, time), 0.32e18, 1e9);
        // exp(-0.15) is half a deviation down.
        vm.assertApproxEqAbs(OptionMath.standardDeviation(nodes, 100e8, 8_607_079_764, time), 0.325e18, 1e9);
        vm.assertApproxEqAbs(OptionMath.standardDeviation(nodes, 100e8, 1_000e8, time), 0.36e18, 10);
        vm.assertApproxEqAbs(OptionMath.standardDeviation(nodes, 100e8, 10e8, time), 0.45e18, 10);
    }
}
