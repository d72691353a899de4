"""The whole computation: `engine.evaluate` on a book, and one account next to openmargin."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
from rich.table import Table

from engine import Evaluation, Kind, Positions, evaluate
from engine.kernels.revalue import FactorPaths, SurfaceResponse, revalue
from engine.kernels.tail import expected_shortfall
from scripts.benchmarks import peers
from scripts.benchmarks.harness import Goal, interleaved, table_of

ACCOUNTS, POSITIONS = 10_000, 20
DAYS = (7, 14, 30, 60, 90, 180)
MONEYNESS = np.linspace(0.7, 1.3, 20)
SMALL_SCENARIOS = 1_000
OPENMARGIN_BOUND = 100.0
CASES = Path(__file__).resolve().parents[2] / "tests" / "model_cases.py"


def load_cases() -> ModuleType:
    """Return the invented market of the tests; by its path, since some peer installs a package called tests."""
    spec = importlib.util.spec_from_file_location("model_cases", CASES)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(CASES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def whole_book() -> Callable[[], Evaluation]:
    """Return the evaluation of a random book on two underlyings with six expiries of twenty strikes, calls and puts."""
    model_cases = load_cases()
    state = model_cases.market(days=DAYS)
    rows = [(Kind.PERPETUAL, u, -1, 0.0) for u in range(2)]
    for u in range(2):
        for e in range(u * len(DAYS), (u + 1) * len(DAYS)):
            rows.append((Kind.FUTURE, u, e, 0.0))
            rows += [(kind, u, e, float(m * state.spot[u])) for kind in (Kind.CALL, Kind.PUT) for m in MONEYNESS]
    instruments = model_cases.instruments(state, rows)
    source, indptr = np.random.default_rng(31), np.arange(ACCOUNTS + 1) * POSITIONS
    held = source.integers(0, len(instruments), ACCOUNTS * POSITIONS)
    positions = Positions(indptr, held, np.round(source.normal(size=held.size), 3))
    calibration, recent = model_cases.small_calibration(), model_cases.no_recent("BTC", "ETH")
    return lambda: evaluate(calibration, recent, state, instruments, positions, threads=2)


def time_whole_book(rounds: int = 3) -> Table:
    """Time it: initial and maintenance, every scenario set, add-ons and ratios."""
    call = whole_book()
    accounts = call().accounts
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    table = Table("", "", title=f"engine.evaluate, {ACCOUNTS:,} accounts, {POSITIONS} positions, two threads")
    table.add_row("wall time", f"{min(walls):.2f} s")
    table.add_row("CPU time", f"{min(cpus):.2f} s")
    table.add_row("CPU time of an account", f"{min(cpus) / ACCOUNTS * 1e6:.0f} us")
    table.add_row("initial, mean", f"{accounts.initial.mean():,.0f} USD")
    return table


def small_job() -> Callable[[], object]:
    """Return the expected shortfall of one short option in 1,000 scenarios, prices included."""
    instruments = SimpleNamespace(
        kind=np.array([3]), underlying=np.zeros(1), slice=np.zeros(1), strike=np.array([3000.0]),
        multiplier=np.ones(1), inverse=np.zeros(1, bool),
    )  # fmt: skip
    market = SimpleNamespace(
        spot=np.array([3000.0]), slice_underlying=np.zeros(1, int), slice_seconds=np.array([3_153_600]),
        forward=np.array([3000.0]), vol_nodes=np.full((1, 7), 0.6), discount=np.ones(1),
    )  # fmt: skip
    moves = np.random.default_rng(1).normal(size=(1, 1, SMALL_SCENARIOS)) * 0.05
    paths = FactorPaths(np.array([24]), moves, np.array([0]), np.zeros_like(moves))
    response, book = SurfaceResponse(np.zeros(1), np.ones(1), np.ones(1), 1.2, 1.5), (np.array([0, 1]), np.zeros(1))
    return lambda: expected_shortfall(revalue(instruments, market, response, paths), *book, np.array([-1.0]), 0.01)


def time_small_job() -> tuple[Table, Goal]:
    """Time one account next to openmargin, whose price paths and prices are in the time as ours are."""
    name, ours = "openmargin, history to margin", "own kernels, moves to expected shortfall"
    contenders, reason = {ours: small_job()}, ""
    for module in ("openmargin", "pandas", "Historic_Crypto"):
        reason = reason or peers.absent(module, peers.PINNED_ELSEWHERE.format("openmargin"))
    if not reason:
        contenders[name] = peers.openmargin_call(SMALL_SCENARIOS)
    seconds = interleaved(contenders, rounds=5)
    milliseconds = {key: value * 1e3 for key, value in seconds.items()}
    ratio = seconds[name] / seconds[ours] if name in seconds else float("nan")
    absent = {name: reason} if reason else {}
    table = table_of("One account, one option, 1,000 scenarios", "ms", milliseconds, ours, absent)
    return table, Goal("one small account, times faster than openmargin", ratio, OPENMARGIN_BOUND, note=reason)
