// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {DemoLedger} from "./DemoLedger.sol";

/// @title The demo venue before it opens: accounts and positions created in bulk, for local chains.
abstract contract DemoGenesis is DemoLedger {
    bool public isOpen;

    event Opened();

    error NotOpen();
    error AlreadyOpen();
    error MalformedSeed();

    modifier whenOpen() {
        if (!isOpen) revert NotOpen();
        _;
    }

    /// @notice Creates accounts in bulk before the venue opens; for local chains, the cash is backed by nothing.
    /// @param packed For each account: address 20 bytes, cash 8 (int64 micro-USD), position count 1, then for each
    /// position: instrument id 4, size 8 (int64 lots). Accounts and their instruments must be distinct.
    function seedAccounts(bytes calldata packed) external onlyOwner {
        if (isOpen) revert AlreadyOpen();
        uint256 offset = 0;
        while (offset < packed.length) {
            if (packed.length < offset + 29) revert MalformedSeed();
            address account = address(bytes20(packed[offset:offset + 20]));
            if (_accounts[account].exists) revert MalformedSeed();
            Account storage book = _register(account);
            book.cashMicro = int64(uint64(bytes8(packed[offset + 20:offset + 28])));
            book.positionVersion = 1;
            uint256 count = uint8(packed[offset + 28]);
            offset += 29;
            if (packed.length < offset + 12 * count) revert MalformedSeed();
            for (; count > 0; --count) {
                _seedPosition(account, packed[offset:offset + 12]);
                offset += 12;
            }
        }
    }

    /// @notice Ends genesis and lets trading begin; funding runs from here.
    function open() external onlyOwner {
        if (isOpen) revert AlreadyOpen();
        isOpen = true;
        for (uint256 i = 0; i < _underlyings.length; ++i) {
            _underlyings[i].fundingTimestamp = uint40(block.timestamp);
        }
        emit Opened();
    }

    function _seedPosition(address account, bytes calldata packed) private {
        uint32 instrumentId = uint32(bytes4(packed[:4]));
        int64 sizeLots = int64(uint64(bytes8(packed[4:12])));
        Instrument storage instrument = _instrumentAt(instrumentId);
        if (sizeLots == 0 || _sizeOf(account, instrumentId) != 0) revert MalformedSeed();
        if (instrument.kind == uint8(Kind.Perpetual)) {
            _underlyings[instrument.underlying].netPerpetualLots += sizeLots;
        }
        _appendPosition(account, Position(instrumentId, sizeLots, 0));
    }
}
