"""BookLens: packed reads of many accounts or rounds in one call, at its address or by state override."""

from __future__ import annotations

from typing import Any

from oracle.chain.abi import Reasons
from oracle.chain.client import ChainClient
from oracle.chain.contract import load_artefact
from oracle.chain.wire import StateOverride
from oracle.errors import CallReverted
from oracle.types import BlockStamp

GAS_PER_CALL = 300_000_000
"""Enough for the largest batch; a node clamps it to its own cap, and the batches adapt."""

_OVERRIDE_ADDRESS = "0x000000000000000000000000000000000000dEaD"


class Lens:
    """A deployed BookLens, or the committed code put at a dead address for the length of each call.

    Parameters
    ----------
    client : ChainClient
    address : str
        Empty: by state override, which needs nothing deployed and has no limit on code or answer.
    gas : int
        Asked for in each call.
    """

    def __init__(self, client: ChainClient, address: str = "", gas: int = GAS_PER_CALL) -> None:
        artefact = load_artefact("BookLens")
        self._client = client
        self._interface = artefact.interface
        self._reasons = Reasons(artefact.interface, load_artefact("DemoExchange").interface)
        self._gas = gas
        self._address = address or _OVERRIDE_ADDRESS
        self._override: StateOverride | None = None
        if not address:
            self._override = {_OVERRIDE_ADDRESS: {"code": "0x" + artefact.deployed_bytecode.hex()}}

    def read_markets(self, exchange: str, stamp: BlockStamp) -> Any:
        """Return (underlyings, instruments, slices) as the contract's structs."""
        return self._call(stamp, "readMarkets", exchange)

    def read_accounts(self, exchange: str, start: int, count: int, stamp: BlockStamp) -> bytes:
        """Return the packed words of accounts [start, start + count); see `packed.decode_accounts`."""
        packed: bytes = self._call(stamp, "readAccounts", exchange, start, count)
        return packed

    def read_rounds(self, feed: str, last_round_id: int, count: int, stamp: BlockStamp) -> bytes:
        """Return the packed words of up to `count` rounds, newest first; see `packed.decode_rounds`."""
        packed: bytes = self._call(stamp, "readRounds", feed, last_round_id, count)
        return packed

    def _call(self, stamp: BlockStamp, function: str, *arguments: Any) -> Any:
        data = self._interface.encode(function, *arguments)
        try:
            answer = self._client.call(stamp, self._address, data, gas=self._gas, state_override=self._override)
        except CallReverted as error:
            raise self._reasons.named(error) from None
        return self._interface.decode(function, answer)
