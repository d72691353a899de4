// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MarginOracle} from "../src/MarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title What the owner sets, and what nobody else does.
contract ConfigurationTest is OracleFixture {
    function setUp() external {
        deployOracle(5, 3, 4);
        configure(1);
        configure(2);
    }

    function test_configuration_reads_back() external view {
        vm.assertEq(keccak256(abi.encode(oracle.marketConfig(1))), keccak256(abi.encode(defaultConfig())));
        vm.assertTrue(!oracle.marketConfig(9).exists, "unknown market exists");
    }

    function testFuzz_configuration_reads_back(IMarginOracle.MarketConfig memory config) external {
        config.exists = true;
        config.initial.riseHourly = 0;
        config.slope.riseHourly = 0;
        (config.maintenance.stepRelativePpm, config.maintenance.stepMinimum) = (0, 0);
        if (config.initial.minimum == 0) config.initial.minimum = 1;
        if (config.maintenance.minimum == 0) config.maintenance.minimum = 1;
        config.initial.maximum = type(uint32).max;
        config.maintenance.maximum = type(uint32).max;
        config.slope.maximum = type(uint32).max;
        if (config.fallbackInitialPpm < config.initial.minimum) config.fallbackInitialPpm = config.initial.minimum;
        vm.prank(OWNER);
        oracle.configureMarket(7, "fuzzed", config);
        vm.assertEq(keccak256(abi.encode(oracle.marketConfig(7))), keccak256(abi.encode(config)));
    }

    function refusesConfig(IMarginOracle.MarketConfig memory config) internal {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.configureMarket(1, "market", config);
    }

    function test_configurations_that_are_refused() external {
        IMarginOracle.MarketConfig memory config = defaultConfig();
        config.exists = false;
        refusesConfig(config);
        config = defaultConfig();
        config.initial.minimum = 0;
        refusesConfig(config);
        config = defaultConfig();
        config.maintenance.minimum = 0;
        refusesConfig(config);
        config = defaultConfig();
        config.initial.maximum = config.initial.minimum - 1;
        refusesConfig(config);
        config = defaultConfig();
        config.maintenance.maximum = config.maintenance.minimum - 1;
        refusesConfig(config);
        config = defaultConfig();
        (config.slope.minimum, config.slope.maximum) = (2, 1);
        refusesConfig(config);
        config = defaultConfig();
        config.fallbackInitialPpm = config.initial.minimum - 1;
        refusesConfig(config);
        config = defaultConfig();
        config.initial.riseHourly = 1;
        refusesConfig(config);
        config = defaultConfig();
        config.slope.riseHourly = 1;
        refusesConfig(config);
        config = defaultConfig();
        config.maintenance.stepRelativePpm = 1;
        refusesConfig(config);
        config = defaultConfig();
        config.maintenance.stepMinimum = 1;
        refusesConfig(config);
    }

    function test_only_the_owner_configures() external {
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        vm.expectRevert(reason);
        oracle.setSigners(signerSet(set));
        vm.expectRevert(reason);
        oracle.configureMarket(1, "x", defaultConfig());
        vm.expectRevert(reason);
        oracle.setTiming(IMarginOracle.Timing(1, 0, 0));
    }

    function test_ownership_moves_in_two_steps() external {
        vm.prank(OWNER);
        oracle.transferOwnership(STRANGER);
        vm.assertEq(oracle.owner(), OWNER);
        vm.prank(STRANGER);
        oracle.acceptOwnership();
        vm.assertEq(oracle.owner(), STRANGER);
    }

    function test_heartbeat_is_never_zero() external {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.setTiming(IMarginOracle.Timing(0, 0, 0));
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.timing.heartbeatSeconds = 0;
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        new MarginOracle(setup);
    }

    function test_the_owner_delay_is_at_most_thirty_days() external {
        vm.prank(OWNER);
        oracle.setOwnerDelay(30 days);
        vm.assertEq(oracle.ownerDelaySeconds(), 30 days);
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.InvalidConfiguration.selector);
        oracle.setOwnerDelay(30 days + 1);
    }
}
