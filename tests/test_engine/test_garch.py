"""The GARCH benchmark: its likelihood against one written out, its densities, and fits of simulated series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from engine.errors import InvalidInput
from engine.validation.garch import (
    GarchModel,
    Innovation,
    Start,
    fit_garch,
    log_likelihoods,
    robust_errors,
)

pytestmark = pytest.mark.fast

TRUE = {"mu": 0.05, "omega": 0.05, "alpha": 0.04, "gamma": 0.12, "beta": 0.85, "nu": 6.0}


def simulated(size: int, seed: int = 3, degrees: float | None = 6.0):
    """GJR with Student (or normal) residuals, by the recursion as it is written."""
    random = np.random.RandomState(seed)
    z = random.standard_normal(size)
    if degrees is not None:
        z = random.standard_t(degrees, size) * math.sqrt((degrees - 2.0) / degrees)
    h, e, out = 1.0, 0.0, []
    for t in range(size):
        if t:
            h = TRUE["omega"] + (TRUE["alpha"] + TRUE["gamma"] * (e < 0.0)) * e * e + TRUE["beta"] * h
        e = math.sqrt(h) * z[t]
        out.append(TRUE["mu"] + e)
    return np.array(out)


def naive_log_likelihood(returns, start: Start, value: dict[str, float]) -> float:
    """Student GJR, one observation after the other, the density SciPy's."""
    e = returns - value["mu"]
    early = (returns - returns.mean())[:75] ** 2
    before = {
        Start.RESIDUALS: np.mean(e * e),
        Start.SAMPLE: np.mean((returns - returns.mean()) ** 2),
        Start.STEADY: value["omega"] / (1.0 - value["alpha"] - value["gamma"] / 2.0 - value["beta"]),
        Start.BACKCAST: np.average(early, weights=0.94 ** np.arange(75)),
    }[start]
    total, h = 0.0, value["omega"] + (value["alpha"] + value["gamma"] / 2.0 + value["beta"]) * before
    for t in range(len(e)):
        if t:
            h = value["omega"] + (value["alpha"] + value["gamma"] * (e[t - 1] < 0)) * e[t - 1] ** 2 + value["beta"] * h
        scale = math.sqrt(h * (value["nu"] - 2.0) / value["nu"])
        total += stats.t.logpdf(e[t], value["nu"], scale=scale)
    return total


@settings(max_examples=15, deadline=None)
@given(
    mu=st.floats(-0.1, 0.1), omega=st.floats(0.01, 0.5), alpha=st.floats(0.0, 0.2), gamma=st.floats(0.0, 0.2),
    beta=st.floats(0.0, 0.65), nu=st.floats(2.5, 30.0), start=st.sampled_from(Start),
)  # fmt: skip
def test_the_likelihood_is_the_one_written_out(mu, omega, alpha, gamma, beta, nu, start):
    returns = simulated(150)
    value = {"mu": mu, "omega": omega, "alpha": alpha, "gamma": gamma, "beta": beta, "nu": nu}
    model = GarchModel(True, Innovation.STUDENT, start)
    ours = float(np.sum(log_likelihoods(returns, model, np.array([value[name] for name in model.names]))))
    assert ours == pytest.approx(naive_log_likelihood(returns, start, value), rel=1e-10)


@pytest.mark.parametrize(
    ("innovation", "shape"),
    [
        (Innovation.NORMAL, []),
        (Innovation.STUDENT, [4.5]),
        (Innovation.SKEWED_STUDENT, [6.0, -0.4]),
        (Innovation.SKEWED_STUDENT, [6.0, 0.7]),
    ],
)
def test_residuals_have_mean_0_and_variance_1(innovation, shape):
    """With alpha = beta = 0 and omega = 1 the likelihood of an observation is the density itself."""
    model = GarchModel(innovation=innovation)
    point = np.array([0.0, 1.0, 0.0, 0.0, *shape])

    def density(x):
        return np.exp(log_likelihoods(np.atleast_1d(x), model, point))[0]

    for power, expected in ((0, 1.0), (1, 0.0), (2, 1.0)):
        value, _ = integrate.quad(lambda x, p=power: x**p * density(x), -np.inf, np.inf, limit=400)
        assert value == pytest.approx(expected, abs=1e-5)


def test_a_symmetric_skewed_student_is_a_student():
    returns = simulated(200)
    plain = log_likelihoods(returns, GarchModel(True, Innovation.STUDENT), np.array(list(TRUE.values())))
    skewed = GarchModel(True, Innovation.SKEWED_STUDENT)
    assert np.allclose(log_likelihoods(returns, skewed, np.array([*TRUE.values(), 0.0])), plain, rtol=1e-12)


def test_a_long_series_gives_its_parameters_back():
    returns = simulated(6_000)
    fit = fit_garch(returns, GarchModel(True, Innovation.STUDENT))
    errors = robust_errors(returns, fit)
    assert set(fit.parameters) == set(TRUE) == set(errors)
    for name, true in TRUE.items():
        assert abs(fit.parameters[name] - true) < 4.0 * errors[name], name
    assert fit.next_variance > 0.0


def test_nothing_near_is_likelier():
    returns = simulated(1_000)
    model = GarchModel(True, Innovation.STUDENT, Start.STEADY)
    fit = fit_garch(returns, model)
    best = np.array(list(fit.parameters.values()))
    for i in range(best.size):
        for step in (-1e-3, 1e-3):
            near = best.copy()
            near[i] += step * max(abs(best[i]), 0.1)
            assert not np.sum(log_likelihoods(returns, model, near)) > fit.log_likelihood + 1e-9


def test_the_error_of_a_mean():
    """Constant variance: the standard error of the mean is the deviation over the root of n."""
    returns = np.random.RandomState(5).standard_normal(4_000)
    fit = fit_garch(returns, GarchModel())
    assert robust_errors(returns, fit)["mu"] == pytest.approx(np.std(returns) / math.sqrt(returns.size), rel=0.02)


@pytest.mark.parametrize("returns", [np.ones(500), np.arange(20.0), np.append(simulated(200), np.nan)])
def test_series_that_cannot_be_fitted_are_refused(returns):
    with pytest.raises(InvalidInput):
        fit_garch(returns, GarchModel())
