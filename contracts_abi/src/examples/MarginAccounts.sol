// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IMarginOracle} from "../IMarginOracle.sol";

/// @title Accounts that are margined by the oracle: cash, two measures of margin, and which of them counts when.
/// @notice What is the same at every venue, once; a venue adds what can be held. Margin comes in two measures:
/// - *by ratios*: the sum over positions of `IMarginOracle.requirement`;
/// - *by proof*: the account's own requirement from the posted root, plus the ratios of what has changed since, never
///   below a fifth of the sum of ratios.
/// An account lives under the measure by which it last passed. When the oracle falls silent:
/// - opening by ratios costs at least the fallback, opening by proof ends with the age of the root;
/// - liquidating goes by what was posted last, and for an account by proof by what it last proved here, so that
///   silence liquidates nobody. Only a root that the guardian voided returns such an account to its ratios;
/// - while an L2 sequencer is down, and for the grace period after, nobody is liquidated.
abstract contract MarginAccounts is ReentrancyGuardTransient {
    using SafeCast for uint256;
    using SafeERC20 for IERC20Metadata;

    /// @param positionVersion Counts changes of positions; a leaf names the one that it was computed for.
    /// @param provenMaintenanceWad Maintenance margin that the account last proved; 0 while it lives by ratios.
    struct Account {
        int256 cashWad;
        uint64 positionVersion;
        uint128 provenMaintenanceWad;
    }

    /// @dev A proof never counts below a fifth of the sum of ratios.
    uint256 private constant PROOF_FLOOR_DIVISOR = 5;

    IMarginOracle public immutable oracle;
    IERC20Metadata public immutable quoteToken;
    uint256 internal immutable _wadPerUnit;
    mapping(address account => Account) internal _accounts;

    event Deposited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);

    error InsufficientMargin(address account, int256 equityWad, uint256 requiredWad);
    error NotLiquidatable(address account, int256 equityWad, uint256 requiredWad);
    error ProofRequired(address account);
    error NotMarginedByProof(address account);
    error WrongLeaf(bytes32 accountKey);
    error LeafOutdated(uint64 leafVersion, uint64 positionVersion);
    error LeafFromTheFuture(uint64 leafVersion, uint64 positionVersion);
    error InexactTransfer(uint256 asked, uint256 received);

    /// @param quoteToken_ Counted as one USD each; at most 18 decimals.
    constructor(IMarginOracle oracle_, IERC20Metadata quoteToken_) {
        oracle = oracle_;
        quoteToken = quoteToken_;
        _wadPerUnit = 10 ** (18 - quoteToken_.decimals());
    }

    // ------------------------------------------------------------------ cash

    /// @notice Adds cash, in the token's units. What an account owes is paid by it first.
    function deposit(uint256 amount) external nonReentrant {
        _accounts[msg.sender].cashWad += _wad(amount);
        emit Deposited(msg.sender, amount);
        _pull(amount);
    }

    /// @notice Takes cash out, as far as initial margin by ratios stays covered. Without a position it asks nobody.
    function withdraw(uint256 amount) external nonReentrant {
        _accounts[msg.sender].cashWad -= _wad(amount);
        _requireInitialByRatios(msg.sender);
        emit Withdrawn(msg.sender, amount);
        quoteToken.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------ what is asked of an account

    function accountOf(address account) external view returns (Account memory) {
        return _accounts[account];
    }

    /// @notice Cash and what positions are worth, rounded against the account.
    function equityWad(address account) public view returns (int256) {
        return _accounts[account].cashWad + _positionsWad(account);
    }

    /// @notice Below this equity anyone may liquidate the account without a proof.
    /// @dev Reverts with `ProofRequired` for an account that lives by proof while the root is young, and with the
    /// oracle's error while the sequencer is down or in its grace period.
    function maintenanceWad(address account) public view returns (uint256) {
        uint256 byRatios = _byRatiosWad(account, IMarginOracle.Purpose.Liquidating);
        uint256 proven = _accounts[account].provenMaintenanceWad;
        (bytes32 root,,) = oracle.latestAccounts();
        if (proven == 0 || root == 0) return byRatios;
        if (!oracle.accountsStale()) revert ProofRequired(account);
        return Math.min(byRatios, proven);
    }

    /// @notice Below this equity anyone may liquidate the account with its leaf. What has changed since counts in the
    /// account's favour: with less the venue could not be sure.
    function maintenanceByProofWad(address account, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof)
        public
        view
        returns (uint256)
    {
        if (_accounts[account].provenMaintenanceWad == 0) revert NotMarginedByProof(account);
        _verifyLeaf(account, leaf, proof);
        IMarginOracle.Purpose purpose = IMarginOracle.Purpose.Liquidating;
        uint256 changed = _changedSinceWad(account, leaf.positionVersion, purpose);
        return Math.max(Math.saturatingSub(leaf.maintenanceWad, changed), _floorWad(account, purpose));
    }

    /// @notice Updates what counts of an account by proof once the root is stale. Anyone may, while it is young and the
    /// leaf is of the account's present version.
    function prove(address account, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof) external {
        if (_accounts[account].provenMaintenanceWad == 0) revert NotMarginedByProof(account);
        _verifyLeaf(account, leaf, proof);
        uint64 version = _accounts[account].positionVersion;
        if (leaf.positionVersion != version) revert LeafOutdated(leaf.positionVersion, version);
        _rememberProof(account, leaf);
    }

    // ------------------------------------------------------------------ for the venue

    /// @dev What positions add to equity, USD wad, rounded down; 0 without asking a feed when there are none.
    function _positionsWad(address account) internal view virtual returns (int256);

    /// @dev The sum of `IMarginOracle.requirement` over positions; 0 without asking the oracle when there are none.
    function _byRatiosWad(address account, IMarginOracle.Purpose purpose) internal view virtual returns (uint256);

    /// @dev The sum of `IMarginOracle.requirement` over what has changed since a version.
    function _changedSinceWad(address account, uint64 version, IMarginOracle.Purpose purpose)
        internal
        view
        virtual
        returns (uint256);

    /// @dev Initial margin by ratios; the account lives by ratios from here.
    function _requireInitialByRatios(address account) internal {
        _requireEquity(account, _byRatiosWad(account, IMarginOracle.Purpose.Opening));
        _accounts[account].provenMaintenanceWad = 0;
    }

    /// @dev Initial margin by proof; the account lives by proof from here, where it holds anything.
    function _requireInitialByProof(address account, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof)
        internal
    {
        _verifyLeaf(account, leaf, proof);
        _requireEquity(account, _provenWad(account, leaf, IMarginOracle.Purpose.Opening));
        _rememberProof(account, leaf);
    }

    /// @dev The equity of an account that lies below what is required of it.
    function _requireLiquidatable(address account, uint256 requiredWad) internal view returns (int256 equity) {
        oracle.requireSequencerUp();
        equity = equityWad(account);
        if (equity >= requiredWad.toInt256()) revert NotLiquidatable(account, equity, requiredWad);
    }

    function _moveCash(address from, address to, int256 amountWad) internal {
        _accounts[from].cashWad -= amountWad;
        _accounts[to].cashWad += amountWad;
    }

    function _pull(uint256 amount) internal {
        uint256 before = quoteToken.balanceOf(address(this));
        quoteToken.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = quoteToken.balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(amount, received);
    }

    function _wad(uint256 amount) internal view returns (int256) {
        return (amount * _wadPerUnit).toInt256();
    }

    // ------------------------------------------------------------------ inside

    function _rememberProof(address account, IMarginOracle.AccountLeaf calldata leaf) private {
        uint256 proven = _provenWad(account, leaf, IMarginOracle.Purpose.Liquidating);
        _accounts[account].provenMaintenanceWad = proven.toUint128();
    }

    function _provenWad(address account, IMarginOracle.AccountLeaf calldata leaf, IMarginOracle.Purpose purpose)
        private
        view
        returns (uint256)
    {
        uint256 proven = purpose == IMarginOracle.Purpose.Opening ? leaf.initialWad : leaf.maintenanceWad;
        uint256 changed = _changedSinceWad(account, leaf.positionVersion, purpose);
        return Math.max(proven + changed, _floorWad(account, purpose));
    }

    function _floorWad(address account, IMarginOracle.Purpose purpose) private view returns (uint256) {
        return Math.ceilDiv(_byRatiosWad(account, purpose), PROOF_FLOOR_DIVISOR);
    }

    function _requireEquity(address account, uint256 requiredWad) private view {
        int256 equity = equityWad(account);
        if (equity < requiredWad.toInt256()) revert InsufficientMargin(account, equity, requiredWad);
    }

    /// @dev A leaf is bound to the account by its key, to the venue's oracle by the hash, to a version by what the
    /// venue adds for later changes. An oracle that serves one venue needs no more in the key.
    function _verifyLeaf(address account, IMarginOracle.AccountLeaf calldata leaf, bytes32[] calldata proof)
        private
        view
    {
        if (leaf.accountKey != bytes32(uint256(uint160(account)))) revert WrongLeaf(leaf.accountKey);
        uint64 version = _accounts[account].positionVersion;
        if (leaf.positionVersion > version) revert LeafFromTheFuture(leaf.positionVersion, version);
        oracle.verifyAccount(leaf, proof, false);
    }
}
