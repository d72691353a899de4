// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";

/// @title The rules of one market once more, from the interface's text: plain numbers, one value at a time.
/// @dev Shares no code with the contract and is as slow as it is plain. Values are in the order of `MarketMargin`.
library MarketTwin {
    uint256 internal constant FIELDS = 6;

    struct Market {
        IMarginOracle.MarketConfig config;
        uint256[6] inForce;
        uint256 time; // 0 when none is in force
        uint256[6] waiting;
        uint256 effective; // 0 when none waits
        uint256 lastRise;
        bool isCorrected;
        uint256 ordinal;
    }

    struct Offer {
        uint256[6] values;
        uint256 time;
        bool exceedsStep;
    }

    struct Answer {
        bool accepted;
        IMarginOracle.Refusal reason;
        uint256 inForce;
        uint256 offered;
        bool rises;
        bool isCorrection;
    }

    function boundsOf(IMarginOracle.MarketConfig memory config, uint256 field)
        internal
        pure
        returns (IMarginOracle.Bounds memory)
    {
        return field < 2 ? config.initial : field < 4 ? config.maintenance : config.slope;
    }

    function judge(Market memory market, Offer memory offer, IMarginOracle.Timing memory timing)
        internal
        pure
        returns (Answer memory answer)
    {
        if (!market.config.exists) return refusal(IMarginOracle.Refusal.UnknownMarket, 0, 0);
        for (uint256 side = 0; side < 2; ++side) {
            if (offer.values[side] < offer.values[side + 2]) {
                return refusal(IMarginOracle.Refusal.InitialBelowMaintenance, market.inForce[side], offer.values[side]);
            }
        }
        for (uint256 field = 0; field < FIELDS; ++field) {
            (bool isRefused, IMarginOracle.Refusal reason) = refuses(market, offer, timing, field);
            if (isRefused) return refusal(reason, market.inForce[field], offer.values[field]);
            if (market.time != 0 && offer.values[field] > market.inForce[field]) answer.rises = true;
        }
        uint256 since = offer.time - market.lastRise;
        if (answer.rises && !offer.exceedsStep && since < timing.minimumDelaySeconds) {
            if (market.isCorrected) {
                return refusal(IMarginOracle.Refusal.RiseTooSoon, since, timing.minimumDelaySeconds);
            }
            answer.isCorrection = true;
        }
        answer.accepted = true;
    }

    function refuses(Market memory market, Offer memory offer, IMarginOracle.Timing memory timing, uint256 field)
        internal
        pure
        returns (bool, IMarginOracle.Refusal reason)
    {
        IMarginOracle.Bounds memory limits = boundsOf(market.config, field);
        (uint256 old, uint256 offered) = (market.inForce[field], offer.values[field]);
        if (offered < limits.minimum) return (true, IMarginOracle.Refusal.BelowMinimum);
        if (offered > limits.maximum) return (true, IMarginOracle.Refusal.AboveMaximum);
        if (market.time == 0) return (false, reason);
        uint256 elapsed = offer.time - market.time;
        if (offered < old) {
            uint256 fallSeconds = elapsed < timing.dwellSeconds ? timing.dwellSeconds : elapsed;
            bool tooFast = (old - offered) * 3600 > uint256(limits.fallHourly) * fallSeconds;
            return (tooFast, IMarginOracle.Refusal.RateDown);
        }
        if (offered == old || offer.exceedsStep) return (false, reason);
        uint256 rise = offered - old;
        if (field == 2 || field == 3) {
            return (rise * 3600 > uint256(limits.riseHourly) * elapsed, IMarginOracle.Refusal.MaintenanceRateUp);
        }
        reason = field < 2 ? IMarginOracle.Refusal.InitialStepUp : IMarginOracle.Refusal.SlopeStepUp;
        return (rise > limits.stepMinimum && rise * 1e6 > old * limits.stepRelativePpm, reason);
    }

    function refusal(IMarginOracle.Refusal reason, uint256 inForce, uint256 offered)
        internal
        pure
        returns (Answer memory answer)
    {
        (answer.reason, answer.inForce, answer.offered) = (reason, inForce, offered);
    }

    /// @notice What an accepted offer does, at the block time `nowSeconds`.
    function take(
        Market memory market,
        Offer memory offer,
        Answer memory answer,
        IMarginOracle.Timing memory timing,
        uint256 nowSeconds
    ) internal pure {
        bool isFirst = market.time == 0;
        if (isFirst || timing.dwellSeconds == 0 || !isBelow(offer.values, market.inForce)) {
            market.inForce = copy(offer.values);
            market.effective = 0;
        } else {
            dwell(market, offer.values, nowSeconds, nowSeconds + timing.dwellSeconds);
        }
        market.ordinal = isFirst || offer.time != market.time ? 0 : market.ordinal < 63 ? market.ordinal + 1 : 63;
        market.time = offer.time;
        if (answer.rises) (market.lastRise, market.isCorrected) = (offer.time, answer.isCorrection);
    }

    function dwell(Market memory market, uint256[6] memory offered, uint256 nowSeconds, uint256 effective)
        internal
        pure
    {
        bool waits = market.effective != 0;
        if (waits && nowSeconds >= market.effective) {
            bool isBelowWaiting = isBelow(offered, market.waiting);
            market.inForce = larger(market.waiting, offered);
            market.waiting = copy(offered);
            market.effective = isBelowWaiting ? effective : 0;
            return;
        }
        market.inForce = larger(market.inForce, offered);
        market.waiting = waits ? larger(market.waiting, offered) : copy(offered);
        if (!waits) market.effective = effective;
    }

    /// @notice Whether any value of `left` is below that of `right`.
    function isBelow(uint256[6] memory left, uint256[6] memory right) internal pure returns (bool found) {
        for (uint256 i = 0; i < FIELDS; ++i) {
            found = found || left[i] < right[i];
        }
    }

    function larger(uint256[6] memory left, uint256[6] memory right) internal pure returns (uint256[6] memory made) {
        for (uint256 i = 0; i < FIELDS; ++i) {
            made[i] = left[i] > right[i] ? left[i] : right[i];
        }
    }

    function copy(uint256[6] memory values) internal pure returns (uint256[6] memory made) {
        return larger(values, values);
    }
}
