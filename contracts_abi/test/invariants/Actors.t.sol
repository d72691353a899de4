// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Test} from "../Test.sol";
import {Actors} from "./Actors.sol";

/// @title The actors get through: else the invariants would hold of an oracle that nobody touched.
contract ActorsTest is Test {
    function test_every_kind_of_act_succeeds_and_every_state_is_met() external {
        Actors actors = new Actors();
        uint256[13] memory successes;
        uint256[3] memory met;
        for (uint256 seed = 0; seed < 900; ++seed) {
            uint256 random = uint256(keccak256(abi.encode(seed)));
            // The first few before any report.
            if (seed < 9) actors.ownerChangesAtOnce(random);
            else this.step(actors, random);
            Actors.Act memory act = actors.act();
            if (act.success) ++successes[uint256(act.kind)];
            Actors.State memory state = actors.state();
            for (uint256 i = 0; i < 2; ++i) {
                if (state.markets[i].pendingTimestamp != 0) ++met[0];
                if (state.markets[i].isCorrected) ++met[1];
            }
            if (state.isPaused) ++met[2];
        }
        Actors.Kind[8] memory some = [
            Actors.Kind.Post,
            Actors.Kind.Apply,
            Actors.Kind.Propose,
            Actors.Kind.Execute,
            Actors.Kind.CancelChange,
            Actors.Kind.Guardian,
            Actors.Kind.Rotate,
            Actors.Kind.Silence
        ];
        for (uint256 i = 0; i < some.length; ++i) {
            vm.assertTrue(successes[uint256(some[i])] > 4, "a kind of act hardly ever succeeds");
        }
        vm.assertTrue(successes[uint256(Actors.Kind.OwnerAtOnce)] > 0, "no change before the first report");
        vm.assertTrue(successes[uint256(Actors.Kind.Accept)] > 0, "no new owner");
        vm.assertTrue(met[0] > 99, "hardly a wait");
        vm.assertTrue(met[1] > 0, "no correction");
        vm.assertTrue(met[2] > 9, "hardly a pause");
        vm.assertTrue(fallsOf(actors) > 9, "hardly a fall");
    }

    /// @dev How many of the twelve values in force fell at some time.
    function fallsOf(Actors actors) internal view returns (uint256 falls) {
        for (uint256 i = 0; i < 12; ++i) {
            if (actors.fallen(i % 2, i / 2) > 0) ++falls;
        }
    }

    function step(Actors actors, uint256 seed) external {
        bytes4[17] memory calls = [
            actors.quorumPosts.selector,
            actors.quorumPostsAgain.selector,
            actors.allPost.selector,
            actors.minorityPosts.selector,
            actors.strangerSigns.selector,
            actors.somebodyPostsAgain.selector,
            actors.anyoneApplies.selector,
            actors.ownerChangesAtOnce.selector,
            actors.ownerProposes.selector,
            actors.ownerExecutes.selector,
            actors.somebodyCancels.selector,
            actors.guardianStops.selector,
            actors.guardianUnpauses.selector,
            actors.custodianRotates.selector,
            actors.newOwnerAccepts.selector,
            actors.somebodyIntrudes.selector,
            actors.timePasses.selector
        ];
        (bool success,) = address(actors).call(abi.encodeWithSelector(calls[seed % 17], seed));
        vm.assertTrue(success, "an actor stumbled");
    }
}
