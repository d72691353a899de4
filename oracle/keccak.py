"""Keccak-256 of many messages of one length, 64 at a time; what the tree of accounts is made of.

The permutation is that of FIPS 202, section 3, on lanes of 64 bits: a[5 y + x] is the lane at (x, y). The padding is
the original one, 0x01 ... 0x80, that Ethereum kept, not the standard's 0x06 ... 0x80. One round of one message is
straight-line code; the loop over messages around it becomes vector instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Lanes = NDArray[np.uint64]

DIGEST = 32
RATE = 136
"""Bytes taken in by one permutation."""
ROWS = 16_384
"""Messages that are padded at a time, so that memory does not grow with their number."""

_WORDS = RATE // 8
_WIDTH = 64
"""Messages hashed together; the state of all of them, 12,800 bytes, stays in the first cache."""


def _round_constants() -> Lanes:
    """Return the constants of the 24 rounds, from the shift register of FIPS 202, algorithm 5."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for bit in range(7):
            constant |= (register & 1) << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return np.array(constants, dtype=np.uint64)


_CONSTANTS = _round_constants()


def _kernel(function: Function) -> Function:
    """Compile at the first call, or load from the cache; where nothing can be written each start compiles."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True)(function))


def _rotate(lane: Any, left: int) -> Any:
    return (lane << np.uint64(left)) | (lane >> np.uint64(64 - left))


_r = numba.njit(inline="always")(_rotate)


@_kernel
def _permute(s: Lanes) -> None:
    """Apply the 24 rounds to 64 states; lane i of message k lies at ``s[64 i + k]``."""
    w = _WIDTH
    for constant in _CONSTANTS:
        for k in range(w):
            a0, a1, a2, a3, a4 = s[k], s[w + k], s[2 * w + k], s[3 * w + k], s[4 * w + k]
            a5, a6, a7, a8, a9 = s[5 * w + k], s[6 * w + k], s[7 * w + k], s[8 * w + k], s[9 * w + k]
            e0, e1, e2, e3, e4 = s[10 * w + k], s[11 * w + k], s[12 * w + k], s[13 * w + k], s[14 * w + k]
            e5, e6, e7, e8, e9 = s[15 * w + k], s[16 * w + k], s[17 * w + k], s[18 * w + k], s[19 * w + k]
            f0, f1, f2, f3, f4 = s[20 * w + k], s[21 * w + k], s[22 * w + k], s[23 * w + k], s[24 * w + k]
            # theta: the parity of each column, added to its neighbours
            c0, c1, c2 = a0 ^ a5 ^ e0 ^ e5 ^ f0, a1 ^ a6 ^ e1 ^ e6 ^ f1, a2 ^ a7 ^ e2 ^ e7 ^ f2
            c3, c4 = a3 ^ a8 ^ e3 ^ e8 ^ f3, a4 ^ a9 ^ e4 ^ e9 ^ f4
            t0, t1, t2, t3, t4 = c4 ^ _r(c1, 1), c0 ^ _r(c2, 1), c1 ^ _r(c3, 1), c2 ^ _r(c4, 1), c3 ^ _r(c0, 1)
            # rho and pi: each lane rotated and moved; then chi, row by row, and iota in the first lane
            b0, b1, b2 = a0 ^ t0, _r(a6 ^ t1, 44), _r(e2 ^ t2, 43)
            b3, b4 = _r(e8 ^ t3, 21), _r(f4 ^ t4, 14)
            s[k], s[w + k] = b0 ^ (~b1 & b2) ^ constant, b1 ^ (~b2 & b3)
            s[2 * w + k], s[3 * w + k], s[4 * w + k] = b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
            b0, b1, b2 = _r(a3 ^ t3, 28), _r(a9 ^ t4, 20), _r(e0 ^ t0, 3)
            b3, b4 = _r(e6 ^ t1, 45), _r(f2 ^ t2, 61)
            s[5 * w + k], s[6 * w + k] = b0 ^ (~b1 & b2), b1 ^ (~b2 & b3)
            s[7 * w + k], s[8 * w + k], s[9 * w + k] = b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
            b0, b1, b2 = _r(a1 ^ t1, 1), _r(a7 ^ t2, 6), _r(e3 ^ t3, 25)
            b3, b4 = _r(e9 ^ t4, 8), _r(f0 ^ t0, 18)
            s[10 * w + k], s[11 * w + k] = b0 ^ (~b1 & b2), b1 ^ (~b2 & b3)
            s[12 * w + k], s[13 * w + k], s[14 * w + k] = b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
            b0, b1, b2 = _r(a4 ^ t4, 27), _r(a5 ^ t0, 36), _r(e1 ^ t1, 10)
            b3, b4 = _r(e7 ^ t2, 15), _r(f3 ^ t3, 56)
            s[15 * w + k], s[16 * w + k] = b0 ^ (~b1 & b2), b1 ^ (~b2 & b3)
            s[17 * w + k], s[18 * w + k], s[19 * w + k] = b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
            b0, b1, b2 = _r(a2 ^ t2, 62), _r(a8 ^ t3, 55), _r(e4 ^ t4, 39)
            b3, b4 = _r(e5 ^ t0, 41), _r(f1 ^ t1, 2)
            s[20 * w + k], s[21 * w + k] = b0 ^ (~b1 & b2), b1 ^ (~b2 & b3)
            s[22 * w + k], s[23 * w + k], s[24 * w + k] = b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)


@_kernel
def _absorb(words: Lanes, out: Lanes) -> None:
    """Hash padded messages, shape (n, a multiple of 17), into (n, 4)."""
    s = np.empty(25 * _WIDTH, np.uint64)
    for first in range(0, words.shape[0], _WIDTH):
        held = min(_WIDTH, words.shape[0] - first)
        s[:] = 0
        for start in range(0, words.shape[1], _WORDS):
            for k in range(held):
                for i in range(_WORDS):
                    s[i * _WIDTH + k] ^= words[first + k, start + i]
            _permute(s)
        for k in range(held):
            for i in range(4):
                out[first + k, i] = s[i * _WIDTH + k]


def keccak_rows(messages: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the Keccak-256 hash of each row.

    Parameters
    ----------
    messages : uint8 array, shape (n, length)
        n messages of one length, which may be 0.

    Returns
    -------
    uint8 array, shape (n, 32)
    """
    count, length = messages.shape
    digests = np.empty((count, DIGEST), dtype=np.uint8)
    for first in range(0, count, ROWS):
        some = messages[first : first + ROWS]
        padded = np.zeros((len(some), (length // RATE + 1) * RATE), dtype=np.uint8)
        padded[:, :length] = some
        padded[:, length] ^= 0x01
        padded[:, -1] ^= 0x80
        out = np.empty((len(some), DIGEST // 8), dtype=np.uint64)
        # lanes are little-endian by definition
        _absorb(np.ascontiguousarray(padded.view("<u8"), dtype=np.uint64), out)
        digests[first : first + ROWS] = out.astype("<u8", copy=False).view(np.uint8)
    return digests
