// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginSetter} from "./MarginSetter.sol";
import {ProtocolOwner} from "./ProtocolOwner.sol";

/// @dev Opyn Gamma's `MarginCalculator`, as far as it is used here.
interface IOpynMarginCalculator {
    function setSpotShock(address underlying, address strike, address collateral, bool isPut, uint256 shockValue)
        external;
    function getSpotShock(address underlying, address strike, address collateral, bool isPut)
        external
        view
        returns (uint256);
}

/// @title Sets the spot shocks of Opyn Gamma's margin calculator.
/// @notice A target is the hash of a product. The shock is what is left of the spot after a fall (put), or the spot
/// over what it rose to (call), 1e27 for no move: a *smaller* shock asks *more* margin. It is rounded down.
/// - put: 1 - ratio of a long; the writer loses when the underlying falls;
/// - call: 1 / (1 + ratio of a short); the writer loses when it rises.
/// Gamma holds one figure for opening and liquidating: initial margin counts, so that opening asks for enough.
/// Bounds: the calculator takes anything above 0. What is set here lies between 0.1e27 and 0.99e27, a fall by 1 % to
/// 90 % or a rise by 1.01 % to 900 %; beyond are figures in another unit, which would liquidate every vault or none.
contract OpynSetter is MarginSetter, ProtocolOwner {
    struct Product {
        address underlying;
        address strike;
        address collateral;
        bool isPut;
    }

    uint256 private constant NO_MOVE_E27 = 1e27;
    uint256 private constant SHOCK_MINIMUM_E27 = 1e26;
    uint256 private constant SHOCK_MAXIMUM_E27 = 99e25;

    mapping(bytes32 target => Product) private _products;

    /// @notice Naked puts lie in the strike asset and naked calls in the underlying; check the order of the three.
    error WrongCollateral(address expected, address actual);

    /// @param calculator The margin calculator; this contract must become its owner.
    constructor(IMarginOracle oracle_, address owner, uint32 ownerDelaySeconds_, IOpynMarginCalculator calculator)
        MarginSetter(oracle_, owner, ownerDelaySeconds_)
        ProtocolOwner(address(calculator), IOpynMarginCalculator.setSpotShock.selector)
    {}

    /// @notice Feeds a product; owner, after the delay.
    /// @param marketId The oracle's market of the underlying itself, spot or perpetual; not one of an option.
    /// @param sizeWad Largest notional, in USD wad, that the shock set is enough for.
    function bind(Product calldata product, uint32 marketId, uint128 sizeWad) external afterDelay {
        bytes32 target = targetOf(product);
        address expected = product.isPut ? product.strike : product.underlying;
        if (product.collateral != expected) revert WrongCollateral(expected, product.collateral);
        if (product.underlying == product.strike) revert UnknownTarget(target);
        _products[target] = product;
        _bind(target, marketId, sizeWad);
    }

    function targetOf(Product calldata product) public pure returns (bytes32) {
        return keccak256(abi.encode(product));
    }

    /// @inheritdoc MarginSetter
    function inPlace(bytes32 target) public view override returns (Setting memory) {
        Product memory product = _products[target];
        uint256 shock =
            _calculator().getSpotShock(product.underlying, product.strike, product.collateral, product.isPut);
        return Setting({initial: shock, maintenance: shock});
    }

    function _settingOf(bytes32 target, Charge memory charge) internal view override returns (Setting memory) {
        uint256 shock = _products[target].isPut
            ? _afterFallDown(charge.initialLongE30)
            : NO_MOVE_E27 * 1e30 / (1e30 + charge.initialShortE30);
        _requireWithin(Figure.Initial, shock, SHOCK_MINIMUM_E27, SHOCK_MAXIMUM_E27);
        return Setting({initial: shock, maintenance: shock});
    }

    function _set(bytes32 target, Setting memory next) internal override {
        Product memory product = _products[target];
        _calculator().setSpotShock(product.underlying, product.strike, product.collateral, product.isPut, next.initial);
    }

    /// @dev 0 for a fall by everything or more, which the bounds refuse.
    function _afterFallDown(uint256 fallE30) private pure returns (uint256) {
        return fallE30 < 1e30 ? (1e30 - fallE30) / 1e3 : 0;
    }

    function _calculator() private view returns (IOpynMarginCalculator) {
        return IOpynMarginCalculator(protocol);
    }
}
