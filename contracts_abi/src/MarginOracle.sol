// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {BlockHashes} from "./BlockHashes.sol";
import {MarginBounds} from "./MarginBounds.sol";
import {MarginDwell} from "./MarginDwell.sol";
import {MarginGovernance} from "./MarginGovernance.sol";
import {MarginStore} from "./MarginStore.sol";
import {MarginWords} from "./MarginWords.sol";
import {ReportCodec} from "./ReportCodec.sol";

/// @title Margin oracle.
/// @notice Takes reports that a quorum signed, within limits that the owner set, and answers for their age.
/// @dev The signers travel in calldata; only the hash of their set is stored.
contract MarginOracle is MarginGovernance {
    using MarginBounds for MarginWords.Market;
    using MarginDwell for MarginWords.Market;

    uint256 private constant PREVIOUS_ROOT_SECONDS = 5 minutes;

    constructor(Setup memory setup) MarginStore(setup) MarginGovernance(setup) {}

    // ------------------------------------------------------------------ posting

    function post(bytes calldata packed) external {
        Report memory report;
        Head memory head = _head;
        (uint256 marketCount, bytes32 digest) = _accept(packed, head, report);
        _recordHead(report, head);
        uint256[] memory margins = _recordMarkets(packed, report, head, marketCount);
        emit ReportPosted(
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
    }

    function preview(bytes calldata packed) external view returns (bytes32 digest, uint256 refusals) {
        Report memory report;
        uint256 marketCount;
        Head memory head = _head;
        (marketCount, digest) = _accept(packed, head, report);
        MarginBounds.Verdict memory verdict;
        MarginBounds.Terms memory terms = _terms(report, head);
        for (uint256 i = 0; i < marketCount; ++i) {
            _judge(report, ReportCodec.marketAt(packed, i), terms, verdict);
            if (!verdict.accepted) ++refusals;
        }
    }

    function hashReport(Report calldata report) external view returns (bytes32) {
        return _hashTypedDataV4(ReportCodec.hash(report, ReportCodec.hashMarkets(report.markets)));
    }

    function applyPending(uint32 marketId) external {
        if (_head.isPaused) revert PostsPaused();
        uint256 current = _fresh(marketId);
        if (!MarginWords.isPending(current)) revert NothingPending(marketId);
        uint256 pending = _markets[marketId].pending;
        uint40 effective = uint40(MarginWords.time(pending));
        if (block.timestamp < effective) revert PendingNotReady(effective, block.timestamp);
        _markets[marketId].current = MarginDwell.applied(current, pending);
        emit PendingApplied(marketId, MarginWords.announced(marketId, pending));
    }

    // ------------------------------------------------------------------ inside

    /// @dev Everything that makes a report acceptable as a whole, cheap checks first; fills `report`.
    function _accept(bytes calldata packed, Head memory head, Report memory report)
        private
        view
        returns (uint256 marketCount, bytes32 digest)
    {
        if (head.isPaused) revert PostsPaused();
        ReportCodec.Attestation memory attestation;
        marketCount = ReportCodec.decode(packed, report, attestation);
        if (attestation.setHash != signerSetHash) {
            if (report.signerSetEpoch != signerSetEpoch) revert WrongEpoch(signerSetEpoch, report.signerSetEpoch);
            revert WrongSignerSet(signerSetHash, attestation.setHash);
        }
        _requireNewer(report, head);
        _requireReferenceBlock(report);
        digest = _hashTypedDataV4(ReportCodec.hash(report, ReportCodec.hashMarkets(packed, marketCount)));
        _requireSignatures(packed, report, attestation, digest);
    }

    function _requireNewer(Report memory report, Head memory head) private view {
        if (report.sequence <= head.sequence) revert SequenceNotIncreasing(head.sequence, report.sequence);
        if (report.sequence > type(uint48).max) revert SequenceTooLarge(report.sequence);
        if (report.referenceBlock <= head.referenceBlock) {
            revert ReferenceBlockNotIncreasing(head.referenceBlock, report.referenceBlock);
        }
        if (report.referenceTimestamp < head.referenceTimestamp) {
            revert ReferenceTimestampDecreasing(head.referenceTimestamp, report.referenceTimestamp);
        }
        if (report.referenceTimestamp > block.timestamp) {
            revert ReferenceInFuture(report.referenceTimestamp, block.timestamp);
        }
        if (block.timestamp > report.validUntil) revert Expired(report.validUntil, block.timestamp);
    }

    function _requireReferenceBlock(Report memory report) private view {
        bytes32 blockHash = BlockHashes.hashOf(blockHashSource, report.referenceBlock);
        if (blockHash == 0) revert BlockHashUnavailable(report.referenceBlock);
        if (blockHash != report.referenceBlockHash) revert WrongBlockHash(blockHash, report.referenceBlockHash);
    }

    function _requireSignatures(
        bytes calldata packed,
        Report memory report,
        ReportCodec.Attestation memory attestation,
        bytes32 digest
    ) private pure {
        uint256 needed = report.exceedsStep ? attestation.stepThreshold : attestation.threshold;
        if (attestation.signatureCount < needed) revert NotEnoughSignatures(needed, attestation.signatureCount);
        uint256 ordinal = 0;
        uint256 bitmap = attestation.bitmap;
        for (uint256 index = 0; bitmap != 0; ++index) {
            if (bitmap & 1 == 1) {
                (bytes32 r, bytes32 vs) = ReportCodec.signatureAt(packed, attestation, ordinal);
                (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, r, vs);
                bool isValid = failure == ECDSA.RecoverError.NoError
                    && recovered == ReportCodec.signerAt(packed, attestation, index);
                if (!isValid) revert InvalidSignature(index);
                unchecked {
                    ++ordinal;
                }
            }
            bitmap >>= 1;
        }
    }

    /// @dev The root before stays valid for five minutes, or less where it would have become stale sooner: a new
    /// report never brings an old root back to life.
    function _recordHead(Report memory report, Head memory head) private {
        uint256 previousRootUntil =
            Math.min(block.timestamp + PREVIOUS_ROOT_SECONDS, uint256(head.referenceTimestamp) + head.heartbeatSeconds);
        uint256 rootIndex = 1 - head.rootIndex;
        _accountsRoots[rootIndex] = report.accountsRoot;
        // One write in place of one for each field; the order is that of the struct, the first field lowest. A block
        // whose hash is known and a time that is not in the future fit their fields; a post finds no pause to keep.
        uint256 word = report.sequence | uint256(report.referenceBlock) << 48 | uint256(report.referenceTimestamp) << 96
            | previousRootUntil << 136 | uint256(head.heartbeatSeconds) << 176 | uint256(head.dwellSeconds) << 200
            | uint256(head.minimumDelaySeconds) << 224 | rootIndex << 240;
        assembly ("memory-safe") {
            sstore(_head.slot, word)
        }
    }

    /// @dev Stores the tuples that pass and returns, as in calldata, what is in force of each of their markets.
    function _recordMarkets(bytes calldata packed, Report memory report, Head memory head, uint256 marketCount)
        private
        returns (uint256[] memory margins)
    {
        margins = new uint256[](marketCount);
        uint256 accepted = 0;
        MarginBounds.Verdict memory verdict;
        MarginBounds.Terms memory terms = _terms(report, head);
        for (uint256 i = 0; i < marketCount; ++i) {
            (uint32 marketId, uint256 offered) = _judge(report, ReportCodec.marketAt(packed, i), terms, verdict);
            if (verdict.accepted) {
                margins[accepted++] = _settle(marketId, report.sequence, offered, terms.dwellSeconds, verdict);
            } else {
                emit MarketRefused(marketId, report.sequence, verdict.reason, verdict.inForce, verdict.offered);
            }
        }
        assembly ("memory-safe") {
            mstore(margins, accepted)
        }
    }

    function _settle(
        uint32 marketId,
        uint64 sequence,
        uint256 offered,
        uint256 dwellSeconds,
        MarginBounds.Verdict memory verdict
    ) private returns (uint256) {
        MarginWords.Market storage market = _markets[marketId];
        MarginDwell.Outcome memory outcome = market.settle(offered, verdict, dwellSeconds);
        market.current = outcome.inForce;
        if (outcome.waits) {
            market.pending = outcome.pending;
            uint40 effective = uint40(MarginWords.time(outcome.pending));
            emit LooseningPending(marketId, sequence, effective, MarginWords.announced(marketId, outcome.pending));
        }
        return MarginWords.announced(marketId, outcome.inForce);
    }

    /// @dev What `post` and `preview` decide alike about one market, given as its word in calldata.
    function _judge(
        Report memory report,
        uint256 market,
        MarginBounds.Terms memory terms,
        MarginBounds.Verdict memory verdict
    ) private view returns (uint32 marketId, uint256 offered) {
        marketId = uint32(market >> 192);
        offered = MarginWords.packTuple(market, report.referenceTimestamp);
        _markets[marketId].judge(offered, terms, verdict);
    }

    function _terms(Report memory report, Head memory head) private pure returns (MarginBounds.Terms memory) {
        return MarginBounds.Terms(report.exceedsStep, head.dwellSeconds, head.minimumDelaySeconds);
    }
}
