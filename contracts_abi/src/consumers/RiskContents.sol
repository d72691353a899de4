// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginFigures} from "./MarginFigures.sol";

/// @title What an update carries: which figures of a market, and the bytes in which its consumer reads them.
/// @notice Every conversion is exact or asks for more margin.
library RiskContents {
    using MarginFigures for IMarginOracle.CurrentMargin;

    /// @notice The first six are those of `MarginFigures.Figure`: one word, ppm (slopes: ppm per million USD).
    /// GMX knows one factor for both sides, so it is given the larger: one word with 30 decimals.
    /// An Aave e-mode category is three words in basis points: loan to value, liquidation threshold, liquidation bonus.
    enum Content {
        InitialLong,
        InitialShort,
        MaintenanceLong,
        MaintenanceShort,
        SlopeLong,
        SlopeShort,
        GmxMinCollateralFactor,
        GmxMinCollateralFactorForLiquidation,
        AaveEModeCategory
    }

    uint256 internal constant GENERIC_COUNT = 6;
    bytes32 private constant MIN_COLLATERAL_FACTOR = keccak256(abi.encode("MIN_COLLATERAL_FACTOR"));
    bytes32 private constant MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION =
        keccak256(abi.encode("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"));
    uint256 private constant PPM = 1e6;
    uint256 private constant GMX_FACTOR_PER_PPM = 1e24;
    uint256 private constant PPM_PER_BASIS_POINT = 100;

    error RatioAboveOne(uint256 ratioPpm);

    /// @notice What of a market's tuple goes into an update, in ppm; `second` is 0 where there is one figure alone.
    function figuresOf(Content content, IMarginOracle.CurrentMargin memory current)
        internal
        pure
        returns (uint32 first, uint32 second)
    {
        if (content == Content.AaveEModeCategory) return (current.initialLong, current.maintenanceLong);
        if (content == Content.GmxMinCollateralFactor) {
            return (uint32(Math.max(current.initialLong, current.initialShort)), 0);
        }
        if (content == Content.GmxMinCollateralFactorForLiquidation) {
            return (uint32(Math.max(current.maintenanceLong, current.maintenanceShort)), 0);
        }
        return (current.figureOf(MarginFigures.Figure(uint8(content))), 0);
    }

    /// @notice The value of an update. Reverts where an Aave category would need a negative one.
    function encodeValue(Content content, uint32 first, uint32 second, uint16 liquidationBonusBps)
        internal
        pure
        returns (bytes memory)
    {
        if (content == Content.AaveEModeCategory) {
            return abi.encode(_floorLoanBps(first), _floorLoanBps(second), uint256(liquidationBonusBps));
        }
        return abi.encode(isGmx(content) ? first * GMX_FACTOR_PER_PPM : first);
    }

    /// @notice GMX's key and its data, whose first word is the market; empty for all others.
    function additionalData(Content content, address market) internal pure returns (bytes memory) {
        if (!isGmx(content)) return "";
        bytes32 baseKey =
            content == Content.GmxMinCollateralFactor ? MIN_COLLATERAL_FACTOR : MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION;
        return abi.encode(baseKey, abi.encode(market));
    }

    function isGmx(Content content) internal pure returns (bool) {
        return content == Content.GmxMinCollateralFactor || content == Content.GmxMinCollateralFactorForLiquidation;
    }

    /// @notice The type under which a figure is published for whoever has no names of its own.
    function genericUpdateType(MarginFigures.Figure figure) internal pure returns (string memory) {
        if (figure == MarginFigures.Figure.InitialLong) return "initialLongPpm";
        if (figure == MarginFigures.Figure.InitialShort) return "initialShortPpm";
        if (figure == MarginFigures.Figure.MaintenanceLong) return "maintenanceLongPpm";
        if (figure == MarginFigures.Figure.MaintenanceShort) return "maintenanceShortPpm";
        if (figure == MarginFigures.Figure.SlopeLong) return "slopeLongPpmPerMillionUsd";
        return "slopeShortPpmPerMillionUsd";
    }

    /// @dev What may be lent on a collateral that needs this margin, rounded down.
    function _floorLoanBps(uint256 ratioPpm) private pure returns (uint256) {
        if (ratioPpm > PPM) revert RatioAboveOne(ratioPpm);
        return (PPM - ratioPpm) / PPM_PER_BASIS_POINT;
    }
}
