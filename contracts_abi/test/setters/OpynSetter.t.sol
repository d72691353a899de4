// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {MarginSetter} from "../../src/setters/MarginSetter.sol";
import {OpynSetter} from "../../src/setters/OpynSetter.sol";
import {ProtocolOwner} from "../../src/setters/ProtocolOwner.sol";
import {OpynCalculator} from "../standins/OpynCalculator.sol";
import {SetterBehaviour} from "./SetterBehaviour.sol";

/// @title Opyn's spot shocks of puts and calls: direction, scale, bounds, the order of three assets.
contract OpynSetterTest is SetterBehaviour {
    address private constant WETH = address(0xE74);
    address private constant USDC = address(0x05DC);

    OpynCalculator private calculator;

    function deployProtocolAndSetter() internal override returns (MarginSetter, bytes32) {
        calculator = new OpynCalculator();
        calculator.setSpotShock(WETH, USDC, USDC, true, 0.75e27);
        calculator.setSpotShock(WETH, USDC, WETH, false, 0.75e27);
        OpynSetter made = OpynSetter(deploy("OpynSetter", abi.encode(oracle, OWNER, DELAY, calculator)));
        calculator.transferOwnership(address(made));
        return (made, made.targetOf(put()));
    }

    function put() private pure returns (OpynSetter.Product memory) {
        return OpynSetter.Product({underlying: WETH, strike: USDC, collateral: USDC, isPut: true});
    }

    function call() private pure returns (OpynSetter.Product memory) {
        return OpynSetter.Product({underlying: WETH, strike: USDC, collateral: WETH, isPut: false});
    }

    function bindCall(uint32 marketId, uint128 sizeWad) internal pure override returns (bytes memory) {
        return abi.encodeCall(OpynSetter.bind, (put(), marketId, sizeWad));
    }

    /// @dev 4.05 % of a long, initial, off the whole.
    function settingOfFitting() internal pure override returns (MarginSetter.Setting memory) {
        return MarginSetter.Setting({initial: 0.9595e27, maintenance: 0.9595e27});
    }

    function takeRoleAway() internal override {
        change(abi.encodeCall(ProtocolOwner.handOver, (STRANGER)));
        post(fitting(1));
    }

    function opyn() private view returns (OpynSetter) {
        return OpynSetter(address(setter));
    }

    function applyBoth(IMarginOracle.MarketMargin memory posted) private {
        change(abi.encodeCall(OpynSetter.bind, (call(), 1, SIZE)));
        post(posted);
        setter.applyMargin(opyn().targetOf(put()));
        setter.applyMargin(opyn().targetOf(call()));
    }

    function refusesBinding(OpynSetter.Product memory product, bytes memory reason) private {
        bytes memory binding = abi.encodeCall(OpynSetter.bind, (product, 1, SIZE));
        vm.prank(OWNER);
        setter.proposeChange(binding);
        pass(DELAY);
        vm.prank(OWNER);
        vm.expectRevert(reason);
        setter.executeChange(binding);
    }

    function shock(OpynSetter.Product memory product) private view returns (uint256) {
        return calculator.getSpotShock(product.underlying, product.strike, product.collateral, product.isPut);
    }

    function margin(uint256 initialLong, uint256 initialShort)
        private
        pure
        returns (IMarginOracle.MarketMargin memory made)
    {
        made = fitting(1);
        (made.initialLong, made.initialShort) = (uint32(initialLong), uint32(initialShort));
    }

    // ------------------------------------------------------------------ what is set

    function test_a_put_takes_the_long_side_and_a_call_the_short_side() external {
        applyBoth(margin(199_500, 249_000)); // 20 % down and 25 % up at the size
        vm.assertEq(shock(put()), 0.8e27);
        vm.assertEq(shock(call()), 0.8e27);
    }

    /// @dev With no time value at all the naked margin after the set shock still pays the option after the move that
    /// the oracle charges for: the shock points the right way and is rounded the right way.
    function testFuzz_the_margin_pays_the_option_after_the_charged_move(
        uint256 longPpm,
        uint256 shortPpm,
        uint256 strikeE27
    ) external {
        longPpm = bound(longPpm, 10_000, 890_000);
        shortPpm = bound(shortPpm, 10_000, 890_000);
        strikeE27 = bound(strikeE27, 100e27, 10_000e27);
        uint256 spotE27 = 2_000e27;
        applyBoth(margin(longPpm, shortPpm));

        // The slopes add 500 and 1000 ppm at the size.
        uint256 fallen = spotE27 * (999_500 - longPpm) / 1e6;
        uint256 putMargin = calculator.nakedMargin(true, shock(put()), spotE27, strikeE27, 0);
        vm.assertLe(strikeE27 > fallen ? strikeE27 - fallen : 0, putMargin, "a put is short of its payout");

        uint256 risen = spotE27 * (1_001_000 + shortPpm) / 1e6;
        uint256 payout = strikeE27 < risen ? 1e27 - strikeE27 * 1e27 / risen - 1 : 0;
        uint256 callMargin = calculator.nakedMargin(false, shock(call()), spotE27, strikeE27, 0);
        vm.assertLe(payout, callMargin, "a call is short of its payout");
    }

    function testFuzz_the_shock_is_the_largest_that_covers_the_move(uint256 longPpm, uint256 shortPpm) external {
        longPpm = bound(longPpm, 10_000, 890_000);
        shortPpm = bound(shortPpm, 10_000, 890_000);
        applyBoth(margin(longPpm, shortPpm));
        vm.assertEq(shock(put()), 1e21 * (999_500 - longPpm));
        uint256 risenPpm = 1_001_000 + shortPpm;
        vm.assertLe(shock(call()) * risenPpm, 1e33, "less than the move");
        vm.assertTrue((shock(call()) + 1) * risenPpm > 1e33, "more than the move");
    }

    /// @dev A fall by a thousandth of a unit more takes a whole unit off the shock: down is towards more margin.
    function test_the_shock_is_rounded_down() external {
        change(bindCall(1, SIZE + 1));
        IMarginOracle.MarketMargin memory posted = fitting(1);
        posted.slopeLong = 1;
        post(posted);
        setter.applyMargin(target);
        vm.assertEq(shock(put()), 1e27 - 40_000e21 - 0.5e21 - 1);
    }

    // ------------------------------------------------------------------ what is refused

    function test_incident_i5_a_figure_in_another_unit_is_refused() external {
        post(fitting(1));
        IMarginOracle.CurrentMargin memory odd = oracle.margin(1);
        (odd.slopeLong, odd.initialLong) = (0, 40); // 4 % as basis points times ten
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(odd));
        refusesToApply(refusal(0.99996e27));
        odd.initialLong = 950_000;
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(odd));
        refusesToApply(refusal(0.05e27));
        odd.initialLong = 4_000_000_000;
        vm.mockCall(address(oracle), abi.encodeCall(oracle.margin, (1)), abi.encode(odd));
        refusesToApply(refusal(0));
    }

    function refusal(uint256 value) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                MarginSetter.OutOfBounds.selector, MarginSetter.Figure.Initial, value, 0.1e27, 0.99e27
            );
    }

    /// @dev `getOtokenDetails` answers collateral, underlying, strike; the setter wants underlying, strike, collateral.
    function test_assets_in_the_order_of_an_otoken_are_refused() external {
        refusesBinding(
            OpynSetter.Product(USDC, WETH, USDC, true),
            abi.encodeWithSelector(OpynSetter.WrongCollateral.selector, WETH, USDC)
        );
        refusesBinding(
            OpynSetter.Product(WETH, WETH, USDC, false),
            abi.encodeWithSelector(OpynSetter.WrongCollateral.selector, WETH, USDC)
        );
    }

    function test_a_put_in_the_underlying_is_refused() external {
        refusesBinding(
            OpynSetter.Product(WETH, USDC, WETH, true),
            abi.encodeWithSelector(OpynSetter.WrongCollateral.selector, USDC, WETH)
        );
    }

    function test_an_underlying_that_is_its_own_strike_is_refused() external {
        OpynSetter.Product memory same = OpynSetter.Product(WETH, WETH, WETH, true);
        refusesBinding(same, abi.encodeWithSelector(MarginSetter.UnknownTarget.selector, opyn().targetOf(same)));
    }

    function test_incident_i9_what_is_read_back_must_be_what_was_set() external {
        post(fitting(1));
        vm.mockCall(
            address(calculator), abi.encodeCall(calculator.getSpotShock, (WETH, USDC, USDC, true)), abi.encode(0.75e27)
        );
        vm.expectPartialRevert(MarginSetter.NotTaken.selector);
        setter.applyMargin(target);
    }

    // ------------------------------------------------------------------ the role

    function test_all_else_of_the_calculator_is_the_owners() external {
        vm.prank(OWNER);
        opyn().forward(abi.encodeCall(calculator.setOracleDeviation, (0.05e27)));
        vm.assertEq(calculator.oracleDeviation(), 0.05e27);
        bytes memory shocking = abi.encodeCall(calculator.setSpotShock, (WETH, USDC, USDC, true, 0.999e27));
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(ProtocolOwner.NotForwarded.selector, calculator.setSpotShock.selector));
        opyn().forward(shocking);
    }

    function test_the_ownership_is_handed_over_after_the_delay() external {
        change(abi.encodeCall(ProtocolOwner.handOver, (STRANGER)));
        vm.assertEq(calculator.owner(), STRANGER);
    }
}
