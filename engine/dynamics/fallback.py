"""Assets with a short history: what they did not live through is filled from the reference asset and a pool.

Before the asset's first return: r = beta r_reference + inflation s r_pool / s_pool, where beta and s (the deviation of
what beta leaves) come from the common hours and r_pool is a return of a long-lived coin half a library away, so that
it clusters as coins do but is independent of the reference's same hour. Filled hours are counted in the artefact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.configuration import CalibrationSettings
from engine.dynamics.clock import ClockReturns
from engine.errors import InvalidInput

LEAST_OWN_HOURS = 720
"""A month: below it beta is noise and the asset cannot be modelled."""
HOURS_A_DAY = 24


def fill_short_histories(
    returns: ClockReturns, symbols: tuple[str, ...], settings: CalibrationSettings
) -> NDArray[np.float64]:
    """Return the library's log returns with every asset present in every hour.

    Parameters
    ----------
    returns : ClockReturns
    symbols : tuple of str
    settings : CalibrationSettings

    Returns
    -------
    float64 array, shape (U, min(library_hours, n))

    Raises
    ------
    InvalidInput
        If an asset has less than a month of its own, or none has the minimum history; the message names it.
    """
    hours = min(settings.library_hours, returns.log_return.shape[1])
    own = returns.log_return.shape[1] - returns.first_return
    for symbol, count in zip(symbols, own, strict=True):
        if count < LEAST_OWN_HOURS:
            raise InvalidInput(f"history of {symbol} has {max(count, 0)} returns on the clock, not {LEAST_OWN_HOURS}")
    if own.max() < settings.minimum_history_hours:
        raise InvalidInput(f"no history has {settings.minimum_history_hours} hours; the longest has {own.max()}")
    library = returns.log_return[:, -hours:].copy()
    own = np.minimum(own, hours)
    reference = int(np.argmax(own))
    pool = [row for row in range(len(symbols)) if own[row] == hours] or [reference]
    for row in range(len(symbols)):
        missing = int(hours - own[row])
        if missing:
            library[row, :missing] = _filled(library, row, reference, pool, missing, settings.fallback_inflation)
    return library


def _filled(
    library: NDArray[np.float64], row: int, reference: int, pool: list[int], missing: int, inflation: float
) -> NDArray[np.float64]:
    own, market = library[row, missing:], library[reference, missing:]
    beta = float(np.mean(own * market) / np.mean(market * market)) if np.any(market) else 0.0
    deviation = float(np.sqrt(np.mean((own - beta * market) ** 2)))
    hours = library.shape[1]
    hour = np.arange(missing)
    coin = np.array(pool)[(hour // HOURS_A_DAY) % len(pool)]
    drawn = library[coin, (hour + hours // 2) % hours]
    scale = np.sqrt(np.mean(library[np.array(pool)] ** 2, axis=1))[(hour // HOURS_A_DAY) % len(pool)]
    unit = np.divide(drawn, scale, out=np.zeros(missing), where=scale > 0)
    filled: NDArray[np.float64] = beta * library[reference, :missing] + inflation * deviation * unit
    return filled
