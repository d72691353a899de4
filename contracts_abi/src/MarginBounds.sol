// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {LibBit} from "solady/utils/LibBit.sol";
import {HeadWords} from "./HeadWords.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginWords} from "./MarginWords.sol";

/// @title What a new tuple may be, given the tuple in force and the market's limits.
/// @dev A tuple passes whole or is refused whole; nothing is ever clamped to a limit. Limits round down: none is ever
/// exceeded by a fraction. The three values of a side are judged at once, in the lanes of `MarginWords.side`.
library MarginBounds {
    using HeadWords for uint256;

    uint256 private constant PPM = 1e6;
    uint256 private constant HOUR = 3600;

    /// @dev Failures are bits of one word: in each lane, from the top, four for the long side and four for the short
    /// one, each in the order below minimum, above maximum, rises too far, falls too far. So the highest bit is the
    /// first failure in the order of the fields.
    uint256 private constant SHORT_SIDE = 4;
    uint256 private constant ABOVE_MAXIMUM = 1;
    uint256 private constant RISES_TOO_FAR = 2;
    uint256 private constant FALLS_TOO_FAR = 3;

    /// @dev What an accepted tuple does to the tuple in force, or why it is refused. `reason`, `inForce` and `offered`
    /// are those of the field that failed, and mean nothing when accepted.
    struct Verdict {
        bool accepted;
        bool rises;
        bool falls;
        bool isCorrection;
        IMarginOracle.Refusal reason;
        uint256 inForce;
        uint256 offered;
    }

    /// @notice Judges a tuple (packed as in `MarginWords`) whose time is not before that of the tuple in force.
    /// @param inForce The market's tuple in force, zero when none was posted.
    /// @param head Whose dwell and minimum delay count, see `HeadWords`. A fall has had the dwell before it takes effect,
    /// so it may use at least that time: else a heartbeat shorter than the dwell would slow it down.
    /// @param liftsRises Whether the limits of rises are lifted (`exceedsStep`, signed by the higher quorum); those of
    /// falls and the absolute range never are.
    /// @param verdict Receives the answer, so that one place in memory serves all markets of a report.
    function judge(
        MarginWords.Market storage market,
        uint256 inForce,
        uint256 offered,
        uint256 head,
        bool liftsRises,
        Verdict memory verdict
    ) internal view {
        (uint256 first, uint256 second) = (market.firstLimits, market.secondLimits);
        (uint256 long, uint256 short) = (MarginWords.longSide(offered), MarginWords.shortSide(offered));
        if (first == 0) return _refuse(verdict, IMarginOracle.Refusal.UnknownMarket, 0, 0);
        if (!_initialCovers(long)) return _refuseInitial(verdict, MarginWords.longSide(inForce), long);
        if (!_initialCovers(short)) return _refuseInitial(verdict, MarginWords.shortSide(inForce), short);
        uint256 failures = _outOfRange(first, second, long) | _outOfRange(first, second, short) >> SHORT_SIDE;
        (verdict.rises, verdict.falls) = (false, false);
        if (inForce != 0) {
            (verdict.rises, verdict.falls) = (MarginWords.rises(inForce, offered), MarginWords.rises(offered, inForce));
            if (verdict.rises && !liftsRises) failures |= _risesTooFar(first, second, inForce, offered);
            if (verdict.falls) failures |= _fallsTooFar(first, second, inForce, offered, head.dwellSeconds());
        }
        if (failures != 0) return _refuseField(verdict, inForce, offered, LibBit.fls(failures));
        _judgeTime(verdict, inForce, offered, head, liftsRises);
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

    function _initialCovers(uint256 side) private pure returns (bool) {
        return MarginWords.initialOf(side) >= MarginWords.maintenanceOf(side);
    }

    function _outOfRange(uint256 first, uint256 second, uint256 side) private pure returns (uint256) {
        return MarginWords.lacking(side, MarginWords.minima(first, second))
            | MarginWords.lacking(MarginWords.maxima(first, second), side) >> ABOVE_MAXIMUM;
    }

    function _risesTooFar(uint256 first, uint256 second, uint256 inForce, uint256 offered)
        private
        pure
        returns (uint256)
    {
        uint256 elapsed = _elapsed(inForce, offered);
        (uint256 long, uint256 short) = (MarginWords.longSide(inForce), MarginWords.shortSide(inForce));
        unchecked {
            long = MarginWords.lacking(long + _rise(first, second, long, elapsed), MarginWords.longSide(offered));
            short = MarginWords.lacking(short + _rise(first, second, short, elapsed), MarginWords.shortSide(offered));
        }
        return (long | short >> SHORT_SIDE) >> RISES_TOO_FAR;
    }

    function _fallsTooFar(uint256 first, uint256 second, uint256 inForce, uint256 offered, uint256 dwellSeconds)
        private
        pure
        returns (uint256)
    {
        uint256 fall = _fall(first, second, Math.max(_elapsed(inForce, offered), dwellSeconds));
        (uint256 long, uint256 short) = (MarginWords.longSide(offered), MarginWords.shortSide(offered));
        unchecked {
            long = MarginWords.lacking(long + fall, MarginWords.longSide(inForce));
            short = MarginWords.lacking(short + fall, MarginWords.shortSide(inForce));
        }
        return (long | short >> SHORT_SIDE) >> FALLS_TOO_FAR;
    }

    function _elapsed(uint256 inForce, uint256 offered) private pure returns (uint256) {
        unchecked {
            return MarginWords.time(offered) - MarginWords.time(inForce);
        }
    }

    /// @dev The largest rises of a side, in lanes.
    function _rise(uint256 first, uint256 second, uint256 before, uint256 elapsedSeconds)
        private
        pure
        returns (uint256)
    {
        uint256 maintenance = MarginWords.maintenanceLimits(first, second);
        return MarginWords.lanes(
            _step(MarginWords.initialLimits(first), MarginWords.initialOf(before)),
            _overTime(MarginWords.riseHourly(maintenance), elapsedSeconds),
            _step(MarginWords.slopeLimits(second), MarginWords.slopeOf(before))
        );
    }

    /// @dev The largest falls of either side, in lanes.
    function _fall(uint256 first, uint256 second, uint256 elapsedSeconds) private pure returns (uint256) {
        uint256 maintenance = MarginWords.maintenanceLimits(first, second);
        return MarginWords.lanes(
            _overTime(MarginWords.fallHourly(MarginWords.initialLimits(first)), elapsedSeconds),
            _overTime(MarginWords.fallHourly(maintenance), elapsedSeconds),
            _overTime(MarginWords.fallHourly(MarginWords.slopeLimits(second)), elapsedSeconds)
        );
    }

    /// @dev Beyond the largest value a limit limits nothing: cut there, it stays in its lane.
    function _overTime(uint256 hourly, uint256 elapsedSeconds) private pure returns (uint256) {
        unchecked {
            return Math.min(hourly * elapsedSeconds / HOUR, type(uint32).max);
        }
    }

    /// @dev Below 2^45, so it stays in its lane.
    function _step(uint256 limits, uint256 before) private pure returns (uint256) {
        unchecked {
            return Math.max(MarginWords.stepRelativePpm(limits) * before / PPM, MarginWords.stepMinimum(limits));
        }
    }

    /// @dev One rise within the minimum delay of the last is a correction, so that no delay holds up the repair of a
    /// wrong figure; a second one waits, so that steps cannot be taken one upon the other.
    function _judgeTime(Verdict memory verdict, uint256 inForce, uint256 offered, uint256 head, bool liftsRises)
        private
        pure
    {
        uint256 minimumDelay = head.minimumDelaySeconds();
        (verdict.accepted, verdict.isCorrection) = (true, false);
        if (!verdict.rises || liftsRises) return;
        uint256 since = MarginWords.roseSecondsBefore(inForce, MarginWords.time(offered));
        if (since >= minimumDelay) return;
        if (MarginWords.isCorrected(inForce)) {
            return _refuse(verdict, IMarginOracle.Refusal.RiseTooSoon, since, minimumDelay);
        }
        verdict.isCorrection = true;
    }

    function _refuseInitial(Verdict memory verdict, uint256 before, uint256 side) private pure {
        _refuse(
            verdict,
            IMarginOracle.Refusal.InitialBelowMaintenance,
            MarginWords.initialOf(before),
            MarginWords.initialOf(side)
        );
    }

    /// @param bit The first failure: lane, side and check, see `SHORT_SIDE`.
    function _refuseField(Verdict memory verdict, uint256 inForce, uint256 offered, uint256 bit) private pure {
        uint256 group = 2 - bit / 64;
        uint256 place = 63 - bit % 64;
        uint256 field = 2 * group + place / SHORT_SIDE;
        uint256 check = place % SHORT_SIDE;
        uint256 reason = uint256(IMarginOracle.Refusal.BelowMinimum) + check;
        if (check == RISES_TOO_FAR) reason += group;
        if (check == FALLS_TOO_FAR) reason = uint256(IMarginOracle.Refusal.RateDown);
        _refuse(
            verdict,
            IMarginOracle.Refusal(reason),
            MarginWords.valueAt(inForce, field),
            MarginWords.valueAt(offered, field)
        );
    }

    function _refuse(Verdict memory verdict, IMarginOracle.Refusal reason, uint256 inForce, uint256 offered)
        private
        pure
    {
        (verdict.accepted, verdict.reason, verdict.inForce, verdict.offered) = (false, reason, inForce, offered);
    }
}
