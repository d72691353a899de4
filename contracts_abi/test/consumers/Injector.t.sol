// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {ConsumedRiskOracle} from "../standins/ConsumedRiskOracle.sol";
import {InjectorStandIn, StewardStandIn} from "../standins/InjectorStandIn.sol";
import {ConsumerFixture} from "./ConsumerFixture.sol";

/// @title Through Aave's e-mode injector and its steward: expiry, repetition, bounds.
contract InjectorTest is ConsumerFixture {
    InjectorStandIn private injector;
    StewardStandIn private steward;
    uint256 private id;

    function setUp() external {
        deployConsumers();
        setTiming(12 hours, 0, 0); // longer than the injector's six hours, to see whose limit it is
        injector = new InjectorStandIn(ConsumedRiskOracle(address(risk)));
        // Margins of 10 % and 5 % are 9,000 and 9,500: in reach of both.
        steward =
            new StewardStandIn(address(injector), uint8(uint160(E_MODE)), StewardStandIn.Category(8_960, 9_460, 100));
        injector.setSteward(steward);
        id = bind("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory);
    }

    function canInject() private view returns (bool possible) {
        (possible,) = injector.canInject(E_MODE);
    }

    function expectCategory(uint256 ltvBps, uint256 thresholdBps) private view {
        StewardStandIn.Category memory category = steward.categoryOf(uint8(uint160(E_MODE)));
        vm.assertEq(category.ltvBps, ltvBps);
        vm.assertEq(category.liquidationThresholdBps, thresholdBps);
        vm.assertEq(category.liquidationBonusBps, BONUS_BPS);
    }

    function postLong(uint32 initial, uint32 maintenance) private {
        IMarginOracle.MarketMargin memory offered = defaultMargin(1);
        (offered.initialLong, offered.maintenanceLong) = (initial, maintenance);
        postMargin(offered);
    }

    function test_a_category_lands_rounded_down() external {
        pass(1 hours);
        postLong(100_001, 50_099);
        publish(id);
        injector.inject(E_MODE);
        expectCategory(8_999, 9_499);
    }

    function test_what_is_absent_is_caught() external {
        vm.assertTrue(!canInject(), "nothing was published");
        vm.expectRevert(InjectorStandIn.NoInjectionPossible.selector);
        injector.inject(E_MODE);
    }

    function test_an_update_is_taken_once_and_a_heartbeat_is_a_new_one() external {
        publish(id);
        injector.inject(E_MODE);
        vm.assertTrue(!canInject(), "twice");
        repost(1 hours);
        publish(id);
        vm.assertTrue(canInject(), "the heartbeat is no update");
        // An equal value would use up the steward's time between changes, and here it has to wait for it.
        vm.expectRevert(StewardStandIn.DebounceNotRespected.selector);
        injector.inject(E_MODE);
    }

    function test_six_hours_after_publication_it_is_none() external {
        pass(1 hours);
        publish(id);
        pass(6 hours);
        vm.assertTrue(canInject(), "at six hours");
        pass(1);
        vm.assertTrue(!canInject(), "later");
        repost(1);
        publish(id);
        vm.assertTrue(canInject(), "published anew");
    }

    function test_a_margin_that_is_stale_is_none_though_published_just_now() external {
        pass(12 hours);
        publish(id);
        vm.assertTrue(canInject(), "at the heartbeat");
        pass(1);
        vm.assertTrue(!canInject(), "after it");
    }

    function test_a_looser_category_than_in_force_is_none() external {
        publish(id);
        pass(1 hours);
        postLong(100_000, 50_001);
        vm.assertTrue(!canInject(), "served though too loose");
        publish(id);
        injector.inject(E_MODE);
        expectCategory(9_000, 9_499);
    }

    function test_beyond_the_steward_s_bounds_nothing_changes() external {
        pass(3 hours);
        postLong(110_000, 50_000);
        publish(id);
        vm.expectRevert(StewardStandIn.UpdateNotInRange.selector);
        injector.inject(E_MODE);
        expectCategory(8_960, 9_460);
        vm.assertTrue(canInject(), "the refused update counts as done");
    }
}
