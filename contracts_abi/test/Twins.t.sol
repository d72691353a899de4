// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {HeadWords} from "../src/HeadWords.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginBounds} from "../src/MarginBounds.sol";
import {MarginDwell} from "../src/MarginDwell.sol";
import {MarginWords} from "../src/MarginWords.sol";
import {SignerSets} from "../src/SignerSets.sol";
import {MarketTwin} from "./MarketTwin.sol";
import {Test} from "./Test.sol";

/// @title A market's packed words against the plain twin, and each packing there and back.
contract TwinsTest is Test {
    using MarginBounds for MarginWords.Market;
    using MarginDwell for MarginWords.Market;
    using MarketTwin for MarketTwin.Market;
    using SignerSets for IMarginOracle.SignerSet;

    uint256 private constant STEPS = 24;
    uint256 private constant REASONS = 9;

    MarginWords.Market private market;
    uint256 private random;
    /// @dev Which reasons of refusal were met, and which kinds of outcome: the test of the test.
    mapping(IMarginOracle.Refusal => uint256) private refused;
    uint256 private tightened;
    uint256 private began;
    uint256 private raised;
    uint256 private applied;
    uint256 private corrected;

    // ------------------------------------------------------------------ what is drawn

    function draw(uint256 count) internal returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return random % count;
    }

    function drawBounds(bool isMaintenance) internal returns (IMarginOracle.Bounds memory bounds) {
        bounds.minimum = uint32(draw(3) == 0 ? 90_000 : 1 + draw(50_000));
        bounds.maximum = uint32(draw(3) == 0 ? 150_000 : 200_000 + draw(type(uint32).max - 200_000));
        bounds.fallHourly = drawRate();
        if (isMaintenance) {
            bounds.riseHourly = drawRate();
        } else {
            bounds.stepRelativePpm = uint32(draw(2) == 0 ? draw(500_000) : draw(2) * type(uint32).max);
            bounds.stepMinimum = uint32(draw(30_000));
        }
    }

    function drawRate() internal returns (uint32) {
        uint256 kind = draw(4);
        return kind == 0 ? uint32(draw(2) * type(uint32).max) : uint32(draw(40_000));
    }

    function drawTiming() internal returns (IMarginOracle.Timing memory) {
        uint24[5] memory dwells = [0, 1, 3_600, 7_200, type(uint24).max];
        uint16[4] memory delays = [0, 60, 3_600, type(uint16).max];
        return IMarginOracle.Timing(3_600, dwells[draw(5)], delays[draw(4)]);
    }

    function drawSeconds() internal returns (uint256) {
        uint24[8] memory lengths = [0, 0, 1, 60, 1_800, 3_600, 7_200, 100_000];
        return lengths[draw(8)];
    }

    /// @dev Near what is in force, often at the edge of a limit, rarely anywhere.
    function drawOffer(MarketTwin.Market memory twin, uint256 time) internal returns (MarketTwin.Offer memory offer) {
        offer.time = time;
        offer.exceedsStep = draw(8) == 0;
        uint256 style = draw(4); // of the whole tuple: 0 stays, 1 rises, 2 falls, 3 each as it comes
        for (uint256 field = 0; field < 6; ++field) {
            uint256 old = twin.time == 0 ? (field < 2 ? 120_000 : 95_000) : twin.inForce[field];
            uint256 way = style == 3 ? draw(3) : style;
            offer.values[field] = way == 0 ? old : way == 1 ? old + drawMove(twin, field, old) : old;
            if (way == 2) {
                uint256 fall = drawMove(twin, field, old);
                offer.values[field] = fall > old ? 0 : old - fall;
            }
            if (draw(64) == 0) offer.values[field] = draw(type(uint32).max);
            if (offer.values[field] > type(uint32).max) offer.values[field] = type(uint32).max;
        }
    }

    function drawMove(MarketTwin.Market memory twin, uint256 field, uint256 old) internal returns (uint256) {
        IMarginOracle.Bounds memory bounds = MarketTwin.boundsOf(twin.config, field);
        uint256 kind = draw(6);
        if (kind == 0) return bounds.fallHourly + draw(2);
        if (kind == 1) return old * bounds.stepRelativePpm / 1e6 + draw(2);
        if (kind == 2) return uint256(bounds.stepMinimum) + draw(2);
        if (kind == 3) return draw(uint256(bounds.riseHourly) + 2);
        return draw(200);
    }

    // ------------------------------------------------------------------ the two side by side

    function testFuzz_a_market_goes_the_way_of_its_twin(uint256 seed) external {
        this.goTogether(seed);
    }

    /// @dev Else the fuzz test could pass by meeting nothing.
    function test_the_twins_meet_every_refusal_and_every_rule() external {
        for (uint256 seed = 0; seed < 200; ++seed) {
            delete market;
            this.goTogether(seed);
        }
        for (uint256 reason = 0; reason < REASONS; ++reason) {
            vm.assertTrue(refused[IMarginOracle.Refusal(reason)] > 0, "a reason of refusal was not met");
        }
        vm.assertTrue(tightened > 99 && corrected > 9, "hardly a rise");
        vm.assertTrue(began > 99 && raised > 19 && applied > 19, "hardly a wait");
    }

    /// @dev External, so that each series begins with fresh memory.
    function goTogether(uint256 seed) external {
        random = seed;
        MarketTwin.Market memory twin;
        twin.config =
            IMarginOracle.MarketConfig(draw(64) != 0, 300_000, drawBounds(false), drawBounds(true), drawBounds(false));
        if (twin.config.exists) (market.firstLimits, market.secondLimits) = this.packed(twin.config);
        IMarginOracle.Timing memory timing = drawTiming();
        uint256 time = 1_800_000_000;
        uint256 nowSeconds = time;
        for (uint256 step = 0; step < STEPS; ++step) {
            if (draw(12) == 0) timing = drawTiming();
            nowSeconds += drawSeconds();
            if (draw(3) != 0) time = nowSeconds; // else the report is of an older time
            vm.warp(nowSeconds);
            offerBoth(twin, drawOffer(twin, time), timing, nowSeconds);
            if (draw(6) == 0) applyBoth(twin, nowSeconds);
            requireSame(twin);
        }
    }

    function packed(IMarginOracle.MarketConfig calldata config) external pure returns (uint256, uint256) {
        return MarginWords.packLimits(config);
    }

    function offerBoth(
        MarketTwin.Market memory twin,
        MarketTwin.Offer memory offer,
        IMarginOracle.Timing memory timing,
        uint256 nowSeconds
    ) internal {
        MarketTwin.Answer memory answer = twin.judge(offer, timing);
        MarginBounds.Verdict memory verdict;
        uint256 word = wordOf(offer.values, offer.time);
        uint256 head = HeadWords.withTiming(0, timing);
        uint256 before = market.current;
        market.judge(before, word, head, offer.exceedsStep, verdict);
        vm.assertTrue(verdict.accepted == answer.accepted, "one is accepted, the other refused");
        if (!answer.accepted) {
            ++refused[answer.reason];
            vm.assertTrue(verdict.reason == answer.reason, "refused for another reason");
            vm.assertEq(verdict.inForce, answer.inForce);
            vm.assertEq(verdict.offered, answer.offered);
            return;
        }
        uint256 pending;
        (market.current, pending) = market.settle(before, word, verdict, timing.dwellSeconds);
        if (pending != 0) market.pending = pending;
        note(twin, answer, offer.values, nowSeconds);
        twin.take(offer, answer, timing, nowSeconds);
    }

    function note(
        MarketTwin.Market memory twin,
        MarketTwin.Answer memory answer,
        uint256[6] memory values,
        uint256 nowSeconds
    ) internal {
        if (answer.rises) ++tightened;
        if (answer.isCorrection) ++corrected;
        if (twin.time == 0 || !MarketTwin.isBelow(values, twin.inForce)) return;
        if (twin.effective == 0) ++began;
        else if (nowSeconds < twin.effective) ++raised;
        else ++applied;
    }

    function applyBoth(MarketTwin.Market memory twin, uint256 nowSeconds) internal {
        if (twin.effective == 0 || nowSeconds < twin.effective) return;
        twin.inForce = MarketTwin.copy(twin.waiting);
        twin.effective = 0;
        if (twin.ordinal < 63) ++twin.ordinal;
        market.current = MarginDwell.applied(market.current, market.pending);
    }

    function requireSame(MarketTwin.Market memory twin) internal view {
        uint256 word = market.current;
        vm.assertEq(MarginWords.time(word), twin.time);
        vm.assertTrue(MarginWords.isPending(word) == (twin.effective != 0), "one waits, the other does not");
        if (twin.effective != 0) vm.assertEq(MarginWords.time(market.pending), twin.effective);
        for (uint256 field = 0; field < 6; ++field) {
            vm.assertEq(MarginWords.valueAt(word, field), twin.inForce[field]);
            if (twin.effective != 0) vm.assertEq(MarginWords.valueAt(market.pending, field), twin.waiting[field]);
        }
        if (twin.time == 0) return;
        vm.assertEq(MarginWords.roundId(word), twin.time * 64 + twin.ordinal);
        vm.assertTrue(MarginWords.isCorrected(word) == twin.isCorrected, "corrected or not");
        uint256 ago = twin.time - twin.lastRise;
        vm.assertEq(MarginWords.roseSecondsBefore(word, twin.time), ago > 65_535 ? 65_535 : ago);
    }

    function wordOf(uint256[6] memory values, uint256 time) internal pure returns (uint256 word) {
        for (uint256 field = 0; field < 6; ++field) {
            word = word << 32 | values[field];
        }
        return MarginWords.packTuple(word, time);
    }

    // ------------------------------------------------------------------ packings

    function testFuzz_a_tuple_is_unpacked_as_it_was_packed(uint32[6] calldata values, uint40 time) external pure {
        uint256[6] memory wide;
        for (uint256 field = 0; field < 6; ++field) {
            wide[field] = values[field];
        }
        uint256 word = wordOf(wide, time);
        IMarginOracle.CurrentMargin memory expected =
            IMarginOracle.CurrentMargin(values[0], values[1], values[2], values[3], values[4], values[5], time);
        vm.assertEq(keccak256(abi.encode(MarginWords.unpackTuple(word))), keccak256(abi.encode(expected)));
        vm.assertEq(MarginWords.packTuple(MarginWords.valuesOf(word), MarginWords.time(word)), word);
        vm.assertEq(MarginWords.withTime(word, 7), wordOf(wide, 7));
        vm.assertEq(MarginWords.announced(9, word), uint256(9) << 192 | MarginWords.valuesOf(word));
    }

    /// @dev Whatever lies above the values in a market of calldata or in a word in force stays out of a tuple.
    function testFuzz_a_tuple_takes_nothing_from_beside_its_values(uint256 dirty, uint40 time) external pure {
        uint256 word = MarginWords.packTuple(dirty, uint256(time) | dirty << 40);
        vm.assertEq(word >> 232, 0);
        vm.assertEq(MarginWords.valuesOf(word), uint192(dirty));
        vm.assertEq(MarginWords.time(word), time);
    }

    function testFuzz_the_maximum_is_that_of_each_value(uint256 left, uint256 right) external pure {
        uint256 word = MarginWords.maximum(left, right);
        for (uint256 field = 0; field < 6; ++field) {
            (uint256 a, uint256 b) = (MarginWords.valueAt(left, field), MarginWords.valueAt(right, field));
            vm.assertEq(MarginWords.valueAt(word, field), a < b ? b : a);
        }
        vm.assertEq(MarginWords.time(word), 0);
        vm.assertEq(word >> 232, 0);
    }

    function testFuzz_limits_are_unpacked_as_they_were_packed(IMarginOracle.MarketConfig memory config) external view {
        config.exists = true;
        (config.initial.riseHourly, config.slope.riseHourly) = (0, 0);
        (config.maintenance.stepRelativePpm, config.maintenance.stepMinimum) = (0, 0);
        if (config.initial.minimum == 0) config.initial.minimum = 1;
        (uint256 first, uint256 second) = this.packed(config);
        vm.assertEq(keccak256(abi.encode(MarginWords.unpackLimits(first, second))), keccak256(abi.encode(config)));
    }

    /// @dev Each field of the head is what was put in, whatever the others are and were.
    function testFuzz_a_head_keeps_what_a_report_and_the_owner_put_in(
        uint256 head,
        uint40[4] calldata drawn,
        IMarginOracle.Timing calldata timing,
        bool paused
    ) external pure {
        head &= ~(uint256(0xfe) << 240); // the place of the root is 0 or 1
        uint256 place = HeadWords.rootIndex(head);
        IMarginOracle.Report memory report;
        (report.sequence, report.referenceBlock, report.referenceTimestamp) = (drawn[0], drawn[1], drawn[2]);
        head = HeadWords.withTiming(head, timing);
        head = HeadWords.succeed(head, report, drawn[3]);
        vm.assertTrue(!HeadWords.isPaused(head), "a report pauses");
        head = HeadWords.withPause(head, paused);
        vm.assertEq(HeadWords.sequence(head), drawn[0]);
        vm.assertEq(HeadWords.referenceBlock(head), drawn[1]);
        vm.assertEq(HeadWords.referenceTimestamp(head), drawn[2]);
        vm.assertEq(HeadWords.previousRootUntil(head), drawn[3]);
        vm.assertEq(HeadWords.heartbeatSeconds(head), timing.heartbeatSeconds);
        vm.assertEq(HeadWords.dwellSeconds(head), timing.dwellSeconds);
        vm.assertEq(HeadWords.minimumDelaySeconds(head), timing.minimumDelaySeconds);
        vm.assertEq(HeadWords.rootIndex(head), 1 - place);
        vm.assertTrue(HeadWords.isPaused(head) == paused, "paused or not");
        vm.assertEq(HeadWords.withPause(HeadWords.withPause(head, !paused), paused), head);
    }

    /// @dev Replacing in a sorted set is taking out, adding, and sorting.
    function testFuzz_replacing_a_signer_keeps_the_set_sorted(uint160[] calldata drawn, uint256 index, address to)
        external
        pure
    {
        uint256 count = drawn.length > 32 ? 32 : drawn.length;
        vm.assume(count > 0);
        address[] memory signers = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            insert(signers, i, address(drawn[i]));
        }
        index = bound(index, 0, count - 1);
        address from = signers[index];
        while (index > 0 && signers[index - 1] == from) --index; // of equal ones the first
        address[] memory expected = new address[](count);
        uint256 place = 0;
        for (uint256 i = 0; i < count; ++i) {
            if (i != index) insert(expected, place++, signers[i]);
        }
        insert(expected, place, to);
        IMarginOracle.SignerSet memory set = IMarginOracle.SignerSet(1, 2, signers);
        vm.assertTrue(set.replace(from, to), "a member is not found");
        vm.assertEq(keccak256(abi.encode(set.signers)), keccak256(abi.encode(expected)));
    }

    function testFuzz_replacing_a_stranger_changes_nothing(uint160[4] calldata drawn, address from, address to)
        external
        pure
    {
        address[] memory signers = new address[](4);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assume(address(drawn[i]) != from);
            signers[i] = address(drawn[i]);
        }
        IMarginOracle.SignerSet memory set = IMarginOracle.SignerSet(1, 2, signers);
        bytes32 before = keccak256(abi.encode(set));
        vm.assertTrue(!set.replace(from, to), "a stranger is found");
        vm.assertEq(keccak256(abi.encode(set)), before);
    }

    /// @dev Puts an address in its place among the first `count`.
    function insert(address[] memory sorted, uint256 count, address added) internal pure {
        uint256 place = count;
        for (; place > 0 && sorted[place - 1] > added; --place) {
            sorted[place] = sorted[place - 1];
        }
        sorted[place] = added;
    }
}
