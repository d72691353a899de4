// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {OracleFixture} from "../OracleFixture.sol";

/// @title A feed of the L2 sequencer's state that a test moves.
contract UptimeFeed {
    int256 private _answer;
    uint256 private _startedAt = 1;

    function move(int256 answer, uint256 startedAt) external {
        (_answer, _startedAt) = (answer, startedAt);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, _answer, _startedAt, _startedAt, 1);
    }
}

/// @title What every setter does alike. Each setter's test is one of these.
abstract contract SetterBehaviour is OracleFixture {
    uint32 internal constant DELAY = 2 days;
    uint32 internal constant GRACE = 30 minutes;
    uint128 internal constant SIZE = 500_000e18;

    MarginSetter internal setter;
    bytes32 internal target;
    UptimeFeed internal uptimeFeed;

    function setUp() public virtual {
        deployOracle(3, 2, 3);
        uptimeFeed = new UptimeFeed();
        IMarginOracle.Setup memory setup = defaultSetup();
        setup.sequencerUptimeFeed = address(uptimeFeed);
        setup.sequencerGraceSeconds = GRACE;
        oracle = newOracle(setup);
        vm.prank(OWNER);
        oracle.setSigners(signerSet(set));
        configure(1);
        configure(2);
        (setter, target) = deployProtocolAndSetter();
        change(bindCall(1, SIZE));
    }

    // ------------------------------------------------------------------ for each protocol

    /// @dev The protocol, with its role given to the setter, and one target of it.
    function deployProtocolAndSetter() internal virtual returns (MarginSetter, bytes32);

    function bindCall(uint32 marketId, uint128 sizeWad) internal view virtual returns (bytes memory);

    /// @dev What `fitting` comes to in the protocol's unit, counted by hand.
    function settingOfFitting() internal pure virtual returns (MarginSetter.Setting memory);

    function takeRoleAway() internal virtual;

    // ------------------------------------------------------------------ help

    /// @dev Within the bounds of all protocols. At the size: 4.05 % long and 3.1 % short, 0.65 % and 0.9 %.
    function fitting(uint32 marketId) internal pure returns (IMarginOracle.MarketMargin memory) {
        return IMarginOracle.MarketMargin(marketId, 40_000, 30_000, 6_000, 8_000, 1_000, 2_000);
    }

    function post(IMarginOracle.MarketMargin memory margin) internal {
        IMarginOracle.Report memory report = draft(1);
        report.markets[0] = margin;
        postReport(report);
    }

    /// @dev A change of the setter's owner from beginning to end.
    function change(bytes memory call) internal {
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(OWNER);
        setter.executeChange(call);
    }

    function inPlace() internal view returns (bytes32) {
        return keccak256(abi.encode(setter.inPlace(target)));
    }

    /// @dev `preview` and `applyMargin` must refuse alike, and nothing change.
    function refusesToApply(bytes memory reason) internal {
        bytes32 before = inPlace();
        vm.expectRevert(reason);
        setter.preview(target);
        vm.expectRevert(reason);
        setter.applyMargin(target);
        vm.assertEq(inPlace(), before);
    }

    // ------------------------------------------------------------------ carrying

    function test_anyone_carries_the_fresh_margin() external {
        post(fitting(1));
        MarginSetter.Setting memory expected = settingOfFitting();
        vm.assertEq(abi.encode(setter.preview(target)), abi.encode(expected));
        vm.expectEmit(address(setter));
        emit MarginSetter.MarginApplied(target, 1, uint40(vm.getBlockTimestamp()), expected);
        vm.prank(STRANGER);
        setter.applyMargin(target);
        vm.assertEq(abi.encode(setter.inPlace(target)), abi.encode(expected));
    }

    function test_a_second_time_is_refused() external {
        post(fitting(1));
        setter.applyMargin(target);
        refusesToApply(abi.encodeWithSelector(MarginSetter.NothingToChange.selector, target));
        pass(10 minutes);
        post(fitting(1));
        refusesToApply(abi.encodeWithSelector(MarginSetter.NothingToChange.selector, target));
    }

    function test_a_loosening_reaches_the_protocol_only_when_in_force() external {
        post(fitting(1));
        setter.applyMargin(target);
        setTiming(HEARTBEAT, 30 minutes, 0);
        pass(10 minutes);
        IMarginOracle.MarketMargin memory looser = fitting(1);
        looser.initialLong = 39_000;
        post(looser);
        refusesToApply(abi.encodeWithSelector(MarginSetter.NothingToChange.selector, target));
        pass(30 minutes);
        oracle.applyPending(1);
        bytes32 before = inPlace();
        setter.applyMargin(target);
        vm.assertTrue(inPlace() != before, "the looser margin is not in place");
    }

    // ------------------------------------------------------------------ refusing

    function test_incident_i3_a_stale_margin_is_refused() external {
        post(fitting(1));
        pass(HEARTBEAT);
        setter.preview(target);
        pass(1);
        refusesToApply(abi.encodeWithSelector(IMarginOracle.Stale.selector, HEARTBEAT + 1, HEARTBEAT));
    }

    function test_incident_i11_the_heartbeat_is_the_oracles() external {
        post(fitting(1));
        pass(20 minutes + 1);
        setTiming(20 minutes, 0, 0);
        refusesToApply(abi.encodeWithSelector(IMarginOracle.Stale.selector, 20 minutes + 1, 20 minutes));
    }

    function test_incident_i10_nothing_is_set_while_the_sequencer_is_down_or_just_back() external {
        post(fitting(1));
        uptimeFeed.move(1, vm.getBlockTimestamp());
        refusesToApply(abi.encodeWithSelector(IMarginOracle.SequencerDown.selector));
        uptimeFeed.move(0, vm.getBlockTimestamp());
        pass(GRACE - 1);
        refusesToApply(abi.encodeWithSelector(IMarginOracle.SequencerGracePeriod.selector, vm.getBlockTimestamp() + 1));
        pass(1);
        setter.applyMargin(target);
    }

    function test_a_market_never_posted_is_refused() external {
        refusesToApply(abi.encodeWithSelector(IMarginOracle.NeverPosted.selector, 1));
    }

    function test_what_is_not_bound_is_refused() external {
        bytes32 other = bytes32(uint256(target) ^ 1);
        vm.expectRevert(abi.encodeWithSelector(MarginSetter.NotBound.selector, other));
        setter.applyMargin(other);
        vm.expectRevert(abi.encodeWithSelector(MarginSetter.NotBound.selector, other));
        setter.preview(other);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(MarginSetter.NotBound.selector, other));
        setter.unbind(other);
    }

    function test_time_does_not_run_backwards_over_a_change_of_market() external {
        bytes memory rebinding = bindCall(2, SIZE);
        vm.prank(OWNER);
        setter.proposeChange(rebinding);
        pass(DELAY);
        post(fitting(2));
        uint256 earlier = vm.getBlockTimestamp();
        pass(10 minutes);
        post(fitting(1));
        setter.applyMargin(target);
        vm.prank(OWNER);
        setter.unbind(target); // even that forgets no time
        vm.prank(OWNER);
        setter.executeChange(rebinding);
        refusesToApply(abi.encodeWithSelector(MarginSetter.OlderThanApplied.selector, earlier + 10 minutes, earlier));
        pass(1);
        IMarginOracle.MarketMargin memory newer = fitting(2);
        newer.initialLong = 41_000;
        post(newer);
        setter.applyMargin(target);
    }

    function test_without_the_role_nothing_is_set() external {
        post(fitting(1));
        takeRoleAway();
        setter.preview(target);
        bytes32 before = inPlace();
        (bool success,) = address(setter).call(abi.encodeCall(setter.applyMargin, (target)));
        vm.assertTrue(!success, "set without the role");
        vm.assertEq(inPlace(), before);
        (, uint40 appliedTimestamp,) = setter.bindings(target);
        vm.assertEq(uint256(appliedTimestamp), 0);
    }

    // ------------------------------------------------------------------ the owner

    function test_unbinding_is_at_once_and_leaves_what_is_in_place() external {
        post(fitting(1));
        setter.applyMargin(target);
        vm.expectEmit(address(setter));
        emit MarginSetter.Unbound(target);
        vm.prank(OWNER);
        setter.unbind(target);
        refusesToApply(abi.encodeWithSelector(MarginSetter.NotBound.selector, target));
        vm.assertEq(abi.encode(setter.inPlace(target)), abi.encode(settingOfFitting()));
    }

    function test_a_binding_waits() external {
        bytes memory call = bindCall(2, SIZE);
        uint40 ready = uint40(vm.getBlockTimestamp() + DELAY);
        vm.expectEmit(address(setter));
        emit IMarginOracle.ChangeProposed(keccak256(call), ready, call);
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY - 1);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.ChangeNotReady.selector, ready, ready - 1));
        setter.executeChange(call);
        pass(1);
        vm.expectEmit(address(setter));
        emit MarginSetter.Bound(target, 2, SIZE);
        vm.prank(OWNER);
        setter.executeChange(call);
        (uint32 marketId,,) = setter.bindings(target);
        vm.assertEq(uint256(marketId), 2);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotProposed.selector, keccak256(call)));
        setter.executeChange(call);
    }

    function test_a_binding_is_never_direct() external {
        bytes memory call = bindCall(2, SIZE);
        vm.prank(OWNER);
        (bool success, bytes memory reason) = address(setter).call(call);
        vm.assertTrue(!success, "bound without a delay");
        vm.assertEq(reason, abi.encodeWithSelector(IMarginOracle.MustWait.selector, DELAY));
    }

    function test_a_change_expires_and_can_be_cancelled() external {
        bytes memory call = bindCall(2, SIZE);
        vm.prank(OWNER);
        setter.proposeChange(call);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.AlreadyProposed.selector, keccak256(call)));
        setter.proposeChange(call);
        uint256 expiry = vm.getBlockTimestamp() + DELAY + 14 days;
        vm.warp(expiry + 1);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.ChangeExpired.selector, expiry, expiry + 1));
        setter.executeChange(call);
        vm.expectEmit(address(setter));
        emit IMarginOracle.ChangeCancelled(keccak256(call), OWNER);
        vm.prank(OWNER);
        setter.cancelChange(call);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.NotProposed.selector, keccak256(call)));
        setter.executeChange(call);
    }

    function test_a_binding_names_a_size_and_a_market() external {
        (bytes memory sizeless, bytes memory unknown) = (bindCall(1, 0), bindCall(9, SIZE));
        vm.prank(OWNER);
        setter.proposeChange(sizeless);
        vm.prank(OWNER);
        setter.proposeChange(unknown);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(MarginSetter.SizeMissing.selector, target));
        setter.executeChange(sizeless);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IMarginOracle.UnknownMarket.selector, 9));
        setter.executeChange(unknown);
    }

    function test_only_the_owner_changes_anything() external {
        bytes memory call = bindCall(2, SIZE);
        bytes memory reason = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        setter.proposeChange(call);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        setter.unbind(target);
        vm.prank(OWNER);
        setter.proposeChange(call);
        pass(DELAY);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        setter.executeChange(call);
        vm.prank(STRANGER);
        vm.expectRevert(reason);
        setter.cancelChange(call);
    }

    function test_the_owner_cannot_resign() external {
        vm.prank(OWNER);
        vm.expectRevert(IMarginOracle.OwnerCannotResign.selector);
        setter.renounceOwnership();
    }
}
