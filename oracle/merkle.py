"""The tree of account requirements: one root on chain, one proof an account.

The layout is that of OpenZeppelin's `StandardMerkleTree`, so that `MerkleProof.verify` accepts every proof whatever
the number of accounts, and that library rebuilds the same root from the same leaves: n leaves are hashed twice,
sorted and stored backwards at the end of an array of 2 n - 1 nodes; node i hashes the sorted pair of nodes 2 i + 1
and 2 i + 2; node 0 is the root. The nodes are all that is kept, 64 bytes an account; a leaf is found by its hash.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle.errors import BadBook
from oracle.keccak import DIGEST, keccak_rows
from oracle.types import AccountBook, AccountRequirements
from oracle.units import micro_to_wad_exact, micro_to_wad_halves

EMPTY_ROOT = bytes(32)
"""Root of a tree without leaves; no proof leads to it."""

LEAVES_AT_ONCE = 16_384
"""Leaves and pairs that are encoded at a time, so that what is kept of an account is its nodes alone."""

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
    """A tree of n leaves.

    Attributes
    ----------
    nodes : uint8 array, shape (2 n - 1, 32), or (0, 32)
        In the order of the module's docstring. It may be a memory map: a proof reads about 3 log2(n) rows.
    """

    nodes: NDArray[np.uint8]

    @property
    def root(self) -> bytes:
        """The root, `EMPTY_ROOT` without leaves."""
        return self.nodes[0].tobytes() if len(self.nodes) else EMPTY_ROOT

    def proof(self, leaf_hash: bytes) -> tuple[bytes, ...]:
        """Return the siblings from a leaf, given by its hash, up to the root.

        Raises
        ------
        LookupError
            If there is no such leaf.
        """
        last = len(self.nodes) - 1
        count = (last + 2) // 2
        rank = bisect_left(range(count), leaf_hash, key=lambda place: self.nodes[last - place].tobytes())
        node = last - rank
        if rank == count or self.nodes[node].tobytes() != leaf_hash:
            raise LookupError(f"no leaf 0x{leaf_hash.hex()} in a tree of {count}")
        siblings = []
        while node > 0:
            siblings.append(self.nodes[node + 1 if node % 2 else node - 1].tobytes())
            node = (node - 1) // 2
        return tuple(siblings)


@dataclass(frozen=True, slots=True)
class AccountsTree:
    """The tree together with what its leaves say, in the order of the book."""

    domain_separator: bytes
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
        """Return the proof of an account, by its index in the book.

        Raises
        ------
        IndexError
            If there is no such account.
        """
        if not 0 <= account < len(self.book):
            raise IndexError(f"account {account} of a book of {len(self.book)}")
        one = slice(account, account + 1)
        leaf = _leaf_hashes(self.domain_separator, self.reference_block, self.book, self.requirements, one)
        return self.tree.proof(leaf.tobytes())


def merkle_tree(leaf_hashes: NDArray[np.uint8]) -> MerkleTree:
    """Return the tree over leaf hashes (hashed twice already), shape (n, 32), given in any order."""
    count = len(leaf_hashes)
    if count == 0:
        return MerkleTree(np.empty((0, DIGEST), dtype=np.uint8))
    nodes = np.empty((2 * count - 1, DIGEST), dtype=np.uint8)
    nodes[count - 1 :] = leaf_hashes[np.argsort(_as_text(leaf_hashes), kind="stable")[::-1]]
    above = count - 1
    while above > 0:
        # the children of these nodes are there already: they lie at `above` or behind it
        first = max(above // 2, above - LEAVES_AT_ONCE)
        pairs = nodes[2 * first + 1 : 2 * above + 1].reshape(-1, 2, DIGEST)
        nodes[first:above] = keccak_rows(_in_order(pairs))
        above = first
    nodes.flags.writeable = False
    return MerkleTree(nodes)


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
    hashes = np.empty((len(book), DIGEST), dtype=np.uint8)
    for first in range(0, len(book), LEAVES_AT_ONCE):
        some = slice(first, first + LEAVES_AT_ONCE)
        hashes[some] = _leaf_hashes(domain_separator, reference_block, book, requirements, some)
    return AccountsTree(domain_separator, reference_block, book, requirements, merkle_tree(hashes))


def _leaf_hashes(
    domain_separator: bytes, reference_block: int, book: AccountBook, requirements: AccountRequirements, some: slice
) -> NDArray[np.uint8]:
    """Return the double hash of `abi.encode` of some accounts' leaves with the domain before each."""
    address = book.address[some]
    words = np.zeros((len(address), _LEAF_WORDS, _WORD), dtype=np.uint8)
    words[:, 0] = np.frombuffer(domain_separator, dtype=np.uint8)
    words[:, 1, 12:] = address
    words[:, 2, 24:] = _big_endian(book.position_version[some])
    for word, amount in ((3, requirements.initial_micro[some]), (4, requirements.maintenance_micro[some])):
        upper, lower = micro_to_wad_halves(amount)
        words[:, word, 16:24], words[:, word, 24:] = _big_endian(upper), _big_endian(lower)
    words[:, 5] = np.frombuffer(reference_block.to_bytes(_WORD, "big"), dtype=np.uint8)
    return keccak_rows(keccak_rows(words.reshape(-1, _LEAF_WORDS * _WORD)))


def _big_endian(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return numbers.astype(">u8").view(np.uint8).reshape(-1, 8)


def _as_text(rows: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    """Return rows of bytes as one string each, which NumPy compares as Python compares bytes of one length."""
    return np.ascontiguousarray(rows).view(f"S{rows.shape[-1]}")[..., 0]


def _in_order(pairs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return each pair of hashes, shape (n, 2, 32), as 64 bytes, the smaller first."""
    text = _as_text(pairs)
    swap = text[:, 0] > text[:, 1]
    return np.where(swap[:, None, None], pairs[:, ::-1], pairs).reshape(-1, 2 * DIGEST)


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
    keys = _as_text(address)
    order = np.argsort(keys, kind="stable")
    twice = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    if twice.size:
        account = address[order[twice[0]]].tobytes().hex()
        raise BadBook(f"account 0x{account} is in the book twice", "read the book again at one block")
