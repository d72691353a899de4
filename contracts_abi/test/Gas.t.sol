// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {MerkleTree} from "./MerkleTree.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Calls the oracle as a consumer does, from another contract, and meters the call alone.
contract GasMeter {
    /// @return cold Gas of the first call in a transaction, with that of touching the oracle's address.
    /// @return warm Gas of the same call once more.
    function measure(address oracle, bytes calldata data) external view returns (uint256 cold, uint256 warm) {
        return (_once(oracle, data), _once(oracle, data));
    }

    function _once(address oracle, bytes calldata data) private view returns (uint256) {
        bytes memory copied = data;
        uint256 before = gasleft();
        (bool success,) = oracle.staticcall(copied);
        uint256 used = before - gasleft();
        require(success, "the call failed");
        return used;
    }
}

/// @title Gas of what is called often, held to its goals, by the rules of Prague (a transaction pays at least the floor
/// of EIP-7623). The figures are kept in `snapshots/Gas.json`; `scripts/contracts gas` prints them beside others'.
/// @dev Every call of the oracle here runs as a transaction of its own, so that slots are cold where they would be on
/// chain, and the 21,000 of a transaction and its calldata are counted.
/// forge-config: default.isolate = true
contract GasTest is OracleFixture {
    uint24 private constant DWELL = 30 minutes;

    function keep(string memory name, uint256 amount) internal {
        vm.snapshotValue("Gas", name, amount);
    }

    // ------------------------------------------------------------------ posts

    /// @dev A report that tightens every value of every market, none of them pending, with every slot cold and already
    /// written. Returns the gas for 1, 4, 16 and 64 markets.
    function measurePosts(uint256 signers, uint8 threshold, string memory name)
        internal
        returns (uint256[4] memory amounts)
    {
        uint8[4] memory counts = [1, 4, 16, 64];
        for (uint256 i = 0; i < counts.length; ++i) {
            prepare(signers, threshold, counts[i]);
            string memory what = string.concat("post ", name, ", markets ", vm.toString(counts[i]));
            keep(string.concat(what, ", first post"), gasOf(risen(counts[i], 0)));
            gasOf(risen(counts[i], 1));
            amounts[i] = gasOf(risen(counts[i], 2));
            keep(what, amounts[i]);
        }
        keep(string.concat("post ", name, ", each further market"), (amounts[3] - amounts[0]) / 63);
        keep(string.concat("post ", name, ", each value of 64 markets"), amounts[3] / (64 * 6));
    }

    function prepare(uint256 signers, uint8 threshold, uint32 marketCount) internal {
        deployOracle(signers, threshold, threshold + 1);
        setTiming(HEARTBEAT, DWELL, 60);
        for (uint32 id = 1; id <= marketCount; ++id) {
            configure(id);
        }
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
        measurePosts(3, 2, "2-of-3");
    }

    function test_gas_of_posts_three_of_five() external {
        uint256[4] memory amount = measurePosts(5, 3, "3-of-5");
        vm.assertLe(amount[0], 75_000, "3-of-5 with one market");
        vm.assertLe((amount[3] - amount[0]) / 63, 14_000, "each further market");
        vm.assertLe(amount[3] / (64 * 6), uint256(70_900) / 3, "each value, against a feed with three signers");
        vm.assertLe(amount[0] / 6, uint256(70_900) / 3, "each value of one market, against the same");
    }

    function test_gas_of_posts_five_of_seven() external {
        measurePosts(7, 5, "5-of-7");
    }

    /// @dev What the dwell costs: the first looser tuple writes a slot more, later ones read and write it.
    function test_gas_of_loosening() external {
        prepare(5, 3, 1);
        gasOf(risen(1, 2));
        gasOf(risen(1, 2));
        keep("post 3-of-5, one market that stays", gasOf(risen(1, 2)));
        keep("post 3-of-5, one market, its first loosening ever waits", gasOf(risen(1, 1)));
        keep("post 3-of-5, one market, a later report while it waits", gasOf(risen(1, 1)));
        gasOf(risen(1, 1));
        keep("post 3-of-5, one market, its time has come", gasOf(risen(1, 1)));
        keep("post 3-of-5, one market, another loosening waits", gasOf(risen(1, 0)));
        gasOf(risen(1, 0));
        pass(20 minutes);
        oracle.applyPending(1);
        keep("applyPending", vm.lastCallGas().gasTotalUsed);
    }

    // ------------------------------------------------------------------ proofs

    function measureProof(uint256 depth, string memory name) internal returns (uint256 cold) {
        deployOracle(3, 2, 3);
        IMarginOracle.Report memory report = draft(0);
        IMarginOracle.AccountLeaf memory leaf =
            IMarginOracle.AccountLeaf(keccak256("account"), 7, 123_456e18, 65_432e18, report.referenceBlock);
        bytes32[] memory proof;
        (report.accountsRoot, proof) = MerkleTree.ofDepth(oracle.hashAccount(leaf), depth);
        oracle.post(packSigned(report));
        bytes memory question = abi.encodeCall(oracle.verifyAccount, (leaf, proof, false));
        // Not a static call, which would not run as a transaction of its own.
        (bool success,) = address(oracle).call(question);
        vm.assertTrue(success, "the proof was refused");
        keep(string.concat("proof of ", name, ", transaction"), vm.lastCallGas().gasTotalUsed);
        uint256 warm;
        (cold, warm) = new GasMeter().measure(address(oracle), question);
        keep(string.concat("proof of ", name, ", call from a contract, cold address and slots"), cold);
        keep(string.concat("proof of ", name, ", call from a contract, warm"), warm);
    }

    function test_gas_of_proofs() external {
        measureProof(10, "1,000 accounts");
        vm.assertLe(measureProof(14, "16,000 accounts"), 13_000, "proof check");
        measureProof(20, "1,000,000 accounts");
    }

    // ------------------------------------------------------------------ reads

    function test_gas_of_reads() external {
        deployOracle(3, 2, 3);
        configure(1);
        oracle.post(packSigned(draft(1)));
        vm.assertLe(measureRead("margin", abi.encodeCall(oracle.margin, (1))), 6_000, "margin");
        bytes memory question = abi.encodeCall(oracle.requirement, (1, true, 1e24, IMarginOracle.Purpose.Opening));
        vm.assertLe(measureRead("requirement", question), 6_000, "requirement");
        measureRead("tryMargin", abi.encodeCall(oracle.tryMargin, (1)));
    }

    /// @return cold Gas within the oracle, with its slots cold: a transaction less its 21,000 and its calldata.
    function measureRead(string memory name, bytes memory data) internal returns (uint256 cold) {
        (bool success,) = address(oracle).call(data);
        vm.assertTrue(success, "the read failed");
        cold = vm.lastCallGas().gasTotalUsed - 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            cold -= data[i] == 0 ? 4 : 16;
        }
        keep(string.concat(name, ", within the oracle, cold"), cold);
        (uint256 first, uint256 second) = new GasMeter().measure(address(oracle), data);
        keep(string.concat(name, ", call from a contract, cold address and slots"), first);
        keep(string.concat(name, ", call from a contract, warm"), second);
    }
}
