// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Gas of what is called often, held to its goals. `scripts/contracts gas` prints the table.
/// @dev Every call here runs as a transaction of its own, so that slots are cold where they would be on chain and
/// the 21,000 of a transaction and its calldata are counted.
/// forge-config: default.isolate = true
contract GasTest is OracleFixture {
    function row(string memory what, uint256 amount, string memory comparison) internal view {
        log(string.concat("GAS|", what, "|", vm.toString(amount), "|", comparison));
    }

    function measurePosts(uint256 signers, uint8 threshold, string memory name, string memory comparison)
        internal
        returns (uint256[3] memory second)
    {
        uint8[3] memory counts = [1, 4, 16];
        for (uint256 i = 0; i < 3; ++i) {
            deployOracle(signers, threshold, threshold + 1);
            for (uint32 id = 1; id <= counts[i]; ++id) {
                configure(id);
            }
            string memory what = string.concat("post, ", name, ", markets: ", vm.toString(counts[i]));
            oracle.post(packSigned(draft(counts[i])));
            row(string.concat(what, ", first"), vm.lastCallGas().gasTotalUsed, "");
            pass(10 minutes);
            oracle.post(packSigned(draft(counts[i])));
            row(string.concat(what, ", second"), vm.lastCallGas().gasTotalUsed, "");
            pass(10 minutes);
            bytes memory packed = packSigned(draft(counts[i]));
            oracle.post(packed);
            second[i] = vm.lastCallGas().gasTotalUsed;
            row(what, second[i], i == 0 ? comparison : "");
        }
        row(string.concat("each further market, ", name), (second[2] - second[0]) / 15, "");
    }

    function test_gas_of_posts_two_of_three() external {
        measurePosts(3, 2, "2-of-3", "49.8k bare quorum, no market (C2); Derive m=2 58.9k, one feed");
    }

    function test_gas_of_posts_three_of_five() external {
        uint256[3] memory amount =
            measurePosts(5, 3, "3-of-5", "55.5k bare quorum, no market (C2); Derive m=3 70.9k; OCR2 n=4 91.9k");
        vm.assertLe(amount[0], 75_000, "3-of-5 with one market");
        vm.assertLe((amount[2] - amount[0]) / 15, 14_000, "each further market");
    }
}
