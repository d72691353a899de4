"""A simulated hourly price history for demonstrations and tests; anything shown from it must say `LABEL`.

The model, per hour t and asset i (all constants below, volatilities a year):

    variance   v_t = exp(slow_t + fast_t - mean), two stationary AR(1) of half-life 30 days and 1 day, shared by all
    return     r_it = s_it (sqrt(rho) c_t + sqrt(1 - rho) e_it) g_t - s_it^2/2 + beta_i J_t,
               s_it = sigma_i sqrt(v_t a_t / 8760), c and e standard normal, g_t common to all assets and such that
               (c, e) g is multivariate Student t of 5 degrees and variance 1: tails come together
    jumps      J_t = Poisson(6 a year) of double-exponential size, mean |J| 3 %; each adds 1 to fast_{t+1}
    activity   a_t by hour of the day UTC, mean 1, highest at 15:00
    volume     rises with sqrt(v_t a_t), with lognormal noise
    index      root of (30-day expectation of sigma_i^2 v given slow_t and fast_t, plus the jumps' own variance), with
               a premium of 5 % and noise

There is no leverage effect, no gap and no trend. Deterministic for a seed on a machine (Philox streams keyed by seed
and symbol, so an asset's own noise does not depend on which others are asked for); other machines may differ in the
last digits, since NumPy's logarithms do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from engine.dynamics.history import PriceHistory, VolatilityHistory
from engine.errors import InvalidInput

LABEL = "simulated history"

HOURS_PER_YEAR = 8_760
HOURS_PER_DAY = 24
INDEX_HOURS = 720

ASSETS = {"BTC": (40_000.0, 0.50, 1.0), "ETH": (2_500.0, 0.65, 1.2)}
"""First price in USD, annual volatility without jumps, loading on the jumps."""
OTHER_ASSET = (100.0, 0.85, 1.5)
CORRELATION = 0.8
DEGREES_OF_FREEDOM = 5.0

SLOW_HALF_LIFE_HOURS, SLOW_DEVIATION = 720.0, 0.6
FAST_HALF_LIFE_HOURS, FAST_DEVIATION = 24.0, 0.5
"""Stationary standard deviations are of the logarithm of variance."""

JUMPS_PER_YEAR = 6.0
MEAN_JUMP = 0.03
JUMP_VARIANCE_RISE = 1.0
"""What one jump adds to the logarithm of variance in the next hour."""

PEAK_HOUR, ACTIVITY_SWING = 15, 0.4
VOLUME_USD_HOURLY, VOLUME_NOISE = 2e7, 0.4
INDEX_PREMIUM, INDEX_NOISE = 1.05, 0.01
INDEX_POINTS = 24

_SHARED, _OWN = 0, 1


@dataclass(frozen=True, slots=True)
class SimulatedHistory:
    """Prices and a volatility index of each symbol, hourly, over the same hours."""

    prices: tuple[PriceHistory, ...]
    volatility: tuple[VolatilityHistory, ...]
    label: str = LABEL


@dataclass(frozen=True, slots=True)
class _Market:
    """What the assets share, each of shape (hours,)."""

    variance: NDArray[np.float64]
    activity: NDArray[np.float64]
    common: NDArray[np.float64]
    tail: NDArray[np.float64]
    jump: NDArray[np.float64]
    index: NDArray[np.float64]
    """Expected mean variance over the next 30 days, relative to the asset's own."""


def simulate_history(symbols: Sequence[str], start_hour: int, hours: int, seed: int) -> SimulatedHistory:
    """Return a simulated hourly history; see the module's first lines for the model.

    Parameters
    ----------
    symbols : sequence of str
        Each once; `BTC` and `ETH` have constants of their own, others those of `OTHER_ASSET`.
    start_hour : int
        Hours since the Unix epoch at which the first close is known, not negative.
    hours : int
        How many closes, at least 2.
    seed : int
        Not negative; the same seed gives the same history.

    Raises
    ------
    InvalidInput
        If an argument is out of range, or a symbol is repeated.
    """
    if hours < 2 or start_hour < 0 or seed < 0:
        raise InvalidInput(f"{hours} hours from {start_hour} with seed {seed}: at least 2 hours, nothing negative")
    if not symbols or len(set(symbols)) != len(symbols):
        raise InvalidInput(f"symbols {list(symbols)} must be at least one, each once")
    hour = np.arange(start_hour, start_hour + hours, dtype=np.int64)
    market = _market(hour, _stream(seed, _SHARED))
    assets = [_asset(symbol, hour, market, _stream(seed, _OWN, *symbol.encode())) for symbol in symbols]
    return SimulatedHistory(
        prices=tuple(prices for prices, _ in assets), volatility=tuple(volatility for _, volatility in assets)
    )


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


