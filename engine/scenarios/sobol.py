"""Sobol points with nested uniform scrambling, of integers alone: the same bytes everywhere.

A point's digit in base 2 is flipped or not by a hash of (seed, scramble, dimension, digits before it), which is Owen's
scrambling with a counter-based source of randomness: nothing is stored, and each scramble is an independent
replication of a net. Dimensions beyond the table are hashed uniforms, so that any number can be asked for.

Sources: S. Joe and F. Y. Kuo (2008), Constructing Sobol sequences with better two-dimensional projections, SIAM J.
Scientific Computing 30, 2635-2654 (direction numbers, criterion D(6)); I. A. Antonov and V. M. Saleev (1979) for the
order of points; A. B. Owen (1995), Randomly permuted (t,m,s)-nets and (t,s)-sequences, in: Lecture Notes in Statistics
106, 299-317; the hash is the finaliser of SplitMix64: G. Steele, D. Lea and C. Flood (2014), Fast splittable
pseudorandom number generators, OOPSLA.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from engine._jit import inlined, kernel, read_only
from engine.errors import InvalidInput

BITS = 32
LARGEST_POINTS = 2**31
_WORD = 2**64 - 1

_JOE_KUO = (
    (3, 1), (7, 1, 3), (11, 1, 3, 1), (13, 1, 1, 1), (19, 1, 1, 3, 3), (25, 1, 3, 5, 13), (37, 1, 1, 5, 5, 17),
    (41, 1, 1, 5, 5, 5), (47, 1, 1, 7, 11, 19), (55, 1, 1, 5, 1, 1), (59, 1, 1, 1, 3, 11), (61, 1, 3, 5, 5, 31),
    (67, 1, 3, 3, 9, 7, 49), (91, 1, 1, 1, 15, 21, 21), (97, 1, 3, 1, 13, 27, 49), (103, 1, 1, 1, 15, 7, 5),
    (109, 1, 3, 1, 15, 13, 25), (115, 1, 1, 5, 5, 19, 61), (131, 1, 3, 7, 11, 23, 15, 103),
    (137, 1, 3, 7, 13, 13, 15, 69), (143, 1, 1, 3, 13, 7, 35, 63), (145, 1, 3, 5, 9, 1, 25, 53),
    (157, 1, 3, 1, 13, 9, 35, 107), (167, 1, 3, 1, 5, 27, 61, 31), (171, 1, 1, 5, 11, 19, 41, 61),
    (185, 1, 3, 5, 3, 3, 13, 69), (191, 1, 1, 7, 13, 1, 19, 1), (193, 1, 3, 7, 5, 13, 19, 59),
    (203, 1, 1, 3, 9, 25, 29, 41), (211, 1, 3, 5, 13, 23, 1, 55), (213, 1, 3, 7, 3, 13, 59, 17),
    (229, 1, 3, 1, 3, 5, 53, 69), (239, 1, 1, 5, 5, 23, 33, 13), (241, 1, 1, 7, 7, 1, 61, 123),
    (247, 1, 1, 7, 9, 13, 61, 49), (253, 1, 3, 3, 5, 3, 55, 33), (285, 1, 3, 1, 15, 31, 13, 49, 245),
    (299, 1, 3, 5, 15, 31, 59, 63, 97), (301, 1, 3, 1, 11, 11, 11, 77, 249), (333, 1, 3, 1, 11, 27, 43, 71, 9),
    (351, 1, 1, 7, 15, 21, 11, 81, 45), (355, 1, 3, 7, 3, 25, 31, 65, 79), (357, 1, 3, 1, 1, 19, 11, 3, 205),
    (361, 1, 1, 5, 9, 19, 21, 29, 157), (369, 1, 3, 7, 11, 1, 33, 89, 185), (391, 1, 3, 3, 3, 15, 9, 79, 71),
    (397, 1, 3, 7, 11, 15, 39, 119, 27), (425, 1, 1, 3, 1, 11, 31, 97, 225), (451, 1, 1, 1, 3, 23, 43, 57, 177),
    (463, 1, 3, 7, 7, 17, 17, 37, 71), (487, 1, 3, 1, 5, 27, 63, 123, 213), (501, 1, 1, 3, 5, 11, 43, 53, 133),
    (529, 1, 3, 5, 5, 29, 17, 47, 173, 479), (539, 1, 3, 3, 11, 3, 1, 109, 9, 69),
    (545, 1, 1, 1, 5, 17, 39, 23, 5, 343), (557, 1, 3, 1, 5, 25, 15, 31, 103, 499),
    (563, 1, 1, 1, 11, 11, 17, 63, 105, 183), (601, 1, 1, 5, 11, 9, 29, 97, 231, 363),
    (607, 1, 1, 5, 15, 19, 45, 41, 7, 383), (617, 1, 3, 7, 7, 31, 19, 83, 137, 221),
    (623, 1, 1, 1, 3, 23, 15, 111, 223, 83), (631, 1, 1, 5, 13, 31, 15, 55, 25, 161),
    (637, 1, 1, 3, 13, 25, 47, 39, 87, 257),
)  # fmt: skip
"""Primitive polynomial, its bits from the highest power down, then m_1 ... m_s, of dimensions 2 to 64."""

_DIGITS = np.uint64(BITS)
_ONE = np.uint64(1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFT_30, _SHIFT_27, _SHIFT_31, _SHIFT_63 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(63)


@cache
def direction_numbers() -> NDArray[np.uint64]:
    """Return the direction numbers of every dimension of the table, shape (64, 32), scaled by 2^32."""
    table = np.empty((len(_JOE_KUO) + 1, BITS), dtype=np.uint64)
    table[0] = [1 << (BITS - 1 - k) for k in range(BITS)]
    for row, (polynomial, *initial) in enumerate(_JOE_KUO, start=1):
        table[row] = _directions(polynomial, initial)
    table.flags.writeable = False
    return table


def sobol_integers(dimensions: int, points: int) -> NDArray[np.uint64]:
    """Return the unscrambled points in Gray-code order times 2^32, shape (dimensions, points)."""
    return _filled(dimensions, points, np.zeros(dimensions, dtype=np.uint64), False)


def scrambled_points(seed: int, scramble: int, dimensions: int, points: int) -> NDArray[np.float64]:
    """Return the points of one scramble, shape (dimensions, points), each within (0, 1).

    Parameters
    ----------
    seed : int
        At least 0, of any size.
    scramble : int
        Number of the replication, at least 0.
    dimensions : int
    points : int
        A power of two gives a net: every elementary interval holds its share.

    Raises
    ------
    InvalidInput
        If an argument is out of range.
    """
    if seed < 0 or scramble < 0:
        raise InvalidInput(f"seed {seed} and scramble {scramble} must be at least 0")
    keys = np.array([_key(seed, scramble, dimension) for dimension in range(dimensions)], dtype=np.uint64)
    # the middle of the cell of 2^-32, so that neither 0 nor 1 comes out
    return (_filled(dimensions, points, keys, True).astype(np.float64) + 0.5) * 2.0**-BITS


def _directions(polynomial: int, initial: list[int]) -> list[int]:
    degree = len(initial)
    m = list(initial)
    for k in range(degree, BITS):
        value = m[k - degree]
        for power in range(1, degree + 1):
            if polynomial >> (degree - power) & 1:
                value ^= m[k - power] << power
        m.append(value)
    return [value << (BITS - 1 - k) for k, value in enumerate(m)]


def _key(seed: int, scramble: int, dimension: int) -> int:
    """Hash of the three, in whole numbers; a seed of more than 64 bits is taken 64 at a time."""
    words = [scramble, dimension, seed & _WORD]
    while seed := seed >> 64:
        words.append(seed & _WORD)
    key = len(words)
    for word in words:
        key = _mixed_word(key ^ word)
    return key


def _mixed_word(word: int) -> int:
    word = (word + int(_GOLDEN)) & _WORD
    word = ((word ^ (word >> 30)) * int(_FIRST)) & _WORD
    word = ((word ^ (word >> 27)) * int(_SECOND)) & _WORD
    return word ^ (word >> 31)


def _filled(dimensions: int, points: int, keys: NDArray[np.uint64], scrambled: bool) -> NDArray[np.uint64]:
    if dimensions < 1 or not 1 <= points < LARGEST_POINTS:
        raise InvalidInput(f"{points} points of {dimensions} dimensions: at least 1 of each, less than 2^31 points")
    table = direction_numbers()
    if not scrambled and dimensions > len(table):
        raise InvalidInput(f"{dimensions} dimensions: the table of direction numbers holds {len(table)}")
    out = np.empty((dimensions, points), dtype=np.uint64)
    _fill(read_only(table, np.uint64), read_only(keys, np.uint64), scrambled, out)
    return out


@inlined
def _mixed(word: np.uint64) -> np.uint64:
    word = word + _GOLDEN
    word = (word ^ (word >> _SHIFT_30)) * _FIRST
    word = (word ^ (word >> _SHIFT_27)) * _SECOND
    return word ^ (word >> _SHIFT_31)


@inlined
def _scrambled(x: np.uint64, key: np.uint64) -> np.uint64:
    """x with each digit flipped by the hash of the digits before it, a leading one marking how many there are."""
    flips = np.uint64(0)
    for k in range(BITS):
        before = np.uint64(k)
        prefix = (_ONE << before) | (x >> (_DIGITS - before))
        flips = (flips << _ONE) | (_mixed(key ^ prefix) >> _SHIFT_63)
    return x ^ flips


@kernel
def _fill(table: NDArray[np.uint64], keys: NDArray[np.uint64], scrambled: bool, out: NDArray[np.uint64]) -> None:
    for d in range(out.shape[0]):
        x = np.uint64(0)
        for n in range(out.shape[1]):
            if d >= table.shape[0]:
                out[d, n] = _mixed(keys[d] ^ np.uint64(n)) >> _DIGITS
                continue
            if n > 0:
                digit = 0
                while (n >> digit) & 1 == 0:
                    digit += 1
                x ^= table[d, digit]
            out[d, n] = _scrambled(x, keys[d]) if scrambled else x
