// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../../src/IMarginOracle.sol";
import {Test} from "../Test.sol";
import {Actors} from "./Actors.sol";

/// @title Base of the invariants: what the last act was, and what there was before and after it.
/// @dev Forge calls one function of the actors, then asks each invariant: a rule may be about the state, or about the
/// step to it. The names of the invariants are the lines of the page on invariants in the documentation.
abstract contract Observed is Test {
    Actors internal actors;
    IMarginOracle internal oracle;

    function setUp() external {
        actors = new Actors();
        oracle = actors.target();
    }

    /// @dev Read by forge: the contracts whose functions it calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function hashOf(Actors.State memory state) internal pure returns (bytes32) {
        return keccak256(abi.encode(state));
    }

    function valuesOf(IMarginOracle.CurrentMargin memory tuple) internal view returns (uint32[6] memory) {
        return actors.valuesOf(tuple);
    }

    function isReport(Actors.Act memory act) internal pure returns (bool) {
        return act.success && (act.kind == Actors.Kind.Post || act.kind == Actors.Kind.Forgery);
    }

    /// @dev Whether the last act was the owner's and called `selector`, at once or after its wait.
    function isOwnerCall(Actors.Act memory act, Actors.State memory before, bytes4 selector)
        internal
        view
        returns (bool)
    {
        if (!act.success || act.by != before.owner) return false;
        if (act.kind == Actors.Kind.OwnerAtOnce) return bytes4(act.data) == selector;
        return act.kind == Actors.Kind.Execute && bytes4(actors.carried(act.data)) == selector;
    }
}
