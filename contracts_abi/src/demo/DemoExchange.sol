// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IMarginOracle} from "../IMarginOracle.sol";
import {DemoGenesis} from "./DemoGenesis.sol";
import {DemoMarkets} from "./DemoMarkets.sol";
import {DemoSurfaceFeed} from "./DemoSurfaceFeed.sol";

/// @title A small derivatives venue that takes its margins from the oracle: the example for integrators.
/// @notice Everyone trades against the house at the mark. Margin comes in two measures:
/// - *by ratios*: the sum over positions of `IMarginOracle.requirement`;
/// - *by proof*: an account's own requirement from the posted root, plus the ratios of what changed since, never
///   below a fifth of the sum of ratios.
/// An account lives under the measure that it last opened under. While the accounts root is stale, everybody lives by
/// ratios, for which the oracle holds the stale mode.
contract DemoExchange is DemoGenesis {
    using SafeERC20 for IERC20;

    uint256 private constant WAD_PER_MICRO = 1e12;
    /// @dev lots (1e-8) x USD price (1e-8) = 1e-16 USD.
    uint256 private constant WAD_PER_LOT_PRICE = 100;
    /// @dev A proof never counts below a fifth of the sum of ratios.
    uint256 private constant PROOF_FLOOR_DIVISOR = 5;
    /// @notice Paid by the liquidated account to the liquidator, ppm of underlying notional.
    uint256 public constant LIQUIDATION_FEE_PPM = 5000;

    IMarginOracle public immutable oracle;
    IERC20 public immutable quoteToken;
    uint256 public badDebtMicro;

    event Deposited(address indexed account, uint64 amountMicro);
    event Withdrawn(address indexed account, uint64 amountMicro);
    event Liquidated(address indexed account, address indexed liquidator, uint256 feeMicro, uint256 badDebtMicro);

    error NothingToTrade();
    error NotTradable(uint32 instrumentId);
    error InsufficientMargin(address account, int256 equityWad, uint256 requiredWad);
    error NotLiquidatable(address account, int256 equityWad, uint256 requiredWad);
    error ProofRequired(address account);
    error NotMarginedByProof(address account);
    error WrongLeaf(bytes32 accountKey);
    error LeafTooOld(uint64 leafVersion, uint64 positionVersion);

    constructor(address owner, IMarginOracle oracle_, IERC20 quoteToken_, DemoSurfaceFeed surfaceFeed_)
        DemoMarkets(owner, surfaceFeed_)
    {
        oracle = oracle_;
        quoteToken = quoteToken_;
    }

    // ------------------------------------------------------------------ cash

    /// @notice Adds cash; the token must transfer exactly what is asked of it.
    function deposit(uint64 amountMicro) external {
        _register(msg.sender);
        _addCash(msg.sender, int256(uint256(amountMicro)));
        emit Deposited(msg.sender, amountMicro);
        quoteToken.safeTransferFrom(msg.sender, address(this), amountMicro);
    }

    /// @notice Takes cash out, as far as initial margin by ratios stays covered.
    function withdraw(uint64 amountMicro) external {
        _addCash(msg.sender, -int256(uint256(amountMicro)));
        _requireMargin(msg.sender, initialByRatiosWad(msg.sender));
        emit Withdrawn(msg.sender, amountMicro);
        quoteToken.safeTransfer(msg.sender, amountMicro);
    }

    // ------------------------------------------------------------------ trading

    /// @notice Trades under margin by ratios. What only reduces a position is let through short of margin, if the
    /// shortfall does not grow; not for an account that lives by proof, whose closed leg may have been a hedge.
    function trade(uint32 instrumentId, int64 sizeLots) external whenOpen {
        bool mayStayShort = _reduces(msg.sender, instrumentId, sizeLots) && !_livesByProof(msg.sender);
        int256 excessBefore = mayStayShort ? _excessByRatiosWad(msg.sender) : int256(0);
        _requireTradable(instrumentId, sizeLots);
        _changePosition(msg.sender, instrumentId, sizeLots);
        int256 excess = _excessByRatiosWad(msg.sender);
        if (excess >= 0) {
            _accounts[msg.sender].marginedByProof = false;
        } else if (!mayStayShort || excess < excessBefore) {
            revert InsufficientMargin(msg.sender, _equityWad(msg.sender), initialByRatiosWad(msg.sender));
        }
    }

    /// @notice Trades under margin by proof. An account that lives by proof may reduce a position down to its
    /// maintenance margin, and with the root before the latest; everything else needs initial margin and the latest.
    function tradeWithProof(
        uint32 instrumentId,
        int64 sizeLots,
        IMarginOracle.AccountLeaf calldata leaf,
        bytes32[] calldata proof
    ) external whenOpen {
        Account storage book = _accounts[msg.sender];
        bool reduces = book.marginedByProof && _reduces(msg.sender, instrumentId, sizeLots);
        _requireTradable(instrumentId, sizeLots);
        _changePosition(msg.sender, instrumentId, sizeLots);
        _verifyLeaf(msg.sender, leaf, proof, reduces);
        IMarginOracle.Purpose purpose = reduces ? IMarginOracle.Purpose.Liquidating : IMarginOracle.Purpose.Opening;
        uint256 proven = (reduces ? leaf.maintenanceWad : leaf.initialWad)
            + _changesSinceWad(msg.sender, leaf.positionVersion, purpose);
        uint256 floor = Math.ceilDiv(_byRatiosWad(msg.sender, purpose), PROOF_FLOOR_DIVISOR);
        _requireMargin(msg.sender, Math.max(proven, floor));
        book.marginedByProof = book.positionCount > 0;
    }

    // ------------------------------------------------------------------ liquidating

    /// @notice Closes an account whose equity is below its maintenance margin by ratios.
    function liquidate(address account) external whenOpen {
        if (_livesByProof(account)) revert ProofRequired(account);
        _liquidateBelow(account, maintenanceByRatiosWad(account));
    }

    /// @notice Closes an account whose equity is below its proven maintenance margin. What the account changed since
    /// the proof counts in its favour, so that a new version neither dodges this nor is punished.
    function liquidateWithProof(address account, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof)
        external
        whenOpen
    {
        if (!_accounts[account].marginedByProof) revert NotMarginedByProof(account);
        _verifyLeaf(account, leaf, proof, false);
        uint256 changed = _changesSinceWad(account, leaf.positionVersion, IMarginOracle.Purpose.Liquidating);
        uint256 proven = Math.saturatingSub(leaf.maintenanceWad, changed);
        _liquidateBelow(account, Math.max(proven, Math.ceilDiv(maintenanceByRatiosWad(account), PROOF_FLOOR_DIVISOR)));
    }

    // ------------------------------------------------------------------ margin

    /// @notice What the account's positions need to be opened, by ratios.
    function initialByRatiosWad(address account) public view returns (uint256) {
        return _byRatiosWad(account, IMarginOracle.Purpose.Opening);
    }

    /// @notice Below this the account is liquidated, by ratios.
    function maintenanceByRatiosWad(address account) public view returns (uint256) {
        return _byRatiosWad(account, IMarginOracle.Purpose.Liquidating);
    }

    function _byRatiosWad(address account, IMarginOracle.Purpose purpose) private view returns (uint256 sum) {
        Position[] memory positions = _positionsOf(account);
        for (uint256 i = 0; i < positions.length; ++i) {
            sum += _requirementWad(positions[i].instrumentId, positions[i].sizeLots, purpose);
        }
    }

    function _changesSinceWad(address account, uint64 version, IMarginOracle.Purpose purpose)
        private
        view
        returns (uint256 sum)
    {
        for (uint64 current = _accounts[account].positionVersion; current > version; --current) {
            Change memory change = _changes[account][current % MAXIMUM_CHANGES];
            sum += _requirementWad(change.instrumentId, change.sizeLots, purpose);
        }
    }

    function _requirementWad(uint32 instrumentId, int64 sizeLots, IMarginOracle.Purpose purpose)
        private
        view
        returns (uint256)
    {
        Instrument memory instrument = _instruments[instrumentId];
        if (instrument.settlementPriceE8 != 0) return 0;
        return
            oracle.requirement(
                instrument.marketId, sizeLots > 0, _notionalWad(instrument.underlying, sizeLots), purpose
            );
    }

    function _notionalWad(uint8 underlying, int256 sizeLots) private view returns (uint256) {
        return uint256(sizeLots < 0 ? -sizeLots : sizeLots) * priceE8(underlying) * WAD_PER_LOT_PRICE;
    }

    function _equityWad(address account) private view returns (int256) {
        return equityMicro(account) * int256(WAD_PER_MICRO);
    }

    function _excessByRatiosWad(address account) private view returns (int256) {
        return _equityWad(account) - int256(initialByRatiosWad(account));
    }

    function _requireMargin(address account, uint256 requiredWad) private view {
        int256 equity = _equityWad(account);
        if (equity < int256(requiredWad)) revert InsufficientMargin(account, equity, requiredWad);
    }

    // ------------------------------------------------------------------ inside

    function _livesByProof(address account) private view returns (bool) {
        return _accounts[account].marginedByProof && !oracle.accountsStale();
    }

    /// @dev The leaf must be the account's, in a root that the oracle still accepts, and near enough in versions.
    function _verifyLeaf(
        address account,
        IMarginOracle.AccountLeaf calldata leaf,
        bytes32[] calldata proof,
        bool reducesRisk
    ) private view {
        if (leaf.accountKey != bytes32(uint256(uint160(account)))) {
            revert WrongLeaf(leaf.accountKey);
        }
        uint64 version = _accounts[account].positionVersion;
        if (leaf.positionVersion > version || version - leaf.positionVersion > MAXIMUM_CHANGES) {
            revert LeafTooOld(leaf.positionVersion, version);
        }
        oracle.verifyAccount(leaf, proof, reducesRisk);
    }

    function _reduces(address account, uint32 instrumentId, int256 sizeLots) private view returns (bool) {
        int256 held = _sizeOf(account, instrumentId);
        return held > 0 ? (sizeLots < 0 && -sizeLots <= held) : (sizeLots > 0 && sizeLots <= -held);
    }

    function _requireTradable(uint32 instrumentId, int64 sizeLots) private view {
        if (sizeLots == 0) revert NothingToTrade();
        Instrument storage instrument = _instrumentAt(instrumentId);
        if (instrument.expiry != 0 && block.timestamp >= instrument.expiry) revert NotTradable(instrumentId);
    }

    function _liquidateBelow(address account, uint256 requiredWad) private {
        int256 equity = _equityWad(account);
        if (equity >= int256(requiredWad)) revert NotLiquidatable(account, equity, requiredWad);
        uint256 notional = 0;
        for (uint256 i = _accounts[account].positionCount; i > 0; --i) {
            Position memory position = _positions[account][i - 1];
            Instrument memory instrument = _instruments[position.instrumentId];
            if (instrument.settlementPriceE8 == 0) notional += _notionalWad(instrument.underlying, position.sizeLots);
            _changePosition(account, position.instrumentId, -position.sizeLots);
        }
        uint256 feeMicro = notional * LIQUIDATION_FEE_PPM / (1e6 * WAD_PER_MICRO);
        _register(msg.sender);
        _addCash(msg.sender, int256(feeMicro));
        _addCash(account, -int256(feeMicro));
        Account storage book = _accounts[account];
        book.marginedByProof = false;
        uint256 badDebt = book.cashMicro < 0 ? uint256(-int256(book.cashMicro)) : 0;
        if (badDebt > 0) {
            book.cashMicro = 0;
            badDebtMicro += badDebt;
        }
        emit Liquidated(account, msg.sender, feeMicro, badDebt);
    }
}
