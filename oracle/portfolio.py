"""A portfolio and its market in one JSON file, checked before anything is computed; `docs/portfolio.md` describes it.

Every number is a whole number or a decimal string and stays exact here: what a binary fraction would have made of it
is not what was written. A key that is not known, or that is given twice, is a mistake and not ignored.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from oracle.config import ModelSettings
from oracle.errors import BadPortfolio
from oracle.types import SURFACE_NODES

DECIMAL = re.compile(r"[+-]?\d{1,24}(\.\d{1,24})?")
LAST_SECOND = 253_402_300_799
"""The year 9999 ends."""


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not (isinstance(value, str) and DECIMAL.fullmatch(value)):
        raise ValueError(f'{value!r} is neither a whole number nor a decimal string such as "0.25"')
    return Decimal(value)


def _unix_seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise ValueError(f'{value!r} is neither Unix seconds nor a time such as "2026-01-30T08:00:00Z"')
    return int(moment.astimezone(UTC).timestamp())


Number = Annotated[Decimal, BeforeValidator(_decimal)]
Positive = Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0)]
NotNegative = Annotated[Decimal, BeforeValidator(_decimal), Field(ge=0)]
UnixSeconds = Annotated[int, BeforeValidator(_unix_seconds), Field(gt=0, le=LAST_SECOND)]
Symbol = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=32)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Svi(_Record):
    """Raw SVI of total variance at k = ln(K/F): a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))."""

    a: Number
    b: Number
    rho: Number
    m: Number
    sigma: Number


class Slice(_Record):
    """One expiry: forward, discount factor, and volatility a year as one number, seven nodes or SVI."""

    expiry: UnixSeconds
    forward: Positive
    discount: Positive = Decimal(1)
    volatility: Positive | None = None
    nodes: Annotated[tuple[Positive, ...], Field(min_length=SURFACE_NODES, max_length=SURFACE_NODES)] | None = None
    svi: Svi | None = None

    @model_validator(mode="after")
    def _one_smile(self) -> Slice:
        if sum(given is not None for given in (self.volatility, self.nodes, self.svi)) != 1:
            raise ValueError("give exactly one of volatility, nodes and svi")
        return self


class UnderlyingMarket(_Record):
    """What the market shows of one underlying; a cap of 1 an hour on funding is none."""

    spot: Positive
    funding_rate_hourly: Number = Decimal(0)
    funding_cap_hourly: NotNegative = Decimal(1)
    slices: tuple[Slice, ...] = ()

    @model_validator(mode="after")
    def _one_slice_an_expiry(self) -> UnderlyingMarket:
        expiries = [one.expiry for one in self.slices]
        if len(set(expiries)) != len(expiries):
            raise ValueError("two slices have the same expiry")
        return self


class Position(_Record):
    """A position; `quantity` counts contracts and is negative when short."""

    kind: Literal["spot", "perpetual", "future", "call", "put"]
    underlying: Symbol
    quantity: Number
    expiry: UnixSeconds | None = None
    strike: Positive | None = None
    multiplier: Positive = Decimal(1)
    inverse: bool = False

    @model_validator(mode="after")
    def _terms(self) -> Position:
        dated, option = self.kind in ("future", "call", "put"), self.kind in ("call", "put")
        if dated != (self.expiry is not None):
            raise ValueError(f"a {self.kind} {'needs an expiry' if dated else 'has no expiry'}")
        if option != (self.strike is not None):
            raise ValueError(f"a {self.kind} {'needs a strike' if option else 'has no strike'}")
        if self.kind == "spot" and self.inverse:
            raise ValueError("spot is not settled in coin: leave inverse out")
        return self


class Collateral(_Record):
    """Tokens that stand behind the positions beside cash; each is an underlying of the market.

    `same_issuer` names underlyings of positions that the token's issuer stands behind too: it is no hedge for them.
    """

    underlying: Symbol
    quantity: NotNegative
    same_issuer: tuple[Symbol, ...] = ()


class Portfolio(_Record):
    """One account and the market that it is valued on."""

    name: str = "portfolio"
    time: UnixSeconds
    market: Annotated[dict[Symbol, UnderlyingMarket], Field(min_length=1)]
    positions: tuple[Position, ...] = ()
    cash_usd: Number = Decimal(0)
    collateral: tuple[Collateral, ...] = ()
    model: ModelSettings = ModelSettings()

    @model_validator(mode="after")
    def _known(self) -> Portfolio:
        named = [one.underlying for part in (self.positions, self.collateral) for one in part]
        for symbol in (*named, *(symbol for token in self.collateral for symbol in token.same_issuer)):
            if symbol not in self.market:
                raise ValueError(f"{symbol} is not in the market, which holds {', '.join(self.market)}")
        tokens = [token.underlying for token in self.collateral]
        if len(set(tokens)) != len(tokens):
            raise ValueError(f"collateral names a token twice: {', '.join(tokens)}")
        for symbol, market in self.market.items():
            gone = [one.expiry for one in market.slices if one.expiry <= self.time]
            if gone:
                raise ValueError(f"market of {symbol}: the slice of {utc(gone[0])} has expired: leave it out")
        for number, position in enumerate(self.positions):
            if position.expiry is None:
                continue
            if position.expiry <= self.time:
                raise ValueError(f"position {number} has expired at {utc(position.expiry)}: settle it into cash_usd")
            if position.expiry not in {one.expiry for one in self.market[position.underlying].slices}:
                raise ValueError(
                    f"position {number}: {position.underlying} has no slice that expires at {utc(position.expiry)}"
                )
        return self


def read_portfolio(path: Path) -> Portfolio:
    """Read and check a portfolio file.

    Raises
    ------
    BadPortfolio
        If the file is missing, is not JSON, or does not hold a portfolio; each fault is named with its place.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadPortfolio(f"{path}: {error.strerror}", "correct the path") from None
    except UnicodeDecodeError:
        raise BadPortfolio(f"{path} is not UTF-8 text", "correct the file") from None
    return parse_portfolio(text, str(path))


def parse_portfolio(text: str, source: str = "portfolio") -> Portfolio:
    """Return the portfolio that a JSON text holds; errors as `read_portfolio`, naming `source`."""
    try:
        return Portfolio.model_validate(json.loads(text, object_pairs_hook=_each_once))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise BadPortfolio(f"{source}: {faults}", "see docs/portfolio.md") from None
    except (ValueError, RecursionError) as error:
        raise BadPortfolio(f"{source}: {error}", "correct the file") from None


def utc(seconds: int) -> str:
    """Return Unix seconds as a date and a time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is given twice")
        found[key] = value
    return found
