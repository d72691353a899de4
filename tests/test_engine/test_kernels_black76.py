"""Black-76: accuracy against 40 digits (goal G4 of the project), SciPy, parity, bounds, and the edges."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtr

from engine.kernels.black76 import price
from engine.kernels.special import log_array
from tests import naive

pytestmark = pytest.mark.fast
RNG = np.random.default_rng(76)


def ours(is_call, strike, forward, total_variance, discount=1.0):
    """Prices by the kernel for scalars or vectors of scenarios."""
    forward, variance = np.broadcast_arrays(np.atleast_1d(forward).astype(float), total_variance)
    out = np.full(forward.shape, np.nan)
    price(is_call, strike, float(log_array(strike)), forward, log_array(forward), variance.astype(float), discount, out)
    return out


def exact(is_call, strike, forward, total_variance):
    """The same with 40 digits."""
    sign = 1 if is_call else -1
    f, k, w = mpmath.mpf(float(forward)), mpmath.mpf(strike), mpmath.sqrt(mpmath.mpf(float(total_variance)))
    d1 = mpmath.log(f / k) / w + w / 2
    return sign * (f * mpmath.ncdf(sign * d1) - k * mpmath.ncdf(sign * (d1 - w)))


@pytest.mark.parametrize("is_call", [True, False])
def test_accuracy_against_40_digits(is_call):
    absolute, relative = 0.0, 0.0
    with mpmath.workdps(40):
        for _ in range(400):
            forward = float(np.exp(RNG.uniform(-1, 1)))
            strike = float(forward * np.exp(RNG.uniform(-1.2, 1.2)))
            variance = float(RNG.uniform(0.02, 1.2) ** 2)
            got, want = (
                mpmath.mpf(ours(is_call, strike, forward, variance)[0]),
                exact(is_call, strike, forward, variance),
            )
            absolute = max(absolute, float(abs(got - want) / max(forward, strike)))
            if want > 1e-6 * forward:
                relative = max(relative, float(abs(got - want) / want))
    assert absolute <= 5e-15
    assert relative <= 5e-13


@pytest.mark.parametrize("is_call", [True, False])
def test_scipy_agrees(is_call):
    sign = 1.0 if is_call else -1.0
    forward, variance = np.exp(RNG.normal(0, 0.3, 3000)), RNG.uniform(1e-4, 2.0, 3000)
    for strike in (0.5, 0.9, 1.0, 1.3, 2.5):
        deviation = np.sqrt(variance)
        d1 = np.log(forward / strike) / deviation + 0.5 * deviation
        want = 0.97 * sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - deviation)))
        np.testing.assert_allclose(ours(is_call, strike, forward, variance, 0.97), want, rtol=0, atol=2e-14)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("strike", [0.0, 1e-300, 1e-8, 100.0, 1e12, 1e300])
@pytest.mark.parametrize("variance", [0.0, 1e-300, 1e-12, 0.25, 100.0, 1e8])
def test_edges_equal_the_plain_twin(is_call, strike, variance):
    want = naive.black76(is_call, strike, 100.0, variance)
    assert ours(is_call, strike, 100.0, variance)[0] == pytest.approx(want, rel=1e-13, abs=5e-15 * max(100.0, strike))


@pytest.mark.parametrize("is_call", [True, False])
def test_no_variance_is_the_payoff_at_and_around_the_money(is_call):
    sign = 1.0 if is_call else -1.0
    for forward in (100.0, np.nextafter(100.0, 200.0), np.nextafter(100.0, 0.0), 100.5, 99.5):
        want = max(sign * (forward - 100.0), 0.0)
        assert ours(is_call, 100.0, forward, 0.0)[0] == pytest.approx(want, abs=5e-13)


@pytest.mark.parametrize("forward, variance", [(np.nan, 0.04), (100.0, np.nan)])
def test_a_nan_is_never_priced(forward, variance):
    assert np.isnan(ours(True, 100.0, forward, variance)).all()


PRICES = st.floats(1e-3, 1e6)
VARIANCES = st.one_of(st.just(0.0), st.floats(1e-10, 30.0))


@given(PRICES, PRICES, VARIANCES)
def test_put_call_parity_and_bounds(forward, strike, variance):
    call, put = ours(True, strike, forward, variance)[0], ours(False, strike, forward, variance)[0]
    slack = 1e-14 * max(forward, strike)
    assert call - put == pytest.approx(forward - strike, abs=slack)
    assert max(forward - strike, 0.0) - slack <= call <= forward + slack
    assert max(strike - forward, 0.0) - slack <= put <= strike + slack
    assert call >= 0.0 <= put


@given(PRICES, PRICES, VARIANCES, st.floats(1.001, 2.0))
def test_price_rises_with_variance_and_moves_with_forward_and_strike(forward, strike, variance, factor):
    assume(strike * factor < 1e6)
    slack = 1e-14 * max(forward, strike) * factor
    call, put = ours(True, strike, forward, variance)[0], ours(False, strike, forward, variance)[0]
    assert ours(True, strike, forward, variance * factor)[0] >= call - slack
    assert ours(True, strike, forward * factor, variance)[0] >= call - slack
    assert ours(False, strike, forward * factor, variance)[0] <= put + slack
    assert ours(True, strike * factor, forward, variance)[0] <= call + slack
