// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginWords} from "./MarginWords.sol";

/// @title What a new tuple may be, given the tuple in force and the market's limits.
/// @dev A tuple passes whole or is refused whole; nothing is ever clamped to a limit. Limits round down: none is ever
/// exceeded by a fraction.
library MarginBounds {
    uint256 private constant PPM = 1e6;
    uint256 private constant HOUR = 3600;
    uint256 private constant SIDES = 2;
    /// @dev Long and short, 32 bits each.
    uint256 private constant GROUP_BITS = 64;

    /// @dev `reason`, `inForce` and `offered` are those of the field that failed, and mean nothing when accepted.
    /// `rises`, `falls` and `isCorrection` say what an accepted tuple does to the tuple in force.
    struct Verdict {
        bool accepted;
        IMarginOracle.Refusal reason;
        uint256 inForce;
        uint256 offered;
        bool rises;
        bool falls;
        bool isCorrection;
    }

    /// @dev What the limits of movement are taken over, the same for all markets of a report.
    struct Terms {
        bool risesAreLifted;
        uint256 dwellSeconds;
        uint256 minimumDelaySeconds;
    }

    /// @dev How far a tuple may move: not at all limited, or by the limits of each group over the elapsed time, of
    /// which the higher quorum lifts those of rises.
    struct Moves {
        bool areLimited;
        bool risesAreLifted;
        uint256 riseSeconds;
        uint256 fallSeconds;
    }

    /// @notice Judges a tuple (packed as in `MarginWords`) whose time is not before that of the tuple in force.
    /// @param terms `risesAreLifted` by the higher quorum (`exceedsStep`); the limits of falls and the absolute range
    /// never are. A fall has had the dwell before it takes effect, so it may use at least that time: else a heartbeat
    /// shorter than the dwell would slow it down.
    /// @param verdict Receives the answer, so that one place in memory serves all markets of a report.
    function judge(MarginWords.Market storage market, uint256 offered, Terms memory terms, Verdict memory verdict)
        internal
        view
    {
        uint256 inForce = market.current;
        uint256 first = market.firstLimits;
        verdict.accepted = verdict.rises = verdict.falls = false;
        if (first == 0) {
            _refuse(verdict, IMarginOracle.Refusal.UnknownMarket, 0, 0);
            return;
        }
        if (!_initialCoversMaintenance(verdict, inForce, offered)) return;
        Moves memory moves;
        moves.areLimited = MarginWords.time(inForce) != 0;
        moves.risesAreLifted = terms.risesAreLifted;
        moves.riseSeconds = MarginWords.time(offered) - MarginWords.time(inForce);
        moves.fallSeconds = Math.max(moves.riseSeconds, terms.dwellSeconds);
        uint256 second = market.secondLimits;
        uint256 limits = MarginWords.initialLimits(first);
        if (!_group(verdict, limits, inForce, offered, moves, IMarginOracle.Refusal.InitialStepUp)) return;
        limits = MarginWords.maintenanceLimits(first, second);
        (inForce, offered) = (inForce << GROUP_BITS, offered << GROUP_BITS);
        if (!_group(verdict, limits, inForce, offered, moves, IMarginOracle.Refusal.MaintenanceRateUp)) return;
        limits = MarginWords.slopeLimits(second);
        (inForce, offered) = (inForce << GROUP_BITS, offered << GROUP_BITS);
        if (!_group(verdict, limits, inForce, offered, moves, IMarginOracle.Refusal.SlopeStepUp)) return;
        verdict.accepted = _isInTime(verdict, market.current, moves, terms);
    }

    /// @notice Reverts when a configuration contradicts itself or sets a limit that its group does not have.
    function requireSound(IMarginOracle.MarketConfig calldata config) internal pure {
        IMarginOracle.Bounds calldata initial = config.initial;
        IMarginOracle.Bounds calldata maintenance = config.maintenance;
        IMarginOracle.Bounds calldata slope = config.slope;
        // A minimum of zero would let a lost figure pass as "no margin needed".
        bool isSound = config.exists && initial.minimum > 0 && maintenance.minimum > 0
            && initial.minimum <= initial.maximum && maintenance.minimum <= maintenance.maximum
            && slope.minimum <= slope.maximum && config.fallbackInitialPpm >= initial.minimum;
        bool usesOwnLimitsOnly = initial.riseHourly == 0 && slope.riseHourly == 0 && maintenance.stepRelativePpm == 0
            && maintenance.stepMinimum == 0;
        if (!isSound || !usesOwnLimitsOnly) revert IMarginOracle.InvalidConfiguration();
    }

    function _initialCoversMaintenance(Verdict memory verdict, uint256 inForce, uint256 offered)
        private
        pure
        returns (bool)
    {
        for (uint256 side = 0; side < SIDES; ++side) {
            uint256 initial = MarginWords.valueAt(offered, side);
            if (initial < MarginWords.valueAt(offered, side + SIDES)) {
                return _refuse(
                    verdict, IMarginOracle.Refusal.InitialBelowMaintenance, MarginWords.valueAt(inForce, side), initial
                );
            }
        }
        return true;
    }

    /// @dev One rise within the minimum delay of the last is a correction, so that no delay holds up the repair of a
    /// wrong figure; a second one waits, so that steps cannot be taken one upon the other.
    function _isInTime(Verdict memory verdict, uint256 inForce, Moves memory moves, Terms memory terms)
        private
        pure
        returns (bool)
    {
        verdict.isCorrection = false;
        if (!moves.areLimited || !verdict.rises || terms.risesAreLifted) return true;
        uint256 since = MarginWords.roseSecondsBefore(inForce, MarginWords.time(inForce) + moves.riseSeconds);
        if (since >= terms.minimumDelaySeconds) return true;
        if (MarginWords.isCorrected(inForce)) {
            return _refuse(verdict, IMarginOracle.Refusal.RiseTooSoon, since, terms.minimumDelaySeconds);
        }
        verdict.isCorrection = true;
        return true;
    }

    /// @dev Judges both sides of the group that comes first in the (shifted) tuples.
    function _group(
        Verdict memory verdict,
        uint256 limits,
        uint256 inForce,
        uint256 offered,
        Moves memory moves,
        IMarginOracle.Refusal riseReason
    ) private pure returns (bool) {
        uint256 long = MarginWords.valueAt(inForce, 0);
        uint256 short = MarginWords.valueAt(inForce, 1);
        return _field(verdict, limits, long, MarginWords.valueAt(offered, 0), moves, riseReason)
            && _field(verdict, limits, short, MarginWords.valueAt(offered, 1), moves, riseReason);
    }

    /// @dev Unchecked: amounts have 32 bits, times 40, and what is subtracted is the smaller.
    function _field(
        Verdict memory verdict,
        uint256 limits,
        uint256 inForce,
        uint256 offered,
        Moves memory moves,
        IMarginOracle.Refusal riseReason
    ) private pure returns (bool) {
        unchecked {
            if (offered < MarginWords.minimum(limits)) {
                return _refuse(verdict, IMarginOracle.Refusal.BelowMinimum, inForce, offered);
            }
            if (offered > MarginWords.maximum(limits)) {
                return _refuse(verdict, IMarginOracle.Refusal.AboveMaximum, inForce, offered);
            }
            if (!moves.areLimited) return true;
            if (offered == inForce) return true;
            if (offered > inForce) {
                verdict.rises = true;
                if (moves.risesAreLifted) return true;
                if (offered - inForce <= _allowedRise(limits, inForce, moves.riseSeconds, riseReason)) return true;
                return _refuse(verdict, riseReason, inForce, offered);
            }
            verdict.falls = true;
            if (inForce - offered <= MarginWords.fallHourly(limits) * moves.fallSeconds / HOUR) return true;
            return _refuse(verdict, IMarginOracle.Refusal.RateDown, inForce, offered);
        }
    }

    function _allowedRise(uint256 limits, uint256 inForce, uint256 elapsedSeconds, IMarginOracle.Refusal riseReason)
        private
        pure
        returns (uint256)
    {
        unchecked {
            if (riseReason == IMarginOracle.Refusal.MaintenanceRateUp) {
                return MarginWords.riseHourly(limits) * elapsedSeconds / HOUR;
            }
            uint256 relative = MarginWords.stepRelativePpm(limits) * inForce / PPM;
            uint256 least = MarginWords.stepMinimum(limits);
            return relative > least ? relative : least;
        }
    }

    function _refuse(Verdict memory verdict, IMarginOracle.Refusal reason, uint256 inForce, uint256 offered)
        private
        pure
        returns (bool)
    {
        (verdict.reason, verdict.inForce, verdict.offered) = (reason, inForce, offered);
        return false;
    }
}
