// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {DelayedOwner} from "./DelayedOwner.sol";

/// @title Owns a protocol's contract so that one figure of it is set by nobody.
/// @notice Everything else of the contract stays with this contract's owner: `forward`, at once, as before. What is
/// kept from it: the figure's setter, and giving the ownership away other than by `handOver`, which waits.
/// @dev Where the contract can be upgraded by its owner, `forward` reaches that too: the delay binds the figure, not
/// the protocol's code.
abstract contract ProtocolOwner is DelayedOwner {
    /// @notice The contract that is owned.
    address public immutable protocol;
    bytes4 private immutable _figureSetter;

    event Forwarded(bytes call);
    event HandedOver(address indexed newOwner);

    /// @notice The figure is the oracle's, and ownership leaves by `handOver`.
    error NotForwarded(bytes4 selector);
    error NewOwnerMissing();

    constructor(address protocol_, bytes4 figureSetter) {
        protocol = protocol_;
        _figureSetter = figureSetter;
    }

    /// @notice Calls the protocol's contract as its owner; also `acceptOwnership`, where it asks for that.
    /// @param call The ABI-encoded call.
    function forward(bytes calldata call) external onlyOwner returns (bytes memory) {
        bytes4 selector = bytes4(call);
        bool isKept = call.length < 4 || selector == _figureSetter || selector == Ownable.transferOwnership.selector
            || selector == Ownable.renounceOwnership.selector;
        if (isKept) revert NotForwarded(selector);
        emit Forwarded(call);
        return Address.functionCall(protocol, call);
    }

    /// @notice Gives the protocol's contract to another owner, which may set the figure by hand again. Waits.
    function handOver(address newOwner) external afterDelay {
        if (newOwner == address(0)) revert NewOwnerMissing();
        emit HandedOver(newOwner);
        Ownable(protocol).transferOwnership(newOwner);
    }
}
