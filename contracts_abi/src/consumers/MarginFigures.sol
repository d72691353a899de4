// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../IMarginOracle.sol";

/// @title The six figures of a market, each by its name.
library MarginFigures {
    /// @notice Ratios in ppm of notional, slopes in ppm per million USD of notional.
    enum Figure {
        InitialLong,
        InitialShort,
        MaintenanceLong,
        MaintenanceShort,
        SlopeLong,
        SlopeShort
    }

    function figureOf(IMarginOracle.CurrentMargin memory current, Figure figure) internal pure returns (uint32) {
        if (figure == Figure.InitialLong) return current.initialLong;
        if (figure == Figure.InitialShort) return current.initialShort;
        if (figure == Figure.MaintenanceLong) return current.maintenanceLong;
        if (figure == Figure.MaintenanceShort) return current.maintenanceShort;
        if (figure == Figure.SlopeLong) return current.slopeLong;
        return current.slopeShort;
    }
}
