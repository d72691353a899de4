// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {BookLens} from "../src/BookLens.sol";
import {DemoMarkets} from "../src/demo/DemoMarkets.sol";
import {ExchangeFixture} from "./demo/ExchangeFixture.sol";

/// @title The lens packs what the venue says, word for word.
contract BookLensTest is ExchangeFixture {
    BookLens private lens;

    function setUp() external {
        deployVenue();
        lens = BookLens(deploy("BookLens", ""));
        bytes memory seeds = abi.encodePacked(
            abi.encodePacked(TRADER, int64(500e6), uint8(2), ETH_PERPETUAL, -2 * ONE, ETH_CALL, ONE),
            abi.encodePacked(STRANGER, int64(-7), uint8(0)),
            abi.encodePacked(LIQUIDATOR, int64(9e6), uint8(1), BTC_PERPETUAL, int64(5))
        );
        exchange.seedAccounts(seeds);
        exchange.open();
    }

    function word(bytes memory packed, uint256 index) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(packed, 32), mul(32, index)))
        }
    }

    function header(address account, uint256 version, uint256 count) internal pure returns (uint256) {
        return uint256(uint160(account)) << 96 | version << 32 | count;
    }

    function position(uint256 id, int128 size) internal pure returns (uint256) {
        return id << 128 | uint128(size);
    }

    function test_accounts_are_packed_as_documented() external view {
        bytes memory packed = lens.readAccounts(exchange, 0, 3);
        vm.assertEq(packed.length, 32 * (2 * 3 + 3));
        vm.assertEq(word(packed, 0), header(TRADER, 1, 2));
        vm.assertEq(int256(word(packed, 1)), 500e6);
        vm.assertEq(word(packed, 2), header(STRANGER, 1, 0));
        vm.assertEq(int256(word(packed, 3)), -7);
        vm.assertEq(word(packed, 4), header(LIQUIDATOR, 1, 1));
        vm.assertEq(int256(word(packed, 5)), 9e6);
        vm.assertEq(word(packed, 6), position(ETH_PERPETUAL, -2 * ONE));
        vm.assertEq(word(packed, 7), position(ETH_CALL, ONE));
        vm.assertEq(word(packed, 8), position(BTC_PERPETUAL, 5));
    }

    function test_ranges_are_clipped() external view {
        vm.assertEq(lens.readAccounts(exchange, 3, 10).length, 0);
        vm.assertEq(lens.readAccounts(exchange, 0, 0).length, 0);
        bytes memory last = lens.readAccounts(exchange, 2, type(uint256).max);
        vm.assertEq(last.length, 32 * 3);
        vm.assertEq(word(last, 0), header(LIQUIDATOR, 1, 1));
        vm.assertEq(word(last, 2), position(BTC_PERPETUAL, 5));
    }

    function test_cash_holds_pending_funding() external {
        fund(address(this), 100_000e6);
        exchange.trade(ETH_PERPETUAL, -98 * ONE); // the net size is -100 now
        pass(1 hours);
        bytes memory packed = lens.readAccounts(exchange, 0, 3);
        vm.assertEq(int256(word(packed, 1)), 500e6 - 60_000); // 10 ppm of 6,000, paid by the short
        for (uint256 i = 0; i < 3; ++i) {
            address account = address(uint160(word(packed, 2 * i) >> 96));
            vm.assertTrue(int256(word(packed, 2 * i + 1)) <= cashOf(account), "more than the cash");
        }
    }

    function test_cash_and_marks_make_the_venues_equity() external {
        fund(address(this), 100_000e6);
        exchange.trade(ETH_PERPETUAL, -98 * ONE);
        pass(1001); // funding that is no whole number of micro-USD
        price(ETH_PRICE, BTC_PRICE);
        bytes memory packed = lens.readAccounts(exchange, 0, 1);
        int256 equity = int256(word(packed, 1));
        for (uint256 i = 2; i < 4; ++i) {
            int256 value =
                int256(int128(uint128(word(packed, i)))) * int256(exchange.markE8(uint32(word(packed, i) >> 128)));
            equity += value / 1e10;
            if (value % 1e10 < 0) --equity;
        }
        vm.assertEq(equity, exchange.equityMicro(TRADER));
    }

    function test_many_accounts_with_many_positions() external {
        deployVenue();
        for (uint256 i = 0; i < 27; ++i) {
            exchange.listInstrument(DemoMarkets.Kind.Perpetual, ETH, 1, 0, 0);
        }
        bytes memory seeds;
        for (uint160 i = 1; i <= 40; ++i) {
            uint8 count = uint8(i % 33);
            seeds = abi.encodePacked(seeds, address(i), int64(uint64(i)), count);
            for (uint32 id = 0; id < count; ++id) {
                seeds = abi.encodePacked(seeds, id, int64(uint64(i)) * 100 + int64(uint64(id)));
            }
        }
        exchange.seedAccounts(seeds);
        bytes memory packed = lens.readAccounts(exchange, 0, 40);
        uint256 next = 80;
        for (uint160 i = 1; i <= 40; ++i) {
            vm.assertEq(word(packed, 2 * i - 2), header(address(i), 1, i % 33));
            vm.assertEq(word(packed, 2 * i - 1), i);
            for (uint256 id = 0; id < i % 33; ++id) {
                vm.assertEq(word(packed, next++), position(id, int128(uint128(i)) * 100 + int128(uint128(id))));
            }
        }
        vm.assertEq(packed.length, 32 * next);
    }

    function test_code_without_storage_reads_too() external {
        address ghost = address(0x6057);
        vm.etch(ghost, address(lens).code);
        vm.assertEq(BookLens(ghost).readAccounts(exchange, 0, 3), lens.readAccounts(exchange, 0, 3));
    }

    function test_markets_are_read_with_feeds_and_slices() external {
        exchange.addUnderlying("SOL", newFeed("SOL / USD"), 50, 1);
        exchange.listInstrument(DemoMarkets.Kind.Future, BTC, 2, 0, expiry);
        (
            BookLens.UnderlyingInfo[] memory underlyings,
            BookLens.InstrumentInfo[] memory instruments,
            BookLens.SliceInfo[] memory slices
        ) = lens.readMarkets(exchange);
        vm.assertEq(underlyings.length, 3);
        vm.assertEq(underlyings[0].symbol, "ETH");
        vm.assertEq(underlyings[0].priceFeed, address(ethFeed));
        vm.assertEq(underlyings[0].roundId, 1);
        vm.assertEq(underlyings[0].answer, int256(ETH_PRICE));
        vm.assertEq(underlyings[0].updatedAt, vm.getBlockTimestamp());
        vm.assertEq(underlyings[0].fundingCapPpmHourly, 100);
        vm.assertEq(underlyings[2].roundId, 0);
        vm.assertEq(instruments.length, 6);
        vm.assertEq(instruments[2].kind, uint8(DemoMarkets.Kind.Call));
        vm.assertEq(instruments[2].strikeE8, 3_200e8);
        vm.assertEq(instruments[2].expiry, expiry);
        vm.assertEq(instruments[4].marketId, 2);
        vm.assertEq(slices.length, 2);
        vm.assertEq(slices[0].underlying, ETH);
        vm.assertEq(slices[0].nodesPpm[3], 600_000);
        vm.assertEq(slices[0].carryPpm, int256(50_000));
        vm.assertEq(slices[1].underlying, BTC);
        vm.assertEq(slices[1].updatedAt, 0);
    }

    function test_settled_instruments_need_no_slice() external {
        vm.warp(expiry + 1);
        ethFeed.push(int256(ETH_PRICE), expiry);
        ethFeed.push(int256(ETH_PRICE), expiry + 1);
        for (uint32 id = ETH_FUTURE; id <= ETH_PUT; ++id) {
            exchange.settle(id, 2);
        }
        (, BookLens.InstrumentInfo[] memory instruments, BookLens.SliceInfo[] memory slices) =
            lens.readMarkets(exchange);
        vm.assertEq(slices.length, 0);
        vm.assertEq(instruments[ETH_CALL].settlementPriceE8, ETH_PRICE);
    }

    function test_rounds_walk_back_and_end_at_the_first_missing() external {
        uint40 timestamp = uint40(vm.getBlockTimestamp());
        ethFeed.push(-5, timestamp);
        ethFeed.push(7, timestamp);
        bytes memory packed = lens.readRounds(ethFeed, 3, 2);
        vm.assertEq(packed.length, 64);
        vm.assertEq(word(packed, 0), uint256(timestamp) << 192 | 7);
        vm.assertEq(word(packed, 1), uint256(timestamp) << 192 | uint192(int192(-5)));
        vm.assertEq(lens.readRounds(ethFeed, 3, 100).length, 96);
        vm.assertEq(lens.readRounds(ethFeed, 4, 100).length, 0);
        vm.assertEq(lens.readRounds(ethFeed, 0, 100).length, 0);
    }
}
