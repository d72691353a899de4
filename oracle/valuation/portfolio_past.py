"""The calibration behind a single portfolio: an artefact, a history fitted at once, or a simulated one that says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oracle.errors import BadPortfolio
from oracle.portfolio import Portfolio, utc
from oracle.readers.history import HourlyPrices, read_history
from oracle.units import PRICE_SCALE_E8, SECONDS_PER_HOUR
from oracle.valuation.artefact import (
    SIMULATED_LABEL,
    Calibration,
    calibrate,
    calibrate_history,
    load_calibration,
    simulate_history,
)

SIMULATED_HOURS = 4 * 365 * 24
SIMULATED_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Past:
    """A calibration, and what every output has to say of where it comes from."""

    label: str
    calibration: Calibration


def past_of(portfolio: Portfolio, artefact: Path | None, history: Path | None) -> Past:
    """Return the calibration to value a portfolio with.

    Parameters
    ----------
    portfolio : Portfolio
    artefact : Path or None
        A calibration artefact that is already there.
    history : Path or None
        A directory of hourly prices, fitted at once up to the portfolio's time; see `oracle.readers.history`. With
        neither, a simulated history that ends at the portfolio's prices stands in.

    Raises
    ------
    BadPortfolio
        If both are given, or the calibration lies after the portfolio's time.
    BadArtefact, BadHistory
        If what is given cannot be read or fitted.
    """
    if artefact is not None and history is not None:
        raise BadPortfolio("an artefact and a history are given", "give one of --calibration and --history")
    if artefact is not None:
        past = Past(f"artefact {artefact.name}", load_calibration(artefact))
    elif history is not None:
        past = Past(f"history {history}", _fitted(portfolio, history))
    else:
        past = Past(SIMULATED_LABEL, _simulated(portfolio))
    if past.calibration.last_hour * SECONDS_PER_HOUR > portfolio.time:
        raise BadPortfolio(
            f"the calibration ends at {utc(past.calibration.last_hour * SECONDS_PER_HOUR)}, after the portfolio's "
            f"time, {utc(portfolio.time)}",
            "take a calibration of that time, or a later portfolio",
        )
    return past


def _fitted(portfolio: Portfolio, directory: Path) -> Calibration:
    last_hour = portfolio.time // SECONDS_PER_HOUR
    return calibrate_history(read_history(directory, list(portfolio.market), last_hour=last_hour), portfolio.model)


def _simulated(portfolio: Portfolio) -> Calibration:
    last_hour = portfolio.time // SECONDS_PER_HOUR
    first_hour = last_hour - SIMULATED_HOURS + 1
    if first_hour < 0:
        raise BadPortfolio(f"{utc(portfolio.time)} is too early for a simulated history", "give --history")
    prices, volatility = simulate_history(list(portfolio.market), first_hour, SIMULATED_HOURS, SIMULATED_SEED)
    ending = [_ending_at(series, float(portfolio.market[series.symbol].spot)) for series in prices]
    return calibrate(ending, volatility, portfolio.model)


def _ending_at(series: HourlyPrices, spot: float) -> HourlyPrices:
    """Scale prices to end at the spot, and volumes against it: the turnover in USD stays."""
    factor = spot * PRICE_SCALE_E8 / float(series.close_e8[-1])
    close = np.clip(np.rint(series.close_e8 * factor), 1.0, 9e18).astype(np.int64)
    return HourlyPrices(series.symbol, series.hour, close, series.volume / factor)
