// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {ConsumedRiskOracle} from "../standins/ConsumedRiskOracle.sol";
import {SyncerDataStoreStandIn, SyncerStandIn} from "../standins/SyncerStandIn.sol";
import {ConsumerFixture} from "./ConsumerFixture.sol";

/// @title Through GMX's ConfigSyncer: encodings, ids, and what it refuses.
contract SyncerTest is ConsumerFixture {
    bytes32 private constant MIN_COLLATERAL_FACTOR = keccak256(abi.encode("MIN_COLLATERAL_FACTOR"));
    bytes32 private constant FOR_LIQUIDATION = keccak256(abi.encode("MIN_COLLATERAL_FACTOR_FOR_LIQUIDATION"));
    string private constant PARAMETER = "minCollateralFactor";

    SyncerDataStoreStandIn private store;
    SyncerStandIn private syncer;

    function setUp() external {
        deployConsumers();
        store = new SyncerDataStoreStandIn();
    }

    /// @dev With a list as GMX would have to extend it; `asLive` is without collateral factors.
    function deploySyncer(bool asLive) private {
        bytes32[] memory allowed = new bytes32[](asLive ? 1 : 3);
        allowed[0] = keccak256(abi.encode("MAX_OPEN_INTEREST"));
        if (!asLive) (allowed[1], allowed[2]) = (MIN_COLLATERAL_FACTOR, FOR_LIQUIDATION);
        syncer = new SyncerStandIn(ConsumedRiskOracle(address(risk)), store, allowed);
    }

    function sync(string memory parameter) private {
        address[] memory markets = new address[](1);
        string[] memory parameters = new string[](1);
        (markets[0], parameters[0]) = (GMX_MARKET, parameter);
        syncer.sync(markets, parameters);
    }

    function stored(bytes32 baseKey) private view returns (uint256) {
        return store.getUint(syncer.fullKey(baseKey, GMX_MARKET));
    }

    /// @dev What the oracles before did: `count` ids are done.
    function complete(uint256 count) private {
        for (uint256 id = 1; id <= count; ++id) {
            store.setBool(syncer.completedKey(id), true);
        }
        store.setUint(syncer.LATEST_UPDATE_ID(), count);
    }

    function bindFactor() private returns (uint256) {
        return bind(PARAMETER, GMX_MARKET, RiskContents.Content.GmxMinCollateralFactor);
    }

    function test_factors_of_the_dearer_side_land_in_30_decimals() external {
        deploySyncer(false);
        publish(bindFactor());
        publish(bind("minForLiquidation", GMX_MARKET, RiskContents.Content.GmxMinCollateralFactorForLiquidation));
        sync(PARAMETER);
        sync("minForLiquidation");
        vm.assertEq(stored(MIN_COLLATERAL_FACTOR), 0.12e30);
        vm.assertEq(stored(FOR_LIQUIDATION), 0.06e30);
        vm.assertEq(store.getUint(syncer.LATEST_UPDATE_ID()), INITIAL_UPDATE_ID + 2);
    }

    /// @dev The list as it is on chain has no collateral factor: this way is closed until GMX opens it.
    function test_the_live_list_refuses_collateral_factors() external {
        deploySyncer(true);
        publish(bindFactor());
        vm.expectRevert(abi.encodeWithSelector(SyncerStandIn.InvalidBaseKey.selector, MIN_COLLATERAL_FACTOR));
        sync(PARAMETER);
    }

    /// @dev The trap: ids from 1 again are done already; the sync succeeds and sets nothing, until the third.
    function test_an_oracle_that_restarts_its_ids_is_silently_ignored() external {
        risk = newRiskOracle(0);
        deploySyncer(false);
        complete(2);
        uint256 id = bindFactor();
        for (uint256 updateId = 1; updateId <= 3; ++updateId) {
            repost(1 minutes);
            publish(id);
            sync(PARAMETER);
            vm.assertEq(risk.updateCounter(), updateId);
            vm.assertEq(stored(MIN_COLLATERAL_FACTOR), updateId < 3 ? 0 : 0.12e30);
        }
    }

    function test_an_initial_id_from_the_data_store_lands_at_once() external {
        deploySyncer(false);
        complete(2);
        risk = newRiskOracle(uint64(store.getUint(syncer.LATEST_UPDATE_ID())));
        deploySyncer(false);
        publish(bindFactor());
        sync(PARAMETER);
        vm.assertEq(stored(MIN_COLLATERAL_FACTOR), 0.12e30);
    }

    function test_a_generic_update_is_no_update_of_gmx() external {
        deploySyncer(false);
        publish(bind("initialLongPpm", GMX_MARKET, RiskContents.Content.InitialLong));
        vm.expectRevert(bytes(""));
        sync("initialLongPpm");
    }

    function test_what_is_absent_stale_or_outdated_sets_nothing() external {
        deploySyncer(false);
        uint256 id = bindFactor();
        vm.expectRevert("No update found for the specified parameter and market.");
        sync(PARAMETER);
        publish(id);
        pass(10 minutes);
        IMarginOracle.MarketMargin memory dearer = defaultMargin(1);
        dearer.initialShort = 130_000;
        postMargin(dearer);
        vm.expectPartialRevert(bytes4(keccak256("BelowMarginInForce(uint256,uint256)")));
        sync(PARAMETER);
        pass(HEARTBEAT + 1);
        vm.expectPartialRevert(IMarginOracle.Stale.selector);
        sync(PARAMETER);
        vm.assertEq(stored(MIN_COLLATERAL_FACTOR), 0);
    }

    function test_fuzz_every_factor_arrives_whole(uint32 ppm) external {
        ppm = uint32(bound(ppm, 120_000, 150_000));
        deploySyncer(false);
        pass(1 hours);
        IMarginOracle.MarketMargin memory offered = defaultMargin(1);
        offered.initialShort = ppm;
        postMargin(offered);
        publish(bindFactor());
        sync(PARAMETER);
        vm.assertEq(stored(MIN_COLLATERAL_FACTOR), uint256(ppm) * 1e24);
    }
}
