// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {IRiskOracle} from "../../src/consumers/IRiskOracle.sol";
import {MarginRiskOracle} from "../../src/consumers/MarginRiskOracle.sol";
import {RiskContents} from "../../src/consumers/RiskContents.sol";
import {ConsumedRiskOracle} from "../standins/ConsumedRiskOracle.sol";
import {ConsumerFixture} from "./ConsumerFixture.sol";

/// @title The RiskOracle by itself: its interface, ids, publication, what it serves and what not, its table.
contract RiskOracleTest is ConsumerFixture {
    RiskContents.Content private constant INITIAL_LONG = RiskContents.Content.InitialLong;
    bytes private constant NO_UPDATE = "No update found for the specified parameter and market.";
    address private constant MARKET = address(1);

    function setUp() external {
        deployConsumers();
    }

    // ------------------------------------------------------------------ interface

    function test_selectors_and_topic_are_those_of_the_original() external pure {
        vm.assertEq(bytes32(IRiskOracle.getLatestUpdateByParameterAndMarket.selector), bytes32(bytes4(0x5decfee4)));
        vm.assertEq(bytes32(IRiskOracle.getUpdateById.selector), bytes32(bytes4(0x37759b9a)));
        vm.assertEq(bytes32(IRiskOracle.updateCounter.selector), bytes32(bytes4(0x1687fe8e)));
        vm.assertEq(bytes32(IRiskOracle.latestUpdateIdByMarketAndType.selector), bytes32(bytes4(0x6a309fe9)));
        vm.assertEq(bytes32(IRiskOracle.getAllUpdateTypes.selector), bytes32(bytes4(0xc030ce7b)));
        vm.assertEq(bytes32(IRiskOracle.isAuthorized.selector), bytes32(bytes4(0xfe9fbb80)));
        vm.assertEq(bytes32(bytes4(IRiskOracle.ParameterUpdated.selector)), bytes32(bytes4(0xf4ffa2da)));
    }

    function test_event_carries_the_whole_update() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        publish(id);
        uint256 firstRound = vm.getBlockTimestamp() * 64;
        repost(1 minutes);
        vm.expectEmit(address(risk));
        emit IRiskOracle.ParameterUpdated(
            vm.toString(firstRound + 60 * 64),
            abi.encode(100_000),
            abi.encode(100_000),
            vm.getBlockTimestamp(),
            "initial",
            43,
            MARKET,
            ""
        );
        publish(id);
    }

    function test_nobody_is_authorized_to_choose_a_value() external view {
        vm.assertTrue(!risk.isAuthorized(OWNER), "the owner");
        vm.assertTrue(!risk.isAuthorized(address(this)), "anyone");
        vm.assertEq(risk.description(), "Margins of local markets");
    }

    // ------------------------------------------------------------------ ids and publication

    function test_ids_begin_above_the_initial_one_and_are_global() external {
        uint256 first = bind("initial", MARKET, INITIAL_LONG);
        uint256 second = bind("other", MARKET, RiskContents.Content.InitialShort);
        vm.assertEq(risk.updateCounter(), INITIAL_UPDATE_ID);
        publish(first);
        publish(second);
        repost(1 minutes);
        publish(first);
        vm.assertEq(risk.updateCounter(), INITIAL_UPDATE_ID + 3);
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "initial"), INITIAL_UPDATE_ID + 3);
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "other"), INITIAL_UPDATE_ID + 2);
    }

    /// @dev Read by the consumers' own declaration: every field must be in its place.
    function test_update_is_stamped_with_its_publication_and_names_its_round() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        uint256 referenceTime = vm.getBlockTimestamp();
        pass(5 minutes);
        publish(id);
        ConsumedRiskOracle.RiskParameterUpdate memory update =
            ConsumedRiskOracle(address(risk)).getLatestUpdateByParameterAndMarket("initial", MARKET);
        vm.assertEq(update.timestamp, referenceTime + 5 minutes);
        vm.assertEq(update.referenceId, vm.toString(referenceTime * 64));
        vm.assertEq(update.newValue, abi.encode(100_000));
        vm.assertEq(update.previousValue, "");
        vm.assertEq(update.updateType, "initial");
        vm.assertEq(update.updateId, INITIAL_UPDATE_ID + 1);
        vm.assertEq(update.market, MARKET);
        vm.assertEq(update.additionalData, "");
    }

    function test_an_old_figure_is_not_stamped_anew() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        publish(id);
        pass(5 minutes);
        vm.expectRevert(MarginRiskOracle.NothingNewer.selector);
        publish(id);
        vm.assertEq(risk.updateCounter(), INITIAL_UPDATE_ID + 1);
        repost(0); // an equal value of a newer report is news
        publish(id);
        IRiskOracle.RiskParameterUpdate memory update = risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        vm.assertEq(update.timestamp, vm.getBlockTimestamp());
        vm.assertEq(update.previousValue, update.newValue);
    }

    function test_two_rounds_of_one_reference_time_are_two_updates() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        publish(id);
        pass(0);
        IMarginOracle.MarketMargin memory dearer = defaultMargin(1);
        dearer.initialLong = 110_000;
        postMargin(dearer);
        publish(id);
        vm.assertEq(risk.getUpdateById(INITIAL_UPDATE_ID + 2).newValue, abi.encode(110_000));
    }

    function test_a_batch_survives_that_somebody_was_first() external {
        uint256[] memory ids = new uint256[](2);
        ids[0] = bind("initial", MARKET, INITIAL_LONG);
        ids[1] = bind("other", MARKET, RiskContents.Content.InitialShort);
        publish(ids[0]);
        vm.assertEq(risk.publish(ids), 1);
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "initial"), INITIAL_UPDATE_ID + 1);
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "other"), INITIAL_UPDATE_ID + 2);
    }

    function test_a_batch_with_a_binding_twice_publishes_it_once() external {
        uint256[] memory ids = new uint256[](2);
        ids[0] = ids[1] = bind("initial", MARKET, INITIAL_LONG);
        vm.assertEq(risk.publish(ids), 1);
        vm.expectRevert(MarginRiskOracle.NothingNewer.selector);
        risk.publish(new uint256[](0));
    }

    function test_nothing_stale_or_never_posted_is_published() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        pass(HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        publish(id);
        configure(3);
        MarginRiskOracle.Binding memory never = binding("never", MARKET, INITIAL_LONG);
        never.marketId = 3;
        vm.prank(OWNER);
        id = risk.addBinding(never);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 3));
        publish(id);
    }

    function test_nothing_is_published_or_served_while_the_sequencer_is_down() external {
        address feed = address(0xFEED);
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.sequencerUptimeFeed = feed;
        setup.sequencerGraceSeconds = 10 minutes;
        oracle = newOracle(setup);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        pass(1);
        sequencer(feed, 0);
        postDefaults(1);
        risk = newRiskOracle(0);
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        publish(id);
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        sequencer(feed, 1);
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        pass(1 minutes);
        vm.expectRevert(IMarginOracle.SequencerDown.selector);
        publish(id);
    }

    function sequencer(address feed, uint256 answer) private {
        vm.mockCall(feed, "", abi.encode(1, answer, vm.getBlockTimestamp() - 1 days, vm.getBlockTimestamp(), 1));
    }

    function test_fuzz_ids_strictly_increase_and_history_stays(uint256 random) external {
        uint256[] memory ids = new uint256[](3);
        ids[0] = bind("initial", MARKET, INITIAL_LONG);
        ids[1] = bind("gmx", GMX_MARKET, RiskContents.Content.GmxMinCollateralFactor);
        ids[2] = bind("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory);
        uint256[] memory latest = new uint256[](3);
        uint256 counter = INITIAL_UPDATE_ID;
        bytes32 history;
        for (uint256 step = 0; step < 8; ++step) {
            uint256 i = bound(random >> (8 * step), 0, 2);
            repost(1 minutes);
            publish(ids[i]);
            (MarginRiskOracle.Binding memory bound_, uint64 updateId,) = risk.bindingAt(ids[i]);
            vm.assertEq(updateId, ++counter);
            vm.assertEq(risk.latestUpdateIdByMarketAndType(bound_.market, bound_.updateType), counter);
            vm.assertTrue(
                (risk.getUpdateById(counter).previousValue.length == 0) == (latest[i] == 0),
                "only a first has no before"
            );
            latest[i] = counter;
            if (step == 0) history = keccak256(abi.encode(risk.getUpdateById(counter)));
        }
        vm.assertEq(keccak256(abi.encode(risk.getUpdateById(INITIAL_UPDATE_ID + 1))), history);
    }

    // ------------------------------------------------------------------ what is served

    function test_reverts_with_the_original_s_words_where_nothing_is() external {
        bind("initial", MARKET, INITIAL_LONG); // bound, not yet published
        expectNoUpdate("initial", MARKET);
        expectNoUpdate("unknown", MARKET);
        expectNoUpdate("initial", address(2));
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "initial"), 0);
        uint256[3] memory ids = [uint256(0), INITIAL_UPDATE_ID, INITIAL_UPDATE_ID + 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert("Invalid update ID.");
            risk.getUpdateById(ids[i]);
        }
    }

    function expectNoUpdate(string memory updateType, address market) private {
        vm.expectRevert(NO_UPDATE);
        risk.getLatestUpdateByParameterAndMarket(updateType, market);
    }

    /// @dev Consumers ignore times (INCIDENTS I3), so the read keeps them.
    function test_incident_i3_the_latest_is_not_served_when_stale_but_history_is() external {
        publish(bind("initial", MARKET, INITIAL_LONG));
        pass(HEARTBEAT);
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        pass(1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        vm.assertEq(risk.getUpdateById(INITIAL_UPDATE_ID + 1).newValue, abi.encode(100_000));
    }

    /// @dev The margin oracle went on, nobody published: what was published is as old as it is.
    function test_a_fresh_oracle_does_not_make_an_old_publication_fresh() external {
        publish(bind("initial", MARKET, INITIAL_LONG));
        repost(HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
    }

    /// @dev The heartbeat is the margin oracle's own (INCIDENTS I11): a change reaches this read at once.
    function test_incident_i11_the_heartbeat_is_the_margin_oracle_s() external {
        publish(bind("initial", MARKET, INITIAL_LONG));
        pass(30 minutes);
        setTiming(20 minutes, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.Stale.selector, 30 minutes, 20 minutes));
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
    }

    function test_no_figure_below_the_one_in_force_is_served() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        publish(id);
        pass(10 minutes);
        IMarginOracle.MarketMargin memory dearer = defaultMargin(1);
        dearer.initialLong = 110_000;
        postMargin(dearer);
        vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.BelowMarginInForce.selector, id, INITIAL_UPDATE_ID + 1));
        risk.getLatestUpdateByParameterAndMarket("initial", MARKET);
        publish(id);
        vm.assertEq(risk.getLatestUpdateByParameterAndMarket("initial", MARKET).newValue, abi.encode(110_000));
        repost(1 hours); // looser again: the dearer one is served until it is stale
        vm.assertEq(risk.getLatestUpdateByParameterAndMarket("initial", MARKET).newValue, abi.encode(110_000));
    }

    /// @dev Such a category has no encoding, and the one before it is too loose.
    function test_a_category_beyond_the_whole_is_neither_published_nor_left_as_it_was() external {
        publish(bind("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory));
        IMarginOracle.MarketConfig memory config = defaultConfig();
        config.initial.maximum = config.initial.stepMinimum = 2_000_000;
        vm.prank(OWNER);
        oracle.configureMarket(1, "market", config);
        pass(1 minutes);
        IMarginOracle.MarketMargin memory dearer = defaultMargin(1);
        dearer.initialLong = 1_000_001;
        postMargin(dearer);
        vm.expectRevert(abi.encodeWithSelector(RiskContents.RatioAboveOne.selector, 1_000_001));
        publish(1);
        vm.expectPartialRevert(MarginRiskOracle.BelowMarginInForce.selector);
        risk.getLatestUpdateByParameterAndMarket("EModeCategoryUpdate", E_MODE);
    }

    function test_either_figure_of_a_category_counts() external {
        uint256 id = bind("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory);
        publish(id);
        pass(1 hours);
        IMarginOracle.MarketMargin memory dearer = defaultMargin(1);
        dearer.maintenanceLong = 50_001;
        postMargin(dearer);
        vm.expectPartialRevert(MarginRiskOracle.BelowMarginInForce.selector);
        risk.getLatestUpdateByParameterAndMarket("EModeCategoryUpdate", E_MODE);
    }

    // ------------------------------------------------------------------ bindings

    function test_generic_bindings_are_the_six_figures() external {
        vm.prank(OWNER);
        risk.addGenericBindings(1, MARKET);
        string[] memory types = risk.getAllUpdateTypes();
        uint256[6] memory figures = [uint256(100_000), 120_000, 50_000, 60_000, 2_000, 3_000];
        vm.assertEq(types.length, 6);
        for (uint256 i = 0; i < 6; ++i) {
            publish(risk.bindingIdOf(types[i], MARKET));
            vm.assertEq(risk.getLatestUpdateByParameterAndMarket(types[i], MARKET).newValue, abi.encode(figures[i]));
        }
        vm.assertEq(types[0], "initialLongPpm");
        vm.assertEq(types[5], "slopeShortPpmPerMillionUsd");
        vm.prank(OWNER);
        risk.addGenericBindings(2, address(2));
        vm.assertEq(risk.getAllUpdateTypes().length, 6);
        vm.assertEq(risk.bindingCount(), 12);
    }

    function test_a_published_name_never_means_anything_else() external {
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        expectAlreadyBound();
        publish(id);
        vm.prank(OWNER);
        risk.removeBinding(id);
        expectAlreadyBound();
        expectNoUpdate("initial", MARKET);
        vm.assertEq(risk.latestUpdateIdByMarketAndType(MARKET, "initial"), 0);
        vm.assertEq(risk.getUpdateById(INITIAL_UPDATE_ID + 1).newValue, abi.encode(100_000));
        repost(1 minutes);
        vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.RemovedBinding.selector, id));
        publish(id);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.RemovedBinding.selector, id));
        risk.removeBinding(id);
    }

    function expectAlreadyBound() private {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.AlreadyBound.selector, "initial", MARKET));
        risk.addBinding(binding("initial", MARKET, RiskContents.Content.SlopeLong));
    }

    function test_a_name_that_was_never_published_can_be_corrected() external {
        uint256 wrong = bind("initial", MARKET, RiskContents.Content.SlopeLong);
        vm.prank(OWNER);
        risk.removeBinding(wrong);
        publish(bind("initial", MARKET, INITIAL_LONG));
        vm.assertEq(risk.getLatestUpdateByParameterAndMarket("initial", MARKET).newValue, abi.encode(100_000));
        vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.RemovedBinding.selector, wrong));
        publish(wrong);
    }

    function test_update_types_have_1_to_64_bytes() external {
        bind(string(new bytes(64)), MARKET, INITIAL_LONG);
        refusesBinding(
            binding(string(new bytes(65)), MARKET, INITIAL_LONG),
            abi.encodeWithSelector(MarginRiskOracle.InvalidUpdateTypeLength.selector, 65, 64)
        );
        refusesBinding(
            binding("", MARKET, INITIAL_LONG),
            abi.encodeWithSelector(MarginRiskOracle.InvalidUpdateTypeLength.selector, 0, 64)
        );
    }

    function test_bindings_that_cannot_be_meant_are_refused() external {
        MarginRiskOracle.Binding memory wrong = binding("initial", MARKET, INITIAL_LONG);
        wrong.marketId = 9;
        refusesBinding(wrong, abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 9));
        wrong = binding("initial", MARKET, INITIAL_LONG);
        wrong.liquidationBonusBps = 1;
        refusesBinding(wrong, abi.encodeWithSelector(MarginRiskOracle.InvalidLiquidationBonus.selector, 1));
        wrong = binding("EModeCategoryUpdate", E_MODE, RiskContents.Content.AaveEModeCategory);
        wrong.liquidationBonusBps = 0;
        refusesBinding(wrong, abi.encodeWithSelector(MarginRiskOracle.InvalidLiquidationBonus.selector, 0));
        address[2] memory notCategories = [address(0), address(256)];
        for (uint256 i = 0; i < 2; ++i) {
            refusesBinding(
                binding("EModeCategoryUpdate", notCategories[i], RiskContents.Content.AaveEModeCategory),
                abi.encodeWithSelector(MarginRiskOracle.NotAnEModeCategory.selector, notCategories[i])
            );
        }
        bind("EModeCategoryUpdate", address(255), RiskContents.Content.AaveEModeCategory);
    }

    function refusesBinding(MarginRiskOracle.Binding memory wrong, bytes memory reason) private {
        vm.prank(OWNER);
        vm.expectRevert(reason);
        risk.addBinding(wrong);
    }

    function test_ids_that_are_no_bindings_are_refused() external {
        bind("initial", MARKET, INITIAL_LONG);
        uint256[3] memory ids = [uint256(0), 2, (1 << 32) + 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.UnknownBinding.selector, ids[i]));
            publish(ids[i]);
            vm.expectRevert(abi.encodeWithSelector(MarginRiskOracle.UnknownBinding.selector, ids[i]));
            risk.bindingAt(ids[i]);
        }
    }

    function test_only_the_owner_names_figures() external {
        bytes memory reason = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", STRANGER);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        risk.addBinding(binding("initial", MARKET, INITIAL_LONG));
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        risk.addGenericBindings(1, MARKET);
        uint256 id = bind("initial", MARKET, INITIAL_LONG);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        risk.removeBinding(id);
    }
}
