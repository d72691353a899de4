"""The accounts tree against a naive twin, a published root, and what must be refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.errors import BadBook
from oracle.merkle import EMPTY_ROOT, MerkleTree, accounts_tree, merkle_tree
from oracle.types import AccountBook
from oracle.units import micro_to_wad_halves
from tests.posting_cases import DOMAIN, book, bytes32, requirements

pytestmark = pytest.mark.fast
# The first hash of a process loads the kernel, or compiles it.
no_deadline = settings(deadline=None)


def naive_root(leaves: list[bytes]) -> bytes:
    """Return the root by the rule of the standard tree: node i hashes its two children, the first the smaller."""
    count = len(leaves)
    tree = dict(zip(range(2 * count - 2, count - 2, -1), sorted(leaves), strict=True))

    def node(index: int) -> bytes:
        return tree[index] if index in tree else keccak(b"".join(sorted((node(2 * index + 1), node(2 * index + 2)))))

    return node(0)


def rows(leaves: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(leaves), dtype=np.uint8).reshape(-1, 32)


def verify(proof: tuple[bytes, ...], leaf: bytes) -> bytes:
    """Return the root that a proof leads to, as `MerkleProof.processProof` does."""
    for sibling in proof:
        leaf = keccak(b"".join(sorted((leaf, sibling))))
    return leaf


def leaf_hash(tree_leaf: object) -> bytes:
    values = [getattr(tree_leaf, name) for name in tree_leaf.__dataclass_fields__]  # type: ignore[attr-defined]
    types = ["bytes32", "bytes32", "uint64", "uint128", "uint128", "uint64"]
    return keccak(keccak(encode(types, [DOMAIN.separator, *values])))


@no_deadline
@given(st.lists(bytes32, min_size=1, max_size=40))
def test_root_and_every_proof_agree_with_the_naive_tree(leaves: list[bytes]) -> None:
    tree = merkle_tree(rows(leaves))
    assert tree.root == naive_root(leaves)
    for leaf in leaves:
        assert verify(tree.proof(leaf), leaf) == tree.root


@no_deadline
@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 7))
def test_hashes_with_zero_bytes_and_equal_hashes_keep_the_order_of_bytes(values: list[int], at_once: int) -> None:
    # Two bytes that are often 0, first and last, around zeros: an order of words or of text would show.
    leaves = [bytes([value >> 1]) + bytes(30) + bytes([value & 1]) for value in values]
    with patch("oracle.merkle.LEAVES_AT_ONCE", at_once):
        tree = merkle_tree(rows(leaves))
    assert tree.root == naive_root(leaves)
    assert all(verify(tree.proof(leaf), leaf) == tree.root for leaf in leaves)


def test_a_hash_that_is_no_leaf_has_no_proof_even_if_it_is_a_node() -> None:
    leaves = [bytes([value]) * 32 for value in range(5)]
    tree = merkle_tree(rows(leaves))
    for other in (bytes([7]) * 32, bytes([2]) * 31 + b"\1", tree.root):
        with pytest.raises(LookupError, match="in a tree of 5"):
            tree.proof(other)
    with pytest.raises(LookupError, match="in a tree of 0"):
        merkle_tree(rows([])).proof(bytes(32))


def test_a_proof_needs_no_more_than_the_nodes_on_disk(tmp_path: Path) -> None:
    tree = accounts_tree(DOMAIN.separator, 77, book(1_000), requirements(1_000))
    np.save(tmp_path / "nodes.npy", tree.tree.nodes)
    served = MerkleTree(np.load(tmp_path / "nodes.npy", mmap_mode="r"))
    leaf = leaf_hash(tree.leaf(617))
    assert served.proof(leaf) == tree.proof(617) and verify(served.proof(leaf), leaf) == served.root == tree.root


def test_root_equals_the_one_in_the_readme_of_the_standard_library() -> None:
    # @openzeppelin/merkle-tree, README, "Building a tree".
    values = [("0x" + "1" * 40, 5 * 10**18), ("0x" + "2" * 40, 25 * 10**17)]
    leaves = [keccak(keccak(encode(["address", "uint256"], value))) for value in values]
    assert merkle_tree(rows(leaves)).root.hex() == "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 33])
def test_bulk_leaves_equal_the_abi_encoding_one_by_one(count: int) -> None:
    tree = accounts_tree(DOMAIN.separator, 77, book(count), requirements(count))
    leaves = [leaf_hash(tree.leaf(account)) for account in range(count)]
    assert tree.root == naive_root(leaves)
    for account, leaf in enumerate(leaves):
        assert verify(tree.proof(account), leaf) == tree.root


def test_a_leaf_holds_the_exact_wad_and_the_key_of_the_account() -> None:
    tree = accounts_tree(DOMAIN.separator, 77, book(3), requirements(3))
    leaf = tree.leaf(2)
    assert leaf.maintenance_wad == 2 * 1_234_567_890_123 * 10**12
    assert leaf.initial_wad == leaf.maintenance_wad + 5 * 10**12
    assert leaf.account_key == bytes(12) + book(3).address[2].tobytes()
    assert (leaf.position_version, leaf.reference_block) == (2**63 + 2, 77)


def test_largest_amounts_are_exact() -> None:
    largest = np.array([2**63 - 1], dtype=np.int64)
    needs = replace(requirements(1), initial_micro=largest, maintenance_micro=largest)
    tree = accounts_tree(DOMAIN.separator, 1, book(1), needs)
    assert tree.root == leaf_hash(tree.leaf(0))
    assert tree.leaf(0).initial_wad == (2**63 - 1) * 10**12


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_a_wad_in_two_words_is_the_exact_product(amounts: list[int]) -> None:
    upper, lower = micro_to_wad_halves(np.array(amounts, dtype=np.int64))
    assert [(int(u) << 64) + int(w) for u, w in zip(upper, lower, strict=True)] == [a * 10**12 for a in amounts]


def test_an_empty_book_has_the_zero_root_and_no_proof() -> None:
    tree = accounts_tree(DOMAIN.separator, 1, book(0), requirements(0))
    assert tree.root == EMPTY_ROOT == bytes(32)
    with pytest.raises(IndexError, match="account 0 of a book of 0"):
        tree.proof(0)


def test_the_root_depends_on_every_part_of_a_leaf() -> None:
    roots = {accounts_tree(DOMAIN.separator, 1, book(3), requirements(3)).root}
    roots.add(accounts_tree(b"\x01" * 32, 1, book(3), requirements(3)).root)
    roots.add(accounts_tree(DOMAIN.separator, 2, book(3), requirements(3)).root)
    for field in ("initial_micro", "maintenance_micro"):
        needs = requirements(3)
        getattr(needs, field)[1] += 1 if field == "initial_micro" else -1
        roots.add(accounts_tree(DOMAIN.separator, 1, book(3), needs).root)
    moved = book(3)
    moved.position_version[0] += np.uint64(1)
    roots.add(accounts_tree(DOMAIN.separator, 1, moved, requirements(3)).root)
    assert len(roots) == 6


def test_an_account_that_is_there_twice_is_refused_by_name() -> None:
    twice = book(4)
    twice.address[3] = twice.address[1]
    with pytest.raises(BadBook, match=f"account 0x{twice.address[1].tobytes().hex()} is in the book twice"):
        accounts_tree(DOMAIN.separator, 1, twice, requirements(4))


@pytest.mark.parametrize(("initial", "maintenance"), [(5, -1), (4, 5), (-2, -2)])
def test_an_unsound_requirement_is_refused_by_name(initial: int, maintenance: int) -> None:
    needs = requirements(2)
    needs.initial_micro[1], needs.maintenance_micro[1] = initial, maintenance
    with pytest.raises(BadBook, match=f"has initial {initial} and maintenance {maintenance} micro-USD"):
        accounts_tree(DOMAIN.separator, 1, book(2), needs)


def test_columns_of_different_length_are_refused() -> None:
    short: AccountBook = book(3)
    with pytest.raises(BadBook, match="a book of 3 accounts with 2 initial"):
        accounts_tree(DOMAIN.separator, 1, short, requirements(2))