def _market(hour: NDArray[np.int64], random: np.random.Generator) -> _Market:
    count = len(hour)
    activity = 1.0 + ACTIVITY_SWING * np.cos(2.0 * np.pi * (hour % HOURS_PER_DAY - PEAK_HOUR) / HOURS_PER_DAY)
    jumps = random.poisson(JUMPS_PER_YEAR / HOURS_PER_YEAR, count).astype(np.float64)
    jump = jumps * MEAN_JUMP * random.laplace(0.0, 1.0, count)
    slow = _autoregression(SLOW_HALF_LIFE_HOURS, SLOW_DEVIATION, np.zeros(count), random)
    fast = _autoregression(FAST_HALF_LIFE_HOURS, FAST_DEVIATION, JUMP_VARIANCE_RISE * jumps, random)
    mean = 0.5 * (SLOW_DEVIATION**2 + FAST_DEVIATION**2)
    mixing = random.chisquare(DEGREES_OF_FREEDOM, count)
    return _Market(
        variance=np.exp(slow + fast - mean),
        activity=activity,
        common=random.standard_normal(count),
        tail=np.sqrt((DEGREES_OF_FREEDOM - 2.0) / mixing),
        jump=jump,
        index=_expected_variance(slow, fast, mean),
    )


def _autoregression(
    half_life_hours: float, deviation: float, kick: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """A stationary AR(1) of the given standard deviation; `kick` at hour t enters at t + 1."""
    persistence = 0.5 ** (1.0 / half_life_hours)
    shocks = deviation * math.sqrt(1.0 - persistence**2) * random.standard_normal(len(kick))
    shocks[0] = deviation * random.standard_normal()
    shocks[1:] += kick[:-1]
    return np.asarray(lfilter([1.0], [1.0, -persistence], shocks), dtype=np.float64)


def _expected_variance(slow: NDArray[np.float64], fast: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """Mean of E[v_{t+u}] over u in (0, 30 days), by the midpoint rule on `INDEX_POINTS` points."""
    total = np.zeros_like(slow)
    for ahead in (np.arange(INDEX_POINTS) + 0.5) * INDEX_HOURS / INDEX_POINTS:
        slow_left, fast_left = 0.5 ** (ahead / SLOW_HALF_LIFE_HOURS), 0.5 ** (ahead / FAST_HALF_LIFE_HOURS)
        grown = SLOW_DEVIATION**2 * (1.0 - slow_left**2) + FAST_DEVIATION**2 * (1.0 - fast_left**2)
        total += np.exp(slow_left * slow + fast_left * fast + 0.5 * grown - mean)
    return total / INDEX_POINTS


def _asset(
    symbol: str, hour: NDArray[np.int64], market: _Market, random: np.random.Generator
) -> tuple[PriceHistory, VolatilityHistory]:
    first_price, volatility, jump_loading = ASSETS.get(symbol, OTHER_ASSET)
    count = len(hour)
    own = random.standard_normal(count)
    deviation = volatility * np.sqrt(market.variance * market.activity / HOURS_PER_YEAR)
    shock = (math.sqrt(CORRELATION) * market.common + math.sqrt(1.0 - CORRELATION) * own) * market.tail
    returns = deviation * shock - 0.5 * deviation**2 + jump_loading * market.jump
    price = first_price * np.exp(np.cumsum(returns))
    close_e8 = np.rint(np.clip(price * 1e8, 1.0, 9e18)).astype(np.int64)
    busy = np.sqrt(market.variance * market.activity)
    volume = VOLUME_USD_HOURLY * busy * np.exp(VOLUME_NOISE * random.standard_normal(count)) / price
    jump_variance = JUMPS_PER_YEAR * 2.0 * (jump_loading * MEAN_JUMP) ** 2
    implied = INDEX_PREMIUM * np.sqrt(volatility**2 * market.index + jump_variance)
    level = implied * np.exp(INDEX_NOISE * random.standard_normal(count))
    return (
        PriceHistory(symbol, hour, close_e8, volume),
        VolatilityHistory(symbol, hour, np.rint(level * 1e6).astype(np.int64)),
    )
