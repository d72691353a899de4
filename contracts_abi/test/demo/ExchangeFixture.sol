// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {AggregatorV3Interface} from "../../src/AggregatorV3Interface.sol";
import {DemoDollar} from "../../src/demo/DemoDollar.sol";
import {DemoExchange} from "../../src/demo/DemoExchange.sol";
import {DemoFeed} from "../../src/demo/DemoFeed.sol";
import {DemoMarkets} from "../../src/demo/DemoMarkets.sol";
import {DemoSurfaceFeed} from "../../src/demo/DemoSurfaceFeed.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @title A venue with ETH (perpetual, future, call, put) and BTC (perpetual), open, priced and margined.
/// @dev Market 1 is ETH's (initial 10 % long, 12 % short; maintenance 5 %, 6 %), market 2 BTC's, slopes nearly
/// nothing.
abstract contract ExchangeFixture is OracleFixture {
    address internal constant TRADER = address(0x7ADE);
    address internal constant LIQUIDATOR = address(0x110);
    int64 internal constant ONE = 1e8;
    uint8 internal constant ETH = 0;
    uint8 internal constant BTC = 1;
    uint32 internal constant ETH_PERPETUAL = 0;
    uint32 internal constant ETH_FUTURE = 1;
    uint32 internal constant ETH_CALL = 2;
    uint32 internal constant ETH_PUT = 3;
    uint32 internal constant BTC_PERPETUAL = 4;
    uint256 internal constant ETH_PRICE = 3_000e8;
    uint256 internal constant BTC_PRICE = 100_000e8;

    DemoExchange internal exchange;
    DemoFeed internal ethFeed;
    DemoFeed internal btcFeed;
    DemoSurfaceFeed internal surface;
    DemoDollar internal dollar;
    uint40 internal expiry;

    function deployVenue() internal {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        dollar = DemoDollar(deploy("DemoDollar", ""));
        surface = DemoSurfaceFeed(deploy("DemoSurfaceFeed", abi.encode(address(this))));
        exchange = newExchange();
        ethFeed = newFeed("ETH / USD");
        btcFeed = newFeed("BTC / USD");
        exchange.addUnderlying("ETH", ethFeed, 100, 1_000 * 1e8);
        exchange.addUnderlying("BTC", btcFeed, 100, 100 * 1e8);
        expiry = uint40(vm.getBlockTimestamp() + 30 days);
        exchange.listInstrument(DemoMarkets.Kind.Perpetual, ETH, 1, 0, 0);
        exchange.listInstrument(DemoMarkets.Kind.Future, ETH, 1, 0, expiry);
        exchange.listInstrument(DemoMarkets.Kind.Call, ETH, 1, 3_200e8, expiry);
        exchange.listInstrument(DemoMarkets.Kind.Put, ETH, 1, 2_800e8, expiry);
        exchange.listInstrument(DemoMarkets.Kind.Perpetual, BTC, 2, 0, 0);
        price(ETH_PRICE, BTC_PRICE);
        dollar.mint(address(exchange), 1e15);
        postFlat();
    }

    function newExchange() internal returns (DemoExchange) {
        return DemoExchange(deploy("DemoExchange", abi.encode(address(this), oracle, dollar, surface)));
    }

    function newFeed(string memory description) internal returns (DemoFeed) {
        return DemoFeed(deploy("DemoFeed", abi.encode(address(this), description)));
    }

    /// @dev The report of `draft` with slopes of zero, so that requirements are round figures.
    function flat() internal view returns (IMarginOracle.Report memory report) {
        report = draft(2);
        for (uint256 i = 0; i < 2; ++i) {
            (report.markets[i].slopeLong, report.markets[i].slopeShort) = (0, 0);
        }
    }

    function postFlat() internal {
        postReport(flat());
    }

    function price(uint256 ethE8, uint256 btcE8) internal {
        uint40 timestamp = uint40(vm.getBlockTimestamp());
        ethFeed.push(int256(ethE8), timestamp);
        btcFeed.push(int256(btcE8), timestamp);
        uint24[7] memory nodes = [uint24(900_000), 800_000, 700_000, 600_000, 620_000, 660_000, 720_000];
        if (timestamp < expiry) surface.push(ETH, expiry, nodes, 50_000);
    }

    /// @dev Time passes, prices and margins are renewed at the same figures.
    function passFresh(uint256 elapsedSeconds) internal {
        pass(elapsedSeconds);
        price(ETH_PRICE, BTC_PRICE);
        postFlat();
    }

    function fund(address account, uint64 amountMicro) internal {
        dollar.mint(account, amountMicro);
        vm.prank(account);
        dollar.approve(address(exchange), amountMicro);
        vm.prank(account);
        exchange.deposit(amountMicro);
    }

    function trade(address account, uint32 instrumentId, int64 sizeLots) internal {
        vm.prank(account);
        exchange.trade(instrumentId, sizeLots);
    }

    function keyOf(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    /// @dev Posts a root that holds the account's requirement at its present version.
    function postLeaf(address account, uint256 initialWad, uint256 maintenanceWad)
        internal
        returns (IMarginOracle.AccountLeaf memory leaf, bytes32[] memory proof)
    {
        IMarginOracle.Report memory report = flat();
        (, uint64 version,) = exchange.accountState(account);
        leaf = IMarginOracle.AccountLeaf(
            keyOf(account), version, uint128(initialWad), uint128(maintenanceWad), report.referenceBlock
        );
        (report.accountsRoot, proof) = MerkleTree.ofDepth(oracle.hashAccount(leaf), 3);
        postReport(report);
    }

    function cashOf(address account) internal view returns (int256 cash) {
        (cash,,) = exchange.accountState(account);
    }

    function versionOf(address account) internal view returns (uint64 version) {
        (, version,) = exchange.accountState(account);
    }

    function livesByProof(address account) internal view returns (bool byProof) {
        (,, byProof) = exchange.accountState(account);
    }

    function sizeOf(address account, uint32 instrumentId) internal view returns (int64) {
        (uint32[] memory ids, int64[] memory sizes) = exchange.positionsOf(account);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] == instrumentId) return sizes[i];
        }
        return 0;
    }
}
