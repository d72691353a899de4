"""One portfolio, valued and taken apart: decimals become floats here, and leave as integers rounded up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

import engine
from engine.explain import explain
from engine.matrix_margin import matrix_margin
from engine.scenarios import matrix
from engine.surface.svi import RawSvi, total_variance
from oracle.errors import BadPortfolio, NonFiniteResult
from oracle.portfolio import Portfolio, Position, Slice
from oracle.portfolio_margin import PortfolioMargin, VenueMargin
from oracle.types import SURFACE_NODES
from oracle.units import PRICE_SCALE_E8, SECONDS_PER_HOUR, SECONDS_PER_YEAR, usd_to_micro_up
from oracle.valuation.artefact import engine_configuration
from oracle.valuation.portfolio_past import Past
from oracle.valuation.portfolio_results import margin_in_integers

_KINDS = {
    "spot": engine.Kind.SPOT,
    "perpetual": engine.Kind.PERPETUAL,
    "future": engine.Kind.FUTURE,
    "call": engine.Kind.CALL,
    "put": engine.Kind.PUT,
}
_VENUES: dict[str, tuple[Callable[[Sequence[str]], matrix.VenueMatrix], str]] = {
    "Deribit": (matrix.deribit_matrix, "27 scenarios; without contingencies"),
    "Derive PMRM": (matrix.derive_matrix, "23 scenarios; without contingencies and discounts"),
    "SPAN 16": (
        lambda symbols: matrix.span_matrix(symbols, matrix.DERIBIT_RANGES),
        "16 scenarios, with Deribit's price and volatility ranges; without intermonth charges",
    ),
    "Paradex": (matrix.paradex_matrix, "24 scenarios; without the minimum delta requirement"),
}


def portfolio_margin(portfolio: Portfolio, past: Past, venues: bool = False, threads: int = 1) -> PortfolioMargin:
    """Return the requirements of a portfolio and what they are made of.

    Parameters
    ----------
    portfolio : Portfolio
    past : Past
    venues : bool
        Value the portfolio by venues' matrices too.
    threads : int
        Does not change the result.

    Raises
    ------
    BadPortfolio
        If the engine refuses an input; the message names it.
    BadConfiguration
        If the engine has no such model.
    NonFiniteResult
        If a figure is not finite or does not fit.
    """
    configuration = engine_configuration(portfolio.model)
    listed = _listed(portfolio)
    try:
        market = _market(portfolio)
        instruments = _instruments(portfolio, listed)
        positions, collateral = _positions(portfolio), _collateral(portfolio)
        recent = [_recent(symbol, portfolio, past) for symbol in portfolio.market]
        found = explain(past.calibration, recent, market, instruments, positions, configuration, threads, collateral)
        asked = tuple(_venue(name, instruments, market, positions) for name in _VENUES) if venues else ()
    except engine.NonFiniteResult as error:
        raise NonFiniteResult(str(error), "check quantities and prices of the portfolio") from error
    except engine.EngineError as error:
        raise BadPortfolio(str(error), "correct the portfolio, or calibrate for its model") from error
    return margin_in_integers(portfolio, past, listed, found, asked)


def _listed(portfolio: Portfolio) -> tuple[Position, ...]:
    """One row an instrument: positions, else the first underlying's spot, then tokens of collateral."""
    nothing = Position(kind="spot", underlying=next(iter(portfolio.market)), quantity=Decimal(0))
    tokens = [Position(kind="spot", underlying=t.underlying, quantity=t.quantity) for t in portfolio.collateral]
    return (*(portfolio.positions or (nothing,)), *tokens)


def _market(portfolio: Portfolio) -> engine.MarketState:
    underlyings = tuple(portfolio.market.values())
    slices = [(owner, one) for owner, market in enumerate(underlyings) for one in market.slices]
    nodes = [_nodes(one, one.expiry - portfolio.time) for _, one in slices]
    return engine.MarketState(
        symbols=tuple(portfolio.market),
        spot=_floats(one.spot for one in underlyings),
        slice_underlying=np.array([owner for owner, _ in slices], dtype=np.int32),
        slice_seconds=np.array([one.expiry - portfolio.time for _, one in slices], dtype=np.int64),
        forward=_floats(one.forward for _, one in slices),
        vol_nodes=np.array(nodes, dtype=np.float64).reshape(len(slices), SURFACE_NODES),
        discount=_floats(one.discount for _, one in slices),
        funding_rate_hourly=_floats(one.funding_rate_hourly for one in underlyings),
        funding_cap_hourly=_floats(one.funding_cap_hourly for one in underlyings),
    )


