// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "./IMarginOracle.sol";

/// @title The packed bytes of a report: strict decoding, and the EIP-712 struct hash of what was decoded.
/// @dev The layout is that of `IMarginOracle.post`. One report has exactly one encoding: lengths, flags, bitmap and
/// the ABI wrapper are all checked, so that nobody can resubmit the same report in other clothes.
library ReportCodec {
    uint256 internal constant HEADER_BYTES = 172;
    uint256 internal constant MARKET_BYTES = 28;
    uint256 internal constant SIGNER_BYTES = 20;
    uint256 internal constant THRESHOLDS_BYTES = 2;
    uint256 internal constant BITMAP_BYTES = 4;
    uint256 internal constant SIGNATURE_BYTES = 64;

    /// @dev Selector, offset word and length word come before the bytes of a canonical `f(bytes)` call.
    uint256 private constant WRAPPER_BYTES = 68;

    bytes32 private constant MARKET_TYPE_HASH = keccak256(
        "MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,uint32 maintenanceLong,uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
    );
    bytes32 private constant REPORT_TYPE_HASH = keccak256(
        "Report(uint32 signerSetEpoch,uint64 sequence,uint64 referenceBlock,bytes32 referenceBlockHash,uint64 referenceTimestamp,uint64 validUntil,bytes32 modelHash,bytes32 detailsHash,bytes32 accountsRoot,uint32 accountCount,bool exceedsStep,MarketMargin[] markets)MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,uint32 maintenanceLong,uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
    );

    /// @dev Who signed: the set as it travelled, and where its signatures lie.
    struct Attestation {
        uint8 threshold;
        uint8 stepThreshold;
        uint32 bitmap;
        uint256 signersOffset;
        uint256 signaturesOffset;
        uint256 signatureCount;
        bytes32 setHash;
    }

    /// @notice Decodes a report and what attests it; reverts on any other than the one canonical encoding.
    function decode(bytes calldata packed)
        internal
        pure
        returns (IMarginOracle.Report memory report, Attestation memory attestation)
    {
        _requireCanonicalWrapper(packed);
        _requireLength(packed, HEADER_BYTES, false);
        uint256 marketCount = _field(packed, 169, 2);
        uint256 signerCount = _field(packed, 171, 1);

        uint256 setOffset = HEADER_BYTES + MARKET_BYTES * marketCount;
        uint256 bitmapOffset = setOffset + THRESHOLDS_BYTES + SIGNER_BYTES * signerCount;
        attestation.signaturesOffset = bitmapOffset + BITMAP_BYTES;
        _requireLength(packed, attestation.signaturesOffset, false);
        attestation.bitmap = uint32(_field(packed, bitmapOffset, 4));
        if (attestation.bitmap >> signerCount != 0) revert IMarginOracle.NonCanonicalCalldata();
        attestation.signatureCount = _bitCount(attestation.bitmap);
        _requireLength(packed, attestation.signaturesOffset + SIGNATURE_BYTES * attestation.signatureCount, true);

        attestation.threshold = uint8(_field(packed, setOffset, 1));
        attestation.stepThreshold = uint8(_field(packed, setOffset + 1, 1));
        attestation.signersOffset = setOffset + THRESHOLDS_BYTES;
        attestation.setHash = keccak256(bytes.concat(packed[:4], packed[setOffset:bitmapOffset]));
        _decodeHeader(packed, report);
        report.markets = _decodeMarkets(packed, marketCount);
    }

    /// @notice EIP-712 struct hash of a report.
    function hash(IMarginOracle.Report memory report) internal pure returns (bytes32) {
        bytes32[] memory marketHashes = new bytes32[](report.markets.length);
        for (uint256 i = 0; i < marketHashes.length; ++i) {
            marketHashes[i] = keccak256(abi.encode(MARKET_TYPE_HASH, report.markets[i]));
        }
        return keccak256(
            abi.encode(
                REPORT_TYPE_HASH,
                report.signerSetEpoch,
                report.sequence,
                report.referenceBlock,
                report.referenceBlockHash,
                report.referenceTimestamp,
                report.validUntil,
                report.modelHash,
                report.detailsHash,
                report.accountsRoot,
                report.accountCount,
                report.exceedsStep,
                keccak256(abi.encodePacked(marketHashes))
            )
        );
    }

    /// @notice Address of signer `index` in the set that travelled.
    function signerAt(bytes calldata packed, Attestation memory attestation, uint256 index)
        internal
        pure
        returns (address)
    {
        return address(uint160(_field(packed, attestation.signersOffset + SIGNER_BYTES * index, 20)));
    }

    /// @notice The `ordinal`-th signature, in the compact form of ERC-2098.
    function signatureAt(bytes calldata packed, Attestation memory attestation, uint256 ordinal)
        internal
        pure
        returns (bytes32 r, bytes32 vs)
    {
        uint256 offset = attestation.signaturesOffset + SIGNATURE_BYTES * ordinal;
        r = bytes32(_field(packed, offset, 32));
        vs = bytes32(_field(packed, offset + 32, 32));
    }

    function _decodeHeader(bytes calldata packed, IMarginOracle.Report memory report) private pure {
        report.signerSetEpoch = uint32(_field(packed, 0, 4));
        report.sequence = uint64(_field(packed, 4, 8));
        report.referenceBlock = uint64(_field(packed, 12, 8));
        report.referenceBlockHash = bytes32(_field(packed, 20, 32));
        report.referenceTimestamp = uint64(_field(packed, 52, 8));
        report.validUntil = uint64(_field(packed, 60, 8));
        report.modelHash = bytes32(_field(packed, 68, 32));
        report.detailsHash = bytes32(_field(packed, 100, 32));
        report.accountsRoot = bytes32(_field(packed, 132, 32));
        report.accountCount = uint32(_field(packed, 164, 4));
        uint256 exceedsStep = _field(packed, 168, 1);
        if (exceedsStep > 1) revert IMarginOracle.NonCanonicalCalldata();
        report.exceedsStep = exceedsStep == 1;
    }

    function _decodeMarkets(bytes calldata packed, uint256 marketCount)
        private
        pure
        returns (IMarginOracle.MarketMargin[] memory markets)
    {
        markets = new IMarginOracle.MarketMargin[](marketCount);
        for (uint256 i = 0; i < marketCount; ++i) {
            uint256 tuple = _field(packed, HEADER_BYTES + MARKET_BYTES * i, MARKET_BYTES);
            IMarginOracle.MarketMargin memory market = markets[i];
            market.marketId = uint32(tuple >> 192);
            market.initialLong = uint32(tuple >> 160);
            market.initialShort = uint32(tuple >> 128);
            market.maintenanceLong = uint32(tuple >> 96);
            market.maintenanceShort = uint32(tuple >> 64);
            market.slopeLong = uint32(tuple >> 32);
            market.slopeShort = uint32(tuple);
            if (i > 0 && market.marketId <= markets[i - 1].marketId) {
                revert IMarginOracle.MarketsNotAscending(markets[i - 1].marketId, market.marketId);
            }
        }
    }

    function _requireCanonicalWrapper(bytes calldata packed) private pure {
        uint256 start;
        uint256 afterLastWholeWord;
        assembly ("memory-safe") {
            start := packed.offset
            afterLastWholeWord := calldataload(add(packed.offset, and(packed.length, not(31))))
        }
        uint256 padded = (packed.length + 31) & ~uint256(31);
        bool padding = packed.length % 32 != 0 && afterLastWholeWord << (8 * (packed.length % 32)) != 0;
        if (start != WRAPPER_BYTES || msg.data.length != WRAPPER_BYTES + padded || padding) {
            revert IMarginOracle.NonCanonicalCalldata();
        }
    }

    function _requireLength(bytes calldata packed, uint256 expected, bool exactly) private pure {
        if (packed.length < expected || (exactly && packed.length != expected)) {
            revert IMarginOracle.InvalidCalldataLength(expected, packed.length);
        }
    }

    /// @dev The big-endian integer of `size` bytes at `offset`; the caller has checked the length.
    function _field(bytes calldata packed, uint256 offset, uint256 size) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, mul(8, size)), calldataload(add(packed.offset, offset)))
        }
    }

    function _bitCount(uint256 bitmap) private pure returns (uint256 count) {
        for (; bitmap != 0; bitmap &= bitmap - 1) ++count;
    }
}
