"""The calendar spread that breaks venues' matrices: theirs and ours on real option chains, beside what was realised.

A venue that shocks the volatility of 7 and of 180 days by nearly the same factor sees the two legs of a vega-neutral
calendar cancel. Here a Deribit-style matrix and this engine margin the same straddles and strangles on the same
surfaces: seven nodes fitted to each chain's marks, brought to exactly 7, 30 and 180 days.

    python -m scripts.studies.calendars --data DIR [--realised FILE] [--each] [--json FILE]

DIR holds `option_chains.csv.gz`, hourly prices and volatility indices in the layouts of `oracle.readers`. The
calibration ends at the snapshot where the prices reach so far; else where they end, with the chain scaled to the last
price there (nothing later is known to it). All figures are fractions of spot.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import engine
from engine.explain import explain
from engine.matrix_margin import matrix_margin
from engine.scenarios.matrix import deribit_matrix
from engine.surface.arbitrage import X_NODES
from oracle.readers.history import History, read_history

DAYS = (7, 30, 180)
SHORT, MONTH, LONG = range(3)
NEUTRAL = math.sqrt(180 / 7)
"""Weight of a 7-day leg whose vega is that of one of 180 days."""
SECONDS_AN_HOUR, SECONDS_A_DAY, SECONDS_A_YEAR = 3_600, 86_400, 365 * 86_400
COLUMNS = (
    "matrix", "our model", "our IM", "our MM", "model / matrix", "IM / matrix",
    "realised ES 99", "realised worst", "matrix breached",
)  # fmt: skip
REALISED_FROM = "202512"
"""The back-test's first month; earlier chains are of another market."""
SYMBOLS = ("BTC", "ETH")

BOOKS: dict[str, tuple[float, dict[int, float]]] = {
    "short straddle 7d": (0.0, {SHORT: -1.0}),
    "short straddle 30d": (0.0, {MONTH: -1.0}),
    "short straddle 180d": (0.0, {LONG: -1.0}),
    "long straddle 180d": (0.0, {LONG: 1.0}),
    "calendar: long 7d short 180d vega-neutral": (0.0, {SHORT: NEUTRAL, LONG: -1.0}),
    "calendar: short 7d long 180d vega-neutral": (0.0, {SHORT: -NEUTRAL, LONG: 1.0}),
    "calendar of 1 sd strangles: long 7d short 180d": (1.0, {SHORT: NEUTRAL, LONG: -1.0}),
    "calendar of 1 sd strangles: short 7d long 180d": (1.0, {SHORT: -NEUTRAL, LONG: 1.0}),
}
"""Distance of call and put from the forward in deviations, and straddles or strangles held of each tenor."""


