// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {MarginAggregatorV3} from "../../src/consumers/MarginAggregatorV3.sol";
import {MarginFigures} from "../../src/consumers/MarginFigures.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {ConsumerFixture} from "./ConsumerFixture.sol";

/// @title Gas of publishing and reading through the drop-in interfaces, kept with the oracle's own (`GasTest`).
/// @dev Every call is a transaction of its own, with the 21,000 and the calldata.
/// forge-config: default.isolate = true
contract ConsumersGasTest is ConsumerFixture {
    function setUp() external {
        deployConsumers();
    }

    function keep(string memory name) private returns (uint256 amount) {
        amount = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("Gas", name, amount);
    }

    function test_gas_of_publishing_and_reading_updates() external {
        address market = address(1);
        vm.prank(OWNER);
        risk.addGenericBindings(1, market);
        uint256[] memory six = new uint256[](6);
        for (uint256 i = 0; i < 6; ++i) {
            six[i] = i + 1;
        }
        risk.publish(six);
        repost(10 minutes);
        risk.publish(six);
        uint256 ofSix = keep("risk oracle, publish six figures of a market again");
        repost(10 minutes);
        publish(1);
        uint256 ofOne = keep("risk oracle, publish one figure again");
        read(address(risk), abi.encodeCall(risk.getLatestUpdateByParameterAndMarket, ("initialLongPpm", market)));
        keep("risk oracle, latest update, transaction");
        uint256 category = bind("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory);
        publish(category);
        keep("risk oracle, publish an Aave category for the first time");
        vm.assertLe(ofOne, 100_000, "one figure");
        vm.assertLe((ofSix - ofOne) / 5, 60_000, "each further figure");
    }

    function test_gas_of_an_aggregator() external {
        MarginAggregatorV3 feed = MarginAggregatorV3(
            deploy("MarginAggregatorV3", abi.encode(oracle, 1, MarginFigures.Figure.InitialLong, "initial margin"))
        );
        feed.record();
        repost(10 minutes);
        feed.record();
        repost(10 minutes);
        feed.record();
        vm.assertLe(keep("aggregator, record a round"), 50_000, "record");
        read(address(feed), abi.encodeCall(feed.latestRoundData, ()));
        vm.assertLe(keep("aggregator, latest round, transaction"), 40_000, "latest round");
    }

    /// @dev Not a static call, which would not run as a transaction of its own.
    function read(address from, bytes memory question) private {
        (bool success,) = from.call(question);
        vm.assertTrue(success, "the read failed");
    }
}
