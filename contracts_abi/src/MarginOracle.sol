// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {BlockHashes} from "./BlockHashes.sol";
import {HeadWords} from "./HeadWords.sol";
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
    using HeadWords for uint256;
    using MarginBounds for MarginWords.Market;
    using MarginDwell for MarginWords.Market;

    uint256 private constant PREVIOUS_ROOT_SECONDS = 5 minutes;

    constructor(Setup memory setup) MarginStore(setup) MarginGovernance(setup) {}

    // ------------------------------------------------------------------ posting

    function post(bytes calldata packed) external {
        Report memory report;
        uint256 head = _head;
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
        uint256 head = _head;
        (marketCount, digest) = _accept(packed, head, report);
        MarginBounds.Verdict memory verdict;
        for (uint256 i = 0; i < marketCount; ++i) {
            uint256 market = ReportCodec.marketAt(packed, i);
            uint256 offered = MarginWords.packTuple(market, report.referenceTimestamp);
            MarginWords.Market storage held = _markets[uint32(market >> 192)];
            held.judge(held.current, offered, head, report.exceedsStep, verdict);
            if (!verdict.accepted) ++refusals;
        }
    }

    function hashReport(Report calldata report) external view returns (bytes32) {
        return _hashTypedDataV4(ReportCodec.hash(report, ReportCodec.hashMarkets(report.markets)));
    }

    function applyPending(uint32 marketId) external {
        if (_head.isPaused()) revert PostsPaused();
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
    function _accept(bytes calldata packed, uint256 head, Report memory report)
        private
        view
        returns (uint256 marketCount, bytes32 digest)
    {
        if (head.isPaused()) revert PostsPaused();
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

    function _requireNewer(Report memory report, uint256 head) private view {
        if (report.sequence <= head.sequence()) revert SequenceNotIncreasing(head.sequence(), report.sequence);
        if (report.sequence > type(uint48).max) revert SequenceTooLarge(report.sequence);
        if (report.referenceBlock <= head.referenceBlock()) {
            revert ReferenceBlockNotIncreasing(head.referenceBlock(), report.referenceBlock);
        }
        if (report.referenceTimestamp < head.referenceTimestamp()) {
            revert ReferenceTimestampDecreasing(head.referenceTimestamp(), report.referenceTimestamp);
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
    function _recordHead(Report memory report, uint256 head) private {
        uint256 previousRootUntil = Math.min(
            block.timestamp + PREVIOUS_ROOT_SECONDS, uint256(head.referenceTimestamp()) + head.heartbeatSeconds()
        );
        head = head.succeed(report, previousRootUntil);
        _accountsRoots[head.rootIndex()] = report.accountsRoot;
        _head = head;
    }

    /// @dev Stores the tuples that pass and returns, as in calldata, what is in force of each of their markets.
    function _recordMarkets(bytes calldata packed, Report memory report, uint256 head, uint256 marketCount)
        private
        returns (uint256[] memory margins)
    {
        margins = new uint256[](marketCount);
        uint256 accepted = 0;
        MarginBounds.Verdict memory verdict;
        for (uint256 i = 0; i < marketCount; ++i) {
            uint256 market = ReportCodec.marketAt(packed, i);
            uint256 offered = MarginWords.packTuple(market, report.referenceTimestamp);
            uint256 inForce = _record(uint32(market >> 192), report, offered, head, verdict);
            if (inForce != 0) margins[accepted++] = MarginWords.announced(uint32(market >> 192), inForce);
        }
        assembly ("memory-safe") {
            mstore(margins, accepted)
        }
    }

    /// @return inForce The word in force after an accepted tuple, zero when it was refused.
    function _record(
        uint32 marketId,
        Report memory report,
        uint256 offered,
        uint256 head,
        MarginBounds.Verdict memory verdict
    ) private returns (uint256 inForce) {
        MarginWords.Market storage market = _markets[marketId];
        uint256 before = market.current;
        market.judge(before, offered, head, report.exceedsStep, verdict);
        if (!verdict.accepted) {
            emit MarketRefused(marketId, report.sequence, verdict.reason, verdict.inForce, verdict.offered);
            return 0;
        }
        uint256 pending;
        (inForce, pending) = market.settle(before, offered, verdict, head.dwellSeconds());
        market.current = inForce;
        if (pending != 0) {
            market.pending = pending;
            uint40 effective = uint40(MarginWords.time(pending));
            emit LooseningPending(marketId, report.sequence, effective, MarginWords.announced(marketId, pending));
        }
    }
}
