// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {BlockHashes} from "../src/BlockHashes.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginOracle} from "../src/MarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What makes a report acceptable as a whole: every way in which it is not, and that it changes nothing then.
contract PostTest is OracleFixture {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        configure(2);
    }

    /// @dev `post` and `preview` must refuse alike.
    function refuses(bytes memory packed, bytes memory reason) internal {
        vm.expectRevert(reason);
        oracle.preview(packed);
        vm.expectRevert(reason);
        oracle.post(packed);
    }

    function refusesCall(bytes memory callData, bytes memory reason) internal {
        (bool success, bytes memory answer) = address(oracle).call(callData);
        vm.assertTrue(!success, "accepted");
        vm.assertEq(answer, reason);
    }

    function encoded(bytes4 selector) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector);
    }

    // ------------------------------------------------------------------ accepted

    function test_post_stores_head_root_and_markets() external {
        IMarginOracle.Report memory report = draft(2);
        (bytes32 digest, uint256 refusals) = oracle.preview(packSigned(report));
        vm.assertEq(digest, oracle.hashReport(report));
        vm.assertEq(refusals, 0);
        vm.prank(STRANGER);
        postReport(report);
        vm.assertEq(oracle.lastSequence(), report.sequence);
        vm.assertEq(oracle.lastReferenceBlock(), report.referenceBlock);
        vm.assertEq(oracle.lastReferenceTimestamp(), report.referenceTimestamp);
        vm.assertEq(oracle.heartbeatSeconds(), HEARTBEAT);
        (bytes32 root, uint64 referenceBlock, uint40 referenceTimestamp) = oracle.latestAccounts();
        vm.assertEq(root, report.accountsRoot);
        vm.assertEq(referenceBlock, report.referenceBlock);
        vm.assertEq(referenceTimestamp, report.referenceTimestamp);
        IMarginOracle.CurrentMargin memory current = oracle.margin(2);
        vm.assertEq(
            keccak256(abi.encode(current)),
            keccak256(
                abi.encode(
                    IMarginOracle.CurrentMargin(
                        100_000, 120_000, 50_000, 60_000, 2_000, 3_000, uint40(report.referenceTimestamp)
                    )
                )
            )
        );
    }

    function test_post_announces_the_round_with_the_tuples_that_took_effect() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[0].initialLong = 1; // below the minimum of market 1
        report.markets[0].maintenanceLong = 1;
        bytes memory packed = packSigned(report);
        uint256[] memory margins = new uint256[](1);
        margins[0] = uint256(2) << 192 | uint256(100_000) << 160 | uint256(120_000) << 128 | uint256(50_000) << 96
            | uint256(60_000) << 64 | uint256(2_000) << 32 | 3_000;
        vm.expectEmit(address(oracle));
        emit IMarginOracle.MarketRefused(1, report.sequence, IMarginOracle.Refusal.BelowMinimum, 0, 1);
        vm.expectEmit(address(oracle));
        emit IMarginOracle.ReportPosted(
            report.sequence,
            oracle.hashReport(report),
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

    function test_post_takes_any_quorum_and_more_than_a_quorum() external {
        uint32[3] memory bitmaps = [uint32(0x15), 0x1c, 0x1f];
        for (uint256 i = 0; i < 3; ++i) {
            oracle.post(packWith(draft(1), set, bitmaps[i]));
            pass(1 hours);
        }
        vm.assertEq(oracle.lastSequence(), 3);
    }

    function test_post_without_markets_is_a_round() external {
        postDefaults(0);
        vm.assertEq(oracle.lastSequence(), 1);
    }

    function test_sequence_may_skip_and_the_previous_root_is_still_the_one_before() external {
        IMarginOracle.Report memory report = draft(0);
        report.accountsRoot = keccak256("first");
        postReport(report);
        pass(12);
        report = draft(0);
        report.sequence += 7;
        postReport(report);
        (bytes32 root,,) = oracle.latestAccounts();
        vm.assertEq(root, report.accountsRoot);
    }

    // ------------------------------------------------------------------ form

    function test_length_must_be_exact() external {
        bytes memory packed = packSigned(draft(1));
        bytes4 selector = IMarginOracle.InvalidCalldataLength.selector;
        refuses(bytes.concat(packed, hex"00"), abi.encodeWithSelector(selector, packed.length, packed.length + 1));
        refuses("", abi.encodeWithSelector(selector, 172, 0));
        bytes memory cut = packed;
        assembly ("memory-safe") {
            mstore(cut, 200)
        }
        refuses(cut, abi.encodeWithSelector(selector, 172 + 28 + 2 + 100 + 4, 200));
    }

    function testFuzz_every_truncation_is_refused(uint256 length) external {
        bytes memory packed = packSigned(draft(2));
        length = bound(length, 0, packed.length - 1);
        assembly ("memory-safe") {
            mstore(packed, length)
        }
        vm.expectPartialRevert(IMarginOracle.InvalidCalldataLength.selector);
        oracle.post(packed);
    }

    function testFuzz_every_changed_byte_is_refused(uint256 position, uint8 change) external {
        vm.assume(change != 0);
        bytes memory packed = packSigned(draft(2));
        position = bound(position, 0, packed.length - 1);
        packed[position] = bytes1(uint8(packed[position]) ^ change);
        (bool success,) = address(oracle).call(abi.encodeCall(oracle.post, (packed)));
        vm.assertTrue(!success, "a changed byte was accepted");
    }

    function test_wrapper_must_be_canonical() external {
        bytes memory packed = packSigned(draft(1));
        vm.assertTrue(packed.length % 32 != 0, "the padding below needs room");
        bytes memory good = abi.encodeCall(oracle.post, (packed));
        bytes memory reason = encoded(IMarginOracle.NonCanonicalCalldata.selector);
        refusesCall(bytes.concat(good, hex"00"), reason);
        refusesCall(bytes.concat(good, bytes32(0)), reason);
        bytes memory padded = bytes.concat(good);
        padded[padded.length - 1] = 0x01;
        refusesCall(padded, reason);
        bytes memory shifted = bytes.concat(
            oracle.post.selector, bytes32(uint256(64)), bytes32(0), bytes32(packed.length), packed, new bytes(32 - packed.length % 32)
        );
        refusesCall(shifted, reason);
        bytes memory unpadded = bytes.concat(oracle.post.selector, bytes32(uint256(32)), bytes32(packed.length), packed);
        refusesCall(unpadded, reason);
    }

    function test_flag_is_zero_or_one() external {
        bytes memory packed = packSigned(draft(1));
        packed[168] = 0x02;
        refuses(packed, encoded(IMarginOracle.NonCanonicalCalldata.selector));
    }

    function test_bitmap_names_members_only() external {
        bytes memory packed = packSigned(draft(1));
        uint256 bitmap = 172 + 28 + 2 + 100;
        packed[bitmap + 3] = 0x23; // bits 0, 1 and 5 of a set of five
        refuses(packed, encoded(IMarginOracle.NonCanonicalCalldata.selector));
    }

    function test_markets_ascend_strictly() external {
        IMarginOracle.Report memory report = draft(2);
        report.markets[1].marketId = 1;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.MarketsNotAscending.selector, 1, 1));
        report.markets[0].marketId = 2;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.MarketsNotAscending.selector, 2, 1));
    }

    // ------------------------------------------------------------------ signers

    function test_another_set_is_refused() external {
        IMarginOracle.Report memory report = draft(1);
        SignerSet memory other = newSignerSet(6, 4, 5);
        bytes memory packed = packWith(report, other, 0x0f);
        bytes32 claimed = keccak256(abi.encodePacked(report.signerSetEpoch, packSet(other)));
        refuses(packed, abi.encodeWithSelector(IMarginOracle.WrongSignerSet.selector, oracle.signerSetHash(), claimed));
    }

    function test_thresholds_are_part_of_the_set() external {
        SignerSet memory weaker = newSignerSet(5, 1, 2);
        bytes memory packed = packWith(draft(1), weaker, 0x01);
        vm.expectPartialRevert(IMarginOracle.WrongSignerSet.selector);
        oracle.post(packed);
    }

    function test_rotation_kills_signatures_in_flight() external {
        bytes memory packed = packSigned(draft(1));
        vm.prank(OWNER);
        oracle.setSigners(3, 4, set.addresses);
        refuses(packed, abi.encodeWithSelector(IMarginOracle.WrongEpoch.selector, 2, 1));
        postDefaults(1);
    }

    function test_no_signer_set_no_report() external {
        oracle = new MarginOracle(OWNER, IMarginOracle.BlockHashSource.Evm, HEARTBEAT);
        bytes memory packed = packSigned(draft(1));
        vm.expectPartialRevert(IMarginOracle.WrongSignerSet.selector);
        oracle.post(packed);
    }

    function test_fewer_than_the_threshold_are_refused() external {
        IMarginOracle.Report memory report = draft(1);
        bytes4 selector = IMarginOracle.NotEnoughSignatures.selector;
        refuses(packWith(report, set, 0x11), abi.encodeWithSelector(selector, 3, 2));
        refuses(packWith(report, set, 0), abi.encodeWithSelector(selector, 3, 0));
    }

    function test_exceeding_the_step_needs_the_higher_quorum_or_nothing() external {
        IMarginOracle.Report memory report = draft(1);
        report.exceedsStep = true;
        refuses(packWith(report, set, 0x07), abi.encodeWithSelector(IMarginOracle.NotEnoughSignatures.selector, 4, 3));
        oracle.post(packWith(report, set, 0x0f));
        vm.assertEq(oracle.lastSequence(), 1);
    }

    function test_the_flag_is_signed_and_cannot_be_added_or_stripped() external {
        IMarginOracle.Report memory report = draft(1);
        bytes memory packed = packWith(report, set, 0x0f);
        packed[168] = 0x01;
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0));
        report.exceedsStep = true;
        packed = packWith(report, set, 0x0f);
        packed[168] = 0x00;
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0));
    }

    function test_each_signature_must_be_its_signers() external {
        SignerSet memory forged = set;
        forged.keys[2] = 99;
        bytes memory packed = packWith(draft(1), forged, 0x07);
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 2));
    }

    function test_a_surplus_signature_must_be_valid_too() external {
        SignerSet memory forged = set;
        forged.keys[4] = 99;
        refuses(packWith(draft(1), forged, 0x1f), abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 4));
    }

    function test_high_s_is_refused() external {
        bytes memory packed = packSigned(draft(1));
        uint256 vsOffset = 172 + 28 + 2 + 100 + 4 + 32;
        uint256 vs;
        assembly ("memory-safe") {
            vs := mload(add(add(packed, 32), vsOffset))
        }
        // The same point with s mirrored and the parity flipped: valid on the curve, forbidden here. The bit that
        // the mirrored s sets is that of the parity, so the compact form cannot even express most of them.
        uint256 mirrored = CURVE_ORDER - (vs & (type(uint256).max >> 1));
        assembly ("memory-safe") {
            mstore(add(add(packed, 32), vsOffset), mirrored)
        }
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0));
    }

    function test_zero_signature_recovers_nobody() external {
        bytes memory packed = packSigned(draft(1));
        for (uint256 i = packed.length - 64; i < packed.length; ++i) {
            packed[i] = 0;
        }
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 2));
    }

    function test_signatures_of_another_oracle_or_chain_do_not_count() external {
        IMarginOracle.Report memory report = draft(1);
        MarginOracle here = oracle;
        oracle = new MarginOracle(OWNER, IMarginOracle.BlockHashSource.Evm, HEARTBEAT);
        bytes memory packed = packSigned(report);
        oracle = here;
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0));
    }

    // ------------------------------------------------------------------ order and time

    function test_sequence_increases() external {
        bytes memory first = packSigned(draft(1));
        oracle.post(first);
        refuses(first, abi.encodeWithSelector(IMarginOracle.SequenceNotIncreasing.selector, 1, 1));
        pass(12);
        IMarginOracle.Report memory report = draft(1);
        report.sequence = 0;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.SequenceNotIncreasing.selector, 1, 0));
    }

    function test_reference_block_increases() external {
        postDefaults(1);
        IMarginOracle.Report memory report = draft(1);
        uint64 last = report.referenceBlock;
        refuses(packSigned(report), abi.encodeWithSelector(IMarginOracle.ReferenceBlockNotIncreasing.selector, last, last));
    }

    function test_reference_time_never_goes_back() external {
        postDefaults(1);
        uint256 last = oracle.lastReferenceTimestamp();
        pass(12);
        IMarginOracle.Report memory report = draft(1);
        report.referenceTimestamp = uint64(last - 1);
        refuses(
            packSigned(report),
            abi.encodeWithSelector(IMarginOracle.ReferenceTimestampDecreasing.selector, last, last - 1)
        );
    }

    function test_the_future_is_refused() external {
        IMarginOracle.Report memory report = draft(1);
        uint256 timestamp = vm.getBlockTimestamp();
        report.referenceTimestamp = uint64(timestamp + 1);
        refuses(
            packSigned(report), abi.encodeWithSelector(IMarginOracle.ReferenceInFuture.selector, timestamp + 1, timestamp)
        );
    }

    function test_a_report_expires() external {
        IMarginOracle.Report memory report = draft(1);
        bytes memory packed = packSigned(report);
        vm.warp(report.validUntil + 1);
        refuses(
            packed, abi.encodeWithSelector(IMarginOracle.Expired.selector, report.validUntil, uint256(report.validUntil) + 1)
        );
        vm.warp(report.validUntil);
        oracle.post(packed);
    }

    // ------------------------------------------------------------------ provenance

    function test_a_wrong_block_hash_is_refused() external {
        IMarginOracle.Report memory report = draft(1);
        bytes32 right = report.referenceBlockHash;
        report.referenceBlockHash = keccak256("fork");
        refuses(
            packSigned(report),
            abi.encodeWithSelector(IMarginOracle.WrongBlockHash.selector, right, report.referenceBlockHash)
        );
    }

    function test_an_unprovable_block_is_refused() external {
        IMarginOracle.Report memory report = draft(1);
        report.referenceBlock = uint64(vm.getBlockNumber());
        refuses(
            packSigned(report),
            abi.encodeWithSelector(IMarginOracle.BlockHashUnavailable.selector, report.referenceBlock)
        );
        report.referenceBlock = uint64(vm.getBlockNumber() - 257);
        refuses(
            packSigned(report),
            abi.encodeWithSelector(IMarginOracle.BlockHashUnavailable.selector, report.referenceBlock)
        );
    }

    function redeploy(IMarginOracle.BlockHashSource source) internal {
        oracle = new MarginOracle(OWNER, source, HEARTBEAT);
        vm.prank(OWNER);
        oracle.setSigners(set.threshold, set.stepThreshold, set.addresses);
    }

    function test_history_contract_proves_older_blocks() external {
        redeploy(IMarginOracle.BlockHashSource.Eip2935);
        IMarginOracle.Report memory report = draft(0);
        report.referenceBlock = uint64(vm.getBlockNumber() - 1000);
        report.referenceBlockHash = keccak256("old block");
        bytes memory packed = packSigned(report);
        refuses(packed, abi.encodeWithSelector(IMarginOracle.BlockHashUnavailable.selector, report.referenceBlock));
        address history = 0x0000F90827F1C53a10cb7A02335B175320002935;
        vm.mockCall(history, abi.encode(uint256(report.referenceBlock)), abi.encode(report.referenceBlockHash));
        oracle.post(packed);
        vm.assertEq(oracle.lastReferenceBlock(), report.referenceBlock);
    }

    function test_arbitrum_precompile_proves_its_own_blocks() external {
        redeploy(IMarginOracle.BlockHashSource.ArbSys);
        IMarginOracle.Report memory report = draft(0);
        report.referenceBlock = 250_000_000; // an L2 number, far from the number that the EVM sees
        report.referenceBlockHash = keccak256("L2 block");
        bytes memory packed = packSigned(report);
        bytes memory question = abi.encodeWithSignature("arbBlockHash(uint256)", uint256(report.referenceBlock));
        vm.mockCallRevert(BlockHashes.ARB_SYS, question, "");
        refuses(packed, abi.encodeWithSelector(IMarginOracle.BlockHashUnavailable.selector, report.referenceBlock));
        vm.mockCall(BlockHashes.ARB_SYS, question, abi.encode(report.referenceBlockHash));
        oracle.post(packed);
        vm.assertEq(oracle.lastReferenceBlock(), report.referenceBlock);
    }

    // ------------------------------------------------------------------ digest

    function testFuzz_packed_and_structured_reports_have_one_digest(
        uint64 sequence,
        bytes32 model,
        bytes32 root,
        uint32 accounts,
        uint32[6] calldata values
    ) external view {
        IMarginOracle.Report memory report = draft(3);
        report.sequence = sequence == 0 ? 1 : sequence;
        (report.modelHash, report.accountsRoot, report.accountCount) = (model, root, accounts);
        report.markets[1] =
            IMarginOracle.MarketMargin(2, values[0], values[1], values[2], values[3], values[4], values[5]);
        report.markets[2].marketId = type(uint32).max;
        (bytes32 digest,) = oracle.preview(packSigned(report));
        vm.assertEq(digest, oracle.hashReport(report));
    }

    // ------------------------------------------------------------------ owner

    function test_signer_set_hash_is_as_documented() external view {
        vm.assertEq(oracle.signerSetHash(), keccak256(abi.encodePacked(uint32(1), packSet(set))));
        vm.assertEq(oracle.signerSetEpoch(), 1);
    }

    function refusesSet(uint8 threshold, uint8 stepThreshold, address[] memory signers) internal {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidSignerSet.selector);
        oracle.setSigners(threshold, stepThreshold, signers);
    }

    function test_signer_sets_that_are_refused() external {
        address[] memory five = set.addresses;
        refusesSet(2, 3, five); // no majority
        refusesSet(3, 3, five); // step threshold not above
        refusesSet(3, 6, five); // step threshold out of reach
        address[] memory four = newSignerSet(4, 3, 4).addresses;
        refusesSet(2, 3, four); // half is not a majority
        refusesSet(17, 18, newSignerSet(33, 17, 18).addresses); // does not fit the bitmap
        refusesSet(0, 0, new address[](0));
        (five[1], five[2]) = (five[2], five[1]);
        refusesSet(3, 4, five); // not ascending
        five[2] = five[1];
        refusesSet(3, 4, five); // twice the same
        address[] memory withZero = newSignerSet(3, 2, 3).addresses;
        withZero[0] = address(0);
        refusesSet(2, 3, withZero);
    }

    function test_only_the_owner_configures() external {
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        vm.expectRevert(reason);
        oracle.setSigners(3, 4, set.addresses);
        vm.expectRevert(reason);
        oracle.configureMarket(1, "x", defaultConfig());
        vm.expectRevert(reason);
        oracle.setHeartbeat(1);
    }

    function test_ownership_moves_in_two_steps() external {
        vm.prank(OWNER);
        oracle.transferOwnership(STRANGER);
        vm.assertEq(oracle.owner(), OWNER);
        vm.prank(STRANGER);
        oracle.acceptOwnership();
        vm.assertEq(oracle.owner(), STRANGER);
    }

    function test_heartbeat_is_never_zero() external {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.setHeartbeat(0);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        new MarginOracle(OWNER, IMarginOracle.BlockHashSource.Evm, 0);
    }
}
