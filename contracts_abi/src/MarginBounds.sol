// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title What a new tuple may be, given the tuple in force and the market's limits.
/// @dev A tuple passes whole or is refused whole; nothing is ever clamped to a limit.
library MarginBounds {
    uint256 private constant PPM = 1e6;
    uint256 private constant HOUR = 3600;

    /// @dev The limits of a market in two storage slots; `IMarginOracle.MarketConfig` without the fields that a
    /// group does not use. Two slots rather than three save 2,100 gas for every market of a post.
    struct Limits {
        bool exists;
        uint32 fallbackInitialPpm;
        uint32 initialMinimum;
        uint32 initialMaximum;
        uint32 initialStepRelativePpm;
        uint32 initialStepMinimum;
        uint32 initialFallHourly;
        uint32 maintenanceMinimum;
        // second slot
        uint32 maintenanceMaximum;
        uint32 maintenanceRiseHourly;
        uint32 maintenanceFallHourly;
        uint32 slopeMinimum;
        uint32 slopeMaximum;
        uint32 slopeStepRelativePpm;
        uint32 slopeStepMinimum;
        uint32 slopeFallHourly;
    }

    /// @dev `inForce` and `offered` are those of the first field that failed.
    struct Verdict {
        bool accepted;
        IMarginOracle.Refusal reason;
        uint256 inForce;
        uint256 offered;
    }

    /// @dev What every field of a tuple is judged with.
    struct Conditions {
        bool movesAreLimited;
        uint256 elapsedSeconds;
    }

    /// @notice Judges the tuple `offered` at `referenceTimestamp`, not before that of the tuple in force.
    /// @param liftsMoves Whether step and rate limits are lifted (`exceedsStep`, signed by the higher quorum). The
    /// absolute range never is.
    function judge(
        Limits memory limits,
        IMarginOracle.CurrentMargin memory inForce,
        IMarginOracle.MarketMargin memory offered,
        uint256 referenceTimestamp,
        bool liftsMoves
    ) internal pure returns (Verdict memory verdict) {
        if (!limits.exists) return Verdict(false, IMarginOracle.Refusal.UnknownMarket, 0, 0);
        if (offered.initialLong < offered.maintenanceLong) {
            return _refused(IMarginOracle.Refusal.InitialBelowMaintenance, inForce.initialLong, offered.initialLong);
        }
        if (offered.initialShort < offered.maintenanceShort) {
            return _refused(IMarginOracle.Refusal.InitialBelowMaintenance, inForce.initialShort, offered.initialShort);
        }
        Conditions memory conditions = Conditions({
            movesAreLimited: inForce.referenceTimestamp != 0 && !liftsMoves,
            elapsedSeconds: referenceTimestamp - inForce.referenceTimestamp
        });
        IMarginOracle.Bounds memory bounds = initialBounds(limits);
        verdict = _field(inForce.initialLong, offered.initialLong, bounds, conditions, IMarginOracle.Refusal.InitialStepUp);
        if (!verdict.accepted) return verdict;
        verdict = _field(inForce.initialShort, offered.initialShort, bounds, conditions, IMarginOracle.Refusal.InitialStepUp);
        if (!verdict.accepted) return verdict;
        bounds = maintenanceBounds(limits);
        verdict = _field(inForce.maintenanceLong, offered.maintenanceLong, bounds, conditions, IMarginOracle.Refusal.MaintenanceRateUp);
        if (!verdict.accepted) return verdict;
        verdict = _field(inForce.maintenanceShort, offered.maintenanceShort, bounds, conditions, IMarginOracle.Refusal.MaintenanceRateUp);
        if (!verdict.accepted) return verdict;
        bounds = slopeBounds(limits);
        verdict = _field(inForce.slopeLong, offered.slopeLong, bounds, conditions, IMarginOracle.Refusal.SlopeStepUp);
        if (!verdict.accepted) return verdict;
        return _field(inForce.slopeShort, offered.slopeShort, bounds, conditions, IMarginOracle.Refusal.SlopeStepUp);
    }

    /// @notice Packs a configuration, or reverts when it contradicts itself or sets a limit that its group lacks.
    function pack(IMarginOracle.MarketConfig calldata config) internal pure returns (Limits memory limits) {
        IMarginOracle.Bounds calldata initial = config.initial;
        IMarginOracle.Bounds calldata maintenance = config.maintenance;
        IMarginOracle.Bounds calldata slope = config.slope;
        // A minimum of zero would let a lost figure pass as "no margin needed".
        bool sound = config.exists && initial.minimum > 0 && maintenance.minimum > 0
            && initial.minimum <= initial.maximum && maintenance.minimum <= maintenance.maximum
            && slope.minimum <= slope.maximum && config.fallbackInitialPpm >= initial.minimum;
        bool usesOwnFieldsOnly = initial.riseHourly == 0 && slope.riseHourly == 0 && maintenance.stepRelativePpm == 0
            && maintenance.stepMinimum == 0;
        if (!sound || !usesOwnFieldsOnly) revert IMarginOracle.InvalidConfiguration();
        limits = Limits({
            exists: true,
            fallbackInitialPpm: config.fallbackInitialPpm,
            initialMinimum: initial.minimum,
            initialMaximum: initial.maximum,
            initialStepRelativePpm: initial.stepRelativePpm,
            initialStepMinimum: initial.stepMinimum,
            initialFallHourly: initial.fallHourly,
            maintenanceMinimum: maintenance.minimum,
            maintenanceMaximum: maintenance.maximum,
            maintenanceRiseHourly: maintenance.riseHourly,
            maintenanceFallHourly: maintenance.fallHourly,
            slopeMinimum: slope.minimum,
            slopeMaximum: slope.maximum,
            slopeStepRelativePpm: slope.stepRelativePpm,
            slopeStepMinimum: slope.stepMinimum,
            slopeFallHourly: slope.fallHourly
        });
    }

    /// @notice The configuration that `pack` was given.
    function unpack(Limits memory limits) internal pure returns (IMarginOracle.MarketConfig memory) {
        return IMarginOracle.MarketConfig({
            exists: limits.exists,
            fallbackInitialPpm: limits.fallbackInitialPpm,
            initial: initialBounds(limits),
            maintenance: maintenanceBounds(limits),
            slope: slopeBounds(limits)
        });
    }

    function initialBounds(Limits memory limits) internal pure returns (IMarginOracle.Bounds memory) {
        return IMarginOracle.Bounds({
            minimum: limits.initialMinimum,
            maximum: limits.initialMaximum,
            stepRelativePpm: limits.initialStepRelativePpm,
            stepMinimum: limits.initialStepMinimum,
            riseHourly: 0,
            fallHourly: limits.initialFallHourly
        });
    }

    function maintenanceBounds(Limits memory limits) internal pure returns (IMarginOracle.Bounds memory) {
        return IMarginOracle.Bounds({
            minimum: limits.maintenanceMinimum,
            maximum: limits.maintenanceMaximum,
            stepRelativePpm: 0,
            stepMinimum: 0,
            riseHourly: limits.maintenanceRiseHourly,
            fallHourly: limits.maintenanceFallHourly
        });
    }

    function slopeBounds(Limits memory limits) internal pure returns (IMarginOracle.Bounds memory) {
        return IMarginOracle.Bounds({
            minimum: limits.slopeMinimum,
            maximum: limits.slopeMaximum,
            stepRelativePpm: limits.slopeStepRelativePpm,
            stepMinimum: limits.slopeStepMinimum,
            riseHourly: 0,
            fallHourly: limits.slopeFallHourly
        });
    }

    function _field(
        uint256 inForce,
        uint256 offered,
        IMarginOracle.Bounds memory bounds,
        Conditions memory conditions,
        IMarginOracle.Refusal riseReason
    ) private pure returns (Verdict memory) {
        if (offered < bounds.minimum) return _refused(IMarginOracle.Refusal.BelowMinimum, inForce, offered);
        if (offered > bounds.maximum) return _refused(IMarginOracle.Refusal.AboveMaximum, inForce, offered);
        if (conditions.movesAreLimited) {
            if (offered > inForce && offered - inForce > _allowedRise(inForce, bounds, conditions.elapsedSeconds, riseReason)) {
                return _refused(riseReason, inForce, offered);
            }
            if (offered < inForce && inForce - offered > bounds.fallHourly * conditions.elapsedSeconds / HOUR) {
                return _refused(IMarginOracle.Refusal.RateDown, inForce, offered);
            }
        }
        return Verdict(true, riseReason, inForce, offered);
    }

    /// @dev Rounded down: a limit is never exceeded by a fraction.
    function _allowedRise(
        uint256 inForce,
        IMarginOracle.Bounds memory bounds,
        uint256 elapsedSeconds,
        IMarginOracle.Refusal riseReason
    ) private pure returns (uint256) {
        if (riseReason == IMarginOracle.Refusal.MaintenanceRateUp) return bounds.riseHourly * elapsedSeconds / HOUR;
        uint256 relative = inForce * bounds.stepRelativePpm / PPM;
        return relative > bounds.stepMinimum ? relative : bounds.stepMinimum;
    }

    function _refused(IMarginOracle.Refusal reason, uint256 inForce, uint256 offered)
        private
        pure
        returns (Verdict memory)
    {
        return Verdict(false, reason, inForce, offered);
    }
}
