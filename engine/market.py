"""What the market shows at the reference block: spots, forwards, volatility slices, discount and funding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.book import Instruments
from engine.errors import InvalidInput

SLICE_NODES = 7
"""Nodes of a slice, at x = -3 ... 3, x = ln(K/F) / (sigma_atm sqrt(T)); linear between, flat beyond."""
AT_THE_MONEY = 3
HIGHEST_VOLATILITY = 20.0
"""A level above 2,000 % a year is a unit error, not a market."""
LOWEST_VOLATILITY = 1e-6
"""A level below a part per million a year is one too; from far below, squares are lost."""
FARTHEST_FROM_SPOT = 100.0
"""A forward or a discount factor beyond this factor is an error of units or decimals: it would take margin to 0."""
FARTHEST_STRIKE = 1e9
"""Forwards; farther in the money an option's profit is lost in the rounding of its price."""
HIGHEST_SPOT = 9.2e10
"""Above it a price does not fit the integers of eight decimals that histories hold."""

_FLOATS = ("spot", "forward", "vol_nodes", "discount", "funding_rate_hourly", "funding_cap_hourly")
_INTEGERS = {"slice_underlying": np.int32, "slice_seconds": np.int64}


@dataclass(frozen=True, slots=True)
class MarketState:
    """Prices and surfaces of U underlyings and E slices (an underlying and an expiry).

    Attributes
    ----------
    symbols : tuple of str
        U names, each once; matched by name with the calibration's.
    spot : float64 array, shape (U,)
        Quote currency per unit, positive.
    slice_underlying : int32 array, shape (E,)
    slice_seconds : int64 array, shape (E,)
        Seconds to expiry, positive.
    forward : float64 array, shape (E,)
        Quote currency per unit, positive.
    vol_nodes : float64 array, shape (E, 7)
        Volatility per square root of a year of 365 days at x = -3 ... 3, positive.
    discount : float64 array, shape (E,)
        Discount factor to expiry, positive; above 1 when rates are negative.
    funding_rate_hourly, funding_cap_hourly : float64 arrays, shape (U,)
        Fraction of notional an hour; a positive rate is paid by longs. The cap is at least 0.
    """

    symbols: tuple[str, ...]
    spot: NDArray[np.float64]
    slice_underlying: NDArray[np.int32]
    slice_seconds: NDArray[np.int64]
    forward: NDArray[np.float64]
    vol_nodes: NDArray[np.float64]
    discount: NDArray[np.float64]
    funding_rate_hourly: NDArray[np.float64]
    funding_cap_hourly: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", tuple(self.symbols))
        for name in _FLOATS:
            object.__setattr__(self, name, _frozen(getattr(self, name), np.float64))
        for name, dtype in _INTEGERS.items():
            object.__setattr__(self, name, _frozen(getattr(self, name), dtype))
        if len(set(self.symbols)) != len(self.symbols):
            raise InvalidInput(f"market: a symbol is listed twice in {self.symbols}")
        self._check_shapes()
        self._check_values()

    def _check_shapes(self) -> None:
        slices, underlyings = self.slice_seconds.size, len(self.symbols)
        expected: dict[str, tuple[int, ...]] = {
            "spot": (underlyings,),
            "funding_rate_hourly": (underlyings,),
            "funding_cap_hourly": (underlyings,),
            "slice_underlying": (slices,),
            "slice_seconds": (slices,),
            "forward": (slices,),
            "discount": (slices,),
            "vol_nodes": (slices, SLICE_NODES),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InvalidInput(f"market: {name} has shape {getattr(self, name).shape}, expected {shape}")

    def _check_values(self) -> None:
        for name in _FLOATS:
            _require(np.isfinite(getattr(self, name)), getattr(self, name), name, "is not finite")
        for name in ("spot", "forward", "vol_nodes", "discount", "slice_seconds"):
            _require(getattr(self, name) > 0, getattr(self, name), name, "is not positive")
        _require(self.funding_cap_hourly >= 0, self.funding_cap_hourly, "funding_cap_hourly", "is negative")
        _require(self.vol_nodes >= LOWEST_VOLATILITY, self.vol_nodes, "vol_nodes", "is below 1e-6 (0.0001 % a year)")
        _require(self.vol_nodes <= HIGHEST_VOLATILITY, self.vol_nodes, "vol_nodes", "is above 20 (2,000 % a year)")
        _require(self.spot <= HIGHEST_SPOT, self.spot, "spot", "is above 9.2e10, more than eight decimals can hold")
        known = (self.slice_underlying >= 0) & (self.slice_underlying < len(self.symbols))
        _require(known, self.slice_underlying, "slice_underlying", "is not a listed underlying")
        spot = self.spot[self.slice_underlying]
        _require(_near(self.forward, spot), self.forward, "forward", "is not within a factor of 100 of spot")
        _require(_near(self.discount, np.ones(1)), self.discount, "discount", "is not within a factor of 100 of 1")


def check_market(market: MarketState, instruments: Instruments) -> None:
    """Raise `InvalidInput` when an instrument does not fit the market.

    Its underlying or slice is unknown, they disagree, or its strike is beyond what a price can resolve.
    """
    underlyings, slices = len(market.symbols), market.slice_seconds.size
    for row in range(len(instruments)):
        underlying, slice_ = int(instruments.underlying[row]), int(instruments.slice[row])
        if underlying >= underlyings:
            raise InvalidInput(f"instrument {row}: underlying {underlying} is not one of the {underlyings} listed")
        if slice_ >= slices:
            raise InvalidInput(f"instrument {row}: slice {slice_} is not one of the {slices} known")
        if slice_ < 0:
            continue
        if market.slice_underlying[slice_] != underlying:
            owner = market.slice_underlying[slice_]
            raise InvalidInput(f"instrument {row}: slice {slice_} belongs to underlying {owner}, not {underlying}")
        if market.slice_seconds[slice_] != instruments.seconds_to_expiry[row]:
            raise InvalidInput(
                f"instrument {row}: expires in {instruments.seconds_to_expiry[row]} s, its slice in "
                f"{market.slice_seconds[slice_]} s"
            )
        if instruments.strike[row] > FARTHEST_STRIKE * market.forward[slice_]:
            raise InvalidInput(
                f"instrument {row}: strike {instruments.strike[row]:g} is more than {FARTHEST_STRIKE:g} times the "
                f"forward {market.forward[slice_]:g}: check its decimals"
            )


def _near(value: NDArray[np.float64], level: NDArray[np.float64]) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = (value <= FARTHEST_FROM_SPOT * level) & (FARTHEST_FROM_SPOT * value >= level)
    return near


def _frozen(value: object, dtype: type) -> NDArray[np.generic]:
    array: NDArray[np.generic] = np.array(value, dtype=dtype)
    array.flags.writeable = False
    return array


def _require(good: NDArray[np.bool_], values: NDArray[np.generic], name: str, why: str) -> None:
    if not np.all(good):
        where = tuple(int(i) for i in np.argwhere(~good)[0])
        raise InvalidInput(f"market: {name}{list(where)} = {values[where]} {why}")
