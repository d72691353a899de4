"""Bulk Keccak-256 against published vectors, the library that hashes one message at a time, and the known constants."""

from __future__ import annotations

import numpy as np
import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.keccak import RATE, keccak_rows

pytestmark = pytest.mark.fast


def rows(*messages: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(messages), dtype=np.uint8).reshape(len(messages), -1)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        # The Keccak team's own vectors for the empty message and for "abc", before the standard changed the padding.
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        # ERC-20's transfer and its event, known to every node.
        (b"transfer(address,uint256)", "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b"),
        (b"Transfer(address,address,uint256)", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"),
    ],
)
def test_known_vectors(message: bytes, digest: str) -> None:
    assert keccak_rows(rows(message))[0].tobytes().hex() == digest


@settings(deadline=None)
@given(st.integers(1, 3 * RATE), st.integers(1, 70), st.randoms(use_true_random=False))
def test_every_row_equals_the_hash_of_one(length: int, count: int, source: object) -> None:
    messages = [source.randbytes(length) for _ in range(count)]  # type: ignore[attr-defined]
    assert [digest.tobytes() for digest in keccak_rows(rows(*messages))] == [keccak(one) for one in messages]


@pytest.mark.parametrize("length", [RATE - 1, RATE, RATE + 1, 2 * RATE - 1, 2 * RATE])
def test_padding_at_the_edge_of_a_block(length: int) -> None:
    message = bytes(range(256))[:1] * (length - 1) + b"\xff"
    assert keccak_rows(rows(message))[0].tobytes() == keccak(message)


def test_more_rows_than_are_padded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oracle.keccak.ROWS", 100)
    messages = np.random.default_rng(5).integers(0, 256, (257, 64), dtype=np.uint8)
    assert [d.tobytes() for d in keccak_rows(messages)] == [keccak(m.tobytes()) for m in messages]


def test_no_message_gives_no_hash_and_a_view_with_steps_is_read_right() -> None:
    assert keccak_rows(np.empty((0, 64), np.uint8)).shape == (0, 32)
    wide = np.arange(256, dtype=np.uint8).reshape(2, 128)
    assert keccak_rows(wide[:, ::2])[1].tobytes() == keccak(wide[1, ::2].tobytes())
