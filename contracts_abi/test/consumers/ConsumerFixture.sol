// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginRiskOracle} from "../../src/consumers/MarginRiskOracle.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @title A margin oracle with two posted markets, and the RiskOracle in front of it.
abstract contract ConsumerFixture is OracleFixture {
    uint64 internal constant INITIAL_UPDATE_ID = 41;
    address internal constant GMX_MARKET = address(0x63A7);
    address internal constant E_MODE = address(7);
    uint16 internal constant BONUS_BPS = 100;

    MarginRiskOracle internal risk;

    function deployConsumers() internal {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
        postDefaults(2);
        risk = newRiskOracle(INITIAL_UPDATE_ID);
    }

    function newRiskOracle(uint64 initialUpdateId) internal returns (MarginRiskOracle) {
        return MarginRiskOracle(
            deploy("MarginRiskOracle", abi.encode(oracle, OWNER, initialUpdateId, "Margins of local markets"))
        );
    }

    /// @dev What a name stands for: market 1's `content`, for the consumer's market.
    function binding(string memory updateType, address market, RiskContents.Content content)
        internal
        pure
        returns (MarginRiskOracle.Binding memory)
    {
        uint16 bonus = content == RiskContents.Content.AaveEModeCategory ? BONUS_BPS : 0;
        return MarginRiskOracle.Binding(market, 1, content, bonus, updateType);
    }

    function bind(string memory updateType, address market, RiskContents.Content content) internal returns (uint256) {
        vm.prank(OWNER);
        return risk.addBinding(binding(updateType, market, content));
    }

    /// @dev As a stranger, since anyone may.
    function publish(uint256 bindingId) internal returns (uint256 published) {
        uint256[] memory ids = new uint256[](1);
        ids[0] = bindingId;
        vm.prank(STRANGER);
        return risk.publish(ids);
    }

    /// @dev Market 1 alone, so that market 2 ages.
    function postMargin(IMarginOracle.MarketMargin memory offered) internal {
        IMarginOracle.Report memory report = draft(1);
        report.markets[0] = offered;
        postReport(report);
    }

    function repost(uint256 elapsedSeconds) internal {
        pass(elapsedSeconds);
        postDefaults(2);
    }
}