@dataclass(frozen=True, slots=True)
class Smile:
    """One expiry of a chain: years, log of forward over index, and volatility at x = -3 ... 3."""

    years: float
    carry: float
    volatility: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chain:
    """One currency of one snapshot, expiries ascending."""

    snapshot: str
    symbol: str
    timestamp: int
    index: float
    smiles: tuple[Smile, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a book asks, in fractions of spot: the venue's matrix, our model at the full bound, our IM and MM."""

    snapshot: str
    symbol: str
    book: str
    matrix: float
    model: float
    initial: float
    maintenance: float
    binding: str
    calibrated: str


def read_chains(path: Path) -> list[Chain]:
    """Return the chains of a file, fitted; expiries with fewer than five usable strikes are left out."""
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    with gzip.open(path, "rt", newline="") as text:
        for row in csv.DictReader(text):
            rows.setdefault((row["snapshot"], row["currency"]), []).append(row)
    return [_chain(snapshot, symbol, group) for (snapshot, symbol), group in sorted(rows.items())]


def _chain(snapshot: str, symbol: str, rows: list[dict[str, str]]) -> Chain:
    timestamp, index = int(rows[0]["snapshot_ts"]), float(rows[0]["index_price"])
    expiries: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        expiries.setdefault(int(row["expiry_ts"]), []).append(row)
    smiles = []
    for expiry, quotes in sorted(expiries.items()):
        years = (expiry - timestamp) / SECONDS_A_YEAR
        smile = _smile(quotes, years, index)
        if smile is not None:
            smiles.append(smile)
    return Chain(snapshot, symbol, timestamp, index, tuple(smiles))


def _smile(quotes: list[dict[str, str]], years: float, index: float) -> Smile | None:
    """Interpolate out-of-the-money marks in log moneyness; flat beyond the last strike."""
    points = {}
    for row in quotes:
        k = math.log(float(row["strike"]) / float(row["fwd"]))
        if row["mark_iv"] and (k >= 0.0) == (row["cp"] == "C"):
            points[k] = float(row["mark_iv"])
    if len(points) < 5:
        return None
    strikes = np.array(sorted(points))
    marks = np.array([points[k] for k in strikes])
    at_the_money = float(np.interp(0.0, strikes, marks))
    forward = float(np.median([float(row["fwd"]) for row in quotes]))
    volatility = np.interp(X_NODES * at_the_money * math.sqrt(years), strikes, marks)
    return Smile(years, math.log(forward / index), volatility)


def at_days(chain: Chain, days: float) -> Smile:
    """Return the smile at a tenor: total variance at each node, and carry, linear in time between two expiries."""
    years = days / 365.0
    times = np.array([smile.years for smile in chain.smiles])
    total = np.array([smile.volatility**2 * smile.years for smile in chain.smiles])
    variance = np.array([np.interp(years, times, column) for column in total.T])
    carry = float(np.interp(years, times, [smile.carry for smile in chain.smiles]))
    return Smile(years, carry, np.sqrt(variance / years))


def market_of(chain: Chain, spot: float) -> engine.MarketState:
    """Return the chain's market at `DAYS`, scaled to a spot."""
    smiles = [at_days(chain, days) for days in DAYS]
    count = len(DAYS)
    return engine.MarketState(
        symbols=(chain.symbol,),
        spot=np.array([spot]),
        slice_underlying=np.zeros(count, dtype=np.int32),
        slice_seconds=np.array(DAYS) * SECONDS_A_DAY,
        forward=spot * np.exp([smile.carry for smile in smiles]),
        vol_nodes=np.stack([smile.volatility for smile in smiles]),
        discount=np.ones(count),
        funding_rate_hourly=np.zeros(1),
        funding_cap_hourly=np.zeros(1),
    )


def listed(market: engine.MarketState, deviations: float) -> engine.Instruments:
    """Return a call and a put of each tenor, that many deviations of the money from the forward."""
    count = len(DAYS)
    at_the_money = market.vol_nodes[:, X_NODES.size // 2] * np.sqrt(market.slice_seconds / SECONDS_A_YEAR)
    strike = np.concatenate([market.forward * np.exp(sign * deviations * at_the_money) for sign in (1.0, -1.0)])
    return engine.Instruments(
        kind=np.repeat([engine.Kind.CALL, engine.Kind.PUT], count),
        underlying=np.zeros(2 * count, dtype=np.int32),
        market_id=np.arange(2 * count),
        slice=np.tile(np.arange(count), 2),
        seconds_to_expiry=np.tile(market.slice_seconds, 2),
        strike=strike,
        multiplier=np.ones(2 * count),
        inverse=np.zeros(2 * count, dtype=np.bool_),
    )


def held(tenors: dict[int, float]) -> engine.Positions:
    """Return one account with the call and the put of each tenor."""
    rows = [(tenor + side * len(DAYS), quantity) for tenor, quantity in tenors.items() for side in (0, 1)]
    instrument, quantity = zip(*rows, strict=True)
    return engine.Positions(np.array([0, len(rows)]), np.array(instrument), np.array(quantity))


def margins(calibration: engine.Calibration, chain: Chain) -> Iterator[Result]:
    """Margin every book on one chain; the market stands where the calibration ends."""
    row = calibration.index_of(chain.symbol)
    spot = float(calibration.recent_close_e8[row, -1]) / 1e8
    market = market_of(chain, spot)
    nothing = np.empty(0, dtype=np.int64)
    recent = [engine.RecentPrices(chain.symbol, nothing, nothing)]
    matrix = deribit_matrix([chain.symbol])
    calibrated = str(np.datetime64(calibration.last_hour, "h"))
    for name, (deviations, tenors) in BOOKS.items():
        instruments, positions = listed(market, deviations), held(tenors)
        found = explain(calibration, recent, market, instruments, positions)
        amounts = dict(found.initial.components)
        yield Result(
            chain.snapshot,
            chain.symbol,
            name,
            matrix=float(matrix_margin(matrix, instruments, market, positions)[0]) / spot,
            model=(amounts["model"] + amounts["sampling_error"] + amounts["parameter_error"]) / spot,
            initial=found.initial.required_usd / spot,
            maintenance=found.maintenance.required_usd / spot,
            binding=f"{found.initial.binding} ({found.initial.model_binding})",
            calibrated=calibrated,
        )


def calibrated_until(history: History, hour: int) -> engine.Calibration:
    """Return the calibration to all prices known at an hour."""
    prices = [(p, p.hour <= hour) for p in history.prices]
    levels = [(v, v.hour <= hour) for v in history.volatility]
    return engine.calibrate(
        [engine.PriceHistory(p.symbol, p.hour[kept], p.close_e8[kept], p.volume[kept]) for p, kept in prices],
        [engine.VolatilityHistory(v.symbol, v.hour[kept], v.level_ppm[kept]) for v, kept in levels if kept.any()],
    )


def study(data: Path) -> list[Result]:
    """Margin every book on every chain of a directory."""
    history = read_history(data, SYMBOLS)
    last_hour = min(int(p.hour[-1]) for p in history.prices)
    calibrations: dict[int, engine.Calibration] = {}
    results = []
    for chain in read_chains(data / "option_chains.csv.gz"):
        hour = min(chain.timestamp // SECONDS_AN_HOUR, last_hour)
        if hour not in calibrations:
            calibrations[hour] = calibrated_until(history, hour)
        results += margins(calibrations[hour], chain)
    return results


def realised(path: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Return what a back-test of the matrix found, by currency and book."""
    cases = json.loads(path.read_text())["cases"]
    return {(case["currency"], case["portfolio"]): case for case in cases if "realised_es99_per_S" in case}


def tables_of(results: Sequence[Result], known: dict[tuple[str, str], dict[str, float]], each: bool) -> Iterator[Table]:
    """Return one table for each chain, or for the means of the chains that share currency and calibration."""
    groups: dict[tuple[str, ...], dict[str, list[Result]]] = {}
    for one in results:
        key = (one.symbol, one.calibrated, one.snapshot if each else "")
        groups.setdefault(key, {}).setdefault(one.book, []).append(one)
    for (symbol, calibrated, _), books in groups.items():
        chains = ", ".join(one.snapshot for one in next(iter(books.values())))
        table = Table(
            title=f"% of {symbol} spot, calibrated to {calibrated[:10]}, chains {chains}", title_justify="left"
        )
        table.add_column("book", min_width=46)
        for name in COLUMNS:
            table.add_column(name, justify="right")
        for book, group in books.items():
            case = known.get((symbol, book)) if group[0].snapshot >= REALISED_FROM else None
            table.add_row(book, *_figures(group), *(("-", "-", "-") if case is None else _realised(case)))
        yield table


def _figures(group: Sequence[Result]) -> tuple[str, ...]:
    names = ("matrix", "model", "initial", "maintenance")
    matrix, model, initial, maintenance = (float(np.mean([getattr(r, name) for r in group])) for name in names)
    shares = (f"{100 * value:.2f}" for value in (matrix, model, initial, maintenance))
    return (*shares, f"{model / matrix:.2f}", f"{initial / matrix:.2f}")


def _realised(case: dict[str, float]) -> tuple[str, str, str]:
    return (
        f"{100 * case['realised_es99_per_S']:.2f}",
        f"{100 * case['realised_max_loss_per_S']:.2f}",
        f"{case['breaches']} of {case['n_24h_windows']}",
    )


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.studies.calendars", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="directory of chains, prices and volatility")
    parser.add_argument("--realised", type=Path, help="back-test of the matrix to show beside")
    parser.add_argument("--each", action="store_true", help="every chain, not the means of each currency")
    parser.add_argument("--json", type=Path, help="file to write every result to")
    arguments = parser.parse_args()
    results = study(arguments.data)
    known = realised(arguments.realised) if arguments.realised else {}
    console = Console()
    for table in tables_of(results, known, arguments.each):
        (console if console.is_terminal else Console(width=190)).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in results], indent=1) + "\n")


if __name__ == "__main__":
    main()
