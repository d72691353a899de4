// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BlockHashes} from "../src/BlockHashes.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title A report is new, in time, and of a block that the chain knows.
contract OrderTest is OracleFixture {
    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        configure(2);
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
        refuses(
            packSigned(report), abi.encodeWithSelector(IMarginOracle.ReferenceBlockNotIncreasing.selector, last, last)
        );
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
            packSigned(report),
            abi.encodeWithSelector(IMarginOracle.ReferenceInFuture.selector, timestamp + 1, timestamp)
        );
    }

    function test_a_report_expires() external {
        IMarginOracle.Report memory report = draft(1);
        bytes memory packed = packSigned(report);
        vm.warp(report.validUntil + 1);
        refuses(
            packed,
            abi.encodeWithSelector(IMarginOracle.Expired.selector, report.validUntil, uint256(report.validUntil) + 1)
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
        oracle = newOracle(source);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
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
}
