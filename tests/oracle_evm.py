"""The contract's real bytecode in an EVM inside the process, on a chain whose blocks and feed the test sets.

Whatever the contract answers comes back as bytes, an `Answer`; the same form is made of what a model answers, so that
the two are compared byte for byte.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak
from eth_utils.abi import collapse_if_tuple
from pyrevm import EVM, AccountInfo, BlockEnv

from oracle.chain.contract import load_artefact

CHAIN_ID = 1
FEED = "0x" + "fe" * 20
HISTORY = "0x0000f90827f1c53a10cb7a02335b175320002935"
ARB_SYS = "0x" + "64".rjust(40, "0")
_DEPLOYER = "0x" + "dd" * 20
_REVERTED = re.compile(r"Revert { gas_used: \d+, output: 0x([0-9a-f]*) }")

_PANIC = {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]}
"""The language's own error."""

_FEED_CODE = bytes.fromhex(
    "60053610602a57"
    "5f355f55 602035600155 604035600255 606035600355 608035600455 60a035600555 00"  # told six words: stores them
    "5b 60055415603557 5f5ffd"  # asked while the sixth is not zero: fails
    "5b 5f545f52 600154602052 600254604052 600354606052 600454608052 60a05ff3"  # asked: answers the first five
)
_BLOCKS_CODE = bytes.fromhex(
    "60403614601b57"
    "602036033554 80601457 5f5ffd"  # asked for the number in the last word: fails where it has no hash
    "5b 5f5260205ff3"
    "5b 6020355f355500"  # told a number and a hash: stores them
)


class Log(NamedTuple):
    """One log."""

    topics: tuple[bytes, ...]
    data: bytes


class Answer(NamedTuple):
    """What a call brought: its result or its error's bytes, and its logs."""

    succeeded: bool
    data: bytes
    logs: tuple[Log, ...]


class Entry(NamedTuple):
    """A function, an event or an error of the ABI."""

    name: str
    hashed: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    indexed: tuple[bool, ...]

    @property
    def selector(self) -> bytes:
        """The first four bytes of its hash."""
        return self.hashed[:4]


def _types(parameters: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(each) for each in parameters)


@cache
def entries(kind: str) -> dict[str, Entry]:
    """Return what the oracle's ABI has of a kind, by name."""
    found = {}
    for each in (*load_artefact("MarginOracle").abi, _PANIC):
        if each["type"] == kind:
            inputs = _types(each["inputs"])
            hashed = keccak(f"{each['name']}({','.join(inputs)})".encode())
            indexed = tuple(bool(item.get("indexed")) for item in each["inputs"])
            found[each["name"]] = Entry(each["name"], hashed, inputs, _types(each.get("outputs", [])), indexed)
    return found


def calldata(name: str, *arguments: object) -> bytes:
    """Return the ABI-encoded call of a function."""
    called = entries("function")[name]
    return called.selector + encode(called.inputs, arguments)


@lru_cache(maxsize=2**16)
def encoded_result(name: str, result: object) -> bytes:
    """Return what a function would answer with this result; a tuple where it has several."""
    outputs = entries("function")[name].outputs
    return encode(outputs, (result,) if len(outputs) == 1 else result or ())


@lru_cache(maxsize=2**12)
def encoded_error(name: str, arguments: tuple[object, ...]) -> bytes:
    """Return an error as the contract would give it; no name: nothing is said."""
    if not name:
        return b""
    error = entries("error")[name]
    return error.selector + encode(error.inputs, arguments)


def encoded_log(name: str, arguments: tuple[object, ...]) -> Log:
    """Return an event as the contract would log it."""
    event = entries("event")[name]
    named = list(zip(event.inputs, arguments, event.indexed, strict=True))
    topics = [encode([kind], [value]) for kind, value, is_topic in named if is_topic]
    data = [(kind, value) for kind, value, is_topic in named if not is_topic]
    return Log((event.hashed, *topics), encode([kind for kind, _ in data], [value for _, value in data]))


def described(name: str, answer: Answer) -> str:
    """Return an answer of a function in words, for a message."""
    if not answer.succeeded:
        for error in entries("error").values():
            if answer.data[:4] == error.selector:
                return f"{error.name}{decode(error.inputs, answer.data[4:])}"
        return f"fails with 0x{answer.data.hex()}"
    by_topic = {event.hashed: event for event in entries("event").values()}
    logged = [
        f"{by_topic[log.topics[0]].name} {[each.hex() for each in log.topics[1:]]} {log.data.hex()}"
        for log in answer.logs
    ]
    return f"{decode(entries('function')[name].outputs, answer.data)} {logged}"


class OracleEvm:
    """A chain with one MarginOracle.

    Parameters
    ----------
    setup : tuple
        As given to the constructor, `IMarginOracle.Setup`.
    """

    def __init__(self, setup: tuple[object, ...]) -> None:
        self._evm = EVM(spec_id="CANCUN")
        for address, code in ((FEED, _FEED_CODE), (HISTORY, _BLOCKS_CODE), (ARB_SYS, _BLOCKS_CODE)):
            self._evm.insert_account_info(address, AccountInfo(code=code))
        constructor = next(entry for entry in load_artefact("MarginOracle").abi if entry["type"] == "constructor")
        code = load_artefact("MarginOracle").bytecode
        self.address = self._evm.deploy(_DEPLOYER, code + encode(_types(constructor["inputs"]), [setup])).lower()

    def set_block(self, number: int, timestamp: int) -> None:
        """Begin a block."""
        self._evm.set_block_env(BlockEnv(number=number, timestamp=timestamp))

    def set_feed(self, answer: int, started: int, is_broken: bool = False) -> None:
        """Let the sequencer's feed answer so, or fail."""
        words = [1, answer % 2**256, started, started, 1, int(is_broken)]
        self._evm.message_call(_DEPLOYER, FEED, encode(["uint256"] * 6, words))

    def set_block_hash(self, number: int, block_hash: bytes) -> None:
        """Let the history contract and the Arbitrum precompile answer so for a block."""
        for address in (HISTORY, ARB_SYS):
            self._evm.message_call(_DEPLOYER, address, number.to_bytes(32) + block_hash)

    @staticmethod
    def evm_block_hash(number: int) -> bytes:
        """Return what BLOCKHASH answers of the last 256 blocks in this EVM."""
        return keccak(str(number).encode())

    def call(self, sender: str, data: bytes) -> Answer:
        """Send a transaction, or read: a read changes nothing."""
        try:
            result = self._evm.message_call(sender, self.address, data)
        except RuntimeError as failure:
            reverted = _REVERTED.fullmatch(str(failure))
            if reverted is None:
                raise
            return Answer(False, bytes.fromhex(reverted[1]), ())
        logs = self._evm.result.logs
        return Answer(True, bytes(result), tuple(Log(tuple(log.data[0]), bytes(log.data[1])) for log in logs))
