// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {DemoDollar} from "../../src/demo/DemoDollar.sol";
import {DemoFeed} from "../../src/demo/DemoFeed.sol";
import {MarginAccounts} from "../../src/examples/MarginAccounts.sol";
import {MerkleTree} from "../MerkleTree.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @title What both example venues stand on: an oracle with three markets and a sequencer, a feed, a dollar.
/// @dev Every market: initial 10 % long, 12 % short, maintenance 5 % and 6 %, fallback 30 %, no slopes. ETH at 3,000.
abstract contract ExamplesFixture is OracleFixture {
    address internal constant ALICE = address(0xA71CE);
    address internal constant BOB = address(0xB0B);
    address internal constant LIQUIDATOR = address(0x110);
    address internal constant SEQUENCER_FEED = address(0x5EC);
    uint32 internal constant GRACE = 1 hours;
    uint32 internal constant MARKETS = 3;
    uint256 internal constant MAXIMUM_PRICE_AGE = 3900;
    uint256 internal constant PRICE = 3_000e8;

    DemoDollar internal dollar;
    DemoFeed internal feed;
    IMarginOracle.AccountLeaf internal leaf;
    bytes32[] internal proof;

    function deployMarkets() internal {
        deployOracle(3, 2, 3);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.sequencerUptimeFeed = SEQUENCER_FEED;
        setup.sequencerGraceSeconds = GRACE;
        oracle = newOracle(setup);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        for (uint32 id = 1; id <= MARKETS; ++id) {
            configure(id);
        }
        sequencer(0, vm.getBlockTimestamp() - GRACE);
        dollar = DemoDollar(deploy("DemoDollar", ""));
        feed = DemoFeed(deploy("DemoFeed", abi.encode(address(this), "ETH / USD")));
        price(PRICE);
        postFlat();
    }

    function venue() internal view virtual returns (MarginAccounts);

    /// @param answer 0 while it is up.
    function sequencer(int256 answer, uint256 startedAt) internal {
        vm.mockCall(
            SEQUENCER_FEED,
            abi.encodeWithSignature("latestRoundData()"),
            abi.encode(uint80(1), answer, startedAt, startedAt, uint80(1))
        );
    }

    function price(uint256 priceE8) internal {
        feed.push(int256(priceE8), uint40(vm.getBlockTimestamp()));
    }

    function flat() internal view returns (IMarginOracle.Report memory report) {
        report = draft(MARKETS);
        for (uint256 i = 0; i < MARKETS; ++i) {
            (report.markets[i].slopeLong, report.markets[i].slopeShort) = (0, 0);
        }
    }

    function postFlat() internal {
        postReport(flat());
    }

    /// @dev Time passes without a report; only the price is renewed.
    function silence(uint256 elapsedSeconds) internal {
        pass(elapsedSeconds);
        price(PRICE);
    }

    function fund(address account, uint256 amount) internal {
        dollar.mint(account, amount);
        vm.prank(account);
        dollar.approve(address(venue()), amount);
        vm.prank(account);
        venue().deposit(amount);
    }

    function withdraw(address account, uint256 amount) internal {
        vm.prank(account);
        venue().withdraw(amount);
    }

    /// @dev Posts a root that holds the account's requirement at its present version.
    function postLeaf(address account, uint256 initialWad, uint256 maintenanceWad) internal {
        pass(12);
        IMarginOracle.Report memory report = flat();
        leaf = IMarginOracle.AccountLeaf(
            bytes32(uint256(uint160(account))),
            versionOf(account),
            uint128(initialWad),
            uint128(maintenanceWad),
            report.referenceBlock
        );
        (report.accountsRoot, proof) = MerkleTree.ofDepth(oracle.hashAccount(leaf), 3);
        postReport(report);
    }

    function versionOf(address account) internal view returns (uint64) {
        return venue().accountOf(account).positionVersion;
    }

    function isByProof(address account) internal view returns (bool) {
        return venue().accountOf(account).provenMaintenanceWad != 0;
    }

    function expectInsufficient(address account, int256 equityWad, uint256 requiredWad) internal {
        vm.expectRevert(
            abi.encodeWithSelector(MarginAccounts.InsufficientMargin.selector, account, equityWad, requiredWad)
        );
    }

    function expectNotLiquidatable(address account, int256 equityWad, uint256 requiredWad) internal {
        vm.expectRevert(
            abi.encodeWithSelector(MarginAccounts.NotLiquidatable.selector, account, equityWad, requiredWad)
        );
    }
}
