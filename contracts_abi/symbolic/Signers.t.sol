// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {SignerSets} from "../src/SignerSets.sol";
import {Test} from "../test/Test.sol";

/// @title Proofs for all sets of three signers: what is sound, and that replacing one keeps the others and the order.
contract SignersProofs is Test {
    using SignerSets for IMarginOracle.SignerSet;

    function listed(address first, address second, address third)
        internal
        pure
        returns (IMarginOracle.SignerSet memory set)
    {
        set.signers = new address[](3);
        (set.signers[0], set.signers[1], set.signers[2]) = (first, second, third);
    }

    /// @dev `low` and `high` stay, `to` comes in for whoever left.
    function isInOrder(address[] memory signers, address low, address high, address to) internal pure returns (bool) {
        if (to < low) return signers[0] == to && signers[1] == low && signers[2] == high;
        if (to < high) return signers[0] == low && signers[1] == to && signers[2] == high;
        return signers[0] == low && signers[1] == high && signers[2] == to;
    }

    function check_replace_the_first(address from, address low, address high, address to) external pure {
        vm.assume(from < low);
        vm.assume(low < high);
        IMarginOracle.SignerSet memory set = listed(from, low, high);
        assert(set.replace(from, to));
        assert(isInOrder(set.signers, low, high, to));
    }

    function check_replace_the_second(address low, address from, address high, address to) external pure {
        vm.assume(low < from);
        vm.assume(from < high);
        IMarginOracle.SignerSet memory set = listed(low, from, high);
        assert(set.replace(from, to));
        assert(isInOrder(set.signers, low, high, to));
    }

    function check_replace_the_third(address low, address high, address from, address to) external pure {
        vm.assume(low < high);
        vm.assume(high < from);
        IMarginOracle.SignerSet memory set = listed(low, high, from);
        assert(set.replace(from, to));
        assert(isInOrder(set.signers, low, high, to));
    }

    function check_a_stranger_is_not_replaced(address[3] calldata signers, address from, address to) external pure {
        vm.assume(signers[0] != from);
        vm.assume(signers[1] != from);
        vm.assume(signers[2] != from);
        IMarginOracle.SignerSet memory set = listed(signers[0], signers[1], signers[2]);
        assert(!set.replace(from, to));
        assert(set.signers[0] == signers[0] && set.signers[1] == signers[1] && set.signers[2] == signers[2]);
    }

    /// @dev Here an unsound set reverts, and what reverts is not looked at further.
    function check_a_sound_set_has_a_majority_and_nobody_twice(
        address[3] calldata signers,
        uint8 threshold,
        uint8 stepThreshold
    ) external pure {
        IMarginOracle.SignerSet memory set = listed(signers[0], signers[1], signers[2]);
        (set.threshold, set.stepThreshold) = (threshold, stepThreshold);
        set.requireSound();
        assert(threshold == 2 && stepThreshold == 3);
        assert(address(0) < signers[0] && signers[0] < signers[1] && signers[1] < signers[2]);
    }
}
