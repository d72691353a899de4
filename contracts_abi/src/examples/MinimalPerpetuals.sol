// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {FeedPrice} from "./FeedPrice.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {SizeHistory} from "./SizeHistory.sol";

/// @title The smallest perpetual exchange that uses the margin oracle right: one market, one collateral token.
/// @notice Two accounts trade with each other at the feed's price; what one gains the other loses, so that the tokens
/// held are what all accounts together own. Sizes are contracts in wad, negative when short.
/// Left out for brevity, needed at a real venue: an order book (a feed's price without a spread invites whoever knows
/// more than the feed), funding, fees, and an insurance fund: what a liquidated account still owes stays its debt, and
/// whoever withdraws last bears it.
contract MinimalPerpetuals is MarginAccounts {
    using FeedPrice for AggregatorV3Interface;
    using SafeCast for uint256;
    using SizeHistory for SizeHistory.History;

    /// @dev Between which sizes an account lets others trade with it.
    struct Offer {
        uint128 maximumLong;
        uint128 maximumShort;
    }

    /// @notice Paid by a liquidated account out of its equity, ppm of the notional taken over.
    uint256 public constant LIQUIDATION_FEE_PPM = 5000;
    uint256 private constant PPM = 1e6;

    uint32 public immutable marketId;
    AggregatorV3Interface public immutable priceFeed;
    uint256 public immutable maximumPriceAgeSeconds;
    mapping(address account => Offer) public offers;
    mapping(address account => SizeHistory.History) private _sizes;

    event Offered(address indexed account, uint128 maximumLong, uint128 maximumShort);
    event PositionChanged(address indexed account, int256 change, uint256 priceWad, uint64 positionVersion);
    event Liquidated(address indexed account, address indexed liquidator, int256 size, uint256 feeWad);

    error NothingToTrade();
    error WithOneself();
    error BeyondOffer(address maker, int256 size);
    error NotHeld(address account, int256 size);

    constructor(
        IMarginOracle oracle_,
        IERC20Metadata quoteToken_,
        uint32 marketId_,
        AggregatorV3Interface priceFeed_,
        uint256 maximumPriceAgeSeconds_
    ) MarginAccounts(oracle_, quoteToken_) {
        marketId = marketId_;
        priceFeed = priceFeed_;
        maximumPriceAgeSeconds = maximumPriceAgeSeconds_;
    }

    // ------------------------------------------------------------------ trading

    /// @notice Lets others trade with the caller as long as its size stays between these; with zeros, nobody.
    function offer(uint128 maximumLong, uint128 maximumShort) external {
        offers[msg.sender] = Offer(maximumLong, maximumShort);
        emit Offered(msg.sender, maximumLong, maximumShort);
    }

    /// @notice Buys (`size` above 0) or sells from `maker` at the feed's price. Opening and increasing need initial
    /// margin by ratios; what only reduces a position needs none, however short of margin the account.
    function trade(address maker, int256 size) external nonReentrant {
        bool reduces = _trade(maker, size);
        if (!reduces) _requireInitialByRatios(msg.sender);
    }

    /// @notice As `trade`, with initial margin by the caller's own leaf of the latest accounts root.
    function tradeWithProof(
        address maker,
        int256 size,
        IMarginOracle.AccountLeaf calldata leaf,
        bytes32[] calldata proof
    ) external nonReentrant {
        _trade(maker, size);
        _requireInitialByProof(msg.sender, leaf, proof);
    }

    // ------------------------------------------------------------------ liquidating

    /// @notice Takes `size` of a position over from an account below its maintenance margin, at the feed's price, for
    /// a fee; the caller needs initial margin for what it takes.
    function liquidate(address account, int256 size) external nonReentrant {
        _takeOver(account, size, maintenanceWad(account));
    }

    /// @notice As `liquidate`, for an account that lives by proof; the caller brings the account's leaf.
    function liquidateWithProof(
        address account,
        int256 size,
        IMarginOracle.AccountLeaf calldata leaf,
        bytes32[] calldata proof
    ) external nonReentrant {
        _takeOver(account, size, maintenanceByProofWad(account, leaf, proof));
    }

    // ------------------------------------------------------------------ reading

    function sizeOf(address account) public view returns (int256) {
        return _sizes[account].latest();
    }

    function priceWad() public view returns (uint256) {
        return priceFeed.latestWad(maximumPriceAgeSeconds);
    }

    // ------------------------------------------------------------------ inside

    function _trade(address maker, int256 size) private returns (bool reduces) {
        if (maker == msg.sender) revert WithOneself();
        if (size == 0) revert NothingToTrade();
        reduces = _exchange(maker, msg.sender, size);
        int256 left = sizeOf(maker);
        Offer memory limits = offers[maker];
        bool isWithin = left <= int256(uint256(limits.maximumLong)) && left >= -int256(uint256(limits.maximumShort));
        // Without an offer nobody is traded with, though what is closed would lie within none.
        bool isOffered = limits.maximumLong > 0 || limits.maximumShort > 0;
        if (!isOffered || !isWithin) revert BeyondOffer(maker, left);
        if (!_reduces(left + size, left)) _requireInitialByRatios(maker);
    }

    function _takeOver(address account, int256 size, uint256 requiredWad) private {
        if (account == msg.sender) revert WithOneself();
        int256 equity = _requireLiquidatable(account, requiredWad);
        int256 held = sizeOf(account);
        if (size == 0 || !_reduces(held, held - size)) revert NotHeld(account, size);
        uint256 fee = Math.min(_notionalWad(size) * LIQUIDATION_FEE_PPM / PPM, uint256(SignedMath.max(equity, 0)));
        _moveCash(account, msg.sender, fee.toInt256());
        if (!_exchange(account, msg.sender, size)) _requireInitialByRatios(msg.sender);
        emit Liquidated(account, msg.sender, size, fee);
    }

    /// @dev Moves `size` contracts at the feed's price; says whether that only reduces what the receiver holds.
    function _exchange(address from, address to, int256 size) private returns (bool reduces) {
        uint256 price = priceWad();
        reduces = _reduces(sizeOf(to), sizeOf(to) + size);
        _change(from, -size, price);
        _change(to, size, price);
    }

    function _change(address account, int256 change, uint256 price) private {
        Account storage book = _accounts[account];
        book.cashWad += _valueWad(-change, price);
        uint64 version = ++book.positionVersion;
        int256 size = sizeOf(account) + change;
        _sizes[account].push(version, size);
        emit PositionChanged(account, change, price, version);
    }

    function _reduces(int256 before, int256 afterwards) private pure returns (bool) {
        bool sameSide = before > 0 ? afterwards >= 0 : afterwards <= 0;
        return sameSide && SignedMath.abs(afterwards) < SignedMath.abs(before);
    }

    /// @dev size x price, toward minus infinity: what is paid is rounded up, what is received down.
    function _valueWad(int256 size, uint256 price) private pure returns (int256) {
        bool isNegative = size < 0;
        Math.Rounding rounding = isNegative ? Math.Rounding.Ceil : Math.Rounding.Floor;
        int256 value = Math.mulDiv(SignedMath.abs(size), price, 1e18, rounding).toInt256();
        return isNegative ? -value : value;
    }

    function _notionalWad(int256 size) private view returns (uint256) {
        return Math.mulDiv(SignedMath.abs(size), priceWad(), 1e18, Math.Rounding.Ceil);
    }

    function _requirementWad(int256 size, IMarginOracle.Purpose purpose) private view returns (uint256) {
        return size == 0 ? 0 : oracle.requirement(marketId, size > 0, _notionalWad(size), purpose);
    }

    /// @inheritdoc MarginAccounts
    function _positionsWad(address account) internal view override returns (int256) {
        int256 size = sizeOf(account);
        return size == 0 ? int256(0) : _valueWad(size, priceWad());
    }

    /// @inheritdoc MarginAccounts
    function _byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view override returns (uint256) {
        return _requirementWad(sizeOf(account), purpose);
    }

    /// @inheritdoc MarginAccounts
    function _changedSinceWad(address account, uint64 version, IMarginOracle.Purpose purpose)
        internal
        view
        override
        returns (uint256)
    {
        return _requirementWad(sizeOf(account) - _sizes[account].sizeAt(version), purpose);
    }
}
