// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Gas of what is called often, held to its goals. `scripts/contracts gas` prints the table.
/// @dev Every call here runs as a transaction of its own, so that slots are cold where they would be on chain and
/// the 21,000 of a transaction and its calldata are counted.
/// forge-config: default.isolate = true
contract GasTest is OracleFixture {
    function row(string memory what, uint256 amount, string memory comparison) internal view {
        log(string.concat("GAS|", what, "|", vm.toString(amount), "|", comparison));
    }

    /// @dev What the table is about: a report that tightens every value of every market, none of them pending, with
    /// every slot cold and already written. Returns the gas for 1, 4, 16 and 64 markets.
    function measurePosts(uint256 signers, uint8 threshold, string memory name, string memory comparison)
        internal
        returns (uint256[4] memory amounts)
    {
        uint8[4] memory counts = [1, 4, 16, 64];
        for (uint256 i = 0; i < counts.length; ++i) {
            deployOracle(signers, threshold, threshold + 1);
            for (uint32 id = 1; id <= counts[i]; ++id) {
                configure(id);
            }
            string memory what = string.concat("post, ", name, ", markets: ", vm.toString(counts[i]));
            uint256 first = gasOf(risen(counts[i], 0));
            gasOf(risen(counts[i], 1));
            amounts[i] = gasOf(risen(counts[i], 2));
            row(what, amounts[i], i == 0 ? comparison : "");
            row(string.concat(what, ", the first post"), first, "");
        }
        row(string.concat("each further market, ", name), (amounts[3] - amounts[0]) / 63, "");
        row(string.concat("each of 64 markets, ", name), amounts[3] / 64, "Derive, three signers: 70.9k a value");
    }

    function risen(uint256 count, uint32 rises) internal view returns (IMarginOracle.Report memory report) {
        report = draft(count);
        for (uint256 i = 0; i < count; ++i) {
            IMarginOracle.MarketMargin memory market = report.markets[i];
            (market.initialLong, market.initialShort) = (100_000 + 111 * rises, 120_000 + 222 * rises);
            (market.maintenanceLong, market.maintenanceShort) = (50_000 + 333 * rises, 60_000 + 444 * rises);
            (market.slopeLong, market.slopeShort) = (2_000 + 55 * rises, 3_000 + 66 * rises);
        }
    }

    function gasOf(IMarginOracle.Report memory report) internal returns (uint256 amount) {
        oracle.post(packSigned(report));
        amount = vm.lastCallGas().gasTotalUsed;
        pass(10 minutes);
    }

    function test_gas_of_posts_two_of_three() external {
        measurePosts(3, 2, "2-of-3", "49.8k this quorum over two values; Derive, two signers, one feed 58.9k");
    }

    function test_gas_of_posts_three_of_five() external {
        uint256[4] memory amount = measurePosts(
            5,
            3,
            "3-of-5",
            "55.5k this quorum over two values; Derive, three signers, one feed 70.9k; OCR2 of 4 nodes 91.9k"
        );
        vm.assertLe(amount[0], 75_000, "3-of-5 with one market");
        vm.assertLe((amount[3] - amount[0]) / 63, 14_000, "each further market");
    }

    function test_gas_of_a_proof_check_at_sixteen_thousand_accounts() external {
        deployOracle(3, 2, 3);
        IMarginOracle.Report memory report = draft(0);
        IMarginOracle.AccountLeaf memory leaf =
            IMarginOracle.AccountLeaf(keccak256("account"), 7, 123_456e18, 65_432e18, report.referenceBlock);
        bytes32[] memory proof;
        (report.accountsRoot, proof) = MerkleTree.ofDepth(oracle.hashAccount(leaf), 14);
        oracle.post(packSigned(report));
        uint256 execution = execute(abi.encodeCall(oracle.verifyAccount, (leaf, proof, false)));
        row(
            "proof check, 16,000 accounts, as a transaction of its own",
            vm.lastCallGas().gasTotalUsed,
            "44.4k at this depth, packed leaf"
        );
        row(
            "proof check, 16,000 accounts, execution",
            execution,
            "5.5k at this depth, leaf bound to no contract and no age"
        );
        vm.assertLe(execution, 10_000, "proof check");
    }

    function test_gas_of_reads() external {
        deployOracle(3, 2, 3);
        configure(1);
        oracle.post(packSigned(draft(1)));
        uint256 execution = execute(abi.encodeCall(oracle.margin, (1)));
        row("margin, cold", execution, "9.4k for two cold slots and a cold address");
        vm.assertLe(execution, 6_000, "margin");
        bytes memory question = abi.encodeCall(oracle.requirement, (1, true, 1e24, IMarginOracle.Purpose.Opening));
        execution = execute(question);
        row("requirement, cold", execution, "");
        vm.assertLe(execution, 6_000, "requirement");
    }

    /// @dev Gas of a call without the transaction's 21,000 and its calldata. Not a static call, which would not run
    /// as a transaction of its own.
    function execute(bytes memory data) internal returns (uint256) {
        (bool success,) = address(oracle).call(data);
        vm.assertTrue(success, "the call failed");
        return vm.lastCallGas().gasTotalUsed - 21_000 - calldataCost(data);
    }

    function calldataCost(bytes memory data) internal pure returns (uint256 amount) {
        for (uint256 i = 0; i < data.length; ++i) {
            amount += data[i] == 0 ? 4 : 16;
        }
    }
}
