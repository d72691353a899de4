"""The only package that imports the engine: integers in, integers out.

Floats exist here and in the engine. Every figure that leaves is rounded to the conservative side by `oracle.units`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import engine
from oracle.config import ModelSettings
from oracle.errors import BadData, NonFiniteResult
from oracle.types import Snapshot, Valuation
from oracle.valuation.artefact import (
    SIMULATED_LABEL,
    Calibration,
    calibrate,
    calibrate_history,
    drifts,
    engine_configuration,
    load_calibration,
    model_hash,
    priced_symbols,
    save_calibration,
    simulate_history,
    summary,
    with_preset,
)
from oracle.valuation.inputs import market_state, recent_prices, to_instruments, to_positions, to_unmodelled
from oracle.valuation.listing import Listing, listing_of
from oracle.valuation.results import (
    ChargedBook,
    account_name,
    account_requirements,
    details,
    join_requirements,
    market_margins,
)

__all__ = [
    "SIMULATED_LABEL",
    "Calibration",
    "calibrate",
    "calibrate_history",
    "drifts",
    "evaluate",
    "load_calibration",
    "model_hash",
    "priced_symbols",
    "save_calibration",
    "simulate_history",
    "summary",
    "with_preset",
]

ACCOUNTS_AT_ONCE = 16_384
"""Accounts that are turned into floats, charged and rounded at a time."""


def evaluate(snapshot: Snapshot, calibration: Calibration, model: ModelSettings, threads: int = 1) -> Valuation:
    """Return market ratios and account requirements of a snapshot.

    Parameters
    ----------
    snapshot : Snapshot
        Checked by `oracle.snapshot`.
    calibration : Calibration
    model : ModelSettings
    threads : int
        Accounts and instruments are split between them, never a sum: the result does not depend on it.

    Raises
    ------
    BadData
        If the engine refuses an input, or an account is short of what has no model; the message names it.
    NonFiniteResult
        If a figure is not finite or does not fit.
    """
    listing = listing_of(snapshot, calibration)
    try:
        priced = engine.price_market(
            calibration,
            recent_prices(snapshot, listing, calibration),
            market_state(snapshot, listing),
            to_instruments(snapshot, listing),
            engine_configuration(model),
            threads=threads,
        )
        charged = _charge(priced, snapshot, listing)
    except engine.UnmodelledAccount as error:
        name = account_name(snapshot.book, error.account)
        raise BadData(f"account {name}: {error.why}", "nothing is published") from error
    except engine.NonFiniteResult as error:
        raise NonFiniteResult(str(error), "nothing is published") from error
    except engine.EngineError as error:
        raise BadData(str(error), "nothing is published") from error
    return Valuation(
        markets=market_margins(priced.markets, listing.markets_left_out),
        accounts=charged.accounts,
        model_hash=model_hash(calibration, model),
        details=details(snapshot, calibration, model, priced, charged, listing),
    )


def _charge(priced: engine.PricedMarket, snapshot: Snapshot, listing: Listing) -> ChargedBook:
    """Charge the book part by part: floats exist of one part at a time, and of the whole only the integers."""
    count = len(snapshot.book)
    firsts = range(0, max(count, 1), ACCOUNTS_AT_ONCE)
    parts = [
        replace(snapshot, book=snapshot.book.part(first, min(first + ACCOUNTS_AT_ONCE, count))) for first in firsts
    ]
    holders = []

    def blocks() -> Iterator[engine.AccountBlock]:
        for first, part in zip(firsts, parts, strict=True):
            lacking = to_unmodelled(part, listing)
            holders.append(first + lacking.holders)
            yield engine.AccountBlock(to_positions(part.book, listing.modelled), unmodelled=lacking)

    rounded = map(account_requirements, parts, engine.charge_blocks(priced, blocks()))
    return ChargedBook(join_requirements(rounded), np.concatenate(holders))
