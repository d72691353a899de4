"""The only package that imports the engine: integers in, integers out.

Floats exist here and in the engine. Every figure that leaves is rounded to the conservative side by `oracle.units`.
"""

from __future__ import annotations

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
)
from oracle.valuation.inputs import live_instruments, market_state, recent_prices, to_instruments, to_positions
from oracle.valuation.results import account_requirements, details, market_margins

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
]


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
        If the engine refuses an input; the message names it.
    NonFiniteResult
        If a figure is not finite or does not fit.
    """
    live = live_instruments(snapshot)
    try:
        evaluation = engine.evaluate(
            calibration,
            recent_prices(snapshot, calibration),
            market_state(snapshot),
            to_instruments(snapshot, live.instruments),
            to_positions(snapshot, live),
            engine_configuration(model),
            threads=threads,
        )
    except engine.NonFiniteResult as error:
        raise NonFiniteResult(str(error), "nothing is published") from error
    except engine.EngineError as error:
        raise BadData(str(error), "nothing is published") from error
    return Valuation(
        markets=market_margins(evaluation.markets),
        accounts=account_requirements(snapshot, evaluation.accounts),
        model_hash=model_hash(calibration, model),
        details=details(snapshot, calibration, model, evaluation, live.instruments),
    )
