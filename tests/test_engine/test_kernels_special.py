"""exp, log and the normal distribution against 40 digits, SciPy, and their own laws."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from engine.kernels.special import exp_array, inverse_normal_cdf_array, log_array, normal_cdf_array

pytestmark = pytest.mark.fast
RNG = np.random.default_rng(20240501)


def worst_relative_error(ours, exact, points):
    """Largest relative error over the points against a 40-digit function."""
    with mpmath.workdps(40):
        pairs = [(mpmath.mpf(float(y)), exact(mpmath.mpf(float(x)))) for x, y in zip(points, ours(points), strict=True)]
        return max(float(abs(got - want) / abs(want)) for got, want in pairs if want != 0)


def test_exp_is_within_two_units_in_the_last_place():
    points = np.concatenate([RNG.uniform(-708, 709.7, 400), RNG.uniform(-1, 1, 400)])
    assert worst_relative_error(exp_array, mpmath.exp, points) < 4.5e-16


def test_log_is_within_one_and_a_half_units_in_the_last_place():
    points = np.concatenate(
        [np.exp(RNG.uniform(-700, 700, 300)), RNG.uniform(0.5, 2, 400), 1 + RNG.uniform(-1, 1, 100) * 1e-8]
    )
    assert worst_relative_error(log_array, mpmath.log, points) < 3.4e-16


def test_normal_cdf_is_accurate_far_into_the_lower_tail():
    points = np.concatenate([RNG.uniform(-37, 8, 500), RNG.uniform(-1, 1, 300)])
    assert worst_relative_error(normal_cdf_array, mpmath.ncdf, points) < 1e-14


def test_inverse_normal_cdf_inverts_the_40_digit_distribution():
    p = np.concatenate(
        [RNG.uniform(0, 1, 200), 10.0 ** RNG.uniform(-300, -1, 300), 0.5 + RNG.uniform(-1, 1, 50) * 1e-6]
    )
    x = inverse_normal_cdf_array(p)
    with mpmath.workdps(40):
        for probability, quantile in zip(p, x, strict=True):
            exact_x = mpmath.mpf(float(quantile))
            # one Newton step from our answer to the exact one: the difference is our error
            error = (mpmath.ncdf(exact_x) - mpmath.mpf(float(probability))) / mpmath.npdf(exact_x)
            assert abs(error) < 1e-15 * max(abs(exact_x), mpmath.mpf("1e-9"))


def test_scipy_and_numpy_agree():
    x = RNG.uniform(-8, 8, 2000)
    np.testing.assert_allclose(normal_cdf_array(x), scipy.special.ndtr(x), rtol=1e-13)
    np.testing.assert_allclose(exp_array(x), np.exp(x), rtol=1e-15)
    p = RNG.uniform(1e-12, 1 - 1e-12, 2000)
    np.testing.assert_allclose(log_array(p), np.log(p), rtol=1e-15)
    np.testing.assert_allclose(inverse_normal_cdf_array(p), scipy.special.ndtri(p), rtol=2e-14, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (exp_array, -np.inf, 0.0),
        (exp_array, -746.0, 0.0),
        (exp_array, -745.1, 5e-324),
        (exp_array, 0.0, 1.0),
        (exp_array, 709.8, np.inf),
        (exp_array, np.inf, np.inf),
        (log_array, 0.0, -np.inf),
        (log_array, 5e-324, -744.4400719213812),
        (log_array, 1.0, 0.0),
        (log_array, np.inf, np.inf),
        (log_array, -1.0, np.nan),
        (normal_cdf_array, -np.inf, 0.0),
        (normal_cdf_array, np.inf, 1.0),
        (inverse_normal_cdf_array, 0.0, -np.inf),
        (inverse_normal_cdf_array, 0.5, 0.0),
        (inverse_normal_cdf_array, 1.0, np.inf),
        (inverse_normal_cdf_array, 1.5, np.nan),
    ],
)
def test_the_ends_of_the_range(function, x, expected):
    np.testing.assert_array_equal(function(x), expected)


@pytest.mark.parametrize("function", [exp_array, log_array, normal_cdf_array, inverse_normal_cdf_array])
@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0x7FF8000000000001, -1])
def test_every_nan_stays_one(function, bits):
    assert np.isnan(function(np.array([bits], dtype=np.int64).view(np.float64))).all()


def test_shape_is_kept():
    assert exp_array(np.zeros((2, 3))).shape == (2, 3)
    assert log_array(1.0).shape == ()


@given(st.floats(-30, 30), st.floats(0, 5))
def test_normal_cdf_rises_and_is_symmetric(x, step):
    low, high, mirrored = normal_cdf_array([x, x + step, -x])
    assert low <= high * (1 + 2e-14)
    assert abs(low + mirrored - 1.0) < 6e-15


@given(st.floats(1e-300, 1e300))
def test_exp_undoes_log(x):
    assert exp_array(log_array(x)) == pytest.approx(x, rel=3e-13)
