"""The contract and its model in the same block of the same chain, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from eth_abi.abi import encode
from eth_hash.auto import keccak

from tests.oracle_evm import (
    CHAIN_ID,
    Answer,
    OracleEvm,
    calldata,
    described,
    encoded_error,
    encoded_log,
    encoded_result,
    entries,
)
from tests.oracle_model import (
    DAY,
    LIQUIDATING,
    NO_CONFIG,
    OPENING,
    ZERO,
    Event,
    Leaf,
    OracleModel,
    Revert,
    Setup,
    SignerSet,
    World,
)

START = 1_800_000_000
FIRST_BLOCK = 1_000_000
EVM, EIP_2935, ARB_SYS = range(3)
HISTORY_BLOCKS = 8_191
STRANGER = "0x" + "c1" * 20
CUSTODIANS = ("0x" + "d1" * 20, "0x" + "d2" * 20)
NEVER_CONFIGURED = 9

GETTERS: dict[str, Callable[[OracleModel], object]] = {
    "timing": lambda m: m.timing,
    "heartbeatSeconds": lambda m: m.timing.heartbeat_seconds,
    "signerSetHash": lambda m: m.signer_set_hash,
    "signerSetEpoch": lambda m: m.signer_set_epoch,
    "lastSequence": lambda m: m.last_sequence,
    "lastReferenceBlock": lambda m: m.last_reference_block,
    "lastReferenceTimestamp": lambda m: m.last_reference_timestamp,
    "latestAccounts": lambda m: m.latest,
    "isPaused": lambda m: m.is_paused,
    "guardian": lambda m: m.guardian,
    "owner": lambda m: m.owner,
    "pendingOwner": lambda m: m.pending_owner,
    "ownerDelaySeconds": lambda m: m.owner_delay_seconds,
    "blockHashSource": lambda m: m.setup.block_hash_source,
    "sequencerUptimeFeed": lambda m: m.setup.sequencer_uptime_feed,
    "sequencerGraceSeconds": lambda m: m.setup.sequencer_grace_seconds,
    "VERSION": lambda m: "1",
}
MARKET_READS = ("margin", "tryMargin", "marginUnsafe", "requireFresh", "marketState")


@dataclass(frozen=True)
class Proven:
    """A leaf with a proof."""

    leaf: Leaf
    proof: tuple[bytes, ...]


def separator_of(address: str) -> bytes:
    """Return the EIP-712 domain separator."""
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    hashes = [keccak(each) for each in (kind, b"MarginOracle", b"1")]
    return keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], [*hashes, CHAIN_ID, address]))


@lru_cache(maxsize=2**14)
def read_calldata(name: str, *arguments: object) -> bytes:
    """Return `calldata`, made once."""
    return calldata(name, *arguments)


class Pair:
    """A model and the contract, in the same block of the same chain."""

    def __init__(self, setup: Setup) -> None:
        self.evm = OracleEvm(setup)
        self.model = OracleModel(setup, separator_of(self.evm.address))
        self.members = SignerSet(0, 0, ())
        self.proven: dict[int, bytes] = {}
        self.is_read = False
        self.world = World(FIRST_BLOCK, START, self.block_hash, 0, START - DAY, False)
        self.enter(self.world)

    def block_hash(self, number: int) -> bytes | None:
        """Return what the configured source proves."""
        source, age = self.model.setup.block_hash_source, self.world.number - number
        if source != ARB_SYS and 0 < age <= 256:
            return self.evm.evm_block_hash(number)
        return None if source == EVM else self.proven.get(number)

    def prove(self, number: int) -> bytes:
        """Return a block's hash; let the sources that are contracts know it, where there is such a block."""
        block_hash = self.evm.evm_block_hash(number)
        if 0 < self.world.number - number <= HISTORY_BLOCKS:
            self.proven[number] = block_hash
            self.evm.set_block_hash(number, block_hash)
        return block_hash

    def enter(self, world: World) -> None:
        """Begin a block."""
        self.world, self.is_read = world, False
        self.evm.set_block(world.number, world.timestamp)
        self.evm.set_feed(world.sequencer_answer, world.sequencer_started, world.sequencer_is_broken)

    def same(self, sender: str, name: str, *arguments: object, data: bytes | None = None) -> Answer:
        """Send to both and compare; `data` where the ABI-encoded arguments are no encoding of the model's."""
        try:
            result, events = self.model.transact(sender, self.world, name, *arguments)
            logs = tuple(encoded_log(event.name, event.arguments) for event in events)
            expected = Answer(True, encoded_result(name, result), logs)
            self.learn(events)
            self.is_read = False
        except Revert as revert:
            expected = Answer(False, encoded_error(revert.name, revert.arguments), ())
        return self.compare(sender, name, arguments, calldata(name, *arguments) if data is None else data, expected)

    def learn(self, events: Sequence[Event]) -> None:
        """Remember the signer set, which the contract keeps only the hash of."""
        for event in events:
            if event.name == "SignerSetChanged":
                _, threshold, step_threshold, signers = event.arguments
                self.members = SignerSet(threshold, step_threshold, signers)

    def compare(self, sender: str, name: str, arguments: tuple[object, ...], data: bytes, expected: Answer) -> Answer:
        """Ask the contract and hold its answer against the model's."""
        answer = self.evm.call(sender, data)
        if answer != expected:
            asked = ", ".join(each.hex() if isinstance(each, bytes) else str(each) for each in arguments)
            raise AssertionError(
                f"{name}({asked}) from {sender} in block {self.world.number} at {self.world.timestamp}"
                f"\nmodel:    {described(name, expected)}\ncontract: {described(name, answer)}"
            )
        return answer

    def same_post(self, arguments: bytes) -> Answer:
        """Preview and post ABI-encoded arguments."""
        for name in ("preview", "post"):
            answer = self.same(STRANGER, name, arguments, data=entries("function")[name].selector + arguments)
        return answer

    def same_reads(self, notional_wad: int, leaves: Sequence[Proven], proposed: Sequence[bytes]) -> None:
        """Compare everything that can be read."""
        model = self.model
        for name, getter in GETTERS.items():
            self.reads(name, getter(model))
        for market_id in {*model.configs, NEVER_CONFIGURED}:
            self.reads("marketConfig", model.configs.get(market_id, NO_CONFIG), market_id)
            for name in MARKET_READS:
                self.same_read(name, market_id)
            for is_long, purpose in product((False, True), (OPENING, LIQUIDATING)):
                self.same_read("requirement", market_id, is_long, notional_wad, purpose)
        for name in ("accountsStale", "requireSequencerUp"):
            self.same_read(name)
        for custodian in CUSTODIANS:
            self.reads("rotation", model.rotations.get(custodian, (ZERO, 0)), custodian)
        for identity in map(keccak, proposed):
            self.reads("readyTimestamp", model.ready.get(identity, 0), identity)
        for proven, reduces_risk in product(leaves, (False, True)):
            self.same_read("verifyAccount", proven.leaf, proven.proof, reduces_risk)

    def reads(self, name: str, value: object, *arguments: object) -> None:
        """Hold one read against a value."""
        expected = Answer(True, encoded_result(name, value), ())
        self.compare(STRANGER, name, arguments, read_calldata(name, *arguments), expected)

    def same_read(self, name: str, *arguments: object) -> None:
        """Compare one read that takes arguments or may fail."""
        try:
            self.reads(name, getattr(self.model, name)(STRANGER, self.world, *arguments), *arguments)
        except Revert as revert:
            expected = Answer(False, encoded_error(revert.name, revert.arguments), ())
            self.compare(STRANGER, name, arguments, read_calldata(name, *arguments), expected)
