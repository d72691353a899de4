// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {BlockHashes} from "./BlockHashes.sol";
import {IMarginOracle} from "./IMarginOracle.sol";
import {MarginBounds} from "./MarginBounds.sol";
import {ReportCodec} from "./ReportCodec.sol";

/// @title Margin oracle.
/// @notice Takes reports that a quorum signed, within limits that the owner set, and answers for their age.
/// @dev Storage is laid out for few writes: a post touches the head (one slot), one accounts root, and one slot for
/// each market; the signers travel in calldata and only their hash is stored.
contract MarginOracle is IMarginOracle, EIP712, Ownable2Step {
    using MarginBounds for MarginBounds.Limits;

    /// @dev What is known of the last report, in one slot; 8 bits are left for the guardian's pause.
    struct Head {
        uint64 sequence;
        uint64 referenceBlock;
        uint40 referenceTimestamp;
        uint40 previousRootUntil;
        uint32 heartbeatSeconds;
        uint8 rootIndex;
    }

    /// @dev Slots: 0 the tuple in force, 1 the looser tuple that waits for its time (same layout, its time being that
    /// of taking effect; nothing writes it while reports take effect at once), 2 and 3 the limits.
    struct Market {
        CurrentMargin current;
        CurrentMargin pending;
        MarginBounds.Limits limits;
    }

    string public constant VERSION = "1";
    uint256 private constant PREVIOUS_ROOT_SECONDS = 5 minutes;
    uint256 private constant MAXIMUM_SIGNERS = 32;
    uint256 private constant PPM = 1e6;
    /// @dev One million USD in wad: the unit of notional that a slope is per.
    uint256 private constant SLOPE_NOTIONAL_WAD = 1e24;

    BlockHashSource public immutable blockHashSource;

    bytes32 public signerSetHash;
    uint32 public signerSetEpoch;
    Head private _head;
    /// @dev At `Head.rootIndex` the latest root, in the other place the one before: a post writes one of the two.
    bytes32[2] private _accountsRoots;
    mapping(uint32 marketId => Market) private _markets;

    constructor(address owner, BlockHashSource source, uint32 heartbeat) EIP712("MarginOracle", VERSION) Ownable(owner) {
        blockHashSource = source;
        _setHeartbeat(heartbeat);
    }

    // ------------------------------------------------------------------ posting

    /// @inheritdoc IMarginOracle
    function post(bytes calldata packed) external {
        (Report memory report, bytes32 digest) = _accept(packed);
        _recordHead(report);
        emit ReportPosted(
            report.sequence,
            digest,
            report.referenceBlock,
            report.referenceTimestamp,
            report.modelHash,
            report.detailsHash,
            report.accountsRoot,
            report.accountCount
        );
        for (uint256 i = 0; i < report.markets.length; ++i) {
            MarketMargin memory offered = report.markets[i];
            MarginBounds.Verdict memory verdict = _judge(report, offered);
            if (verdict.accepted) {
                _recordMargin(report, offered);
            } else {
                emit MarketRefused(
                    offered.marketId, report.sequence, verdict.reason, verdict.inForce, verdict.offered
                );
            }
        }
    }

    /// @inheritdoc IMarginOracle
    function preview(bytes calldata packed) external view returns (bytes32 digest, uint256 refusals) {
        Report memory report;
        (report, digest) = _accept(packed);
        for (uint256 i = 0; i < report.markets.length; ++i) {
            if (!_judge(report, report.markets[i]).accepted) ++refusals;
        }
    }

    /// @inheritdoc IMarginOracle
    function hashReport(Report calldata report) external view returns (bytes32) {
        return _hashTypedDataV4(ReportCodec.hash(report));
    }

    // ------------------------------------------------------------------ reading markets

    /// @inheritdoc IMarginOracle
    function margin(uint32 marketId) external view returns (CurrentMargin memory current) {
        current = _posted(marketId);
        uint256 heartbeat = _head.heartbeatSeconds;
        uint256 age = block.timestamp - current.referenceTimestamp;
        if (age > heartbeat) revert Stale(age, heartbeat);
    }

    /// @inheritdoc IMarginOracle
    function tryMargin(uint32 marketId) external view returns (bool ok, CurrentMargin memory current) {
        current = _markets[marketId].current;
        ok = current.referenceTimestamp != 0 && _isFresh(current.referenceTimestamp);
    }

    /// @inheritdoc IMarginOracle
    function marginUnsafe(uint32 marketId) external view returns (CurrentMargin memory) {
        return _markets[marketId].current;
    }

    /// @inheritdoc IMarginOracle
    function requirement(uint32 marketId, bool isLong, uint256 notionalWad, Purpose purpose)
        external
        view
        returns (uint256 requirementWad)
    {
        CurrentMargin memory current = _posted(marketId);
        uint256 ratio;
        if (purpose == Purpose.Liquidating) {
            ratio = isLong ? current.maintenanceLong : current.maintenanceShort;
        } else {
            ratio = isLong ? current.initialLong : current.initialShort;
            if (!_isFresh(current.referenceTimestamp)) {
                ratio = Math.max(ratio, _markets[marketId].limits.fallbackInitialPpm);
            }
        }
        uint256 slope = isLong ? current.slopeLong : current.slopeShort;
        return Math.mulDiv(
            notionalWad, ratio * SLOPE_NOTIONAL_WAD + slope * notionalWad, PPM * SLOPE_NOTIONAL_WAD, Math.Rounding.Ceil
        );
    }

    // ------------------------------------------------------------------ reading accounts

    /// @inheritdoc IMarginOracle
    function verifyAccount(AccountLeaf calldata leaf, bytes32[] calldata proof, bool reducesRisk) external view {
        Head memory head = _head;
        bool isLatest = leaf.referenceBlock == head.referenceBlock;
        if (isLatest) {
            uint256 age = block.timestamp - head.referenceTimestamp;
            if (age > head.heartbeatSeconds) revert Stale(age, head.heartbeatSeconds);
        } else if (!reducesRisk || block.timestamp > head.previousRootUntil) {
            revert UnknownRoot(leaf.referenceBlock);
        }
        bytes32 root = _accountsRoots[isLatest ? head.rootIndex : 1 - head.rootIndex];
        if (root == 0) revert UnknownRoot(leaf.referenceBlock);
        if (!MerkleProof.verifyCalldata(proof, root, hashAccount(leaf))) revert InvalidProof(leaf.accountKey);
    }

    /// @inheritdoc IMarginOracle
    function accountsStale() external view returns (bool) {
        Head memory head = _head;
        return _accountsRoots[head.rootIndex] == 0
            || block.timestamp - head.referenceTimestamp > head.heartbeatSeconds;
    }

    /// @inheritdoc IMarginOracle
    function hashAccount(AccountLeaf calldata leaf) public view returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(_domainSeparatorV4(), leaf))));
    }

    // ------------------------------------------------------------------ state

    /// @inheritdoc IMarginOracle
    function heartbeatSeconds() external view returns (uint32) {
        return _head.heartbeatSeconds;
    }

    /// @inheritdoc IMarginOracle
    function lastSequence() external view returns (uint64) {
        return _head.sequence;
    }

    /// @inheritdoc IMarginOracle
    function lastReferenceBlock() external view returns (uint64) {
        return _head.referenceBlock;
    }

    /// @inheritdoc IMarginOracle
    function lastReferenceTimestamp() external view returns (uint40) {
        return _head.referenceTimestamp;
    }

    /// @inheritdoc IMarginOracle
    function latestAccounts() external view returns (bytes32 root, uint64 referenceBlock, uint40 referenceTimestamp) {
        return (_accountsRoots[_head.rootIndex], _head.referenceBlock, _head.referenceTimestamp);
    }

    /// @inheritdoc IMarginOracle
    function marketConfig(uint32 marketId) external view returns (MarketConfig memory) {
        return _markets[marketId].limits.unpack();
    }

    // ------------------------------------------------------------------ owner

    /// @inheritdoc IMarginOracle
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

    /// @inheritdoc IMarginOracle
    function configureMarket(uint32 marketId, string calldata name, MarketConfig calldata config) external onlyOwner {
        _markets[marketId].limits = MarginBounds.pack(config);
        emit MarketConfigured(marketId, name, config);
    }

    /// @inheritdoc IMarginOracle
    function setHeartbeat(uint32 heartbeat) external onlyOwner {
        _setHeartbeat(heartbeat);
    }

    // ------------------------------------------------------------------ inside

    /// @dev Everything that makes a report acceptable as a whole; cheap checks first.
    function _accept(bytes calldata packed) private view returns (Report memory report, bytes32 digest) {
        ReportCodec.Attestation memory attestation;
        (report, attestation) = ReportCodec.decode(packed);
        if (attestation.setHash != signerSetHash) {
            if (report.signerSetEpoch != signerSetEpoch) revert WrongEpoch(signerSetEpoch, report.signerSetEpoch);
            revert WrongSignerSet(signerSetHash, attestation.setHash);
        }
        _requireNewer(report);
        _requireReferenceBlock(report);
        digest = _hashTypedDataV4(ReportCodec.hash(report));
        _requireSignatures(packed, report, attestation, digest);
    }

    function _requireNewer(Report memory report) private view {
        Head memory head = _head;
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
        for (uint256 i = 0; attestation.bitmap >> i != 0; ++i) {
            if ((attestation.bitmap >> i) & 1 == 0) continue;
            (bytes32 r, bytes32 vs) = ReportCodec.signatureAt(packed, attestation, ordinal++);
            (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, r, vs);
            if (failure != ECDSA.RecoverError.NoError || recovered != ReportCodec.signerAt(packed, attestation, i)) {
                revert InvalidSignature(i);
            }
        }
    }

    function _judge(Report memory report, MarketMargin memory offered)
        private
        view
        returns (MarginBounds.Verdict memory)
    {
        Market storage market = _markets[offered.marketId];
        return market.limits.judge(market.current, offered, report.referenceTimestamp, report.exceedsStep);
    }

    /// @dev The root before stays valid for five minutes, or less where it would have become stale sooner: a new
    /// report never brings an old root back to life.
    function _recordHead(Report memory report) private {
        Head memory head = _head;
        head.previousRootUntil = uint40(
            Math.min(block.timestamp + PREVIOUS_ROOT_SECONDS, uint256(head.referenceTimestamp) + head.heartbeatSeconds)
        );
        head.rootIndex = 1 - head.rootIndex;
        _accountsRoots[head.rootIndex] = report.accountsRoot;
        head.sequence = report.sequence;
        head.referenceBlock = report.referenceBlock;
        head.referenceTimestamp = uint40(report.referenceTimestamp);
        _head = head;
    }

    function _recordMargin(Report memory report, MarketMargin memory offered) private {
        CurrentMargin memory current = CurrentMargin({
            initialLong: offered.initialLong,
            initialShort: offered.initialShort,
            maintenanceLong: offered.maintenanceLong,
            maintenanceShort: offered.maintenanceShort,
            slopeLong: offered.slopeLong,
            slopeShort: offered.slopeShort,
            referenceTimestamp: uint40(report.referenceTimestamp)
        });
        _markets[offered.marketId].current = current;
        emit MarginChanged(offered.marketId, report.sequence, current);
    }

    function _posted(uint32 marketId) private view returns (CurrentMargin memory current) {
        current = _markets[marketId].current;
        if (current.referenceTimestamp == 0) {
            if (!_markets[marketId].limits.exists) revert UnknownMarket(marketId);
            revert NeverPosted(marketId);
        }
    }

    function _isFresh(uint256 referenceTimestamp) private view returns (bool) {
        return block.timestamp - referenceTimestamp <= _head.heartbeatSeconds;
    }

    function _setHeartbeat(uint32 heartbeat) private {
        if (heartbeat == 0) revert InvalidConfiguration();
        _head.heartbeatSeconds = heartbeat;
        emit HeartbeatChanged(heartbeat);
    }
}
