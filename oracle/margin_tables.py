"""Tables of a portfolio's margin for people; every title says where the calibration comes from."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from oracle.portfolio_margin import HorizonMargin, PortfolioMargin
from oracle.units import MICRO_PER_USD, PPM

COMPONENTS = {
    "model": "model, point estimate",
    "sampling_error": "+ sampling error of Monte Carlo",
    "parameter_error": "+ parameter error",
    "gross": "+ share of gross",
    "leg_floor": "+ leg floor",
    "liquidity": "+ liquidity",
    "concentration": "+ concentration",
    "funding": "+ funding",
    "liquidation_fee": "+ liquidation fee",
    "collateral": "+ collateral: sale or haircut",
    "sum_of_ratios": "- cap by the sum of market ratios",
    "maintenance": "+ least distance above maintenance",
}


def show_margin(console: Console, margin: PortfolioMargin) -> None:
    """Print the requirement, what it is made of, the worst scenarios, and what the figures rest on."""
    label = margin.calibration_label
    console.print(_summary(margin, label))
    console.print(_components(margin, label))
    for title, horizon in (("initial", margin.initial), ("maintenance", margin.maintenance)):
        name = f"{title}, {horizon.hours} h"
        console.print(_legs(horizon, f"Legs, {name}, USD ({label})"))
        console.print(_underlyings(horizon, f"Underlyings, {name}, USD ({label})"))
        console.print(_worst(horizon, f"Worst scenarios, {name} ({label})"))
    if margin.venues:
        console.print(_venues(margin, label))
    for line in (*_calibration(margin), *margin.assumptions):
        console.print(f"- {line}", highlight=False, markup=False)


def _summary(margin: PortfolioMargin, label: str) -> Table:
    table = Table(title=f"{margin.name}, {margin.time}, USD ({label})", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    initial, maintenance = margin.initial, margin.maintenance
    rows = (
        ("initial requirement", initial.required_micro, f"{initial.hours} h, binding: {initial.binding}"),
        (
            "maintenance requirement",
            maintenance.required_micro,
            f"{maintenance.hours} h, binding: {maintenance.binding}",
        ),
        ("equity", margin.equity_micro, "cash, and the worth of spot, options and collateral"),
        ("free above initial", margin.equity_micro - initial.required_micro, ""),
        ("worst stress, every weight 1", margin.stress_unweighted_micro, "reported, not charged"),
    )
    for name, amount, note in rows:
        table.add_row(name, usd(amount), note)
    return table


def _components(margin: PortfolioMargin, label: str) -> Table:
    level, confidence = margin.es_level_ppm * 100 / PPM, margin.bound_confidence_ppm * 100 / PPM
    table = _table(
        f"What the requirements are made of, USD (ES {level:g} %, bound {confidence:g} %, {label})",
        ("component",),
        ("initial", "maintenance"),
    )
    horizons = margin.initial, margin.maintenance
    for name in margin.initial.components:
        amounts = [horizon.components[name] for horizon in horizons]
        if any(amounts):
            table.add_row(COMPONENTS.get(name, name), *map(usd, amounts))
    table.add_row("requirement", *(usd(horizon.required_micro) for horizon in horizons), style="bold")
    table.add_row("the model loss is that of", *(horizon.model_binding for horizon in horizons))
    return table


def _legs(horizon: HorizonMargin, title: str) -> Table:
    table = _table(title, ("position",), ("contracts", "worth", "required alone", "share of the loss", "%"))
    for leg in horizon.legs:
        table.add_row(
            leg.position,
            leg.quantity,
            usd(leg.value_micro),
            usd(leg.alone_micro),
            usd(leg.share_micro),
            _share(leg.share_micro, horizon.shared_micro),
        )
    alone = sum(leg.alone_micro for leg in horizon.legs)
    whole = _share(horizon.shared_micro, horizon.shared_micro)
    table.add_row(f"all ({horizon.model_binding})", "", "", usd(alone), usd(horizon.shared_micro), whole, style="bold")
    return table


def _underlyings(horizon: HorizonMargin, title: str) -> Table:
    amounts = ("alone", "net notional", "size to close", "liquidity", "concentration", "funding")
    table = _table(title, ("underlying",), ("charge factor", *amounts))
    for part in horizon.underlyings:
        figures = (
            part.alone_micro,
            part.net_micro,
            part.size_micro,
            part.liquidity_micro,
            part.concentration_micro,
            part.funding_micro,
        )
        table.add_row(part.symbol, f"{part.charge_factor_ppm / PPM:.4f}", *map(usd, figures))
    return table


def _worst(horizon: HorizonMargin, title: str) -> Table:
    table = _table(title, ("", "scenario"), ())
    for place, one in enumerate(horizon.worst, start=1):
        table.add_row(str(place), one.words)
    return table


def _venues(margin: PortfolioMargin, label: str) -> Table:
    table = _table(f"What venues' matrices ask of the same positions, USD ({label})", ("venue",), ("margin", "/ ours"))
    table.add_column("of it")
    for one in margin.venues:
        asked = "not published" if one.required_micro is None else usd(one.required_micro)
        times = "" if one.required_micro is None else _times(one.required_micro, margin.initial.required_micro)
        table.add_row(one.venue, asked, times, one.note)
    return table


def _calibration(margin: PortfolioMargin) -> Iterable[str]:
    yield (
        f"Calibration: {margin.calibration_label}, {margin.calibration_first} to {margin.calibration_last}, content "
        f"hash {margin.calibration_hash}. Scenarios are scaled to today's variance."
    )


def _table(title: str, words: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for name in words:
        table.add_column(name)
    for name in numbers:
        table.add_column(name, justify="right")
    return table


def usd(amount_micro: int) -> str:
    """Return micro-USD as USD with separators and cents, rounded up."""
    cents = -(-amount_micro * 100 // MICRO_PER_USD)
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole:,}.{part:02d}"


def _share(part_micro: int, whole_micro: int) -> str:
    return f"{part_micro * 100 / whole_micro:.1f}" if whole_micro else ""


def _times(asked_micro: int, ours_micro: int) -> str:
    return f"{asked_micro / ours_micro:.2f}" if ours_micro else ""
