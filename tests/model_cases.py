"""Histories, markets and books for the tests of the model; all invented here, seeded, small."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from engine import (
    Calibration,
    CalibrationSettings,
    Instruments,
    Kind,
    MarketState,
    Positions,
    PriceHistory,
    RecentPrices,
    VolatilityHistory,
    calibrate,
)

FIRST_HOUR = 400_000
DAY = 86_400
SMALL = CalibrationSettings(library_hours=6_000, minimum_history_hours=4_000, replicates=20)
ONE_HORIZON = replace(SMALL, horizon_hours=(24,))
"""For tests that calibrate on their own and look at no horizon but a day."""


LAST_PRICE = {"BTC": 60_000.0, "ETH": 3_000.0}
"""Where the histories end, which is where `market` stands: else its spot would be a jump in the running hour."""


def history(
    symbol: str,
    seed: int,
    hours: int = 7_000,
    first_hour: int = FIRST_HOUR,
    daily_deviation: float = 0.03,
    unit: float = 1.0,
):
    """A history of Student-t returns whose volatility swings over weeks; prices and volumes in the given unit."""
    random = np.random.default_rng([seed, 1])
    common = np.random.default_rng([99, 1]).standard_t(4, 40_000)[first_hour - FIRST_HOUR :][:hours]
    swing = np.exp(0.5 * np.sin(np.arange(hours) / 300.0))
    shocks = 0.8 * common + 0.6 * random.standard_t(4, hours)
    returns = daily_deviation / np.sqrt(24 * 2) * swing * shocks
    path = np.cumsum(returns)
    close_e8 = np.rint(LAST_PRICE.get(symbol, 100.0) * unit * 1e8 * np.exp(path - path[-1])).astype(np.int64)
    volume = 1e5 * np.exp(0.3 * random.standard_normal(hours))
    return PriceHistory(symbol, first_hour + np.arange(hours), close_e8, volume)


def volatility_history(symbol: str, seed: int, hours: int = 7_000, first_hour: int = FIRST_HOUR):
    """A daily index that moves by 5 % a day."""
    random = np.random.default_rng([seed, 2])
    days = hours // 24
    level = 600_000 * np.exp(np.cumsum(0.05 * random.standard_normal(days)) * 0.3)
    return VolatilityHistory(symbol, first_hour + 24 * np.arange(days), np.rint(level).astype(np.int64))


@cache
def small_calibration(unit: float = 1.0) -> Calibration:
    """Two assets, one with a volatility index."""
    histories = [history("BTC", 1, unit=unit), history("ETH", 2, daily_deviation=0.04, unit=unit)]
    return calibrate(histories, [volatility_history("BTC", 1)], SMALL)


def no_recent(*symbols: str) -> list[RecentPrices]:
    """No price since the artefact."""
    return [RecentPrices(symbol, np.array([], np.int64), np.array([], np.int64)) for symbol in symbols]


def recent_move(calibration: Calibration, symbol: str, log_moves: list[float]) -> RecentPrices:
    """Prices that move by the given hourly logs after the artefact."""
    last = int(calibration.recent_close_e8[calibration.symbols.index(symbol), -1])
    close = np.rint(last * np.exp(np.cumsum(log_moves))).astype(np.int64)
    return RecentPrices(symbol, calibration.last_hour + 1 + np.arange(len(log_moves)), close)


def market_at(recent: list[RecentPrices]) -> MarketState:
    """The market where the recent prices end."""
    return market(spot=tuple(float(prices.close_e8[-1]) / 1e8 for prices in recent))


def market(spot=(60_000.0, 3_000.0), days=(7, 30, 90), funding_cap: float = 4e-4, skew: float = -0.05) -> MarketState:
    """BTC and ETH with slices at the given days, a smile, and a small carry."""
    spot = np.asarray(spot, dtype=np.float64)
    seconds = np.tile(np.array(days) * DAY, 2)
    underlying = np.repeat(np.arange(2), len(days))
    x = np.arange(-3.0, 4.0)
    nodes = np.where(underlying == 0, 0.5, 0.65)[:, None] * (1.0 + skew * x + 0.02 * x * x)
    forward = spot[underlying] * (1.0 + 0.05 * seconds / (365 * DAY))
    rate, cap = np.full(2, 1e-5), np.full(2, funding_cap)
    return MarketState(("BTC", "ETH"), spot, underlying, seconds, forward, nodes, np.ones(seconds.size), rate, cap)


def instruments(state: MarketState, rows) -> Instruments:
    """Rows of (kind, underlying, slice or -1, strike); one market for each (kind, underlying)."""
    kind, underlying, slice_, strike = (np.array(column) for column in zip(*rows, strict=True))
    seconds = np.where(slice_ >= 0, state.slice_seconds[np.maximum(slice_, 0)], 0)
    count = kind.size
    market_id, strike = kind * 10 + underlying, strike.astype(np.float64)
    return Instruments(kind, underlying, market_id, slice_, seconds, strike, np.ones(count), np.zeros(count, bool))


def catalogue(state: MarketState) -> Instruments:
    """Perpetual, 30-day future, and 30-day calls and puts at three strikes, on both underlyings."""
    rows = []
    for u in range(2):
        month = 3 * u + 1
        rows += [(Kind.PERPETUAL, u, -1, 0.0), (Kind.FUTURE, u, month, 0.0)]
        rows += [(k, u, month, round(m * state.spot[u])) for k in (Kind.CALL, Kind.PUT) for m in (0.9, 1.0, 1.1)]
    return instruments(state, rows)


def book(*accounts: dict[int, float]) -> Positions:
    """One dictionary of instrument -> contracts an account."""
    held = [list(account.items()) for account in accounts]
    indptr = np.concatenate([[0], np.cumsum([len(account) for account in held])])
    flat = [position for account in held for position in account]
    return Positions(indptr, np.array([i for i, _ in flat], np.int32), np.array([q for _, q in flat], np.float64))
