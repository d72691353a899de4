"""Evaluation of observed extreme events: the stress list must contain or dominate each stated move.

An event is reached when some scenario of `scenarios.stress` moves the token at least as far. Where the list replays the
event's own month, and names the token or means the average of the others, that replay must reach it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from engine.addons import LiquidityCurve
from engine.scenarios.stress import DEPTH_LEFT, OTHERS, REPLAYS, ROUNDING, Ranges, stress_set
from engine.validation.truth.case import Case, Computed, Every, NotUnderstood, Tree, Within

REPLAYED_MONTHS = {
    "2020-03": "March 2020", "2021-05": "May 2021", "2022-05": "LUNA 2022", "2022-11": "FTX 2022",
    "2024-08": "August 2024", "2025-10": "October 2025",
}  # fmt: skip
STABLECOINS = frozenset({"BUSD", "DAI", "FDUSD", "FRAX", "PYUSD", "TUSD", "USDC", "USDD", "USDT", "USDe", "UST"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NO_RANGE = 0.01
"""Ranges only weight the moves and make those of correlation; any small one leaves the list's own moves as they are."""
_LARGEST_RATIO = 1.0 + 1e-9
"""What the logarithms in which moves are stored may take from them."""


def stress_event(case: Case) -> Mapping[str, Tree]:
    """Evaluate every move that the case states; open interest, liquidations and lessons are no factor of a scenario."""
    case.remark("lesson", "elsewhere", "venue", "minutes", "perp_oi_usd_bn", "hyperliquid_oi_usd_bn")
    case.remark("peak_liquidations_usd_bn_in_60s")
    month = _month(case.word("date") if "date" in case else case.name)
    asset = case.word("asset") if "asset" in case else ""
    computed: dict[str, Tree] = {}
    if "move" in case:
        computed["move"] = _move(case, asset, month)
    if "from_price" in case:
        computed["to_price"] = _price(asset, month, case.number("from_price"))
    for field in case.fields:
        if re.fullmatch(r"average_token|\w+_average", field):
            own = _month(field)
            computed[field] = Every(_reach(OTHERS, own or month))
        elif field.endswith("_price") and field not in ("from_price", "to_price"):
            if asset not in STABLECOINS:
                raise NotUnderstood(f"{asset or 'no asset'} is no stablecoin known here, and {field} no move")
            computed[field] = Within(_depegged_price(), 1.0, "from the de-pegged price of the stress list to par")
        elif field == "order_book_depth_change":
            computed[field] = Within(_depth_change(), 0.0, "down to the depth at which closing is reported")
    return computed


def _move(case: Case, asset: str, month: str) -> Tree:
    if not asset:
        raise NotUnderstood("a move without an asset")
    reached = _reach(asset, month)
    if "high" not in case:
        return Every(reached)
    return Every((Computed(case.number("low") / case.number("high") - 1.0), *reached))


def _price(asset: str, month: str, start: float) -> Tree:
    if not asset or start <= 0.0:
        raise NotUnderstood("a fall without an asset, or from no price")
    return Every(
        tuple(Within(start * (1.0 + one.low), start * (1.0 + one.high), one.meaning) for one in _reach(asset, month))
    )


def _reach(symbol: str, month: str) -> tuple[Within, ...]:
    """Return the limits of a move that the whole list, and the replay of that month, reach."""
    scenarios = stress_set((symbol,), Ranges(*(np.full(1, _NO_RANGE) for _ in range(4))))
    spot = np.expm1(scenarios.log_return[0, 0])
    low, high = float(spot.min()), float(spot.max())
    limits = [Within(low * _LARGEST_RATIO, high * _LARGEST_RATIO, f"the farthest moves of {symbol} in the stress list")]
    replay = REPLAYED_MONTHS.get(month)
    if replay is not None and (symbol == OTHERS or symbol in REPLAYS[replay][0]):
        fall = float(spot[scenarios.label.index(replay)])
        limits.append(Within(fall - ROUNDING, high * _LARGEST_RATIO, f"the replay of {replay} by {fall:+.1%}, rounded"))
    return tuple(limits)


def _depegged_price() -> float:
    scenarios = stress_set((OTHERS,), Ranges(*(np.full(1, _NO_RANGE) for _ in range(4))))
    rise = scenarios.log_return[0, 0, scenarios.label.index("quote token loses its peg")]
    return float(np.exp(-rise)) / _LARGEST_RATIO


def _depth_change() -> float:
    """The share of depth that the thin market's impact, by its inverse square root law, says is gone."""
    one = np.ones(1)
    curve = LiquidityCurve(0.0, one, one, one)
    thin = curve.at_depth(DEPTH_LEFT)
    return float((curve.impact[0] / thin.impact[0]) ** 2) * (1.0 / _LARGEST_RATIO) - 1.0


def _month(text: str) -> str:
    """Return "YYYY-MM" of "2025-10-10/11" or of "oct2025_btc", "" of anything else."""
    written = re.match(r"(\d{4}-\d{2})-\d{2}", text)
    if written:
        return written[1]
    named = re.match(rf"({'|'.join(_MONTHS)})(\d{{4}})_", text)
    return f"{named[2]}-{_MONTHS.index(named[1]) + 1:02d}" if named else ""
