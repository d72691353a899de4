// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What went wrong elsewhere, tried here. Numbers are those of the incident list in the documentation.
contract IncidentsTest is OracleFixture {
    function setUp() external {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        postDefaults(2);
        pass(1 hours);
    }

    /// @dev A cap was clamped to a limit while its time was not: linked fields drifted apart. Here a tuple that
    /// breaks a limit is refused whole, its time with it, and what follows is measured from the true tuple in force.
    function test_incident_i1_a_value_beyond_its_limit_is_refused_with_its_time_never_clamped() external {
        IMarginOracle.CurrentMargin memory before = oracle.marginUnsafe(1);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 200_000;
        report.markets[0].maintenanceLong = 60_000; // within its own limit, refused with the rest
        postReport(report);
        vm.assertEq(keccak256(abi.encode(oracle.marginUnsafe(1))), keccak256(abi.encode(before)));
        pass(1 hours);
        report = draft(2);
        report.markets[0].maintenanceLong = 50_000 + 2 * 18_000; // two hours since the tuple in force, not one
        postReport(report);
        vm.assertEq(oracle.margin(1).maintenanceLong, 86_000);
    }

    /// @dev The same incident's other half: a report built on an old state must not act on the new one.
    function test_incident_i1_a_report_from_a_stale_start_is_refused() external {
        bytes memory old = packSigned(draft(2));
        pass(12);
        postDefaults(2);
        vm.expectPartialRevert(IMarginOracle.SequenceNotIncreasing.selector);
        oracle.post(old);
    }

    /// @dev And whatever was once accepted or refused is refused in every state that comes after.
    function test_incident_i1_no_old_report_is_taken_in_any_later_state() external {
        bytes[] memory old = new bytes[](6);
        for (uint256 round = 0; round < old.length; ++round) {
            IMarginOracle.Report memory report = draft(2);
            report.markets[0].initialLong = uint32(100_000 + 5_000 * round);
            old[round] = packSigned(report);
            if (round % 2 == 0) oracle.post(old[round]);
            else postDefaults(2); // the one that was overtaken
            bytes32 before = keccak256(abi.encode(oracle.marketState(1)));
            for (uint256 i = 0; i <= round; ++i) {
                vm.expectPartialRevert(IMarginOracle.SequenceNotIncreasing.selector);
                oracle.post(old[i]);
            }
            vm.assertEq(keccak256(abi.encode(oracle.marketState(1))), before);
            pass(1 hours);
        }
    }

    /// @dev A step is taken from what is in force, whatever the keeper believed to be.
    function test_incident_i1_a_step_from_a_stale_belief_is_measured_from_what_is_in_force() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 84_000;
        postReport(report);
        pass(1 hours);
        report = draft(2);
        report.markets[0].initialLong = 125_000; // a quarter above 100,000, which is no longer in force
        postReport(report);
        vm.assertEq(oracle.margin(2).referenceTimestamp, report.referenceTimestamp);
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 84_000);
    }

    /// @dev The wrong figure was in force one block after it was published. A looser one waits here, and the guardian
    /// drops it meanwhile.
    function test_incident_i1_a_looser_figure_waits_where_it_can_be_dropped() external {
        setTiming(HEARTBEAT, 24 hours, 0);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 97_150; // 2.85 % low
        postReport(report);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
        pass(20 minutes);
        vm.prank(GUARDIAN);
        oracle.cancelPending(1);
        pass(24 hours);
        postDefaults(2);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
    }

    /// @dev Updates did not land. Here anybody may submit a signed report, also a late one.
    function test_incident_i2_anybody_lands_a_report_while_it_is_valid() external {
        bytes memory packed = packSigned(draft(2));
        pass(10 minutes);
        vm.prank(address(0xAB1E));
        oracle.post(packed);
        vm.assertEq(oracle.lastSequence(), 2);
    }

    /// @dev The stale mode: silence never raises what liquidating asks for, and opening costs the fallback.
    function test_incident_i2_a_silent_keeper_liquidates_nobody_and_opening_costs_the_fallback() external {
        uint256 opening = oracle.requirement(1, true, 1e24, IMarginOracle.Purpose.Opening);
        uint256 liquidating = oracle.requirement(1, true, 1e24, IMarginOracle.Purpose.Liquidating);
        for (uint256 day = 0; day < 30; ++day) {
            pass(1 days);
            vm.assertEq(oracle.requirement(1, true, 1e24, IMarginOracle.Purpose.Liquidating), liquidating);
            vm.assertEq(oracle.requirement(1, true, 1e24, IMarginOracle.Purpose.Opening), opening + 0.2e24);
            (bool ok,) = oracle.tryMargin(1);
            vm.assertTrue(!ok, "usable for opening");
            vm.assertTrue(oracle.accountsStale(), "proofs are usable");
        }
    }

    /// @dev A feed stopped and its consumers read on. Here the plain read reverts and opening costs the fallback,
    /// without any help from the consumer; a value at a bound is refused, not used.
    function test_incident_i3_staleness_is_enforced_in_the_read() external {
        pass(1 hours);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        oracle.margin(1);
        vm.assertTrue(
            oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Opening) >= 0.3e18, "opening at a stale price"
        );
    }

    function test_incident_i3_a_value_beyond_its_bound_is_invalid_and_not_the_bound() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        (report.markets[0].initialLong, report.markets[0].maintenanceLong) = (5_000, 5_000);
        postReport(report);
        vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
    }

    /// @dev A ratio was posted without its factor. Off by the price of a coin it leaves the absolute range; off by less
    /// it is beyond the step; neither is used.
    function test_incident_i4_a_ratio_without_its_factor_is_refused() external {
        uint32[4] memory wrong = [uint32(45), 33_333, 300_000, 22_000_000]; // 1/2,200, a third, thrice, 220 times
        IMarginOracle.Refusal[4] memory reasons = [
            IMarginOracle.Refusal.BelowMinimum,
            IMarginOracle.Refusal.RateDown,
            IMarginOracle.Refusal.InitialStepUp,
            IMarginOracle.Refusal.AboveMaximum
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            IMarginOracle.Report memory report = draft(2);
            report.markets[0].initialLong = wrong[i];
            report.markets[0].maintenanceLong = wrong[i] < 20_000 ? wrong[i] : 20_000;
            bytes memory packed = packSigned(report);
            vm.expectEmit(address(oracle));
            emit IMarginOracle.MarketRefused(1, report.sequence, reasons[i], 100_000, wrong[i]);
            oracle.post(packed);
            vm.assertEq(oracle.marginUnsafe(1).initialLong, 100_000);
            pass(1);
        }
    }

    /// @dev The dwell is the shadow period: the wrong figure is seen by all before it is used by anybody.
    function test_incident_i4_a_looser_figure_is_announced_a_dwell_before_it_is_used() external {
        setTiming(HEARTBEAT, 1 hours, 0);
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 80_000;
        bytes memory packed = packSigned(report);
        uint256 word = uint256(1) << 192 | uint256(80_000) << 160 | uint256(120_000) << 128 | uint256(50_000) << 96
            | uint256(60_000) << 64 | uint256(2_000) << 32 | 3_000;
        vm.expectEmit(address(oracle));
        emit IMarginOracle.LooseningPending(1, report.sequence, uint40(vm.getBlockTimestamp() + 1 hours), word);
        oracle.post(packed);
        pass(1 hours - 1);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
        vm.expectPartialRevert(IMarginOracle.PendingNotReady.selector);
        oracle.applyPending(1);
    }

    /// @dev The digest of a report by the interface's text, in the domain of another version of the contract.
    function digestOfVersion(IMarginOracle.Report memory report, string memory version)
        internal
        view
        returns (bytes32)
    {
        bytes32[] memory hashes = new bytes32[](report.markets.length);
        string memory marketType =
            "MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,uint32 maintenanceLong,uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)";
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = keccak256(abi.encode(keccak256(bytes(marketType)), report.markets[i]));
        }
        bytes32 reportType = keccak256(
            bytes.concat(
                "Report(uint32 signerSetEpoch,uint64 sequence,uint64 referenceBlock,bytes32 referenceBlockHash,",
                "uint64 referenceTimestamp,uint64 validUntil,bytes32 modelHash,bytes32 detailsHash,bytes32 accountsRoot,",
                "uint32 accountCount,bool exceedsStep,MarketMargin[] markets)",
                bytes(marketType)
            )
        );
        bytes memory head = abi.encode(
            reportType, report.signerSetEpoch, report.sequence, report.referenceBlock, report.referenceBlockHash
        );
        bytes memory middle =
            abi.encode(report.referenceTimestamp, report.validUntil, report.modelHash, report.detailsHash);
        bytes memory tail = abi.encode(
            report.accountsRoot, report.accountCount, report.exceedsStep, keccak256(abi.encodePacked(hashes))
        );
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MarginOracle"),
                keccak256(bytes(version)),
                block.chainid,
                address(oracle)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(bytes.concat(head, middle, tail))));
    }

    function packedWithDigest(IMarginOracle.Report memory report, bytes32 digest) internal view returns (bytes memory) {
        bytes memory signatures = abi.encodePacked(uint32(3));
        for (uint256 i = 0; i < 2; ++i) {
            (bytes32 r, bytes32 vs) = vm.signCompact(set.keys[i], digest);
            signatures = abi.encodePacked(signatures, r, vs);
        }
        return bytes.concat(packReport(report, 3), packSet(set), signatures);
    }

    /// @dev An upgrade changed a scale under figures that were made for the other. A contract that reads them otherwise
    /// has another version, hence another domain: nothing that was signed for one counts for the other.
    function test_incident_i5_a_report_for_another_version_is_refused() external {
        IMarginOracle.Report memory report = draft(2);
        vm.assertEq(digestOfVersion(report, oracle.VERSION()), oracle.hashReport(report));
        refuses(
            packedWithDigest(report, digestOfVersion(report, "2")),
            abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0)
        );
        oracle.post(packedWithDigest(report, digestOfVersion(report, "1")));
        vm.assertEq(oracle.lastSequence(), 2);
    }

    function test_incident_i5_a_report_for_another_chain_or_contract_is_refused() external {
        IMarginOracle.Report memory report = draft(2);
        vm.chainId(1);
        bytes32 elsewhere = oracle.hashReport(report);
        vm.chainId(31_337);
        bytes memory reason = abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0);
        refuses(packedWithDigest(report, elsewhere), reason);
        bytes32 another = newOracle(IMarginOracle.BlockHashSource.Evm).hashReport(report);
        refuses(packedWithDigest(report, another), reason);
    }

    function test_incident_i5_all_ratios_have_one_scale() external {
        IMarginOracle.Report memory report = draft(1);
        report.exceedsStep = true;
        report.markets[0] = IMarginOracle.MarketMargin(1, 200_000, 200_000, 200_000, 200_000, 0, 0);
        postReport(report);
        for (uint256 side = 0; side < 2; ++side) {
            vm.assertEq(oracle.requirement(1, side == 0, 5e18, IMarginOracle.Purpose.Opening), 1e18);
            vm.assertEq(oracle.requirement(1, side == 0, 5e18, IMarginOracle.Purpose.Liquidating), 1e18);
        }
    }

    /// @dev A key leaked, and a vote of days stood before its replacement. Here who answers for a key replaces it in
    /// one transaction, whatever the owner's delay.
    function test_incident_i6_a_leaked_key_is_replaced_without_a_vote() external {
        vm.prank(OWNER);
        oracle.grantRotation(STRANGER, set.addresses[0]);
        vm.prank(OWNER);
        oracle.setOwnerDelay(30 days);
        bytes memory inFlight = packSigned(draft(2));
        IMarginOracle.SignerSet memory current = signerSet(set);
        vm.prank(STRANGER);
        oracle.rotateSigner(current, address(uint160(set.addresses[1]) - 1));
        refuses(inFlight, abi.encodeWithSelector(IMarginOracle.WrongEpoch.selector, 2, 1));
    }

    /// @dev A price became zero by a lost exponent. No configuration lets a zero ratio in, whatever the quorum.
    function test_incident_i7_zero_is_never_a_margin() external {
        IMarginOracle.Report memory report = draft(2);
        report.exceedsStep = true;
        report.markets[0] = IMarginOracle.MarketMargin(1, 0, 0, 0, 0, 0, 0);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, IMarginOracle.Refusal.BelowMinimum, 100_000, 0);
        postReport(report);
        IMarginOracle.MarketConfig memory config = defaultConfig();
        config.initial.minimum = 0;
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.configureMarket(1, "market", config);
    }

    /// @dev Of few sources two were left, and they were averaged. Here nothing is averaged: signers who disagree post
    /// nothing, and so do fewer than the threshold.
    function test_incident_i8_signers_who_disagree_post_nothing() external {
        IMarginOracle.Report memory one = draft(2);
        IMarginOracle.Report memory other = draft(2);
        other.markets[0].initialLong = 101_000;
        bytes4 few = IMarginOracle.NotEnoughSignatures.selector;
        refuses(packWith(one, set, 1), abi.encodeWithSelector(few, 2, 1));
        refuses(packWith(other, set, 2), abi.encodeWithSelector(few, 2, 1));
        (bytes32 r, bytes32 vs) = vm.signCompact(set.keys[0], oracle.hashReport(one));
        (bytes32 r2, bytes32 vs2) = vm.signCompact(set.keys[1], oracle.hashReport(other));
        refuses(
            bytes.concat(packReport(one, 3), packSet(set), abi.encodePacked(uint32(3), r, vs, r2, vs2)),
            abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 1)
        );
        vm.assertEq(oracle.lastSequence(), 1);
    }

    function test_incident_i8_no_set_exists_in_which_half_is_enough() external {
        for (uint8 count = 1; count <= 8; ++count) {
            SignerSet memory drawn = newSignerSet(count, count / 2, count / 2 + 1);
            vm.prank(OWNER);
            vm.expectRevert(IMarginOracle.InvalidSignerSet.selector);
            oracle.setSigners(signerSet(drawn));
        }
    }

    /// @dev What was simulated was not what was submitted. Here both are the same bytes and the same code, and the
    /// digest that the simulation returns is that of the event.
    function test_incident_i9_preview_and_post_agree_on_the_same_bytes() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 200_000;
        bytes memory packed = packSigned(report);
        (bytes32 digest, uint256 refusals) = oracle.preview(packed);
        vm.assertEq(refusals, 1);
        uint256[] memory margins = new uint256[](1);
        margins[0] = uint256(2) << 192 | uint256(100_000) << 160 | uint256(120_000) << 128 | uint256(50_000) << 96
            | uint256(60_000) << 64 | uint256(2_000) << 32 | 3_000;
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, IMarginOracle.Refusal.InitialStepUp, 100_000, 200_000);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.ReportPosted(
            report.sequence,
            digest,
            report.referenceBlock,
            report.referenceTimestamp,
            report.modelHash,
            report.detailsHash,
            report.accountsRoot,
            report.accountCount,
            margins
        );
        oracle.post(packed);
    }

    /// @dev Stale reads and a burst of liquidations when the sequencer came back. Here nobody is liquidated and nothing
    /// is opened at the old price until everybody has had the grace period to act in.
    function test_incident_i10_a_restarted_sequencer_liquidates_nobody_within_the_grace_period() external {
        address feed = address(0xFEED);
        IMarginOracle.Setup memory setup = defaultSetup();
        (setup.sequencerUptimeFeed, setup.sequencerGraceSeconds) = (feed, 30 minutes);
        oracle = newOracle(setup);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        uint256 back = vm.getBlockTimestamp();
        vm.mockCall(
            feed, abi.encodeWithSignature("latestRoundData()"), abi.encode(uint80(1), int256(0), back, back, uint80(1))
        );
        postDefaults(1);
        for (uint256 minute = 0; minute < 30; ++minute) {
            bytes memory reason = abi.encodeWithSelector(IMarginOracle.SequencerGracePeriod.selector, back + 30 minutes);
            vm.expectRevert(reason);
            oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Liquidating);
            vm.expectRevert(reason);
            oracle.margin(1);
            vm.assertTrue(
                oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Opening) >= 0.3e18, "opened below the fallback"
            );
            pass(1 minutes);
        }
        vm.assertEq(oracle.requirement(1, true, 1e18, IMarginOracle.Purpose.Liquidating), 0.05e18 + 2e9);
        vm.assertEq(oracle.margin(1).initialLong, 100_000);
    }

    /// @dev A consumer copied the heartbeat by hand, wrongly. Here it lives in the oracle alone: a change reaches
    /// every read at once.
    function test_incident_i11_the_heartbeat_lives_in_the_oracle() external {
        oracle.margin(1);
        setTiming(20 minutes, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, 1 hours, 20 minutes));
        oracle.margin(1);
        vm.assertTrue(oracle.accountsStale(), "the accounts kept the old heartbeat");
    }

    /// @dev The same message in another encoding, and padding that somebody pays for. One report has one encoding.
    function test_incident_i12_one_report_has_one_encoding() external {
        bytes memory packed = packSigned(draft(1));
        bytes memory zeros = new bytes(32 - packed.length % 32);
        bytes memory detour = bytes.concat(
            oracle.post.selector, bytes32(uint256(64)), bytes32(uint256(0)), bytes32(packed.length), packed, zeros
        );
        bytes memory oversized = bytes.concat(abi.encodeCall(oracle.post, (packed)), new bytes(320));
        (bool success,) = address(oracle).call(detour);
        vm.assertTrue(!success, "accepted through a detour");
        (success,) = address(oracle).call(oversized);
        vm.assertTrue(!success, "accepted with a tail");
        (success,) = address(oracle).call(abi.encodeCall(oracle.post, (packed)));
        vm.assertTrue(success, "the one encoding is refused");
    }
}
