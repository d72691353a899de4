"""Sobol points: SciPy's when unscrambled, nets when scrambled, independent between scrambles, a twin bit by bit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from engine.errors import InvalidInput
from engine.scenarios import sobol
from engine.scenarios.sobol import scrambled_points, sobol_integers
from tests import naive

pytestmark = pytest.mark.fast

EXPECTED = "54999755e8cc11268cf55def721c606b0bf784a2233fa957a6e4e50b8806950c"
"""Of the bytes of one scramble, the same on every machine; other points would be other scenarios for every keeper."""


def test_unscrambled_points_are_scipys():
    theirs = qmc.Sobol(64, scramble=False, bits=32).random(2_048).T
    assert np.array_equal(sobol_integers(64, 2_048) / 2.0**32, theirs)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
@settings(max_examples=50, deadline=None)
def test_a_scrambled_point_is_its_twin(x, key):
    assert int(sobol._scrambled(np.uint64(x), np.uint64(key))) == naive.owen_scrambled(x, key)


def test_points_are_the_twins_of_the_unscrambled_ones():
    plain, points = sobol_integers(5, 64), scrambled_points(2**70 + 3, 2, 5, 64)
    for dimension in range(5):
        key = sobol._key(2**70 + 3, 2, dimension)
        twins = [(naive.owen_scrambled(int(x), key) + 0.5) / 2**32 for x in plain[dimension]]
        assert points[dimension].tolist() == twins


@given(st.integers(0, 2**200), st.integers(0, 31), st.integers(0, 8))
@settings(max_examples=30, deadline=None)
def test_every_elementary_interval_of_the_first_two_dimensions_holds_its_share(seed, scramble, split):
    # the first two dimensions are a (0, m, 2)-net: one point in each box of area 1/256, however it is cut
    points = scrambled_points(seed, scramble, 2, 256)
    box = np.floor(points[0] * 2**split) * 2 ** (8 - split) + np.floor(points[1] * 2 ** (8 - split))
    assert np.array_equal(np.sort(box), np.arange(256))


def test_every_dimension_of_the_table_is_stratified():
    points = scrambled_points(5, 0, 64, 512)
    assert np.array_equal(np.sort(np.floor(points * 512), axis=1), np.tile(np.arange(512.0), (64, 1)))
    assert points.min() > 0.0 and points.max() < 1.0


def test_one_point_is_independent_between_scrambles_dimensions_and_seeds():
    # of two dimensions, the same scrambles of three seeds, one of them the same in its first 64 bits
    drawn = np.array([[scrambled_points(seed, k, 2, 2)[:, 1] for k in range(1_500)] for seed in (1, 2, 2**64 + 1)])
    series = np.moveaxis(drawn, 1, 2).reshape(6, 1_500)
    lagged = np.concatenate([series[:, 1:], series[:, :-1]])
    correlation = np.corrcoef(lagged) - np.eye(12)
    # 4.5 deviations among 66 pairs
    assert np.max(np.abs(correlation)) < 4.5 / np.sqrt(1_500)


def test_a_point_is_uniform_over_scrambles():
    # each single point, over many scrambles, is a uniform draw: so the mean over a net is without bias
    drawn = np.sort([scrambled_points(1, scramble, 1, 1)[0, 0] for scramble in range(2_000)])
    # Kolmogorov's 99.9 % limit 1.95 / sqrt(n)
    assert np.max(np.abs(drawn - (np.arange(2_000) + 0.5) / 2_000)) < 1.95 / np.sqrt(2_000)


def test_more_dimensions_than_the_table_are_hashed_uniforms():
    points = scrambled_points(3, 1, 80, 4_096)
    assert np.array_equal(points[:64], scrambled_points(3, 1, 64, 4_096))
    assert np.max(np.abs(points[64:].mean(axis=1) - 0.5)) < 0.02
    assert np.max(np.abs(np.corrcoef(points) - np.eye(80))) < 0.09
    with pytest.raises(InvalidInput, match="64"):
        sobol_integers(65, 8)


def test_bytes_are_those_written_down():
    assert hashlib.sha256(scrambled_points(2**100 + 7, 3, 66, 256).tobytes()).hexdigest() == EXPECTED


@pytest.mark.parametrize(
    ("seed", "scramble", "dimensions", "points"), [(-1, 0, 1, 8), (0, -1, 1, 8), (0, 0, 0, 8), (0, 0, 1, 0)]
)
def test_what_is_out_of_range_is_refused(seed, scramble, dimensions, points):
    with pytest.raises(InvalidInput):
        scrambled_points(seed, scramble, dimensions, points)
