"""Correlation by rank, shrunk and repaired: right on samples of known dependence, a correlation whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.dynamics.dependence import (
    LEAST_EIGENVALUE,
    clipped,
    constant_correlation_intensity,
    joint_correlation,
    normal_scores,
    rank_correlation,
    shrunk,
)
from engine.errors import InvalidInput
from engine.validation.covariance import nearest_correlation, scaled_identity_shrinkage

pytestmark = pytest.mark.fast


def student(correlation, degrees: float, size: int, seed: int = 1):
    random = np.random.default_rng(seed)
    normal = random.standard_normal((size, len(correlation))) @ np.linalg.cholesky(correlation).T
    return normal / np.sqrt(random.chisquare(degrees, size) / degrees)[:, None]


def entries(count: int):
    return arrays(np.float64, (count, count), elements=st.floats(-1.0, 1.0))


def symmetric(matrix):
    result = np.clip(0.5 * (matrix + matrix.T), -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


def test_tau_by_hand():
    # of the 6 pairs of (1,1) (2,3) (3,2) (4,4) five agree and one does not: tau = 2/3, sin(pi/3)
    sample = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0]])
    assert rank_correlation(sample)[0, 1] == pytest.approx(np.sqrt(3.0) / 2.0, rel=1e-14)


def test_rank_correlation_finds_the_parameter_of_heavy_tails():
    true = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, 0.5], [0.3, 0.5, 1.0]])
    sample = student(true, 2.5, 4_000)
    assert np.max(np.abs(rank_correlation(sample) - true)) < 0.05
    # increasing transformations change nothing
    assert np.array_equal(rank_correlation(sample), rank_correlation(np.arctan(sample)))


def test_intensity_by_the_definition():
    """Against the sums of the paper written out entry by entry."""
    x = student(np.array([[1.0, 0.6, 0.1], [0.6, 1.0, 0.4], [0.1, 0.4, 1.0]]), 8.0, 60)
    x = x - x.mean(axis=0)
    size, count = x.shape
    s = np.array([[np.mean(x[:, i] * x[:, j]) for j in range(count)] for i in range(count)])
    off = [(i, j) for i in range(count) for j in range(count) if i != j]
    mean = np.mean([s[i, j] / np.sqrt(s[i, i] * s[j, j]) for i, j in off])
    pi = {(i, j): np.mean((x[:, i] * x[:, j] - s[i, j]) ** 2) for i in range(count) for j in range(count)}
    rho = sum(pi[i, i] for i in range(count))
    for i, j in off:
        theta_i = np.mean((x[:, i] ** 2 - s[i, i]) * (x[:, i] * x[:, j] - s[i, j]))
        theta_j = np.mean((x[:, j] ** 2 - s[j, j]) * (x[:, i] * x[:, j] - s[i, j]))
        rho += mean / 2.0 * (np.sqrt(s[j, j] / s[i, i]) * theta_i + np.sqrt(s[i, i] / s[j, j]) * theta_j)
    gamma = sum((mean * np.sqrt(s[i, i] * s[j, j]) - s[i, j]) ** 2 for i, j in off)
    expected = min(max((sum(pi.values()) - rho) / gamma / size, 0.0), 1.0)
    assert 0.0 < expected < 1.0
    assert constant_correlation_intensity(x) == pytest.approx(expected, rel=1e-10)


def test_more_data_are_shrunk_less():
    true = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.4], [0.1, 0.4, 1.0]])
    few, many = (constant_correlation_intensity(normal_scores(student(true, 4.0, n))) for n in (30, 3_000))
    assert many < few
    assert many < 0.05


def test_two_assets_have_nothing_to_be_shrunk_to():
    sample = student(np.array([[1.0, 0.7], [0.7, 1.0]]), 4.0, 500)
    correlation = rank_correlation(sample)
    assert np.allclose(shrunk(correlation, 0.5), correlation, rtol=0.0, atol=1e-15)


def test_clipping_as_published():
    """P. Jaeckel's example, by QuantLib's test suite."""
    repaired = clipped(np.array([[1.0, 0.9, 0.7], [0.9, 1.0, 0.3], [0.7, 0.3, 1.0]]))
    assert repaired[0, 1] == pytest.approx(0.894024408508599, abs=1e-10)
    assert repaired[1, 2] == pytest.approx(0.300969036104592, abs=1e-10)


@settings(max_examples=50, deadline=None)
@given(matrix=entries(4))
def test_whatever_is_clipped_is_a_correlation(matrix):
    repaired = clipped(symmetric(matrix), LEAST_EIGENVALUE)
    assert np.array_equal(np.diag(repaired), np.ones(4))
    assert np.allclose(repaired, repaired.T, rtol=0.0, atol=1e-15)
    assert np.max(np.abs(repaired)) <= 1.0 + 1e-12
    np.linalg.cholesky(repaired)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), intensity=st.floats(0.0, 1.0))
def test_a_correlation_stays_as_it_is(seed, intensity):
    sample = np.random.default_rng(seed).standard_normal((50, 4))
    good = np.corrcoef(sample.T)
    assert np.allclose(clipped(good), good, rtol=0.0, atol=1e-12)
    assert np.linalg.eigvalsh(shrunk(clipped(good), intensity * (good.mean() > 0.25)))[0] > -1e-12


@settings(max_examples=30, deadline=None)
@given(matrix=entries(3))
def test_no_repair_is_nearer_than_the_nearest(matrix):
    broken = symmetric(matrix)
    nearest = nearest_correlation(broken)
    assert np.linalg.norm(nearest - broken) <= np.linalg.norm(clipped(broken) - broken) + 1e-9
    assert np.linalg.eigvalsh(nearest)[0] > -1e-9


def test_identity_target_keeps_the_trace():
    sample = student(np.eye(3), 6.0, 40)
    covariance, intensity = scaled_identity_shrinkage(sample)
    assert 0.0 <= intensity <= 1.0
    assert np.trace(covariance) == pytest.approx(np.trace(np.cov(sample.T, bias=True)), rel=1e-12)


def test_joint_correlation_is_ready_to_draw_from():
    # the third asset is the second: the rank correlation is singular
    sample = student(np.array([[1.0, 0.8], [0.8, 1.0]]), 3.0, 400)
    correlation, intensity, clipped_eigenvalues = joint_correlation(np.column_stack([sample, sample[:, 1]]))
    assert 0.0 <= intensity < 0.2
    assert correlation[1, 2] > 0.9 and clipped_eigenvalues <= 1
    np.linalg.cholesky(correlation)


def test_eigenvalues_that_had_to_be_raised_are_counted(monkeypatch):
    # without shrinkage three equal series leave two eigenvalues of 0
    monkeypatch.setattr("engine.dynamics.dependence.constant_correlation_intensity", lambda sample: 0.0)
    sample = student(np.eye(2), 3.0, 400)
    found = joint_correlation(np.column_stack([sample, sample[:, 1], sample[:, 1]]))
    assert found.clipped_eigenvalues == 2 and found.shrinkage == 0.0


@pytest.mark.parametrize(
    "sample",
    [
        np.ones((2, 2)),
        np.column_stack([np.arange(5.0), np.ones(5)]),
        np.array([[1.0, 2.0], [np.nan, 1.0], [2.0, 2.0]]),
        np.arange(4.0),
    ],
)
def test_samples_without_a_correlation_are_refused(sample):
    with pytest.raises(InvalidInput):
        rank_correlation(sample)


def test_bad_matrices_are_refused():
    with pytest.raises(InvalidInput):
        clipped(np.array([[1.0, 0.5], [0.4, 1.0]]))
    with pytest.raises(InvalidInput):
        clipped(np.ones((2, 3)))
    with pytest.raises(InvalidInput):
        shrunk(np.eye(2), 1.5)
