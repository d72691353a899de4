// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {BlockHashes} from "./BlockHashes.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginBounds} from "./MarginBounds.sol";
import {MarginStore} from "./MarginStore.sol";
import {MarginWords} from "./MarginWords.sol";
import {ReportCodec} from "./ReportCodec.sol";

/// @title Margin oracle.
/// @notice Takes reports that a quorum signed, within limits that the owner set, and answers for their age.
/// @dev The signers travel in calldata; only the hash of their set is stored.
contract MarginOracle is MarginStore, Ownable2Step {
    using MarginBounds for MarginWords.Market;

    uint256 private constant PREVIOUS_ROOT_SECONDS = 5 minutes;
    uint256 private constant MAXIMUM_SIGNERS = 32;

    BlockHashSource public immutable blockHashSource;

    constructor(address owner, BlockHashSource source, uint32 heartbeat) Ownable(owner) {
        blockHashSource = source;
        _setHeartbeat(heartbeat);
    }

    // ------------------------------------------------------------------ posting

    function post(bytes calldata packed) external {
        Report memory report;
        Head memory head = _head;
        (uint256 marketCount, bytes32 digest) = _accept(packed, head, report);
        _recordHead(report, head);
        uint256[] memory margins = _recordMarkets(packed, report, marketCount);
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
        (marketCount, digest) = _accept(packed, _head, report);
        MarginBounds.Verdict memory verdict;
        for (uint256 i = 0; i < marketCount; ++i) {
            _judge(report, ReportCodec.marketAt(packed, i), verdict);
            if (!verdict.accepted) ++refusals;
        }
    }

    function hashReport(Report calldata report) external view returns (bytes32) {
        return _hashTypedDataV4(ReportCodec.hash(report, ReportCodec.hashMarkets(report.markets)));
    }

    // ------------------------------------------------------------------ owner

    function setSigners(uint8 threshold, uint8 stepThreshold, address[] calldata signers) external onlyOwner {
        uint256 count = signers.length;
        if (
            count > MAXIMUM_SIGNERS || 2 * uint256(threshold) <= count || stepThreshold <= threshold
                || stepThreshold > count
        ) revert InvalidSignerSet();
        uint32 epoch = ++signerSetEpoch;
        bytes memory preimage = abi.encodePacked(epoch, threshold, stepThreshold);
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            if (signers[i] <= previous) revert InvalidSignerSet();
            previous = signers[i];
            preimage = bytes.concat(preimage, bytes20(previous));
        }
        signerSetHash = keccak256(preimage);
        emit SignerSetChanged(epoch, threshold, stepThreshold, signers);
    }

    function configureMarket(uint32 marketId, string calldata name, MarketConfig calldata config) external onlyOwner {
        MarginBounds.requireSound(config);
        MarginWords.Market storage market = _markets[marketId];
        (market.firstLimits, market.secondLimits) = MarginWords.packLimits(config);
        emit MarketConfigured(marketId, name, config);
    }

    function setHeartbeat(uint32 newHeartbeatSeconds) external onlyOwner {
        _setHeartbeat(newHeartbeatSeconds);
    }

    // ------------------------------------------------------------------ inside

    /// @dev Everything that makes a report acceptable as a whole, cheap checks first; fills `report`.
    function _accept(bytes calldata packed, Head memory head, Report memory report)
        private
        view
        returns (uint256 marketCount, bytes32 digest)
    {
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
        // One write in place of one for each field; the order is that of the struct, the first field lowest.
        uint256 word = report.sequence | uint256(report.referenceBlock) << 64 | uint256(report.referenceTimestamp)
            << 128 | previousRootUntil << 168 | uint256(head.heartbeatSeconds) << 208 | rootIndex << 240;
        assembly ("memory-safe") {
            sstore(_head.slot, word)
        }
    }

    /// @dev Stores the tuples that pass and returns their words as in calldata.
    function _recordMarkets(bytes calldata packed, Report memory report, uint256 marketCount)
        private
        returns (uint256[] memory margins)
    {
        margins = new uint256[](marketCount);
        uint256 accepted = 0;
        MarginBounds.Verdict memory verdict;
        for (uint256 i = 0; i < marketCount; ++i) {
            uint256 market = ReportCodec.marketAt(packed, i);
            (uint32 marketId, uint256 offered) = _judge(report, market, verdict);
            if (verdict.accepted) {
                _markets[marketId].current = offered;
                margins[accepted++] = market;
            } else {
                emit MarketRefused(marketId, report.sequence, verdict.reason, verdict.inForce, verdict.offered);
            }
        }
        assembly ("memory-safe") {
            mstore(margins, accepted)
        }
    }

    /// @dev What `post` and `preview` decide alike about one market, given as its word in calldata.
    function _judge(Report memory report, uint256 market, MarginBounds.Verdict memory verdict)
        private
        view
        returns (uint32 marketId, uint256 offered)
    {
        marketId = uint32(market >> 192);
        offered = MarginWords.packTuple(market, report.referenceTimestamp);
        _markets[marketId].judge(offered, report.exceedsStep, verdict);
    }

    function _setHeartbeat(uint32 heartbeat) private {
        if (heartbeat == 0) revert InvalidConfiguration();
        _head.heartbeatSeconds = heartbeat;
        emit HeartbeatChanged(heartbeat);
    }
}
