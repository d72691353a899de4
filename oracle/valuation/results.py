"""What the engine said, as integers rounded to the conservative side, and the details that go with a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import engine
from engine.unmodelled import worst_case_lines
from oracle.config import ModelSettings
from oracle.errors import NonFiniteResult
from oracle.snapshot import describe_snapshot
from oracle.types import (
    AccountBook,
    AccountRequirements,
    Instrument,
    InstrumentKind,
    Labels,
    MarketMargin,
    Snapshot,
)
from oracle.units import (
    LOTS_PER_CONTRACT,
    MICRO_PER_USD,
    PRICE_SCALE_E8,
    UINT32_MAX,
    fraction_to_ppm_up,
    usd_to_micro_down,
    usd_to_micro_up,
)
from oracle.valuation.artefact import ENGINE_VERSION, Calibration
from oracle.valuation.listing import Listing


@dataclass(frozen=True, slots=True)
class ChargedBook:
    """Requirements of every account, and which of them, ascending, hold what has no model."""

    accounts: AccountRequirements
    unmodelled: NDArray[np.int64]


def market_margins(ratios: engine.MarketRatios, left_out: tuple[int, ...] = ()) -> tuple[MarketMargin, ...]:
    """Return the tuples in ppm, rounded up, ids ascending; NonFiniteResult when one does not fit 32 bits.

    Markets that are left out are not posted: what is on chain ages out by its own rule.
    """
    columns = [
        fraction_to_ppm_up(column)
        for column in (
            ratios.initial_long,
            ratios.initial_short,
            ratios.maintenance_long,
            ratios.maintenance_short,
            ratios.slope_long,
            ratios.slope_short,
        )
    ]
    if any(np.any(column > UINT32_MAX) for column in columns):
        raise NonFiniteResult("a market ratio is beyond 32 bits of ppm", "nothing is published")
    return tuple(
        MarketMargin(int(market_id), *(int(column[row]) for column in columns))
        for row, market_id in enumerate(ratios.market_id)
        if market_id not in left_out
    )


def account_name(book: AccountBook, account: int) -> str:
    """Return the address of an account, as it is read on chain."""
    return f"0x{book.address[account].tobytes().hex()}"


def account_requirements(snapshot: Snapshot, accounts: engine.AccountRequirements) -> AccountRequirements:
    """Return requirements rounded up and equity rounded down, in micro-USD, in the order of the book.

    Raises
    ------
    NonFiniteResult
        If an amount does not fit an int64.
    """
    return AccountRequirements(
        initial_micro=usd_to_micro_up(accounts.initial),
        maintenance_micro=usd_to_micro_up(accounts.maintenance),
        equity_micro=_equity_micro(snapshot, usd_to_micro_down(accounts.value)),
        binding=Labels(engine.COMPONENTS, accounts.binding),
    )


def join_requirements(parts: Iterable[AccountRequirements]) -> AccountRequirements:
    """Return the requirements of consecutive parts of a book, at least one, as those of the whole."""
    held = tuple(parts)
    return AccountRequirements(
        initial_micro=np.concatenate([part.initial_micro for part in held]),
        maintenance_micro=np.concatenate([part.maintenance_micro for part in held]),
        equity_micro=np.concatenate([part.equity_micro for part in held]),
        binding=Labels(engine.COMPONENTS, np.concatenate([part.binding.code for part in held])),
    )


def _equity_micro(snapshot: Snapshot, live_micro: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cash, final values and marks added as Python integers: an int64 would wrap around without a word."""
    total = snapshot.book.cash_micro.astype(object) + _settled_value_micro(snapshot) + live_micro
    try:
        return np.array(total.tolist(), dtype=np.int64)
    except OverflowError:
        largest = max(map(abs, total.tolist()))
        raise NonFiniteResult(f"equity of {largest} micro-USD is beyond int64", "nothing is published") from None


