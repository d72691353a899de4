// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {LibBit} from "solady/utils/LibBit.sol";
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
        "MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,"
        "uint32 maintenanceLong,uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
    );
    bytes32 private constant REPORT_TYPE_HASH = keccak256(
        "Report(uint32 signerSetEpoch,uint64 sequence,uint64 referenceBlock,bytes32 referenceBlockHash,"
        "uint64 referenceTimestamp,uint64 validUntil,bytes32 modelHash,bytes32 detailsHash,bytes32 accountsRoot,"
        "uint32 accountCount,bool exceedsStep,MarketMargin[] markets)"
        "MarketMargin(uint32 marketId,uint32 initialLong,uint32 initialShort,"
        "uint32 maintenanceLong,uint32 maintenanceShort,uint32 slopeLong,uint32 slopeShort)"
    );

    /// @dev Who signed: the set as it travelled, and where its signatures lie.
    struct Attestation {
        uint256 threshold;
        uint256 stepThreshold;
        uint256 bitmap;
        uint256 signersOffset;
        uint256 signaturesOffset;
        uint256 signatureCount;
        bytes32 setHash;
    }

    /// @notice Decodes a report and what attests it; reverts on any other than the one canonical encoding.
    /// @dev Fills what the caller allocated: each struct that is returned by value would be cleared once more.
    /// @param report Receives all but the markets, `report.markets` stays empty.
    /// @param attestation Receives what the signatures are checked with.
    /// @return marketCount Count of the markets, to be read with `marketAt`.
    function decode(bytes calldata packed, IMarginOracle.Report memory report, Attestation memory attestation)
        internal
        pure
        returns (uint256 marketCount)
    {
        _requireCanonicalWrapper(packed);
        _requireLength(packed, HEADER_BYTES, false);
        marketCount = _field(packed, 169, 2);
        _decodeAttestation(packed, marketCount, attestation);
        _requireAscending(packed, marketCount);
        _decodeHeader(packed, report);
    }

    /// @notice Market `index` as one word: 32 bits unused, marketId, the six values.
    function marketAt(bytes calldata packed, uint256 index) internal pure returns (uint256) {
        unchecked {
            return _field(packed, HEADER_BYTES + MARKET_BYTES * index, MARKET_BYTES);
        }
    }

    /// @notice EIP-712 hash of the list of markets.
    /// @dev In memory that is not allocated: the hashes one after the other, and behind them the encoding of one
    /// market, in the same place for all.
    function hashMarkets(bytes calldata packed, uint256 marketCount) internal pure returns (bytes32 result) {
        bytes32 typeHash = MARKET_TYPE_HASH;
        uint256 hashes;
        uint256 encoded;
        assembly ("memory-safe") {
            hashes := mload(0x40)
            encoded := add(hashes, shl(5, marketCount))
            mstore(encoded, typeHash)
        }
        for (uint256 i = 0; i < marketCount; ++i) {
            uint256 market = marketAt(packed, i);
            assembly ("memory-safe") {
                mstore(add(encoded, 32), shr(192, market))
                mstore(add(encoded, 64), and(shr(160, market), 0xffffffff))
                mstore(add(encoded, 96), and(shr(128, market), 0xffffffff))
                mstore(add(encoded, 128), and(shr(96, market), 0xffffffff))
                mstore(add(encoded, 160), and(shr(64, market), 0xffffffff))
                mstore(add(encoded, 192), and(shr(32, market), 0xffffffff))
                mstore(add(encoded, 224), and(market, 0xffffffff))
                mstore(add(hashes, shl(5, i)), keccak256(encoded, 256))
            }
        }
        assembly ("memory-safe") {
            result := keccak256(hashes, shl(5, marketCount))
        }
    }

    /// @notice EIP-712 hash of the list of markets.
    function hashMarkets(IMarginOracle.MarketMargin[] calldata markets) internal pure returns (bytes32 result) {
        bytes32[] memory hashes = new bytes32[](markets.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            hashes[i] = keccak256(abi.encode(MARKET_TYPE_HASH, markets[i]));
        }
        assembly ("memory-safe") {
            result := keccak256(add(hashes, 32), shl(5, mload(hashes)))
        }
    }

    /// @notice EIP-712 hash of a report, given the hash of its markets.
    /// @dev A struct in memory is its fields, a word each, in the order in which they are hashed: with the type's hash
    /// in the word before and the markets' hash in place of their pointer it is the encoding, and needs no copy. Both
    /// words are put back.
    function hash(IMarginOracle.Report memory report, bytes32 marketsHash) internal pure returns (bytes32 result) {
        bytes32 typeHash = REPORT_TYPE_HASH;
        assembly ("memory-safe") {
            let start := sub(report, 32)
            let last := add(report, 352)
            let before := mload(start)
            let markets := mload(last)
            mstore(start, typeHash)
            mstore(last, marketsHash)
            result := keccak256(start, 416)
            mstore(start, before)
            mstore(last, markets)
        }
    }

    /// @notice Address of signer `index` in the set that travelled.
    function signerAt(bytes calldata packed, Attestation memory attestation, uint256 index)
        internal
        pure
        returns (address)
    {
        unchecked {
            return address(uint160(_field(packed, attestation.signersOffset + SIGNER_BYTES * index, SIGNER_BYTES)));
        }
    }

    /// @notice The `ordinal`-th signature, in the compact form of ERC-2098.
    function signatureAt(bytes calldata packed, Attestation memory attestation, uint256 ordinal)
        internal
        pure
        returns (bytes32 r, bytes32 vs)
    {
        unchecked {
            uint256 offset = attestation.signaturesOffset + SIGNATURE_BYTES * ordinal;
            r = bytes32(_field(packed, offset, 32));
            vs = bytes32(_field(packed, offset + 32, 32));
        }
    }

    /// @dev Offsets cannot overflow: counts have 16 and 8 bits.
    function _decodeAttestation(bytes calldata packed, uint256 marketCount, Attestation memory attestation)
        private
        pure
    {
        unchecked {
            uint256 signerCount = _field(packed, 171, 1);
            uint256 setOffset = HEADER_BYTES + MARKET_BYTES * marketCount;
            uint256 bitmapOffset = setOffset + THRESHOLDS_BYTES + SIGNER_BYTES * signerCount;
            uint256 signaturesOffset = bitmapOffset + BITMAP_BYTES;
            _requireLength(packed, signaturesOffset, false);
            uint256 bitmap = _field(packed, bitmapOffset, BITMAP_BYTES);
            if (bitmap >> signerCount != 0) revert IMarginOracle.NonCanonicalCalldata();
            uint256 signatureCount = LibBit.popCount(bitmap);
            _requireLength(packed, signaturesOffset + SIGNATURE_BYTES * signatureCount, true);
            attestation.threshold = _field(packed, setOffset, 1);
            attestation.stepThreshold = _field(packed, setOffset + 1, 1);
            attestation.bitmap = bitmap;
            attestation.signersOffset = setOffset + THRESHOLDS_BYTES;
            attestation.signaturesOffset = signaturesOffset;
            attestation.signatureCount = signatureCount;
            attestation.setHash = _hashSet(packed, setOffset, bitmapOffset);
        }
    }

    /// @dev keccak256(bytes.concat(packed[:4], packed[start:end])): the epoch, and the set as it travelled.
    function _hashSet(bytes calldata packed, uint256 start, uint256 end) private pure returns (bytes32 setHash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            let size := sub(end, start)
            calldatacopy(free, packed.offset, 4)
            calldatacopy(add(free, 4), add(packed.offset, start), size)
            setHash := keccak256(free, add(size, 4))
        }
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

    function _requireAscending(bytes calldata packed, uint256 marketCount) private pure {
        for (uint256 i = 1; i < marketCount; ++i) {
            uint256 previous = marketAt(packed, i - 1) >> 192;
            uint256 next = marketAt(packed, i) >> 192;
            if (next <= previous) revert IMarginOracle.MarketsNotAscending(uint32(previous), uint32(next));
        }
    }

    function _requireCanonicalWrapper(bytes calldata packed) private pure {
        bool isCanonical;
        assembly ("memory-safe") {
            let lastWord := and(packed.length, not(31))
            let padded := and(add(packed.length, 31), not(31))
            // What follows the bytes in their last word; nothing does when they fill it.
            let padding := shl(mul(8, and(packed.length, 31)), calldataload(add(packed.offset, lastWord)))
            isCanonical := and(eq(packed.offset, WRAPPER_BYTES), eq(calldatasize(), add(WRAPPER_BYTES, padded)))
            isCanonical := and(isCanonical, or(iszero(padding), eq(padded, packed.length)))
        }
        if (!isCanonical) revert IMarginOracle.NonCanonicalCalldata();
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
}
