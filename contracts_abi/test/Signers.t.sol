// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginOracle} from "../src/MarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Whose signatures count, how many are needed, and which sets the owner can name.
contract SignersTest is OracleFixture {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        configure(2);
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
        oracle.setSigners(signerSet(set));
        refuses(packed, abi.encodeWithSelector(IMarginOracle.WrongEpoch.selector, 2, 1));
        postDefaults(1);
    }

    function test_no_signer_set_no_report() external {
        oracle = newOracle(IMarginOracle.BlockHashSource.Evm);
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
        oracle = newOracle(IMarginOracle.BlockHashSource.Evm);
        bytes memory packed = packSigned(report);
        oracle = here;
        refuses(packed, abi.encodeWithSelector(IMarginOracle.InvalidSignature.selector, 0));
    }

    // ------------------------------------------------------------------ owner

    function test_signer_set_hash_is_as_documented() external view {
        vm.assertEq(oracle.signerSetHash(), keccak256(abi.encodePacked(uint32(1), packSet(set))));
        vm.assertEq(oracle.signerSetEpoch(), 1);
    }

    function refusesSet(uint8 threshold, uint8 stepThreshold, address[] memory signers) internal {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidSignerSet.selector);
        oracle.setSigners(IMarginOracle.SignerSet(threshold, stepThreshold, signers));
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
}
