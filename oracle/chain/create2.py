"""Contracts at addresses that follow from their code: creation through the deterministic deployment proxy.

The proxy (github.com/Arachnid/deterministic-deployment-proxy) stands at one address on nearly every chain, has no
owner and runs CREATE2 on `salt, creation code`. So the address is known before anything is sent, and whoever sends the
transaction can create nothing else at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

from oracle.chain.abi import Reasons
from oracle.chain.client import ChainClient
from oracle.chain.contract import Artefact
from oracle.errors import CallReverted, WrongContract
from oracle.types import BlockStamp

PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
PROXY_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f5"
    "8015156039578182fd5b8082525050506014600cf3"
)
PROXY_TRANSACTION = (
    bytes.fromhex("f8a58085174876e800830186a08080b853604580600e600039806000f350fe")
    + PROXY_CODE
    + (b"\x1b" + 2 * (b"\xa0" + 32 * b"\x22"))
)
"""Creates the proxy on any chain: nobody holds the key of this signature, so its sender can do nothing else."""
PROXY_SENDER = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
PROXY_COST_WEI = 10**16
"""Gas limit times gas price of that transaction."""


@dataclass(frozen=True)
class Creation:
    """A contract that is to be created, or was.

    Parameters
    ----------
    artefact : Artefact
    arguments : tuple
        Of the constructor.
    salt : bytes
        32 bytes.
    """

    artefact: Artefact
    arguments: tuple[object, ...]
    salt: bytes

    @cached_property
    def code(self) -> bytes:
        """Creation code and the constructor's arguments."""
        return self.artefact.bytecode + self.artefact.interface.encode_constructor(*self.arguments)

    @cached_property
    def address(self) -> str:
        """Where the contract is, or will be (EIP-1014)."""
        preimage = b"\xff" + to_canonical_address(PROXY) + self.salt + keccak(self.code)
        return to_checksum_address(keccak(preimage)[12:])

    @property
    def data(self) -> bytes:
        """Calldata of the proxy."""
        return self.salt + self.code


def expected_code(client: ChainClient, stamp: BlockStamp, creation: Creation) -> bytes:
    """Return the code that the creation leaves at its address, every immutable filled in.

    The creation code itself is run at that address, in a call with a state override: what depends on the address, such
    as an EIP-712 domain, comes out as it does on chain.

    Raises
    ------
    CallReverted
        If the constructor refuses its arguments, with the reason in words.
    """
    override = {creation.address: {"code": "0x" + creation.code.hex()}}
    try:
        return client.call(stamp, creation.address, b"", state_override=override)
    except CallReverted as error:
        raise Reasons(creation.artefact.interface).named(error) from None


def require_proxy(client: ChainClient, stamp: BlockStamp) -> None:
    """Check that the chain has the proxy.

    Raises
    ------
    WrongContract
        If it has not; the message says how to get it.
    """
    code = client.code(stamp, PROXY)
    if not code:
        raise WrongContract(
            f"chain {client.chain_id} has no deterministic deployment proxy at {PROXY}",
            f"send {PROXY_COST_WEI} wei to {PROXY_SENDER}, then publish the raw transaction "
            f"0x{PROXY_TRANSACTION.hex()} (a chain that refuses transactions without a chain id has to add it itself)",
        )
    if code != PROXY_CODE:
        raise WrongContract(
            f"the code at {PROXY} on chain {client.chain_id} is not the deterministic deployment proxy",
            "deploy on another chain: addresses here do not follow from the code",
        )
