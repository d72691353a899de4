"""What the demonstration venue lists: two underlyings, and for each a perpetual, a future and options in buckets."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.types import Bounds, Instrument, InstrumentKind
from oracle.units import PRICE_SCALE_E8

SYMBOLS = ("ETH", "BTC")
SECONDS_PER_DAY = 86_400
EXPIRY_DAYS = (7, 30)
STRIKE_PERCENT = (80, 90, 100, 110, 120)
STRIKE_STEP_USD = {"ETH": 25, "BTC": 500}
_MARKETS_PER_UNDERLYING = 10
_WING_PERCENT = 15
"""Strikes farther from the forward than this belong to the wing bucket."""


@dataclass(frozen=True, slots=True)
class MarketListing:
    """A market as its owner configures it on the oracle."""

    market_id: int
    name: str
    fallback_initial_ppm: int
    initial: Bounds
    maintenance: Bounds
    slope: Bounds


INITIAL_BOUNDS = Bounds(
    minimum=5_000,
    maximum=3_000_000,
    step_relative_ppm=500_000,
    step_minimum=50_000,
    rise_hourly=0,
    fall_hourly=40_000,
)
MAINTENANCE_BOUNDS = Bounds(
    minimum=3_000,
    maximum=3_000_000,
    step_relative_ppm=0,
    step_minimum=0,
    rise_hourly=60_000,
    fall_hourly=40_000,
)
SLOPE_BOUNDS = Bounds(
    minimum=0,
    maximum=1_000_000,
    step_relative_ppm=1_000_000,
    step_minimum=50_000,
    rise_hourly=0,
    fall_hourly=50_000,
)
FALLBACK_INITIAL_PPM = 500_000


def markets() -> tuple[MarketListing, ...]:
    """Return every market, ids ascending: per underlying the perpetual, the future and eight option buckets."""
    listings = []
    for underlying, symbol in enumerate(SYMBOLS):
        names = ["perpetual", "future"]
        for kind in ("call", "put"):
            for tenor in ("near", "far"):
                names += [f"{kind} {tenor} money", f"{kind} {tenor} wing"]
        first = underlying * _MARKETS_PER_UNDERLYING + 1
        listings += [
            MarketListing(
                first + place,
                f"{symbol} {name}",
                FALLBACK_INITIAL_PPM,
                INITIAL_BOUNDS,
                MAINTENANCE_BOUNDS,
                SLOPE_BOUNDS,
            )
            for place, name in enumerate(names)
        ]
    return tuple(listings)


def instruments(spot_e8: tuple[int, ...], now_timestamp: int) -> tuple[Instrument, ...]:
    """Return what is listed at the given prices, in the order of the venue's ids.

    Parameters
    ----------
    spot_e8 : tuple of int
        One price an underlying, 8 decimals.
    now_timestamp : int
        Expiries are at 08:00 UTC, `EXPIRY_DAYS` days on.
    """
    listed: list[Instrument] = []

    def add(kind: InstrumentKind, underlying: int, place: int, strike_e8: int, expiry: int) -> None:
        market_id = underlying * _MARKETS_PER_UNDERLYING + place
        listed.append(Instrument(len(listed), kind, underlying, market_id, strike_e8, expiry, 0))

    near, far = (_expiry(now_timestamp, days) for days in EXPIRY_DAYS)
    for underlying, symbol in enumerate(SYMBOLS):
        add(InstrumentKind.PERPETUAL, underlying, 1, 0, 0)
        add(InstrumentKind.FUTURE, underlying, 2, 0, far)
        for kind, first in ((InstrumentKind.CALL, 3), (InstrumentKind.PUT, 7)):
            for expiry, tenor in ((near, 0), (far, 2)):
                for percent in STRIKE_PERCENT:
                    strike = _strike_e8(symbol, spot_e8[underlying], percent)
                    add(kind, underlying, first + tenor + _is_wing(percent), strike, expiry)
    return tuple(listed)


def _expiry(now_timestamp: int, days: int) -> int:
    day = now_timestamp // SECONDS_PER_DAY + days
    return day * SECONDS_PER_DAY + 8 * 3_600


def _strike_e8(symbol: str, spot_e8: int, percent: int) -> int:
    step_e8 = STRIKE_STEP_USD[symbol] * PRICE_SCALE_E8
    return max(spot_e8 * percent // 100 // step_e8, 1) * step_e8


def _is_wing(percent: int) -> int:
    return int(abs(percent - 100) > _WING_PERCENT)
