"""The tree of account requirements: one root on chain, one proof an account.

The layout is that of OpenZeppelin's `StandardMerkleTree`, so that `MerkleProof.verify` accepts every proof whatever
the number of accounts, and that library rebuilds the same root from the same leaves: n leaves are hashed twice,
sorted and stored backwards at the end of an array of 2 n - 1 nodes; node i hashes the sorted pair of nodes 2 i + 1
and 2 i + 2; node 0 is the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from eth_hash.auto import keccak
from numpy.typing import NDArray

from oracle.errors import BadBook
from oracle.types import AccountBook, AccountRequirements
from oracle.units import micro_to_wad_exact

EMPTY_ROOT = bytes(32)
"""Root of a tree without leaves; no proof leads to it."""

_WORD = 32
_LEAF_WORDS = 6


@dataclass(frozen=True, slots=True)
class AccountLeaf:
    """One account's requirement at a reference block; field for field `IMarginOracle.AccountLeaf`."""

    account_key: bytes
    position_version: int
    initial_wad: int
    maintenance_wad: int
    reference_block: int


@dataclass(frozen=True, slots=True)
class MerkleTree:
    """Nodes in the order of the module's docstring; `node_of_leaf[i]` is where the i-th given leaf lies."""

    nodes: tuple[bytes, ...]
    node_of_leaf: tuple[int, ...]

    @property
    def root(self) -> bytes:
        """The root, `EMPTY_ROOT` without leaves."""
        return self.nodes[0] if self.nodes else EMPTY_ROOT

    def proof(self, leaf: int) -> tuple[bytes, ...]:
        """Return the siblings from the leaf up to the root.

        Parameters
        ----------
        leaf : int
            Index in the order in which the leaves were given.

        Raises
        ------
        IndexError
            If there is no such leaf.
        """
        if not 0 <= leaf < len(self.node_of_leaf):
            raise IndexError(f"leaf {leaf} of a tree of {len(self.node_of_leaf)}")
        siblings = []
        node = self.node_of_leaf[leaf]
        while node > 0:
            siblings.append(self.nodes[node + 1 if node % 2 else node - 1])
            node = (node - 1) // 2
        return tuple(siblings)


@dataclass(frozen=True, slots=True)
class AccountsTree:
    """The tree together with what its leaves say, in the order of the book."""

    reference_block: int
    book: AccountBook
    requirements: AccountRequirements
    tree: MerkleTree

    @property
    def root(self) -> bytes:
        """The accounts root as posted."""
        return self.tree.root

    def leaf(self, account: int) -> AccountLeaf:
        """Return what the contract is told about an account, by its index in the book."""
        return AccountLeaf(
            account_key=bytes(12) + self.book.address[account].tobytes(),
            position_version=int(self.book.position_version[account]),
            initial_wad=micro_to_wad_exact(int(self.requirements.initial_micro[account])),
            maintenance_wad=micro_to_wad_exact(int(self.requirements.maintenance_micro[account])),
            reference_block=self.reference_block,
        )

    def proof(self, account: int) -> tuple[bytes, ...]:
        """Return the proof of an account, by its index in the book."""
        return self.tree.proof(account)


def merkle_tree(leaf_hashes: Sequence[bytes]) -> MerkleTree:
    """Return the tree over leaf hashes (32 bytes each, hashed twice already), given in any order."""
    count = len(leaf_hashes)
    if count == 0:
        return MerkleTree((), ())
    last = 2 * count - 2
    nodes = [b""] * (last + 1)
    node_of_leaf = [0] * count
    for rank, leaf in enumerate(sorted(range(count), key=leaf_hashes.__getitem__)):
        nodes[last - rank] = leaf_hashes[leaf]
        node_of_leaf[leaf] = last - rank
    for node in range(count - 2, -1, -1):
        left, right = nodes[2 * node + 1], nodes[2 * node + 2]
        nodes[node] = keccak(left + right if left < right else right + left)
    return MerkleTree(tuple(nodes), tuple(node_of_leaf))


def accounts_tree(
    domain_separator: bytes, reference_block: int, book: AccountBook, requirements: AccountRequirements
) -> AccountsTree:
    """Return the tree of all accounts of a book.

    Parameters
    ----------
    domain_separator : bytes
        EIP-712 domain of the oracle, 32 bytes: a leaf is good for one contract on one chain.
    reference_block : int
        Block of the report; part of each leaf.
    book : AccountBook
        Accounts in any order, each once.
    requirements : AccountRequirements
        In the order of the book, micro-USD; exact in wad.

    Raises
    ------
    BadBook
        If an account is there twice, the columns differ in length, or a requirement is negative or has its initial
        below its maintenance.

    Notes
    -----
    Source of the leaf: `IMarginOracle.AccountLeaf`.
    """
    _require_sound(book, requirements)
    encoded = _encode_leaves(domain_separator, reference_block, book, requirements)
    size = _LEAF_WORDS * _WORD
    hashes = [keccak(keccak(encoded[start : start + size])) for start in range(0, len(encoded), size)]
    return AccountsTree(reference_block, book, requirements, merkle_tree(hashes))


def _encode_leaves(
    domain_separator: bytes, reference_block: int, book: AccountBook, requirements: AccountRequirements
) -> bytes:
    """Return `abi.encode` of each leaf with the domain before it, 192 bytes each, one after the other."""
    words = np.zeros((len(book), _LEAF_WORDS, _WORD), dtype=np.uint8)
    words[:, 0] = np.frombuffer(domain_separator, dtype=np.uint8)
    words[:, 1, 12:] = book.address
    words[:, 2, 24:] = book.position_version.astype(">u8").view(np.uint8).reshape(-1, 8)
    words[:, 3] = _wad_words(requirements.initial_micro)
    words[:, 4] = _wad_words(requirements.maintenance_micro)
    words[:, 5] = np.frombuffer(reference_block.to_bytes(_WORD, "big"), dtype=np.uint8)
    return words.tobytes()


def _wad_words(amount_micro: NDArray[np.int64]) -> NDArray[np.uint8]:
    # A wad does not fit 64 bits, so this one step goes through Python integers.
    encoded = b"".join(micro_to_wad_exact(amount).to_bytes(_WORD, "big") for amount in amount_micro.tolist())
    return np.frombuffer(encoded, dtype=np.uint8).reshape(-1, _WORD)


def _require_sound(book: AccountBook, requirements: AccountRequirements) -> None:
    initial, maintenance = requirements.initial_micro, requirements.maintenance_micro
    if not len(book) == len(initial) == len(maintenance) == len(book.address) == len(book.position_version):
        raise BadBook(
            f"a book of {len(book)} accounts with {len(initial)} initial and {len(maintenance)} maintenance "
            "requirements",
            "every account needs both: nothing is published",
        )
    wrong = np.flatnonzero((maintenance < 0) | (initial < maintenance))
    if wrong.size:
        first = int(wrong[0])
        raise BadBook(
            f"account 0x{book.address[first].tobytes().hex()} has initial {int(initial[first])} and maintenance "
            f"{int(maintenance[first])} micro-USD",
            "initial may not lie below maintenance, nor maintenance below zero",
        )
    _require_each_once(book.address)


def _require_each_once(address: NDArray[np.uint8]) -> None:
    raw = np.ascontiguousarray(address).tobytes()
    keys = sorted(raw[start : start + 20] for start in range(0, len(raw), 20))
    for first, second in pairwise(keys):
        if first == second:
            raise BadBook(f"account 0x{first.hex()} is in the book twice", "read the book again at one block")
