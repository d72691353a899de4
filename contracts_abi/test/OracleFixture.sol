// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginOracle} from "../src/MarginOracle.sol";
import {Test} from "./Test.sol";

/// @title An oracle with a signer set and markets, and the packing and signing of reports.
/// @dev The packing here is written from the interface's text, not from `ReportCodec`, so that the two check each
/// other.
abstract contract OracleFixture is Test {
    uint24 internal constant HEARTBEAT = 1 hours;
    address internal constant OWNER = address(0xA11);
    address internal constant GUARDIAN = address(0x6A7D);
    address internal constant STRANGER = address(0x57A);

    struct SignerSet {
        uint8 threshold;
        uint8 stepThreshold;
        uint256[] keys;
        address[] addresses;
    }

    MarginOracle internal oracle;
    SignerSet internal set;

    function deployOracle(uint256 signerCount, uint8 threshold, uint8 stepThreshold) internal {
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        oracle = newOracle(IMarginOracle.BlockHashSource.Evm);
        set = newSignerSet(signerCount, threshold, stepThreshold);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
    }

    function newOracle(IMarginOracle.BlockHashSource source) internal returns (MarginOracle) {
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.blockHashSource = source;
        return newOracle(setup);
    }

    function newOracle(IMarginOracle.Setup memory setup) internal returns (MarginOracle) {
        return MarginOracle(deploy("MarginOracle", abi.encode(setup)));
    }

    /// @dev Everything takes effect at once: no dwell, no delay. Tests of those set them.
    function defaultSetup() internal pure returns (IMarginOracle.Setup memory setup) {
        setup.owner = OWNER;
        setup.guardian = GUARDIAN;
        setup.timing.heartbeatSeconds = HEARTBEAT;
    }

    function signerSet(SignerSet memory from) internal pure returns (IMarginOracle.SignerSet memory) {
        return IMarginOracle.SignerSet(from.threshold, from.stepThreshold, from.addresses);
    }

    function setTiming(uint24 heartbeat, uint24 dwell, uint16 minimumDelay) internal {
        vm.prank(OWNER);
        oracle.setTiming(IMarginOracle.Timing(heartbeat, dwell, minimumDelay));
    }

    /// @dev Keys 1 ... n, ordered by address.
    function newSignerSet(uint256 count, uint8 threshold, uint8 stepThreshold)
        internal
        pure
        returns (SignerSet memory made)
    {
        made = SignerSet(threshold, stepThreshold, new uint256[](count), new address[](count));
        for (uint256 key = 1; key <= count; ++key) {
            uint256 place = key - 1;
            for (; place > 0 && made.addresses[place - 1] > vm.addr(key); --place) {
                made.addresses[place] = made.addresses[place - 1];
                made.keys[place] = made.keys[place - 1];
            }
            made.addresses[place] = vm.addr(key);
            made.keys[place] = key;
        }
    }

    function defaultConfig() internal pure returns (IMarginOracle.MarketConfig memory) {
        return IMarginOracle.MarketConfig({
            exists: true,
            fallbackInitialPpm: 300_000,
            initial: IMarginOracle.Bounds(10_000, 900_000, 250_000, 20_000, 0, 36_000),
            maintenance: IMarginOracle.Bounds(5_000, 800_000, 0, 0, 18_000, 36_000),
            slope: IMarginOracle.Bounds(0, 500_000, 500_000, 1_000, 0, 36_000)
        });
    }

    function configure(uint32 marketId) internal {
        vm.prank(OWNER);
        oracle.configureMarket(marketId, "market", defaultConfig());
    }

    function defaultMargin(uint32 marketId) internal pure returns (IMarginOracle.MarketMargin memory) {
        return IMarginOracle.MarketMargin(marketId, 100_000, 120_000, 50_000, 60_000, 2_000, 3_000);
    }

    /// @dev A report of the parent block with the markets 1 ... marketCount.
    function draft(uint256 marketCount) internal view returns (IMarginOracle.Report memory report) {
        report.signerSetEpoch = oracle.signerSetEpoch();
        report.sequence = oracle.lastSequence() + 1;
        report.referenceBlock = uint64(vm.getBlockNumber() - 1);
        report.referenceBlockHash = blockhash(report.referenceBlock);
        report.referenceTimestamp = uint64(vm.getBlockTimestamp());
        report.validUntil = uint64(vm.getBlockTimestamp() + 10 minutes);
        report.modelHash = keccak256("model");
        report.detailsHash = keccak256("details");
        report.accountsRoot = keccak256(abi.encode("root", report.sequence));
        report.accountCount = 4;
        report.markets = new IMarginOracle.MarketMargin[](marketCount);
        for (uint256 i = 0; i < marketCount; ++i) {
            report.markets[i] = defaultMargin(uint32(i + 1));
        }
    }

    function packSigned(IMarginOracle.Report memory report) internal view returns (bytes memory) {
        uint256 needed = report.exceedsStep ? set.stepThreshold : set.threshold;
        return packWith(report, set, uint32((1 << needed) - 1));
    }

    function packWith(IMarginOracle.Report memory report, SignerSet memory signers, uint32 bitmap)
        internal
        view
        returns (bytes memory)
    {
        bytes memory signatures = abi.encodePacked(bitmap);
        bytes32 digest = oracle.hashReport(report);
        for (uint256 i = 0; i < signers.keys.length; ++i) {
            if ((bitmap >> i) & 1 == 1) {
                (bytes32 r, bytes32 vs) = vm.signCompact(signers.keys[i], digest);
                signatures = abi.encodePacked(signatures, r, vs);
            }
        }
        return bytes.concat(packReport(report, uint8(signers.keys.length)), packSet(signers), signatures);
    }

    function packReport(IMarginOracle.Report memory report, uint8 signerCount)
        internal
        pure
        returns (bytes memory packed)
    {
        packed = abi.encodePacked(
            report.signerSetEpoch,
            report.sequence,
            report.referenceBlock,
            report.referenceBlockHash,
            report.referenceTimestamp,
            report.validUntil,
            report.modelHash
        );
        packed = abi.encodePacked(
            packed,
            report.detailsHash,
            report.accountsRoot,
            report.accountCount,
            report.exceedsStep,
            uint16(report.markets.length),
            signerCount
        );
        for (uint256 i = 0; i < report.markets.length; ++i) {
            IMarginOracle.MarketMargin memory m = report.markets[i];
            packed = abi.encodePacked(
                packed,
                abi.encodePacked(m.marketId, m.initialLong, m.initialShort, m.maintenanceLong),
                abi.encodePacked(m.maintenanceShort, m.slopeLong, m.slopeShort)
            );
        }
    }

    function packSet(SignerSet memory signers) internal pure returns (bytes memory packed) {
        packed = abi.encodePacked(signers.threshold, signers.stepThreshold);
        for (uint256 i = 0; i < signers.addresses.length; ++i) {
            packed = bytes.concat(packed, bytes20(signers.addresses[i]));
        }
    }

    function postReport(IMarginOracle.Report memory report) internal {
        oracle.post(packSigned(report));
    }

    /// @dev Posts the markets 1 ... marketCount at their defaults.
    function postDefaults(uint256 marketCount) internal {
        postReport(draft(marketCount));
    }

    /// @dev `post` and `preview` must refuse alike.
    function refuses(bytes memory packed, bytes memory reason) internal {
        vm.expectRevert(reason);
        oracle.preview(packed);
        vm.expectRevert(reason);
        oracle.post(packed);
    }
}
