"""The stress list: replayed crashes, extended moves, single tokens, volatility, correlation (DESIGN 3.7).

What an underlying's instruments make counts with the weight min(1, R / |move|), R the 99.5 % range of that factor over
the horizon: the list asks what happens to non-linear books far out, without charging a linear book for a move of no
stated probability.
Moves are instantaneous: no decay is credited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from engine.kernels.special import exp_array, log_array
from engine.scenarios.scenario_set import ScenarioSet

RANGE_QUANTILE = 0.995
OTHERS = "others"

REPLAYS: dict[str, tuple[dict[str, float], float]] = {
    "March 2020": ({"BTC": -0.46, "ETH": -0.48, OTHERS: -0.57}, 2.0),
    "May 2021": ({"BTC": -0.20, "ETH": -0.34, OTHERS: -0.43}, 1.25),
    "LUNA 2022": ({"BTC": -0.14, "ETH": -0.23, OTHERS: -0.44}, 1.25),
    "FTX 2022": ({"BTC": -0.16, "ETH": -0.24, OTHERS: -0.48}, 1.5),
    "August 2024": ({"BTC": -0.17, "ETH": -0.23, OTHERS: -0.30}, 1.4),
    "October 2025": ({"BTC": -0.145, "ETH": -0.122, OTHERS: -0.58}, 1.3),
}
"""Worst 24 h of each coin, and the factor on thirty-day volatility; rounded by hand, no more exact than a percentage
point and a tenth.

The first four are of hourly Binance closes; `OTHERS` is about the worst of the other large coins, without those that
failed themselves (LUNA, FTT). Their volatility is about the largest rise of DVOL's close from day to day, 1.2 in May
2021, 1.25 and 1.5 after; none existed in 2020, and 2 is an assumption. August 2024 is of public reports; October 2025
is CoinShares and, for the others, CoinDesk's average of the hundred largest tokens (of all tokens: -47 %). The
surface's own answer to spot comes on top.
"""
ROUNDING = 0.005
"""What the hand's rounding to a percentage point may take from a replayed move."""

EXTENDED_MOVES = (-0.66, -0.5, -0.33, 0.33, 0.5, 1.0, 2.0, 5.0)
SINGLE_TOKEN_MOVES = {"within minutes": -0.70, "to almost nothing": -0.99996}
"""One token alone, where the replays do not name it: SUI within minutes on 10 October 2025 (Coin Metrics); LUNA in the
24 h to 13 May 2022 (hourly Binance closes), beyond ATOM's 4 to 0.001 USD on Binance on 10 October 2025 (CoinShares)."""
VOLATILITY_FACTORS = (2.0, 0.5)
DEPEG_PRICE = 0.65
"""USDe on one venue, October 2025: what is quoted in the token then rises by 1/0.65."""
DEPTH_LEFT = 0.02
"""Share of the order books' depth that was left on 10 October 2025 (-98 %). No factor of a scenario: the liquidity
charge rests on a thin day's volume already, and what closing costs at this depth is reported beside, unweighted."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """The 99.5 % ranges of each factor over the horizon, shape (U,) each; positive.

    `fall` and `rise` are simple returns, `volatility_up` and `volatility_down` logs of thirty-day volatility.
    """

    fall: NDArray[np.float64]
    rise: NDArray[np.float64]
    volatility_up: NDArray[np.float64]
    volatility_down: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Move:
    label: str
    spot: NDArray[np.float64]
    volatility: NDArray[np.float64]
    whole: bool = False
    """Counts in full, whatever the range."""


def horizon_ranges(paths: ScenarioSet, least: NDArray[np.float64]) -> Ranges:
    """Return the 99.5 % order statistics at the end of the paths, not below `least` (shape (U,), a log move)."""
    end = np.sort(exp_array(paths.log_return[:, -1]) - 1.0, axis=1)
    shock = np.sort(paths.volatility_shock[:, -1], axis=1)
    high = int(np.ceil(RANGE_QUANTILE * len(paths))) - 1
    low = len(paths) - 1 - high
    return Ranges(
        np.maximum(-end[:, low], least),
        np.maximum(end[:, high], least),
        np.maximum(shock[:, high], least),
        np.maximum(-shock[:, low], least),
    )


def stress_set(
    symbols: tuple[str, ...], ranges: Ranges, depegs: Mapping[str, float] = MappingProxyType({})
) -> ScenarioSet:
    """Return the weighted list of spot and parallel volatility moves.

    Parameters
    ----------
    symbols : tuple of str
    ranges : Ranges
        Of each symbol, in the same order.
    depegs : mapping
        Fall, as a fraction, of each collateral token that leaves its base. It counts in full: a peg is quiet until it
        breaks, so the range of its past says nothing of the break.
    """
    count = len(symbols)
    together = [*_replays(symbols), *_extended(count), *_parallel_volatility(count)]
    single = [*_single_tokens(symbols), *_depegs(symbols, depegs)]
    return _assemble("stress", [*together, *_correlation(symbols, ranges), *single], ranges)


def twist_set(symbols: tuple[str, ...], ranges: Ranges) -> ScenarioSet:
    """Return the moves that turn the term structure of volatility; to be valued with `surface.twist_response`."""
    still = np.zeros(len(symbols))
    moves = [
        _Move("twist, short tenors up", still, ranges.volatility_up),
        _Move("twist, short tenors down", still, -ranges.volatility_down),
    ]
    return _assemble("stress, twist", moves, ranges)


def alone_indices(symbols: tuple[str, ...], stress: ScenarioSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each underlying, the scenarios of `stress` in which it alone rises and falls by its range."""
    rise = [stress.label.index(_alone(symbol, "rises")) for symbol in symbols]
    fall = [stress.label.index(_alone(symbol, "falls")) for symbol in symbols]
    return np.array(rise, dtype=np.int64), np.array(fall, dtype=np.int64)


