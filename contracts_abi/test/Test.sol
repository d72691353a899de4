// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @dev The cheat codes of forge that the tests use.
interface Vm {
    enum ForgeContext {
        TestGroup,
        Test,
        Coverage
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function addr(uint256 privateKey) external pure returns (address);
    function assume(bool condition) external pure;
    function assertEq(uint256 left, uint256 right) external pure;
    function assertEq(int256 left, int256 right) external pure;
    function assertEq(bytes32 left, bytes32 right) external pure;
    function assertEq(address left, address right) external pure;
    function assertEq(bytes calldata left, bytes calldata right) external pure;
    function assertEq(string calldata left, string calldata right) external pure;
    function assertTrue(bool condition, string calldata message) external pure;
    function assertLe(uint256 left, uint256 right, string calldata message) external pure;
    function assertApproxEqAbs(uint256 left, uint256 right, uint256 delta) external pure;
    function chainId(uint256 newChainId) external;
    function deployCode(string calldata artifact, bytes calldata arguments) external returns (address deployed);
    function etch(address target, bytes calldata code) external;
    function expectEmit(address emitter) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectRevert(bytes calldata reason) external;
    function expectRevert(bytes4 selector) external;
    function getBlockNumber() external view returns (uint256);
    function getBlockTimestamp() external view returns (uint256);
    function isContext(ForgeContext context) external view returns (bool);
    function lastCallGas() external view returns (Gas memory);
    function mockCall(address target, bytes calldata data, bytes calldata answer) external;
    function mockCallRevert(address target, bytes calldata data, bytes calldata reason) external;
    function prank(address sender) external;
    function roll(uint256 number) external;
    function signCompact(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
    function toString(uint256 value) external pure returns (string memory);
    function warp(uint256 timestamp) external;
}

/// @title Base of all tests: forge's cheat codes and its console, nothing else.
abstract contract Test {
    bool public constant IS_TEST = true;
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    address private constant CONSOLE = 0x000000000000000000636F6e736F6c652e6c6f67;

    function log(string memory line) internal view {
        (bool ignored,) = CONSOLE.staticcall(abi.encodeWithSignature("log(string)", line));
        ignored;
    }

    /// @dev Deploys the bytecode that is delivered, as the default profile built it; but under `forge coverage` its own
    /// build, since it can count no other.
    function deploy(string memory name, bytes memory arguments) internal returns (address) {
        if (vm.isContext(Vm.ForgeContext.Coverage)) {
            return vm.deployCode(string.concat(name, ".sol:", name), arguments);
        }
        return vm.deployCode(string.concat("out/", name, ".sol/", name, ".json"), arguments);
    }

    /// @dev Maps a random number into [low, high].
    function bound(uint256 random, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + random % (high - low + 1);
    }

    /// @dev Lets time pass. Read through the cheat code: the compiler may keep an older `block.timestamp`.
    function pass(uint256 elapsedSeconds) internal {
        vm.warp(vm.getBlockTimestamp() + elapsedSeconds);
        vm.roll(vm.getBlockNumber() + 1);
    }
}
