"""Collateral tokens: a ratio to a base becomes a price history, so that the token joins the library as an asset.

A feed of a ratio speaks when it moves, or once a day: the last ratio holds until the next one, for at most 26 hours.
History has seen few tokens lose their peg, so each also carries a depeg stress, never below a stated least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.history import PriceHistory
from engine.dynamics.observations import PPM, RatioHistory
from engine.errors import InvalidInput

LONGEST_HOLD_HOURS = 26
"""A daily heartbeat and two hours of grace."""
DEPEG_HOURS = 72
LEAST_DEPEG_FRACTION = 0.15
"""USDC lost 12 % in March 2023 (minute closes of BTC in it and in dollars) and stETH 6.5 % of an ETH in June 2022
(Chainlink rounds); the next token is another one."""
VOLUME_SHARE = 0.01
"""Of its base's stressed volume (on USD: the deepest asset's): what a token is assumed to trade, in value. An
assumption: exchanges' volumes of staked coins and of stablecoins against USD are spread over venues that no file holds.
"""
USD = "USD"
USD_E8 = 100_000_000


@dataclass(frozen=True, slots=True)
class TokenState:
    """What the history of one collateral token shows.

    Attributes
    ----------
    symbol, base : str
    hours : int
        Hours at which a price is known.
    least_ratio_ppm : int
        Lowest ratio seen.
    worst_fall_fraction : float
        Largest fall of the ratio within 72 hours.
    depeg_stress_fraction : float
        Fall of the ratio to be stressed: the worst seen, at least `LEAST_DEPEG_FRACTION`.
    """

    symbol: str
    base: str
    hours: int
    least_ratio_ppm: int
    worst_fall_fraction: float
    depeg_stress_fraction: float


def token_histories(
    ratios: Sequence[RatioHistory], prices: Sequence[PriceHistory]
) -> tuple[tuple[PriceHistory, ...], tuple[TokenState, ...]]:
    """Return each token's price history in USD, without volume, and its state.

    Raises
    ------
    InvalidInput
        If a token is an asset already, comes twice, or its base has no price history.
    """
    by_symbol = {history.symbol: history for history in prices}
    tokens = [ratio.symbol for ratio in ratios]
    if len(set(tokens)) != len(tokens) or set(tokens) & set(by_symbol):
        raise InvalidInput(f"tokens {tokens}: each once, and none that has a price history of its own")
    for ratio in ratios:
        if ratio.base != USD and ratio.base not in by_symbol:
            raise InvalidInput(f"token {ratio.symbol}: its base {ratio.base} has no price history; give one, or {USD}")
    histories = tuple(_token_prices(ratio, by_symbol.get(ratio.base)) for ratio in ratios)
    return histories, tuple(map(_state, ratios, histories))


def token_volumes(
    tokens: Sequence[TokenState], symbols: Sequence[str], volume: NDArray[np.float64], price_e8: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the stressed daily volume of every asset in base units, shape (U,), tokens' by `VOLUME_SHARE`.

    Parameters
    ----------
    tokens : sequence of TokenState
    symbols : sequence of str
        U assets, tokens last.
    volume : float64 array, shape (U,)
        Measured, in base units a day; whatever stands for a token is not read.
    price_e8 : int64 array, shape (U,)
        Last closes.
    """
    known = volume.copy()
    value = volume[: len(symbols) - len(tokens)] * price_e8[: len(symbols) - len(tokens)]
    for token in tokens:
        base = np.max(value) if token.base == USD else value[symbols.index(token.base)]
        row = symbols.index(token.symbol)
        known[row] = VOLUME_SHARE * base / price_e8[row]
    return known


def _token_prices(ratio: RatioHistory, base: PriceHistory | None) -> PriceHistory:
    if base is None:
        hour = np.arange(ratio.hour[0], ratio.hour[-1] + 1, dtype=np.int64)
        base_e8 = np.full(hour.size, USD_E8, dtype=np.int64)
    else:
        hour, base_e8 = base.hour, base.close_e8
    last = np.searchsorted(ratio.hour, hour, side="right") - 1
    known = (last >= 0) & (hour - ratio.hour[np.maximum(last, 0)] <= LONGEST_HOLD_HOURS)
    if not np.any(known):
        raise InvalidInput(f"token {ratio.symbol}: no hour at which both its ratio and {ratio.base} are known")
    close = np.rint(base_e8[known] * (ratio.ratio_ppm[last[known]] / PPM)).astype(np.int64)
    return PriceHistory(ratio.symbol, hour[known], np.maximum(close, 1), np.zeros(close.size))


def _state(ratio: RatioHistory, history: PriceHistory) -> TokenState:
    worst = _worst_fall(ratio.hour, ratio.ratio_ppm)
    return TokenState(
        symbol=ratio.symbol,
        base=ratio.base,
        hours=int(history.hour.size),
        least_ratio_ppm=int(ratio.ratio_ppm.min()),
        worst_fall_fraction=worst,
        depeg_stress_fraction=max(worst, LEAST_DEPEG_FRACTION),
    )


def _worst_fall(hour: NDArray[np.int64], ratio_ppm: NDArray[np.int64]) -> float:
    """Largest fall from the highest ratio that held within the last 72 hours, as a fraction of it."""
    start = np.maximum(np.searchsorted(hour, hour - DEPEG_HOURS, side="right") - 1, 0)
    highest = np.array([ratio_ppm[a : b + 1].max() for b, a in enumerate(start)])
    return float(np.max(1.0 - ratio_ppm / highest))
