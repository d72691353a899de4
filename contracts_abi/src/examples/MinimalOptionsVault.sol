// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {AggregatorV3Interface} from "../AggregatorV3Interface.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {MarginAccounts} from "./MarginAccounts.sol";
import {OptionSeries} from "./OptionSeries.sol";
import {SizeHistory} from "./SizeHistory.sol";

/// @title The smallest options vault that uses the margin oracle right: European options on one underlying, settled in
/// cash.
/// @notice A buyer bids for an option and pays the whole premium at once; a writer who takes the bid is short against
/// collateral. Sizes are in units of underlying, wad, negative when written. The vault needs no mark of an option: a
/// short counts in equity at its intrinsic value, and the market of its side and tenor asks for what may come on top,
/// per unit of underlying notional; that is what the keepers post for it. What is bought counts as nothing.
/// Left out for brevity: markets by delta, bids in parts, fees, and an insurance fund: what a liquidated account still
/// owes stays its debt, and whoever withdraws last bears it.
contract MinimalOptionsVault is MarginAccounts, OptionSeries {
    using SafeCast for int256;
    using SafeCast for uint256;
    using SizeHistory for SizeHistory.History;

    /// @param premium Token units, held by the vault until the bid is taken or cancelled.
    struct Bid {
        address buyer;
        Series series;
        uint128 amount;
        uint256 premium;
    }

    /// @notice Bounds the gas of a check and of a liquidation.
    uint256 public constant MAXIMUM_SERIES = 16;

    uint256 public bidCount;
    mapping(uint256 bidId => Bid) public bids;
    mapping(address account => Series[]) private _held;
    mapping(address account => mapping(bytes32 seriesId => SizeHistory.History)) private _sizes;

    event BidMade(uint256 indexed bidId, Bid bid);
    event BidCancelled(uint256 indexed bidId);
    event BidTaken(uint256 indexed bidId, address indexed writer);
    event PositionChanged(address indexed account, bytes32 indexed seriesId, int256 change, uint64 positionVersion);
    event Liquidated(address indexed account, address indexed liquidator, bytes32 indexed seriesId, uint256 paidWad);
    event Collected(address indexed account, bytes32 indexed seriesId, int256 payoffWad);

    error NothingToTrade();
    error WithOneself();
    error NotTheBuyer(uint256 bidId);
    error NotHeld(address account, bytes32 seriesId);
    error TooManySeries(address account);

    constructor(
        IMarginOracle oracle_,
        IERC20Metadata quoteToken_,
        AggregatorV3Interface priceFeed_,
        uint256 maximumPriceAgeSeconds_,
        Bucket[] memory buckets_
    ) MarginAccounts(oracle_, quoteToken_) OptionSeries(priceFeed_, maximumPriceAgeSeconds_, buckets_) {}

    // ------------------------------------------------------------------ trading

    /// @notice Offers to buy `amount` for `premium`, which is paid now. It buys back where the caller is short.
    function bid(Series calldata series, uint128 amount, uint256 premium)
        external
        nonReentrant
        returns (uint256 bidId)
    {
        if (amount == 0) revert NothingToTrade();
        _requireOpen(series);
        bidId = ++bidCount;
        bids[bidId] = Bid(msg.sender, series, amount, premium);
        emit BidMade(bidId, bids[bidId]);
        _pull(premium);
    }

    /// @notice Takes a bid back; its premium becomes the buyer's cash.
    function cancel(uint256 bidId) external nonReentrant {
        Bid memory cancelled = bids[bidId];
        if (cancelled.buyer != msg.sender) revert NotTheBuyer(bidId);
        delete bids[bidId];
        _accounts[msg.sender].cashWad += _wad(cancelled.premium);
        emit BidCancelled(bidId);
    }

    /// @notice Sells to a bid for its premium; needs initial margin by ratios.
    function write(uint256 bidId) external nonReentrant {
        _take(bidId);
        _requireInitialByRatios(msg.sender);
    }

    /// @notice Sells to a bid for its premium, with initial margin by the caller's own leaf of the latest accounts root.
    function writeWithProof(uint256 bidId, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof)
        external
        nonReentrant
    {
        _take(bidId);
        _requireInitialByProof(msg.sender, leaf, proof);
    }

    // ------------------------------------------------------------------ liquidating

    /// @notice Takes `amount` of a short over from an account below its maintenance margin. The account pays intrinsic
    /// value and, of the equity that it has, the share of its margin that this short needs; the caller needs initial
    /// margin for what it takes.
    function liquidate(address account, Series calldata series, uint128 amount) external nonReentrant {
        _takeOver(account, series, amount, maintenanceWad(account));
    }

    /// @notice As `liquidate`, for an account that lives by proof; the caller brings the account's leaf.
    function liquidateWithProof(
        address account,
        Series calldata series,
        uint128 amount,
        IMarginOracle.AccountLeaf calldata leaf,
        bytes32[] calldata proof
    ) external nonReentrant {
        _takeOver(account, series, amount, maintenanceByProofWad(account, leaf, proof));
    }

    // ------------------------------------------------------------------ settled series

    /// @notice Turns an account's settled positions into cash. Anyone may call.
    function collect(address account) external nonReentrant {
        Series[] storage held = _held[account];
        for (uint256 i = held.length; i > 0; --i) {
            Series memory series = held[i - 1];
            if (!isSettled(series)) continue;
            int256 payoff = _worthWad(series, sizeOf(account, series));
            _accounts[account].cashWad += payoff;
            _sizes[account][seriesId(series)].push(++_accounts[account].positionVersion, 0);
            held[i - 1] = held[held.length - 1];
            held.pop();
            emit Collected(account, seriesId(series), payoff);
        }
    }

    // ------------------------------------------------------------------ reading

    function heldBy(address account) external view returns (Series[] memory) {
        return _held[account];
    }

    function sizeOf(address account, Series memory series) public view returns (int256) {
        return _sizes[account][seriesId(series)].latest();
    }

    // ------------------------------------------------------------------ inside

    function _take(uint256 bidId) private {
        Bid memory taken = bids[bidId];
        if (taken.amount == 0) revert NothingToTrade();
        if (taken.buyer == msg.sender) revert WithOneself();
        _requireOpen(taken.series);
        delete bids[bidId];
        _accounts[msg.sender].cashWad += _wad(taken.premium);
        _change(taken.buyer, taken.series, int256(uint256(taken.amount)));
        _change(msg.sender, taken.series, -int256(uint256(taken.amount)));
        emit BidTaken(bidId, msg.sender);
    }

    function _takeOver(address account, Series calldata series, uint128 amount, uint256 requiredWad) private {
        if (account == msg.sender) revert WithOneself();
        _requireOpen(series);
        int256 equity = _requireLiquidatable(account, requiredWad);
        int256 size = -int256(uint256(amount));
        if (amount == 0 || sizeOf(account, series) > size) revert NotHeld(account, seriesId(series));
        IMarginOracle.Purpose purpose = IMarginOracle.Purpose.Liquidating;
        uint256 share = Math.mulDiv(
            uint256(SignedMath.max(equity, 0)), _requirementWad(series, amount, purpose), _byRatiosWad(account, purpose)
        );
        uint256 paid = share + uint256(-_worthWad(series, size));
        _moveCash(account, msg.sender, paid.toInt256());
        _change(account, series, -size);
        _change(msg.sender, series, size);
        _requireInitialByRatios(msg.sender);
        emit Liquidated(account, msg.sender, seriesId(series), paid);
    }

    /// @dev A series stays in the list until it is settled, so that a proof of before still sees what was closed.
    function _change(address account, Series memory series, int256 change) private {
        SizeHistory.History storage history = _sizes[account][seriesId(series)];
        if (history.isEmpty()) {
            if (_held[account].length == MAXIMUM_SERIES) revert TooManySeries(account);
            _held[account].push(series);
        }
        uint64 version = ++_accounts[account].positionVersion;
        history.push(version, history.latest() + change);
        emit PositionChanged(account, seriesId(series), change, version);
    }

    function _requirementWad(Series memory series, uint256 amount, IMarginOracle.Purpose purpose)
        private
        view
        returns (uint256)
    {
        uint256 spot = spotWad();
        uint256 notional = Math.mulDiv(amount, spot, 1e18, Math.Rounding.Ceil);
        uint256 required = oracle.requirement(marketOf(series), false, notional, purpose);
        if (series.isCall) return required;
        // A put costs its strike at most, and equity counts the intrinsic value already.
        uint256 most = Math.mulDiv(amount, Math.min(series.strikeWad, spot), 1e18, Math.Rounding.Ceil);
        return Math.min(required, most);
    }

    /// @dev size x payoff at the settlement price, before settlement at spot; rounded against the account.
    function _worthWad(Series memory series, int256 size) private view returns (int256) {
        Math.Rounding rounding = size < 0 ? Math.Rounding.Ceil : Math.Rounding.Floor;
        int256 worth = Math.mulDiv(SignedMath.abs(size), payoffWad(series), 1e18, rounding).toInt256();
        return size < 0 ? -worth : worth;
    }

    /// @inheritdoc MarginAccounts
    function _positionsWad(address account) internal view override returns (int256 sum) {
        Series[] memory held = _held[account];
        for (uint256 i = 0; i < held.length; ++i) {
            int256 size = sizeOf(account, held[i]);
            if (size < 0 || (size > 0 && isSettled(held[i]))) sum += _worthWad(held[i], size);
        }
    }

    /// @inheritdoc MarginAccounts
    function _byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view override returns (uint256 sum) {
        Series[] memory held = _held[account];
        for (uint256 i = 0; i < held.length; ++i) {
            int256 size = sizeOf(account, held[i]);
            if (size < 0 && !isSettled(held[i])) sum += _requirementWad(held[i], SignedMath.abs(size), purpose);
        }
    }

    /// @inheritdoc MarginAccounts
    function _changedSinceWad(address account, uint64 version, IMarginOracle.Purpose purpose)
        internal
        view
        override
        returns (uint256 sum)
    {
        Series[] memory held = _held[account];
        for (uint256 i = 0; i < held.length; ++i) {
            SizeHistory.History storage history = _sizes[account][seriesId(held[i])];
            uint256 change = SignedMath.abs(history.latest() - history.sizeAt(version));
            if (change > 0 && !isSettled(held[i])) sum += _requirementWad(held[i], change, purpose);
        }
    }
}