def _settled_value_micro(snapshot: Snapshot) -> NDArray[np.object_]:
    """Value of positions whose price is final, rounded down per position; they move no more."""
    book = snapshot.book
    value = np.zeros(len(book), dtype=object)
    payoff_e8 = {i.instrument_id: _payoff_e8(i) for i in snapshot.instruments if i.settlement_price_e8}
    if not payoff_e8:
        return value
    owner = np.repeat(np.arange(len(book)), np.diff(book.indptr))
    for position in np.flatnonzero(np.isin(book.instrument_id, list(payoff_e8))).tolist():
        size = int(book.size_lots[position])
        payoff = payoff_e8[int(book.instrument_id[position])]
        value[owner[position]] += size * payoff * MICRO_PER_USD // (LOTS_PER_CONTRACT * PRICE_SCALE_E8)
    return value


def _payoff_e8(instrument: Instrument) -> int:
    price, strike = instrument.settlement_price_e8, instrument.strike_e8
    if instrument.kind is InstrumentKind.CALL:
        return max(price - strike, 0)
    if instrument.kind is InstrumentKind.PUT:
        return max(strike - price, 0)
    return price


def details(
    snapshot: Snapshot,
    calibration: Calibration,
    model: ModelSettings,
    priced: engine.PricedMarket,
    charged: ChargedBook,
    listing: Listing,
) -> dict[str, object]:
    """Return what anyone needs to understand and recompute the report; integers, strings and lists only."""
    return {
        "inputs": describe_snapshot(snapshot),
        "calibration": {
            "content_hash": calibration.content_hash,
            "first_hour": calibration.first_hour,
            "last_hour": calibration.last_hour,
            "symbols": list(calibration.symbols),
        },
        "engine_version": ENGINE_VERSION,
        "model": dict(model),
        "scenario_set_hash": priced.scenario_set_hash,
        "assumptions": [*priced.assumptions, *worst_case_lines(charged.unmodelled)],
        "markets": _market_details(priced.markets, listing),
        "haircuts": _haircut_details(snapshot, priced.haircuts, listing),
        "unmodelled": _unmodelled_details(snapshot.book, charged.unmodelled, listing),
        "accounts": {"initial_micro": sum(charged.accounts.initial_micro.tolist()), "count": len(snapshot.book)},
    }


def _market_details(ratios: engine.MarketRatios, listing: Listing) -> list[dict[str, object]]:
    partial = {
        f"{name}_{figure}_ppm": fraction_to_ppm_up(getattr(ratios, f"{name}_{figure}"))
        for figure in ("point", "sampling")
        for name in ("initial_long", "initial_short", "maintenance_long", "maintenance_short")
    }
    live, row_of = listing.modelled, {int(market_id): row for row, market_id in enumerate(ratios.market_id)}
    posted = market_margins(ratios, listing.markets_left_out)
    return [
        {
            **{name: int(column[row]) for name, column in partial.items()},
            "market_id": margin.market_id,
            "target_ppm": list(margin.values()),
            "binding_long": engine.COMPONENTS[ratios.binding_long[row]],
            "binding_short": engine.COMPONENTS[ratios.binding_short[row]],
            "worst_instrument_long": live[ratios.worst_long[row]].instrument_id,
            "worst_instrument_short": live[ratios.worst_short[row]].instrument_id,
        }
        for margin, row in ((margin, row_of[margin.market_id]) for margin in posted)
    ]


def _haircut_details(snapshot: Snapshot, haircuts: engine.Haircuts, listing: Listing) -> list[dict[str, object]]:
    figures = ("initial", "maintenance", "initial_point", "maintenance_point", "slope")
    ppm = {f"{name}_ppm": fraction_to_ppm_up(getattr(haircuts, name)) for name in figures}
    return [
        {
            "symbol": snapshot.underlyings[listing.underlyings[underlying]].symbol,
            **{name: int(column[row]) for name, column in ppm.items()},
            "binding": engine.COMPONENTS[haircuts.binding[row]],
        }
        for row, underlying in enumerate(haircuts.underlying.tolist())
    ]


def _unmodelled_details(book: AccountBook, accounts: NDArray[np.int64], listing: Listing) -> dict[str, object]:
    lacking = zip(listing.unmodelled, listing.why, strict=True)
    return {
        "count": len(accounts),
        "accounts": [account_name(book, account) for account in accounts.tolist()],
        "instruments": [[instrument.instrument_id, why] for instrument, why in lacking],
        "markets_left_out": list(listing.markets_left_out),
    }
