// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What a good report does, and that a report has one form and one digest.
contract PostTest is OracleFixture {
    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        configure(2);
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
            oracle.post.selector,
            bytes32(uint256(64)),
            bytes32(0),
            bytes32(packed.length),
            packed,
            new bytes(32 - packed.length % 32)
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

    // ------------------------------------------------------------------ digest

    function testFuzz_packed_and_structured_reports_have_one_digest(
        uint48 sequence,
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
}
