"""The peers that are not among the project's own dependencies: which are here, and how they are called."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
INSTALL = "not installed: pip install -e .[bench]"
PINNED_ELSEWHERE = "not installed: pip install --no-deps {}, which pins versions that do not fit ours"
SECONDS_PER_DAY = 86_400


def absent(module: str, hint: str = INSTALL) -> str:
    """Return why a peer cannot be measured; empty when it is there."""
    return "" if importlib.util.find_spec(module) else hint


def with_quantlib_formula(strikes: Vector, forward: Vector, variance: Vector, out: Vector) -> Vector:
    """Price by QuantLib's `blackFormula`, one call an option."""
    import QuantLib

    for row, strike in enumerate(strikes):
        for j in range(len(forward)):
            out[row, j] = QuantLib.blackFormula(QuantLib.Option.Call, strike, forward[j], math.sqrt(variance[j]))
    return out


def quantlib_engine(strikes: Vector) -> Callable[[Vector, Vector, Vector], Vector]:
    """Return a pricer by QuantLib's quotes, process and analytic engine: set the quotes, ask for the value.

    One year to expiry, no rates: the forward is the spot.
    """
    import QuantLib as ql

    today = ql.Date(1, 1, 2026)
    ql.Settings.instance().evaluationDate = today
    spot, volatility = ql.SimpleQuote(1.0), ql.SimpleQuote(0.2)
    days = ql.Actual365Fixed()
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, days))
    surface = ql.BlackVolTermStructureHandle(
        ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(volatility), days)
    )
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(spot), flat, flat, surface)
    engine, exercise = ql.AnalyticEuropeanEngine(process), ql.EuropeanExercise(today + 365)
    options = [ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, float(strike)), exercise) for strike in strikes]
    for option in options:
        option.setPricingEngine(engine)

    def price(forward: Vector, variance: Vector, out: Vector) -> Vector:
        for j in range(len(forward)):
            spot.setValue(float(forward[j]))
            volatility.setValue(math.sqrt(variance[j]))
            for row, option in enumerate(options):
                out[row, j] = option.NPV()
        return out

    return price


def jax_formula(strikes: Vector, forward: Vector, variance: Vector) -> Callable[[], Any]:
    """Return a call that prices by a jitted JAX function on the processor, in double precision."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platform_name", "cpu")

    def prices(f: Any, v: Any, k: Any) -> Any:
        deviation = jax.numpy.sqrt(v)
        d1 = jax.numpy.log(f / k[:, None]) / deviation + 0.5 * deviation
        return f * jax.scipy.special.ndtr(d1) - k[:, None] * jax.scipy.special.ndtr(d1 - deviation)

    compiled = jax.jit(prices)
    return lambda: compiled(forward, variance, strikes).block_until_ready()


def vollib_formula(strikes: Vector, forward: Vector, variance: Vector) -> Callable[[], Any]:
    """Return a call that prices by py_vollib_vectorized; raises what its compilation raises."""
    from py_vollib_vectorized import vectorized_black

    k, f, v = np.repeat(strikes, len(forward)), np.tile(forward, len(strikes)), np.tile(variance, len(strikes))
    flag, ones, zeros = np.full(k.size, "c"), np.ones(k.size), np.zeros(k.size)

    def call() -> Any:
        return vectorized_black(flag, f, k, ones, zeros, np.sqrt(v), return_as="numpy")

    call()
    return call


def mkl_product(matrix: Any, dense: Vector) -> Callable[[], Any]:
    """Return a call of MKL's sparse times dense product, on one thread."""
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    # its wheel lies where the loader does not look
    for library in sorted(Path(sys.prefix, "lib").glob("libmkl_rt.so*")):
        os.environ.setdefault("MKL_RT", str(library))
    from sparse_dot_mkl import dot_product_mkl

    return lambda: dot_product_mkl(matrix, dense)


def openmargin_call(scenarios: int) -> Callable[[], Any]:
    """Return a call of openmargin's margin of an account with one option, on a given history: no network."""
    import openmargin.risk as peer
    import pandas

    expiry = pandas.Timestamp("2027-01-01 08:00:00")
    listed = pandas.DataFrame(
        {"spot": [3000.0], "expiration": [expiry], "tte": [0.1], "strike": [3000.0], "log_money": [0.0], "kind": ["C"],
         "mark_iv": [0.6], "mark_price": [0.07], "price": [210.0]}
    )  # fmt: skip
    held = pandas.DataFrame({"expiration": [expiry], "strike": [3000.0], "kind": ["C"], "position": [-1]})
    history = 3000.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(size=2000) * 0.01))
    settings = peer.RiskConfig()

    def call() -> Any:
        paths = peer.PricePathGenerator("eth", settings, 3000.0, scenarios, history)
        margin, done = peer.RiskCalc("eth", held, settings, peer.RiskModel(peer.VAR()), paths, listed).get_margin()
        if not (done and margin < 0.0):
            raise RuntimeError(f"openmargin returned {margin}, {done}")
        return margin

    return call