def _alone(symbol: str, how: str) -> str:
    return f"{symbol} alone {how}"


def _replays(symbols: tuple[str, ...]) -> list[_Move]:
    return [
        _Move(
            label,
            np.array([moves.get(symbol, moves[OTHERS]) for symbol in symbols]),
            np.full(len(symbols), float(log_array(factor))),
        )
        for label, (moves, factor) in REPLAYS.items()
    ]


def _extended(count: int) -> list[_Move]:
    moves = [_Move(f"all {move:+.0%}", np.full(count, move), np.zeros(count)) for move in EXTENDED_MOVES]
    depeg = _Move("quote token loses its peg", np.full(count, 1.0 / DEPEG_PRICE - 1.0), np.zeros(count))
    return [*moves, depeg]


def _parallel_volatility(count: int) -> list[_Move]:
    return [
        _Move(f"volatility x{factor:g}", np.zeros(count), np.full(count, float(log_array(factor))))
        for factor in VOLATILITY_FACTORS
    ]


def _correlation(symbols: tuple[str, ...], ranges: Ranges) -> list[_Move]:
    """To one: all by their range together. To zero: each alone, the others still."""
    still = np.zeros(len(symbols))
    moves = [_Move("all fall together", -ranges.fall, still), _Move("all rise together", ranges.rise, still)]
    for u, symbol in enumerate(symbols):
        here = np.arange(len(symbols)) == u
        moves.append(_Move(_alone(symbol, "rises"), np.where(here, ranges.rise, 0.0), still))
        moves.append(_Move(_alone(symbol, "falls"), np.where(here, -ranges.fall, 0.0), still))
    return moves


def _single_tokens(symbols: tuple[str, ...]) -> list[_Move]:
    """Each token that no replay names, alone: what happened to one may happen to any."""
    still = np.zeros(len(symbols))
    named = {coin for moves, _ in REPLAYS.values() for coin in moves}
    return [
        _Move(_alone(symbol, how), np.where(np.arange(len(symbols)) == u, move, 0.0), still)
        for u, symbol in enumerate(symbols)
        if symbol not in named
        for how, move in SINGLE_TOKEN_MOVES.items()
    ]


def _depegs(symbols: tuple[str, ...], depegs: Mapping[str, float]) -> list[_Move]:
    still = np.zeros(len(symbols))
    return [
        _Move(
            f"{symbol} loses its peg", np.where(np.arange(len(symbols)) == u, -depegs[symbol], 0.0), still, whole=True
        )
        for u, symbol in enumerate(symbols)
        if symbol in depegs
    ]


def _assemble(name: str, moves: list[_Move], ranges: Ranges) -> ScenarioSet:
    spot = np.stack([move.spot for move in moves], axis=1)
    shock = np.stack([move.volatility for move in moves], axis=1)
    return ScenarioSet(
        name=name,
        hours=np.zeros(1, dtype=np.int64),
        log_return=log_array(1.0 + spot)[:, None, :],
        volatility_shock=np.ascontiguousarray(shock[:, None, :]),
        weight=np.stack([_weight(move, ranges) for move in moves], axis=1),
        label=tuple(move.label for move in moves),
    )


def _weight(move: _Move, ranges: Ranges) -> NDArray[np.float64]:
    """min(1, R / |move|) of each underlying: by spot where its spot moves, else by volatility; 1 where nothing does."""
    if move.whole:
        return np.ones(move.spot.size)
    by_spot = move.spot != 0.0
    size = np.abs(np.where(by_spot, move.spot, move.volatility))
    spot_range = np.where(move.spot < 0.0, ranges.fall, ranges.rise)
    volatility_range = np.where(move.volatility < 0.0, ranges.volatility_down, ranges.volatility_up)
    reach = np.where(by_spot, spot_range, volatility_range)
    return np.minimum(1.0, np.divide(reach, size, out=np.ones(size.size), where=size > 0.0))
