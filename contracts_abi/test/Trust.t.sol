// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What each party can do at worst, as the page on trust in the documentation says.
/// @dev Three of five, four for what exceeds a step; a dwell of one hour, a delay of half an hour between rises, 48 hours
/// for the owner.
contract TrustTest is OracleFixture {
    uint32 private constant OWNER_DELAY = 48 hours;
    uint24 private constant DWELL = 1 hours;
    uint16 private constant DELAY = 30 minutes;

    function setUp() external {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.timing = IMarginOracle.Timing(HEARTBEAT, DWELL, DELAY);
        setup.ownerDelaySeconds = OWNER_DELAY;
        oracle = newOracle(setup);
        set = newSignerSet(5, 3, 4);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        for (uint160 i = 0; i < 5; ++i) {
            vm.prank(OWNER);
            oracle.grantRotation(custodian(i), set.addresses[i]);
        }
        postDefaults(1);
        pass(DELAY);
    }

    function custodian(uint160 index) internal pure returns (address) {
        return address(0xC000 + index);
    }

    function inForce() internal view returns (IMarginOracle.CurrentMargin memory) {
        return oracle.marginUnsafe(1);
    }

    /// @dev Posts by `count` of the signers; whether the tuple of market 1 was taken.
    function tries(IMarginOracle.Report memory report, uint256 count) internal returns (bool) {
        (bool success,) =
            address(oracle).call(abi.encodeCall(oracle.post, (packWith(report, set, uint32((1 << count) - 1)))));
        return success && inForce().referenceTimestamp == report.referenceTimestamp;
    }

    /// @dev A report in which one side of market 1 has these values.
    function asking(uint256 initialLong, uint256 maintenanceLong)
        internal
        view
        returns (IMarginOracle.Report memory report)
    {
        report = draft(1);
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) =
        (uint32(initialLong), uint32(maintenanceLong));
    }

    // ------------------------------------------------------------------ a quorum

    /// @dev The most that three can do: a step and its correction each delay.
    function test_three_of_five_raise_initial_by_two_steps_a_delay() external {
        uint256 taken = 0;
        uint256 expected = 100_000;
        for (uint256 minute = 0; minute < 60; ++minute) {
            uint256 most = uint256(inForce().initialLong) * 5 / 4;
            if (tries(asking(most, 50_000), 3)) {
                expected = expected * 5 / 4;
                ++taken;
            }
            pass(1 minutes);
        }
        vm.assertEq(taken, 4); // at minutes 0, 1, 31 and 32
        vm.assertEq(inForce().initialLong, expected);
        vm.assertEq(expected, 244_140); // 1.25 to the fourth
    }

    function test_three_of_five_raise_maintenance_by_the_hourly_rate() external {
        uint256 start = oracle.lastReferenceTimestamp();
        uint32 from = inForce().maintenanceLong;
        for (uint256 round = 0; round < 12; ++round) {
            uint256 elapsed = vm.getBlockTimestamp() - inForce().referenceTimestamp;
            tries(asking(100_000, inForce().maintenanceLong + 18_000 * elapsed / 3600), 3);
            uint256 all = vm.getBlockTimestamp() - start;
            vm.assertTrue((inForce().maintenanceLong - from) * 3600 <= 18_000 * all, "faster than the rate");
            pass(10 minutes);
        }
        vm.assertTrue(inForce().maintenanceLong > from, "nothing rose");
    }

    function test_any_number_of_signers_lower_by_the_hourly_rate_after_the_dwell() external {
        uint256 start = oracle.lastReferenceTimestamp();
        for (uint256 round = 0; round < 9; ++round) {
            IMarginOracle.Report memory report = asking(inForce().initialLong - 36_000, 20_000);
            report.exceedsStep = true;
            vm.assertTrue(tries(report, 5) || round > 0, "the first fall is refused");
            if (round == 0) vm.assertEq(inForce().initialLong, 100_000);
            uint256 all = vm.getBlockTimestamp() - start;
            vm.assertTrue((100_000 - inForce().initialLong) * 3600 <= 36_000 * all, "faster than the rate");
            pass(10 minutes);
        }
        vm.assertEq(inForce().initialLong, 64_000);
    }

    function test_no_quorum_leaves_the_range_of_a_market() external {
        for (uint256 count = 3; count <= 5; ++count) {
            IMarginOracle.Report memory report = asking(900_001, 50_000);
            report.exceedsStep = count > 3;
            vm.assertTrue(!tries(report, count), "above the maximum");
            pass(1);
            report = asking(9_999, 5_000);
            report.exceedsStep = count > 3;
            vm.assertTrue(!tries(report, count), "below the minimum");
            pass(1);
        }
        vm.assertEq(inForce().initialLong, 100_000);
    }

    function test_four_of_five_raise_to_the_maximum_at_once() external {
        IMarginOracle.Report memory report = asking(900_000, 800_000);
        report.exceedsStep = true;
        vm.assertTrue(!tries(report, 3), "three sufficed");
        vm.assertTrue(tries(report, 4), "four did not suffice");
        vm.assertEq(inForce().maintenanceLong, 800_000);
    }

    /// @dev No limit of the contract is about single accounts: what holds a root is its heartbeat, the guardian and what
    /// the consumer keeps of the ratios.
    function test_a_quorum_posts_any_accounts_root_and_the_guardian_voids_it() external {
        IMarginOracle.Report memory report = draft(0);
        IMarginOracle.AccountLeaf memory leaf =
            IMarginOracle.AccountLeaf(keccak256("whale"), 1, 0, 0, report.referenceBlock);
        report.accountsRoot = oracle.hashAccount(leaf);
        oracle.post(packWith(report, set, 7));
        oracle.verifyAccount(leaf, new bytes32[](0), false);
        vm.prank(GUARDIAN);
        oracle.voidAccounts();
        vm.expectPartialRevert(IMarginOracle.UnknownRoot.selector);
        oracle.verifyAccount(leaf, new bytes32[](0), true);
    }

    function test_two_of_five_post_nothing() external {
        bytes32 before = keccak256(abi.encode(oracle.marketState(1), oracle.lastSequence()));
        for (uint32 bitmap = 0; bitmap < 32; ++bitmap) {
            uint256 count = 0;
            for (uint256 i = 0; i < 5; ++i) {
                count += (bitmap >> i) & 1;
            }
            if (count > 2) continue;
            bytes memory packed = packWith(draft(1), set, bitmap);
            vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 3, count));
            oracle.post(packed);
        }
        vm.assertEq(keccak256(abi.encode(oracle.marketState(1), oracle.lastSequence())), before);
    }

    // ------------------------------------------------------------------ custodians

    function rotate(uint160 index, uint256 key) internal {
        IMarginOracle.SignerSet memory current = signerSet(set);
        (address from,) = oracle.rotation(custodian(index));
        vm.prank(custodian(index));
        oracle.rotateSigner(current, vm.addr(key));
        uint256 place = 0;
        while (set.addresses[place] != from) ++place;
        for (; place < 4 && set.addresses[place + 1] < vm.addr(key); ++place) {
            (set.addresses[place], set.keys[place]) = (set.addresses[place + 1], set.keys[place + 1]);
        }
        for (; place > 0 && set.addresses[place - 1] > vm.addr(key); --place) {
            (set.addresses[place], set.keys[place]) = (set.addresses[place - 1], set.keys[place - 1]);
        }
        (set.addresses[place], set.keys[place]) = (vm.addr(key), key);
    }

    /// @dev The bitmap of the keys from 100 on: those that custodians put in.
    function ownKeys() internal view returns (uint32 bitmap) {
        for (uint256 i = 0; i < 5; ++i) {
            if (set.keys[i] >= 100) bitmap |= uint32(1 << i);
        }
    }

    function test_custodians_of_fewer_than_the_threshold_post_nothing() external {
        rotate(0, 100);
        bytes memory packed = packWith(draft(1), set, ownKeys());
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 3, 1));
        oracle.post(packed);
        rotate(1, 101);
        packed = packWith(draft(1), set, ownKeys());
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 3, 2));
        oracle.post(packed);
    }

    /// @dev As many custodians as a quorum are a quorum; they are held to its limits.
    function test_custodians_of_a_threshold_are_a_quorum() external {
        for (uint160 i = 0; i < 3; ++i) {
            rotate(i, 100 + i);
        }
        oracle.post(packWith(asking(125_000, 50_000), set, ownKeys()));
        vm.assertEq(inForce().initialLong, 125_000);
    }

    function test_a_custodian_delays_a_report_once_a_day_at_most() external {
        bytes memory inFlight = packWith(draft(1), set, 7);
        rotate(0, 100);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.WrongEpoch.selector, 2, 1));
        oracle.post(inFlight);
        oracle.post(packWith(draft(1), set, 7));
        IMarginOracle.SignerSet memory current = signerSet(set);
        vm.prank(custodian(0));
        vm.expectPartialRevert(IMarginOracle.RotationTooSoon.selector);
        oracle.rotateSigner(current, vm.addr(101));
    }

    // ------------------------------------------------------------------ the owner

    function ownerProposes(bytes memory change) internal {
        vm.prank(OWNER);
        oracle.proposeChange(change);
    }

    function ownerExecutes(bytes memory change) internal {
        vm.prank(OWNER);
        oracle.executeChange(change);
    }

    /// @dev Signers of its own, any limits, no dwell: the owner is everything, but after its delay.
    function test_the_owner_alone_sets_a_ratio_no_sooner_than_its_delay() external {
        SignerSet memory own = newSignerSet(3, 2, 3);
        own.keys = new uint256[](3);
        (own.keys[0], own.keys[1], own.keys[2]) = (201, 202, 203);
        for (uint256 i = 0; i < 3; ++i) {
            own.addresses[i] = vm.addr(own.keys[i]);
        }
        for (uint256 swaps = 0; swaps < 4; ++swaps) {
            uint256 i = swaps % 2;
            if (own.addresses[i] > own.addresses[i + 1]) {
                (own.addresses[i], own.addresses[i + 1]) = (own.addresses[i + 1], own.addresses[i]);
                (own.keys[i], own.keys[i + 1]) = (own.keys[i + 1], own.keys[i]);
            }
        }
        IMarginOracle.MarketConfig memory config = defaultConfig();
        (config.initial.minimum, config.maintenance.minimum, config.fallbackInitialPpm) = (1, 1, 1);
        (config.initial.fallHourly, config.maintenance.fallHourly) = (type(uint32).max, type(uint32).max);
        bytes[3] memory changes = [
            abi.encodeCall(oracle.setSigners, (signerSet(own))),
            abi.encodeCall(oracle.configureMarket, (1, "market", config)),
            abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(HEARTBEAT, 0, 0)))
        ];
        for (uint256 i = 0; i < 3; ++i) {
            ownerProposes(changes[i]);
        }
        pass(OWNER_DELAY - 1);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectPartialRevert(IMarginOracle.ChangeNotReady.selector);
            vm.prank(OWNER);
            oracle.executeChange(changes[i]);
        }
        pass(1);
        for (uint256 i = 0; i < 3; ++i) {
            ownerExecutes(changes[i]);
        }
        set = own;
        oracle.post(packWith(asking(1, 1), set, 3));
        vm.assertEq(inForce().initialLong, 1);
    }

    /// @dev The guardian stops every change but its own dismissal: against it the owner needs two delays.
    function test_against_the_guardian_the_owner_needs_two_delays() external {
        bytes memory dismissal = abi.encodeCall(oracle.setGuardian, (OWNER));
        bytes memory change = abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(HEARTBEAT, 0, 0)));
        ownerProposes(dismissal);
        ownerProposes(change);
        pass(OWNER_DELAY - 1);
        vm.prank(GUARDIAN);
        oracle.cancelChange(change);
        pass(1);
        ownerExecutes(dismissal);
        ownerProposes(change);
        pass(OWNER_DELAY - 1);
        vm.expectPartialRevert(IMarginOracle.ChangeNotReady.selector);
        vm.prank(OWNER);
        oracle.executeChange(change);
        pass(1);
        ownerExecutes(change);
        vm.assertEq(oracle.timing().dwellSeconds, 0);
    }

    /// @dev A longer delay counts for what is announced from then on; what was announced before is there to be read.
    function test_what_was_announced_under_a_shorter_delay_keeps_its_time() external {
        bytes memory shorter = abi.encodeCall(oracle.setOwnerDelay, (1 hours));
        ownerProposes(shorter);
        pass(OWNER_DELAY);
        ownerExecutes(shorter);
        bytes memory longer = abi.encodeCall(oracle.setOwnerDelay, (uint32(OWNER_DELAY)));
        bytes memory change = abi.encodeCall(oracle.setTiming, (IMarginOracle.Timing(HEARTBEAT, 0, 0)));
        ownerProposes(longer);
        ownerProposes(change);
        pass(1 hours);
        ownerExecutes(longer);
        vm.assertEq(oracle.readyTimestamp(keccak256(change)), vm.getBlockTimestamp());
        ownerExecutes(change);
        vm.assertEq(oracle.timing().dwellSeconds, 0);
    }

    // ------------------------------------------------------------------ the guardian

    /// @dev All that it stops at once, for as long as it is in office: the figures age, and nothing else.
    function test_the_guardian_at_worst_lets_the_figures_grow_old() external {
        uint256 liquidating = oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Liquidating);
        vm.prank(GUARDIAN);
        oracle.pause();
        bytes memory dismissal = abi.encodeCall(oracle.setGuardian, (STRANGER));
        ownerProposes(dismissal);
        pass(OWNER_DELAY);
        vm.assertEq(oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Liquidating), liquidating);
        vm.assertTrue(
            oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Opening) >= 0.3e18, "opened below the fallback"
        );
        ownerExecutes(dismissal);
        vm.prank(STRANGER);
        oracle.unpause();
        postDefaults(1);
        oracle.margin(1);
    }
}
