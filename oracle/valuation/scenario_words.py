"""A scenario as a sentence: what moved, by how much, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from engine.scenario_losses import ScenarioLoss
from oracle.portfolio import utc
from oracle.portfolio_margin import Move
from oracle.units import MICRO_PER_USD, PPM, SECONDS_PER_HOUR

_DRAWN = {
    "historical": "{block} that begins {at}",
    "historical_trend": "{block} that begins {at}, stretched by the trend",
    "monte_carlo": "Monte Carlo, {label}",
    "monte_carlo_trend": "Monte Carlo, {label}, moves stretched by the trend",
    "monte_carlo_correlated": "Monte Carlo, {label}, correlation stressed to one",
    "monte_carlo_independent": "Monte Carlo, {label}, correlation stressed to zero",
}


def scenario_words(one: ScenarioLoss, moves: Sequence[Move], loss_micro: int, counted_micro: int, block: str) -> str:
    """Return one line, such as "block that begins 2020-03-12 09:00 UTC, after 24 h: BTC -38.2 %: loss 12 USD ...".

    Parameters
    ----------
    one : ScenarioLoss
    moves : sequence of Move
        Of the underlyings that the portfolio holds.
    loss_micro, counted_micro : int
    block : str
        What a block of the past is called: "block", or what says that the past is not real.
    """
    name = f"stress, {one.label}"
    if one.component in _DRAWN:
        at = utc(int(one.label) * SECONDS_PER_HOUR) if one.component.startswith("historical") else ""
        name = _DRAWN[one.component].format(block=block, at=at, label=one.label)
    after = f", after {one.hour} h" if one.hour else ""
    moved = ", ".join((*_prices(moves), *_volatilities(moves))) or "nothing moves"
    weight = counted_micro * PPM // loss_micro if loss_micro > 0 else PPM
    counted = "weight 1" if weight >= PPM else f"weight {weight / PPM:.3f}: {_usd(counted_micro)} USD"
    if one.component.startswith("monte_carlo"):
        counted = f"one of {round(1.0 / one.probability):,}"
    return f"{name}{after}: {moved}: loss {_usd(loss_micro)} USD ({counted})"


def _prices(moves: Sequence[Move]) -> list[str]:
    return [f"{move.symbol} {_percent(move.price_ppm)}" for move in moves if move.price_ppm]


def _volatilities(moves: Sequence[Move]) -> list[str]:
    """One figure where all move alike."""
    if len({move.volatility_ppm for move in moves}) == 1:
        return [f"30-day volatility {_percent(moves[0].volatility_ppm)}"] if moves[0].volatility_ppm else []
    return [f"{move.symbol} 30-day volatility {_percent(move.volatility_ppm)}" for move in moves if move.volatility_ppm]


def _percent(ppm: int) -> str:
    return f"{ppm * 100 / PPM:+.1f} %"


def _usd(amount_micro: int) -> str:
    return f"{-(-amount_micro // MICRO_PER_USD):,}"
