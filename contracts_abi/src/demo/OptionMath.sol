// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Undiscounted Black-76 and the volatility slice it is fed from; wad arithmetic.
/// @dev Absolute error of a price is below 1e-12 of the forward (tested against known values).
library OptionMath {
    using SafeCast for uint256;

    int256 private constant ONE = 1e18;
    int256 private constant HALF = 5e17;
    /// @dev 1 / sqrt(2 pi).
    int256 private constant DENSITY_AT_ZERO = 398942280401432678;
    /// @dev Beyond seven standard deviations a normal tail is below 1.3e-12.
    int256 private constant TAIL = 7e18;
    uint256 private constant YEAR = 365 days;

    /// @notice Price of an option in the unit of forward and strike, truncated; never below intrinsic value.
    /// @param standardDeviationWad Volatility times the square root of time, above 0.
    function black76(bool isCall, uint256 forward, uint256 strike, uint256 standardDeviationWad)
        internal
        pure
        returns (uint256 price)
    {
        int256 deviation = standardDeviationWad.toInt256();
        int256 logMoneyness = FixedPointMathLib.lnWad((forward * 1e18 / strike).toInt256());
        int256 d1 = logMoneyness * ONE / deviation + deviation / 2;
        int256 d2 = d1 - deviation;
        int256 sign = isCall ? int256(1) : int256(-1);
        int256 value = sign
            * (forward.toInt256() * normalDistribution(sign * d1) - strike.toInt256() * normalDistribution(sign * d2))
            / ONE;
        int256 intrinsic = sign * (forward.toInt256() - strike.toInt256());
        if (intrinsic < 0) intrinsic = 0;
        return uint256(value > intrinsic ? value : intrinsic);
    }

    /// @notice Standard normal distribution function.
    /// @dev N(x) = 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...), Marsaglia (2004), Evaluating the Normal Distribution.
    function normalDistribution(int256 x) internal pure returns (int256) {
        if (x >= TAIL) return ONE;
        if (x <= -TAIL) return 0;
        int256 square = x * x / ONE;
        int256 sum = x;
        int256 term = x;
        for (int256 odd = 3; term != 0; odd += 2) {
            term = term * square / (odd * ONE);
            sum += term;
        }
        // Divided by exp(x^2/2), which keeps its digits where exp(-x^2/2) would lose them.
        return HALF + sum * DENSITY_AT_ZERO / FixedPointMathLib.expWad(square / 2);
    }

    /// @notice Volatility times the square root of time at a strike: linear between the slice's nodes, flat beyond.
    function standardDeviation(uint24[7] memory nodesPpm, uint256 forward, uint256 strike, uint256 secondsToExpiry)
        internal
        pure
        returns (uint256)
    {
        uint256 rootOfTime = FixedPointMathLib.sqrtWad(secondsToExpiry * 1e18 / YEAR);
        int256 atTheMoney = (uint256(nodesPpm[3]) * rootOfTime / 1e6).toInt256();
        int256 x = FixedPointMathLib.lnWad((strike * 1e18 / forward).toInt256()) * ONE / atTheMoney;
        uint256 position = uint256(FixedPointMathLib.clamp(x, -3 * ONE, 3 * ONE) + 3 * ONE);
        uint256 left = FixedPointMathLib.min(position / 1e18, 5);
        uint256 weight = position - left * 1e18;
        uint256 volatility = uint256(nodesPpm[left]) * (1e18 - weight) + uint256(nodesPpm[left + 1]) * weight;
        return volatility * rootOfTime / 1e24;
    }
}
