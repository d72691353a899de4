"""A contract at an address: its committed artefact, its calls at a block, its events, and whether it is ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from oracle.chain.abi import Event, Interface, Reasons
from oracle.chain.client import ChainClient
from oracle.chain.wire import octets
from oracle.errors import CallReverted, CallTooLarge, WrongContract
from oracle.types import BlockStamp

_PACKAGE = Path(__file__).resolve().parents[1]
ARTEFACT_FOLDERS = (_PACKAGE.parent / "contracts_abi" / "artifacts", _PACKAGE / "artifacts")
"""In a checkout, and in an installed package."""
LARGEST_SEARCH_BLOCKS = 1_000_000
"""Blocks that the first request of a search covers; halved as long as the endpoint refuses."""


@dataclass(frozen=True)
class Artefact:
    """What the compiler made of one contract, as committed."""

    name: str
    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    deployed_bytecode: bytes
    source_hash: str
    """SHA-256 of all sources and the settings that it was compiled from, in hex."""

    @cached_property
    def interface(self) -> Interface:
        """The codec for the contract's ABI."""
        return Interface(self.name, self.abi)


@cache
def load_artefact(name: str) -> Artefact:
    """Return the committed artefact of a contract.

    Raises
    ------
    WrongContract
        If there is none; the message names the places looked at.
    """
    for folder in ARTEFACT_FOLDERS:
        path = folder / f"{name}.json"
        if path.is_file():
            content = json.loads(path.read_text())
            return Artefact(
                name=name,
                abi=tuple(content["abi"]),
                bytecode=octets(content["bytecode"]),
                deployed_bytecode=octets(content["deployedBytecode"]),
                source_hash=content.get("sourceHash", ""),
            )
    places = " or ".join(str(folder) for folder in ARTEFACT_FOLDERS)
    raise WrongContract(f"no artefact {name}.json in {places}", "run scripts/contracts build")


class Contract:
    """A contract at an address, called at a block.

    Parameters
    ----------
    client : ChainClient
    address : str
    interface : Interface
    reasons : Reasons, optional
        Whose errors are named; by default the contract's own.
    """

    def __init__(self, client: ChainClient, address: str, interface: Interface, reasons: Reasons | None = None) -> None:
        self.client = client
        self.address = to_checksum_address(address)
        self.interface = interface
        self.reasons = reasons or Reasons(interface)

    def call(self, stamp: BlockStamp, function: str, *arguments: Any, sender: str | None = None) -> Any:
        """Return a function's decoded result at the block.

        Raises
        ------
        CallReverted
            With the reason in words.
        WrongContract
            If the result does not fit the ABI.
        OracleError
            As `ChainClient.call`.
        """
        data = self.interface.encode(function, *arguments)
        try:
            result = self.client.call(stamp, self.address, data, sender=sender)
        except CallReverted as error:
            raise self.reasons.named(error) from None
        return self.interface.decode(function, result)

    def events(
        self, event: str, first_block: int, last_block: int, topics: Sequence[bytes | None] = ()
    ) -> tuple[Event, ...]:
        """Return the decoded events of one name in the blocks, both included, filtered by indexed topics."""
        logs = self.client.logs(self.address, first_block, last_block, (self.interface.topic(event), *topics))
        return tuple(found for log in logs if (found := self.interface.decode_event(log)) is not None)

    def search(
        self, events: Sequence[str], first_block: int, last_block: int, topics: Sequence[bytes | None] = ()
    ) -> Iterator[Event]:
        """Yield the decoded events of these names in the blocks, both included, newest first.

        As many blocks are asked for at once as the endpoint answers for, so any number may be searched.
        """
        wanted = (tuple(self.interface.topic(event) for event in events), *topics)
        last, span = last_block, LARGEST_SEARCH_BLOCKS
        while last >= first_block:
            start = max(last - span + 1, first_block)
            try:
                logs = self.client.logs(self.address, start, last, wanted)
            except CallTooLarge:
                span = (last - start + 1) // 2
                if span == 0:
                    raise
                continue
            yield from (event for log in reversed(logs) if (event := self.interface.decode_event(log)) is not None)
            last = start - 1

    def require(self, stamp: BlockStamp, version: str | None = None) -> None:
        """Check that there is code at the address and, if asked, that `VERSION()` is the expected one.

        Raises
        ------
        WrongContract
            If there is no code, no such function, or another version.
        """
        if not self.client.code(stamp, self.address):
            raise WrongContract(
                f"no contract at {self.address} in block {stamp.number}, expected {self.interface.name}",
                "correct the address, or deploy first",
            )
        if version is None:
            return
        try:
            actual = self.call(stamp, "VERSION")
        except CallReverted:
            actual = "without VERSION()"
        if actual != version:
            raise WrongContract(
                f"contract {self.address} is {actual}, expected {self.interface.name} version {version}",
                "correct the address, or use the release that fits the contract",
            )
