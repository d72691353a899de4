// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IMarginOracle} from "../IMarginOracle.sol";

/// @title An owner whose changes are announced and wait.
/// @notice A change is a call of this contract to itself: what waits is what is carried out, byte for byte. Events and
/// errors are those of the oracle's own owner.
abstract contract DelayedOwner is Ownable2Step {
    uint256 private constant CHANGE_LIFETIME_SECONDS = 14 days;
    /// @dev The delay is for good: a longer one, in milliseconds for example, would lock the role in.
    uint256 private constant OWNER_DELAY_MAXIMUM_SECONDS = 30 days;

    /// @notice How long a change waits, at most 30 days; 0 where the owner is a timelock itself.
    uint32 public immutable ownerDelaySeconds;
    /// @notice When a proposed change may be executed; 0 when it is not proposed.
    mapping(bytes32 id => uint40) public readyTimestamp;

    /// @dev Only `executeChange` calls this contract from itself.
    modifier afterDelay() {
        if (msg.sender != address(this)) revert IMarginOracle.MustWait(ownerDelaySeconds);
        _;
    }

    constructor(address owner, uint32 ownerDelaySeconds_) Ownable(owner) {
        if (ownerDelaySeconds_ > OWNER_DELAY_MAXIMUM_SECONDS) revert IMarginOracle.InvalidConfiguration();
        ownerDelaySeconds = ownerDelaySeconds_;
    }

    /// @notice Announces a change.
    /// @param change The ABI-encoded call of a function of this contract that waits.
    /// @return id keccak256 of `change`.
    function proposeChange(bytes calldata change) external onlyOwner returns (bytes32 id) {
        id = keccak256(change);
        if (readyTimestamp[id] != 0) revert IMarginOracle.AlreadyProposed(id);
        uint40 ready = uint40(block.timestamp + ownerDelaySeconds);
        readyTimestamp[id] = ready;
        emit IMarginOracle.ChangeProposed(id, ready, change);
    }

    /// @notice Carries out a change, from its time on and for 14 days.
    function executeChange(bytes calldata change) external onlyOwner {
        bytes32 id = keccak256(change);
        uint40 ready = _takeProposed(id);
        if (block.timestamp < ready) revert IMarginOracle.ChangeNotReady(ready, block.timestamp);
        if (block.timestamp > ready + CHANGE_LIFETIME_SECONDS) {
            revert IMarginOracle.ChangeExpired(ready + CHANGE_LIFETIME_SECONDS, block.timestamp);
        }
        emit IMarginOracle.ChangeExecuted(id);
        Address.functionCall(address(this), change);
    }

    function cancelChange(bytes calldata change) external onlyOwner {
        bytes32 id = keccak256(change);
        _takeProposed(id);
        emit IMarginOracle.ChangeCancelled(id, msg.sender);
    }

    /// @dev Without an owner the protocol's role could never be given back.
    function renounceOwnership() public pure override {
        revert IMarginOracle.OwnerCannotResign();
    }

    function _takeProposed(bytes32 id) private returns (uint40 ready) {
        ready = readyTimestamp[id];
        if (ready == 0) revert IMarginOracle.NotProposed(id);
        delete readyTimestamp[id];
    }
}
