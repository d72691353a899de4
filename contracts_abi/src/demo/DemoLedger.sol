// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {DemoMarkets} from "./DemoMarkets.sol";

/// @title The demo venue's accounts: cash, positions, and the versions that tie a margin proof to a book.
/// @notice Cash accounting without entry prices: a trade at the mark moves size x mark between cash and position, so
/// equity = cash + sum of size x mark. Cash is micro-USD; every rounding is against the account.
abstract contract DemoLedger is DemoMarkets {
    using SafeCast for int256;

    struct Account {
        int64 cashMicro;
        uint64 positionVersion;
        uint32 positionCount;
        bool exists;
        bool marginedByProof;
    }

    struct Position {
        uint32 instrumentId;
        int64 sizeLots;
        /// Funding index at the last touch (perpetuals).
        int160 fundingIndexWad;
    }

    /// @dev One position change; what made version v lies at v % MAXIMUM_CHANGES.
    struct Change {
        uint32 instrumentId;
        int64 sizeLots;
    }

    /// @notice How many changes may lie between a proof's version and the present one.
    uint256 public constant MAXIMUM_CHANGES = 16;
    /// @notice Bounds the gas of a liquidation.
    uint256 public constant MAXIMUM_POSITIONS = 32;
    /// @dev lots (1e-8) x USD price (1e-8) = 1e-16 USD = 1e-10 micro-USD.
    int256 private constant LOT_PRICE_PER_MICRO = 1e10;
    /// @dev lots (1e-8) x USD wad (1e-18) = 1e-26 USD = 1e-20 micro-USD.
    int256 private constant LOT_WAD_PER_MICRO = 1e20;

    address[] private _accountList;
    mapping(address account => Account) internal _accounts;
    mapping(address account => mapping(uint256 index => Position)) internal _positions;
    mapping(address account => mapping(uint256 place => Change)) internal _changes;

    event PositionChanged(
        address indexed account, uint32 indexed instrumentId, int64 deltaLots, uint256 markE8, uint64 positionVersion
    );
    event Collected(address indexed account, uint32 indexed instrumentId, int256 valueMicro);

    error TooManyPositions(address account);

    // ------------------------------------------------------------------ settled positions

    /// @notice Turns an account's settled positions into cash. Anyone may call: it changes neither equity (but for
    /// rounding down) nor risk, and so no position version.
    function collect(address account) external {
        Account storage book = _accounts[account];
        for (uint256 i = book.positionCount; i > 0; --i) {
            Position memory position = _positions[account][i - 1];
            if (_instruments[position.instrumentId].settlementPriceE8 == 0) continue;
            int256 value = _valueMicro(position.sizeLots, markE8(position.instrumentId));
            _removePosition(account, i - 1);
            _addCash(account, value);
            emit Collected(account, position.instrumentId, value);
        }
    }

    // ------------------------------------------------------------------ reading

    function accountCount() external view returns (uint256) {
        return _accountList.length;
    }

    function accountAt(uint256 index) external view returns (address) {
        return _accountList[index];
    }

    /// @notice Header of an account; cash without the funding that is pending.
    function accountState(address account)
        external
        view
        returns (int64 cashMicro, uint64 positionVersion, bool marginedByProof)
    {
        Account memory book = _accounts[account];
        return (book.cashMicro, book.positionVersion, book.marginedByProof);
    }

    function positionsOf(address account) external view returns (uint32[] memory ids, int64[] memory sizes) {
        Position[] memory positions = _positionsOf(account);
        ids = new uint32[](positions.length);
        sizes = new int64[](positions.length);
        for (uint256 i = 0; i < positions.length; ++i) {
            (ids[i], sizes[i]) = (positions[i].instrumentId, positions[i].sizeLots);
        }
    }

    /// @notice The whole of one account in one call, for indexers and `BookLens`.
    function bookAt(uint256 index)
        external
        view
        returns (address account, Account memory header, Position[] memory positions)
    {
        account = _accountList[index];
        return (account, _accounts[account], _positionsOf(account));
    }

    /// @notice Cash, pending funding and the marks of all positions, each rounded down.
    function equityMicro(address account) public view returns (int256 equity) {
        Position[] memory positions = _positionsOf(account);
        equity = _accounts[account].cashMicro;
        for (uint256 i = 0; i < positions.length; ++i) {
            equity += _valueMicro(positions[i].sizeLots, markE8(positions[i].instrumentId));
            equity += _pendingFundingMicro(positions[i]);
        }
    }

    // ------------------------------------------------------------------ inside

    function _register(address account) internal returns (Account storage book) {
        book = _accounts[account];
        if (!book.exists) {
            book.exists = true;
            _accountList.push(account);
        }
    }

    function _addCash(address account, int256 amountMicro) internal {
        Account storage book = _accounts[account];
        book.cashMicro = (book.cashMicro + amountMicro).toInt64();
    }

    /// @dev Trades `deltaLots` against the house at the mark and records the change under a new version.
    function _changePosition(address account, uint32 instrumentId, int64 deltaLots) internal {
        Account storage book = _register(account);
        uint256 mark = markE8(instrumentId);
        (uint256 index, Position memory position) = _touchPosition(account, instrumentId);
        if (_instruments[instrumentId].kind == uint8(Kind.Perpetual)) {
            _underlyings[_instruments[instrumentId].underlying].netPerpetualLots += deltaLots;
        }
        _addCash(account, _valueMicro(-int256(deltaLots), mark));
        position.sizeLots += deltaLots;
        if (position.sizeLots == 0) {
            _removePosition(account, index);
        } else {
            _positions[account][index] = position;
        }
        uint64 version = ++book.positionVersion;
        _changes[account][version % MAXIMUM_CHANGES] = Change(instrumentId, deltaLots);
        emit PositionChanged(account, instrumentId, deltaLots, mark, version);
    }

    function _sizeOf(address account, uint32 instrumentId) internal view returns (int64) {
        (, Position memory position) = _find(account, instrumentId);
        return position.sizeLots;
    }

    function _positionsOf(address account) internal view returns (Position[] memory positions) {
        positions = new Position[](_accounts[account].positionCount);
        for (uint256 i = 0; i < positions.length; ++i) {
            positions[i] = _positions[account][i];
        }
    }

    function _appendPosition(address account, Position memory position) internal returns (uint256 index) {
        Account storage book = _accounts[account];
        index = book.positionCount;
        if (index == MAXIMUM_POSITIONS) revert TooManyPositions(account);
        _positions[account][index] = position;
        book.positionCount = uint32(index + 1);
    }

    /// @dev size x mark in micro-USD, toward minus infinity.
    function _valueMicro(int256 sizeLots, uint256 mark) internal pure returns (int256) {
        return _floorDivide(sizeLots * int256(mark), LOT_PRICE_PER_MICRO);
    }

    /// @dev Finds or appends the position and moves its pending funding into cash.
    function _touchPosition(address account, uint32 instrumentId)
        private
        returns (uint256 index, Position memory position)
    {
        Instrument memory instrument = _instruments[instrumentId];
        (index, position) = _find(account, instrumentId);
        if (instrument.kind == uint8(Kind.Perpetual)) {
            _accrueFunding(instrument.underlying);
            _addCash(account, _pendingFundingMicro(position));
            position.fundingIndexWad = _underlyings[instrument.underlying].fundingIndexWad;
        }
        if (position.sizeLots == 0) index = _appendPosition(account, position);
    }

    function _removePosition(address account, uint256 index) private {
        uint256 last = --_accounts[account].positionCount;
        if (index != last) _positions[account][index] = _positions[account][last];
        delete _positions[account][last];
    }

    /// @dev The position with its index; a size of zero when there is none.
    function _find(address account, uint32 instrumentId)
        private
        view
        returns (uint256 index, Position memory position)
    {
        uint256 count = _accounts[account].positionCount;
        for (index = 0; index < count; ++index) {
            position = _positions[account][index];
            if (position.instrumentId == instrumentId) return (index, position);
        }
        return (count, Position(instrumentId, 0, 0));
    }

    function _pendingFundingMicro(Position memory position) private view returns (int256) {
        Instrument memory instrument = _instruments[position.instrumentId];
        if (instrument.kind != uint8(Kind.Perpetual)) return 0;
        int256 paidByLong = fundingIndexWad(instrument.underlying) - position.fundingIndexWad;
        return _floorDivide(-int256(position.sizeLots) * paidByLong, LOT_WAD_PER_MICRO);
    }

    function _floorDivide(int256 amount, int256 divisor) private pure returns (int256 quotient) {
        quotient = amount / divisor;
        if (amount % divisor < 0) --quotient;
    }
}
