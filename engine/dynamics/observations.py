"""What a calibration may know beside prices and volatility: funding, basis, rates, ratios of tokens, further venues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.dynamics.history import PriceHistory, require_positive, store_columns
from engine.errors import InvalidInput

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class FundingHistory:
    """Funding of one perpetual at one venue.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch at which a rate was paid, strictly ascending.
    rate_ppb : int64 array, shape (n,)
        Paid by longs to shorts for the interval, parts per billion of notional.
    interval_hours : int64 array, shape (n,)
        Hours that the payment is for, positive.
    """

    symbol: str
    hour: NDArray[np.int64]
    rate_ppb: NDArray[np.int64]
    interval_hours: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "funding history", hour=np.int64, rate_ppb=np.int64, interval_hours=np.int64)
        require_positive(self, "funding history", "interval_hours")


@dataclass(frozen=True, slots=True)
class BasisHistory:
    """Forwards over spot of one asset: perpetual marks, dated futures, or both.

    Attributes
    ----------
    symbol : str
    hour : int64 array, shape (n,)
        Hours since the Unix epoch, ascending; an hour comes once for each tenor.
    days : float64 array, shape (n,)
        Days to expiry, 0 for a perpetual.
    basis_ppm : int64 array, shape (n,)
        Forward over spot less one, parts per million, above -1,000,000.
    """

    symbol: str
    hour: NDArray[np.int64]
    days: NDArray[np.float64]
    basis_ppm: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "basis history", ascending=False, hour=np.int64, days=np.float64, basis_ppm=np.int64)
        order = np.lexsort((self.days, self.hour))
        again = (np.diff(self.hour[order]) == 0) & (np.diff(self.days[order]) == 0)
        if np.any(np.diff(self.hour) < 0) or np.any(again):
            raise InvalidInput(f"basis history of {self.symbol}: hours must ascend, each tenor of an hour once")
        if np.any(self.days < 0):
            raise InvalidInput(f"basis history of {self.symbol}: {self.days.min()} days to expiry is negative")
        if np.any(self.basis_ppm <= -PPM):
            raise InvalidInput(f"basis history of {self.symbol}: basis {self.basis_ppm.min()} ppm leaves no price")


@dataclass(frozen=True, slots=True)
class RateHistory:
    """Discount rates of the quote currency: zero rate(T) = level + slope T, T in years.

    Attributes
    ----------
    symbol : str
        The quote currency.
    hour : int64 array, shape (n,)
        Hours since the Unix epoch, strictly ascending.
    level_ppm, slope_ppm : int64 arrays, shape (n,)
        A year, and a year per year of T, parts per million; negative rates are allowed.
    """

    symbol: str
    hour: NDArray[np.int64]
    level_ppm: NDArray[np.int64]
    slope_ppm: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "rate history", hour=np.int64, level_ppm=np.int64, slope_ppm=np.int64)


@dataclass(frozen=True, slots=True)
class RatioHistory:
    """Price of a collateral token in its base: a staked coin in the coin, a stablecoin in USD.

    Attributes
    ----------
    symbol : str
        The token.
    base : str
        A symbol that has a price history, or "USD".
    hour : int64 array, shape (n,)
        Hours since the Unix epoch at which the ratio is known, strictly ascending.
    ratio_ppm : int64 array, shape (n,)
        Base units a token, parts per million, positive.
    """

    symbol: str
    base: str
    hour: NDArray[np.int64]
    ratio_ppm: NDArray[np.int64]

    def __post_init__(self) -> None:
        store_columns(self, "ratio history", hour=np.int64, ratio_ppm=np.int64)
        require_positive(self, "ratio history", "ratio_ppm")
        if self.hour.size == 0:
            raise InvalidInput(f"ratio history of {self.symbol} is empty")


@dataclass(frozen=True, slots=True)
class Observations:
    """Optional inputs of a calibration; what is absent is replaced by stated defaults.

    Attributes
    ----------
    witnesses : tuple of PriceHistory
        Further sources of assets that have a price history; see `engine.dynamics.sources`.
    funding : tuple of FundingHistory
        One a venue and asset; several of one asset are allowed.
    basis : tuple of BasisHistory
        At most one an asset.
    rates : RateHistory, optional
    ratios : tuple of RatioHistory
        At most one a token.
    """

    witnesses: tuple[PriceHistory, ...] = ()
    funding: tuple[FundingHistory, ...] = ()
    basis: tuple[BasisHistory, ...] = ()
    rates: RateHistory | None = None
    ratios: tuple[RatioHistory, ...] = ()
