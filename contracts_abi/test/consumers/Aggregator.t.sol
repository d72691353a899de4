// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginAggregatorV3} from "../../src/consumers/MarginAggregatorV3.sol";
import {MarginFigures} from "../../src/consumers/MarginFigures.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @title A figure as a Chainlink feed: units, rounds, history, staleness.
contract AggregatorTest is OracleFixture {
    bytes private constant NO_DATA = "No data present";

    MarginAggregatorV3 private feed;

    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        feed = newFeed(MarginFigures.Figure.InitialLong);
    }

    function newFeed(MarginFigures.Figure figure) private returns (MarginAggregatorV3) {
        return
            MarginAggregatorV3(deploy("MarginAggregatorV3", abi.encode(oracle, 1, figure, "ETH initial margin, long")));
    }

    /// @dev Market 1's initial margin for longs, a while after the last post.
    function postInitial(uint256 elapsedSeconds, uint32 initialLong) private returns (uint80 roundId) {
        pass(elapsedSeconds);
        IMarginOracle.Report memory report = draft(1);
        report.markets[0].initialLong = initialLong;
        postReport(report);
        return 1 << 64 | oracle.marketState(1).roundId;
    }

    function expectRound(uint80 roundId, int256 answer, uint256 updatedAt) private view {
        (uint80 id, int256 value, uint256 startedAt, uint256 time, uint80 answeredIn) = feed.getRoundData(roundId);
        vm.assertEq(id, roundId);
        vm.assertEq(value, answer);
        vm.assertEq(startedAt, updatedAt);
        vm.assertEq(time, updatedAt);
        vm.assertEq(answeredIn, roundId);
    }

    function expectNoData(uint80 roundId) private {
        vm.expectRevert(NO_DATA);
        feed.getRoundData(roundId);
    }

    function test_latest_round_is_that_of_the_oracle() external {
        uint80 roundId = postInitial(1, 100_000);
        uint256 referenceTime = vm.getBlockTimestamp();
        pass(5 minutes);
        (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) = feed.latestRoundData();
        vm.assertEq(id, roundId);
        vm.assertEq(roundId >> 64, 1);
        vm.assertEq(uint64(roundId), referenceTime * 64);
        vm.assertEq(answer, 100_000);
        vm.assertEq(startedAt, referenceTime);
        vm.assertEq(updatedAt, referenceTime);
        vm.assertEq(answeredIn, roundId);
        vm.assertEq(feed.decimals(), 6);
        vm.assertEq(feed.version(), 1);
        vm.assertEq(feed.description(), "ETH initial margin, long");
    }

    function test_each_figure_has_its_feed() external {
        postInitial(1, 100_000);
        uint256[6] memory figures = [uint256(100_000), 120_000, 50_000, 60_000, 2_000, 3_000];
        for (uint8 i = 0; i < 6; ++i) {
            (, int256 answer,,,) = newFeed(MarginFigures.Figure(i)).latestRoundData();
            vm.assertEq(uint256(answer), figures[i]);
        }
    }

    function test_incident_i3_a_stale_latest_round_reverts_and_stays_readable_by_id() external {
        uint80 roundId = postInitial(1, 100_000);
        uint256 referenceTime = vm.getBlockTimestamp();
        pass(HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        feed.latestRoundData();
        expectRound(roundId, 100_000, referenceTime);
    }

    function test_before_the_first_post_there_is_nothing() external {
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 1));
        feed.latestRoundData();
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 1));
        feed.record();
        expectNoData(0);
        expectNoData(1 << 64);
        vm.assertEq(feed.previousRoundId(), 0);
    }

    function test_an_unknown_market_has_no_feed() external {
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 2));
        new MarginAggregatorV3(oracle, 2, MarginFigures.Figure.InitialLong, "");
    }

    function test_latest_and_previous_round_are_readable_older_ones_not() external {
        uint80 first = postInitial(1, 100_000);
        uint256 firstTime = vm.getBlockTimestamp();
        vm.expectEmit(address(feed));
        emit MarginAggregatorV3.AnswerUpdated(100_000, first, firstTime);
        vm.prank(STRANGER);
        feed.record();
        vm.assertEq(feed.previousRoundId(), 0);
        uint80 second = postInitial(1 minutes, 110_000);
        uint256 secondTime = vm.getBlockTimestamp();
        vm.assertEq(feed.previousRoundId(), first); // before and after it is recorded
        expectRound(second, 110_000, secondTime);
        feed.record();
        vm.assertEq(feed.previousRoundId(), first);
        expectRound(first, 100_000, firstTime);
        expectRound(second, 110_000, secondTime);
        uint80 third = postInitial(1 minutes, 120_000);
        vm.assertEq(feed.previousRoundId(), second);
        expectRound(second, 110_000, secondTime);
        expectRound(third, 120_000, vm.getBlockTimestamp());
        expectNoData(first);
        expectNoData(third + 1);
        expectNoData(third - 1);
        expectNoData(uint64(third)); // without its phase
        expectNoData(0);
    }

    function test_a_round_that_nobody_recorded_is_gone() external {
        uint80 first = postInitial(1, 100_000);
        postInitial(1 minutes, 110_000);
        expectNoData(first);
        vm.assertEq(feed.previousRoundId(), 0);
    }

    function test_a_round_is_recorded_once() external {
        uint80 roundId = postInitial(1, 100_000);
        feed.record();
        vm.expectRevert(abi.encodeWithSelector(MarginAggregatorV3.AlreadyRecorded.selector, roundId));
        feed.record();
        vm.assertEq(feed.previousRoundId(), 0);
    }

    /// @dev Some rounds share their reference time with the one before; some are recorded.
    function test_fuzz_rounds_increase_and_the_previous_is_the_last_recorded(uint256 random) external {
        uint80 last;
        uint80 recorded;
        for (uint32 i = 0; i < 10; ++i) {
            uint80 roundId = postInitial((random >> i) & 1 == 1 ? 10 minutes : 0, 100_000 + i);
            vm.assertTrue(roundId > last, "round ids do not increase");
            vm.assertEq(feed.previousRoundId(), recorded);
            expectRound(roundId, int256(uint256(100_000 + i)), vm.getBlockTimestamp());
            if ((random >> (16 + i)) & 1 == 1) {
                feed.record();
                recorded = roundId;
                // What was recorded is in force, so the one before is what was recorded before it.
                vm.assertTrue(feed.previousRoundId() < roundId, "a round is its own previous one");
            }
            last = roundId;
        }
    }
}
