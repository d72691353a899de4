// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IMarginOracle} from "../src/IMarginOracle.sol";
import {OracleFixture} from "./OracleFixture.sol";

/// @title Posts whatever comes to mind, with a quorum's signatures, and remembers what it saw.
contract Poster is OracleFixture {
    uint256 public accepted;
    uint256 public sequenceSteps;
    bool public wentBack;

    constructor() {
        deployOracle(3, 2, 3);
        configure(1);
        configure(2);
    }

    function post(uint32[6] calldata values, uint8 sequenceStep, uint16 elapsed, bool exceedsStep, uint8 age) external {
        pass(elapsed % 2 hours);
        IMarginOracle.Report memory report = draft(2);
        report.sequence = report.sequence + sequenceStep % 3 - 1;
        report.referenceTimestamp -= age;
        report.exceedsStep = exceedsStep;
        for (uint256 i = 0; i < 2; ++i) {
            report.markets[i] = IMarginOracle.MarketMargin(
                uint32(i + 1),
                values[0] % 1_000_000,
                values[1] % 1_000_000,
                values[2] % 900_000,
                values[3] % 900_000,
                values[4] % 600_000,
                values[5] % 600_000
            );
        }
        submit(packSigned(report));
    }

    /// @dev Small moves, so that many tuples pass.
    function drift(int8[6] calldata moves, uint16 elapsed) external {
        pass(1 + elapsed % 2 hours);
        IMarginOracle.Report memory report = draft(1);
        IMarginOracle.CurrentMargin memory current = oracle.marginUnsafe(1);
        if (current.referenceTimestamp == 0) return;
        report.markets[0] = IMarginOracle.MarketMargin(
            1,
            moved(current.initialLong, moves[0]),
            moved(current.initialShort, moves[1]),
            moved(current.maintenanceLong, moves[2]),
            moved(current.maintenanceShort, moves[3]),
            moved(current.slopeLong, moves[4]),
            moved(current.slopeShort, moves[5])
        );
        submit(packSigned(report));
    }

    function moved(uint32 value, int8 move) internal pure returns (uint32) {
        int256 next = int256(uint256(value)) + int256(move) * 100;
        return next < 0 ? 0 : uint32(uint256(next));
    }

    function submit(bytes memory packed) internal {
        uint64 sequence = oracle.lastSequence();
        uint40[2] memory times = [oracle.marginUnsafe(1).referenceTimestamp, oracle.marginUnsafe(2).referenceTimestamp];
        (bool success,) = address(oracle).call(abi.encodeCall(oracle.post, (packed)));
        if (success) {
            ++accepted;
            if (oracle.lastSequence() > sequence) ++sequenceSteps;
        }
        for (uint32 id = 1; id <= 2; ++id) {
            if (oracle.marginUnsafe(id).referenceTimestamp < times[id - 1]) wentBack = true;
        }
    }

    function stored(uint32 marketId) external view returns (IMarginOracle.CurrentMargin memory) {
        return oracle.marginUnsafe(marketId);
    }
}

/// @title What holds after any series of posts.
contract InvariantsTest is OracleFixture {
    Poster private poster;

    function setUp() external {
        poster = new Poster();
    }

    /// @dev Read by forge: the contracts whose functions it calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(poster);
    }

    function invariant_every_accepted_report_raises_the_sequence() external view {
        vm.assertEq(poster.sequenceSteps(), poster.accepted());
    }

    function invariant_no_market_goes_back_in_time() external view {
        vm.assertTrue(!poster.wentBack(), "a market's reference time went back");
    }

    function invariant_initial_covers_maintenance_and_all_are_in_range() external view {
        IMarginOracle.MarketConfig memory config = defaultConfig();
        for (uint32 id = 1; id <= 2; ++id) {
            IMarginOracle.CurrentMargin memory current = poster.stored(id);
            if (current.referenceTimestamp == 0) continue;
            vm.assertTrue(current.initialLong >= current.maintenanceLong, "long");
            vm.assertTrue(current.initialShort >= current.maintenanceShort, "short");
            vm.assertTrue(current.maintenanceLong >= config.maintenance.minimum, "maintenance long");
            vm.assertTrue(current.maintenanceShort >= config.maintenance.minimum, "maintenance short");
            vm.assertTrue(current.initialLong <= config.initial.maximum, "initial long");
            vm.assertTrue(current.initialShort <= config.initial.maximum, "initial short");
        }
    }
}
