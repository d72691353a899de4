// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";
import {IMarginOracle} from "./IMarginOracle.sol";

/// @dev The Arbitrum precompile, as far as it is used here.
interface IArbSys {
    /// @notice Hash of one of the last 256 L2 blocks; reverts for any other.
    function arbBlockHash(uint256 blockNumber) external view returns (bytes32);
}

/// @title Hash of a past block from the chain itself.
library BlockHashes {
    address internal constant ARB_SYS = address(100);

    /// @notice The hash of `blockNumber` according to `source`; zero when the source does not know it.
    function hashOf(IMarginOracle.BlockHashSource source, uint256 blockNumber) internal view returns (bytes32) {
        if (source == IMarginOracle.BlockHashSource.Evm) return blockhash(blockNumber);
        if (source == IMarginOracle.BlockHashSource.Eip2935) return Blockhash.blockHash(blockNumber);
        try IArbSys(ARB_SYS).arbBlockHash(blockNumber) returns (bytes32 blockHash) {
            return blockHash;
        } catch {
            return 0;
        }
    }
}
