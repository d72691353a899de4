// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {Actors} from "./Actors.sol";
import {Observed} from "./Observed.sol";

/// @title What consumers read, whatever happened: never older than promised, never cheaper while stale.
contract ReadsInvariants is Observed {
    uint256 private constant NOTIONAL = 1_000_000e18;
    IMarginOracle.Purpose private constant OPENING = IMarginOracle.Purpose.Opening;
    IMarginOracle.Purpose private constant LIQUIDATING = IMarginOracle.Purpose.Liquidating;

    /// @dev By the feed itself, since ten minutes at least.
    function isSequencerUp() internal view returns (bool) {
        (, int256 answer, uint256 startedAt,,) = actors.feed().latestRoundData();
        return answer == 0 && startedAt + 10 minutes <= vm.getBlockTimestamp();
    }

    function isFresh(uint32 market) internal view returns (bool) {
        uint256 time = oracle.marginUnsafe(market).referenceTimestamp;
        return time != 0 && vm.getBlockTimestamp() - time <= oracle.heartbeatSeconds() && isSequencerUp();
    }

    /// @dev What opening or liquidating asks for; `ok` is false where the read reverts.
    function asks(uint32 market, bool isLong, IMarginOracle.Purpose purpose) internal view returns (bool ok, uint256) {
        try oracle.requirement(market, isLong, NOTIONAL, purpose) returns (uint256 asked) {
            return (true, asked);
        } catch {
            return (false, 0);
        }
    }

    function invariant_fresh_read_answers_exactly_while_young_and_the_sequencer_is_up() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            (bool ok,) = oracle.tryMargin(market);
            vm.assertTrue(ok == isFresh(market), "tryMargin");
            bool answers = true;
            try oracle.margin(market) {}
            catch {
                answers = false;
            }
            vm.assertTrue(answers == ok, "margin");
            answers = true;
            try oracle.requireFresh(market) {}
            catch {
                answers = false;
            }
            vm.assertTrue(answers == ok, "requireFresh");
        }
    }

    function invariant_opening_asks_for_the_last_posted_and_while_stale_for_the_fallback_at_least() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            IMarginOracle.CurrentMargin memory current = oracle.marginUnsafe(market);
            (bool ok, uint256 asked) = asks(market, true, OPENING);
            vm.assertTrue(ok == (current.referenceTimestamp != 0), "opening is priced once a tuple is in");
            if (!ok) continue;
            uint256 slope = uint256(current.slopeLong) * NOTIONAL / 1e6; // at a million, the slope as it is
            vm.assertTrue(asked >= uint256(current.initialLong) * NOTIONAL / 1e6 + slope, "below the last posted");
            if (isFresh(market)) continue;
            uint256 fallbackPpm = oracle.marketConfig(market).fallbackInitialPpm;
            vm.assertTrue(asked >= fallbackPpm * NOTIONAL / 1e6 + slope, "below the fallback");
        }
    }

    function invariant_opening_asks_for_no_less_than_liquidating() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            for (uint256 side = 0; side < 2; ++side) {
                (bool ok, uint256 liquidating) = asks(market, side == 0, LIQUIDATING);
                if (!ok) continue;
                (, uint256 opening) = asks(market, side == 0, OPENING);
                vm.assertTrue(opening >= liquidating, "less than liquidating");
            }
        }
    }

    function invariant_liquidating_asks_for_the_maintenance_in_force_however_old() external view {
        for (uint32 market = 1; market <= 2; ++market) {
            IMarginOracle.CurrentMargin memory current = oracle.marginUnsafe(market);
            (bool ok, uint256 asked) = asks(market, false, LIQUIDATING);
            vm.assertTrue(ok == (current.referenceTimestamp != 0 && isSequencerUp()), "while the sequencer is out");
            if (ok) {
                vm.assertEq(asked, (uint256(current.maintenanceShort) + current.slopeShort) * NOTIONAL / 1e6);
            }
        }
    }

    function invariant_accounts_are_stale_without_a_root_or_beyond_the_heartbeat() external view {
        (bytes32 root,, uint40 time) = oracle.latestAccounts();
        bool isYoung = root != 0 && vm.getBlockTimestamp() - time <= oracle.heartbeatSeconds();
        vm.assertTrue(oracle.accountsStale() == !isYoung, "stale or not");
    }
}