def _nodes(one: Slice, seconds: int) -> NDArray[np.float64]:
    """Volatility at x = -3 ... 3 standard deviations at the money."""
    if one.nodes is not None:
        return _floats(one.nodes)
    if one.volatility is not None:
        return np.full(SURFACE_NODES, float(one.volatility))
    assert one.svi is not None
    svi = RawSvi(*(float(getattr(one.svi, name)) for name in ("a", "b", "rho", "m", "sigma")))
    deviation = np.sqrt(total_variance(svi, np.zeros(1)).level)
    x = np.arange(SURFACE_NODES, dtype=np.float64) - SURFACE_NODES // 2
    volatility: NDArray[np.float64] = np.sqrt(total_variance(svi, x * deviation).level / (seconds / SECONDS_PER_YEAR))
    return volatility


def _instruments(portfolio: Portfolio, listed: Sequence[Position]) -> engine.Instruments:
    """One instrument a row; a position's is a market of its own, a token's has none."""
    markets = len(listed) - len(portfolio.collateral)
    symbols = list(portfolio.market)
    keys = [(symbol, one.expiry) for symbol, market in portfolio.market.items() for one in market.slices]
    return engine.Instruments(
        kind=np.array([_KINDS[p.kind] for p in listed], dtype=np.int8),
        underlying=np.array([symbols.index(p.underlying) for p in listed], dtype=np.int32),
        market_id=np.array([row if row < markets else -1 for row in range(len(listed))], dtype=np.int32),
        slice=np.array([keys.index((p.underlying, p.expiry)) if p.expiry else -1 for p in listed], dtype=np.int32),
        seconds_to_expiry=np.array([p.expiry - portfolio.time if p.expiry else 0 for p in listed], dtype=np.int64),
        strike=_floats(p.strike or Decimal(0) for p in listed),
        multiplier=_floats(p.multiplier for p in listed),
        inverse=np.array([p.inverse for p in listed], dtype=np.bool_),
    )


def _positions(portfolio: Portfolio) -> engine.Positions:
    return _account(0, [position.quantity for position in portfolio.positions])


def _collateral(portfolio: Portfolio) -> engine.Collateral:
    first, symbols = max(len(portfolio.positions), 1), list(portfolio.market)
    return engine.Collateral(
        held=_account(first, [token.quantity for token in portfolio.collateral]),
        same_issuer=tuple(
            (symbols.index(token.underlying), symbols.index(symbol))
            for token in portfolio.collateral
            for symbol in token.same_issuer
        ),
    )


def _account(first: int, quantities: Sequence[Decimal]) -> engine.Positions:
    count = len(quantities)
    return engine.Positions(
        indptr=np.array([0, count], dtype=np.int64),
        instrument=np.arange(first, first + count, dtype=np.int32),
        quantity=_floats(quantities),
    )


def _recent(symbol: str, portfolio: Portfolio, past: Past) -> engine.RecentPrices:
    """The spot at the last full hour: a move since the calibration enters once, over the root of the hours gone by."""
    hour, price = portfolio.time // SECONDS_PER_HOUR, float(portfolio.market[symbol].spot)
    if hour <= past.calibration.last_hour:
        return engine.RecentPrices(symbol, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    close_e8 = np.array([round(price * PRICE_SCALE_E8)], dtype=object)
    if not 0 < close_e8[0] < 2**63:
        raise engine.InvalidInput(f"spot {price} of {symbol} does not fit eight decimals in 64 bits")
    return engine.RecentPrices(symbol, np.array([hour], dtype=np.int64), close_e8.astype(np.int64))


def _venue(
    name: str, instruments: engine.Instruments, market: engine.MarketState, positions: engine.Positions
) -> VenueMargin:
    make, note = _VENUES[name]
    try:
        asked = matrix_margin(make(market.symbols), instruments, market, positions)
    except engine.InvalidInput as error:
        return VenueMargin(name, None, str(error))
    return VenueMargin(name, int(usd_to_micro_up(asked)[0]), note)


def _floats(values: Iterable[Decimal]) -> NDArray[np.float64]:
    return np.array([float(value) for value in values], dtype=np.float64)
