// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {AggregatorV3Interface} from "./AggregatorV3Interface.sol";
import {DemoExchange} from "./demo/DemoExchange.sol";
import {DemoLedger} from "./demo/DemoLedger.sol";
import {DemoMarkets} from "./demo/DemoMarkets.sol";
import {DemoSurfaceFeed} from "./demo/DemoSurfaceFeed.sol";

/// @title Packed reads of the demo venue: thousands of accounts in one call.
/// @notice Has no state, so it works deployed or placed at any address by an `eth_call` state override.
contract BookLens {
    /// @notice An underlying with its feed's last round; `roundId` 0 when the feed has none.
    struct UnderlyingInfo {
        string symbol;
        address priceFeed;
        int32 fundingRatePpmHourly;
        uint32 fundingCapPpmHourly;
        uint256 roundId;
        int256 answer;
        uint256 updatedAt;
    }

    struct InstrumentInfo {
        uint8 kind;
        uint8 underlying;
        uint32 marketId;
        uint64 strikeE8;
        uint40 expiry;
        uint64 settlementPriceE8;
    }

    struct SliceInfo {
        uint8 underlying;
        uint40 expiry;
        uint24[7] nodesPpm;
        int32 carryPpm;
        uint40 updatedAt;
    }

    int256 private constant LOT_WAD_PER_MICRO = 1e20;
    /// @dev Room to decode one account with the largest number of positions; the answer grows behind it. Memory costs
    /// gas with the square of its size, so what is decoded is thrown away account by account.
    uint256 private constant SCRATCH_BYTES = 16384;

    /// @notice Accounts [start, start + count), clipped at the last one.
    /// @return packed Two words for each account: address (20 bytes), position version (8), position count (4); cash
    /// in micro-USD (int256), pending funding included, rounded down. After all accounts one word for each position,
    /// in account order: instrument id (uint128), size in lots (int128).
    function readAccounts(DemoExchange exchange, uint256 start, uint256 count)
        external
        view
        returns (bytes memory packed)
    {
        uint256 total = exchange.accountCount();
        if (start >= total) return packed;
        if (count > total - start) count = total - start;
        (bool[] memory isPerpetual, int256[] memory fundingIndexWad) = _funding(exchange);
        bytes memory scratch = new bytes(SCRATCH_BYTES);
        packed = new bytes(64 * count);
        uint256 end = 64 * count;
        for (uint256 i = 0; i < count; ++i) {
            _setFreeMemory(scratch, 0);
            (address account, DemoLedger.Account memory header, DemoLedger.Position[] memory positions) =
                exchange.bookAt(start + i);
            int256 cash = header.cashMicro;
            for (uint256 j = 0; j < positions.length; ++j) {
                DemoLedger.Position memory position = positions[j];
                uint256 id = position.instrumentId;
                if (isPerpetual[id]) {
                    cash += _floorDivide(
                        -int256(position.sizeLots) * (fundingIndexWad[id] - position.fundingIndexWad), LOT_WAD_PER_MICRO
                    );
                }
                _store(packed, end, id << 128 | uint128(int128(position.sizeLots)));
                end += 32;
            }
            _store(
                packed,
                64 * i,
                uint256(uint160(account)) << 96 | uint256(header.positionVersion) << 32 | positions.length
            );
            _store(packed, 64 * i + 32, uint256(cash));
        }
        assembly ("memory-safe") {
            mstore(packed, end)
        }
        _setFreeMemory(packed, end);
    }

    /// @notice All underlyings and instruments, and one slice for each underlying and expiry that is still unsettled.
    function readMarkets(DemoExchange exchange)
        external
        view
        returns (UnderlyingInfo[] memory underlyings, InstrumentInfo[] memory instruments, SliceInfo[] memory slices)
    {
        underlyings = new UnderlyingInfo[](exchange.underlyingCount());
        for (uint256 i = 0; i < underlyings.length; ++i) {
            underlyings[i] = _underlying(exchange, uint8(i));
        }
        instruments = new InstrumentInfo[](exchange.instrumentCount());
        slices = new SliceInfo[](instruments.length);
        uint256 sliceCount = 0;
        for (uint256 i = 0; i < instruments.length; ++i) {
            DemoMarkets.Instrument memory from = exchange.instrumentAt(uint32(i));
            instruments[i] = InstrumentInfo(
                from.kind, from.underlying, from.marketId, from.strikeE8, from.expiry, from.settlementPriceE8
            );
            bool hasSlice = from.expiry != 0 && from.settlementPriceE8 == 0;
            if (hasSlice && !_contains(slices, sliceCount, from.underlying, from.expiry)) {
                slices[sliceCount++] = _slice(exchange, from.underlying, from.expiry);
            }
        }
        assembly ("memory-safe") {
            mstore(slices, sliceCount)
        }
    }

    /// @notice Rounds of a feed, walking back from `lastRoundId`; ends early at the first that is missing.
    /// @return packed One word for each round: updatedAt (uint64), answer (int192).
    function readRounds(AggregatorV3Interface feed, uint80 lastRoundId, uint256 count)
        external
        view
        returns (bytes memory packed)
    {
        if (count > lastRoundId) count = lastRoundId;
        packed = new bytes(32 * count);
        uint256 found = 0;
        for (; found < count; ++found) {
            try feed.getRoundData(uint80(lastRoundId - found)) returns (
                uint80, int256 answer, uint256, uint256 updatedAt, uint80
            ) {
                _store(packed, 32 * found, updatedAt << 192 | uint192(int192(answer)));
            } catch {
                break;
            }
        }
        assembly ("memory-safe") {
            mstore(packed, mul(32, found))
        }
    }

    /// @dev For each instrument: whether it pays funding, and its index in this block.
    function _funding(DemoExchange exchange)
        private
        view
        returns (bool[] memory isPerpetual, int256[] memory fundingIndexWad)
    {
        uint256 count = exchange.instrumentCount();
        isPerpetual = new bool[](count);
        fundingIndexWad = new int256[](count);
        for (uint256 i = 0; i < count; ++i) {
            DemoMarkets.Instrument memory instrument = exchange.instrumentAt(uint32(i));
            if (instrument.kind != uint8(DemoMarkets.Kind.Perpetual)) continue;
            isPerpetual[i] = true;
            fundingIndexWad[i] = exchange.fundingIndexWad(instrument.underlying);
        }
    }

    function _underlying(DemoExchange exchange, uint8 id) private view returns (UnderlyingInfo memory info) {
        DemoMarkets.Underlying memory from = exchange.underlyingAt(id);
        info.symbol = from.symbol;
        info.priceFeed = address(from.priceFeed);
        info.fundingRatePpmHourly = exchange.fundingRatePpmHourly(id);
        info.fundingCapPpmHourly = from.fundingCapPpmHourly;
        try from.priceFeed.latestRoundData() returns (
            uint80 roundId, int256 answer, uint256, uint256 updatedAt, uint80
        ) {
            (info.roundId, info.answer, info.updatedAt) = (roundId, answer, updatedAt);
        } catch {
            info.roundId = 0;
        }
    }

    function _slice(DemoExchange exchange, uint8 underlying, uint40 expiry) private view returns (SliceInfo memory) {
        DemoSurfaceFeed.Slice memory from = exchange.surfaceFeed().sliceOf(underlying, expiry);
        return SliceInfo(underlying, expiry, from.nodesPpm, from.carryPpm, from.updatedAt);
    }

    function _contains(SliceInfo[] memory slices, uint256 count, uint8 underlying, uint40 expiry)
        private
        pure
        returns (bool)
    {
        for (uint256 i = 0; i < count; ++i) {
            if (slices[i].underlying == underlying && slices[i].expiry == expiry) return true;
        }
        return false;
    }

    function _floorDivide(int256 amount, int256 divisor) private pure returns (int256 quotient) {
        quotient = amount / divisor;
        if (amount % divisor < 0) --quotient;
    }

    /// @dev Lets the next allocation begin at `offset` into `region`.
    function _setFreeMemory(bytes memory region, uint256 offset) private pure {
        assembly ("memory-safe") {
            mstore(0x40, add(add(region, 32), offset))
        }
    }

    function _store(bytes memory target, uint256 offset, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(target, 32), offset), word)
        }
    }
}
