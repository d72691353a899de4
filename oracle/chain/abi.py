"""The codec of a contract's ABI: calls, results, events, and the reason of a revert; nothing here asks a node.

web3's contract layer is left out: it asks the chain id twice for each call and shows custom errors as raw bytes. Bulk
reads bypass this codec too and decode packed words with numpy.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from oracle.chain.wire import Log
from oracle.errors import CallReverted, WrongContract

_MALFORMED = (DecodingError, OverflowError, UnicodeDecodeError)
"""What eth_abi raises on bytes that do not fit: its own error, a length past memory, text that is not UTF-8."""

_BUILT_IN_ERRORS: tuple[dict[str, Any], ...] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event; indexed values of dynamic types are their hashes."""

    name: str
    values: dict[str, Any]
    log: Log


@dataclass(frozen=True, slots=True)
class Call:
    """A decoded call; arguments by name, structs as named tuples."""

    function: str
    arguments: dict[str, Any]


class Interface:
    """The functions, events and errors of one contract.

    Parameters
    ----------
    name : str
        Shown in front of its errors.
    abi : sequence of mappings
        As solc writes it.
    """

    def __init__(self, name: str, abi: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        self._functions: dict[str, Mapping[str, Any]] = {}
        self._by_selector: dict[bytes, Mapping[str, Any]] = {}
        self._constructor: Mapping[str, Any] = {"inputs": []}
        self._events: dict[bytes, Mapping[str, Any]] = {}
        self.errors: dict[bytes, tuple[str, Mapping[str, Any]]] = {}
        for entry in abi:
            if entry["type"] == "function":
                self._functions[entry["name"]] = self._functions[_signature(entry)] = entry
                self._by_selector[selector(_signature(entry))] = entry
            elif entry["type"] == "constructor":
                self._constructor = entry
            elif entry["type"] == "event":
                self._events[keccak(text=_signature(entry))] = entry
            elif entry["type"] == "error":
                qualified = f"{name}.{entry['name']}" if name else entry["name"]
                self.errors[selector(_signature(entry))] = (qualified, entry)

    def encode(self, function: str, *arguments: Any) -> bytes:
        """Return calldata. Structs are tuples; of overloaded functions give the whole signature."""
        entry = self._function(function)
        return selector(_signature(entry)) + encode(_types(entry["inputs"]), arguments)

    def encode_constructor(self, *arguments: Any) -> bytes:
        """Return the constructor's arguments as they follow the creation code."""
        return encode(_types(self._constructor["inputs"]), arguments)

    def decode(self, function: str, data: bytes) -> Any:
        """Return the one output of a function, or a tuple of several; structs are named tuples.

        Raises
        ------
        WrongContract
            If the data does not fit the ABI: another contract, or none, is at the address.
        """
        outputs = self._function(function)["outputs"]
        try:
            values = decode(_types(outputs), data)
        except _MALFORMED as error:
            raise WrongContract(
                f"{self.name}.{function} returned {len(data)} bytes that do not fit its ABI ({type(error).__name__})",
                "check the contract's address and version",
            ) from error
        named = tuple(_named(value, output) for value, output in zip(values, outputs, strict=True))
        return named[0] if len(named) == 1 else named

    def decode_call(self, data: bytes) -> Call:
        """Return the call that this calldata is.

        Raises
        ------
        WrongContract
            If no function has its selector, or the rest is not exactly the function's arguments.
        """
        entry = self._by_selector.get(data[:4])
        if entry is None:
            raise WrongContract(f"{self.name} has no function 0x{data[:4].hex()}", "check the contract's version")
        inputs = entry["inputs"]
        try:
            values = decode(_types(inputs), data[4:])
            is_exact = encode(_types(inputs), values) == data[4:]
        except _MALFORMED:
            is_exact = False
        if not is_exact:
            raise WrongContract(f"0x{data.hex()} is no call of {self.name}.{entry['name']}", "encode it anew")
        named = (_named(value, field) for value, field in zip(values, inputs, strict=True))
        return Call(entry["name"], dict(zip((field["name"] for field in inputs), named, strict=True)))

    def topic(self, event: str) -> bytes:
        """Return the first topic of an event."""
        return next(topic for topic, entry in self._events.items() if entry["name"] == event)

    def decode_event(self, log: Log) -> Event | None:
        """Return the event, or None when the log is not one of this interface's."""
        entry = self._events.get(log.topics[0]) if log.topics else None
        if entry is None:
            return None
        fields = entry["inputs"]
        indexed = [field for field in fields if field["indexed"]]
        plain = [field for field in fields if not field["indexed"]]
        try:
            values = {
                field["name"]: _named(decode([_topic_type(field)], topic)[0], field)
                for field, topic in zip(indexed, log.topics[1:], strict=True)
            }
            for field, value in zip(plain, decode(_types(plain), log.data), strict=True):
                values[field["name"]] = _named(value, field)
        except (*_MALFORMED, ValueError) as error:
            raise WrongContract(
                f"event {entry['name']} of {log.address} does not fit the ABI of {self.name}",
                "check the contract's address and version",
            ) from error
        return Event(entry["name"], {field["name"]: values[field["name"]] for field in fields}, log)

    def _function(self, name: str) -> Mapping[str, Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise WrongContract(f"{self.name} has no function {name} in its ABI", "rebuild the artefacts") from None


class Reasons:
    """Names the errors of several contracts, since a revert may come from any contract on the way."""

    def __init__(self, *interfaces: Interface) -> None:
        self._errors = dict(Interface("", _BUILT_IN_ERRORS).errors)
        for interface in interfaces:
            self._errors.update(interface.errors)

    def describe(self, data: bytes) -> str:
        """Return for example `MarginOracle.SequenceNotIncreasing(last=3, offered=3)`; raw hex when unknown."""
        if not data:
            return "reverted without a reason"
        name, entry = self._errors.get(data[:4], ("", {}))
        if not name:
            return f"unknown error 0x{data.hex()}"
        try:
            values = decode(_types(entry["inputs"]), data[4:])
        except _MALFORMED:
            return f"malformed {name} 0x{data.hex()}"
        shown = (
            f"{field['name']}={_shown(_named(value, field))}"
            for field, value in zip(entry["inputs"], values, strict=True)
        )
        return f"{name}({', '.join(shown)})"

    def named(self, error: CallReverted) -> CallReverted:
        """Return the same refusal with its reason in words."""
        text = self.describe(error.data) if error.data else error.message
        return CallReverted(text, error.remedy, data=error.data)


def selector(signature: str) -> bytes:
    """Return the first four bytes of the signature's hash."""
    return keccak(text=signature)[:4]


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


def _types(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    return [_type(field) for field in fields]


def _type(field: Mapping[str, Any]) -> str:
    kind: str = field["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_types(field['components']))}){kind.removeprefix('tuple')}"


def _topic_type(field: Mapping[str, Any]) -> str:
    kind: str = field["type"]
    return "bytes32" if kind in ("string", "bytes") or kind.startswith("tuple") or kind.endswith("]") else kind


def _named(value: Any, field: Mapping[str, Any]) -> Any:
    """Give structs their field names and addresses their checksum, at any depth of arrays."""
    kind: str = field["type"]
    if kind.endswith("]"):
        element = {**field, "type": kind[: kind.rindex("[")]}
        return tuple(_named(item, element) for item in value) if isinstance(value, (tuple, list)) else value
    if kind == "tuple" and isinstance(value, tuple):
        components = field["components"]
        return _struct(tuple(part["name"] for part in components))(
            *(_named(item, part) for item, part in zip(value, components, strict=True))
        )
    return to_checksum_address(value) if kind == "address" else value


@cache
def _struct(names: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    return namedtuple("Struct", names, rename=True)


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
